"""The open body, checked as a body: its surface, proportions, symmetry, joints in their limbs, and how it bends.

Each check has a counterpart on a body made wrong on purpose, which shows that the check can fail.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from paths import OPEN_BODY
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.body.open_body.half_mesh import mirror_map
from motionrep.layouts import SMPL_24

Fields = dict[str, np.ndarray]

# Rotation that bends a joint of the left side, and what may happen to the surface: change of volume in percent,
# triangles turned over, triangles of which less than a tenth is left, largest growth of a triangle, vertices of the
# crease inside the body. Measured: elbow -0.15, 16, 3, 4.3, 18; knee -0.40, 11, 3, 2.0, 18.
BENDS = {
    "left_elbow": (torch.tensor([0.0, -math.pi / 2, 0.0]), (0.3, 20, 4, 5.0, 22)),
    "left_knee": (torch.tensor([math.pi / 2, 0.0, 0.0]), (0.6, 15, 4, 2.5, 22)),
}
# How far, in mm, turning a joint by 60 degrees moves skin that belongs neither to it, its descendants, its parent nor
# its parent's parent: soft tissue of the belly, the chest and the neck's root. All other joints: not at all.
SPILLS_MM = {"hip": 18, "spine1": 36, "spine2": 3, "neck": 30, "collar": 27, "head": 3, "shoulder": 39}


@pytest.fixture(scope="module")
def fields() -> Fields:
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        return {name: file[name] for name in file if name != "posedirs"}  # all zero


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model("open")


@pytest.fixture
def altered(tmp_path: Path, fields: Fields) -> Callable[..., BodyModel]:
    """The open body with other fields."""

    def make(**changed: np.ndarray) -> BodyModel:
        np.savez(tmp_path / "altered.npz", **fields | changed)
        return load_body_model(tmp_path / "altered.npz")

    return make


def posed(body: BodyModel, joint: str, axis_angle: Tensor) -> Tensor:
    """Vertices with one joint turned."""
    rotmat = torch.eye(3).repeat(24, 1, 1)
    rotmat[SMPL_24.index(joint)] = roma.rotvec_to_rotmat(axis_angle)
    return body.vertices(rotmat, torch.zeros(10), torch.zeros(3))


def triangle_normals(vertex_m: Tensor, faces: Tensor) -> Tensor:
    """As long as twice the triangle's area."""
    first, second, third = vertex_m[faces].unbind(1)
    return torch.linalg.cross(second - first, third - first)


def volume_l(vertex_m: Tensor, faces: Tensor) -> float:
    return float((vertex_m[faces[:, 0]] * triangle_normals(vertex_m, faces)).sum() / 6 * 1000)


def winding_number(point_m: Tensor, vertex_m: Tensor, faces: Tensor) -> Tensor:
    """How often the surface goes round each point: 1 inside, 0 outside; solid angles after Van Oosterom & Strackee."""
    numbers = []
    for chunk in point_m.split(64):
        a, b, c = (vertex_m[faces[:, i]] - chunk[:, None] for i in range(3))
        la, lb, lc = a.norm(dim=-1), b.norm(dim=-1), c.norm(dim=-1)
        below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        numbers.append(torch.atan2((a * torch.linalg.cross(b, c)).sum(-1), below).sum(-1) / (2 * math.pi))
    return torch.cat(numbers)


# --- the surface -----------------------------------------------------------------------------------------------------


def surface_faults(faces: np.ndarray, vertex_m: np.ndarray) -> list[str]:
    """What keeps triangles from being one closed surface without handles, wound so that normals point outside."""
    count = len(vertex_m)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    number, opposite = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    parts, _ = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(count, count)), directed=False)
    volume = volume_l(torch.from_numpy(vertex_m), torch.from_numpy(faces).long())
    return [
        name
        for name, fault in {
            "an edge runs the same way twice": len(np.unique(number)) < len(number),
            "an edge has no other side": not np.isin(opposite, number).all(),
            "not in one piece": parts != 1,
            "not of genus 0": count - len(edges) // 2 + len(faces) != 2,
            "inside out": volume <= 0,
        }.items()
        if fault
    ]


def test_the_surface_is_closed_in_one_piece_and_outside_out(fields):
    assert surface_faults(fields["f"].astype(np.int64), fields["v_template"]) == []


def test_a_hole_a_turned_triangle_and_a_loose_vertex_are_seen(fields):
    faces, vertex_m = fields["f"].astype(np.int64), fields["v_template"]
    assert "an edge has no other side" in surface_faults(faces[1:], vertex_m)
    turned = np.concatenate([faces[:1, ::-1], faces[1:]])
    assert "an edge runs the same way twice" in surface_faults(turned, vertex_m)
    assert "not in one piece" in surface_faults(faces, np.concatenate([vertex_m, vertex_m[:1]]))
    assert surface_faults(faces[:, ::-1].copy(), vertex_m) == ["inside out"]


# --- proportions -----------------------------------------------------------------------------------------------------


