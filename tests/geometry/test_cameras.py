import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.cameras import (
    PinholeCamera,
    camera_from_world_looking,
    fitted_camera,
    project,
    to_camera,
    translation_from_keypoints,
)
from motionrep.layouts import H36M_17

coordinate = st.floats(-5, 5, width=32)


def looking(eye, target, roll_rad=0.0):
    return camera_from_world_looking(torch.tensor(eye), torch.tensor(target), roll_rad)


def pixel(point_world, camera):
    return project(to_camera(torch.tensor(point_world), camera), camera)


def test_projection_by_hand():
    """1 m right and 0.5 m down at 2 m: 1000/2 px right and 250 px down of the centre (640, 360)."""
    camera = PinholeCamera(1000.0, (640.0, 360.0), 1280, 720)
    points = torch.tensor([[1.0, 0.5, 2.0], [0.0, 0.0, 7.0], [-0.4, -0.2, 1.0]])
    assert project(points, camera).tolist() == [[1140.0, 610.0], [640.0, 360.0], pytest.approx([240.0, 160.0])]


def test_the_field_of_view_spans_the_image():
    camera = PinholeCamera.from_hfov(1920, 1080, 90.0)
    assert camera.focal_px == pytest.approx(960)
    assert camera.center_px == (960.0, 540.0)
    edge = project(torch.tensor([math.tan(math.radians(45)), 0.0, 1.0]), camera)
    torch.testing.assert_close(edge, torch.tensor([1920.0, 540.0]))


@pytest.mark.parametrize("hfov_deg", [0.0, 180.0, -50.0])
def test_impossible_fields_of_view_are_errors(hfov_deg):
    with pytest.raises(ValueError, match="hfov_deg must lie between 0 and 180"):
        PinholeCamera.from_hfov(1920, 1080, hfov_deg)


def test_world_to_camera_by_hand():
    """From (0, 1, 4) towards -z: world x is right, up is -y, and the origin is 4 m ahead and 1 m below."""
    transform = looking([0.0, 1.0, 4.0], [0.0, 1.0, 0.0])
    expected = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 1], [0, 0, -1, 4], [0, 0, 0, 1]])
    torch.testing.assert_close(transform, expected)


@given(st.tuples(coordinate, coordinate, coordinate), st.floats(1, 5), st.floats(0, 6), st.floats(-3, 3))
def test_the_camera_is_a_rigid_transform_that_sees_its_target_in_the_middle(eye, distance, azimuth, roll):
    target = [eye[0] + distance * math.cos(azimuth), eye[1] - 0.7, eye[2] + distance * math.sin(azimuth)]
    transform = looking(list(eye), target, roll)
    rotation = transform[:3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-5, rtol=0)
    assert float(torch.linalg.det(rotation)) == pytest.approx(1, abs=1e-5)
    camera = PinholeCamera(1000.0, (640.0, 360.0), 1280, 720, transform)
    torch.testing.assert_close(pixel(target, camera), torch.tensor([640.0, 360.0]), atol=0.05, rtol=0)


def test_up_in_the_world_is_up_in_the_picture_and_right_is_right():
    camera = PinholeCamera(1000.0, (640.0, 360.0), 1280, 720, looking([3.0, 1.5, 3.0], [0.0, 1.0, 0.0]))
    assert pixel([0.0, 1.5, 0.0], camera)[1] < 360
    # Seen from (3, ., 3) towards the origin, the right-hand side is (1, 0, -1).
    assert pixel([0.5, 1.0, -0.5], camera)[0] > 640


def test_positive_roll_turns_the_picture_anticlockwise():
    camera = PinholeCamera(1000.0, (640.0, 360.0), 1280, 720, looking([0.0, 0.0, 4.0], [0.0, 0.0, 0.0], math.pi / 2))
    torch.testing.assert_close(pixel([0.0, 1.0, 0.0], camera), torch.tensor([390.0, 360.0]), atol=1e-2, rtol=0)
    torch.testing.assert_close(pixel([1.0, 0.0, 0.0], camera), torch.tensor([640.0, 110.0]), atol=1e-2, rtol=0)


@pytest.mark.parametrize("target", [[0.0, 5.0, 0.0], [0.0, -5.0, 0.0], [0.0, 1.0, 0.0]])
def test_looking_straight_up_or_down_or_nowhere_is_an_error(target):
    """Such a camera once had a "rotation" of zeros."""
    with pytest.raises(ValueError, match="straight above or below"):
        looking([0.0, 1.0, 0.0], target)


