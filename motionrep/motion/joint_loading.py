"""3D joints from files: motionrep's own, plain arrays, and OpenSim's marker tables."""

import logging
import re
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.arrays import BROKEN_NPZ
from motionrep.layouts import LAYOUTS, JointLayout, find_layout
from motionrep.motion.loading import load_joint_motion
from motionrep.types import DEFAULT_FPS, JointMotion

logger = logging.getLogger(__name__)

Unit = Literal["m", "cm", "mm"]
Axes = Literal["y-up", "z-up", "camera", "root"]

_METRES: dict[Unit, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_PERSON_M = (0.25, 4.0)  # from the knees of a child on a chair to a leap with stretched arms
_LOW, _HIGH = ("ankle", "heel", "toe", "foot"), ("head", "neck", "nose", "thorax", "shoulder")
_UPRIGHT = 0.5  # cosine of how far from +y the median person may lean
_Y_UP_FROM_Z_UP = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


def load_joints(
    path: Path | str,
    layout: str | None = None,
    fps: float | None = None,
    unit: Unit | None = None,
    axes: Axes | None = None,
) -> tuple[JointMotion, Float[Tensor, "frames joints"]]:
    """Reads the joints of one person, and a confidence that is 0 where a joint is missing (its position is then 0).

    * motionrep's own `.npz` (`save_motion`, and what 3D pose heads write): as saved; the other arguments must be None.
    * `.npy`, or `.npz` with one such array: (frames, joints, 3), or 4 with a confidence; NaN is a missing joint. An
      `.npz` may also have `confidence` (frames, joints) and `fps`. Without a layout, the one with as many joints.
    * `.trc` (OpenSim, Pose2Sim): markers by name, such as RKnee or left_knee; frame rate and unit are in the file.
      Without a layout, the one of which most joints are there.

    Args:
        fps: Frames per second; 30, with a warning, when neither given nor in the file.
        unit: Unit of length; metres when neither given nor in the file.
        axes: "y-up" and "z-up" are right-handed worlds, "camera" is x right, y down, z forward, "root" is the same with
            the origin at the pelvis of each frame. None is "y-up" for who stands along +y, and an error for others.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A file that is none of these, an unknown layout or one with another number of joints, no joint at
            all, numbers that are no person's size in that unit, or axes not given for who does not stand along +y.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".npz" and _is_own(path):
        if given := [name for name, value in _named(layout, fps, unit, axes).items() if value is not None]:
            raise ValueError(f"{path}: says itself what it holds; leave {', '.join(given)} out")
        motion = load_joint_motion(path)
        return motion, torch.ones_like(motion.position_m[..., 0])
    if suffix == ".trc":
        known, values, stored_fps, stored_unit = _read_trc(path, layout)
    elif suffix in (".npy", ".npz"):
        values, stored_fps = _read_array(path)
        known, stored_unit = _layout_of(path, values.shape[1], layout), None
    else:
        raise ValueError(f"{path}: unknown kind of joint file {suffix!r}; expected .npz, .npy or .trc")

    position_m = torch.from_numpy(values[..., :3]).float() * _METRES[unit or stored_unit or "m"]
    confidence = (
        torch.ones_like(position_m[..., 0]) if values.shape[2] == 3 else torch.from_numpy(values[..., 3]).float()
    )
    seen = torch.isfinite(position_m).all(-1) & (confidence > 0)  # NaN is not above 0 either
    if not bool(seen.any()):
        raise ValueError(f"{path}: no joint is there in any frame; all are NaN or have confidence 0")
    position_m = position_m.where(seen.unsqueeze(-1), torch.zeros(()))
    _require_person(path, position_m, seen, unit or stored_unit or "m")
    if axes is None:
        _require_upright(path, position_m, seen, known)
    if axes == "z-up":
        position_m = position_m @ torch.tensor(_Y_UP_FROM_Z_UP).T
    frame = axes if axes in ("camera", "root") else "world"
    fps = stored_fps if fps is None else fps
    if fps is None:
        logger.warning("%s does not say its frame rate; taking %g frames per second", path, DEFAULT_FPS)
        fps = DEFAULT_FPS
    try:
        return JointMotion(position_m, known, fps, frame), confidence.where(seen, torch.zeros(()))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _named(layout: str | None, fps: float | None, unit: Unit | None, axes: Axes | None) -> dict[str, object]:
    return {"layout": layout, "fps": fps, "unit": unit, "axes": axes}


def _is_own(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            names = set(file.namelist())
    except BROKEN_NPZ as error:
        raise ValueError(
            f"{path}: not a readable .npz file, it was cut off or is of another kind ({error}); get it again"
        ) from error
    if "local_rotmat.npy" in names or "poses.npy" in names:
        raise ValueError(f"{path}: holds a body's motion already, not joints; motionrep convert and render read it")
    return {"position_m.npy", "layout.npy"} <= names


def _read_array(path: Path) -> tuple[np.ndarray, float | None]:
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (OSError, *BROKEN_NPZ) as error:
        raise ValueError(f"{path}: not a file of plain numbers ({error}); save the array again with np.save") from error
    found = [name for name, array in arrays.items() if array.ndim == 3 and array.shape[2] in (3, 4)]
    if len(found) != 1 or arrays[found[0]].dtype.kind not in "fiu" or 0 in arrays[found[0]].shape:
        shapes = ", ".join(f"{name} {array.shape}".strip() for name, array in arrays.items())
        raise ValueError(
            f"{path}: expected one array of numbers (frames, joints, 3), or 4 with confidence; got {shapes}"
        )
    values = arrays[found[0]].astype(np.float64)
    if "confidence" in arrays:
        confidence = arrays["confidence"]
        if confidence.shape != values.shape[:2]:
            raise ValueError(f"{path}: field 'confidence' should have shape {values.shape[:2]}, got {confidence.shape}")
        values = np.concatenate([values[..., :3], confidence[..., None]], -1)
    fps = arrays.get("fps")
    return values, float(fps) if fps is not None and fps.size == 1 else None


def _layout_of(path: Path, joint_count: int, layout: str | None) -> JointLayout:
    if layout is not None:
        known = find_layout(layout)
        if known.joint_count != joint_count:
            raise ValueError(f"{path}: has {joint_count} joints, layout {layout!r} has {known.joint_count}")
        return known
    matching = [known for known in LAYOUTS.values() if known.joint_count == joint_count]
    if len(matching) != 1:
        choice = ", ".join(known.name for known in matching) or f"none has as many; known: {', '.join(LAYOUTS)}"
        raise ValueError(f"{path}: has {joint_count} joints, which does not tell the layout; pass layout= ({choice})")
    return matching[0]


def _read_trc(path: Path, layout: str | None) -> tuple[JointLayout, np.ndarray, float, Unit]:
    """The markers that a layout knows; NaN for its other joints."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
        fps, unit = float(header["DataRate"]), header["Units"].lower()
        markers = [_joint_name(cell) for cell in lines[3].rstrip().split("\t")[2::3]]
        width = 2 + 3 * len(markers)
        rows = [line.split("\t")[:width] for line in lines[5:] if line.strip()]
        table = [[float(cell) if cell.strip() else np.nan for cell in row[2:]] for row in rows]
        marked = np.array([row + [np.nan] * (width - 2 - len(row)) for row in table]).reshape(-1, len(markers), 3)
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not a .trc marker table; expected DataRate and Units in line 2 with their values in line 3, "
            f"marker names in line 4 and numbers from line 6 on, separated by tabs ({error})"
        ) from error
    if unit not in ("m", "cm", "mm") or not len(marked):
        raise ValueError(f"{path}: expected frames in m, cm or mm, got {len(marked)} frames in {unit!r}")
    known = find_layout(layout) if layout else max(LAYOUTS.values(), key=lambda it: len({*it.joints} & {*markers}))
    values = np.full((len(marked), known.joint_count, 3), np.nan)
    if not (shared := [joint for joint in known.joints if joint in markers]):
        raise ValueError(f"{path}: no marker is a joint of a layout; markers: {', '.join(markers)}")
    for joint in shared:
        values[:, known.index(joint)] = marked[:, markers.index(joint)]
    return known, values, fps, unit


