"""Flip averaging of every kind of result, and what it is worth."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import motionrep
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.evaluation.metrics import mpjpe_mm
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.head_api.flip_averaging import flip_averaged_output
from motionrep.layouts import H36M_17, SMPL_24
from motionrep.motion.axes import in_camera
from motionrep.types import ActionScores, ActionTimeline, BodyMotion, JointMotion

SIGN = torch.tensor([-1.0, 1.0, 1.0])


def _joints(seed=0, frame="camera"):
    generator = torch.Generator().manual_seed(seed)
    return JointMotion(torch.randn(5, 17, 3, generator=generator), H36M_17, 30.0, frame, first_frame=3)


def _body(seed=0):
    motion = replace(authored_motion("wave", seed, seconds=0.5), frame="camera")
    return replace(motion, betas=torch.randn(10, generator=torch.Generator().manual_seed(seed)))


def _mirrored_joints(motion):
    return replace(motion, position_m=motion.position_m[:, H36M_17.flip_indices] * SIGN)


def _mirrored_body(motion):
    """By points of the body alone it would not be unique; `test_body` says that this is the mirrored surface."""
    sign = torch.diag(SIGN)
    return replace(
        motion,
        local_rotmat=sign @ motion.local_rotmat[:, SMPL_24.flip_indices] @ sign,
        translation_m=motion.translation_m * SIGN,
    )


def test_a_motion_and_its_mirror_image_average_to_the_motion():
    joints, body = _joints(), _body()
    torch.testing.assert_close(motionrep.flip_averaged(joints, _mirrored_joints(joints)).position_m, joints.position_m)
    averaged = motionrep.flip_averaged(body, _mirrored_body(body))
    for name in ("local_rotmat", "translation_m", "betas"):
        torch.testing.assert_close(getattr(averaged, name), getattr(body, name), atol=1e-5, rtol=0)
    assert averaged.body_model == body.body_model
    assert motionrep.flip_averaged(joints, _mirrored_joints(joints)).first_frame == 3


@pytest.mark.parametrize(("make", "mirror"), [(_joints, _mirrored_joints), (_body, _mirrored_body)])
def test_which_of_the_two_was_mirrored_only_mirrors_the_mean(make, mirror):
    one, other = make(0), make(1)
    mean, mirrored = motionrep.flip_averaged(one, other), motionrep.flip_averaged(other, one)
    for name in ("position_m",) if isinstance(mean, JointMotion) else ("local_rotmat", "translation_m", "betas"):
        torch.testing.assert_close(getattr(mirror(mean), name), getattr(mirrored, name), atol=1e-5, rtol=0)


def test_rotations_meet_half_way():
    body = _body()
    quarter = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # about x, which the mirror keeps
    eighth = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5**0.5, -(0.5**0.5)], [0.0, 0.5**0.5, 0.5**0.5]])
    still = replace(body, local_rotmat=torch.eye(3).expand_as(body.local_rotmat))
    turned = replace(body, local_rotmat=quarter.expand_as(body.local_rotmat))
    averaged = motionrep.flip_averaged(still, turned).local_rotmat
    torch.testing.assert_close(averaged, eighth.expand_as(averaged), atol=1e-6, rtol=0)


def test_probabilities_of_actions_are_averaged_and_sides_swapped_back():
    labels = ("left_kick", "jump", "right_kick")
    scores = ActionScores(torch.tensor([0.6, 0.3, 0.1]).log(), labels)
    of_mirrored = ActionScores(torch.tensor([0.3, 0.5, 0.2]).log() + 7, labels)
    averaged = motionrep.flip_averaged(scores, of_mirrored)
    torch.testing.assert_close(averaged.probability(), torch.tensor([0.4, 0.4, 0.2]))
    timelines = [ActionTimeline(one.probability()[None], labels, 30.0) for one in (scores, of_mirrored)]
    torch.testing.assert_close(motionrep.flip_averaged(*timelines).probability[0], averaged.probability())


@pytest.mark.parametrize(
    ("one", "other", "error", "said"),
    [
        (_joints(), _body(), TypeError, "JointMotion and BodyMotion"),
        (_joints(), replace(_joints(), position_m=torch.zeros(4, 17, 3)), ValueError, "frames: 5 and 4"),
        (_joints(frame="world"), _joints(frame="world"), ValueError, "world axes"),
        (_joints(), _joints(frame="root"), ValueError, "axes: camera and root"),
        (_body(), replace(_body(), body_model="smpl-neutral"), ValueError, "body: open and smpl-neutral"),
        (
            *(replace(_body(), local_rotmat=torch.eye(3).expand(_body().frame_count, 55, 3, 3)) for _ in "ab"),
            ValueError, "24 joints, got 55",
        ),
        (
            ActionScores(torch.zeros(2), ("a", "b")), ActionScores(torch.zeros(2), ("b", "a")),
            ValueError, "differ in labels",
        ),
    ],
)  # fmt: skip
def test_what_does_not_belong_together_is_refused(one, other, error, said):
    with pytest.raises(error, match=said):
        motionrep.flip_averaged(one, other)


def test_a_mirrored_camera_sees_the_mirrored_picture():
    camera = PinholeCamera(900.0, (500.0, 400.0), 1280, 720, torch.tensor(np.eye(4)[[2, 0, 1, 3]]).float())
    point_m = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 0.0, 5.0])
    seen, mirrored = project(point_m, camera), project(point_m * SIGN, camera.mirrored())
    torch.testing.assert_close(mirrored, torch.stack([1280 - seen[:, 0], seen[:, 1]], -1))
    again = camera.mirrored().mirrored()
    assert again.center_px == camera.center_px
    torch.testing.assert_close(again.camera_from_world, camera.camera_from_world)
    world = torch.cat([point_m, torch.ones(20, 1)], -1)
    in_camera_m = world @ camera.camera_from_world.T
    flipped = torch.tensor([-1.0, 1.0, 1.0, 1.0])
    torch.testing.assert_close((world * flipped) @ camera.mirrored().camera_from_world.T, in_camera_m * flipped)


def test_it_lowers_the_error_of_the_shipped_heads():
    """Of three clips together; for one alone it need not."""
    encoder = motionrep.load_encoder("ktpformer-s")
    body, rng = motionrep.load_body_model("open"), np.random.default_rng(0)
    heads = {name: motionrep.load_head(f"{name}-ktpformer-s") for name in ("pose3d", "mesh")}
    errors = {name: np.zeros(2) for name in heads}
    for name in ("walk", "wave", "jump"):
        motion = authored_motion(name, seconds=2.0)
        camera = random_camera(motion, body, rng)
        motion = in_camera(motion, body, camera)
        clip = simulated_keypoints(motion, body, camera, H36M_17, rng)
        ways = [motionrep.embed(one, encoder) for one in (clip, motionrep.mirrored(clip))]
        for kind, head in heads.items():
            results = [head.predict(way) for way in ways]
            for row, result in enumerate((results[0], motionrep.flip_averaged(*results))):
                errors[kind][row] += float(mpjpe_mm(_relative(result, body), _relative(motion, body)).mean())
    for kind, (single, averaged) in errors.items():
        assert averaged < single, kind


def _relative(motion, body):
    if isinstance(motion, BodyMotion):
        position_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    else:
        position_m = motion.position_m
    return position_m - position_m[:, :1]


def test_the_mirrored_clip_gets_the_mirrored_motion(tiny, tmp_path):
    """From the command, in a camera whose centre is not in the middle of the picture."""
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    camera = PinholeCamera(1500.0, (900.0, 500.0), 1920, 1080)
    for name, person, seen in (("clip", clip, camera), ("other", motionrep.mirrored(clip), camera.mirrored())):
        motionrep.save_keypoints([person], tmp_path / f"{name}.npz")
        content = {"fx": seen.focal_px, "cx": seen.center_px[0], "cy": seen.center_px[1]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        options = ["--encoder", str(tiny / "encoder"), "--camera", str(tmp_path / f"{name}.json"), "--flip"]
        heads = [word for kind in ("mesh", "pose3d", "action") for word in ("--head", str(tiny / kind))]
        command = ["predict", str(tmp_path / f"{name}.npz"), *heads, *options, "--output", str(tmp_path / "out")]
        assert cli.main(command) == 0
    one, other = (motionrep.load_motion(tmp_path / "out" / f"{name}_0_mesh.npz") for name in ("clip", "other"))
    torch.testing.assert_close(_mirrored_body(one).local_rotmat, other.local_rotmat, atol=1e-3, rtol=0)
    torch.testing.assert_close(_mirrored_body(one).translation_m, other.translation_m, atol=1e-3, rtol=1e-4)
    one, other = (motionrep.load_joint_motion(tmp_path / "out" / f"{name}_0_pose3d.npz") for name in ("clip", "other"))
    torch.testing.assert_close(_mirrored_joints(one).position_m, other.position_m, atol=1e-3, rtol=1e-4)
    one, other = (json.loads((tmp_path / "out" / f"{name}_0.json").read_text()) for name in ("clip", "other"))
    assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_outputs_of_heads_are_averaged_as_results_are():
    joints, bodies = (_joints(0), _joints(1)), (_body(0), _body(1))
    logit = torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(0))
    outputs = [
        {"position_m": j.position_m[None], "local_rotmat": b.local_rotmat[None], "betas": b.betas[None], "logit": one}
        for j, b, one in zip(joints, bodies, logit, strict=True)
    ]
    labels = ("left_kick", "a", "b", "right_kick")
    averaged = flip_averaged_output(*outputs, labels)
    assert averaged.keys() == outputs[0].keys()
    torch.testing.assert_close(averaged["position_m"][0], motionrep.flip_averaged(*joints).position_m)
    torch.testing.assert_close(averaged["local_rotmat"][0], motionrep.flip_averaged(*bodies).local_rotmat)
    scores = [ActionScores(one[0], labels) for one in logit]
    torch.testing.assert_close(averaged["logit"][0], motionrep.flip_averaged(*scores).logit)
