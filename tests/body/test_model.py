"""Body models: skinning, points of other layouts, the open body's proportions, what a wrong file is told."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from paths import OPEN_BODY
from scipy.spatial import cKDTree

from motionrep.body import BodyModel, load_body_model
from motionrep.geometry.rotations import mirror_rotmat
from motionrep.layouts import H36M_17, HALPE_26, LAYOUTS, SMPL_24, JointLayout
from motionrep.types import BodyMotion

LAYOUTS_OF_A_BODY = tuple(layout for layout in LAYOUTS.values() if layout.joint_count < 40)  # no fingers, no face


def open_fields() -> dict[str, np.ndarray]:
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def open_body() -> BodyModel:
    return load_body_model("open")


@pytest.fixture(scope="module")
def corrected_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SMPL file of 1,000 loose points with 12 betas, pose correctives and no landmark names."""
    rng = np.random.default_rng(0)
    fields = open_fields()
    part = fields["weights"].argmax(1)
    kept = np.sort(np.concatenate([rng.choice(np.flatnonzero(part == j), 40) for j in range(24)]))
    regressor = rng.random((24, len(kept))) * (part[kept] == np.arange(24)[:, None])
    path = tmp_path_factory.mktemp("smpl") / "corrected.npz"
    np.savez(
        path,
        v_template=fields["v_template"][kept],
        f=rng.integers(0, len(kept), (50, 3), dtype=np.uint32),
        weights=fields["weights"][kept],
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        kintree_table=fields["kintree_table"].astype(np.uint32),
        shapedirs=rng.normal(0, 0.01, (len(kept), 3, 12)),
        posedirs=rng.normal(0, 0.01, (len(kept), 3, 207)),
    )
    return path


@pytest.fixture(scope="module", params=["open", "corrected"])
def body(request: pytest.FixtureRequest, corrected_path: Path) -> BodyModel:
    return load_body_model("open" if request.param == "open" else corrected_path)


