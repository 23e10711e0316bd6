"""`motionrep view`."""

import argparse
from pathlib import Path

from motionrep.cli.motions import viewed_motions
from motionrep.cli.options import MOTION_FILES, Axes, Precision, Size, add_clip, add_computing


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="file",
        help=f"Keypoints, from which the motion is recovered, or {MOTION_FILES[0].lower()}{MOTION_FILES[1:]}",
    )  # fmt: skip
    parser.add_argument("--save", type=Path, metavar="PAGE.html", help="Writes one file to send, and serves nothing.")
    parser.add_argument(
        "--head", default="mesh-ktpformer-s", help="Shipped name, folder or Hub id (default %(default)s)."
    )
    parser.add_argument("--encoder", help="Shipped name, folder or Hub id; left out, the one the head was trained on.")
    parser.add_argument(
        "--frame", choices=("camera", "world"), help="Axes to take of 3DPW, WHAM and GVHMR; left out, the world's."
    )
    parser.add_argument(
        "--host", default="127.0.0.1",
        help="Address to serve at: this machine only, or 0.0.0.0 for all who can reach it (default %(default)s).",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=8080, help="Port, or the next free one (default %(default)s; 0 takes any)."
    )
    add_clip(parser)
    add_computing(parser)


def run(
    files: list[Path], save: Path | None, head: str, encoder: str | None, frame: Axes | None, host: str, port: int,
    layout: str | None, fps: float | None, size: Size | None, device: str, precision: Precision,
) -> None:  # fmt: skip
    """Shows motions side by side in the browser, or writes them as one page."""
    from motionrep.viewing import save_page, view

    shown = viewed_motions(files, head, encoder, frame, layout, fps, size, device, precision)
    if save is not None:
        page = save_page(shown, save)
        print(f"{page}: {len(shown)} motion(s), {page.stat().st_size / 1e6:.1f} MB")
    else:
        view(shown, host, port, opened=lambda url: print(f"{url} (Ctrl-C ends it)", flush=True))