def test_size_and_bones_are_those_stated(body):
    low_m, high_m = body.template_vertex_m.amin(0), body.template_vertex_m.amax(0)
    size = [float(high_m[1] - low_m[1]), float(high_m[0] - low_m[0]), volume_l(body.template_vertex_m, body.faces)]
    assert size == pytest.approx([1.698, 1.704, 66.5], abs=0.05)
    stated_mm = {
        ("left_hip", "left_knee"): 387, ("left_knee", "left_ankle"): 399, ("left_ankle", "left_foot"): 149,
        ("left_shoulder", "left_elbow"): 244, ("left_elbow", "left_wrist"): 244, ("left_wrist", "left_hand"): 100,
        ("left_shoulder", "right_shoulder"): 356, ("left_hip", "right_hip"): 186,
        ("pelvis", "spine1"): 113, ("spine1", "spine2"): 81, ("spine2", "spine3"): 130, ("spine3", "neck"): 188,
        ("neck", "head"): 103, ("pelvis", "neck"): 504,
    }  # fmt: skip
    joint_m = dict(zip(SMPL_24.joints, body.rest_joints(torch.zeros(10)), strict=True))
    for (start, end), length_mm in stated_mm.items():
        assert float((joint_m[end] - joint_m[start]).norm()) * 1000 == pytest.approx(length_mm, abs=1), (start, end)


def test_betas_of_a_population_give_statures_of_adults(body):
    vertex_m = body.rest_vertices(torch.randn(200, 10, generator=torch.Generator().manual_seed(0)))
    stature_m = vertex_m[..., 1].amax(1) - vertex_m[..., 1].amin(1)
    assert float(stature_m.mean()) == pytest.approx(1.694, abs=0.02)
    assert float(stature_m.std()) == pytest.approx(0.087, abs=0.01)
    assert float(stature_m.min()) > 1.4
    assert float(stature_m.max()) < 2.05


def test_the_joint_regressor_is_a_mean_of_vertices_around_the_joint(fields):
    regressor = fields["J_regressor"]
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-6)
    assert regressor.min() >= 0
    assert set((regressor > 0).sum(1)) <= set(range(10, 23))


# --- symmetry --------------------------------------------------------------------------------------------------------


def asymmetries(fields: Fields) -> dict[str, float]:
    """Largest difference between each field and its mirror image."""
    mirror, flip = mirror_map(fields["v_template"].astype(np.float64)), list(SMPL_24.flip_indices)
    sign = np.array([-1.0, 1.0, 1.0])
    turned = np.sort(fields["f"], 1)[np.lexsort(np.sort(fields["f"], 1).T)]
    mirrored = np.sort(mirror[fields["f"]], 1)
    pairs = {
        "f": (turned, mirrored[np.lexsort(mirrored.T)]),
        "weights": (fields["weights"], fields["weights"][mirror][:, flip]),
        "shapedirs": (fields["shapedirs"], fields["shapedirs"][mirror] * sign[:, None]),
        "J_regressor": (fields["J_regressor"], fields["J_regressor"][flip][:, mirror]),
    }
    return {name: float(np.abs(one.astype(float) - other).max()) for name, (one, other) in pairs.items()}


def test_left_and_right_are_mirror_images(fields):
    assert max(asymmetries(fields).values()) < 1e-6


