"""Recordings of NTU RGB+D as MotionBERT's own evaluation reads them, for its published heads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.evaluation.predictor import Predictor
from motionrep.files.pickles import as_array
from motionrep.head_api.published_actions import in_one_box
from motionrep.layouts import COCO_17, H36M_17


def motionbert_output(stored: Mapping[str, Any], predictor: Predictor, frames: int) -> Float[Tensor, " outputs"]:
    """What a published head, whose clips are stretched to `frames`, gives for a recording: scores or a vector.

    Args:
        stored: `keypoint`, `keypoint_score` and `img_shape` as pyskl has them; checked already.
    """
    keypoint, score = (as_array(stored[name]) for name in ("keypoint", "keypoint_score"))
    points = motionbert_points(keypoint, score, max(map(int, as_array(stored["img_shape"]).ravel())), frames)
    inputs = in_one_box(points, predictor.encoder.crop_ratio)
    return predictor.head.of_inputs(inputs, predictor.encoder.fps or 30.0, predictor.device, predictor.dtype)


def motionbert_points(
    keypoint: Float[np.ndarray, "persons frames 17 2"],
    score: Float[np.ndarray, "persons frames 17"],
    longer_px: int,
    frames: int,
) -> Float[Tensor, "two_at_most stretched 17 3"]:
    """The first two persons as `ActionDataset` of lib/data/dataset_action.py makes them, before its box.

    Frames are taken evenly over the clip, some of them several times. Places are computed in the file's precision. The
    third number of a joint is the confidence of COCO's joint of the same number, which is another joint: models were
    trained on that.
    """
    xy = _followed(keypoint[:2] / longer_px * 2 - 1)
    at = np.linspace(0, xy.shape[1], frames, endpoint=False, dtype=int)
    made = np.concatenate([_as_h36m(xy[:, at]), score[:2, at, :, None]], -1)
    return torch.from_numpy(made.astype(np.float32))


def _as_h36m(xy: Float[np.ndarray, "persons frames 17 2"]) -> Float[np.ndarray, "persons frames 17 2"]:
    """COCO's joints as Human3.6M's; middles of two joints are in the precision of the joints, as published."""

    def middle(joint: str) -> np.ndarray:
        left, right = (xy[..., COCO_17.index(f"{side}_{joint}"), :] for side in ("left", "right"))
        return ((left + right) * 0.5).astype(np.float64)

    made = {"pelvis": middle("hip"), "thorax": middle("shoulder"), "head": middle("eye")}
    made["spine"] = (made["pelvis"] + made["thorax"]) / 2
    joints = [made[it] if it in made else xy[..., COCO_17.index(it), :] for it in H36M_17.joints]
    return np.stack(joints, -2).astype(np.float64)


def _followed(xy: Float[np.ndarray, "persons frames joints 2"]) -> Float[np.ndarray, "persons frames joints 2"]:
    """The places of two persons change hands at every frame in which the first came from where the second was.

    Those of two persons are in double precision, as published; those of one stay as they are.
    """
    if len(xy) == 1:
        return xy
    stayed, came = (np.linalg.norm(xy[0, 1:] - before, axis=-1).sum(-1) for before in (xy[0, :-1], xy[1, :-1]))
    exchanged = np.concatenate([[False], np.cumsum(stayed > came) % 2 == 1])
    return np.where(exchanged[:, None, None], xy[::-1], xy).astype(np.float64)
