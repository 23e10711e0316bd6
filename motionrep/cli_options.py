"""The options of the command line: what can be typed, and what is said when it is wrong."""

import argparse
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import torch

from motionrep.configuration import FinetuneConfig

_MOTION_FILES = "A .npz of motionrep or AMASS, a .bvh file, a .pkl of 3DPW or WHAM, or a .pt of GVHMR."


def command_parser(descriptions: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser of all commands but finetune, which is only listed; raises ValueError for what it cannot accept.

    Args:
        descriptions: A sentence for each command.
    """
    parser = _Parser(
        prog="motionrep",
        description="2D human keypoints in; embeddings, 3D poses, body meshes, actions and videos out.",
        epilog="motionrep COMMAND --help explains a command. --traceback shows where an error came from.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"motionrep {version('motionrep')}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    commands: dict[str, argparse.ArgumentParser] = {}
    for name, text in descriptions.items():
        commands[name] = subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)

    demo = commands["demo"]
    demo.add_argument(
        "--output", type=Path, default=Path("outputs/demo"), help="Folder for the files made (default %(default)s)."
    )
    demo.add_argument("--clips", type=int, default=8, help="How many of the example motions (default %(default)s).")
    demo.add_argument("--seed", type=int, default=0, help="Decides people, cameras, detections (default %(default)s).")

    embed = commands["embed"]
    _add_keypoints(embed)
    embed.add_argument("--output", type=Path, required=True, help="The .parquet file to write.")
    embed.add_argument(
        "--encoder", default="ktpformer-s",
        help="A shipped encoder, a folder, a published checkpoint, or a Hugging Face Hub id (default %(default)s).",
    )  # fmt: skip
    embed.add_argument(
        "--level", choices=("clip", "frame", "joint"), default="frame",
        help="What gets a row of the table (default %(default)s).",
    )  # fmt: skip
    embed.add_argument("--flip", action="store_true", help="Averages with the embedding of the mirrored clip.")
    _add_computing(embed)

    predict = commands["predict"]
    _add_keypoints(predict)
    predict.add_argument(
        "--output", type=Path, required=True, help="Folder for one .npz (3D pose, mesh) or .json (action) per person."
    )
    predict.add_argument("--head", default="mesh-ktpformer-s", help="A shipped head or a folder (default %(default)s).")
    predict.add_argument("--encoder", help="A shipped encoder or a folder; left out, the one the head was trained on.")
    predict.add_argument("--video", action="store_true", help="Renders an .mp4 beside each .npz.")
    _add_computing(predict)

    render = commands["render"]
    render.add_argument("motion", type=Path, help=_MOTION_FILES)
    render.add_argument("--output", type=Path, required=True, help="An .mp4 or .gif file, or a folder for pictures.")
    render.add_argument("--keypoints", type=Path, help="The keypoint file the motion came from, to show beside it.")
    _add_choice(render, "or of the keypoint file ")
    render.add_argument(
        "--views", nargs="+", choices=("camera", "side"), default=["camera", "side"], help="Left out, both."
    )
    render.add_argument("--height", type=int, default=480, help="Height of a view in pixels (default %(default)s).")
    render.add_argument(
        "--supersample", type=int, default=2,
        help="Samples per pixel along each side; 1 is fast and jagged, 2 is smooth (default %(default)s).",
    )  # fmt: skip
    _add_clip(render)
    _add_device(render)

    convert = commands["convert"]
    convert.add_argument("source", type=Path, help="A keypoint file or folder, or a motion file.")
    convert.add_argument("--output", type=Path, required=True, help="The .npz, or for keypoints .json, to write.")
    convert.add_argument("--body", help="The body that shall make the motion, by name or a SMPL file.")
    _add_choice(convert)
    convert.add_argument("--skeleton", type=Path, help="A .json with the names of a .bvh file's joints.")
    _add_clip(convert)

    fit = commands["fit"]
    fit.add_argument("joints", type=Path, help="A .npz of motionrep, a .npy or .npz array, or a .trc file.")
    fit.add_argument("--output", type=Path, required=True, help="The .npz to write, which render and export read.")
    fit.add_argument("--body", default="open", help="A body by name or a SMPL file (default %(default)s).")
    fit.add_argument("--betas", type=float, nargs="+", metavar="BETA", help="The body's shape, if it is known.")
    group = fit.add_argument_group("what an array does not tell")
    group.add_argument("--layout", help="Joint layout, see motionrep list; left out, by the number or names of joints.")
    group.add_argument("--fps", type=float, help="Frames per second; left out, the file's or 30.")
    group.add_argument("--unit", choices=("m", "cm", "mm"), help="Unit of length; left out, the file's or m.")
    group.add_argument(
        "--axes", choices=("y-up", "z-up", "camera", "root"),
        help="A world by its upward axis; camera: x right, y down, z forward; root: the same around the pelvis "
        "(left out, y-up).",
    )  # fmt: skip

    export = commands["export"]
    export.add_argument(
        "motions", metavar="source", nargs="+", type=Path,
        help=f"{_MOTION_FILES[:-1]}, several share one .glb; or an encoder.",
    )  # fmt: skip
    export.add_argument(
        "--output", type=Path, required=True,
        help="A .glb, .bvh, AMASS .npz, or .obj or .ply of which there will be one for each frame; for an encoder an "
        ".onnx or .pt2.",
    )  # fmt: skip
    _add_choice(export)
    export.add_argument("--head", help="With an encoder: the head to put behind it, a shipped one or a folder.")
    export.add_argument("--unit", choices=("m", "cm"), default="m", help="Unit of length (default %(default)s).")
    export.add_argument("--up", choices=("y", "z"), default="y", help="The upward axis (default %(default)s).")
    export.add_argument("--fps", type=float, help="Frames per second of the file; left out, the motion's.")

    evaluate = commands["evaluate"]
    evaluate.add_argument(
        "--data", type=Path, required=True, help="Folder with an index.csv, or of .bvh and .npz motion files."
    )
    evaluate.add_argument(
        "--encoder", default="ktpformer-s", help="A shipped encoder or a folder (default %(default)s)."
    )
    evaluate.add_argument(
        "--head", default="mesh-ktpformer-s", help="A shipped head or a folder (default %(default)s)."
    )
    evaluate.add_argument("--output", type=Path, help="A JSON file to write the result to as well.")
    evaluate.add_argument(
        "--split", choices=("train", "val"), default="val", help="Which part of the data (default %(default)s)."
    )
    evaluate.add_argument(
        "--layout", default="h36m_17",
        help="What the simulated detector reports: h36m_17, coco_17 or halpe_26 (default %(default)s).",
    )  # fmt: skip
    evaluate.add_argument(
        "--views",
        type=_positive,
        default=4,
        help="Random cameras, bodies, detections per window (default %(default)s).",
    )
    evaluate.add_argument("--seed", type=int, default=1000, help="Decides what is random (default %(default)s).")
    _add_precision(evaluate)
    return parser


def parse_finetune(arguments: Sequence[str]) -> tuple[FinetuneConfig, Path, Path, bool]:
    """Settings, data folder, run folder, and whether to resume. Raises ValueError for what it cannot accept."""
    import jsonargparse

    parser = jsonargparse.ArgumentParser(
        prog="motionrep finetune",
        description="Trains a head, and the encoder with it, on motion files. The settings, from --head on, may stand "
        "in a YAML file, on the command line, or both.",
        exit_on_error=False,
        print_config=None,
    )
    parser.add_argument("--config", action="config", help="YAML file of settings; options after it win over it.")
    parser.add_argument("--data", required=True, help="Folder with an index.csv, or of .bvh and .npz motion files.")
    parser.add_argument("--output", required=True, help="The run folder.")
    parser.add_argument("--resume", action="store_true", help="Goes on with the run in --output.")
    parser.add_class_arguments(FinetuneConfig, as_group=False)
    try:
        options = parser.parse_args(list(arguments)).as_dict()
    except jsonargparse.ArgumentError as error:
        raise ValueError(_setting_error(str(error), arguments)) from error
    del options["config"]
    data, output, resume = (options.pop(name) for name in ("data", "output", "resume"))
    return FinetuneConfig(**options), Path(data), Path(output), resume


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the process, so that all bad input ends in the same place."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see {self.prog} --help")


def _add_keypoints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "keypoints", type=Path,
        help="A file or folder of AlphaPose, OpenPose, COCO, MMPose, MediaPipe or motionrep.",
    )  # fmt: skip
    _add_clip(parser)


def _add_clip(parser: argparse.ArgumentParser) -> None:
    """What many keypoint files do not tell."""
    group = parser.add_argument_group("what the keypoint file does not tell")
    group.add_argument(
        "--size", type=_size, metavar="WIDTHxHEIGHT", help="Size of the video's picture in pixels, as 1920x1080."
    )
    group.add_argument("--fps", type=float, help="Frames per second of the video; left out, the file's or 30.")
    group.add_argument("--layout", help="Joint layout, see motionrep list; left out, recognised by the file.")


def _add_choice(parser: argparse.ArgumentParser, more: str = "") -> None:
    """What to take from files of several persons, and in whose axes."""
    parser.add_argument("--person", type=int, help=f"Which person of the motion file {more}to take, from 0.")
    parser.add_argument(
        "--frame", choices=("camera", "world"), help="Axes to take of 3DPW, WHAM and GVHMR; left out, the world's."
    )


def _add_computing(parser: argparse.ArgumentParser) -> None:
    _add_device(parser)
    _add_precision(parser)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", type=_device, default="cpu", help="cpu, cuda or cuda:1 (default %(default)s).")


def _add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32",
        help="Arithmetic of the encoder (default %(default)s).",
    )  # fmt: skip


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT in pixels such as 1920x1080, got {text!r}")
    return int(match[1]), int(match[2])


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return int(text)


def _device(name: str) -> str:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA fails an assertion
        raise argparse.ArgumentTypeError(f"cannot compute on {name!r}: {str(error).splitlines()[0]}") from error
    return name


def _setting_error(message: str, arguments: Sequence[str]) -> str:
    """jsonargparse's message in a sentence: the file, the setting, what it expects, what it got."""
    source = _Parser(add_help=False, allow_abbrev=False)
    source.add_argument("--config", nargs="?")
    config = source.parse_known_args(arguments)[0].config
    types = {field.name: field.type for field in fields(FinetuneConfig)}
    if unknown := re.match(r"Option '(.+?)' is not accepted", message):
        near = difflib.get_close_matches(unknown[1], types, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(types)}"
        return f"{config}: unknown setting {unknown[1]!r}; {hint}"
    if unknown := re.match(r"unrecognized arguments: (--\S+)", message):
        near = difflib.get_close_matches(unknown[1], [f"--{name}" for name in types], 1)
        message += f"; did you mean {near[0]}?" if near else ""
    if wrong := re.match(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)', message, re.DOTALL):
        kind: Any = types.get(wrong[1], str)
        expected = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
        return f"setting {wrong[1]!r}: expected {expected}, got {wrong[2]!r}"
    if message.startswith(("Problems parsing config", "Unexpected config")):
        return f"{config}: not a YAML file of settings such as 'epochs: 20'; {message}"
    return re.sub(r'Parser key "(\w+)":', r"--\1:", message) + "; see motionrep finetune --help"