def walking_person():
    generator = torch.Generator().manual_seed(0)
    point_m = torch.randn(20, 17, 3, generator=generator) * torch.tensor([0.3, 0.6, 0.2])
    time = torch.linspace(0, 1, 20)
    translation_m = torch.stack([time - 0.5, 0.1 * time, 4 + time], dim=-1)
    return point_m, translation_m


def test_the_translation_is_found_from_exact_keypoints():
    camera = PinholeCamera.from_hfov(1920, 1080)
    point_m, translation_m = walking_person()
    xy_px = project(point_m + translation_m[:, None], camera)
    found = translation_from_keypoints(point_m, xy_px, torch.ones(20, 17), camera)
    torch.testing.assert_close(found, translation_m, atol=1e-4, rtol=0)


def test_unseen_keypoints_cannot_matter_and_neighbours_carry_an_unseen_frame():
    camera = PinholeCamera.from_hfov(1920, 1080)
    point_m, translation_m = walking_person()
    xy_px = project(point_m + translation_m[:, None], camera)
    confidence = torch.ones(20, 17)
    confidence[8:11] = 0
    confidence[:, 3] = 0
    xy_px[confidence == 0] = 12345.0
    found = translation_from_keypoints(point_m, xy_px, confidence, camera)
    torch.testing.assert_close(found, translation_m, atol=1e-3, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips_have_a_translation_too(frames):
    camera = PinholeCamera.from_hfov(1920, 1080)
    point_m, translation_m = (tensor[:frames] for tensor in walking_person())
    xy_px = project(point_m + translation_m[:, None], camera)
    found = translation_from_keypoints(point_m, xy_px, torch.ones(frames, 17), camera)
    torch.testing.assert_close(found, translation_m, atol=1e-4, rtol=0)


def test_a_person_nobody_saw_has_no_translation():
    with pytest.raises(ValueError, match="confidence above 0"):
        translation_from_keypoints(
            torch.zeros(2, 17, 3), torch.zeros(2, 17, 2), torch.zeros(2, 17), PinholeCamera.from_hfov(640, 480)
        )


def test_a_person_who_comes_late_and_leaves_early_stands_still_meanwhile():
    """Frames outside the sighting were once extrapolated, through the camera and out of the room."""
    camera = PinholeCamera.from_hfov(1000, 800)
    point_m = torch.randn(300, 17, 3, generator=torch.Generator().manual_seed(0)) * 0.3
    true_m = torch.tensor([0.0, 0.0, 4.0]) + torch.arange(300)[:, None] * torch.tensor([0.01, 0.0, 0.0])
    confidence = torch.zeros(300, 17)
    confidence[100:150] = 1
    found_m = translation_from_keypoints(point_m, project(point_m + true_m[:, None], camera), confidence, camera)
    expected_m = true_m[torch.arange(300).clamp(100, 149)]
    torch.testing.assert_close(found_m, expected_m, atol=1e-4, rtol=0)


@pytest.mark.parametrize("hfov_deg", [30.0, 50.0, 85.0])
def test_the_field_of_view_is_found_from_a_walk_towards_the_camera(hfov_deg):
    motion = authored_motion("walk", seconds=3.0)
    body = load_body_model("open")
    point_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    camera = PinholeCamera.from_hfov(1280, 720, hfov_deg)
    seen_m = point_m * torch.tensor([1.0, -1.0, -1.0]) + torch.tensor([0.2, 0.8, 3.5])
    xy_px = project(seen_m, camera)
    root_m = seen_m - seen_m[:, :1]
    found = fitted_camera(root_m, xy_px, torch.ones(xy_px.shape[:2]), 1280, 720)
    assert found.focal_px == pytest.approx(camera.focal_px, rel=0.05)


def test_weak_perspective_meets_the_keypoints_from_far_away():
    camera = PinholeCamera.from_hfov(1280, 720, 2.0)
    point_m = 0.4 * torch.randn(8, 17, 3, generator=torch.Generator().manual_seed(0))
    xy_px = 200 * point_m[..., :2] + torch.tensor([640.0, 360.0])  # scaled and shifted: weak perspective itself
    moved_m = translation_from_keypoints(point_m, xy_px, torch.ones(8, 17), camera)
    torch.testing.assert_close(project(point_m + moved_m[:, None], camera), xy_px, atol=1.5, rtol=0)
