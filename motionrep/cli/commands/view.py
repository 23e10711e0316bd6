"""`motionrep view`."""

from pathlib import Path
from typing import Any

from motionrep.cli.extras import require
from motionrep.cli.inputs import require_suffix
from motionrep.cli.motions import Recovery, viewed_motions
from motionrep.cli.options import (
    MOTION_FILES,
    Axes,
    Parser,
    Up,
    add_camera,
    add_clip,
    add_computing,
    add_frame,
    add_heads,
    add_person,
    add_run,
    add_up,
    add_video,
    place,
)
from motionrep.cli.sources import RESULTS

EXAMPLES = """\
  motionrep view results/dance_0.npz walk.bvh
  motionrep view dance.mp4                                # the video, its keypoints and meshes in step
  motionrep view dance.json --size 1920x1080
  motionrep view results/dance_0.npz --save dance.html    # one file to send
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="file",
        help=f"Videos or keypoints, from which the motion is recovered, or {MOTION_FILES[0].lower()}{MOTION_FILES[1:]}",
    )  # fmt: skip
    parser.add_argument("--save", type=Path, metavar="PAGE.html", help="Writes one file to send, and serves nothing.")
    add_video(parser)
    add_person(parser, "every file")
    add_heads(parser)
    add_run(parser)
    add_camera(parser)
    add_frame(parser)
    add_up(parser)
    parser.rare.add_argument(
        "--host", default="127.0.0.1",
        help="Address to serve at: this machine only, or 0.0.0.0 for all who have the link (default: %(default)s).",
    )  # fmt: skip
    parser.rare.add_argument(
        "--port", type=place, default=8080, help="Port, or the next free one; 0 takes any (default: %(default)s)."
    )
    add_clip(parser)
    add_computing(parser)


def run(
    files: list[Path],
    save: Path | None,
    person: int | None,
    frame: Axes | None,
    up: Up | None,
    host: str,
    port: int,
    **recovery: Any,
) -> None:
    """Shows motions side by side in the browser, or writes them as one page."""
    if save is not None:
        require_suffix(save, "pages", ".html", ".htm")
    require("view", "motionrep view", "viser")
    shown = viewed_motions(files, Recovery(**recovery), person, frame, RESULTS if save is None else save.parent, up)
    from motionrep.viewing import save_page, view

    if save is not None:
        page = save_page(shown, save)
        print(f"{page}: {len(shown)} motion(s), {page.stat().st_size / 1e6:.1f} MB")
    else:
        view(shown, host, port, opened=lambda url: print(f"{url} (Ctrl-C ends it)", flush=True))
