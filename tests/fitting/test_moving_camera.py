"""People before a camera that moves, in the world of its way."""

from dataclasses import replace

import pytest
import roma
import torch

from motionrep.body import BodyModel, load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.evaluation.world_scores import WorldScores
from motionrep.fitting.floor import camera_on_floor
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project, to_camera
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_camera, in_world
from motionrep.motion.contacts import Ground, motion_contacts
from motionrep.pipeline.floor import on_one_floor
from motionrep.pipeline.result import Recovered
from motionrep.types import BodyMotion, Keypoints, MotionEmbedding

PLAIN = PinholeCamera.from_hfov(1280, 720)
FIRST, FRAMES = 5, 30
EYE_M = torch.tensor([2.0, 1.5, 0.3])


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def walk():
    """Who is seen from frame 5 of the video on, in world axes."""
    return replace(authored_motion("walk", seconds=1.5).cut(0, FRAMES), first_frame=FIRST)


@pytest.fixture(scope="module")
def camera(walk):
    """It walks beside the person, turns, and gains on it, in a world whose floor is y = 0."""
    return _walking(walk, rises_m=0.2)


def _walking(walk: BodyMotion, rises_m: float) -> PinholeCamera:
    """From 3 m above the floor it rises, or sinks, while it walks."""
    at = torch.linspace(0, 1, FIRST + FRAMES)[:, None]
    middle_m = walk.translation_m.mean(0) * torch.tensor([1.0, 0.0, 1.0])
    eye_m = middle_m + 2 * EYE_M + at * torch.tensor([-1.5, rises_m, 1.0])
    target_m = middle_m + torch.tensor([0.0, 0.9, 0.0]) + at * torch.tensor([0.0, 0.0, 0.5])
    poses = [camera_from_world_looking(*both) for both in zip(eye_m, target_m, strict=True)]
    return replace(PLAIN, camera_from_world=torch.stack(poses))


@pytest.fixture(scope="module")
def ground(walk, body, camera):
    """What a perfect head says."""
    up = camera.camera_from_world[FIRST:, :3, 1]
    return Ground(up, 0.98 * motion_contacts(walk, body).float() + 0.01, 30.0, FIRST)


def _elsewhere(camera: PinholeCamera, scale: float) -> PinholeCamera:
    """The way of the camera in a world of other axes, origin and scale."""
    turn = roma.rotvec_to_rotmat(torch.tensor([1.2, -0.4, 2.0]))
    pose = camera.camera_from_world.clone()
    world_from_other = torch.eye(4)
    world_from_other[:3, :3], world_from_other[:3, 3] = turn, torch.tensor([3.0, -2.0, 1.0])
    pose = pose @ world_from_other
    pose[:, :3, 3] *= scale
    return replace(camera, camera_from_world=pose, world="any")


def _way_m(camera: PinholeCamera) -> torch.Tensor:
    pose = camera.camera_from_world
    return (-pose[:, :3, :3].mT @ pose[:, :3, 3:])[..., 0]


def test_the_world_of_a_camera_that_moves(walk, body, camera):
    seen = in_camera(walk, body, camera)
    assert seen.first_frame == FIRST
    there_m, here_m = (body.joints(it.local_rotmat, it.betas, it.translation_m) for it in (walk, seen))
    shown_m = to_camera(there_m, camera.during(FIRST, FRAMES))
    torch.testing.assert_close(shown_m, here_m, atol=1e-4, rtol=0)
    torch.testing.assert_close(in_world(seen, camera).translation_m, walk.translation_m, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match=r"35 poses, but somebody is in frames 6 to 35; give a pose for each frame"):
        in_world(replace(seen, first_frame=FIRST + 1), camera)


def test_the_floor_is_found_in_a_world_of_unknown_axes_and_scale(walk, body, camera, ground):
    found = camera_on_floor([in_camera(walk, body, camera)], [ground], _elsewhere(camera, 0.4))
    assert found.world == "floor"
    lowest_m = in_world(in_camera(walk, body, camera), found).mesh().vertex_m[..., 1].amin(-1)
    assert float(lowest_m.abs().max()) < 0.06
    up, true_up = (it.camera_from_world[:, :3, 1] for it in (found, camera))
    assert float((up * true_up).sum(-1).min()) > 0.999
    length_m, true_m = ((_way_m(it)[-1] - _way_m(it)[0]).norm() for it in (found, camera))
    assert float(length_m) == pytest.approx(float(true_m), rel=0.1)


def test_an_upright_world_keeps_its_axes_and_gets_a_floor(walk, body, camera, ground):
    lower = torch.eye(4)
    lower[1, 3] = 1.1  # the given world's y = 0 is 1.1 m above the floor
    given = replace(camera, camera_from_world=camera.camera_from_world @ lower, world="upright")
    found = camera_on_floor([in_camera(walk, body, camera)], [ground], given)
    torch.testing.assert_close(found.camera_from_world[..., :3], camera.camera_from_world[..., :3])
    torch.testing.assert_close(_way_m(found), _way_m(camera), atol=0.04, rtol=0)