@pytest.mark.parametrize("name", ["f", "weights", "shapedirs", "J_regressor"])
def test_what_is_not_symmetric_is_seen(fields, name: str):
    crooked = fields[name].copy()
    crooked.reshape(-1)[crooked.size // 3] += 1
    assert {key for key, value in asymmetries(fields | {name: crooked}).items() if value > 1e-3} == {name}


# --- joints in their limbs -------------------------------------------------------------------------------------------


def misplaced_joints(body: BodyModel, weights: np.ndarray, betas: Tensor) -> set[str]:
    """Joints that are, in any of the shapes, outside the body or nearest to the skin of no neighbour in the tree."""
    part, misplaced = weights.argmax(1), set()
    neighbours = {(j, j) for j in range(24)} | set(SMPL_24.bones) | {(b, a) for a, b in SMPL_24.bones}
    for vertex_m, joint_m in zip(body.rest_vertices(betas), body.rest_joints(betas), strict=True):
        outside = winding_number(joint_m, vertex_m, body.faces) < 0.99
        nearest = torch.cdist(joint_m, vertex_m).argmin(1)
        for joint, name in enumerate(SMPL_24.joints):
            if outside[joint] or (joint, int(part[nearest[joint]])) not in neighbours:
                misplaced.add(name)
    return misplaced


def test_joints_are_inside_their_limbs_for_every_shape(body, fields):
    """Three standard deviations along each beta either way, and ten random people."""
    extremes = torch.cat([3 * torch.eye(10), -3 * torch.eye(10)])
    random = torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    assert misplaced_joints(body, fields["weights"], torch.cat([extremes, random])) == set()


def test_a_joint_on_the_skin_and_one_in_the_other_leg_are_seen(altered, fields):
    regressor = fields["J_regressor"].copy()
    knee, other, elbow = (SMPL_24.index(joint) for joint in ("left_knee", "right_knee", "left_elbow"))
    regressor[knee] = regressor[other]
    regressor[elbow] = np.eye(len(fields["v_template"]))[regressor[elbow].argmax()]
    found = misplaced_joints(altered(J_regressor=regressor), fields["weights"], torch.zeros(1, 10))
    assert found == {"left_knee", "left_elbow"}


# --- what moves with a joint -----------------------------------------------------------------------------------------


def spill_mm(body: BodyModel, weights: np.ndarray, joint: str) -> float:
    """How far turning a joint by 60 degrees moves skin that is not its own, its descendants' or two ancestors'."""
    parents, index = SMPL_24.parent_indices, SMPL_24.index(joint)
    family = {index}
    for child in range(index + 1, 24):  # parents come before their children
        if parents[child] in family:
            family.add(child)
    family |= {parents[index], max(parents[parents[index]], 0)}
    far = torch.from_numpy(~np.isin(weights.argmax(1), list(family)))
    turns = torch.cat([torch.eye(3), -torch.eye(3)]) * math.pi / 3
    moved_m = [(posed(body, joint, turn) - body.template_vertex_m).norm(dim=-1)[far] for turn in turns]
    return float(torch.cat(moved_m).max()) * 1000


@pytest.mark.parametrize("joint", SMPL_24.joints[1:])
def test_turning_a_joint_moves_only_what_it_should(body, fields, joint: str):
    assert spill_mm(body, fields["weights"], joint) <= SPILLS_MM.get(joint.split("_")[-1], 0.001)


def test_a_hand_that_pulls_at_a_foot_is_seen(altered, fields):
    weights = fields["weights"].copy()
    vertex = weights[:, SMPL_24.index("left_foot")].argmax()
    weights[vertex] *= 0.9
    weights[vertex, SMPL_24.index("left_hand")] = 0.1
    assert spill_mm(altered(weights=weights), weights, "left_hand") > 50


# --- bending ---------------------------------------------------------------------------------------------------------


def bend(body: BodyModel, weights: np.ndarray, joint: str) -> tuple[float, int, int, float, int]:
    """The five measures of `BENDS`.

    A triangle is turned over when it faces away from where its vertices' joints turn its normal.
    """
    axis_angle, faces, rest_m = BENDS[joint][0], body.faces, body.template_vertex_m
    vertex_m = posed(body, joint, axis_angle)
    before, after = triangle_normals(rest_m, faces), triangle_normals(vertex_m, faces)
    index = SMPL_24.index(joint)
    moving = [index, *(child for child in range(24) if SMPL_24.parent_indices[child] == index)]
    moving += [child for child in range(24) if SMPL_24.parent_indices[child] == moving[-1]]
    share = torch.from_numpy(weights)[:, moving].sum(1)
    turn = roma.rotvec_to_rotmat(axis_angle)
    expected = torch.lerp(before, before @ turn.T, share[faces].mean(1, keepdim=True))
    growth = after.norm(dim=-1) / before.norm(dim=-1)

    normal = torch.zeros_like(vertex_m)
    for corner in range(3):
        normal.index_add_(0, faces[:, corner], after)
    crease = (share > 0.02) & (share < 0.98)
    above_m = vertex_m[crease] + 2e-4 * torch.nn.functional.normalize(normal[crease], dim=-1)
    return (
        (volume_l(vertex_m, faces) / volume_l(rest_m, faces) - 1) * 100,
        int(((expected * after).sum(-1) < 0).sum()),
        int((growth < 0.1).sum()),
        float(growth.max()),
        int((winding_number(above_m, vertex_m, faces) > 0.5).sum()),
    )


def within(measured: tuple[float, ...], joint: str) -> bool:
    return all(abs(value) <= bound for value, bound in zip(measured, BENDS[joint][1], strict=True))


@pytest.mark.parametrize("joint", BENDS)
def test_a_right_angle_folds_empties_and_stretches_the_limb_no_more_than_stated(body, fields, joint: str):
    measured = bend(body, fields["weights"], joint)
    assert within(measured, joint), measured


@pytest.mark.parametrize("joint", BENDS)
@pytest.mark.parametrize("fault", ["hard weights", "smeared weights", "pivot off by 5 cm"])
def test_a_limb_that_bends_badly_is_seen(altered, fields, joint: str, fault: str):
    weights, regressor = fields["weights"].copy(), fields["J_regressor"].copy()
    index = SMPL_24.index(joint)
    parent, child = SMPL_24.parent_indices[index], SMPL_24.parent_indices.index(index)
    if fault == "hard weights":
        weights = np.eye(24, dtype=np.float32)[weights.argmax(1)]
    elif fault == "smeared weights":
        both = weights[:, [parent, index]].sum(1)
        weights[:, index] = 0.6 * weights[:, index] + 0.2 * both
        weights[:, parent] = both - weights[:, index]
    else:
        regressor[index] = 0.8 * regressor[index] + 0.2 * regressor[child]
    measured = bend(altered(weights=weights, J_regressor=regressor), weights, joint)
    assert not within(measured, joint), measured
