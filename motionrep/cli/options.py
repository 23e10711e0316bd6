"""The options that several commands share, and what is said when they are wrong."""

import argparse
import re
from pathlib import Path
from typing import Literal, NoReturn

import torch

from motionrep.files.kinds import names, suffixes

Size = tuple[int, int]
Axes = Literal["camera", "world"]
Precision = Literal["float32", "bfloat16"]
MOTION_FILES = f"A motion file ({names('motion')}; {', '.join(suffixes('motion'))})."


class Parser(argparse.ArgumentParser):
    """Raises instead of leaving the process, so that all bad input ends in the same place."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see {self.prog} --help")


def add_keypoints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "keypoints", type=Path,
        help=f"A keypoint file or folder ({names('keypoints')}).",
    )  # fmt: skip
    add_clip(parser)


def add_clip(parser: argparse.ArgumentParser) -> None:
    """What many keypoint files do not tell."""
    group = parser.add_argument_group("what the keypoint file does not tell")
    group.add_argument(
        "--size", type=_size, metavar="WIDTHxHEIGHT",
        help="Size of the video's picture in pixels, as 1920x1080, or the video file itself.",
    )  # fmt: skip
    group.add_argument("--fps", type=float, help="Frames per second of the video; left out, the file's or 30.")
    group.add_argument("--layout", help="Joint layout, see motionrep list; left out, recognised by the file.")


def add_choice(parser: argparse.ArgumentParser, more: str = "") -> None:
    """What to take from files of several persons, and in whose axes."""
    parser.add_argument("--person", type=int, help=f"Which person of the motion file {more}to take, from 0.")
    parser.add_argument(
        "--frame", choices=("camera", "world"), help="Axes to take of 3DPW, WHAM and GVHMR; left out, the world's."
    )


def add_computing(parser: argparse.ArgumentParser) -> None:
    add_device(parser)
    add_precision(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", type=_device, default="cpu", help="cpu, cuda or cuda:1 (default %(default)s).")


def add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32",
        help="Arithmetic of the encoder (default %(default)s).",
    )  # fmt: skip


def positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    if match := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text):
        return int(match[1]), int(match[2])
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(
            f"expected a video file, or WIDTHxHEIGHT in pixels such as 1920x1080, got {text!r}"
        )
    try:
        return size_of_video(Path(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def size_of_video(path: Path) -> Size:
    """Width and height of its upright pictures in pixels. Raises as `open_source_video`."""
    from motionrep.rendering.video.reading import open_source_video

    video = open_source_video(path)
    return video.width_px, video.height_px


def _device(name: str) -> str:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA fails an assertion
        raise argparse.ArgumentTypeError(f"cannot compute on {name!r}: {str(error).splitlines()[0]}") from error
    return name
