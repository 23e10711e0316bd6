"""Reads folders of motion files as data sets: the CMU clips with their index, or any motion files."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.datasets.carried_over import motions_on
from motionrep.files.kinds import kind_of, suffixes
from motionrep.files.texts import read_index
from motionrep.files.writing import visible_files
from motionrep.geometry.rotations import mirror_rotmat
from motionrep.motion.bvh_files import BvhMotion, read_bvh
from motionrep.motion.floor import level_floor, put_on_floor
from motionrep.motion.readers.bvh import motion_from_bvh
from motionrep.types import BodyMotion

logger = logging.getLogger(__name__)

_COLUMNS = ("clip_id", "subject", "path", "action", "split", "core", "first_frame", "bad_ranges")
# A joint jumps where the second difference of its position is larger: 8 cm at 120 frames per second.
_POP_M_PER_S2 = 0.08 * 120**2
# Files of the CMU conversion, 01_01 and 14_23, in which the left elbow bends backwards throughout: sha256 of their
# content with \n as line ends, since version control may change those.
_REVERSED_LEFT_ELBOW = (
    "b3547d22351671f740fd535ee2448cc07ae0fe539452ec2ecc4f0bc7116e780b",
    "7582ec04ddd399c3ea02a819d4029c19147a9e0b678edfc5cb76ecd3c85be9d9",
)
_ANYTHING = (".txt", ".json", ".npy")  # a README.txt is no motion that cannot be read
# Actions in which feet are off the floor for long, so that a slope fitted to them would not be the floor's.
_NO_SLOPE = ("climb_steps", "climb_ladder", "playground", "sit_stand", "jump")


@dataclass(frozen=True)
class MotionClip:
    """A motion of a data set with what is known about it.

    Attributes:
        usable: False where tracking failed and where a joint jumps.
        action: Class; None when unknown.
        split: "train" or "val"; None when unknown.
        core: Whether the clip belongs to the classes of a closed-set test.
        subject: Who was recorded; "" when unknown.
        moved_mm: Error of a motion that was made for another body (`carried_over.motions_on`); None for others.
    """

    name: str
    motion: BodyMotion
    usable: Bool[Tensor, " frames"]
    action: str | None
    split: str | None
    core: bool
    subject: str
    moved_mm: float | None = None


def load_motion_folder(
    folder: Path, split: str | None = None, strict: bool = False, body_model: str = "open"
) -> list[MotionClip]:
    """The motion clips of a folder on a body, at their own frame rate.

    With an `index.csv`, as the CMU clips have one, these are the persons of its files, in the order of its rows. A clip
    starts at `first_frame`, after an artificial T-pose; frames are counted from 0, the person's first. Frames in
    `bad_ranges` and frames where a joint jumps stay, but are not usable. The floor of a .bvh is levelled and put at
    y = 0, and CMU's two files with a reversed left elbow are repaired. Other files are as `load_motions` gives them.

    Motions that were made for another body are carried over once, with their error told, and kept in the user's cache
    (`datasets.carried_over`).

    Without an index, these are the persons of every .bvh, .npz, .pkl, .pt and motion in text below the folder that
    `load_motions` reads, sorted, except AMASS's shape.npz and *_stagei.npz. One file in eight is "val", by a hash of
    its path, and of two files or more at least one. Files that cannot be read are left out, with one warning that names
    them.

    Args:
        split: Only clips of this split, "train" or "val"; all when None.
        body_model: What `load_body_model` takes.
        strict: Refuses a folder without an index if one of its files cannot be read. An index always does.

    Raises:
        FileNotFoundError: No such folder, no motion file in it, or a file of the index is missing.
        ValueError: The index or a file of it is broken, no file can be read, the split is unknown, or it has no clip.
    """
    if split not in (None, "train", "val"):
        raise ValueError(f"split must be 'train', 'val' or None, got {split!r}")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    body = load_body_model(body_model)
    index = folder / "index.csv"
    if index.is_file():
        rows = [row for row in _read_index(index) if split in (None, row["split"])]
        clips = [clip for row in rows for clip in _indexed_clips(folder, row, body)]
    else:
        splits = _hashed_splits(_motion_files(folder))
        chosen = {name: own for name, own in splits.items() if split in (None, own)}
        clips = _readable_clips(folder, chosen, body, strict)
    if not clips:
        raise ValueError(
            f"{folder}: no clip of split {split!r}; an index.csv with a column `split` says which are (README), or "
            "choose the other split"
        )
    return clips


def require_body(clips: Sequence[MotionClip], body: BodyModel) -> None:
    """Raises ValueError for a clip of another body."""
    other = next((clip for clip in clips if clip.motion.body_model != body.name), None)
    if other is not None:
        raise ValueError(
            f"clip {other.name}: a motion of body {other.motion.body_model!r}, and clips of body {body.name!r} are "
            f"made; load the folder with body_model={body.name!r}"
        )


def _readable_clips(folder: Path, splits: Mapping[str, str], body: BodyModel, strict: bool) -> list[MotionClip]:
    """The clips of the files; unless `strict`, files that cannot be read are warned of and left out."""
    clips: list[MotionClip] = []
    faults: list[str] = []
    for name, split in splits.items():
        try:
            clips += _plain_clips(folder, name, split, body)
        except ValueError as error:
            if strict:
                raise
            faults.append(str(error))
    if faults and not clips:
        raise ValueError(f"{folder}: none of {len(splits)} motion files can be read: {'; '.join(faults)}")
    if faults:
        logger.warning(
            "%s: %d of %d files cannot be read and are left out (--strict refuses): %s",
            folder, len(faults), len(splits), "; ".join(faults),
        )  # fmt: skip
    return clips


def _read_index(path: Path) -> list[dict[str, str]]:
    columns, rows = read_index(path)
    if lacking := [column for column in _COLUMNS if column not in columns]:
        raise ValueError(f"{path}: lacks the column(s) {', '.join(lacking)}")
    for number, row in enumerate(rows, 2):
        if fault := _fault(row):
            raise ValueError(f"{path}, row {number}: {fault}")
    return rows


def _fault(row: dict[str, str]) -> str | None:
    """What is wrong with a row of the index, if anything is."""
    if None in row.values():
        return "incomplete, it has fewer fields than the first line has columns"
    if None in row:
        return "it has more fields than the first line has columns; put text with commas into quotation marks"
    if row["core"] not in ("0", "1", ""):
        return f"core is 1 or 0, got {row['core']!r}"
    if row["split"] not in ("train", "val"):
        return f"split is train or val, got {row['split']!r}"
    if not row["first_frame"].isdecimal():
        return f"first_frame is the number of a frame from 0, got {row['first_frame']!r}"
    return None


def _indexed_clips(folder: Path, row: dict[str, str], body: BodyModel) -> list[MotionClip]:
    """A clip for each person of a file; names end in "#1", "#2", ... from the second person on."""
    path = folder / row["path"]
    if not path.is_file():
        raise FileNotFoundError(f"{path}: listed in index.csv but not there")
    is_bvh = path.suffix.lower() == ".bvh"
    clips = []
    found = [(_bvh_motion(path, body), None)] if is_bvh else _clip_motions(path, body)
    for person, (whole, moved_mm) in enumerate(found):
        try:
            motion, good = _from_first_frame(whole, int(row["first_frame"]), row["bad_ranges"])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if is_bvh:
            motion = motion if row["action"] in _NO_SLOPE else level_floor(motion, body)
            motion = put_on_floor(motion, body, good)
        name = f"{row['clip_id']}#{person}" if person else row["clip_id"]
        usable, core = good & ~_popping(motion, body), row["core"] == "1"
        labels = row["action"], row["split"], core, row["subject"]
        clips.append(MotionClip(name, motion, usable, *labels, moved_mm))
    return clips


def _bvh_motion(path: Path, body: BodyModel) -> BodyMotion:
    bvh = read_repaired(path)
    try:
        return motion_from_bvh(bvh, body)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_first_frame(whole: BodyMotion, first: int, bad_ranges: str) -> tuple[BodyMotion, Bool[Tensor, " frames"]]:
    """The motion from that frame on, and which of its frames are outside the bad ranges, which count from frame 0."""
    if first >= whole.frame_count:
        raise ValueError(f"first_frame is {first}, the file has {whole.frame_count} frames")
    good = _outside(bad_ranges, whole.frame_count)[first:]
    return whole.cut(first), good


def _plain_clips(folder: Path, name: str, split: str, body: BodyModel) -> list[MotionClip]:
    """A clip for each person of a file; names end in "#1", "#2", ... from the second person on."""
    clips = []
    for person, (motion, moved_mm) in enumerate(_clip_motions(folder / name, body)):
        usable, called = ~_popping(motion, body), f"{name}#{person}" if person else name
        clips.append(MotionClip(called, motion, usable, None, split, False, "", moved_mm))
    return clips


def _clip_motions(path: Path, body: BodyModel) -> list[tuple[BodyMotion, float | None]]:
    """The motions of a file on the body, as `motions_on` gives them.

    Raises:
        ValueError: One is not in world axes.
    """
    found = motions_on(path, body)
    for motion, _ in found:
        if motion.frame != "world":
            raise ValueError(
                f"{path}: a motion of body {motion.body_model!r} in {motion.frame} axes; clips to train with are in "
                "world axes, as .bvh and AMASS files give"
            )
    return found


def _motion_files(folder: Path) -> list[str]:
    paths = [path for path in visible_files(folder) if path.suffix.lower() in suffixes("motion")]
    paths = [path for path in paths if path.suffix.lower() not in _ANYTHING or kind_of(path).holds == "motion"]
    names = [
        path.relative_to(folder).as_posix()
        for path in paths
        if path.name != "shape.npz" and not path.name.endswith("_stagei.npz")
    ]
    if not names:
        raise FileNotFoundError(f"{folder}: no index.csv and no motion file ({', '.join(suffixes('motion'))}) below it")
    return names


def _hashed_splits(names: Sequence[str]) -> dict[str, str]:
    """Which split each file is in: one in eight validates, and at least one where there are two or more."""
    hashes = {name: hashlib.sha256(name.encode()).digest() for name in names}
    splits = {name: "val" if own[0] % 8 == 0 else "train" for name, own in hashes.items()}
    if len(names) > 1:
        for split in {"train", "val"} - set(splits.values()):
            splits[min(names, key=hashes.__getitem__)] = split
    return splits


def _outside(bad_ranges: str, frame_count: int) -> Bool[Tensor, " frames"]:
    """False in ranges such as "3-7;20-22", which include their first and last frame."""
    good = torch.ones(frame_count, dtype=torch.bool)
    for item in filter(None, map(str.strip, bad_ranges.split(";"))):
        first, _, last = map(str.strip, item.partition("-"))
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < frame_count):
            raise ValueError(f"bad_ranges of index.csv: {item!r} is no range within {frame_count} frames")
        good[int(first) : int(last) + 1] = False
    return good


def _popping(motion: BodyMotion, body: BodyModel) -> Bool[Tensor, " frames"]:
    """Frames at which a joint jumps: both frames at a jump, all three around a spike of a single frame."""
    popping = torch.zeros(motion.frame_count, dtype=torch.bool)
    if motion.frame_count >= 3:
        position_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)
        second_difference_m = position_m.diff(n=2, dim=0).norm(dim=-1).amax(-1)
        popping[1:-1] = second_difference_m * motion.fps**2 > _POP_M_PER_S2
    return popping


def read_repaired(path: Path) -> BvhMotion:
    """A BVH file; the left elbow is repaired in CMU's two files in which it bends backwards.

    The repair negates the z and y rotation of the left forearm: the rotation as seen in a mirror at x = 0.

    Raises:
        ValueError: As `read_bvh`.
    """
    bvh = read_bvh(path)
    if hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest() not in _REVERSED_LEFT_ELBOW:
        return bvh
    elbow = bvh.joints.index("lForeArm")
    local_rotmat = bvh.local_rotmat.clone()
    local_rotmat[:, elbow] = mirror_rotmat(local_rotmat[:, elbow])
    return replace(bvh, local_rotmat=local_rotmat)
