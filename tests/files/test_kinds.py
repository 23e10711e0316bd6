"""Every kind of file is recognised by what is in it, and no reader gets a file of another kind."""

import json
import os
import pickle
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from keypoint_files import alphapose, coco, flat, landmarks, mmpose_frame, openpose_people, person, written, yolo
from paths import OPEN_BODY, WALK_BVH
from python2_pickles import python2_pickle
from safetensors.torch import save_file

from motionrep.embedding.tables import write_embeddings
from motionrep.encoders import load_encoder
from motionrep.files import kinds
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of, suffixes
from motionrep.geometry.camera_files import write_camera
from motionrep.geometry.cameras import PinholeCamera
from motionrep.keypoints.loading import load_keypoints, read_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17, H36M_17
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.loading import load_joint_motion, load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding

CLIP = Keypoints(torch.rand(3, 17, 2) * 100 + 100, torch.ones(3, 17), COCO_17, 25.0, 640, 480)
BODY = BodyMotion(torch.eye(3).repeat(3, 24, 1, 1), torch.zeros(3, 3), torch.zeros(10), "open", 30.0, "world")
JOINTS = JointMotion(torch.rand(3, 17, 3), H36M_17, 30.0, "root")


def json_file(content):
    return lambda folder: written(folder, content)


def json_folder(content):
    """A file for each of two pictures."""

    def write(folder: Path) -> Path:
        for name in "ab":
            written(folder, content, f"{name}.json")
        return folder

    return write


def npz_file(**arrays):
    def write(folder: Path) -> Path:
        np.savez(folder / "file.npz", **arrays)
        return folder / "file.npz"

    return write


def hdf5_file(**arrays):
    def write(folder: Path) -> Path:
        with h5py.File(folder / "file.h5", "w") as file:
            for name, array in arrays.items():
                file[name] = array
        return folder / "file.h5"

    return write


def pickle_file(content, protocol: int = 2):
    def write(folder: Path) -> Path:
        (folder / "file.pkl").write_bytes(pickle.dumps(content, protocol))
        return folder / "file.pkl"

    return write


def torch_file(content, name: str = "file.pt", zipped: bool = True):
    def write(folder: Path) -> Path:
        torch.save(content, folder / name, _use_new_zipfile_serialization=zipped)
        return folder / name

    return write


def bytes_file(name: str, content: bytes):
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def saved(save, name: str):
    def write(folder: Path) -> Path:
        save(folder / name)
        return folder / name

    return write


def copied(path: Path):
    return lambda folder: Path(shutil.copy(path, folder))


def weights_folder(folder: Path) -> Path:
    (folder / "config.json").write_text("{}")
    save_file({"a.weight": torch.zeros(2)}, folder / "model.safetensors")
    return folder


def openpose_folder(folder: Path) -> Path:
    for frame in range(2):
        written(folder, openpose_people(person(25)), f"v_{frame:012d}_keypoints.json")
    return folder


