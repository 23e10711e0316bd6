from dataclasses import replace

import pytest
import roma
import torch
from paths import WALK_BVH

from motionrep.body.kinematics import body_kinematics, forward_kinematics
from motionrep.body.loading import load_body_model
from motionrep.body.translation import translation_for_betas
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.floor import (
    floor_height_m,
    level_floor,
    put_on_floor,
    rest_of_body_height_m,
    sole_height_m,
)
from motionrep.motion.readers.bvh import motion_from_bvh
from motionrep.motion.retargeting.skeletons import CMU_DAZ, SkeletonMap, find_skeleton
from motionrep.motion.retargeting.to_body import retarget


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def bvh():
    return read_bvh(WALK_BVH)


def _posed(bvh, **rotvec_deg):
    """One frame of the skeleton at rest, with some joints turned about its axes."""
    local_rotmat = torch.eye(3).repeat(1, len(bvh.joints), 1, 1)
    for joint, degrees in rotvec_deg.items():
        local_rotmat[0, bvh.joints.index(joint)] = roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor(degrees)))
    return replace(bvh, local_rotmat=local_rotmat, local_position=bvh.offset[None])


def _joints(motion, body):
    position_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)[0]
    return dict(zip(SMPL_24.joints, position_m, strict=True))


def test_raising_the_left_arm_in_the_file_raises_the_left_arm_of_the_body(bvh, body):
    at_rest = _joints(motion_from_bvh(_posed(bvh), body), body)
    raised = _joints(motion_from_bvh(_posed(bvh, lShldr=[0.0, 0.0, 80.0]), body), body)
    assert float(raised["left_wrist"][1] - at_rest["left_wrist"][1]) > 0.4
    torch.testing.assert_close(raised["right_wrist"], at_rest["right_wrist"])
    assert raised["left_wrist"][0] > 0 > raised["right_wrist"][0]


def test_a_knee_bent_in_the_file_brings_the_foot_back(bvh, body):
    bent = _joints(motion_from_bvh(_posed(bvh, rShin=[90.0, 0.0, 0.0]), body), body)
    assert float(bent["right_ankle"][2] - bent["right_knee"][2]) < -0.3


def test_limb_bones_point_where_the_file_s_do(bvh, body):
    local_rotmat, translation_m = retarget(bvh, CMU_DAZ, body)
    _, position_m = body_kinematics(local_rotmat, translation_m, body.rest_joints(torch.zeros(10)))
    _, theirs = forward_kinematics(bvh.local_rotmat, bvh.local_position, bvh.parents)
    for ours, end in (("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_elbow", "left_wrist")):
        our_bone = position_m[:, SMPL_24.index(end)] - position_m[:, SMPL_24.index(ours)]
        start, stop = bvh.joints.index(CMU_DAZ.joints[ours]), bvh.joints.index(CMU_DAZ.joints[end])
        cosine = torch.cosine_similarity(our_bone, theirs[:, stop] - theirs[:, start], dim=-1)
        assert float(cosine.min()) > 1 - 1e-5


def test_a_twisted_wrist_shares_its_twist_with_the_elbow_and_the_hand_stays(bvh, body):
    """A palm turned by 120 degrees in small steps, then on past the half turn where angles wrap."""
    turns = torch.arange(0.0, 240.0, 10.0)
    axis = torch.nn.functional.normalize(bvh.offset[bvh.joints.index("lHand")], dim=0)
    frames = [_posed(bvh, lHand=(float(turn) * axis).tolist()) for turn in turns]
    clip = replace(
        bvh,
        local_rotmat=torch.cat([frame.local_rotmat for frame in frames]),
        local_position=bvh.offset.repeat(len(turns), 1, 1),
    )
    local_rotmat, translation_m = retarget(clip, CMU_DAZ, body)
    world_rotmat, _ = body_kinematics(local_rotmat, translation_m, body.rest_joints(torch.zeros(10)))
    hand, elbow = SMPL_24.index("left_wrist"), SMPL_24.index("left_elbow")
    turned_deg = torch.rad2deg(roma.rotmat_geodesic_distance(world_rotmat[:-1, hand], world_rotmat[1:, hand]))
    torch.testing.assert_close(turned_deg, torch.full_like(turned_deg, 10.0), atol=0.05, rtol=0)
    shared_deg = torch.rad2deg(roma.rotmat_geodesic_distance(local_rotmat[:-1, elbow], local_rotmat[1:, elbow]))
    torch.testing.assert_close(shared_deg, torch.full_like(shared_deg, 5.0), atol=0.5, rtol=0)


