"""Files that are read besides those of `files.kinds`: cameras, layouts, skeletons, settings, weights, bodies."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from motionrep.body.smpl_pickles import read_smpl_pickle
from motionrep.datasets import motion_folders
from motionrep.datasets.benchmarks.clip_index import list_clip_index
from motionrep.datasets.held_out import read_held_out
from motionrep.encoders.architectures.ktpformer import KTPFormer
from motionrep.encoders.loading import load_encoder
from motionrep.encoders.published import load_published
from motionrep.geometry.camera_files import read_camera
from motionrep.head_api.loading import head_class, load_head, save_head
from motionrep.keypoints.naming import read_layout
from motionrep.layouts import COCO_17
from motionrep.motion.marker_sets import read_marker_map
from motionrep.motion.retargeting.skeletons import SKELETONS, read_skeleton
from motionrep.training.config import FinetuneConfig

Write = Callable[[Path], Path]
_CLIPS = "clip,label,fps,split\na.json,walk,30,train\nb.json,run,25,val\n"
_MOTIONS = "clip_id,subject,path,action,split,core,first_frame,bad_ranges\na,1,a.bvh,walk,train,1,0,3-7\n"
_SETTINGS = "head: pose3d\nencoder: ktpformer-s\nepochs: 3\nhead_config: {hidden: 8, losses: {position: 1.0}}\n"


def _json(content: Any) -> Write:
    def write(folder: Path) -> Path:
        (folder / "file.json").write_text(json.dumps(content))
        return folder / "file.json"

    return write


def _text(name: str, content: str) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return write


def _settings(folder: Path) -> Path:
    (folder / "file.yaml").write_text(_SETTINGS)
    return folder / "file.yaml"


def _encoder(folder: Path) -> Path:
    torch.manual_seed(0)
    encoder = KTPFormer(frames=9, channels=16, depth=1, heads=2, input_channels=3)
    encoder.name = "tiny"
    encoder.save_pretrained(folder / "encoder")
    return folder / "encoder"


def _head(folder: Path) -> Path:
    save_head(head_class("action")(channels=16, labels=["a", "b"]), folder / "head", "action", "tiny")
    return folder / "head"


def _weights() -> dict[str, torch.Tensor]:
    """Of an encoder and a pose head, under the names that the authors' code has for them."""
    torch.manual_seed(0)
    encoder, published = KTPFormer(frames=9, channels=16, depth=1, heads=2, input_channels=3), KTPFormer.published
    weights = {published.name_in_file(name): tensor for name, tensor in encoder.state_dict().items()}
    head = published.pose_head(16).state_dict()
    return {name: it.contiguous() for name, it in (weights | {f"head.{key}": it for key, it in head.items()}).items()}


def _checkpoint(folder: Path) -> Path:
    torch.save({"model_pos": _weights()}, folder / "file.bin")
    return folder / "file.bin"


def _safetensors(folder: Path) -> Path:
    save_file(_weights(), folder / "file.safetensors")
    return folder / "file.safetensors"


def _body(folder: Path) -> Path:
    fields = {"v_template": np.zeros((4, 3)), "J_regressor": np.zeros((24, 4)), "f": np.zeros((2, 3), np.uint32)}
    (folder / "file.pkl").write_bytes(pickle.dumps(fields))
    return folder / "file.pkl"


_CAMERA = {"width": 640, "height": 480, "fx": 500.0, "cx": 320.0, "cy": 240.0, "camera_from_world": np.eye(4).tolist()}
_LAYOUT = {"joints": list(COCO_17.joints), "parents": list(COCO_17.parents)}
_SKELETON = next(iter(SKELETONS.values()))

# What writes a valid file, and what reads it.
OTHERS: dict[str, tuple[Write, Callable[[Path], Any]]] = {
    "camera": (_json(_CAMERA), read_camera),
    "layout": (_json(_LAYOUT), read_layout),
    "skeleton": (_json({"joints": dict(_SKELETON.joints)}), read_skeleton),
    "markers": (_json({"left_knee": ["LKNE", "LMKNE"], "right_knee": "RKNE"}), read_marker_map),
    "settings": (_settings, FinetuneConfig.from_file),
    "encoder": (_encoder, load_encoder),
    "head": (_head, load_head),
    "checkpoint": (_checkpoint, lambda path: load_published(path, heads=2)),
    "checkpoint in safetensors": (_safetensors, lambda path: load_published(path, heads=2)),
    "index of clips": (_text("file.csv", _CLIPS), list_clip_index),
    "index of motions": (_text("file.csv", _MOTIONS), motion_folders._read_index),
    "held-out people": (_text("file.txt", "# of CMU\n02_*\n35_*\n"), lambda path: read_held_out(str(path))),
    "body": (_body, lambda path: read_smpl_pickle(path, ("v_template", "J_regressor", "f"))),
}
