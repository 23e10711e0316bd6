"""Joins key poses into motion. Groups of joints have rhythms of their own; what touches the floor holds the body."""

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.layouts import SMPL_24

ARMS = [SMPL_24.index(f"{side}_{name}") for side in ("left", "right")
        for name in ("collar", "shoulder", "elbow", "wrist", "hand")]  # fmt: skip
HEAD = [SMPL_24.index(name) for name in ("neck", "head")]

_FASTEST_DEG_PER_S = 220.0
_SMOOTHING_S = 0.07
# Distance from joints and landmarks to the skin that touches the floor.
_FLESH_M = {
    "pelvis": 0.11, "hip": 0.1, "spine1": 0.11, "spine2": 0.11, "spine3": 0.12, "knee": 0.055, "shoulder": 0.07,
    "elbow": 0.04, "wrist": 0.03, "hand": 0.02, "ankle": 0.06, "head": 0.08, "neck": 0.07, "collar": 0.08,
}  # fmt: skip
_SOFTNESS_M, _FLOOR_SMOOTHING_S = 0.012, 0.1
_MOST_TURN, _STEPS, _SOFT_REST_M, _STAY_M = 0.5, 40, 0.01, 0.12
# Shares of the body's mass near its joints.
_MASSES = {"pelvis": 0.14, "spine1": 0.1, "spine2": 0.12, "spine3": 0.14, "head": 0.08, "hip": 0.08, "knee": 0.06,
           "ankle": 0.02, "shoulder": 0.02, "elbow": 0.02, "wrist": 0.01}  # fmt: skip
_MASS = torch.tensor([_MASSES.get(name.removeprefix("left_").removeprefix("right_"), 0.0)
                      for name in JOINTS_AND_LANDMARKS.joints])  # fmt: skip
# 10 m for what belongs to arms: so high that it does not touch the floor.
_OF_ARMS = torch.tensor([10.0 * any(part in name for part in ("elbow", "wrist", "hand", "thumb", "index", "pinky"))
                         for name in JOINTS_AND_LANDMARKS.joints])  # fmt: skip


def key_times(
    seconds: float, angle_deg: list[float], pause_s: tuple[float, float], rng: np.random.Generator
) -> Float[np.ndarray, " keys"]:
    """Times of key poses, the first before 0; each change takes as long as the angle needs, and a random time more."""
    at = [-rng.uniform(0, pause_s[1])]
    for angle in angle_deg:
        at.append(at[-1] + angle / _FASTEST_DEG_PER_S + rng.uniform(*pause_s))
    return np.array(at)


def joined(
    key: Float[Tensor, "keys joints 4"], key_s: Float[np.ndarray, " keys"], frames: int, fps: float
) -> Float[Tensor, "frames joints 4"]:
    """Rotations at even times between key rotations (quaternions, xyzw), that start and stop softly."""
    at = np.arange(frames) / fps
    before = np.clip(np.searchsorted(key_s, at, side="right") - 1, 0, len(key_s) - 2)
    share = np.clip((at - key_s[before]) / (key_s[before + 1] - key_s[before]), 0, 1)
    share = torch.from_numpy(share**2 * (3 - 2 * share)).float()
    return between(key[before], key[before + 1], share)


def between(
    first: Float[Tensor, "frames joints 4"], second: Float[Tensor, "frames joints 4"], share: Float[Tensor, " frames"]
) -> Float[Tensor, "frames joints 4"]:
    """Spherical interpolation along the shorter way, with a share of its own in each frame."""
    cosine = (first * second).sum(-1, keepdim=True)
    second, cosine = torch.where(cosine < 0, -second, second), cosine.abs().clamp(max=1 - 1e-7)
    angle, share = torch.acos(cosine), share[:, None, None]
    turned = torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second
    return torch.nn.functional.normalize(turned, dim=-1)


