"""Refinement of a predicted motion: nearer to the keypoints, and only where they say something."""

import re
from dataclasses import replace

import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.cli.main import main
from motionrep.datasets.authored.motions import authored_motion
from motionrep.evaluation.metrics import mpjpe_mm
from motionrep.fitting.keypoints import refine, reprojection_error_px
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, OPENPOSE_25, SMPL_24, JointLayout
from motionrep.types import Keypoints

CAMERA = PinholeCamera.from_hfov(1920, 1080)
FRAMES = 24


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def truth():
    """A walk towards the right, 4 m in front of the camera."""
    motion = authored_motion("walk", seconds=1.0)
    turn = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ roma.rotvec_to_rotmat(torch.tensor([0.0, 0.7, 0.0]))
    local_rotmat = motion.local_rotmat[:FRAMES].clone()
    local_rotmat[:, 0] = turn @ local_rotmat[:, 0]
    translation_m = (motion.translation_m[:FRAMES] - motion.translation_m[:1]) @ turn.T + torch.tensor([0.0, 0.2, 4.0])
    return replace(motion, local_rotmat=local_rotmat, translation_m=translation_m, frame="camera")


def _seen(body, motion, layout, fps=30.0):
    point_m = body.points(layout, motion.local_rotmat, motion.betas, motion.translation_m)
    xy_px = project(point_m, CAMERA)
    return Keypoints(xy_px, torch.ones(xy_px.shape[:2]), layout, fps, 1920, 1080)


def _disturbed(motion, joints, angle_rad):
    """The motion with joints turned by so much about their z axes, which moves limbs across the picture."""
    rotvec = torch.zeros(motion.frame_count, 24, 3)
    rotvec[:, [SMPL_24.index(joint) for joint in joints], 2] = angle_rad
    return replace(motion, local_rotmat=motion.local_rotmat @ roma.rotvec_to_rotmat(rotvec))


def _error_mm(body, motion, truth):
    found, true = (body.joints(it.local_rotmat, it.betas, it.translation_m) for it in (motion, truth))
    return float(mpjpe_mm(found, true).mean())


@pytest.mark.parametrize("layout", [H36M_17, COCO_17, HALPE_26, OPENPOSE_25], ids=lambda layout: layout.name)
def test_wrong_limbs_return_to_the_keypoints(body, truth, layout):
    predicted = _disturbed(truth, ("left_shoulder", "right_hip", "left_elbow"), 0.25)
    clip = _seen(body, truth, layout)
    refined = refine(predicted, clip)
    before, after = (reprojection_error_px(motion, clip) for motion in (predicted, refined))
    assert after < 0.4 * before
    assert _error_mm(body, refined, truth) < 0.85 * _error_mm(body, predicted, truth)


@pytest.mark.parametrize("more", [("forehead", "nape"), tuple(f"left_finger{i}" for i in range(9))], ids=len)
def test_joints_that_a_body_has_no_point_for_do_not_count(body, truth, more):
    """With them or without: the same motion, and the same distance from the keypoints."""
    predicted, clip = _disturbed(truth, ("left_shoulder",), 0.2), _seen(body, truth, COCO_17)
    layout = JointLayout("mine", (*COCO_17.joints, *more), ("",) * (17 + len(more)))
    elsewhere = torch.full((FRAMES, len(more), 2), 77.0)
    confidence = torch.ones(FRAMES, len(layout.joints))
    longer = replace(clip, xy_px=torch.cat([clip.xy_px, elsewhere], 1), confidence=confidence, layout=layout)
    refined = refine(predicted, longer)
    torch.testing.assert_close(refined.local_rotmat, refine(predicted, clip).local_rotmat, atol=1e-3, rtol=0)
    assert reprojection_error_px(refined, longer) == pytest.approx(reprojection_error_px(refined, clip), rel=1e-3)


def test_a_perfect_prediction_hardly_moves(body, truth):
    refined = refine(truth, _seen(body, truth, H36M_17))
    assert _error_mm(body, refined, truth) < 6
    angle_rad = roma.rotmat_geodesic_distance(refined.local_rotmat, truth.local_rotmat)
    assert float(angle_rad.mean()) < 0.02


def test_what_keypoints_do_not_say_stays_as_predicted(body, truth):
    """Nothing below the hips is seen: the legs stay, while the arms come back."""
    predicted = _disturbed(truth, ("left_shoulder", "right_knee"), 0.25)
    clip = _seen(body, truth, H36M_17)
    unseen = [i for i, joint in enumerate(H36M_17.joints) if joint.endswith(("knee", "ankle"))]
    confidence = clip.confidence.clone()
    confidence[:, unseen] = 0
    refined = refine(predicted, replace(clip, confidence=confidence))
    turned = roma.rotmat_geodesic_distance(refined.local_rotmat, predicted.local_rotmat).mean(0)
    assert float(turned[SMPL_24.index("right_knee")]) < 0.05
    assert float(turned[SMPL_24.index("right_ankle")]) < 0.05
    wrist = H36M_17.index("left_wrist")
    before_px, after_px = (
        (_seen(body, it, H36M_17).xy_px - clip.xy_px)[:, wrist].norm(dim=-1).mean() for it in (predicted, refined)
    )
    assert float(after_px) < 0.5 * float(before_px)


