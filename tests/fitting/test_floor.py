"""People before one camera on one floor."""

from dataclasses import replace

import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.fitting.floor import camera_on_floor, moved_to_floor
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project
from motionrep.motion.axes import in_camera, in_world
from motionrep.motion.contacts import PARTS, Ground, motion_contacts
from motionrep.types import BodyMotion

PLAIN = PinholeCamera.from_hfov(1920, 1080)
HEIGHT_M = 1.6
PLACES_M = ((-1.5, 0.0), (0.0, -2.0), (1.5, 1.0))
FRAMES = 24


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def camera():
    """It looks down a little, and is rolled by 3 degrees."""
    eye_m, target_m = torch.tensor([0.0, HEIGHT_M, 5.0]), torch.tensor([0.0, 0.9, 0.0])
    return replace(PLAIN, camera_from_world=camera_from_world_looking(eye_m, target_m, 0.05))


@pytest.fixture(scope="module")
def people():
    """Three who walk on one floor, in world axes."""
    walk = authored_motion("walk", seconds=1.0).cut(0, FRAMES)
    return [replace(walk, translation_m=walk.translation_m + torch.tensor([x, 0.0, z])) for x, z in PLACES_M]


@pytest.fixture(scope="module")
def grounds(people, body, camera):
    """What a perfect head says of each."""
    up = camera.camera_from_world[:3, 1].expand(FRAMES, 3)
    return [Ground(up, 0.98 * motion_contacts(motion, body).float() + 0.01, 30.0) for motion in people]


def _farther(motion: BodyMotion, factor: float, body) -> BodyMotion:
    pelvis_m = body.rest_joints(motion.betas)[0]
    return replace(motion, translation_m=factor * (motion.translation_m + pelvis_m) - pelvis_m)


def _apart_deg(one: PinholeCamera, other: PinholeCamera) -> float:
    return float(
        torch.rad2deg(torch.acos((one.camera_from_world[:3, 1] @ other.camera_from_world[:3, 1]).clamp(max=1)))
    )


def _height_m(camera: PinholeCamera) -> float:
    return -float(camera.camera_from_world[:3, 1] @ camera.camera_from_world[:3, 3])


def _lowest_m(motion: BodyMotion, camera: PinholeCamera) -> torch.Tensor:
    return in_world(motion, camera).mesh().vertex_m[::6, :, 1].amin(-1)


def test_the_camera_stands_above_the_floor_that_people_walk_on(people, grounds, body, camera):
    seen = [in_camera(motion, body, camera) for motion in people]
    found = camera_on_floor(seen, grounds, PLAIN)
    assert _apart_deg(found, camera) < 1.0
    assert _height_m(found) == pytest.approx(HEIGHT_M, abs=0.05)
    assert found.focal_px == PLAIN.focal_px
    lowest_m = torch.cat([_lowest_m(motion, found) for motion in seen])
    assert float(lowest_m.abs().max()) < 0.06


def test_people_who_are_placed_too_far_away_come_back_to_one_floor(people, grounds, body, camera):
    """Each distance is off by some percent, and up by 3 degrees: floors of their own before, one floor after."""
    tilt = roma.rotvec_to_rotmat(torch.tensor([0.05, 0.0, 0.0]))
    told = [replace(ground, up=ground.up @ tilt.T) for ground in grounds]
    seen = [_farther(in_camera(m, body, camera), f, body) for m, f in zip(people, (1.06, 0.95, 1.0), strict=True)]
    found = camera_on_floor(seen, told, PLAIN)
    assert _apart_deg(found, camera) < 3.5
    moved = [moved_to_floor(motion, ground, found) for motion, ground in zip(seen, told, strict=True)]
    before_m, after_m = (torch.stack([_lowest_m(m, found).mean() for m in some]) for some in (seen, moved))
    assert float(before_m.max() - before_m.min()) > 0.04
    assert float(after_m.max() - after_m.min()) < 0.015
    for motion, shifted in zip(seen, moved, strict=True):
        shown_px = [project(it.joints().position_m, PLAIN) for it in (motion, shifted)]
        assert float((shown_px[1] - shown_px[0]).norm(dim=-1).mean()) < 12


def test_who_jumps_stays_in_the_air(people, grounds, body, camera):
    """Nothing touches the floor in the middle of the clip, where the person is raised by 30 cm."""
    in_air = torch.zeros(FRAMES, 1)
    in_air[8:16] = 1
    jump = replace(people[0], translation_m=people[0].translation_m + 0.3 * in_air * torch.tensor([0.0, 1.0, 0.0]))
    told = replace(grounds[0], contact=grounds[0].contact * (1 - in_air))
    moved = moved_to_floor(in_camera(jump, body, camera), told, camera)
    height_m = in_world(moved, camera).mesh().vertex_m[..., 1].amin(-1)
    assert float(height_m[9:15].min()) > 0.22
    assert float(height_m[:7].abs().max()) < 0.06


def test_without_contacts_the_lowest_points_are_the_floor(people, grounds, body, camera):
    seen = in_camera(people[0], body, camera)
    told = replace(grounds[0], contact=torch.zeros(FRAMES, len(PARTS)))
    found = camera_on_floor([seen], [told], PLAIN)
    assert _height_m(found) == pytest.approx(HEIGHT_M, abs=0.06)
    torch.testing.assert_close(moved_to_floor(seen, told, found).translation_m, seen.translation_m)


def test_one_frame_is_enough(people, grounds, body, camera):
    seen, told = in_camera(people[0], body, camera).cut(0, 1), Ground(grounds[0].up[:1], grounds[0].contact[:1], 30.0)
    found = camera_on_floor([seen], [told], PLAIN)
    assert float(_lowest_m(moved_to_floor(seen, told, found), found).abs().max()) < 0.05


def test_errors_say_what_does_not_fit(people, grounds, body, camera):
    with pytest.raises(ValueError, match="nobody is there"):
        camera_on_floor([], [], PLAIN)
    with pytest.raises(ValueError, match="camera axes"):
        camera_on_floor(people[:1], grounds[:1], PLAIN)
    with pytest.raises(ValueError, match="24 frames, the motion has 10"):
        moved_to_floor(in_camera(people[0], body, camera).cut(0, 10), grounds[0], camera)
