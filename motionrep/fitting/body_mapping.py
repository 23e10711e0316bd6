"""Maps results of the open body to another body: shape and pose by one rule that is found once for each body.

Betas become others by an affine map. The rotation of each joint is changed by two constant turns, which say how the
bones of the two bodies lie to each other at rest. A body is then placed where its joints and landmarks lie on the open
body's. Both are fitted to bodies and poses drawn at random, and measured on others.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.identity import body_digest, require_same_body
from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.body.skeletons import HANDS
from motionrep.files.arrays import open_npz
from motionrep.files.versions import require_readable
from motionrep.files.writing import written_beside
from motionrep.fitting.joint_limits import joint_limits, limit_axes
from motionrep.fitting.transfer import same_shape
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion

FORMAT, NEWEST = "motionrep body mapping", 1
_STEPS, _DRAWN, _MEASURED = 150, 64, 1024
_RATE = 0.01
_SPREAD = 0.35  # standard deviation of a drawn rotation, of the range of its joint
_JOINTS = SMPL_24.joint_count


@dataclass(frozen=True)
class BodyMapping:
    """How a motion of the open body becomes one of `body`.

    Attributes:
        digest: Of the body (`body.identity`).
        shape: Betas of the body are `shape[:, 0] + shape[:, 1:] @ betas`.
        turn: Rotation of each joint's bone at rest from the open body's to the body's.
        joint_error_mm: Mean distance of the 24 joints on bodies and poses that it was not fitted to.
        landmark_error_mm: The same of the landmarks of the surface.
    """

    body: str
    digest: str
    shape: Float[Tensor, "betas columns"]
    turn: Float[Tensor, "24 3 3"]
    joint_error_mm: float
    landmark_error_mm: float

    def betas(self, betas: Float[Tensor, "*batch open_betas"]) -> Float[Tensor, "*batch betas"]:
        """The body's betas."""
        shape = self.shape.to(betas)
        return shape[:, 0] + betas @ shape[:, 1:].mT

    def rotations(self, local_rotmat: Float[Tensor, "*batch 24 3 3"]) -> Float[Tensor, "*batch 24 3 3"]:
        """The body's local rotations."""
        return _turned(local_rotmat, self.turn.to(local_rotmat))

    def moved(self, motion: BodyMotion, body: BodyModel, betas: Float[Tensor, " betas"] | None = None) -> BodyMotion:
        """A motion of the open body on the body.

        Args:
            betas: The person's on the body, if they are known.

        Raises:
            ValueError: It is of another body, or `body` is not the mapping's.
        """
        if motion.body_model != "open":
            raise ValueError(f"a mapping is for motions of the open body, got one of {motion.body_model!r}")
        require_same_body(body, self.digest, "the mapping")
        with torch.no_grad():
            source = load_body_model("open").to(motion.local_rotmat.device)
            betas = self.betas(motion.betas) if betas is None else betas
            rotmat = self.rotations(motion.local_rotmat[:, :_JOINTS])
            rotmat = _still_hands(rotmat, body)
            pose = motion.local_rotmat[:, :_JOINTS], motion.betas, motion.translation_m
            wanted_m = source.points(JOINTS_AND_LANDMARKS, *pose)
            got_m = body.points(JOINTS_AND_LANDMARKS, rotmat, betas, torch.zeros_like(motion.translation_m))
        place_m = (wanted_m - got_m).mean(1)
        return replace(motion, local_rotmat=rotmat, translation_m=place_m, betas=betas, body_model=body.name)


