"""The options that several commands share, and what is said when they are wrong.

Nothing here imports torch before the arguments are right.
"""

import argparse
import logging
import math
import re
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from motionrep.detection.names import DEFAULT_DETECTOR
from motionrep.files.kinds import KINDS, names, suffixes
from motionrep.files.naming import did_you_mean
from motionrep.weights import DEFAULT_GROUND_HEAD, DEFAULT_HEAD

Size = tuple[int, int]
FrameOrder = Literal["number", "file"]
Axes = Literal["camera", "world"]
Up = Literal["x", "y", "z"]
Precision = Literal["float32", "bfloat16"]
MOTION_FILES = f"A motion file ({names('motion')}; {', '.join(suffixes('motion'))})."
SOURCES = f"A video, a folder of pictures, or a keypoint file or folder ({names('keypoints')})."
_BOTH_AXES = "files that have both ({})".format(", ".join(kind.name for kind in KINDS if kind.both_axes))
WEIGHTS = "Shipped name, folder or Hub id"
_RARE = "rare options"
_SAME_RATE = 0.01

logger = logging.getLogger(__name__)


class Parser(argparse.ArgumentParser):
    """A parser of one command.

    It raises instead of leaving the process, so that all bad input ends in the same place. `--help` leaves out the
    options of `rare`, `--help-all` shows them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)
        self._rare: argparse._ArgumentGroup | None = None
        if self.add_help:
            self.add_argument("--help-all", action=_HelpAll, help="show the rare options as well and exit")

    @property
    def rare(self) -> "argparse._ArgumentGroup":
        """The group of the options that only `--help-all` shows."""
        if self._rare is None:
            self._rare = self.add_argument_group(_RARE)
        return self._rare

    def format_help(self) -> str:
        """The help without the rare options."""
        actions = [] if self._rare is None else self._rare._group_actions
        texts = [action.help for action in actions]
        for action in actions:
            action.help = argparse.SUPPRESS
        try:
            return super().format_help()
        finally:
            for action, text in zip(actions, texts, strict=True):
                action.help = text

    def format_whole_help(self) -> str:
        """The help with the rare options, these last."""
        self._action_groups.sort(key=lambda group: group is self._rare)
        return super().format_help()

    def refuse_unknown(self, argument: str) -> NoReturn:
        """Raises ValueError for an argument that the command does not take."""
        if not argument.startswith("-"):
            self.error(f"{argument}: one argument too many")
        name, known = argument.partition("=")[0], self._option_string_actions
        self.error(f"unknown option {name}{did_you_mean(name, known)}")

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}{' See' if message.endswith('?') else '; see'} {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in (known := list(map(str, action.choices))):
            expected = f"expected one of {', '.join(known)}, got {value!r}{did_you_mean(str(value), known)}"
            raise argparse.ArgumentError(action, expected)


class _HelpAll(argparse.Action):
    def __init__(self, option_strings: Any, dest: str, help: str) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        assert isinstance(parser, Parser)
        print(parser.format_whole_help(), end="")
        parser.exit()


def add_keypoints(parser: Parser, **options: Any) -> None:
    """The source of a command: a video or a file of keypoints."""
    parser.add_argument("keypoints", type=Path, metavar="source", help=SOURCES, **options)
    add_clip(parser)


def add_clip(parser: Parser) -> None:
    """The detector of a video, and what many keypoint files do not tell."""
    parser.add_argument(
        "--detector",
        help="Finds the keypoints of a video; blazepose-full is faster and less exact, vitpose and rtmpose need a "
        f"download (default: {DEFAULT_DETECTOR}).",
    )
    group = parser.add_argument_group("what the keypoint file does not tell")
    group.add_argument(
        "--size", type=_size, metavar="WIDTHxHEIGHT",
        help="Size of the video's picture in pixels, as 1920x1080, or the video file itself (default: the file's).",
    )  # fmt: skip
    group.add_argument(
        "--fps", type=rate, help="Frames per second (default: the file's, those of the video given as --size, or 30)."
    )
    parser.rare.add_argument(
        "--frame-order", choices=("number", "file"), default="number",
        help="Whether frames count by their numbers or names, or in the file's order (default: %(default)s).",
    )  # fmt: skip
    parser.rare.add_argument(
        "--all-persons",
        action="store_true",
        help="Keeps people who were seen in few frames and with little confidence.",
    )
    group.add_argument("--layout", help="Joint layout, see motionrep list (default: recognised by the file).")


def add_person(parser: Parser, file: str = "the file", left_out: str = "everybody") -> None:
    parser.add_argument("--person", type=place, help=f"Which person of {file} to take, from 0 (default: {left_out}).")


def add_body(parser: Parser, what: str) -> None:
    parser.add_argument("--body", metavar="NAME", help=f"{what}: open, smpl-neutral, smplh-male, ... or a file.")


def add_video(parser: Parser) -> None:
    parser.add_argument(
        "--video", type=Path, metavar="FILE",
        help="The video in which the keypoints of a keypoint file were found (default: none).",
    )  # fmt: skip


def add_frame(parser: Parser) -> None:
    parser.rare.add_argument(
        "--frame", choices=("camera", "world"), help=f"Axes to take of {_BOTH_AXES} (default: world)."
    )


def add_up(parser: Parser, name: str = "--up") -> None:
    parser.rare.add_argument(
        name, choices=get_args(Up), help="The motion file's axis that points up (default: read from the file)."
    )


def add_heads(parser: Parser, also: str = f" and {DEFAULT_GROUND_HEAD}") -> None:
    parser.add_argument(
        "--head", action="append", dest="heads", metavar="HEAD",
        help=f"{WEIGHTS}; give it again for more heads of the encoder (default: {DEFAULT_HEAD}{also}).",
    )  # fmt: skip
    parser.rare.add_argument("--encoder", help=f"{WEIGHTS} (default: the one the head was trained on).")


def add_run(parser: Parser, what: str = "Its heads and its encoder are") -> None:
    parser.add_argument(
        "--run", type=Path, dest="run_folder", metavar="FOLDER",
        help=f"The --output of motionrep finetune or pretrain. {what} taken unless given as well.",
    )  # fmt: skip


def add_camera(parser: Parser, also: str = "") -> None:
    parser.add_argument(
        "--camera",
        help="A .json of the camera that took the video; `fit` estimates its field of view, `weak` takes one from "
        f"very far away (default: one of 50 degrees).{also}",
    )  # fmt: skip


def add_computing(parser: Parser) -> None:
    add_device(parser)
    add_precision(parser)


def add_device(parser: Parser) -> None:
    parser.add_argument("--device", default="cpu", help="Where to compute: cpu, cuda or cuda:1 (default: %(default)s).")


def add_precision(parser: Parser) -> None:
    parser.rare.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32",
        help="Arithmetic of the encoder (default: %(default)s).",
    )  # fmt: skip


def positive(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def place(text: str) -> int:
    if not re.fullmatch(r"\d+", text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 on, got {text!r}")
    return int(text)


def rate(text: str) -> float:
    """A number above 0, of frames per second or seconds."""
    if not 0 < (value := number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from error


def resolved(options: dict[str, Any]) -> dict[str, Any]:
    """The options with what takes more than reading them: the size of a video, and whether the device is there.

    Raises:
        ValueError: A file that is no video, or a device that cannot compute.
    """
    if isinstance(options.get("size"), Path):
        options["size"], options["fps"] = clip_of_video(options["size"], options.get("fps"))
    if options.get("device", "cpu") != "cpu":
        _require_device(options["device"])
    return options


def clip_of_video(path: Path, fps: float | None) -> tuple[Size, float]:
    """Width and height of a video's upright pictures in pixels, and its frame rate unless another one was given.

    Raises as `open_source_video`.
    """
    from motionrep.rendering.video.reading import open_source_video

    video = open_source_video(path)
    rate = round(video.fps, 3)
    if fps is not None and abs(fps / rate - 1) > _SAME_RATE:
        logger.warning("%s has %g frames per second, but --fps %g was given and is used", path, rate, fps)
    return (video.width_px, video.height_px), fps or rate


def _size(text: str) -> Size | Path:
    if match := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text):
        return int(match[1]), int(match[2])
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(
            f"expected a video file, or WIDTHxHEIGHT in pixels such as 1920x1080, got {text!r}"
        )
    return Path(text)


def _require_device(name: str) -> None:
    if not re.fullmatch(r"[a-z]+(:\d+)?", name):
        raise ValueError(f"--device: expected cpu, cuda or cuda:1, got {name!r}")
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA fails an assertion
        if "device type at start of device string" in str(error):
            raise ValueError(f"--device: expected cpu, cuda or cuda:1, got {name!r}") from error
        raise ValueError(f"--device: cannot compute on {name!r}: {str(error).splitlines()[0]}") from error
