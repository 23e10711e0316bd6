"""What clips, motions and cameras may hold: a value that cannot be is refused by the name of its field."""

import pytest
import torch

from motionrep.checks import values as check
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import COCO_17, SMPL_24
from motionrep.types import BodyMotion, JointMotion, Keypoints

KEYPOINTS = {
    "xy_px": torch.rand(3, 17, 2), "confidence": torch.ones(3, 17), "layout": COCO_17, "fps": 30.0, "width_px": 640,
    "height_px": 480,
}  # fmt: skip
BODY = {
    "local_rotmat": torch.eye(3).repeat(3, 24, 1, 1), "translation_m": torch.zeros(3, 3), "betas": torch.zeros(10),
    "body_model": "open", "fps": 30.0, "frame": "world",
}  # fmt: skip
JOINTS = {"position_m": torch.zeros(3, 24, 3), "layout": SMPL_24, "fps": 30.0, "frame": "world"}
CAMERA = {"focal_px": 500.0, "center_px": (320.0, 240.0), "width_px": 640, "height_px": 480}
NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("made", "fields", "changes"),
    [
        (Keypoints, KEYPOINTS, {"xy_px": KEYPOINTS["xy_px"] * 1e32}),
        (Keypoints, KEYPOINTS, {"xy_px": torch.zeros(0, 17, 2), "confidence": torch.zeros(0, 17)}),
        (Keypoints, KEYPOINTS, {"confidence": KEYPOINTS["confidence"] * 1e30}),
        (Keypoints, KEYPOINTS, {"fps": 0.001}),
        (Keypoints, KEYPOINTS, {"first_frame": -5}),
        (Keypoints, KEYPOINTS, {"first_frame": 10**400}),
        (Keypoints, KEYPOINTS, {"width_px": 10**9}),
        (BodyMotion, BODY, {"local_rotmat": torch.rand(3, 24, 3, 3)}),
        (BodyMotion, BODY, {"local_rotmat": -BODY["local_rotmat"]}),
        (BodyMotion, BODY, {"translation_m": torch.full((3, 3), 1e30)}),
        (BodyMotion, BODY, {"betas": torch.full((10,), 1e30)}),
        (BodyMotion, BODY, {"expression": torch.full((3, 10), INFINITE)}),
        (BodyMotion, BODY, {"first_frame": -1}),
        (JointMotion, JOINTS, {"position_m": torch.full((3, 24, 3), 1e30)}),
        (JointMotion, JOINTS, {"position_m": torch.zeros(0, 24, 3)}),
        (PinholeCamera, CAMERA, {"focal_px": 0.0}),
        (PinholeCamera, CAMERA, {"focal_px": NAN}),
        (PinholeCamera, CAMERA, {"center_px": (INFINITE, 0.0)}),
        (PinholeCamera, CAMERA, {"width_px": -640}),
        (PinholeCamera, CAMERA, {"camera_from_world": 2 * torch.eye(4)}),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_field(made, fields, changes):
    made(**fields)
    with pytest.raises(ValueError, match="|".join(f"{made.__name__}.{name}" for name in changes)):
        made(**fields | changes)


def test_rotations_may_be_a_little_off_and_stay_as_they_are():
    rotmat = BODY["local_rotmat"] * 1.004
    assert torch.equal(BodyMotion(**BODY | {"local_rotmat": rotmat}).local_rotmat, rotmat)


@pytest.mark.parametrize(
    "checked",
    [
        lambda: check.require_fps("A", True),
        lambda: check.require_fps("A", "30"),
        lambda: check.whole("A.first_frame", 0.5),
        lambda: check.whole("A.first_frame", True),
        lambda: check.whole("A.first_frame", None),
        lambda: check.picture_size("A", "640", 480),
        lambda: check.require_text("A.person", 3),
        lambda: check.labels("A.labels", ("a", 3)),
        lambda: check.labels("A.labels", "ab"),
    ],
)
def test_values_of_other_types_are_refused(checked):
    """The tests execute annotations, which users do not."""
    with pytest.raises(ValueError, match=r"^A\."):
        checked()
