import dataclasses

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.detector_noise import DetectorNoise
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.geometry.cameras import project, to_camera
from motionrep.layouts import COCO_17, H36M_17, HALPE_26
from motionrep.motion.axes import in_camera

EXACT = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.0)


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def motion():
    return authored_motion("walk", 1, seconds=2.0)


def _rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("size_px", [(1280, 720), (480, 640)])
@pytest.mark.parametrize("seed", range(4))
def test_the_camera_sees_the_whole_clip_from_above_the_floor(body, motion, seed, size_px):
    camera = random_camera(motion, body, _rng(seed), *size_px)
    joint_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    seen_m = to_camera(joint_m, camera)
    share = project(seen_m, camera) / torch.tensor(size_px)
    assert 0.05 < float(share.min()) < float(share.max()) < 0.95
    assert float(seen_m[..., 2].min()) > 1
    turn, shift_m = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    assert float((-turn.T @ shift_m)[1]) > 0
    assert float(seen_m[:, H36M_17.index("head"), 1].max()) < float(seen_m[:, H36M_17.index("left_ankle"), 1].min())


def test_cameras_differ_with_the_generator_and_with_it_alone(body, motion):
    first, again, other = (random_camera(motion, body, _rng(seed)).camera_from_world for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("layout", [H36M_17, COCO_17, HALPE_26], ids=lambda layout: layout.name)
def test_the_truth_in_the_camera_projects_to_the_keypoints(body, motion, layout):
    camera = random_camera(motion, body, _rng())
    seen = in_camera(motion, body, camera)
    clip = simulated_keypoints(seen, body, camera, layout, _rng(), EXACT)
    expected = project(body.points(layout, seen.local_rotmat, seen.betas, seen.translation_m), camera)
    torch.testing.assert_close(clip.xy_px, expected, atol=0.01, rtol=0)
    world_m = body.points(layout, motion.local_rotmat, motion.betas, motion.translation_m)
    torch.testing.assert_close(clip.xy_px, project(to_camera(world_m, camera), camera), atol=0.05, rtol=0)
    assert (clip.layout, clip.fps, clip.width_px, clip.height_px) == (layout, motion.fps, 1280, 720)
    assert float(clip.confidence.min()) > 0


def test_the_surface_in_the_camera_is_the_surface_in_the_world_seen_from_there(body, motion):
    """The root turns about the pelvis, which is not the origin of the body: the translation has to make up for it."""
    motion = dataclasses.replace(motion, betas=torch.linspace(-2, 2, 10))
    camera = random_camera(motion, body, _rng(2))
    seen = in_camera(motion, body, camera)
    assert seen.frame == "camera"
    torch.testing.assert_close(
        body.mesh(seen).vertex_m, to_camera(body.mesh(motion).vertex_m, camera), atol=1e-4, rtol=0
    )


def test_filming_changes_no_argument_and_repeats_itself(body, motion):
    before = motion.local_rotmat.clone(), motion.translation_m.clone()
    camera = random_camera(motion, body, _rng())
    seen = in_camera(motion, body, camera)
    first, again = (simulated_keypoints(seen, body, camera, COCO_17, _rng(5)) for _ in range(2))
    assert torch.equal(first.xy_px, again.xy_px)
    assert torch.equal(before[0], motion.local_rotmat)
    assert torch.equal(before[1], motion.translation_m)


def test_a_motion_in_the_wrong_frame_of_reference_is_refused(body, motion):
    """Moved into the camera twice, or never, a motion would be filmed from elsewhere without a word."""
    camera = random_camera(motion, body, _rng())
    seen = in_camera(motion, body, camera)
    with pytest.raises(ValueError, match="must be in world axes, got camera axes"):
        in_camera(seen, body, camera)
    with pytest.raises(ValueError, match="must be in world axes, got camera axes"):
        random_camera(seen, body, _rng())
    with pytest.raises(ValueError, match="must be in camera axes, got world axes"):
        simulated_keypoints(motion, body, camera, COCO_17, _rng())


def test_a_single_frame_is_enough(body):
    motion = authored_motion("wave", 0, seconds=1 / 30)
    camera = random_camera(motion, body, _rng())
    assert simulated_keypoints(in_camera(motion, body, camera), body, camera, HALPE_26, _rng()).frame_count == 1
