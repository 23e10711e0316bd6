"""Scores of a head on synthesised clips, and the protocol they were measured under."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from tqdm import tqdm

from motionrep.body import load_body_model
from motionrep.datasets.cmu import load_motion_folder
from motionrep.datasets.synthesis import PER_FRAME, SynthesizedClips
from motionrep.embedding import as_declared, encode
from motionrep.encoders import load_encoder
from motionrep.encoders.strict import require_same_weights
from motionrep.files import written_beside
from motionrep.flipping import flip_averaged_output
from motionrep.head_api import load_head
from motionrep.layouts import H36M_17, find_layout
from motionrep.metrics import (
    accel_error_mm_per_s2,
    inner_frames,
    macro_accuracy,
    mpjpe_mm,
    pa_mpjpe_mm,
    pve_mm,
    top1,
)

logger = logging.getLogger(__name__)
_WINDOW = 81
_SCORED = ("position_m", "local_rotmat", "logit")
UNITS = {"mpjpe": "mm", "pa_mpjpe": "mm", "pve": "mm", "accel_error": "mm/s^2"}


class Scores:
    """Collects the errors of batches; every valid frame of every clip counts alike.

    Args:
        fps: Frame rate of the clips.
        vertex_step: PVE is measured on every so many-th frame, since meshes cost most of the time.
    """

    def __init__(self, fps: float, vertex_step: int = 1) -> None:
        self.body = load_body_model("open")
        self.fps, self.vertex_step = fps, vertex_step
        self.values: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Reads the outputs that `head_api.Head` names, on any device, and leaves others alone."""
        output, batch = ({name: tensor.cpu() for name, tensor in part.items()} for part in (output, batch))
        if "logit" in output:
            known = batch["label"] >= 0
            self.values["logit"].append(output["logit"][known])
            self.values["label"].append(batch["label"][known])
        if "local_rotmat" in output:
            rotmat, betas = output["local_rotmat"], output["betas"][:, None]
            position_m = self.body.points(H36M_17, rotmat, betas, torch.zeros(()).expand(*rotmat.shape[:2], 3))
            self._add_positions(position_m, batch)
            self._add_vertices(output, batch)
        elif "position_m" in output:
            self._add_positions(output["position_m"], batch)

    def result(self) -> dict[str, float]:
        """Means so far; `UNITS` has the units, accuracies are shares, left out where no clip has a label."""
        values = {name: torch.cat(parts) for name, parts in self.values.items()}
        scores = {}
        if "logit" in values:
            logit, label = values.pop("logit"), values.pop("label")
            if len(label):
                scores = {"top1": top1(logit, label), "macro_accuracy": macro_accuracy(logit, label)}
        return scores | {name: float(value.mean()) for name, value in values.items()}

    def _add_positions(self, position_m: Tensor, batch: Mapping[str, Tensor]) -> None:
        valid, target_m = batch["valid"], batch["position_m"]
        self.values["mpjpe"].append(mpjpe_mm(position_m, target_m)[valid])
        self.values["pa_mpjpe"].append(pa_mpjpe_mm(position_m[valid], target_m[valid]))
        if valid.shape[1] > 2:  # fewer frames have no acceleration
            inner = inner_frames(valid)
            self.values["accel_error"].append(accel_error_mm_per_s2(position_m, target_m, self.fps)[inner])

    def _add_vertices(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        for clip in range(batch["valid"].shape[0]):
            frames = batch["valid"][clip].nonzero()[:: self.vertex_step, 0]
            vertex_m, root_m = [], []
            for pose in (output, batch):
                rotmat, betas = pose["local_rotmat"][clip, frames], pose["betas"][clip]
                still = rotmat.new_zeros(len(frames), 3)
                vertex_m.append(self.body.vertices(rotmat, betas, still))
                root_m.append(self.body.points(H36M_17, rotmat, betas, still)[:, 0])
            self.values["pve"].append(pve_mm(*vertex_m, *root_m))


def evaluate(
    data: Path,
    encoder: str,
    head: str,
    output: Path | None = None,
    split: Literal["train", "val"] = "val",
    layout: str = "h36m_17",
    views: int = 4,
    seed: int = 1000,
    precision: Literal["float32", "bfloat16"] = "float32",
    flip: bool = False,
) -> dict[str, Any]:
    """Scores of a trained encoder and head on the clips of a motion folder, seen by random cameras.

    Args:
        data: Folder of motion files, as for `finetune`.
        encoder: A shipped name or a folder.
        head: A shipped name or a folder.
        output: A JSON file to write the result to.
        split: Which part of the data.
        layout: What the simulated detector reports: h36m_17, coco_17 or halpe_26.
        views: Random cameras, bodies and detections for each window.
        seed: Decides the cameras, bodies and detections.
        precision: Arithmetic of the encoder.
        flip: Averages with what is made of the mirrored clip (`flipping.flip_averaged`).

    Returns:
        `metrics`, `units`, and the `protocol` they were measured under; compare numbers of equal protocols only. A head
        with none of the outputs that `Scores` reads has its own loss as metrics: `loss`, and its terms as `loss_NAME`.

    Raises:
        ValueError: Encoder and head were not trained together, the data have no clip for the head, or `flip` with a
            head that has none of those outputs.
    """
    trained, network = load_head(head), load_encoder(encoder)
    require_trained_together(trained, network)
    labels = tuple(getattr(trained, "labels", ()))
    fps = 30.0
    window, stride = (int(2 * fps), int(fps)) if labels else (_WINDOW, _WINDOW)
    clips = [clip for clip in load_motion_folder(data, split) if not labels or clip.core]
    if labels and not clips:
        raise ValueError(
            f"{data}: no clip of a core class in split {split!r}; scores of actions need an index.csv with action and "
            "core"
        )
    samples = SynthesizedClips(
        clips, window, window, fps, seed, stride=stride, views=views, labels=labels, layout=find_layout(layout)
    )
    scores = Scores(fps)
    losses: list[Mapping[str, Tensor]] = []
    for index in tqdm(range(len(samples)), unit="clip", disable=None):
        batch = samples.__getitems__([(0, index)])
        frames = int(batch["valid"].sum())
        seen = batch["keypoints"][0, :frames]
        ways = [seen, seen[:, list(H36M_17.flip_indices)] * seen.new_tensor([-1.0, 1.0, 1.0])]
        valid = batch["valid"][:, :frames]
        cropped = {key: tensor[:, :frames] if key in PER_FRAME else tensor for key, tensor in batch.items()}
        with torch.no_grad():
            outputs = [
                trained(encode(as_declared(way, network), fps, network, dtype=getattr(torch, precision))[None], valid)
                for way in ways[: 1 + flip]
            ]
            if not any(name in outputs[0] for name in _SCORED):
                if flip:
                    raise ValueError(
                        f"flip averaging knows the outputs {', '.join(_SCORED)}, the head has {', '.join(outputs[0])}; "
                        "leave it out for this head"
                    )
                losses.append(trained.loss(outputs[0], cropped))
                continue
        scores.add(flip_averaged_output(outputs[0], outputs[1], labels) if flip else outputs[0], cropped)
    result = {
        "metrics": scores.result() | _mean_loss(losses),
        "units": UNITS,
        "protocol": {
            "id": "synthetic-views-1",
            "split": split,
            "clips": len(clips),
            "windows": len(samples),
            "window_frames": window,
            "stride_frames": stride,
            "fps": fps,
            "views_per_window": views,
            "seed": seed,
            "keypoints": f"{layout} with simulated detector noise",
            "bodies": "open body, betas N(0, 1)",
            "alignment": "pelvis (mid hips) at the origin, no scale alignment except in pa_mpjpe",
            "precision": precision,
            "flip_averaging": flip,
        },
        "encoder": encoder,
        "head": head,
    }
    if output is not None:
        with written_beside(output) as beside:
            beside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def _mean_loss(losses: list[Mapping[str, Tensor]]) -> dict[str, float]:
    """The mean over clips of a head's loss and of its terms; nothing without clips."""
    names = dict.fromkeys(name for terms in losses for name in terms)
    means = {name: float(sum(terms[name] for terms in losses if name in terms)) / len(losses) for name in names}
    return {"loss": sum(means.values())} | {f"loss_{name}": mean for name, mean in means.items()} if means else {}


def require_trained_together(head: nn.Module, encoder: nn.Module) -> None:
    """Raises ValueError when a trained head belongs to another encoder, or to other weights of it."""
    wanted = getattr(head, "trained_on", None)
    if wanted not in (None, encoder.name):
        raise ValueError(
            f"the head was trained on encoder {wanted!r}, got {encoder.name!r}; pass --encoder {wanted}, or, unless it "
            "ships, the folder it was saved in"
        )
    require_same_weights(head, str(encoder.name), getattr(encoder, "digest", None))
