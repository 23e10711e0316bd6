"""Bodies with joints of their own: a body in an A-pose, with more joints, moves exactly as its twin in SMPL's format.

Both have a tetrahedron rigid with each joint of SMPL's 24. The first stands in an A-pose with bent elbows, has two
joints in each forearm, and two toes in each foot.
"""

import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel
from motionrep.body.kinematics import JointTree, body_kinematics
from motionrep.body.own_joints import OwnJoints
from motionrep.body.phenotypes import Phenotype, PhenotypeShape
from motionrep.body.points import LANDMARKS
from motionrep.layouts import H36M_17, SMPL_24
from motionrep.motion.tracks import is_made_for
from motionrep.motion.writers.scene import Person, Scene, figure_of
from motionrep.types import BodyMotion

CORNER_M = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 50
FACES = 4 * torch.arange(24).repeat_interleave(2)[:, None] + torch.tensor([[0, 1, 2], [3, 2, 1]] * 24)
LANDMARK_IDS = {landmark: index for index, landmark in enumerate(LANDMARKS)}
BETAS = torch.tensor([0.7, -1.2])
PHENOTYPES = (Phenotype("height", ("short", "tall")), Phenotype("weight", ("thin", "usual", "stout")))


def t_posed() -> Float[Tensor, "24 3"]:
    """Rest joints, and the lower they are the further to the side."""
    depth = [0]
    for parent in SMPL_24.parent_indices[1:]:
        depth.append(depth[parent] + 1)
    side = [joint.startswith("left") - joint.startswith("right") for joint in SMPL_24.joints]
    return torch.tensor([[0.2 * s, 0.1 * d, 0.01 * d * d] for s, d in zip(side, depth, strict=True)])


def arms_down() -> Float[Tensor, "24 3 3"]:
    """World rotations from the T-pose to the A-pose."""
    turn = torch.zeros(24, 3)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        turn[SMPL_24.index(f"{side}_shoulder")] = torch.tensor([0, 0, 0.8 * sign])
        turn[SMPL_24.index(f"{side}_elbow")] = torch.tensor([-0.5, 0, 0])
        turn[SMPL_24.index(f"{side}_hip")] = torch.tensor([0, 0, -0.1 * sign])
    return body_kinematics(roma.rotvec_to_rotmat(turn), torch.zeros(3), t_posed())[0]


def bodies() -> tuple[BodyModel, BodyModel]:
    """The body of its own joints, and its twin in the T-pose with SMPL's 24."""
    turn, tree = arms_down(), JointTree(SMPL_24.parent_indices)
    local = torch.cat([turn[:1], turn[list(SMPL_24.parent_indices[1:])].mT @ turn[1:]])
    a_posed = tree(local, t_posed())
    names, parents, joint_m, follows = list(SMPL_24.joints), list(SMPL_24.parent_indices), list(a_posed[:, :3, 3]), []
    follows += SMPL_24.joints
    for side in ("left", "right"):
        elbow, wrist, foot = (SMPL_24.index(f"{side}_{joint}") for joint in ("elbow", "wrist", "foot"))
        names.append(f"{side}_forearm_twist")
        parents.append(elbow)
        joint_m.append((joint_m[elbow] + joint_m[wrist]) / 2)
        follows.append(f"{side}_elbow")
        apart_m = torch.tensor([0.01, 0.0, 0.0])
        names.append(f"{side}_small_toe")
        parents.append(parents[foot])
        joint_m.append(joint_m[foot] + apart_m)
        joint_m[foot] = joint_m[foot] - apart_m
        follows.append(f"{side}_foot")
    joints = torch.stack(joint_m)
    corners = torch.einsum("jab,cb->jca", turn, CORNER_M) + a_posed[:, None, :3, 3]
    states = torch.tensor([[0, 3], [1, 3], [2, 2], [1, 0]])
    moves = 0.02 * torch.randn(len(names), 3, 4, generator=torch.Generator().manual_seed(0))
    own = OwnJoints(
        tuple(names), tuple(parents), tuple(follows), turn.mT, joints, moves, PhenotypeShape(PHENOTYPES, states)
    )
    weights = torch.zeros(96, len(names))
    weights[torch.arange(96), torch.arange(24).repeat_interleave(4)] = 1
    directions_m = moves[torch.arange(24).repeat_interleave(4)]
    body = BodyModel(
        "own", corners.flatten(0, 1), FACES, weights, None, directions_m, None, LANDMARK_IDS, own_joints=own
    )
    twin = BodyModel(
        "twin", (t_posed()[:, None] + CORNER_M).flatten(0, 1), FACES, weights[:, :24], weights[:, :24].T / 4,
        torch.zeros(96, 3, 2), None, LANDMARK_IDS,
    )  # fmt: skip
    return body, twin


OWN, TWIN = bodies()