def _recovered(
    walk, body, camera, ground, known: PinholeCamera | None, predicted: BodyMotion | None = None
) -> Recovered:
    """The person with perfect keypoints, predicted 5 % too far away if not otherwise."""
    seen = in_camera(walk, body, camera)
    xy_px = project(seen.joints(H36M_17).position_m, PLAIN)
    clip = Keypoints(xy_px, torch.ones(FRAMES, 17), H36M_17, 30.0, 1280, 720, first_frame=FIRST)
    pelvis_m = body.rest_joints(seen.betas)[0]
    mesh = predicted or replace(seen, translation_m=1.05 * (seen.translation_m + pelvis_m) - pelvis_m)
    embedding = MotionEmbedding(torch.zeros(FRAMES, 17, 4), clip, "none")
    return Recovered(0, clip, embedding, {"mesh": mesh, "ground": ground}, camera=known)


@pytest.mark.parametrize("refine", [False, True])
def test_with_its_way_the_motion_in_the_world_is_right(walk, body, camera, ground, refine):
    """The same person under a camera that is taken to stand, and one whose way is known up to axes and scale."""
    result = {}
    for name, known in (("stands", None), ("moves", _elsewhere(camera, 0.4))):
        (person,) = on_one_floor([_recovered(walk, body, camera, ground, known)], refine)
        motion = person.saved("mesh")
        assert isinstance(motion, BodyMotion)
        assert motion.frame == "world"
        scores = WorldScores(body)
        scores.add(motion, walk)
        result[name] = scores.result()
    for measure in ("w_mpjpe", "rte", "foot_sliding"):
        assert result["moves"][measure] < 0.5 * result["stands"][measure]
    assert result["moves"]["feet_on_floor"] > 90


@pytest.mark.parametrize("seed", range(4))
def test_a_camera_may_sink_below_the_floor_that_people_stand_on(walk, body, seed):
    """People on a stage, and a camera that ends 0.6 m below it, with bodies and contacts as heads predict them.

    Once the lowest place of a way was kept 20 cm above the floor, whatever contacts said. That drew the floor away from
    everybody's feet, and people along the lines of sight with it.
    """
    camera = _walking(walk, rises_m=-3.6)
    seen, ground = _noisy(in_camera(walk, body, camera), body, camera, walk, seed)
    found = camera_on_floor([seen], [ground], _elsewhere(camera, 0.4))
    off_m = _way_m(found)[FIRST:, 1] - _way_m(camera)[FIRST:, 1]
    assert float(off_m.abs().mean()) < 0.3
    length_m, true_m = ((_way_m(it)[-1] - _way_m(it)[FIRST]).norm() for it in (found, camera))
    assert float(length_m) == pytest.approx(float(true_m), rel=0.15)


@pytest.mark.parametrize("seed", range(4))
def test_noisy_bodies_and_wrong_contacts_leave_the_way_useful(walk, body, camera, seed):
    seen, ground = _noisy(in_camera(walk, body, camera), body, camera, walk, seed)
    errors = []
    for known in (_elsewhere(camera, 0.4), None):
        (person,) = on_one_floor([_recovered(walk, body, camera, ground, known, seen)])
        motion = person.saved("mesh")
        assert isinstance(motion, BodyMotion)
        scores = WorldScores(body)
        scores.add(motion, walk)
        errors.append(scores.result())
    moves, stands = errors
    for measure in ("w_mpjpe", "wa_mpjpe", "rte"):
        assert moves[measure] < stands[measure], measure


def _noisy(
    seen: BodyMotion, body: BodyModel, camera: PinholeCamera, walk: BodyMotion, seed: int
) -> tuple[BodyMotion, Ground]:
    """Bodies that drift and lean, up that is 4 degrees off, and a fifth of the contacts wrong."""
    random = torch.Generator().manual_seed(seed)
    at = torch.linspace(0, 1, FRAMES)[:, None]
    slow = torch.cos(torch.pi * torch.arange(4) * at)  # frames x 4
    drift = slow @ (0.004 * torch.randn(4, 1, generator=random))
    pelvis_m = body.rest_joints(seen.betas)[0]
    lean = (slow @ (0.02 * torch.randn(4, 72, generator=random))).unflatten(1, (24, 3))
    turned = seen.local_rotmat @ roma.rotvec_to_rotmat(lean)
    place_m = (1 + drift) * (seen.translation_m + pelvis_m) - pelvis_m
    tilt = roma.rotvec_to_rotmat(0.04 * torch.randn(3, generator=random))
    contact = 0.98 * motion_contacts(walk, body).float() + 0.01
    for part in range(contact.shape[1]):
        first = int(torch.randint(FRAMES - 6, (1,), generator=random))
        contact[first : first + 6, part] = 1 - contact[first : first + 6, part]
    ground = Ground(camera.camera_from_world[FIRST:, :3, 1] @ tilt.T, contact, 30.0, FIRST)
    return replace(seen, local_rotmat=turned, translation_m=place_m), ground
