"""A body motion from joints: exactness, what is not seen, what is far off, axes, limits, long clips."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from paths import WALK_BVH

from motionrep.body import BodyModel, load_body_model
from motionrep.cli import main as cli
from motionrep.fitting import minimising
from motionrep.fitting.joint_limits import joint_limits, limit_axes
from motionrep.fitting.joints import Fit, fit_body
from motionrep.geometry.alignment import rotvec_over_time
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, LAYOUTS, SMPL_24, JointLayout
from motionrep.motion.editing import resample, with_betas
from motionrep.motion.floor import sole_height_m
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion

BODIES = [layout for layout in LAYOUTS.values() if layout.joint_count < 40]  # no fingers, no face
BETAS = torch.tensor([1.2, -0.8, 0.5, 0.0, 0.3, 0.0, 0.0, -0.4, 0.0, 0.0])


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model("open")


@pytest.fixture(scope="module")
def walk(body: BodyModel) -> BodyMotion:
    """A tall slim person who walks for 0.4 s, 60 frames per second."""
    return with_betas(resample(load_motion(WALK_BVH).cut(10), 60.0), body, BETAS)


@pytest.fixture(scope="module")
def halpe_fit(walk: BodyMotion, body: BodyModel) -> Fit:
    return fit_body(joints_of(walk, body, HALPE_26), body)


def joints_of(motion: BodyMotion, body: BodyModel, layout: JointLayout) -> JointMotion:
    position_m = body.points(layout, motion.local_rotmat, motion.betas, motion.translation_m)
    return JointMotion(position_m, layout, motion.fps, motion.frame)


def distance_mm(first: BodyMotion, second: BodyMotion, body: BodyModel, layout: JointLayout) -> float:
    apart = joints_of(first, body, layout).position_m - joints_of(second, body, layout).position_m
    return 1000 * float(apart.norm(dim=-1).mean())


@pytest.mark.parametrize("layout", BODIES, ids=[layout.name for layout in BODIES])
def test_body_comes_back_from_its_points_in_every_layout(walk: BodyMotion, body: BodyModel, layout) -> None:
    fit = fit_body(joints_of(walk, body, layout), body)
    assert fit.error_mm < 5
    assert fit.joint_error_mm.max() < 15
    torch.testing.assert_close(fit.frame_error_mm.mean(), fit.joint_error_mm.mean())
    apart_mm = 1000 * (body.mesh(fit.motion).vertex_m[::8] - body.mesh(walk).vertex_m[::8]).norm(dim=-1)
    assert apart_mm.mean() < 35
    assert (fit.motion.body_model, fit.motion.fps, fit.motion.frame) == ("open", 60.0, "world")


def test_the_points_of_a_face_and_unseen_fingers_do_not_count(walk: BodyMotion, body: BodyModel) -> None:
    whole = LAYOUTS["halpe_136"]
    position_m = torch.zeros(walk.frame_count, 136, 3)
    position_m[:, :26] = joints_of(walk, body, HALPE_26).position_m
    confidence = torch.ones(walk.frame_count, 136)
    confidence[:, 94:] = 0
    fit = fit_body(JointMotion(position_m, whole, walk.fps, walk.frame), body, confidence)
    assert fit.joint_error_mm[26:].isnan().all()
    assert fit.error_mm < 5


def test_unseen_joints_are_fitted_through_and_their_positions_do_not_matter(walk: BodyMotion, body: BodyModel) -> None:
    joints = joints_of(walk, body, COCO_17)
    confidence = (torch.rand(joints.position_m.shape[:2], generator=torch.Generator().manual_seed(0)) > 0.2).float()
    confidence[5] = 0
    confidence[:, COCO_17.index("left_wrist")] = 0
    elsewhere = joints.position_m.where(confidence.unsqueeze(-1) > 0, torch.tensor(77.0))
    fit = fit_body(replace(joints, position_m=elsewhere), body, confidence)
    same = fit_body(joints, body, confidence)
    assert distance_mm(fit.motion, same.motion, body, SMPL_24) < 0.01
    assert fit.joint_error_mm[COCO_17.index("left_wrist")].isnan()
    assert fit.frame_error_mm[5].isnan()
    assert fit.error_mm < 5
    seen = [index for index, joint in enumerate(COCO_17.joints) if joint != "left_wrist"]
    error_mm = 1000 * (joints_of(fit.motion, body, COCO_17).position_m - joints.position_m).norm(dim=-1)[:, seen]
    assert error_mm.mean() < 10


def test_joints_that_are_far_off_have_little_influence(walk: BodyMotion, body: BodyModel) -> None:
    joints = joints_of(walk, body, H36M_17)
    wrong_m = joints.position_m.clone()
    wrong_m[4:7, H36M_17.index("left_ankle")] += torch.tensor([0.5, 0.6, -0.4])
    wrong_m[15:18, H36M_17.index("right_wrist")] += torch.tensor([-0.8, 0.1, 0.4])
    fit = fit_body(replace(joints, position_m=wrong_m), body)
    error_mm = 1000 * (joints_of(fit.motion, body, H36M_17).position_m - joints.position_m).norm(dim=-1)
    assert error_mm.mean() < 10
    assert error_mm.max() < 80


def test_jitter_is_smoothed(walk: BodyMotion, body: BodyModel) -> None:
    joints = joints_of(walk, body, H36M_17)
    noise_m = 0.015 * torch.randn(joints.position_m.shape, generator=torch.Generator().manual_seed(0))
    fit = fit_body(replace(joints, position_m=joints.position_m + noise_m), body)
    left_m = joints_of(fit.motion, body, H36M_17).position_m - joints.position_m
    assert left_m.norm(dim=-1).mean() < 0.7 * noise_m.norm(dim=-1).mean()
    assert left_m.diff(n=2, dim=0).norm(dim=-1).mean() < 0.1 * noise_m.diff(n=2, dim=0).norm(dim=-1).mean()


def test_joints_keep_to_their_limits_when_the_data_would_break_them(walk: BodyMotion, body: BodyModel) -> None:
    broken = walk.local_rotmat.clone()
    broken[:, SMPL_24.index("left_knee")] = roma.rotvec_to_rotmat(torch.tensor([-0.8, 0.0, 0.0]))
    joints = joints_of(replace(walk, local_rotmat=broken), body, H36M_17)
    rotvec = roma.rotmat_to_rotvec(fit_body(joints, body).motion.local_rotmat)
    low, _, high = joint_limits()
    angle = (limit_axes() @ rotvec.unsqueeze(-1)).squeeze(-1)[:, 1:]
    beyond = (angle - high[1:]).clamp(min=0) + (low[1:] - angle).clamp(min=0)
    assert beyond.rad2deg().max() < 12


def test_turned_and_moved_joints_give_the_turned_and_moved_body(
    walk: BodyMotion, body: BodyModel, halpe_fit: Fit
) -> None:
    joints = joints_of(walk, body, HALPE_26)
    turn = roma.rotvec_to_rotmat(torch.tensor([1.6, 0.2, -0.5]))
    moved = replace(joints, position_m=joints.position_m @ turn.T + torch.tensor([3.0, -20.0, 5.0]), frame="camera")
    turned = fit_body(moved, body)
    assert turned.motion.frame == "camera"
    expected_m = joints_of(halpe_fit.motion, body, SMPL_24).position_m @ turn.T + torch.tensor([3.0, -20.0, 5.0])
    apart_m = joints_of(turned.motion, body, SMPL_24).position_m - expected_m
    assert 1000 * apart_m.norm(dim=-1).mean() < 5


def test_root_relative_joints_come_out_upright_and_on_the_floor(walk: BodyMotion, body: BodyModel) -> None:
    joints = joints_of(walk, body, H36M_17)
    around_pelvis_m = joints.position_m - joints.position_m[:, :1]
    in_camera_axes = around_pelvis_m * torch.tensor([1.0, -1.0, -1.0])
    fit = fit_body(replace(joints, position_m=in_camera_axes, frame="root"), body)
    assert fit.motion.frame == "world"
    torch.testing.assert_close(
        sole_height_m(fit.motion, body).amin(-1), torch.zeros(walk.frame_count), atol=1e-5, rtol=0
    )
    found_m = joints_of(fit.motion, body, H36M_17).position_m
    assert 1000 * (found_m - found_m[:, :1] - around_pelvis_m).norm(dim=-1).mean() < 5


def test_long_clips_are_solved_in_windows_without_seams(
    walk: BodyMotion, body: BodyModel, halpe_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minimising, "_WINDOW_FRAMES", 14)
    monkeypatch.setattr(minimising, "_OVERLAP_FRAMES", 6)
    windows = fit_body(joints_of(walk, body, HALPE_26), body)
    assert windows.error_mm < 5
    assert distance_mm(halpe_fit.motion, windows.motion, body, SMPL_24) < 3
    acceleration_m = joints_of(windows.motion, body, SMPL_24).position_m.diff(n=2, dim=0).norm(dim=-1)
    assert acceleration_m.max() < 1.5 * joints_of(walk, body, SMPL_24).position_m.diff(n=2, dim=0).norm(dim=-1).max()


def test_rotation_vectors_go_on_where_a_joint_turns_past_half_a_turn() -> None:
    angle = torch.linspace(2.6, 3.9, 14)[:, None] * torch.tensor([0.6, -0.8, 0.0])
    found = rotvec_over_time(roma.rotvec_to_rotmat(torch.stack([angle, angle.flip(0) / 4], 1)))
    torch.testing.assert_close(found, torch.stack([angle, angle.flip(0) / 4], 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [1, 3])
def test_a_few_frames_are_enough(walk: BodyMotion, body: BodyModel, frames: int) -> None:
    fit = fit_body(joints_of(walk.cut(0, frames), body, HALPE_26), body, betas=walk.betas)
    assert fit.motion.frame_count == frames
    assert fit.error_mm < 5
    assert torch.equal(fit.motion.betas, walk.betas)


def test_arrays_do_as_well_as_tensors(walk: BodyMotion, body: BodyModel) -> None:
    joints = joints_of(walk.cut(0, 5), body, H36M_17)
    confidence = torch.ones(joints.position_m.shape[:2])
    confidence[2] = 0
    tensors = fit_body(joints, body, confidence, walk.betas).motion
    arrays = fit_body(joints, body, confidence.double().numpy(), walk.betas.numpy()).motion
    assert torch.equal(arrays.local_rotmat, tensors.local_rotmat)
    assert torch.equal(arrays.betas, tensors.betas)


def test_wrong_arguments_say_what_is_wrong(walk: BodyMotion, body: BodyModel) -> None:
    joints = joints_of(walk, body, H36M_17)
    stick = JointMotion(torch.zeros(2, 2, 3), JointLayout("stick", ("low", "high"), ("", "low")), 30.0, "world")
    with pytest.raises(ValueError, match=r"no points of layout 'stick' \(known: h36m_17, .*ntu_25"):
        fit_body(stick, body)
    with pytest.raises(ValueError, match="takes 10, got shape"):
        fit_body(joints, body, betas=torch.zeros(16))
    with pytest.raises(ValueError, match="no joint was seen"):
        fit_body(joints, body, torch.zeros(joints.position_m.shape[:2]))
    arms_only = torch.zeros(joints.position_m.shape[:2])
    arms_only[:, 11:] = 1
    with pytest.raises(ValueError, match=r"three joints of the trunk .* seen are left_shoulder, right_shoulder"):
        fit_body(joints, body, arms_only)


def test_command_prints_each_joints_error_and_writes_a_motion(
    walk: BodyMotion, body: BodyModel, tmp_path, capsys
) -> None:
    joints = joints_of(walk, body, H36M_17)
    position_mm = 1000 * joints.position_m.numpy()
    position_mm[:, H36M_17.index("head")] = np.nan
    np.save(tmp_path / "joints.npy", position_mm)
    given = [str(tmp_path / "joints.npy"), "--layout", "h36m_17", "--fps", "60", "--unit", "mm"]
    assert cli.main(["fit", *given, "--output", str(tmp_path / "body.npz")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("pelvis")
    assert printed[0].endswith(" mm")
    assert printed[10].split() == ["head", "never", "seen"]
    assert printed[17].startswith("mean")
    assert float(printed[17].split()[1]) < 5
    assert load_motion(tmp_path / "body.npz").frame_count == walk.frame_count

    save_motion(joints, tmp_path / "saved.npz")
    assert cli.main(["fit", str(tmp_path / "saved.npz"), "--output", str(tmp_path / "again.npz")]) == 0
    assert "in world axes, body open" in capsys.readouterr().out
