"""DeepMimic's motions on the body: bones point as those of its own humanoid do."""

import json

import numpy as np
import pytest
import roma
import torch

from motionrep.layouts import SMPL_24
from motionrep.motion.loading import load_motion

# data/characters/humanoid3d.txt of xbpeng/DeepMimic: joint, parent, where it is attached, numbers in a frame.
HUMANOID = (
    ("root", None, (0, 0, 0), 4), ("chest", "root", (0, 0.236151, 0), 4), ("neck", "chest", (0, 0.223894, 0), 4),
    ("right_hip", "root", (0, 0, 0.084887), 4), ("right_knee", "right_hip", (0, -0.421546, 0), 1),
    ("right_ankle", "right_knee", (0, -0.40987, 0), 4), ("right_shoulder", "chest", (-0.02405, 0.2435, 0.18311), 4),
    ("right_elbow", "right_shoulder", (0, -0.274788, 0), 1), ("right_wrist", "right_elbow", (0, -0.258947, 0), 0),
    ("left_hip", "root", (0, 0, -0.084887), 4), ("left_knee", "left_hip", (0, -0.421546, 0), 1),
    ("left_ankle", "left_knee", (0, -0.40987, 0), 4), ("left_shoulder", "chest", (-0.02405, 0.2435, -0.18311), 4),
    ("left_elbow", "left_shoulder", (0, -0.274788, 0), 1), ("left_wrist", "left_elbow", (0, -0.258947, 0), 0),
)  # fmt: skip
BONES = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
)


def random_frames(frames: int, duration_s: float = 0.033333) -> np.ndarray:
    """Joints turned at random by up to a radian, and a root that goes along x and turns."""
    numbers = np.random.default_rng(0)
    columns = [np.full((frames, 1), duration_s), np.linspace([0, 0.85, 0], [1, 0.85, 0], frames)]
    for *_, count in HUMANOID:
        turns = torch.from_numpy(numbers.uniform(-0.6, 0.6, (frames, 3)))
        quaternions = roma.quat_xyzw_to_wxyz(roma.rotvec_to_unitquat(turns)).numpy()
        columns.append(quaternions if count == 4 else turns[:, :count].numpy())
    return np.concatenate(columns, 1)


def humanoid_m(frames: np.ndarray) -> dict[str, np.ndarray]:
    """Where the humanoid's joints are, by its own tree."""
    place, world, start = {}, {}, 4
    for joint, parent, attached, count in HUMANOID:
        if count == 4:
            turn = roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(torch.from_numpy(frames[:, start : start + 4])))
        else:
            about_z = frames[:, start : start + 1] if count else np.zeros((len(frames), 1))
            turn = roma.rotvec_to_rotmat(torch.from_numpy(about_z * np.array([0.0, 0, 1])))
        start += count
        world[joint] = turn.numpy() if parent is None else world[parent] @ turn.numpy()
        place[joint] = frames[:, 1:4] if parent is None else place[parent] + world[parent] @ np.array(attached)
    return place


def written(path, frames: np.ndarray):
    path.write_text(json.dumps({"Loop": "none", "Frames": frames.tolist()}))
    return path


def test_bones_point_as_the_humanoids_do(tmp_path, open_body) -> None:
    frames = random_frames(12)
    motion = load_motion(written(tmp_path / "humanoid3d_walk.txt", frames))
    assert (motion.fps, motion.frame_count, motion.frame) == (30.0, 12, "world")
    joint_m = open_body.joints(motion.local_rotmat, motion.betas, motion.translation_m).numpy()
    theirs = humanoid_m(frames)
    for start, end in BONES:
        ours = joint_m[:, SMPL_24.index(end)] - joint_m[:, SMPL_24.index(start)]
        bone = theirs[end] - theirs[start]
        cosine = (ours * bone).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(bone, axis=1)
        np.testing.assert_allclose(cosine, 1, atol=1e-5, err_msg=start)
    moved = joint_m[:, 0] - joint_m[0, 0]
    np.testing.assert_allclose(moved, frames[:, 1:4] - frames[0, 1:4], atol=1e-5)
    facing = motion.local_rotmat[:, 0, :, 2].numpy()  # the body's front, against the humanoid's
    hips = theirs["left_hip"] - theirs["right_hip"]
    np.testing.assert_allclose((facing * hips).sum(1), 0, atol=1e-5)


def test_the_zero_pose_stands_with_its_arms_down_and_faces_x(tmp_path, open_body) -> None:
    frames = np.zeros((3, 44))
    frames[:, 0], frames[:, 2] = 1 / 60, 0.85
    frames[:, [4, 8, 12, 16, 21, 25, 30, 35, 39]] = 1
    motion = load_motion(written(tmp_path / "still.txt", frames))
    assert motion.fps == 60
    joint_m = open_body.joints(motion.local_rotmat, motion.betas, motion.translation_m)[0]
    left_m, right_m = (joint_m[SMPL_24.index(f"{side}_shoulder")] for side in ("left", "right"))
    assert float(left_m[2]) < -0.1 < 0.1 < float(right_m[2])
    assert float(joint_m[SMPL_24.index("left_wrist"), 1] - left_m[1]) < -0.4
    assert float(joint_m[SMPL_24.index("left_foot"), 0] - joint_m[SMPL_24.index("left_ankle"), 0]) > 0.08


def test_a_frame_of_double_duration_is_filled_in(tmp_path) -> None:
    frames = random_frames(6, 1 / 60)
    frames[2, 0] = 2 / 60
    motion = load_motion(written(tmp_path / "roll.txt", frames))
    whole = load_motion(written(tmp_path / "even.txt", random_frames(6, 1 / 60)))
    assert (motion.fps, motion.frame_count) == (60.0, 7)
    torch.testing.assert_close(motion.local_rotmat[4:], whole.local_rotmat[3:], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frames: frames[:, :43], "expected 'Frames' of 44 numbers, DeepMimic's humanoid, got another row at 0"),
        (lambda frames: frames[:0], "expected 'Frames' of 44 numbers, DeepMimic's humanoid, got none"),
        (lambda frames: frames * np.where(np.arange(44) == 0, 0, 1), "should be its duration in seconds"),
        (lambda frames: frames * np.where(np.arange(44) == 4, np.nan, 1), "not finite, or quaternions of no length"),
    ],
)
def test_other_skeletons_and_broken_frames_are_refused(tmp_path, change, message) -> None:
    with pytest.raises(ValueError, match=rf"dog\.txt: .*{message}"):
        load_motion(written(tmp_path / "dog.txt", change(random_frames(4))))
