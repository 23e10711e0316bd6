"""Dicts of SMPL's parameters in every form that programs give them, and forms that are refused by name."""

import json
import pickle

import numpy as np
import pytest
import roma
import torch
from body_motions import DOWN_UP, assert_same, on_smpl, rotvec, turned

from motionrep.cli.main import main
from motionrep.motion.loading import load_motion, load_motions

IN_CAMERA_M = torch.tensor([0.2, 0.9, 3.0])


@pytest.fixture(scope="module")
def camera(walk, smpl):
    return turned(on_smpl(walk, smpl), DOWN_UP, IN_CAMERA_M, smpl)


def fields(motion, **changes):
    pose = rotvec(motion).astype(np.float32)
    whole = {"global_orient": pose[:, :3], "body_pose": pose[:, 3:], "transl": motion.translation_m.numpy()}
    return whole | {"betas": motion.betas.numpy()[None], "fps": motion.fps} | changes


def matrices(axis_angles: np.ndarray) -> np.ndarray:
    return roma.rotvec_to_rotmat(torch.from_numpy(axis_angles).unflatten(1, (-1, 3))).numpy()


def write(path, content):
    match path.suffix:
        case ".pkl":
            path.write_bytes(pickle.dumps(content))
        case ".pt":
            tensors = {name: torch.as_tensor(value) for name, value in content.items() if name != "fps"}
            torch.save(tensors | {"fps": content["fps"]}, path)
        case ".npy":
            np.save(path, content)
        case _:
            path.write_text(json.dumps({name: np.asarray(value).tolist() for name, value in content.items()}))
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".npy", ".json"])
def test_axis_angles_come_back_in_the_camera(tmp_path, camera, smpl, suffix):
    """Who stands along -y is in a camera's axes."""
    assert_same(load_motion(write(tmp_path / f"person{suffix}", fields(camera)), smpl.name), camera, 5e-5)


@pytest.mark.parametrize(
    "shape", ["(frames, joints, 3)", "(frames, joints, 3, 3)", "(frames, 9 joints)", "root (n, 3, 3)"]
)
def test_every_shape_of_the_same_rotations(tmp_path, camera, smpl, shape):
    """HMR 2.0 has matrices, the results of TRAM and of MMHuman3D axes beside each other."""
    content = fields(camera)
    root, pose = content["global_orient"], content["body_pose"]
    match shape:
        case "(frames, joints, 3)":
            root, pose = root[:, None], pose.reshape(-1, 23, 3)
        case "(frames, joints, 3, 3)":
            root, pose = matrices(root), matrices(pose)
        case "root (n, 3, 3)":
            root = matrices(root)[:, 0]
        case _:
            pose = matrices(pose).reshape(len(pose), -1)
    path = write(tmp_path / "person.pkl", content | {"global_orient": root, "body_pose": pose})
    assert_same(load_motion(path, smpl.name), camera, 5e-5)


def test_one_picture_of_smplify_x(tmp_path, camera, smpl):
    """vchoutas/smplify-x, smplifyx/fit_single_frame.py dumps the camera's translation beside arrays of one frame."""
    content = fields(camera.cut(3, 4))
    content |= {"body_pose": content["body_pose"][:, :63], "camera_translation": content.pop("transl")}
    content |= {"camera_rotation": np.eye(3)[None], "expression": np.zeros((1, 10)), "jaw_pose": np.zeros((1, 3))}
    got = load_motion(write(tmp_path / "000.pkl", content), smpl.name)
    assert got.frame == "camera"
    torch.testing.assert_close(got.local_rotmat[:, :22], camera.cut(3, 4).local_rotmat[:, :22], atol=2e-5, rtol=0)


def test_persons_by_name(tmp_path, camera, smpl):
    path = tmp_path / "people.pkl"
    path.write_bytes(pickle.dumps({7: fields(camera), 9: fields(camera.cut(5, 20))}))
    first, second = load_motions(path, smpl.name, fps=30)
    assert (first.frame_count, second.frame_count) == (camera.frame_count, 15)


def test_what_is_missing_is_told(tmp_path, camera, smpl, caplog):
    content = fields(camera)
    del content["transl"], content["fps"]
    got = load_motion(write(tmp_path / "person.pkl", content), smpl.name)
    assert "has no transl, so the body stays at one place" in caplog.text
    assert "does not say its frame rate; taking 30" in caplog.text
    assert float(got.translation_m.std(0).max()) < 0.03  # the pelvis stays, the body turns about it


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body_pose": np.zeros((4, 32))}, "VPoser's latent code"),
        ({"body_pose": np.zeros((4, 72))}, "72 numbers, which hold the root as well"),
        ({"body_pose": np.zeros((4, 23, 4))}, "quaternions, whose order nobody says"),
        ({"body_pose": np.zeros((4, 21, 6))}, "6 numbers a joint"),
        ({"body_pose": np.ones((4, 23, 3, 3))}, "'body_pose' should hold rotation matrices"),
        ({"body_pose": np.full((4, 69), 45.0)}, "if these are degrees, save radians"),
        ({"body_pose": np.zeros((4, 12))}, r"63 or 69 numbers, or 21 or 23 matrices, a frame, got shape \(4, 12\)"),
        ({"global_orient": np.zeros((4, 4))}, r"global_orient should have 3 numbers or a matrix a frame"),
        ({"global_orient": np.zeros((3, 3))}, "global_orient has 3 frames, body_pose has 4"),
        ({"body_pose": np.full((4, 69), np.nan)}, "NaN"),
    ],
)
def test_other_forms_are_refused_by_name(tmp_path, change, said, capsys):
    content = {"global_orient": np.zeros((4, 3)), "body_pose": np.zeros((4, 69)), "transl": np.zeros((4, 3))}
    path = write(tmp_path / "person.pkl", content | change)
    with pytest.raises(ValueError, match=rf"person\.pkl: .*{said}"):
        load_motion(path)
    assert main(["convert", str(path), "--output", str(tmp_path / "out.npz")]) == 2


def test_a_list_says_neither_frames_nor_persons(tmp_path, camera):
    """Multi-HMR lists the persons of a picture so, users of SMPLer-X the frames of one person."""
    path = tmp_path / "results.pkl"
    path.write_bytes(pickle.dumps([fields(camera.cut(0, 1)), fields(camera.cut(1, 2))]))
    with pytest.raises(ValueError, match="does not say whether they are frames or persons"):
        load_motions(path)
