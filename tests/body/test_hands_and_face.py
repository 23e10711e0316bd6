"""Bodies with fingers, jaw, eyes and expression, against the `smplx` package on files made from the open body."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roma
import torch
from glb import Glb
from paths import OPEN_BODY
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.body.skeletons import FILE_ORDERS, SMPLH_54, SMPLX_57
from motionrep.layouts import H36M_17, SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.editing import resample
from motionrep.motion.exporting import export_motion
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion

COUNT = 24  # vertices kept of each joint's
KINDS = {"SMPLH": 0, "SMPLX": 3}  # joints of the face
LANDMARKS = 21


def hands_and_face_file(path: Path, face: int, shapes: int, expressions: int) -> dict[str, np.ndarray]:
    """A file of SMPL-H (no face joints) or SMPL-X (three) with loose vertices and random directions."""
    rng = np.random.default_rng(3)
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        fields = dict(file)
    part = fields["weights"].argmax(1)
    kept = np.sort(np.concatenate([rng.choice(np.flatnonzero(part == j), COUNT) for j in range(24)]))
    vertices, joints = len(kept), 52 + face
    body_weights, part = fields["weights"][kept], part[kept]
    parents = [-1, *SMPL_24.parent_indices[1:22], *[15] * face]
    share = np.zeros((24, joints))
    share[:22, :22] = np.eye(22)
    share[15, 22 : 22 + face] = 0.2
    share[15, 15] -= 0.2 * face
    for side in (0, 1):
        first = len(parents)
        for joint in range(15):
            parents.append(20 + side if joint % 3 == 0 else len(parents) - 1)
        share[22 + side, first : first + 15] = rng.dirichlet(np.ones(15))
    owner = (*range(22), *[15] * face, *[22] * 15, *[23] * 15)
    regressor = rng.random((joints, vertices)) * (part == np.array(owner)[:, None])
    fields = {
        "v_template": fields["v_template"][kept].astype(np.float64),
        "f": rng.integers(0, vertices, (50, 3), dtype=np.uint32),
        "weights": body_weights @ share,
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(joints)]),
        "shapedirs": rng.normal(0, 0.01, (vertices, 3, shapes + expressions)),
        "posedirs": rng.normal(0, 0.01, (vertices, 3, 9 * (joints - 1))),
        "hands_meanl": np.full(45, 0.3), "hands_meanr": np.full(45, 0.3),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45),
        "lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.zeros((51, 3)),
    }  # fmt: skip
    np.savez(path, **fields)
    return fields


@pytest.fixture(scope="module", params=["SMPLH", "SMPLX", "SMPLX 1.0"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, BodyModel]:
    kind = request.param.partition(" ")[0]
    path = tmp_path_factory.mktemp("bodies") / f"{request.param.replace(' ', '_')}.npz"
    shapes, expressions = {"SMPLH": (16, 0), "SMPLX": (300, 100), "SMPLX 1.0": (10, 10)}[request.param]
    hands_and_face_file(path, KINDS[kind], shapes, expressions)
    return kind, load_body_model(path)


def random_pose(body: BodyModel, *batch: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Arguments of `BodyModel.vertices`; the hand joints, which smplx has not, stay as they are."""
    generator = torch.Generator().manual_seed(0)
    axis_angle = torch.randn(*batch, body.joint_count, 3, generator=generator, dtype=dtype)
    axis_angle[..., 22:24, :] = 0
    pose = {
        "local_rotmat": roma.rotvec_to_rotmat(axis_angle),
        "betas": torch.randn(*batch, body.beta_count, generator=generator, dtype=dtype),
        "translation_m": torch.randn(*batch, 3, generator=generator, dtype=dtype),
    }
    if body.expression_count:
        pose["expression"] = torch.randn(*batch, body.expression_count, generator=generator, dtype=dtype)
    return pose


