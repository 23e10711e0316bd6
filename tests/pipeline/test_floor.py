"""People who were recovered from one clip, on one floor."""

from dataclasses import replace

import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.fitting.keypoints import reprojection_error_px
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_camera
from motionrep.motion.contacts import Ground, motion_contacts
from motionrep.motion.loading import load_motion
from motionrep.pipeline.floor import on_one_floor
from motionrep.pipeline.result import Recovered
from motionrep.types import Keypoints, MotionEmbedding

PLAIN = PinholeCamera.from_hfov(1280, 720)
FRAMES = 16


@pytest.fixture(scope="module")
def camera():
    place = camera_from_world_looking(torch.tensor([0.0, 1.5, 5.0]), torch.tensor([0.0, 0.8, 0.0]))
    return replace(PLAIN, camera_from_world=place)


@pytest.fixture(scope="module")
def people(camera):
    """Two who walk on one floor; the first is predicted 7 % too far away."""
    body, walk = load_body_model("open"), authored_motion("walk", seconds=1.0).cut(0, FRAMES)
    found = []
    for index, (x, factor) in enumerate(((-1.0, 1.07), (1.2, 1.0))):
        world = replace(walk, translation_m=walk.translation_m + torch.tensor([x, 0.0, 0.0]))
        seen = in_camera(world, body, camera)
        xy_px = project(seen.joints(H36M_17).position_m, PLAIN)
        clip = Keypoints(xy_px, torch.ones(FRAMES, 17), H36M_17, 30.0, 1280, 720, person=str(index))
        pelvis_m = body.rest_joints(seen.betas)[0]
        mesh = replace(seen, translation_m=factor * (seen.translation_m + pelvis_m) - pelvis_m)
        up = camera.camera_from_world[:3, 1].expand(FRAMES, 3)
        ground = Ground(up, 0.98 * motion_contacts(world, body).float() + 0.01, 30.0)
        embedding = MotionEmbedding(torch.zeros(FRAMES, 17, 4), clip, "none")
        found.append(Recovered(index, clip, embedding, {"mesh": mesh, "ground": ground}))
    return found


def _sole_heights_m(people, folder):
    """Heights of the lowest vertices in the files that are saved."""
    heights = []
    for one in people:
        motion = load_motion(one.save(folder)["mesh"])
        assert motion.frame == "world"
        heights.append(motion.mesh().vertex_m[::4, :, 1].amin(-1))
    return torch.cat(heights)


def test_files_of_all_people_stand_on_the_floor(people, tmp_path):
    found = on_one_floor(people)
    assert found[0].camera is found[1].camera
    assert float(_sole_heights_m(found, tmp_path).abs().max()) < 0.05
    assert [one.results["mesh"].frame for one in found] == ["camera", "camera"]


def test_refinement_keeps_them_there(people, tmp_path):
    found = on_one_floor(people, refine=True)
    assert float(_sole_heights_m(found, tmp_path).abs().max()) < 0.05
    for before, after in zip(people, found, strict=True):
        assert reprojection_error_px(after.motion, after.keypoints) < max(
            3.0, reprojection_error_px(before.motion, before.keypoints)
        )


def test_a_camera_whose_place_is_known_stays(people, camera):
    found = on_one_floor([replace(one, camera=camera) for one in people])
    assert all(one.camera is camera for one in found)


def test_a_person_of_whom_the_ground_is_not_known_stays_where_it_is(people):
    other = replace(people[1], results={"mesh": people[1].results["mesh"]})
    found = on_one_floor([people[0], other])
    assert found[1].results["mesh"] is other.results["mesh"]
    assert found[1].camera is found[0].camera
    assert on_one_floor([other]) == [other]