def rotations(seed: int, *batch: int) -> Float[Tensor, "*batch 24 3 3"]:
    generator = torch.Generator().manual_seed(seed)
    return roma.rotvec_to_rotmat(0.7 * torch.randn(*batch, 24, 3, generator=generator))


@given(st.integers(0, 1000))
def test_it_moves_as_its_twin_in_the_t_pose(seed):
    rotmat, still, mean = rotations(seed, 2), torch.zeros(3), torch.zeros(2)
    feet = [SMPL_24.index(f"{side}_foot") for side in ("left", "right")]
    rest = torch.tensor([joint for joint in range(24) if joint not in feet])  # feet begin at two toes
    got, expected = (body.joints(rotmat, mean, still) for body in (OWN, TWIN))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    got, expected = (body.vertices(rotmat, mean, still).unflatten(1, (24, 4))[:, rest] for body in (OWN, TWIN))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_its_rest_pose_is_the_t_pose_for_who_asks_the_body_and_its_own_in_own_pose():
    torch.testing.assert_close(OWN.template_vertex_m, TWIN.template_vertex_m, atol=1e-5, rtol=0)
    torch.testing.assert_close(OWN.rest_vertices(torch.zeros(2)), OWN.template_vertex_m, atol=1e-6, rtol=0)
    torch.testing.assert_close(OWN.skin_weights, TWIN.skin_weights)
    assert (OWN.joint_names, OWN.beta_count, OWN.layout) == (SMPL_24.joints, 2, SMPL_24)
    assert not OWN.moves_as_24_bones
    motion = BodyMotion(torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(1, 3), torch.zeros(2), "own", 30.0, "world")
    turned = OWN.own_pose(motion).local_rotmat[0, SMPL_24.index("left_elbow")]
    angle_rad = roma.rotmat_to_rotvec(turned).norm()
    torch.testing.assert_close(angle_rad, torch.tensor(0.5), atol=1e-5, rtol=0)


@given(st.integers(0, 1000))
def test_its_own_joints_with_their_own_weights_give_its_surface(seed):
    generator = torch.Generator().manual_seed(seed)
    motion = BodyMotion(
        rotations(seed, 3), torch.randn(3, 3, generator=generator), torch.randn(2, generator=generator), "own", 30.0,
        "world",
    )  # fmt: skip
    figure = figure_of(Person(motion, OWN, 0.0), Scene((), 1.0, torch.eye(3).double().numpy()))
    assert figure.joints[-1] == "right_small_toe"
    world = JointTree(figure.parents)(torch.from_numpy(figure.local_rotmat), torch.from_numpy(figure.rest_joint))
    world[..., :3, 3] += torch.from_numpy(figure.root_position - figure.rest_joint[0])[:, None]
    rotmat, rest_m = world[..., :3, :3], torch.from_numpy(figure.rest_joint)
    shift_m = world[..., :3, 3] - (rotmat @ rest_m[..., None])[..., 0]
    weights, vertex_m = torch.from_numpy(figure.skin_weights), torch.from_numpy(figure.rest_vertex)
    skinned = torch.einsum("vj,fjab,vb->fva", weights, rotmat, vertex_m) + weights @ shift_m
    torch.testing.assert_close(skinned.float(), OWN.mesh(motion).vertex_m, atol=1e-5, rtol=0)


def test_a_batch_is_one_by_one_and_betas_have_gradients():
    rotmat, betas, place = rotations(0, 2, 4), torch.randn(2, 1, 2), torch.randn(2, 4, 3)
    whole = OWN.points(H36M_17, rotmat, betas, place)
    for clip in range(2):
        one = OWN.points(H36M_17, rotmat[clip], betas[clip, 0], place[clip])
        torch.testing.assert_close(whole[clip], one, atol=1e-6, rtol=0)
    precise = bodies()[0].double()
    free = BETAS.double().requires_grad_()
    pose = rotmat[0, 0].double()
    assert torch.autograd.gradcheck(lambda it: precise.vertices(pose, it, place[0, 0].double())[::7], (free,))


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=2))
def test_parameters_stay_in_their_range_and_the_states_of_each_sum_to_one(betas):
    shape = PhenotypeShape(PHENOTYPES, torch.tensor([[0, 3], [1, 3], [2, 0], [2, 1], [2, 2], [0, 1]]))
    values, weights = shape.values(torch.tensor(betas)), shape.weights(torch.tensor(betas))
    assert all(0 <= float(value) <= 1 for value in values.values())
    torch.testing.assert_close(weights[:2].sum() + weights[2:5].sum(), torch.tensor(2.0))
    torch.testing.assert_close(weights[5], weights[0] * weights[3])
    assert not shape(torch.zeros(3, 2)).any()


def test_parameters_of_smpl_are_not_for_it():
    assert not is_made_for("smpl", OWN)
    with pytest.raises(ValueError, match="body 'own' takes 2 betas, got 10"):
        OWN.rest_joints(torch.zeros(10))