def smplx_output(kind: str, body: BodyModel, pose: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> Any:
    smplx = pytest.importorskip("smplx", reason="smplx, an optional extra, is not installed")
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        any_vertex = dict.fromkeys(file["vertex_id_names"].tolist(), 0)
    monkeypatch.setitem(smplx.body_models.VERTEX_IDS, kind.lower(), any_vertex)  # theirs are above ours
    reference = getattr(smplx, f"{kind}Layer")(
        body.name, ext="npz", num_betas=body.beta_count, num_expression_coeffs=10
    )
    file_rotmat = pose["local_rotmat"][:, list(FILE_ORDERS[body.joint_count])]
    face = {}
    if kind == "SMPLX":
        names = ("jaw_pose", "leye_pose", "reye_pose")
        face = {name: file_rotmat[:, 22 + number] for number, name in enumerate(names)}
        face["expression"] = pose["expression"]
    with torch.no_grad():
        return reference(
            betas=pose["betas"], transl=pose["translation_m"], global_orient=file_rotmat[:, :1],
            body_pose=file_rotmat[:, 1:22], left_hand_pose=file_rotmat[:, -30:-15],
            right_hand_pose=file_rotmat[:, -15:], pose2rot=False, **face,
        )  # fmt: skip


def test_fingers_face_and_expression_are_posed_as_smplx_poses_them(case, monkeypatch):
    kind, body = case
    pose = random_pose(body, 4)
    expected = smplx_output(kind, body, pose, monkeypatch)
    torch.testing.assert_close(body.vertices(**pose), expected.vertices, atol=1e-5, rtol=0)
    joint_m = body.joints(**pose)
    file_joint_m = joint_m[:, list(FILE_ORDERS[body.joint_count])]
    torch.testing.assert_close(file_joint_m, expected.joints[:, : 52 + KINDS[kind]], atol=1e-5, rtol=0)
    knuckles = [body.joint_names.index(f"left_{finger}1") for finger in ("index", "middle", "ring", "pinky")]
    rest_m = body.rest_joints(pose["betas"], pose.get("expression"), body.joint_count)
    hand = SMPL_24.index("left_hand")
    torch.testing.assert_close(rest_m[:, hand], rest_m[:, knuckles].mean(1), atol=1e-5, rtol=0)


def test_points_see_fingers_and_face(case):
    _, body = case
    pose = random_pose(body, 3)
    sources = torch.cat([body.joints(**pose)[:, :24], body.vertices(**pose)[:, body.landmark_ids]], 1)
    expected = body.point_regressor(H36M_17) @ sources
    torch.testing.assert_close(body.points(H36M_17, **pose), expected, atol=5e-6, rtol=0)


def test_24_rotations_are_flat_hands_and_a_still_face_also_with_turned_hands(case):
    """Thumbs stay with the wrist when `left_hand` turns, the other fingers go along."""
    _, body = case
    pose = random_pose(body, 3)
    pose["local_rotmat"][:, 22:24] = roma.rotvec_to_rotmat(torch.randn(3, 2, 3, generator=torch.manual_seed(1)))
    pose["local_rotmat"][:, 24:] = torch.eye(3)
    short = pose | {"local_rotmat": pose["local_rotmat"][:, :24]}
    torch.testing.assert_close(body.vertices(**short), body.vertices(**pose), atol=1e-5, rtol=0)
    torch.testing.assert_close(body.joints(**short), body.joints(**pose)[:, :24], atol=1e-6, rtol=0)
    torch.testing.assert_close(body.points(H36M_17, **short), body.points(H36M_17, **pose), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_gradients_batches_and_types(case):
    _, body = case
    pose = random_pose(body, 2, 3)
    one_shape = pose | {"betas": pose["betas"][:, :1]}
    expected = torch.stack([body.vertices(**{name: value[i] for name, value in one_shape.items()}) for i in range(2)])
    torch.testing.assert_close(body.vertices(**one_shape), expected, atol=1e-5, rtol=0)
    double = load_body_model(body.name).double()
    pose = random_pose(double, 1, dtype=torch.float64)
    assert double.joints(**pose).dtype == torch.float64
    arguments = [value.requires_grad_() for value in pose.values()]

    def some(*values: Tensor) -> Tensor:
        named = dict(zip(pose, values, strict=True))
        return torch.cat([double.vertices(**named)[:, ::199], double.joints(**named)[:, ::9]], 1)

    assert torch.autograd.gradcheck(some, arguments)
    meta = load_body_model(body.name).to("meta")
    assert meta.vertices(**{name: value.to("meta") for name, value in random_pose(body, 2).items()}).shape[0] == 2


def motion_of(body: BodyModel, frames: int = 5) -> BodyMotion:
    pose = random_pose(body, frames)
    return BodyMotion(
        pose["local_rotmat"], pose["translation_m"], pose["betas"][0], body.name, 20.0, "world", pose.get("expression")
    )


def test_mesh_is_of_all_joints_and_says_what_does_not_fit(case):
    kind, body = case
    motion = motion_of(body, 70)
    expression = None if motion.expression is None else motion.expression[66:]
    expected = body.vertices(motion.local_rotmat[66:], motion.betas, motion.translation_m[66:], expression)
    torch.testing.assert_close(body.mesh(motion).vertex_m[66:], expected, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match=rf"takes rotations of 24 or {body.joint_count} joints, got 30; the first 24"):
        body.mesh(replace(motion, local_rotmat=torch.eye(3).expand(70, 30, 3, 3)))
    takes = "10 expression coefficients" if kind == "SMPLX" else "no expression"
    with pytest.raises(ValueError, match=f"takes {takes}, got 7"):
        body.mesh(replace(motion, expression=torch.zeros(70, 7)))


def test_motions_with_fingers_are_saved_and_resampled(case, tmp_path):
    _, body = case
    motion = motion_of(body)
    save_motion(motion, tmp_path / "m.npz")
    back = load_motion(tmp_path / "m.npz")
    assert torch.equal(back.local_rotmat, motion.local_rotmat)
    slower = resample(back, 10.0)
    torch.testing.assert_close(slower.local_rotmat, motion.local_rotmat[::2], atol=1e-5, rtol=0)
    if motion.expression is None:
        assert back.expression is None
    else:
        torch.testing.assert_close(slower.expression, motion.expression[::2])


def test_glb_and_bvh_have_finger_bones(case, tmp_path):
    """Without pose correctives, which .glb leaves out, and expression, the surface is the body's."""
    _, body = case
    path = tmp_path / "no_correctives.npz"
    with np.load(body.name) as file:
        np.savez(path, **{name: array for name, array in file.items() if name != "posedirs"})
    body = load_body_model(path)
    motion = replace(motion_of(body), expression=None)
    export_motion(motion, tmp_path / "m.glb")
    glb = Glb(tmp_path / "m.glb")
    assert [node["name"] for node in glb.json["nodes"][1:]] == list(body.joint_names)
    np.testing.assert_allclose(glb.surfaces(3)[0], body.mesh(motion).vertex_m[3].numpy(), atol=1e-5)
    export_motion(replace(motion, local_rotmat=motion.local_rotmat[:, :24]), tmp_path / "flat.glb")
    assert len(Glb(tmp_path / "flat.glb").json["nodes"]) == 25
    export_motion(motion, tmp_path / "m.bvh")
    bvh = read_bvh(tmp_path / "m.bvh")
    finger, parent = (bvh.joints.index(f"right_ring{number}") for number in (2, 1))
    assert bvh.parents[finger] == parent
    expected = motion.local_rotmat[:, body.joint_names.index("right_ring2")]
    torch.testing.assert_close(bvh.local_rotmat[:, finger].float(), expected, atol=1e-4, rtol=0)


def test_npz_has_the_joints_of_the_file(case, tmp_path):
    kind, body = case
    motion = replace(motion_of(body), expression=None)
    export_motion(motion, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        poses = torch.from_numpy(file["poses"]).float().unflatten(1, (-1, 3))
    assert poses.shape == (5, 52 + KINDS[kind], 3)
    expected = motion.local_rotmat[:, list(FILE_ORDERS[body.joint_count])]
    torch.testing.assert_close(roma.rotvec_to_rotmat(poses)[:, 1:], expected[:, 1:], atol=1e-5, rtol=0)
    flat = replace(motion, local_rotmat=motion.local_rotmat[:, :24])  # the columns are the body's, not the motion's
    export_motion(flat, tmp_path / "flat.npz")
    with np.load(tmp_path / "flat.npz") as file:
        assert file["poses"].shape == (5, 3 * (52 + KINDS[kind]))
    back = load_motion(tmp_path / "flat.npz", body.name)
    torch.testing.assert_close(back.translation_m, motion.translation_m, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.betas[:10], motion.betas[:10])


def test_more_betas_are_used_when_asked_for(tmp_path):
    fields = hands_and_face_file(tmp_path / "x.npz", 3, 300, 100)
    body = load_body_model(tmp_path / "x.npz", betas=300)
    assert (body.beta_count, body.expression_count) == (300, 10)
    betas, expression = torch.randn(300, generator=torch.manual_seed(0)), torch.ones(10)
    expected = fields["v_template"] + fields["shapedirs"][..., :310] @ np.concatenate([betas.numpy(), expression])
    rest_m = body.rest_vertices(betas, expression)
    np.testing.assert_allclose(rest_m.numpy(), expected, atol=1e-4)
    with pytest.raises(ValueError, match=r"x\.npz: betas must be 1 to 300, the shape directions in the file, got 301"):
        load_body_model(tmp_path / "x.npz", betas=301)


def test_mirror_images_of_fingers_and_eyes():
    for layout in (SMPLH_54, SMPLX_57):
        assert layout.joints[:24] == SMPL_24.joints
        flipped = [layout.joints[i] for i in layout.flip_indices]
        assert flipped[layout.index("left_thumb3")] == "right_thumb3"
    assert SMPLX_57.joints[-3:] == ("jaw", "left_eye", "right_eye")
