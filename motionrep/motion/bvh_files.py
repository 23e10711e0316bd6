"""Parses BVH motion capture files: the skeleton and its motion, as the file has them."""

import logging
import math
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.limits import require_within
from motionrep.files.reading import read_bytes

logger = logging.getLogger(__name__)

_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}
_SPELT = {channel.lower(): channel for channel in _CHANNELS}


@dataclass(frozen=True)
class BvhMotion:
    """Skeleton and motion in the file's own axes and unit of length.

    Parents stand before their children; the root's parent is -1. An End Site has no name in the file and is called
    "<parent> end" here, further ones of the same parent "<parent> end 2", "<parent> end 3" ... `offset` is the rest
    pose: with all rotations zero, a joint lies at its parent plus its offset.
    `local_position` is the offset, except where position channels replace it (the root; in some files every joint).
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offset: Float[Tensor, "joints 3"]
    local_position: Float[Tensor, "frames joints 3"]
    local_rotmat: Float[Tensor, "frames joints 3 3"]
    fps: float

    def __post_init__(self) -> None:
        frames, joints = self.local_position.shape[0], len(self.joints)
        if not len(self.parents) == joints == self.offset.shape[0]:
            raise ValueError(f"BvhMotion: {joints} joints, {len(self.parents)} parents, {self.offset.shape[0]} offsets")
        if self.local_position.shape != (frames, joints, 3) or self.local_rotmat.shape != (frames, joints, 3, 3):
            raise ValueError(
                f"BvhMotion: positions {tuple(self.local_position.shape)} and rotations "
                f"{tuple(self.local_rotmat.shape)} do not fit {joints} joints"
            )

    def zero_offset(self) -> Float[Tensor, "joints 3"]:
        """The offsets; a joint whose offset is zero but which position channels move lies at its median position."""
        own = self.local_position.median(0).values
        unsaid = ~self.offset.any(-1) & (torch.tensor(self.parents) >= 0)
        return torch.where(unsaid[:, None], own, self.offset)


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] | None = None
    channels: list[str] = field(default_factory=list)


def read_bvh(path: Path) -> BvhMotion:
    """Reads a BVH file.

    Channels listed A B C mean R = R_A R_B R_C on column vectors, in degrees, per joint as its CHANNELS line says.
    Keywords and channels may be in capitals or small letters, line ends may be mixed, and a byte-order mark may come
    first. One frame more than announced is read, with a warning: Rokoko Studio writes such files. A frame time that is
    1/n, rounded to as many decimals as the file has, gives fps = n.

    Raises:
        ValueError: The file breaks the format, was cut off, or holds a number that is not finite; names file and line.
    """
    lines = read_bytes(path).decode("utf-8-sig", "replace").splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if start is None:
        raise ValueError(f"{path}: no MOTION line; this is no BVH file or it was cut off")
    joints = _read_hierarchy(path, lines[:start])
    frame_count, fps, first = _read_motion_header(path, lines, start)
    values = _read_values(path, lines, first, frame_count, sum(len(joint.channels) for joint in joints))
    position, rotmat = _pose(joints, values)
    return BvhMotion(
        tuple(joint.name for joint in joints),
        tuple(joint.parent for joint in joints),
        torch.tensor([joint.offset for joint in joints]),
        position,
        rotmat,
        fps,
    )


def _read_hierarchy(path: Path, lines: list[str]) -> list[_Joint]:
    joints: list[_Joint] = []
    open_joints: list[int] = []
    named: _Joint | None = None  # read, but its "{" is still to come
    for number, line in enumerate(lines, 1):
        where = f"{path}, line {number}"
        words = line.replace("{", " { ").replace("}", " } ").split()
        while words:
            word = words.pop(0)
            keyword = word.upper()
            if keyword in ("ROOT", "JOINT", "END"):
                parent = open_joints[-1] if open_joints else -1
                if (keyword == "ROOT") != (parent < 0) or (keyword == "ROOT" and joints):
                    raise ValueError(f"{where}: {word} where {'a ROOT' if parent < 0 else 'a JOINT'} was expected")
                name = " ".join(words[: words.index("{")] if "{" in words else words)
                words = words[words.index("{") :] if "{" in words else []
                named = _Joint(_end_name(joints, parent) if keyword == "END" else name, parent)
                if not named.name or any(named.name == joint.name for joint in joints):
                    raise ValueError(f"{where}: joint names must be there and differ, got {named.name!r}")
            elif word == "{" and named is not None:
                require_within(path, "joints", len(joints) + 1)
                open_joints.append(len(joints))
                joints.append(named)
                named = None
            elif word == "}" and open_joints:
                if joints[open_joints[-1]].offset is None:
                    raise ValueError(f"{where}: joint {joints[open_joints[-1]].name!r} has no OFFSET")
                open_joints.pop()
            elif keyword == "OFFSET" and open_joints:
                joints[open_joints[-1]].offset = _numbers(where, word, words, 3)
                words = []
            elif keyword == "CHANNELS" and open_joints:
                joints[open_joints[-1]].channels = _channels(where, words)
                words = []
            elif keyword != "HIERARCHY":
                raise ValueError(f"{where}: {word!r} was not expected here")
    if open_joints or not joints:
        raise ValueError(f"{path}, line {len(lines) + 1}: MOTION comes before the HIERARCHY is complete")
    return joints


def _end_name(joints: list[_Joint], parent: int) -> str:
    taken = {joint.name for joint in joints}
    name, number = f"{joints[parent].name} end", 1
    while name in taken:
        number += 1
        name = f"{joints[parent].name} end {number}"
    return name


def _channels(where: str, words: list[str]) -> list[str]:
    channels = words[1:]
    if not words or not words[0].isdigit() or int(words[0]) != len(channels):
        raise ValueError(f"{where}: CHANNELS announces {words[0] if words else 'nothing'} but names {len(channels)}")
    if unknown := [channel for channel in channels if channel.lower() not in _SPELT]:
        raise ValueError(f"{where}: unknown channel {unknown[0]!r} (known: {', '.join(sorted(_CHANNELS))})")
    return [_SPELT[channel.lower()] for channel in channels]


def _numbers(where: str, what: str, words: list[str], count: int) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{where}: {what} needs {count} finite number(s), got {' '.join(words)!r}")
    return numbers


def _read_motion_header(path: Path, lines: list[str], start: int) -> tuple[int, float, int]:
    """Frame count, frames per second, index of the first line of numbers."""
    found: dict[str, float] = {}
    written: dict[str, str] = {}
    for index in range(start + 1, len(lines)):
        if lines[index].strip():
            name, _, rest = lines[index].partition(":")
            name, words = name.strip(), rest.split()
            found[name.lower()] = _numbers(f"{path}, line {index + 1}", name, words, 1)[0]
            written[name.lower()] = words[0]
        if {"frames", "frame time"} <= found.keys():
            break
    else:
        raise ValueError(f"{path}, line {len(lines)}: 'Frames:' and 'Frame Time:' must follow MOTION; was it cut off?")
    if found["frame time"] <= 0 or found["frames"] < 1 or found["frames"] % 1:
        raise ValueError(f"{path}, line {index + 1}: Frames and Frame Time must be positive, got {found}")
    return int(found["frames"]), _fps(Decimal(written["frame time"])), index + 1


def _fps(frame_time_s: Decimal) -> float:
    """The nearest whole number whose inverse is the frame time as far as it is written out, or just its inverse."""
    fps = 1 / float(frame_time_s)
    half_a_digit_s = Decimal((0, (5,), int(frame_time_s.as_tuple().exponent) - 1))
    for whole in sorted({math.floor(fps), math.ceil(fps)} - {0}, key=lambda whole: abs(whole - fps)):
        # some writers give more digits than they got right
        if abs(1 / Decimal(whole) - frame_time_s) <= half_a_digit_s or abs(fps - whole) < 1e-4 * fps:
            return float(whole)
    return fps


def _read_values(path: Path, lines: list[str], first: int, frame_count: int, channel_count: int) -> np.ndarray:
    numbered = [(number, line) for number, line in enumerate(lines[first:], first + 1) if line.strip()]
    if len(numbered) == frame_count + 1:
        logger.warning("%s: holds %d frames, 'Frames:' announces %d; all are read", path, frame_count + 1, frame_count)
        frame_count += 1
    if len(numbered) != frame_count:
        raise ValueError(
            f"{path}, line {len(lines)}: {len(numbered)} frames in the file, 'Frames:' announces {frame_count}; "
            "the file was cut off or joined, get it again or correct the number"
        )
    try:
        values = np.loadtxt([line for _, line in numbered], dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        values = np.empty((0, 0))
    if values.shape != (frame_count, channel_count) or not np.isfinite(values).all():
        for number, line in numbered:
            _numbers(f"{path}, line {number}", "a frame of this skeleton", line.split(), channel_count)
    return values


def _pose(
    joints: list[_Joint], values: np.ndarray
) -> tuple[Float[Tensor, "frames joints 3"], Float[Tensor, "frames joints 3 3"]]:
    """Local positions and rotations; joints with the same order of rotation channels are turned together."""
    position = torch.tensor([joint.offset for joint in joints]).repeat(len(values), 1, 1)
    rotmat = torch.eye(3).repeat(len(values), len(joints), 1, 1)
    columns_of_order: dict[str, list[tuple[int, list[int]]]] = {}
    column = 0
    for index, joint in enumerate(joints):
        rotation_columns, order = [], ""
        for channel in joint.channels:
            if channel.endswith("rotation"):
                rotation_columns.append(column)
                order += channel[0]
            else:
                position[:, index, "XYZ".index(channel[0])] = torch.from_numpy(values[:, column]).float()
            column += 1
        if order:
            columns_of_order.setdefault(order, []).append((index, rotation_columns))
    for order, found in columns_of_order.items():
        angle_deg = torch.from_numpy(values[:, [columns for _, columns in found]])
        turned = roma.euler_to_rotmat(order, angle_deg, degrees=True)  # upper case: about the turned axes, R_A R_B R_C
        rotmat[:, [index for index, _ in found]] = turned.float()
    return position, rotmat
