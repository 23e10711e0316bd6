"""DeepMimic's motions (.txt or .json): rotations of its humanoid, put on the body bone by bone.

A frame has 44 numbers: its duration in seconds, the root's position and quaternion (w first), and the joints in the
order of `_JOINTS`: quaternions relative to the parent, or one angle about z for elbows and knees. The humanoid stands
with y up, faces +x, and lets its arms hang.
"""

from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.files.contents import Contents
from motionrep.geometry.alignment import smallest_rotation
from motionrep.layouts import SMPL_24
from motionrep.motion.editing import without_gaps
from motionrep.motion.floor import put_on_floor
from motionrep.motion.records import MotionOptions
from motionrep.types import BodyMotion

# Joint, parent, and how many numbers turn it.
_JOINTS = (
    ("chest", "root", 4), ("neck", "chest", 4), ("right_hip", "root", 4), ("right_knee", "right_hip", 1),
    ("right_ankle", "right_knee", 4), ("right_shoulder", "chest", 4), ("right_elbow", "right_shoulder", 1),
    ("left_hip", "root", 4), ("left_knee", "left_hip", 1), ("left_ankle", "left_knee", 4),
    ("left_shoulder", "chest", 4), ("left_elbow", "left_shoulder", 1),
)  # fmt: skip
_NUMBERS = 1 + 3 + 4 + sum(count for *_, count in _JOINTS)
# Which of its joints turns a joint of SMPL; others are rigid with their parent. Its chest begins 0.24 m up.
_DRIVERS = {"pelvis": "root", "spine2": "chest", **{joint: joint for joint, *_ in _JOINTS if joint != "chest"}}
# Bones that hang straight down in its zero pose, without their side.
_BONES = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
# Its front, up and left (x, y, -z) are the body's z, y and x.
_FROM_BODY = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])


def read(contents: Contents, options: MotionOptions) -> list[BodyMotion]:
    """The motion on the body that was asked for (betas 0), soles on the floor. Bones point as the humanoid's do.

    Durations that change are taken for missing frames, which are filled in.

    Raises:
        ValueError: Frames of other numbers, or durations that are not positive.
    """
    path, body = contents.path, load_body_model(options.body_model)
    frames = _frames(path, contents.value.get("Frames"))
    seconds = frames[:-1, 0] if len(frames) > 1 else np.array([1 / 30])
    if not (seconds > 0).all():
        raise ValueError(f"{path}: the first number of a frame should be its duration in seconds, got {seconds.min()}")
    shortest = float(seconds.min())
    numbers = torch.from_numpy(np.rint(np.concatenate([[0], seconds.cumsum()])[: len(frames)] / shortest)).long()
    fps = round(1 / shortest) if abs(1 / shortest - round(1 / shortest)) < 0.05 else 1 / shortest
    table = torch.from_numpy(frames).float()
    world = _world_rotations(table)
    local_rotmat = _on_body(world, body)
    translation_m = table[:, 1:4] - body.rest_joints(torch.zeros(body.beta_count))[0]
    motion = BodyMotion(local_rotmat, translation_m, torch.zeros(body.beta_count), body.name, fps, "world")
    return [put_on_floor(without_gaps(motion, numbers), body)]


def _frames(path: Path, frames: object) -> np.ndarray:
    rows = frames if isinstance(frames, list) else []
    wrong = next((number for number, row in enumerate(rows) if not isinstance(row, list) or len(row) != _NUMBERS), None)
    if not rows or wrong is not None:
        raise ValueError(
            f"{path}: expected 'Frames' of {_NUMBERS} numbers, DeepMimic's humanoid, "
            f"got {f'another row at {wrong}' if rows else 'none'}"
        )
    try:
        table = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: 'Frames' should hold numbers only ({error})") from error
    quaternions = [4, 8, 12, 16, 21, 25, 30, 35, 39]
    lengths = np.stack([np.linalg.norm(table[:, start : start + 4], axis=1) for start in quaternions])
    if not np.isfinite(table).all() or (lengths < 0.5).any():
        raise ValueError(f"{path}: 'Frames' hold numbers that are not finite, or quaternions of no length")
    return table


def _world_rotations(table: Tensor) -> dict[str, Tensor]:
    """Rotation of each joint of the humanoid against the world."""

    def from_quaternion(start: int) -> Tensor:
        wxyz = torch.nn.functional.normalize(table[:, start : start + 4], dim=1)
        return roma.unitquat_to_rotmat(wxyz.roll(-1, 1))

    world = {"root": from_quaternion(4)}
    start = 8
    for joint, parent, count in _JOINTS:
        if count == 4:
            turn = from_quaternion(start)
        else:
            about_z = torch.tensor([0.0, 0.0, 1.0])
            turn = roma.rotvec_to_rotmat(table[:, start : start + 1] * about_z)
        world[joint] = world[parent] @ turn
        start += count
    return world


def _on_body(world: dict[str, Tensor], body: BodyModel) -> Tensor:
    rest_m = body.rest_joints(torch.zeros(body.beta_count))
    down = torch.tensor([0.0, -1.0, 0.0])
    turned: list[Tensor] = []
    for joint, parent in zip(SMPL_24.joints, SMPL_24.parent_indices, strict=True):
        if (driver := _DRIVERS.get(joint)) is None:
            # A hand goes on from its forearm, a collar and a head from what carries them.
            turned.append(turned[parent])
            continue
        hanging = torch.eye(3)
        side, _, limb = joint.partition("_")
        if limb in _BONES:
            bone_m = rest_m[SMPL_24.index(f"{side}_{_BONES[limb]}")] - rest_m[SMPL_24.index(joint)]
            hanging = smallest_rotation(torch.nn.functional.normalize(bone_m, dim=0), down)
        turned.append(world[driver] @ _FROM_BODY @ hanging)
    stacked = torch.stack(turned, 1)
    parents = torch.stack([stacked[:, max(parent, 0)] for parent in SMPL_24.parent_indices], 1)
    local_rotmat = parents.mT @ stacked
    local_rotmat[:, 0] = stacked[:, 0]
    return local_rotmat
