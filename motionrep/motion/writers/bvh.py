"""BVH: a skeleton and its motion as text."""

import warnings
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.motion.writers.scene import Figure, Scene, figure_of

# Angles jump when the second of the three passes a right angle. Legs bend that far about x, so theirs is about y.
_ORDER, _LEG_ORDER = "ZXY", "ZYX"
_LEG_JOINTS = ("hip", "knee", "ankle", "foot", "leg")
_END_OF_BONE = 0.5  # an End Site prolongs the bone before it by this much of its length


def write(scene: Scene, path: Path) -> None:
    (person,) = scene.people
    write_bvh(figure_of(person, scene), path, scene.progress)


def write_bvh(figure: Figure, path: Path, progress: bool = False) -> None:
    """Writes the skeleton in its rest pose and the motion: channels listed A B C mean R = R_A R_B R_C, in degrees.

    The root's offset is zero and its position channels say where it is. Joints keep their names.
    """
    lines = ["HIERARCHY", *_joint(figure, 0, ""), "MOTION", f"Frames: {len(figure.root_position)}"]
    lines.append(f"Frame Time: {1 / figure.fps:.9f}")
    columns = [figure.root_position]
    for joint in _as_listed(figure, 0):
        columns.append(_angles_deg(figure.local_rotmat[:, joint], _order(figure.joints[joint])))
    values = np.concatenate(columns, 1)
    line = " ".join(["%.6f"] * values.shape[1])
    lines += [line % tuple(frame.tolist()) for frame in progress_bar(values, "BVH", "frame", progress)]
    with written_beside(path) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _joint(figure: Figure, joint: int, indent: str) -> list[str]:
    """The lines of a joint and all below it."""
    offset = figure.offset[joint] if joint else np.zeros(3)
    rotations = " ".join(f"{axis}rotation" for axis in _order(figure.joints[joint]))
    lines = [
        f"{indent}{'JOINT' if joint else 'ROOT'} {figure.joints[joint]}",
        f"{indent}{{",
        f"{indent}  OFFSET {_numbers(offset)}",
        f"{indent}  CHANNELS {f'3 {rotations}' if joint else f'6 Xposition Yposition Zposition {rotations}'}",
    ]
    children = _children(figure, joint)
    for child in children:
        lines += _joint(figure, child, indent + "  ")
    if not children:
        end = _numbers(_END_OF_BONE * offset)
        lines += [f"{indent}  End Site", f"{indent}  {{", f"{indent}    OFFSET {end}", f"{indent}  }}"]
    return [*lines, f"{indent}}}"]


def _as_listed(figure: Figure, joint: int) -> list[int]:
    """The joint and all below it in the order of the file, depth first."""
    return [joint, *(below for child in _children(figure, joint) for below in _as_listed(figure, child))]


def _children(figure: Figure, joint: int) -> list[int]:
    return [child for child, parent in enumerate(figure.parents) if parent == joint]


def _order(joint: str) -> str:
    return _LEG_ORDER if any(part in joint for part in _LEG_JOINTS) else _ORDER


def _numbers(vector: np.ndarray) -> str:
    return " ".join(f"{number:.6f}" for number in vector.tolist())


def _angles_deg(rotmat: np.ndarray, order: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock")  # the angles still give the rotation
        angle_deg = Rotation.from_matrix(rotmat).as_euler(order, degrees=True)
    return np.unwrap(angle_deg, axis=0, period=360)