def test_unseen_keypoints_may_be_anywhere(body, truth):
    predicted = _disturbed(truth, ("left_shoulder",), 0.2)
    clip = _seen(body, truth, H36M_17)
    confidence = clip.confidence.clone()
    confidence[5:9], confidence[:, 3] = 0, 0
    xy_px = clip.xy_px.where(confidence[..., None] > 0, torch.full_like(clip.xy_px, -5000.0))
    one, other = (refine(predicted, replace(clip, xy_px=xy, confidence=confidence)) for xy in (clip.xy_px, xy_px))
    torch.testing.assert_close(one.local_rotmat, other.local_rotmat, atol=1e-3, rtol=0)


def test_one_keypoint_that_is_far_off_has_little_influence(body, truth):
    clip = _seen(body, truth, H36M_17)
    xy_px = clip.xy_px.clone()
    xy_px[10:13, H36M_17.index("left_wrist")] += 400
    refined = refine(truth, replace(clip, xy_px=xy_px))
    assert _error_mm(body, refined, truth) < 10


def test_jitter_is_smoothed(body, truth):
    generator = torch.Generator().manual_seed(0)
    noise = roma.rotvec_to_rotmat(0.05 * torch.randn(FRAMES, 24, 3, generator=generator))
    predicted = replace(truth, local_rotmat=truth.local_rotmat @ noise)
    refined = refine(predicted, _seen(body, truth, H36M_17))

    def acceleration(motion):
        joint_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)
        return float(joint_m.diff(n=2, dim=0).norm(dim=-1).mean())

    assert acceleration(refined) < 0.5 * acceleration(predicted)


def test_long_clips_are_solved_in_windows_that_agree(body, truth, monkeypatch):
    predicted = _disturbed(truth, ("left_shoulder",), 0.2)
    clip = _seen(body, truth, H36M_17)
    whole = refine(predicted, clip)
    monkeypatch.setattr("motionrep.fitting.minimising._WINDOW_FRAMES", 14)
    monkeypatch.setattr("motionrep.fitting.minimising._OVERLAP_FRAMES", 6)
    assert _error_mm(body, refine(predicted, clip), whole) < 5


def test_one_frame_is_enough(body, truth):
    predicted, clip = _disturbed(truth, ("left_shoulder",), 0.2).cut(0, 1), _seen(body, truth.cut(0, 1), H36M_17)
    refined = refine(predicted, clip)
    assert reprojection_error_px(refined, clip) < reprojection_error_px(predicted, clip)


def test_errors_say_what_does_not_fit(body, truth):
    clip = _seen(body, truth, H36M_17)
    with pytest.raises(ValueError, match="is in world axes"):
        refine(replace(truth, frame="world"), clip)
    with pytest.raises(ValueError, match="10 frames, the keypoints have 24"):
        refine(truth.cut(0, 10), clip)
    with pytest.raises(ValueError, match="pictures of 640 x 480 px, the keypoints are of 1920 x 1080 px"):
        refine(truth, clip, PinholeCamera.from_hfov(640, 480))
    with pytest.raises(ValueError, match="confidence is 0 everywhere"):
        refine(truth, replace(clip, confidence=torch.zeros_like(clip.confidence)))
    with pytest.raises(ValueError, match="in frame 0 the body is behind the camera"):
        refine(replace(truth, translation_m=-truth.translation_m), clip)


def test_who_would_end_behind_the_camera_stays_as_predicted(body, truth, caplog):
    """The keypoints are of somebody nearer, and the nearest hand is just far enough to begin with."""
    nearest_m = body.joints(truth.local_rotmat, truth.betas, truth.translation_m)[..., 2].min()
    near, nearer = (
        replace(truth, translation_m=truth.translation_m + torch.tensor([0.0, 0.0, float(z_m - nearest_m)]))
        for z_m in (0.21, 0.15)
    )
    clip = _seen(body, nearer, COCO_17)
    assert refine(near, clip) is near
    assert "is not refined: keypoints and floor would put the body behind the camera" in caplog.text


def test_keypoints_that_say_nothing_have_no_distance(body, truth):
    """It was NaN."""
    clip = _seen(body, truth, H36M_17)
    with pytest.raises(ValueError, match="confidence is 0 everywhere"):
        reprojection_error_px(truth, replace(clip, confidence=torch.zeros_like(clip.confidence)))
    with pytest.raises(ValueError, match="no joint of layout 'h36m_17' that a body has was seen"):
        reprojection_error_px(truth, replace(clip, confidence=torch.full_like(clip.confidence, 1e-30)))


def test_predict_refines_meshes_only(tiny, tmp_path, capsys, caplog):
    caplog.set_level("INFO", "motionrep")
    given = ["predict", str(tiny / "clip.json"), "--size", "1920x1080", "--encoder", str(tiny / "encoder"), "--refine"]
    assert main([*given, "--head", str(tiny / "mesh"), "--output", str(tmp_path)]) == 0
    told = re.search(r"([\d.]+) px from the keypoints before refinement, ([\d.]+) px after", caplog.text)
    assert told is not None
    before_px, after_px = map(float, told.groups())
    assert after_px < before_px
    assert main([*given, "--head", str(tiny / "pose3d"), "--output", str(tmp_path)]) == 2
    assert "refine: needs a body mesh" in capsys.readouterr().err