def random_pose(*batch: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rotations of any angle, betas and translations."""
    generator = torch.Generator().manual_seed(0)
    quaternion = torch.nn.functional.normalize(torch.randn(*batch, 24, 4, generator=generator, dtype=dtype), dim=-1)
    betas = torch.randn(*batch, 10, generator=generator, dtype=dtype)
    translation_m = torch.randn(*batch, 3, generator=generator, dtype=dtype)
    return roma.unitquat_to_rotmat(quaternion), betas, translation_m


def rest_pose() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.eye(3).expand(24, 3, 3), torch.zeros(10), torch.zeros(3)


def sources(body: BodyModel, *pose: torch.Tensor) -> torch.Tensor:
    return torch.cat([body.joints(*pose), body.vertices(*pose)[..., body.landmark_ids, :]], -2)


def test_skinning_equals_smplx(body: BodyModel, corrected_path: Path) -> None:
    smplx = pytest.importorskip("smplx", reason="smplx, an optional extra, is not installed")
    with np.load(OPEN_BODY if body.name == "open" else corrected_path, allow_pickle=False) as file:
        fields = dict(file)
    fields["shapedirs"] = fields["shapedirs"][..., :10]
    vertex_ids = dict(zip(open_fields()["vertex_id_names"].tolist(), range(21), strict=True))
    reference = smplx.SMPL("", data_struct=smplx.utils.Struct(**fields), vertex_ids=vertex_ids)
    rotmat, betas, translation_m = random_pose(6)
    axis_angle = roma.rotmat_to_rotvec(rotmat)
    axis_angle[0] *= (math.pi - 1e-4) / axis_angle[0].norm(dim=-1, keepdim=True)
    axis_angle[1] = 0
    rotmat = roma.rotvec_to_rotmat(axis_angle)
    with torch.no_grad():
        output = reference(
            betas=betas, global_orient=axis_angle[:, 0], body_pose=axis_angle[:, 1:].flatten(1), transl=translation_m
        )
    torch.testing.assert_close(body.vertices(rotmat, betas, translation_m), output.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(body.joints(rotmat, betas, translation_m), output.joints[:, :24], atol=1e-5, rtol=0)


@pytest.mark.parametrize("layout", LAYOUTS_OF_A_BODY, ids=lambda layout: layout.name)
def test_points_are_the_regressor_on_joints_and_vertices(body: BodyModel, layout) -> None:
    pose = random_pose(3)
    expected = body.point_regressor(layout) @ sources(body, *pose)
    torch.testing.assert_close(body.points(layout, *pose), expected, atol=2e-6, rtol=0)


def test_rows_of_regressors_sum_to_one(body: BodyModel) -> None:
    for layout in LAYOUTS_OF_A_BODY:
        rows = body.point_regressor(layout).sum(-1)
        torch.testing.assert_close(rows, torch.ones(layout.joint_count), atol=1e-5, rtol=0)


def test_turning_and_moving_the_whole_body_turns_and_moves_its_surface(body: BodyModel) -> None:
    rotmat, betas, translation_m = random_pose(2)
    turn = random_pose(1)[0][0, 5]
    turned = torch.cat([turn @ rotmat[:, :1], rotmat[:, 1:]], 1)
    pelvis = body.rest_joints(betas)[:, :1]
    before = body.vertices(rotmat, betas, torch.zeros(3))
    after = body.vertices(turned, betas, translation_m)
    expected = (before - pelvis) @ turn.T + pelvis + translation_m[:, None]
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=0)


def test_mirrored_pose_gives_the_mirrored_body(open_body: BodyModel) -> None:
    rotmat, betas, translation_m = random_pose(2)
    sign = torch.tensor([-1.0, 1.0, 1.0])
    mirrored = (mirror_rotmat(rotmat[:, SMPL_24.flip_indices]), betas, translation_m * sign)
    template = open_body.template_vertex_m.numpy()
    distance, mirror_vertex = cKDTree(template).query(template * sign.numpy())
    assert distance.max() < 1e-6
    expected = open_body.vertices(rotmat, betas, translation_m)[:, mirror_vertex] * sign
    torch.testing.assert_close(open_body.vertices(*mirrored), expected, atol=1e-5, rtol=0)
    for layout in LAYOUTS_OF_A_BODY:
        expected = open_body.points(layout, rotmat, betas, translation_m)[:, layout.flip_indices] * sign
        torch.testing.assert_close(open_body.points(layout, *mirrored), expected, atol=1e-5, rtol=0)


def test_batch_equals_one_by_one(body: BodyModel) -> None:
    rotmat, betas, translation_m = random_pose(3)
    for batched, single in (
        (body.vertices(rotmat, betas, translation_m), body.vertices),
        (body.joints(rotmat, betas, translation_m), body.joints),
        (body.points(HALPE_26, rotmat, betas, translation_m), lambda *pose: body.points(HALPE_26, *pose)),
    ):
        expected = torch.stack([single(*pose) for pose in zip(rotmat, betas, translation_m, strict=True)])
        torch.testing.assert_close(batched, expected, atol=1e-5, rtol=0)


def test_one_shape_per_clip_goes_with_poses_per_frame(body: BodyModel) -> None:
    rotmat, _, translation_m = random_pose(2, 4)
    betas = random_pose(2, 1)[1]
    repeated = (rotmat, betas.expand(2, 4, 10), translation_m)
    got = body.points(H36M_17, rotmat, betas, translation_m)
    torch.testing.assert_close(got, body.points(H36M_17, *repeated), atol=1e-6, rtol=0)
    got = body.vertices(rotmat, betas, torch.zeros(3))
    torch.testing.assert_close(got, body.vertices(*repeated[:2], torch.zeros(2, 4, 3)), atol=1e-6, rtol=0)


def test_one_pose_goes_with_many_shapes(body: BodyModel) -> None:
    rotmat, betas, translation_m = random_pose(3)
    expected = body.joints(rotmat[:1].expand(3, 24, 3, 3), betas, translation_m)
    torch.testing.assert_close(body.joints(rotmat[0], betas, translation_m), expected)


@pytest.mark.slow
def test_points_have_right_gradients(corrected_path: Path) -> None:
    body = load_body_model(corrected_path).double()
    pose = [tensor.requires_grad_() for tensor in random_pose(1, dtype=torch.float64)]
    assert torch.autograd.gradcheck(lambda *pose: body.points(H36M_17, *pose), pose)
    assert torch.autograd.gradcheck(lambda *pose: body.vertices(*pose)[..., ::200, :], pose)


def test_nothing_leaves_the_device_of_the_module(corrected_path: Path) -> None:
    """The meta device holds shapes only, and refuses to mix with tensors of the CPU."""
    body = load_body_model(corrected_path).to("meta")
    pose = [tensor.to("meta") for tensor in random_pose(2, 3)]
    assert body.points(H36M_17, *pose).shape == (2, 3, 17, 3)
    assert body.vertices(*pose).device.type == "meta"


def test_mesh_is_the_vertices_of_all_frames(body: BodyModel) -> None:
    rotmat, betas, translation_m = random_pose(70)
    mesh = body.mesh(BodyMotion(rotmat, translation_m, betas[0], body.name, 30.0, "world"))
    assert (mesh.fps, mesh.frame) == (30.0, "world")
    assert mesh.faces is body.faces
    expected = body.vertices(rotmat[60:], betas[0], translation_m[60:])
    torch.testing.assert_close(mesh.vertex_m[60:], expected, atol=1e-5, rtol=0)


def test_mesh_refuses_the_motion_of_another_body(open_body: BodyModel) -> None:
    rotmat, betas, translation_m = random_pose(1)
    with pytest.raises(ValueError, match="betas of one body mean nothing"):
        open_body.mesh(BodyMotion(rotmat, translation_m, betas[0], "smpl.npz", 30.0, "world"))


def test_a_motion_has_its_mesh_and_joints_in_hand(body: BodyModel) -> None:
    """Longer than what is made at once, and cut out of a file."""
    rotmat, betas, translation_m = random_pose(150)
    betas = betas[0]
    motion = BodyMotion(rotmat, translation_m, betas, body.name, 25.0, "camera", first_frame=7)
    mesh, joints, points = motion.mesh(), motion.joints(), motion.joints("h36m_17")
    torch.testing.assert_close(mesh.vertex_m, body.vertices(rotmat, betas, translation_m), atol=1e-6, rtol=0)
    assert torch.equal(mesh.faces, body.faces)
    torch.testing.assert_close(joints.position_m, body.joints(rotmat, betas, translation_m), atol=1e-6, rtol=0)
    torch.testing.assert_close(points.position_m, body.points(H36M_17, rotmat, betas, translation_m), atol=1e-6, rtol=0)
    assert (joints.layout, points.layout) == (SMPL_24, H36M_17)
    for made in (mesh, joints, points):
        assert (made.frame_count, made.fps, made.frame, made.first_frame) == (150, 25.0, "camera", 7)
    part = motion.cut(100, 110)
    assert torch.equal(part.mesh().vertex_m, part.cut(0).mesh().vertex_m)
    torch.testing.assert_close(part.mesh().vertex_m, mesh.vertex_m[100:110], atol=1e-6, rtol=0)
    assert (part.mesh().first_frame, part.joints().first_frame) == (107, 107)
    with pytest.raises(ValueError, match="no frames"):
        motion.cut(150)


@pytest.mark.parametrize("layout", LAYOUTS_OF_A_BODY, ids=lambda layout: layout.name)
def test_joints_of_a_motion_come_in_every_layout(body: BodyModel, layout: JointLayout) -> None:
    rotmat, betas, translation_m = random_pose(2)
    motion = BodyMotion(rotmat, translation_m, betas[0], body.name, 25.0, "world")
    expected = body.points(layout, rotmat, betas[0], translation_m)
    torch.testing.assert_close(motion.joints(layout.name).position_m, expected, atol=1e-6, rtol=0)


def test_joints_in_a_layout_that_is_not_known_are_refused() -> None:
    rotmat, betas, translation_m = random_pose(1)
    motion = BodyMotion(rotmat, translation_m, betas[0], "open", 25.0, "world")
    with pytest.raises(ValueError, match="h36m_17"):
        motion.joints("h36m_16")
    with pytest.raises(ValueError, match=r"no points of layout 'mine' \(known: h36m_17"):
        motion.joints(JointLayout("mine", ("pelvis",), ("",)))


def test_a_motion_of_arrays_finds_its_body() -> None:
    """Nothing but the public name was imported."""
    code = """
import numpy as np
import motionrep
motion = motionrep.BodyMotion(np.eye(3)[None, None].repeat(24, 1), np.zeros((1, 3)), np.zeros(10), "open", 30, "world")
print(tuple(motion.mesh().vertex_m.shape), tuple(motion.joints().position_m.shape))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["(1,", "6999,", "3)", "(1,", "24,", "3)"]


def test_left_is_at_positive_x_in_every_layout(body: BodyModel) -> None:
    for layout in LAYOUTS_OF_A_BODY:
        x = body.points(layout, *rest_pose())[:, 0]
        for joint, value in zip(layout.joints, x.tolist(), strict=True):
            side = {"left": 1, "right": -1}.get(joint.partition("_")[0])
            assert side is None or value * side > 0, joint


def test_open_body_is_as_tall_as_it_should_be(open_body: BodyModel) -> None:
    height_m = open_body.template_vertex_m[:, 1]
    assert float(height_m.max() - height_m.min()) == pytest.approx(1.70, abs=0.01)


def test_h36m_points_have_the_lengths_of_that_data_set_as_far_as_the_body_allows(open_body: BodyModel) -> None:
    """Its shins and upper arms are shorter than those of Human3.6M's skeleton, its head is longer."""
    point_m = open_body.points(H36M_17, *rest_pose())
    length_m = {
        "left_hip": 0.133, "left_knee": 0.443, "left_ankle": 0.454, "spine": 0.233, "thorax": 0.257, "nose": 0.121,
        "head": 0.115, "left_shoulder": 0.151, "left_elbow": 0.279, "left_wrist": 0.252,
    }  # fmt: skip
    for joint, expected in length_m.items():
        index = H36M_17.index(joint)
        length = float((point_m[index] - point_m[H36M_17.parent_indices[index]]).norm())
        within_m = {"left_ankle": 0.06, "head": 0.04, "left_elbow": 0.04, "left_shoulder": 0.03, "nose": 0.03}
        assert length == pytest.approx(expected, abs=within_m.get(joint, 0.02)), joint


def test_head_point_is_the_top_of_the_head_for_any_shape(open_body: BodyModel) -> None:
    betas = random_pose(50)[1]
    rotmat, _, translation_m = rest_pose()
    top_m = open_body.vertices(rotmat, betas, translation_m)[..., 1].max(-1).values
    for layout in (H36M_17, HALPE_26):
        head_m = open_body.points(layout, rotmat, betas, translation_m)[:, layout.index("head")]
        torch.testing.assert_close(head_m[:, 1], top_m, atol=0.005, rtol=0)
        torch.testing.assert_close(head_m[:, 0], torch.zeros(50), atol=1e-4, rtol=0)


def test_points_of_the_head_turn_with_the_head_only(open_body: BodyModel) -> None:
    rotmat, betas, translation_m = rest_pose()
    turned = rotmat.clone()
    turned[SMPL_24.index("head")] = roma.rotvec_to_rotmat(torch.tensor([0.0, math.pi / 2, 0.0]))
    before = open_body.points(H36M_17, rotmat, betas, translation_m)
    after = open_body.points(H36M_17, turned, betas, translation_m)
    moved = [joint for joint, far in zip(H36M_17.joints, (after - before).norm(dim=-1) > 1e-5, strict=True) if far]
    assert moved == ["nose", "head"]


def test_landmarks_found_on_the_surface_are_those_stored(tmp_path: Path, open_body: BodyModel) -> None:
    fields = open_fields()
    path = tmp_path / "unnamed.npz"
    np.savez(path, **{key: fields[key] for key in fields if not key.startswith(("vertex_id", "posedirs"))})
    for layout in LAYOUTS_OF_A_BODY:
        found = load_body_model(path).points(layout, *rest_pose())
        assert float((found - open_body.points(layout, *rest_pose())).norm(dim=-1).max()) < 0.025


def test_unknown_layout_lists_the_known_ones(open_body: BodyModel) -> None:
    with pytest.raises(ValueError, match=r"'hands'.*h36m_17, coco_17, halpe_26, smpl_24"):
        open_body.points(JointLayout("hands", ("thumb",), ("",)), *rest_pose())


def test_wrong_number_of_betas_says_how_many(open_body: BodyModel) -> None:
    with pytest.raises(ValueError, match="takes 10 betas, got 16"):
        open_body.rest_joints(torch.zeros(16))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("v_template", None, r"no field 'v_template'"),
        ("weights", np.zeros((6999, 52)), r"'weights' should have shape \(6999, 24\), got \(6999, 52\)"),
        ("shapedirs", np.zeros((6999, 3, 5)), r"'shapedirs' should have shape \(6999, 3, '10\+'\)"),
        ("f", np.full((4, 3), 6999), r"'f' should index 6999 vertices"),
        ("kintree_table", np.zeros((2, 24)), r"'kintree_table' should hold SMPL's tree"),
        ("J_regressor", np.array({"sparse": 1}), r"dense array"),
        ("v_template", np.full((6999, 3), np.nan), r"'v_template' holds NaN or infinite values"),
        ("shapedirs", np.full((6999, 3, 10), np.inf), r"'shapedirs' holds NaN or infinite values"),
    ],
)
def test_wrong_file_names_field_and_remedy(tmp_path: Path, field: str, value: np.ndarray | None, message: str) -> None:
    fields = {key: array for key, array in open_fields().items() if key not in ("posedirs", field)}
    path = tmp_path / "wrong.npz"
    np.savez(path, **fields, **({} if value is None else {field: value}))
    with pytest.raises(ValueError, match=r"wrong\.npz.*" + message):
        load_body_model(path)


def test_pickled_and_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"pass the path of a SMPL.*or the name of a body: open, smpl-neutral"):
        load_body_model(tmp_path / "none.npz")
    for name, message in (("smpl.pkl", "not a whole pickle"), ("smpl.npz", r"expected an \.npz")):
        (tmp_path / name).write_bytes(b"not arrays")
        with pytest.raises(ValueError, match=message):
            load_body_model(tmp_path / name)
