"""`motionrep report`."""

import argparse
from pathlib import Path

import motionrep
from motionrep.cli.inputs import load_people, npz_fields
from motionrep.cli.motions import load_networks
from motionrep.cli.options import Size, add_keypoints


def add_options(parser: argparse.ArgumentParser) -> None:
    add_keypoints(parser)
    parser.add_argument("--output", type=Path, required=True, help="The .html file to write.")
    parser.add_argument(
        "--head", default="mesh-ktpformer-s", help="Shipped name, folder or Hub id (default %(default)s)."
    )
    parser.add_argument(
        "--action", default="action-ktpformer-s",
        help="Shipped name, folder or Hub id, or none for a report without actions (default %(default)s).",
    )  # fmt: skip
    parser.add_argument("--encoder", help="Shipped name, folder or Hub id; left out, the one the head was trained on.")


def run(
    keypoints: Path, output: Path, head: str, action: str, encoder: str | None, layout: str | None, fps: float | None,
    size: Size | None,
) -> None:  # fmt: skip
    """Writes one page about a clip: video, 3D view, joint angles, speeds, actions, and what is doubtful."""
    from motionrep.viewing.report import analyse, check_report_path, save_report

    check_report_path(output)
    people = load_people(keypoints, layout, fps, size)
    mesh, network = load_networks(head, encoder)
    actions = None if action == "none" else motionrep.load_head(action)
    fps_known = fps is not None or bool(npz_fields(keypoints))
    names = [
        keypoints.stem if len(people) == 1 else f"{keypoints.stem}, person {index}" for index in range(len(people))
    ]
    reports = [
        analyse(name, person, network, mesh, actions, fps_known) for name, person in zip(names, people, strict=True)
    ]
    page = save_report(keypoints.name, reports, output)
    for one in reports:
        print(f"{one.label}: {len(one.doubts)} warning(s)")
    print(f"{page}: {len(reports)} person(s), {page.stat().st_size / 1e6:.1f} MB")
