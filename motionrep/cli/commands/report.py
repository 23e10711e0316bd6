"""`motionrep report`."""

import argparse
from pathlib import Path

import torch

from motionrep.cli.inputs import name_of
from motionrep.cli.options import Precision, Size, add_computing, add_keypoints
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of
from motionrep.keypoints.loading import read_keypoints
from motionrep.pipeline import Recoverer, load_networks


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
    add_computing(parser)


def run(
    keypoints: Path, output: Path, head: str, action: str, encoder: str | None, layout: str | None, fps: float | None,
    size: Size | None, device: str, precision: Precision,
) -> None:  # fmt: skip
    """Writes one page about a clip: video, 3D view, joint angles, speeds, actions, and what is doubtful."""
    from motionrep.viewing.report import STEP_S, WINDOW_S, analyse, check_report_path, save_report

    check_report_path(output)
    contents = look(keypoints)
    people = read_keypoints(contents, layout, fps, size)
    heads = [head] if action == "none" else [head, action]
    recoverer = Recoverer(
        *load_networks(heads, encoder, device), window_s=WINDOW_S, step_s=STEP_S, device=device,
        dtype=getattr(torch, precision), progress=True,
    )  # fmt: skip
    fps_known = fps is not None or not kind_of(contents).takes_fps
    reports = [
        analyse(
            name_of(keypoints, index, len(people)),
            recoverer(person, index),
            recoverer.encoder,
            action != "none",
            fps_known,
        )
        for index, person in enumerate(people)
    ]
    page = save_report(keypoints.name, reports, output)
    for one in reports:
        print(f"{one.label}: {len(one.doubts)} warning(s)")
    print(f"{page}: {len(reports)} person(s), {page.stat().st_size / 1e6:.1f} MB")
