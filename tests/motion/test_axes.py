"""In other axes, every joint of a body is where the change of axes puts it."""

from dataclasses import replace

import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.motion.axes import in_axes, in_camera, in_world, require_frame
from motionrep.types import BodyMotion


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture
def tumble():
    generator = torch.Generator().manual_seed(0)
    rotmat = roma.rotvec_to_rotmat(torch.randn(5, 24, 3, generator=generator))
    place_m, betas = torch.randn(5, 3, generator=generator), torch.randn(10, generator=generator)
    return BodyMotion(rotmat, place_m, betas, "open", 25.0, "world", first_frame=3)


def joints_m(motion, body):
    return body.joints(motion.local_rotmat, motion.betas, motion.translation_m)


@pytest.mark.parametrize("frames", [(), (5,)])
def test_joints_are_turned_and_shifted(tumble, body, frames):
    """The body turns about its pelvis, which does not rest at the origin; a turned translation alone would be wrong."""
    turn = roma.rotvec_to_rotmat(torch.randn(*frames, 3, generator=torch.Generator().manual_seed(1)))
    shift_m = torch.randn(*frames, 3, generator=torch.Generator().manual_seed(2))
    moved = in_axes(tumble, body, turn, shift_m, "camera")
    expected = (turn.expand(5, 3, 3)[:, None] @ joints_m(tumble, body)[..., None])[..., 0]
    torch.testing.assert_close(joints_m(moved, body), expected + shift_m.expand(5, 3)[:, None], atol=1e-5, rtol=0)
    assert (moved.frame, moved.fps, moved.first_frame) == ("camera", 25.0, 3)
    torch.testing.assert_close(in_axes(tumble, body, turn).local_rotmat, moved.local_rotmat)
    assert in_axes(tumble, body, turn).frame == "world"


def test_there_and_back_gives_the_same_motion(tumble, body):
    pose = camera_from_world_looking(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3), 0.1)
    camera = replace(PinholeCamera.from_hfov(640, 480), camera_from_world=pose)
    seen = in_camera(tumble, body, camera)
    assert seen.frame == "camera"
    back = in_world(seen, camera)
    torch.testing.assert_close(back.local_rotmat, tumble.local_rotmat, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.translation_m, tumble.translation_m, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match=r"must be in world axes, got camera axes; see motion\.axes\.in_world"):
        in_camera(seen, body, camera)
    with pytest.raises(ValueError, match=r"must be in camera axes, got world axes; see motion\.axes\.in_camera"):
        require_frame(back, "camera")