EMBEDDING = MotionEmbedding(torch.rand(3, 17, 4), CLIP.as_h36m_17(), "some")
COLUMNS = ",".join(f"{axis}{joint}" for joint in range(9) for axis in "xy")
POSES = np.zeros((2, 72))
RESULTS = {"motion": np.zeros((1, 22, 3, 4)), "lengths": np.array([4]), "text": ["a person stands"]}
TRACK = np.array(dict.fromkeys(("pred_rotmat", "pred_shape", "pred_trans", "frame"), 0))
ARRAY = "array of shape (frames, joints, 3 or 4)"
# One or more files of every kind: (name, what it holds, how to write it).
EXAMPLES = [
    ("folder of weights", "weights", weights_folder),
    ("checkpoint", "weights", torch_file({"model_pos": {"a": torch.zeros(2)}}, "best.bin")),
    ("checkpoint", "weights", torch_file({"layer.weight": torch.zeros(2)}, zipped=False)),
    ("checkpoint", "weights", saved(lambda path: save_file({"a.weight": torch.zeros(2)}, path), "m.safetensors")),
    ("SMPL", "body", copied(OPEN_BODY)),
    ("SMPL", "body", pickle_file({"v_template": np.zeros((4, 3)), "J_regressor": Path("/x"), "f": 1})),
    ("Parquet", "embeddings", saved(lambda path: write_embeddings([EMBEDDING], path), "table.parquet")),
    ("JSON", "camera", saved(lambda path: write_camera(PinholeCamera.from_hfov(640, 480), path), "camera.json")),
    ("JSON", "actions", json_file({"person": "0", "best": "walk", "probability": {"walk": 1.0}})),
    ("motionrep keypoints", "keypoints", saved(lambda path: save_keypoints([CLIP], path), "clip.npz")),
    ("OpenPose", "keypoints", openpose_folder),
    ("OpenPose", "keypoints", json_file(openpose_people(person(25)))),
    ("OpenPose", "keypoints", json_file({"0.jpg": openpose_people(), "1.jpg": openpose_people(person(18))})),
    ("MMPose", "keypoints", json_file({"meta_info": {}, "instance_info": [mmpose_frame(1, person(17))]})),
    ("MMPose", "keypoints", json_file([mmpose_frame(1, person(17))])),
    ("MMPose", "keypoints", json_file(mmpose_frame(1, person(17))["instances"])),
    ("Ultralytics YOLO", "keypoints", json_file([[], [yolo(person(17))]])),
    ("Ultralytics YOLO", "keypoints", json_file([json.dumps([yolo(person(17))])])),
    ("AlphaPose", "keypoints", json_file([alphapose("0.jpg", person(17), 1)])),
    ("AlphaPose", "keypoints", saved(lambda path: save_keypoints([CLIP], path), "clip.json")),
    ("COCO", "keypoints", json_file([coco(1, person(17))])),
    ("COCO", "keypoints", json_file({"images": [{"id": 1}], "annotations": []})),
    ("MediaPipe", "keypoints", json_file([None, landmarks(person(33))])),
    ("MediaPipe", "keypoints", json_file([{"pose_landmarks": [landmarks(person(33))]}])),
    ("AlphaPose", "keypoints", json_file({"0.jpg": [{"keypoints": flat(person(17)), "scores": 2.0, "idx": 1}]})),
    ("AlphaPose", "keypoints", json_folder([alphapose("0.jpg", person(17))])),
    ("MMPose", "keypoints", json_folder({"instance_info": mmpose_frame(0, person(17))["instances"]})),
    ("Ultralytics YOLO", "keypoints", json_folder([yolo(person(17))])),
    ("Kinetics-skeleton", "keypoints", json_file({"data": [{"frame_index": 1, "skeleton": []}], "label": "jump"})),
    ("lists of points in JSON", "keypoints", json_file([person(17).tolist()])),
    ("lists of points in JSON", "keypoints", json_file({"keypoints": [[person(17)[:, :2].tolist()]]})),
    ("YOLO labels", "keypoints", bytes_file("v_1.txt", b"0 0.5 0.5 0.2 0.4" + b" 0.5 0.5 0.9" * 17)),
    ("DeepLabCut", "keypoints", bytes_file("a.csv", b"scorer,DLC,DLC\nbodyparts,nose,nose\ncoords,x,y\n0,1,2\n")),
    ("SLEAP", "keypoints", hdf5_file(tracks=np.ones((1, 2, 5, 3)), node_names=[b"nose"], track_names=[b"a"])),
    ("table of keypoints", "keypoints", bytes_file("a.csv", COLUMNS.encode())),
    ("table of keypoints", "keypoints", bytes_file("a.csv", ",".join(["1.5"] * 34).encode())),
    ("VideoPose3D", "keypoints", npz_file(positions_2d=np.array({"a": {}}, dtype=object), metadata=np.array({}))),
    ("array of 2D points", "keypoints", saved(lambda path: np.save(path, np.ones((5, 17, 2))), "x.npy")),
    ("array of 2D points", "keypoints", npz_file(points=np.full((5, 17, 3), [99, 99, 1]))),
    ("NTU skeleton", "keypoints", bytes_file("S001.skeleton", b"1\n1\n7 0 1 1 1 1 0 0.1 -0.2 2\n25\n")),
    ("folder of pictures", "picture", lambda folder: bytes_file("000001.jpg", b"\xff\xd8\xff")(folder).parent),
    ("motionrep body motion", "motion", saved(lambda path: save_motion(BODY, path), "body.npz")),
    ("BVH", "motion", copied(WALK_BVH)),
    ("BVH", "motion", bytes_file("walk.txt", b"\xef\xbb\xbf\r\nHIERARCHY\r\nROOT hip")),
    ("AMASS", "motion", npz_file(poses=np.zeros((2, 156)), trans=np.zeros((2, 3)), mocap_framerate=30.0)),
    ("3DPW", "motion", pickle_file({"poses": [POSES], "trans": [POSES[:, :3]], "cam_poses": np.zeros((2, 4, 4))})),
    ("WHAM", "motion", pickle_file({0: {"pose_world": POSES, "trans_world": POSES[:, :3], "frame_ids": POSES}})),
    ("MotionBERT mesh", "motion", pickle_file({"train": {"smpl_pose": POSES, "smpl_shape": POSES, "source": ["a"]}})),
    ("GVHMR", "motion", torch_file({"smpl_params_global": {"body_pose": torch.zeros(2, 63)}, "K_fullimg": 1})),
    ("GVHMR", "motion", pickle_file({"smpl_params_global": {"body_pose": POSES}, "smpl_params_incam": {}})),
    ("SMPL-X in parts", "motion", npz_file(root_orient=POSES[:, :3], pose_body=POSES[:, :63], trans=POSES[:, :3])),
    ("arguments of the package smplx", "motion", npz_file(global_orient=POSES[:, :3], body_pose=POSES[:, :63])),
    ("dict of SMPL's parameters", "motion", pickle_file({"global_orient": POSES[:, :3], "body_pose": POSES[:, :63]})),
    ("AIST++", "motion", pickle_file({"smpl_poses": POSES, "smpl_trans": POSES[:, :3], "smpl_scaling": POSES[:1, 0]})),
    ("PHALP and 4D-Humans", "motion", pickle_file({"0.jpg": {"time": 0, "tid": [], "smpl": [], "camera": []}})),
    ("ROMP", "motion", npz_file(results=np.array({"0.png": {"smpl_thetas": 0, "smpl_betas": 0, "cam_trans": 0}}))),
    ("ROMP", "motion", npz_file(results=np.array({"0.png": [{"poses": 0, "betas": 0, "trans": 0}]}))),
    ("GLAMR", "motion", pickle_file({"person_data": {0: {"smpl_pose": POSES}}, "cam_pose": np.zeros((2, 4, 4))})),
    ("VIBE", "motion", pickle_file({1: {"pose": POSES, "betas": POSES, "orig_cam": POSES, "frame_ids": POSES}})),
    ("TRAM", "motion", saved(lambda path: np.save(path, TRACK), "hps_track_0.npy")),
    ("PromptHMR", "motion", pickle_file({"people": {1: {"smplx_world": {"pose": POSES}}}, "camera_world": {}})),
    ("CLIFF", "motion", npz_file(pose=POSES, shape=POSES, global_t=POSES, detection_all=POSES)),
    ("HybrIK", "motion", pickle_file(dict.fromkeys(("pred_thetas", "pred_cam_root", "bbox", "pred_betas"), POSES))),
    ("EasyMocap", "motion", json_folder([{"id": 0, "Rh": [[0, 0, 0]], "Th": [[0, 0, 0]], "poses": [[0] * 72]}])),
    ("EasyMocap", "motion", json_file({"annots": [{"id": 0, "Rh": [[0, 0, 0]], "Th": [[0, 0, 0]]}]})),
    ("HumanML3D features", "joints", saved(lambda path: np.save(path, np.zeros((5, 263))), "012314.npy")),
    ("DeepMimic", "motion", bytes_file("humanoid3d_walk.txt", b'{"Loop": "wrap", "Frames": [[0.03]]}')),
    ("results of MDM", "joints", saved(lambda path: np.save(path, RESULTS), "results.npy")),
    ("SAM 3D Body", "joints", pickle_file([[{"pred_keypoints_3d": POSES, "pred_cam_t": POSES}]])),
    ("C3D markers", "joints", bytes_file("walk.c3d", b"\x02P\x00\x00")),
    ("motionrep joint motion", "joints", saved(lambda path: save_motion(JOINTS, path), "joints.npz")),
    ("OpenSim markers", "joints", bytes_file("clip.trc", b"PathFileType\t4\t(X/Y/Z)\tclip.trc\n")),
    (ARRAY, "joints", saved(lambda path: np.save(path, np.zeros((5, 17, 3))), "joints.npy")),
    (ARRAY, "joints", npz_file(xyz=np.ones((5, 17, 4)), fps=25)),
    ("video file", "video", bytes_file("video.mp4", b"\x00\x00\x00\x20ftypisom")),
    ("video file", "video", bytes_file("old.mov", b"\x00\x00\x00\x08wide")),
    ("video file", "video", bytes_file("broadcast.MTS", b"\x00\x00\x00\x00\x47")),
    ("folder of videos", "video", lambda folder: bytes_file("dance.mp4", b"")(folder).parent),
    ("image file", "picture", bytes_file("picture", b"\x89PNG\r\n\x1a\n")),
    ("image file", "picture", bytes_file("scan.tif", b"II*\x00")),
]  # fmt: skip