def slowly_changing(quaternion: Float[Tensor, "frames joints 4"], fps: float) -> Float[Tensor, "frames joints 4"]:
    """The rotations smoothed by a Gaussian in time; neighbours are close, so means of quaternions do."""
    reach = int(3 * _SMOOTHING_S * fps)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / (_SMOOTHING_S * fps)) ** 2)
    flips = (quaternion[1:] * quaternion[:-1]).sum(-1) < 0
    sign = torch.cat([torch.ones_like(quaternion[:1, :, 0]), torch.where(flips, -1.0, 1.0)]).cumprod(0)
    return torch.nn.functional.normalize(_blurred(quaternion * sign[..., None], bell), dim=-1)


def held_by_floor(
    local_rotmat: Float[Tensor, "frames 24 3 3"], arms_carry: Float[Tensor, " frames"], body: BodyModel, fps: float
) -> Float[Tensor, "frames 3"]:
    """Translation with which the lowest point is on the floor and what touches the floor does not slide.

    Args:
        arms_carry: From 0, arms do not count, to 1.
    """
    point_m, height_m = _points_and_heights_m(local_rotmat, body)
    height_m = height_m + (1 - arms_carry)[:, None] * _OF_ARMS
    lowest_m = height_m.amin(1)
    touch = torch.softmax(-(height_m - lowest_m[:, None]) / _SOFTNESS_M, 1)
    held = 0.5 * (touch[1:] + touch[:-1])
    slide_m = (held[..., None] * (point_m[1:] - point_m[:-1])).sum(1)[:, [0, 2]]
    reach = int(3 * _FLOOR_SMOOTHING_S * fps)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / (_FLOOR_SMOOTHING_S * fps)) ** 2)
    path_m = torch.cat([torch.zeros(1, 2), -slide_m.cumsum(0)])
    return torch.stack([path_m[:, 0], -_blurred(lowest_m[:, None], bell)[:, 0], path_m[:, 1]], 1)


def settled(
    quaternion: Float[Tensor, "poses 24 4"], arms_carry: Float[Tensor, " poses"], body: BodyModel
) -> Float[Tensor, "poses 24 4"]:
    """Poses turned as a whole until they rest on the floor: the nearest place in which the middle of the body is low.

    They turn by half a radian at most, and not about the vertical.
    """
    turn = torch.zeros(len(quaternion), 2, requires_grad=True)
    descent = torch.optim.Adam([turn], lr=0.04)
    arms_off = (1 - arms_carry)[:, None] * _OF_ARMS

    def turned() -> Tensor:
        vector = torch.stack([turn[:, 0], torch.zeros_like(turn[:, 0]), turn[:, 1]], 1).clamp(-_MOST_TURN, _MOST_TURN)
        root = roma.quat_product(roma.rotvec_to_unitquat(vector), quaternion[:, 0])
        return torch.cat([root[:, None], quaternion[:, 1:]], 1)

    for _ in range(_STEPS):
        point_m, height_m = _points_and_heights_m(roma.unitquat_to_rotmat(turned()), body)
        lowest_m = -_SOFT_REST_M * torch.logsumexp(-(height_m + arms_off) / _SOFT_REST_M, 1)
        middle_m = point_m[..., 1] @ _MASS
        descent.zero_grad()
        (middle_m - lowest_m + _STAY_M * (turn**2).sum(1)).sum().backward()
        descent.step()
    return turned().detach()


def _points_and_heights_m(local_rotmat: Tensor, body: BodyModel) -> tuple[Tensor, Tensor]:
    """Joints and landmarks of poses, and how high the skin near them is."""
    still = torch.zeros(len(local_rotmat), 3)
    point_m = body.points(JOINTS_AND_LANDMARKS, local_rotmat, torch.zeros(body.beta_count), still)
    flesh_m = torch.tensor([_FLESH_M.get(_plain(name), 0.01) for name in JOINTS_AND_LANDMARKS.joints])
    return point_m, point_m[..., 1] - flesh_m


def _plain(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def _blurred(values: Tensor, bell: Float[Tensor, " taps"]) -> Tensor:
    """Values smoothed along the first axis."""
    reach = len(bell) // 2
    channels = values.flatten(1).T[:, None]
    padded = torch.nn.functional.pad(channels, (reach, reach), mode="replicate")
    return torch.nn.functional.conv1d(padded, (bell / bell.sum())[None, None])[:, 0].T.reshape(values.shape)