def _joint_name(marker: str) -> str:
    """`right_big_toe` for RBigToe."""
    marker = re.sub(r"^([RL])(?=[A-Z][a-z])", lambda side: {"R": "Right", "L": "Left"}[side[1]], marker.strip())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", marker).lower().replace(" ", "_")


def _require_person(path: Path, position_m: Tensor, seen: Tensor, unit: Unit) -> None:
    """Catches a wrong unit by the size of the box around the joints, in the median frame."""
    low = position_m.masked_fill(~seen.unsqueeze(-1), torch.inf).amin(1)
    high = position_m.masked_fill(~seen.unsqueeze(-1), -torch.inf).amax(1)
    size_m = float((high - low).norm(dim=-1)[seen.sum(1) > seen.shape[1] // 2].median().nan_to_num(1.0))
    if _PERSON_M[0] <= size_m <= _PERSON_M[1]:
        return
    size = size_m / _METRES[unit]
    fitting = [name for name, metres in _METRES.items() if _PERSON_M[0] <= size * metres <= _PERSON_M[1]]
    remedy = f"pass unit={fitting[0]} (--unit {fitting[0]})" if fitting else "no unit of m, cm, mm makes that a person"
    raise ValueError(f"{path}: in the median frame the joints span {size:.4g} {unit}; {remedy}")


def _require_upright(path: Path, position_m: Tensor, seen: Tensor, layout: JointLayout) -> None:
    """Catches other axes by the direction from the feet to the head or shoulders, in the median frame."""

    def middle_m(kinds: tuple[str, ...]) -> Tensor:
        chosen = [any(kind in joint for kind in kinds) for joint in layout.joints]
        weight = (seen & torch.tensor(chosen)).unsqueeze(-1).float()
        return (position_m * weight).sum(1) / weight.sum(1)  # NaN where none was seen

    upward = torch.nn.functional.normalize((middle_m(_HIGH) - middle_m(_LOW)).nanmedian(0).values, dim=0)
    if not bool(upward[1] < _UPRIGHT):  # NaN where feet and head are never seen together
        return
    axis = int(upward.abs().argmax())
    raise ValueError(
        f"{path}: joints stand along {'-' if upward[axis] < 0 else '+'}{'xyz'[axis]}, and y is taken to be up when "
        "nothing is said; pass axes=camera (--axes camera), or root, z-up, or y-up if they really lie"
    )