def test_every_kind_has_an_example():
    assert {(kind.name, kind.holds) for kind in kinds.KINDS} == {(name, holds) for name, holds, _ in EXAMPLES}


@pytest.mark.parametrize(("name", "holds", "write"), EXAMPLES)
def test_a_file_is_of_one_kind_and_other_readers_say_which(tmp_path, name, holds, write):
    path = write(tmp_path)
    found = [kind for kind in kinds.KINDS if kind.recognise(look(path))]
    assert (found[0].name, found[0].holds) == (name, holds)
    assert kind_of(path) is found[0]
    size = {"size_px": (640, 480)}
    for load, wanted, options in (
        (load_keypoints, "keypoints", size),
        (load_motion, "motion", {}),
        (load_joints, "joints", {}),
        (load_joint_motion, "joints", {}),
        (load_encoder, "weights", {}),
    ):
        if holds != wanted and not (load is load_encoder and path.is_dir()):
            with pytest.raises(ValueError, match=rf"holds .* \({re.escape(name)}\); ") as caught:
                load(path, **options)
            assert str(caught.value).startswith(f"{path}: holds ")


@pytest.mark.parametrize(
    ("write", "described"),
    [
        (npz_file(sizes=np.zeros(3), ids=np.zeros(2)), "an .npz file with the fields 'sizes' (3,), 'ids' (2,)"),
        (saved(lambda path: np.save(path, POSES), "x.npy"), "a .npy file with an array of shape (2, 72) of float64"),
        (pickle_file({"pred_cam": np.zeros(3)}), "a pickle with the fields 'pred_cam' (3,)"),
        (pickle_file({7: {"v": np.zeros(3)}}), "a pickle with the fields '7', whose items have the fields 'v' (3,)"),
        (pickle_file([1, 2]), "a pickle with a list"),
        (torch_file({"pred_cam": torch.zeros(3)}), "a file of torch.save with the fields 'pred_cam'"),
        (torch_file([torch.zeros(3)]), "a file of torch.save"),
        (json_file({"a": 1, "b": 2}), "a JSON file with the fields 'a', 'b'"),
        (json_file([{"a": 1}]), "a JSON file with a list, whose items have the fields 'a'"),
        (json_file(3), "a JSON file with a int"),
        (bytes_file("table.csv", b"frame,x,y\n"), "a .csv file with the columns 'frame', 'x', 'y'"),
        (bytes_file("clip.fbx", b"Kaydara FBX Binary  \x00"), "an FBX file"),
        (bytes_file("weights.bin", b"\x00\x01\x02\x03" * 9), "a .bin file"),
        (bytes_file("something", b"\x00"), "a file of unknown kind"),
        (lambda folder: bytes_file("a.py", b"1")(folder).parent, "a folder with the files 'a.py'"),
    ],
)  # fmt: skip
def test_an_unknown_file_is_called_unknown_with_what_was_found(tmp_path, write, described):
    path = write(tmp_path)
    assert (kind_of(path).holds, kind_of(path).name) == ("unknown", described)
    for load, what in ((load_keypoints, "keypoints"), (load_motion, "a motion"), (load_joints, "joint positions")):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            load(path, **({"size_px": (640, 480)} if load is load_keypoints else {}))
        assert str(caught.value).startswith(f"{path}: is {described}, not {what} of a kind that motionrep reads (")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (bytes_file("clip.json", b"{"), "not valid JSON"),
        (bytes_file("clip.npz", b"PK\x03\x04 cut off"), "not a readable .npz"),
        (bytes_file("clip.npz", b"text"), "not a readable .npz"),
        (bytes_file("clip.pkl", b"\x80\x04 cut off"), "not a whole pickle"),
        (bytes_file("clip.pt", b"no weights"), "not a whole file of torch.save"),
        (bytes_file("clip.safetensors", b"short"), "not a whole .safetensors"),
    ],
)
def test_a_broken_file_is_called_broken(tmp_path, write, message):
    path = write(tmp_path)
    assert kind_of(path).holds == "unknown"
    for load in (load_keypoints, load_motion, load_joints):
        with pytest.raises(ValueError, match=message):
            load(path)