def test_translation_for_betas_is_its_own_inverse_and_the_same_for_a_batch(bvh, body):
    motion = motion_from_bvh(bvh, body)
    root_rotmat, shapes = motion.local_rotmat[:, 0], torch.randn(2, 10, generator=torch.Generator().manual_seed(0))
    moved = translation_for_betas(
        motion.translation_m.expand(2, -1, -1), root_rotmat.expand(2, -1, -1, -1), body, motion.betas, shapes
    )
    for shape, translation_m in zip(shapes, moved, strict=True):
        alone = translation_for_betas(motion.translation_m, root_rotmat, body, motion.betas, shape)
        torch.testing.assert_close(translation_m, alone)
        back = translation_for_betas(translation_m, root_rotmat, body, shape, motion.betas)
        torch.testing.assert_close(back, motion.translation_m, atol=1e-5, rtol=0)


def test_the_floor_is_at_zero_and_a_slope_along_z_is_taken_out(bvh, body):
    motion = put_on_floor(motion_from_bvh(bvh, body), body)
    assert abs(float(floor_height_m(motion, body))) < 1e-6
    places = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    standing = replace(
        motion,
        local_rotmat=motion.local_rotmat[:1].repeat(9, 1, 1, 1),
        translation_m=motion.translation_m[:1] + torch.stack([0 * places, 0 * places, places], -1),
        fps=1.0,
    )
    slope = torch.stack([0 * places, 0.02 * places, 0 * places], -1)
    sloping = replace(standing, translation_m=standing.translation_m + slope)
    levelled = level_floor(sloping, body).translation_m
    torch.testing.assert_close(levelled[:, 1] - levelled[0, 1], torch.zeros(9), atol=1e-4, rtol=0)


@pytest.mark.parametrize("turn_deg", [(90.0, 0.0, 0.0), (-90.0, 0.0, 0.0), (0.0, 0.0, 90.0), (0.0, 0.0, -90.0)])
def test_who_lies_lies_on_the_floor(bvh, body, turn_deg):
    """The floor was where the soles are, so a body that lay had half of itself below it."""
    lying = roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor(turn_deg)))
    walk = motion_from_bvh(bvh, body).cut(10, 30)
    turned = torch.cat([(lying @ walk.local_rotmat[:, 0])[:, None], walk.local_rotmat[:, 1:]], 1)
    motion = put_on_floor(replace(walk, local_rotmat=turned, translation_m=torch.zeros(20, 3)), body)
    on_trunk = [SMPL_24.joints[joint] in ("pelvis", "spine1", "spine2", "spine3") for joint in
                body.skin_weights.argmax(-1).tolist()]  # fmt: skip
    height_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m)[:, on_trunk, 1]
    assert float(height_m.min()) > -0.03
    assert float(rest_of_body_height_m(motion, body).min()) < 0.15


def test_the_floor_of_who_walks_is_that_of_the_soles(bvh, body):
    motion = motion_from_bvh(bvh, body)
    assert bool((rest_of_body_height_m(motion, body) > sole_height_m(motion, body).amin(-1)).all())


def test_an_unknown_skeleton_is_described_and_says_how_to_go_on():
    with pytest.raises(
        ValueError, match=r"human_ik lacks .*Spine1.*its joints are Hips, Spine.*SkeletonMap\(name"
    ) as caught:
        find_skeleton(("Hips", "Spine"))
    assert "LeftUpLeg" in str(caught.value)


def test_a_skeleton_map_is_checked():
    with pytest.raises(ValueError, match="must also name left_hip"):
        SkeletonMap("mine", {"pelvis": "Hips"})
    with pytest.raises(ValueError, match="did you mean 'left_knee'"):
        SkeletonMap("mine", {**CMU_DAZ.joints, "left_kne": "x"})
    with pytest.raises(ValueError, match="limb joints only, got head"):
        SkeletonMap("mine", CMU_DAZ.joints, {"head": "leftEye"})
