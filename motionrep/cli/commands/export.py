"""`motionrep export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from motionrep.cli.extras import require
from motionrep.cli.options import MOTION_FILES, WEIGHTS, Axes, Parser, Up, add_body, add_frame, add_person, add_up, rate
from motionrep.files.contents import look
from motionrep.files.kinds import require_kind
from motionrep.motion.writers.table import FORMATS, WRITERS
from motionrep.weights import find_shipped

if TYPE_CHECKING:
    from motionrep.types import BodyMotion

EXAMPLES = """\
  motionrep export results/dance_0.npz --output dance.glb
  motionrep export results/dance_0.npz --unit cm --up z --output dance.bvh
  motionrep export results/dance_0.npz --format smplx --output dance_smplx.npz
  motionrep export ktpformer-s --head pose3d-ktpformer-s --output pose3d.onnx
"""
_FRAME_BY_FRAME = ", ".join(suffix for suffix, writer in WRITERS.items() if writer.file_per_frame)


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "sources", metavar="source", nargs="+", help=f"{MOTION_FILES[:-1]}, several share one .glb; or an encoder."
    )
    parser.add_argument(
        "--output", type=Path, required=True,
        help=f"For motion {', '.join(WRITERS)} (.npz is AMASS's; {_FRAME_BY_FRAME}: dance.obj becomes the folder dance "
        "with a file for each frame), for an encoder .onnx or .pt2.",
    )  # fmt: skip
    add_person(parser)
    add_body(parser, "Body for files of SMPL, with their betas where it is theirs (default: open)")
    add_frame(parser)
    parser.add_argument(
        "--head", action="append", dest="heads", metavar="HEAD",
        help=f"With an encoder, a head to put behind it: {WEIGHTS[0].lower()}{WEIGHTS[1:]}; give it again for more "
        "(default: none).",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=tuple(FORMATS),
        help="Of an .npz: the arguments of a model of the package smplx (default: AMASS's).",
    )  # fmt: skip
    parser.add_argument("--unit", choices=("m", "cm"), default="m", help="Unit of length (default: %(default)s).")
    parser.add_argument("--up", choices=("y", "z"), default="y", help="The upward axis (default: %(default)s).")
    add_up(parser, "--source-up")
    parser.add_argument("--fps", type=rate, help="Frames per second of the file (default: the motion's).")


def run(
    sources: list[str], output: Path, person: int | None, frame: Axes | None, unit: Literal["m", "cm"],
    up: Literal["y", "z"], fps: float | None, heads: list[str] | None, format: Literal["smplx"] | None,
    body: str | None, source_up: Up | None,
) -> None:  # fmt: skip
    """Writes motion for other programs (GLB, BVH, OBJ, PLY, AMASS's .npz), or an encoder as ONNX or .pt2."""
    if output.suffix.lower() in (".onnx", ".pt2"):
        options = (
            ("person", person, None), ("frame", frame, None), ("unit", unit, "m"), ("up", up, "y"),
            ("format", format, None), ("body", body, None), ("source-up", source_up, None),
        )  # fmt: skip
        given = [name for name, value, default in (*options, ("fps", fps, None)) if value != default]
        _export_encoder(sources, output, heads or [], given)
        return
    if heads:
        raise ValueError(f"{output}: --head belongs to an encoder, which is exported to .onnx or .pt2")
    if encoders := [name for name in sources if _is_encoder(name)]:
        raise ValueError(f"{encoders[0]}: an encoder, which is exported to .onnx or .pt2, not to {output.name}")
    suffix = output.suffix.lower()
    if suffix not in WRITERS:  # before slow imports
        raise ValueError(f"{output}: unknown kind of file {suffix!r}; motion is exported to {', '.join(WRITERS)}")
    loaded = [motion for name in sources for motion in _load(Path(name), person, frame, fps, body, source_up)]
    from motionrep.motion.exporting import export_motion

    made = export_motion(loaded, output, unit=unit, up=up, fps=fps, format=format, progress=True)
    files = f", {len(list(made.glob(f'*{suffix}')))} files" if made.is_dir() else ""
    print(f"{made}: {len(loaded)} person(s){files}")


def _load(
    path: Path, person: int | None, frame: Axes | None, fps: float | None, body: str | None, up: Up | None
) -> "list[BodyMotion]":
    """One person, or all persons of a file who can be shown together."""
    contents = look(path)
    kind = require_kind(contents, "motion")
    if kind.takes_fps and fps is not None:
        raise ValueError(f"{path}: --fps is the frame rate of the export here; convert it first with --fps")
    from motionrep.motion.loading import one_motion, read_motions
    from motionrep.motion.records import MotionOptions

    motions = read_motions(contents, MotionOptions(body or "open", frame=frame, up=up))
    if person is not None:
        return [one_motion(motions, person, path)]
    if len(motions) > 1 and motions[0].frame == "world" and kind.own_worlds:
        raise ValueError(
            f"{path}: holds {len(motions)} persons, each in a world and time of its own, so where they are to each "
            "other is not known; choose one with --person, or take --frame camera"
        )
    return motions


def _export_encoder(names: list[str], output: Path, heads: list[str], motion_options: list[str]) -> None:
    if motion_options:
        raise ValueError(f"{output}: holds an encoder, and --{motion_options[0]} is for motion; leave it out")
    if len(names) > 1:
        raise ValueError(f"{output}: holds one encoder, got {len(names)}")
    if output.suffix.lower() == ".onnx":
        require("export", "ONNX", "onnx", "onnxscript")
    import motionrep
    from motionrep.deployment.network_export import export_encoder
    from motionrep.pipeline.networks import endings

    network = motionrep.load_encoder(names[0])
    titles = endings(dict.fromkeys(heads)) if heads else {}
    trained = {titles[head].strip("_"): motionrep.load_head(head) for head in heads}
    export_encoder(network, output, trained, progress=True)
    behind = f" with {' and '.join(heads)}" if heads else ""
    print(f"{output}: {network.name}{behind}, {output.stat().st_size / 1e6:.1f} MB")


def _is_encoder(name: str) -> bool:
    return find_shipped("encoder", name) is not None or (Path(name) / "model.safetensors").is_file()
