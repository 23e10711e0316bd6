"""ViTPose with RT-DETR as person detector, both through the library transformers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.detection.frame_by_frame import FrameByFrame, People, Picture, layout_of, require_library
from motionrep.weights.hub import snapshot

POSE, PEOPLE = "usyd-community/vitpose-base-simple", "PekingU/rtdetr_r50vd_coco_o365"
_DOWNLOAD = "the weights of ViTPose (344 MB) and RT-DETR (172 MB), both Apache-2.0"
_FILES = ("model.safetensors", "config.json", "preprocessor_config.json")
_PERSON_SCORE = 0.3


class VitPose(FrameByFrame):
    """Finds people with RT-DETR and their joints with ViTPose, in each picture by itself.

    Args:
        model: A Hugging Face Hub id or folder of ViTPose; one of a person detector may follow after a comma. "" takes
            the base model, and RT-DETR with a ResNet-50. An id may end in a revision, `owner/name@commit`.

    Raises:
        ImportError: The library is not installed.
        ValueError: Weights that are not here and cannot be downloaded, or that are of another kind.
    """

    name = "vitpose"

    def __init__(self, model: str = "", device: str | torch.device = "cpu") -> None:
        require_library("vitpose", "transformers", _DOWNLOAD)
        from transformers import AutoModelForObjectDetection, VitPoseForPoseEstimation

        pose, _, people = model.partition(",")
        self.device = torch.device(device)
        self.pose, self.pose_input = self._loaded(pose or POSE, VitPoseForPoseEstimation)
        self.people, self.people_input = self._loaded(people or PEOPLE, AutoModelForObjectDetection)
        self.layout = layout_of(self.pose.config.num_labels, pose or POSE)
        classes = {str(name).lower(): number for number, name in self.people.config.id2label.items()}
        if "person" not in classes:
            raise ValueError(f"{people or PEOPLE}: finds no persons, only {', '.join(sorted(classes)[:5])} and others")
        self.person_class = classes["person"]
        self.experts = getattr(self.pose.config.backbone_config, "num_experts", 1)

    @torch.no_grad()
    def look(self, picture: Picture) -> People:
        boxes = self._boxes(picture)
        if not len(boxes):
            return np.zeros((0, self.layout.joint_count, 3))
        inputs = self.pose_input(picture, boxes=[boxes], return_tensors="pt").to(self.device)
        if self.experts > 1:  # of ViTPose+, which has one for each data set; the first is of COCO
            inputs["dataset_index"] = torch.zeros(len(boxes), dtype=torch.long, device=self.device)
        outputs = self.pose(**inputs)
        (people,) = self.pose_input.post_process_pose_estimation(outputs, boxes=[boxes])
        xy = np.stack([one["keypoints"].cpu().numpy() for one in people])
        score = np.stack([one["scores"].cpu().numpy() for one in people])
        return np.concatenate([xy, score[..., None].clip(0, 1)], -1).astype(np.float64)

    @torch.no_grad()
    def _boxes(self, picture: Picture) -> np.ndarray:
        """Left, top, width and height of every person."""
        inputs = self.people_input(images=picture, return_tensors="pt").to(self.device)
        size = torch.tensor([picture.shape[:2]])
        (found,) = self.people_input.post_process_object_detection(
            self.people(**inputs), threshold=_PERSON_SCORE, target_sizes=size
        )
        box = found["boxes"][found["labels"] == self.person_class].cpu().numpy().copy()
        box[:, 2:] -= box[:, :2]
        return box

    def _loaded(self, name: str, kind: Any) -> tuple[Any, Any]:
        """A network in evaluation mode and what prepares its pictures."""
        from transformers import AutoImageProcessor

        folder = _folder(name)
        try:
            with _bars_only_on_terminals():
                network, prepare = kind.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
        except (OSError, ValueError) as error:
            said = str(error).split("\n")[0]
            raise ValueError(f"{name}: no weights that transformers reads as {kind.__name__}: {said}") from error
        return network.to(self.device).eval(), prepare


def _folder(name: str) -> Path:
    """A folder of weights as it is given, or that of a Hub id, downloaded unless it is in the cache."""
    if Path(name).is_dir():
        return Path(name)
    try:
        return snapshot(name, _FILES)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"detector vitpose: {name!r} is no folder, and could not be downloaded from the Hugging Face Hub "
            f"({type(error).__name__}); without a connection download the folders elsewhere and pass "
            f"--detector vitpose:POSE_FOLDER,PEOPLE_FOLDER (by default {_DOWNLOAD})"
        ) from error


@contextmanager
def _bars_only_on_terminals() -> Iterator[None]:
    from transformers.utils import logging

    quiet = logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if quiet:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if quiet:
            logging.enable_progress_bar()


def vitpose(device: str | torch.device = "cpu", model: str = "") -> VitPose:
    """The entry point `vitpose`."""
    return VitPose(model, device)
