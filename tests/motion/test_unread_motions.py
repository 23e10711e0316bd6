"""Files that motionrep does not read end in one sentence that says what they are or hold, and what to do."""

import json
import pickle
import re

import numpy as np
import pytest
import torch

from motionrep.cli.main import main
from motionrep.keypoints.loading import load_keypoints
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.loading import load_motions

BLENDER = "export the armature's motion as Motion Capture"


@pytest.mark.parametrize(
    ("name", "begin", "said"),
    [
        ("walk.fbx", b"Kaydara FBX Binary  \0\x1a\0", f"is an FBX file, .*import it in Blender and {BLENDER}"),
        ("walk.fbx", b"; FBX 7.3.0 project file\n", f"is an FBX file, .*{BLENDER}"),
        ("walk.glb", b"glTF\2\0\0\0\x40\0\0\0", f"is a glTF file .*{BLENDER}"),
        ("dance.vrma", b"glTF\2\0\0\0\x40\0\0\0", f"is a glTF file .*{BLENDER}"),
        ("walk.gltf", b'{"asset": {"version": "2.0"}, "nodes": []}', f"is a glTF file .*{BLENDER}"),
        ("walk.usd", b"PXR-USDC\0\x08\0", f"is a USD file, .*{BLENDER}"),
        ("walk.usda", b"#usda 1.0\n(\n)\n", f"is a USD file, .*{BLENDER}"),
        ("walk.usdz", b"PK\3\4\x0a\0\0\0", f"is a USD file, .*{BLENDER}"),
        ("dance.vmd", b"Vocaloid Motion Data 0002\0\0\0\0\0", "MikuMikuDance .*add-on MMD Tools"),
        ("run.anim", b"%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n", "Unity .*FBX Exporter"),
        ("walk.blend", b"BLENDER-v404", f"is a Blender file, .*open it in Blender and {BLENDER}"),
    ],
)  # fmt: skip
def test_animations_of_other_programs(tmp_path, name, begin, said, capsys):
    path = tmp_path / name
    path.write_bytes(begin + bytes(64) if b"\n" not in begin and b"{" not in begin else begin)
    with pytest.raises(ValueError, match=said):
        load_motions(path)
    assert main(["convert", str(path), "--output", str(tmp_path / "out.npz")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


F = 6
NUMBERS = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return NUMBERS.normal(size=shape).astype(np.float32)


DICTS = {
    "a name list": {"names": ["a", "b"], "count": 2},
    "a pose without more": {"pose": numbers(F, 72)},
    "rotations of a network": {"pred_rotmat": numbers(F, 24, 3, 3), "pred_shape": numbers(F, 10)},
    "part of HybrIK": {"pred_thetas": numbers(F, 216), "pred_betas": numbers(F, 10), "transl": numbers(F, 3)},
    "part of CLIFF": {"pose": numbers(F, 72), "shape": numbers(F, 10), "global_t": numbers(F, 3)},
    "part of TRAM": {"pred_cam": numbers(F, 3), "pred_pose": numbers(F, 24, 3, 3), "pred_trans": numbers(F, 1, 3)},
    "PACE": {"seq": {"params": {"trans": numbers(F, 3)}, "cam": numbers(F, 4, 4)}},
    "part of PromptHMR": {"people": {1: {"smplx_world": {"pose": numbers(F, 165)}}}, "camera": {"img_focal": 900.0}},
    "a part of EasyMocap": {"annots": [{"id": 0, "Rh": [[0, 0, 0]], "poses": [[0] * 72]}]},
    "a network's features": {"motion_features": numbers(F, 512)},
    "vertices": {"vertices": numbers(F, 689, 3), "faces": NUMBERS.integers(0, 9, (20, 3))},
    "cameras": {"K": numbers(3, 3), "R": numbers(F, 3, 3), "T": numbers(F, 3)},
    "optical flow": {"flow": numbers(2, 8, 8)},
    "a dict of dicts": {"a": {"x": 1.0}, "b": {"x": 2.0}},
    "people with boxes": {0: {"bbox": numbers(F, 4), "frames": np.arange(F)}},
    "people with poses and boxes": {0: {"pose": numbers(F, 72), "bbox": numbers(F, 4), "verts": numbers(F, 9, 3)}},
    "part of VIBE": {
        1: {"pred_cam": numbers(F, 3), "pose": numbers(F, 72), "betas": numbers(F, 10), "joints3d": numbers(F, 49, 3)}
    },
    "GMR's robot": {"fps": 30, "root_pos": numbers(F, 3), "root_rot": numbers(F, 4), "dof_pos": numbers(F, 29)},
    "features of sound": {"mfcc": numbers(20, F)},
    "one number": {"x": 1},
    "nothing": {},
    "labels": {"labels": [0, 1, 2], "classes": ["walk", "run"]},
    "a text": {"text": "a person walks"},
    "nested lists": {"a": [[1, 2], [3, 4, 5]]},
    "a state": {"epoch": 3, "losses": [0.1, 0.2]},
}
ARRAYS = {
    "one row": numbers(72),
    "AMASS's poses alone": numbers(F, 156),
    "HumanML3D's features": numbers(F, 263),
    "five axes": numbers(2, 2, F, 22, 3),
    "matrices": numbers(F, 24, 3, 3),
    "one number": numbers(1),
    "text": np.array(["a", "b"]),
    "pictures": NUMBERS.integers(0, 255, (F, 16, 16), dtype=np.uint8),
    "quaternions": numbers(F, 24, 4),
}
READERS = ("which WHAM", "lacks pose_world", "as save_keypoints writes")


@pytest.mark.parametrize("kept", ["pickle", "json", "npz"])
@pytest.mark.parametrize("name", DICTS)
def test_unknown_dicts_are_taken_for_nothing(tmp_path, name, kept):
    """A dict of dicts was taken for WHAM's, an .npz without `poses` for keypoints."""
    content, path = DICTS[name], tmp_path / f"results.{'pkl' if kept == 'pickle' else kept}"
    match kept:
        case "pickle":
            path.write_bytes(pickle.dumps(content))
        case "json":
            path.write_text(json.dumps(content, default=lambda value: np.asarray(value).tolist()))
        case _:
            np.savez(path, **{str(key): np.asarray(value, dtype=object if isinstance(value, dict | list) else None)
                              for key, value in content.items()})  # fmt: skip
    for load in (load_motions, lambda file: load_keypoints(file, size_px=(640, 480)), load_joints):
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: ") as caught:
            load(path)
        assert not any(reader in str(caught.value) for reader in READERS), caught.value
        fields = [str(key) for key in content][:1]
        assert all(field in str(caught.value) for field in fields), caught.value


@pytest.mark.parametrize("name", ARRAYS)
def test_unknown_arrays_are_no_motion_and_say_their_shape(tmp_path, name):
    np.save(tmp_path / "array.npy", ARRAYS[name])
    with pytest.raises(ValueError, match=r"array\.npy: ") as caught:
        load_motions(tmp_path / "array.npy")
    shape = ", ".join(map(str, ARRAYS[name].shape))
    assert shape in str(caught.value) or "joint positions" in str(caught.value), caught.value


def test_a_tensor_file_of_unknown_names_is_called_by_them(tmp_path):
    torch.save({"latent": torch.zeros(4, 8)}, tmp_path / "latent.pt")
    with pytest.raises(ValueError, match="latent"):
        load_motions(tmp_path / "latent.pt")
