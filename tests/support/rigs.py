"""Writes a motion of the body as a BVH file on a rig of any axes, names and extra joints.

A joint that moves with the body's joint j has the world rotation `G_j S_j^T`, where `S_j` (`Rig.axes`) are its own axes
while the body is at rest. So `S_j` is any rotation, and the zero pose of the file is any pose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from motionrep.body.kinematics import body_kinematics
from motionrep.body.model import BodyModel
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion


@dataclass(frozen=True)
class Rig:
    """A skeleton by the body's joints.

    `names` are the joints it has. `extra` are joints (name, the body's joint it is rigid with, the body's joint where
    it is); `between` are such that stand in the chain (name, the body's joint below it, how far down the bone).
    `roots` are joints above the pelvis, at the origin, that never move.
    """

    names: Mapping[str, str]
    axes: Mapping[str, Tensor] = field(default_factory=dict)
    prefix: str = ""
    world: Tensor = field(default_factory=lambda: torch.eye(3))  # file from the body's world
    roots: tuple[str, ...] = ()
    positions: bool = False  # position channels on every joint
    zero_offsets: bool = False  # and all offsets 0
    end: float | None = 1.0  # length of the End Sites; None writes none
    sites: Mapping[str, Tensor] = field(default_factory=dict)  # End Sites that point elsewhere, in the body's axes
    extra: tuple[tuple[str, str, str], ...] = ()
    between: tuple[tuple[str, str, float], ...] = ()
    order: str = "ZXY"
    unit: float = 100.0  # in a metre


@dataclass
class _Joint:
    name: str
    parent: int
    turn: Tensor  # in the file's world
    place: Tensor
    site: Tensor = field(default_factory=lambda: torch.zeros(3))


def write_rig(motion: BodyMotion, body: BodyModel, rig: Rig, path: Path) -> Path:
    """Writes the motion as that skeleton has it; offsets are those of the body's rest pose, in the joints' axes."""
    joints = _joints(motion, body, rig)
    local, offset = [], []
    for each in joints:
        above = joints[each.parent] if each.parent >= 0 else None
        local.append(each.turn if above is None else above.turn.mT @ each.turn)
        away = each.place if above is None else (above.turn.mT @ (each.place - above.place)[..., None])[..., 0]
        offset.append(away)
    lines, columns = ["HIERARCHY"], []

    def add(number: int, indent: str) -> None:
        joint = joints[number]
        moves = joint.parent < 0 or rig.positions or bool((offset[number].std(0) > 1e-3 * rig.unit).any())
        still = joint.parent < 0 or rig.zero_offsets
        lines.append(f"{indent}{'ROOT' if joint.parent < 0 else 'JOINT'} {joint.name}")
        lines.append(f"{indent}{{")
        lines.append(f"{indent}  OFFSET {'0 0 0' if still else _line(offset[number][0])}")
        rotations = " ".join(f"{axis}rotation" for axis in rig.order)
        lines.append(f"{indent}  CHANNELS {'6 Xposition Yposition Zposition' if moves else '3'} {rotations}")
        if moves:
            columns.append(offset[number])
        angles = Rotation.from_matrix(local[number].double().numpy()).as_euler(rig.order, degrees=True)
        columns.append(torch.from_numpy(angles).float())
        children = [child for child, each in enumerate(joints) if each.parent == number]
        for child in children:
            add(child, indent + "  ")
        if not children and rig.end is not None:
            lines.extend([f"{indent}  End Site", f"{indent}  {{", f"{indent}    OFFSET {_line(joint.site)}"])
            lines.append(f"{indent}  }}")
        lines.append(f"{indent}}}")

    add(0, "")
    values = torch.cat(columns, 1)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1 / motion.fps:.7f}", *map(_line, values)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _joints(motion: BodyMotion, body: BodyModel, rig: Rig) -> list[_Joint]:
    rest = body.rest_joints(motion.betas)
    rotmat, place = body_kinematics(motion.local_rotmat, motion.translation_m, rest)
    place = place @ rig.world.mT * rig.unit
    still = torch.eye(3).expand(motion.frame_count, 3, 3)
    joints = [_Joint(name, number - 1, still, torch.zeros_like(place[:, 0])) for number, name in enumerate(rig.roots)]
    index: dict[str, int] = {}

    def turn(joint: str) -> Tensor:
        return rig.world @ rotmat[:, SMPL_24.index(joint)] @ rig.axes.get(joint, torch.eye(3)).mT

    for joint, parent in zip(SMPL_24.joints, SMPL_24.parents, strict=True):
        if joint not in rig.names:
            continue
        while parent and parent not in index:
            parent = SMPL_24.parents[SMPL_24.index(parent)]
        above = index[parent] if parent else len(joints) - 1
        here = SMPL_24.index(joint)
        for name, below, share in rig.between:
            if below == joint and parent:
                start = place[:, SMPL_24.index(parent)]
                middle = start + share * (place[:, here] - start)
                joints.append(_Joint(rig.prefix + name, above, turn(parent), middle))
                above = len(joints) - 1
        index[joint] = len(joints)
        bone = rest[here] - rest[max(SMPL_24.parent_indices[here], 0)]  # End Sites go on as the bone before them
        bone = torch.tensor([0.0, 0.2, 0.0]) if joint == "head" else bone
        site = rig.axes.get(joint, torch.eye(3)) @ rig.sites.get(joint, (rig.end or 0.0) * bone) * rig.unit
        joints.append(_Joint(rig.prefix + rig.names[joint], above, turn(joint), place[:, here], site))
    for name, carrier, where in rig.extra:
        joints.append(_Joint(rig.prefix + name, index[carrier], turn(carrier), place[:, SMPL_24.index(where)]))
    return joints


def _line(numbers: Tensor) -> str:
    return " ".join(f"{number:.6f}" for number in numbers.tolist())
