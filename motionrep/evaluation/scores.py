"""Collects errors of poses, bodies, actions and the ground over many clips."""

from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.evaluation.metrics import (
    accel_error_m_per_s2,
    inner_frames,
    macro_accuracy,
    mpjpe_mm,
    pa_mpjpe_mm,
    pve_mm,
    top1,
)
from motionrep.evaluation.world_metrics import up_error_deg
from motionrep.files.units import UNITS
from motionrep.layouts import H36M_17
from motionrep.motion.contacts import true_ground
from motionrep.types import BodyMotion

# Outputs of heads, as `head_api.Head` names them, that `Scores` reads.
SCORED_OUTPUTS = ("position_m", "local_rotmat", "logit", "contact")


class Scores:
    """Collects the errors of batches; every valid frame of every clip has the same weight.

    Args:
        fps: Frame rate of the clips.
        vertex_step: PVE is measured on every n-th frame only, since meshes take most of the time.
        body: The body of outputs and truth; the open body when None.
    """

    def __init__(self, fps: float, vertex_step: int = 1, body: BodyModel | None = None) -> None:
        self.body = load_body_model("open") if body is None else deepcopy(body).cpu()
        self.fps, self.vertex_step = fps, vertex_step
        self.values: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Adds the errors of a batch.

        Args:
            output: Outputs of a head, on any device; those not in `SCORED_OUTPUTS` are ignored.
            batch: The truth, with the entries that `datasets.synthetic.clips` describes.
        """
        output, batch = ({name: tensor.cpu() for name, tensor in part.items()} for part in (output, batch))
        if "logit" in output:
            known = batch["label"] >= 0
            self.values["logit"].append(output["logit"][known])
            self.values["label"].append(batch["label"][known])
        if "contact" in output:
            self._add_ground(output, batch)
        if "local_rotmat" in output:
            rotmat, betas = output["local_rotmat"], output["betas"][:, None]
            position_m = self.body.points(H36M_17, rotmat, betas, torch.zeros(()).expand(*rotmat.shape[:2], 3))
            self._add_positions(position_m, batch)
            self._add_vertices(output, batch)
        elif "position_m" in output:
            self._add_positions(output["position_m"], batch)

    def result(self) -> dict[str, float]:
        """The means so far, without those for which nothing was added.

        `files.units.UNITS` has the units of errors. `up_error` is a median. Shares are from 0 to 1: of classes, `top1`
        and `macro_accuracy`; of contacts with the floor, `contact_precision` and `contact_recall`.
        """
        values = {name: torch.cat(parts) for name, parts in self.values.items()}
        scores = {}
        if "up_error" in values:
            found, true = values.pop("contact"), values.pop("true_contact")
            scores["up_error"] = float(values.pop("up_error").median())
            scores["contact_precision"] = float((found & true).sum() / found.sum().clamp(min=1))
            scores["contact_recall"] = float((found & true).sum() / true.sum().clamp(min=1))
        if "logit" in values:
            logit, label = values.pop("logit"), values.pop("label")
            if len(label):
                scores |= {"top1": top1(logit, label), "macro_accuracy": macro_accuracy(logit, label)}
        return scores | {name: float(value.mean()) for name, value in values.items() if len(value)}

    def _add_ground(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        valid = _posed(batch)
        up, contact = true_ground(batch, self.body, self.fps)
        self.values["up_error"].append(up_error_deg(output["up"], up)[valid])
        self.values["contact"].append((output["contact"] > 0)[valid])
        self.values["true_contact"].append(contact[valid])

    def _add_positions(self, position_m: Tensor, batch: Mapping[str, Tensor]) -> None:
        valid, target_m = _posed(batch), batch["position_m"]
        self.values["mpjpe"].append(mpjpe_mm(position_m, target_m)[valid])
        self.values["pa_mpjpe"].append(pa_mpjpe_mm(position_m[valid], target_m[valid]))
        if valid.shape[1] > 2:  # fewer frames have no acceleration
            inner = inner_frames(valid)
            self.values["accel_error"].append(accel_error_m_per_s2(position_m, target_m, self.fps)[inner])

    def _add_vertices(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        valid = _posed(batch)
        for clip in range(len(valid)):
            frames = valid[clip].nonzero()[:: self.vertex_step, 0]
            vertex_m, root_m = [], []
            for pose in (output, batch):
                rotmat, betas = pose["local_rotmat"][clip, frames], pose["betas"][clip]
                still = rotmat.new_zeros(len(frames), 3)
                vertex_m.append(self.body.vertices(rotmat, betas, still))
                root_m.append(self.body.points(H36M_17, rotmat, betas, still)[:, 0])
            self.values["pve"].append(pve_mm(*vertex_m, *root_m))


def _posed(batch: Mapping[str, Tensor]) -> Tensor:
    """Which frames of a batch are no padding and of a known pose."""
    valid = batch["valid"]
    return valid & batch["has_pose"][:, None] if "has_pose" in batch else valid


def errors(motion: BodyMotion, truth: BodyMotion, body: BodyModel) -> dict[str, float]:
    """Errors of a recovered motion by the names of `UNITS`; both motions are in the same camera's axes."""
    scores = Scores(truth.fps, body=body)
    position_m = body.points(H36M_17, truth.local_rotmat, truth.betas, truth.translation_m)
    target = {
        "valid": torch.ones(1, truth.frame_count, dtype=torch.bool),
        "position_m": position_m[None],
        "local_rotmat": truth.local_rotmat[None],
        "betas": truth.betas[None],
    }
    scores.add({"local_rotmat": motion.local_rotmat[None], "betas": motion.betas[None]}, target)
    result = scores.result()
    return {name: result[name] for name in UNITS if name in result}