class Hostile:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_looking_runs_nothing(tmp_path, protocol):
    content = {"v_template": Hostile(tmp_path / "ran"), "J_regressor": Hostile(tmp_path / "ran"), "poses": 1}
    for write in (pickle_file(content, protocol), torch_file(content), torch_file(content, "old.pt", zipped=False)):
        path = write(tmp_path)
        assert "poses" in look(path).fields
        assert kind_of(path).holds == ("body" if path.suffix == ".pkl" else "unknown")
    (tmp_path / "python2.pkl").write_bytes(python2_pickle(content))
    assert kind_of(tmp_path / "python2.pkl").holds == "body"
    assert not (tmp_path / "ran").exists()


def test_what_was_parsed_to_look_is_not_parsed_again(tmp_path):
    contents = look(written(tmp_path, [alphapose(f"{t}.jpg", person(17), 1) for t in range(3)]))
    assert kind_of(contents).name == "AlphaPose"
    contents.path.unlink()
    (clip,) = read_keypoints(contents, size_px=(640, 480))
    assert clip.frame_count == 3


def test_the_numbers_of_weights_are_not_read(tmp_path):
    """Only names are needed to tell what they are; files of weights may be gigabytes."""
    weights = {"layer.weight": torch.zeros(1000)}
    save_file(weights, tmp_path / "w.safetensors")
    torch.save(weights, tmp_path / "w.pt")
    for name, cut in (("w.safetensors", True), ("w.pt", False)):
        whole = (tmp_path / name).read_bytes()
        place = whole.index(bytes(2000))
        damaged = whole[:place] if cut else whole[:place] + b"\x41" * 2000 + whole[place + 2000 :]
        (tmp_path / name).write_bytes(damaged)
        assert kind_of(tmp_path / name).name == "checkpoint"


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz: no such file or folder"):
        kind_of(tmp_path / "nowhere.npz")


def test_suffixes_of_what_files_hold():
    assert suffixes("motion") == (".bvh", ".json", ".npy", ".npz", ".pk", ".pkl", ".pt", ".txt")
    assert suffixes("keypoints") == (
        ".csv", ".h5", ".json", ".jsonl", ".ndjson", ".npy", ".npz", ".skeleton", ".tsv", ".txt",
    )  # fmt: skip
    assert suffixes("joints", "video")[:3] == (".avi", ".c3d", ".mkv")
