"""Scores of a head on synthesised clips, and the protocol they were measured under."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import PER_FRAME, EveryWindow, SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import as_declared
from motionrep.encoders import load_encoder
from motionrep.evaluation.scores import UNITS, Scores
from motionrep.files.writing import written_beside
from motionrep.head_api.contract import require_trained_together
from motionrep.head_api.flip_averaging import flip_averaged_output
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17, find_layout

logger = logging.getLogger(__name__)
_WINDOW = 81
_SCORED = ("position_m", "local_rotmat", "logit")


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
        clips, window, window, fps, seed, EveryWindow(stride, views), labels=labels, layout=find_layout(layout)
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