def find_mapping(body: BodyModel, seed: int = 0) -> BodyMapping:
    """The mapping from the open body, which takes a minute or two; `body` stands in SMPL's T-pose at rest."""
    source = load_body_model("open")
    generator = torch.Generator().manual_seed(seed)
    zero, eye = torch.zeros(source.beta_count), torch.eye(source.beta_count)
    with torch.no_grad():
        mean = same_shape(source, zero, body)
        slopes = torch.stack([same_shape(source, one, body) - mean for one in eye], 1)
    shape = torch.cat([mean[:, None], slopes], 1).requires_grad_()
    rotvec = torch.zeros(_JOINTS, 3, requires_grad=True)
    optimizer = torch.optim.Adam([shape, rotvec], _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        drawn = _drawn(_DRAWN, source, generator)
        loss = _distances_m(source, body, shape, roma.rotvec_to_rotmat(rotvec), *drawn).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        turn = roma.rotvec_to_rotmat(rotvec)
        error_mm = 1000 * _distances_m(source, body, shape, turn, *_drawn(_MEASURED, source, generator)).mean(0)
    joints_mm, landmarks_mm = float(error_mm[:_JOINTS].mean()), float(error_mm[_JOINTS:].mean())
    return BodyMapping(body.name, body_digest(body), shape.detach(), turn.detach(), joints_mm, landmarks_mm)


def save_mapping(mapping: BodyMapping, path: Path) -> None:
    """Writes it to an .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path, told=False) as beside, beside.open("wb") as file:
        np.savez(
            file, format=np.array(f"{FORMAT} {NEWEST}"), body=np.array(mapping.body), digest=np.array(mapping.digest),
            shape=mapping.shape.numpy(), turn=mapping.turn.numpy(),
            error_mm=np.array([mapping.joint_error_mm, mapping.landmark_error_mm]),
        )  # fmt: skip


def load_mapping(path: Path) -> BodyMapping:
    """Reads the file of `save_mapping`. Raises ValueError for another one."""
    with open_npz(path) as arrays:
        require_readable(path, str(arrays["format"]) if "format" in arrays else None, FORMAT, NEWEST)
        shape, turn = (torch.from_numpy(arrays[name]) for name in ("shape", "turn"))
        errors_mm = arrays["error_mm"].tolist()
        return BodyMapping(str(arrays["body"]), str(arrays["digest"]), shape, turn, *errors_mm)


def _drawn(count: int, source: BodyModel, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random rotations within the joints' limits, around the neutral pose, and betas from N(0, 1)."""
    low, neutral, high = joint_limits()
    spread = _SPREAD * (high - low).clamp(max=2.0)
    rotvec = (neutral + spread * torch.randn(count, _JOINTS, 3, generator=generator)).clamp(low, high)
    rotvec = (rotvec[..., None, :] @ limit_axes())[..., 0, :]
    return roma.rotvec_to_rotmat(rotvec), torch.randn(count, source.beta_count, generator=generator)


def _distances_m(
    source: BodyModel, body: BodyModel, shape: Tensor, turn: Tensor, rotmat: Tensor, betas: Tensor
) -> Float[Tensor, "bodies points"]:
    """Between the points of the two bodies, with their middles in the same place."""
    still = torch.zeros(len(rotmat), 3)
    with torch.no_grad():
        wanted_m = source.points(JOINTS_AND_LANDMARKS, rotmat, betas, still)
    moved = _still_hands(_turned(rotmat, turn), body)
    got_m = body.points(JOINTS_AND_LANDMARKS, moved, shape[:, 0] + betas @ shape[:, 1:].mT, still)
    difference_m = got_m - wanted_m
    return (difference_m - difference_m.mean(1, keepdim=True)).norm(dim=-1)


def _turned(local_rotmat: Tensor, turn: Tensor) -> Tensor:
    before = torch.cat([torch.eye(3).to(turn)[None], turn[list(SMPL_24.parent_indices[1:])]])
    return before @ local_rotmat @ turn.mT


def _still_hands(rotmat: Tensor, body: BodyModel) -> Tensor:
    """Bodies with fingers have no joint that turns a hand at its middle."""
    if body.joint_count == _JOINTS:
        return rotmat
    still = torch.eye(3).to(rotmat).expand(*rotmat.shape[:-3], len(HANDS), 3, 3)
    return torch.cat([rotmat[..., : HANDS[0], :, :], still], -3)
