"""Wrists and ankles follow the keypoints of hands and feet."""

from dataclasses import replace

import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.datasets.authored.motions import authored_motion
from motionrep.fitting.limb_ends import with_hands_and_feet
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.layouts import COCO_17, LAYOUTS, SMPL_24
from motionrep.pipeline import recover
from motionrep.types import Keypoints

CAMERA = PinholeCamera.from_hfov(1920, 1080)
FEET = ("left_ankle", "right_ankle")
HANDS = ("left_wrist", "right_wrist")


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def truth():
    """A walk towards the right, 4 m in front of the camera."""
    motion = authored_motion("walk", seconds=0.7)
    turn = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ roma.rotvec_to_rotmat(torch.tensor([0.0, 0.7, 0.0]))
    local_rotmat = motion.local_rotmat.clone()
    local_rotmat[:, 0] = turn @ local_rotmat[:, 0]
    translation_m = (motion.translation_m - motion.translation_m[:1]) @ turn.T + torch.tensor([0.0, 0.2, 4.0])
    return replace(motion, local_rotmat=local_rotmat, translation_m=translation_m, frame="camera")


def seen(body, motion, layout, noise_px=0.0) -> Keypoints:
    """What a detector sees of the points that the body has; others are unseen."""
    regressor = body.point_regressor(layout)
    source_m = body.points(JOINTS_AND_LANDMARKS, motion.local_rotmat, motion.betas, motion.translation_m)
    there = regressor.any(1)
    point_m = regressor.where(there[:, None], regressor[there][:1]) @ source_m
    xy_px = project(point_m, CAMERA)
    xy_px = xy_px + noise_px * torch.randn(xy_px.shape, generator=torch.Generator().manual_seed(0))
    return Keypoints(xy_px, there.float().expand(len(xy_px), -1).clone(), layout, 30.0, 1920, 1080)


def disturbed(motion, joints):
    rotvec = torch.zeros(motion.frame_count, 24, 3)
    rotvec[:, [SMPL_24.index(joint) for joint in joints]] = torch.tensor([0.4, 0.3, -0.4])
    return replace(motion, local_rotmat=motion.local_rotmat @ roma.rotvec_to_rotmat(rotvec))


def error_mm(body, motion, truth, words) -> float:
    rows = [i for i, name in enumerate(JOINTS_AND_LANDMARKS.joints) if name.partition("_")[2] in words]
    posed = [body.points(JOINTS_AND_LANDMARKS, it.local_rotmat, it.betas, it.translation_m) for it in (motion, truth)]
    return 1000 * float((posed[0] - posed[1])[:, rows].norm(dim=-1).mean())


@pytest.mark.parametrize(
    ("layout", "joints", "ends"),
    [
        ("halpe_26", FEET, ("big_toe", "small_toe", "heel")),
        ("mediapipe_33", FEET, ("big_toe", "small_toe", "heel")),
        ("mediapipe_33", HANDS, ("thumb_tip", "index", "pinky", "hand_tip")),
        ("halpe_136", HANDS, ("thumb_tip", "index", "pinky", "hand_tip")),
        ("coco_wholebody_133", HANDS, ("thumb_tip", "index", "pinky", "hand_tip")),
        ("coco_wholebody_133", FEET, ("big_toe", "small_toe", "heel")),
    ],
)
def test_ends_return_to_their_keypoints(body, truth, layout, joints, ends):
    predicted, clip = disturbed(truth, joints), seen(body, truth, LAYOUTS[layout], noise_px=2.0)
    followed = with_hands_and_feet(predicted, clip, CAMERA)
    before_mm, after_mm = (error_mm(body, it, truth, ends) for it in (predicted, followed))
    assert before_mm > 35
    assert after_mm < (0.7 if layout == "mediapipe_33" else 0.45) * before_mm  # of the foot it has two points
    others = [i for i in range(24) if SMPL_24.joints[i] not in (*FEET, *HANDS)]
    assert torch.equal(followed.local_rotmat[:, others], predicted.local_rotmat[:, others])
    assert torch.equal(followed.translation_m, predicted.translation_m)


def test_without_such_keypoints_nothing_changes(body, truth):
    assert with_hands_and_feet(truth, seen(body, truth, COCO_17), CAMERA) is truth
    unseen = seen(body, truth, LAYOUTS["halpe_26"])
    confidence = unseen.confidence.clone()
    confidence[:, [i for i, name in enumerate(unseen.layout.joints) if "toe" in name or "heel" in name]] = 0
    assert with_hands_and_feet(truth, replace(unseen, confidence=confidence), CAMERA) is truth


def test_people_are_recovered_with_their_feet(body, truth):
    """The head sees 17 joints, and cannot know that the toes point up here."""
    raised = disturbed(truth, FEET)
    clip = seen(body, raised, LAYOUTS["halpe_26"])
    bare = replace(clip, confidence=clip.confidence.clone())
    bare.confidence[:, [i for i, name in enumerate(clip.layout.joints) if "toe" in name or "heel" in name]] = 0
    toes_px = [
        project(person.motion.joints("halpe_26").position_m, CAMERA)[:, 20:26] - clip.xy_px[:, 20:26]
        for person in (recover(it, ["mesh-ktpformer-s"], camera=CAMERA)[0] for it in (bare, clip))
    ]
    without_px, with_px = (float(it.norm(dim=-1).mean()) for it in toes_px)
    assert with_px < 0.8 * without_px
