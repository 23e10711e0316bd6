"""Clips of made-up motion: minutes or hours of it from a seed."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.datasets.authored.posing import Rig
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.procedural.joining import (
    ARMS,
    HEAD,
    between,
    held_by_floor,
    joined,
    key_times,
    settled,
    slowly_changing,
)  # fmt: skip
from motionrep.datasets.procedural.poses import ON_FEET, ON_FLOOR, arms, on_floor, supporting_arms
from motionrep.datasets.procedural.stepping import stepping
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion

FPS, SECONDS = 30.0, 20.0
_KINDS = {"feet": 0.5, "floor": 0.25, "crawl": 0.05, "mixed": 0.2}
_BODY_PAUSE_S, _ARMS_PAUSE_S, _HEAD_PAUSE_S = (0.35, 2.2), (0.2, 1.8), (0.3, 2.5)
_POOL = 600  # poses of arms that clips choose from
_MOST_RECORDED, _FASTEST_DEG_PER_S = 2000, 700.0
_FROM_FREE_DEG = 110.0  # how far arms turn from where they happen to be to where they carry the body


def procedural_clips(minutes: float, seed: int, recorded: Sequence[MotionClip] = ()) -> list[MotionClip]:
    """Clips of 20 seconds at 30 frames per second, on the open body.

    Half of them are people on their feet. In the others poses on the floor and standing, crawling, and poses mixed
    from recorded ones follow each other. Arms move in a rhythm of their own.

    Args:
        recorded: Clips whose poses are mixed: trunk and legs of one frame, arms and head of others. Without any, there
            are more clips of the other kinds.
    """
    body = load_body_model("open")
    pool = arms(_POOL, np.random.default_rng((seed, 0, 1)))
    frames = _recorded_poses(recorded, np.random.default_rng((seed, 0, 2)))
    kinds = {kind: chance for kind, chance in _KINDS.items() if kind != "mixed" or len(frames)}
    chances = np.array(list(kinds.values())) / sum(kinds.values())
    clips = []
    for number in range(max(1, round(60 * minutes / SECONDS))):
        rng = np.random.default_rng((seed, 1, number))
        kind = list(kinds)[rng.choice(len(kinds), p=chances)]
        motion = _made(kind, body, pool, frames, rng)
        usable = ~_too_fast(motion)
        clips.append(MotionClip(f"procedural/{kind}_{number}", motion, usable, None, "train", False, ""))
    return clips


def _made(kind: str, body: BodyModel, pool: Tensor, recorded: Tensor, rng: np.random.Generator) -> BodyMotion:
    betas = torch.zeros(body.beta_count)
    count = round(SECONDS * FPS)
    if kind == "feet":
        rotmat, translation_m = stepping(Rig.of(body, betas), SECONDS, FPS, rng)
        quaternion = roma.rotmat_to_unitquat(rotmat)
        quaternion[:, ARMS] = _moving_arms(pool, count, rng)
        rotmat = roma.unitquat_to_rotmat(slowly_changing(quaternion[:, ARMS], FPS))
        moved = roma.unitquat_to_rotmat(quaternion)
        moved[:, ARMS] = rotmat
        return BodyMotion(moved, translation_m, betas, body.name, FPS, "world")
    keys, own_arms = (
        _crawl(body, rng) if kind == "crawl" else _mixed(recorded, rng) if kind == "mixed" else _floor(body, rng)
    )
    quaternion, arms_carry = _joined(keys, own_arms, pool, count, kind == "crawl", rng)
    rotmat = roma.unitquat_to_rotmat(slowly_changing(quaternion, FPS))
    arms_carry = arms_carry * (kind != "mixed")
    return BodyMotion(rotmat, held_by_floor(rotmat, arms_carry, body, FPS), betas, body.name, FPS, "world")


def _too_fast(motion: BodyMotion) -> Bool[Tensor, " frames"]:
    """Frames about which a joint turns as fast as nobody's, which a leg does that snaps straight."""
    turn = roma.rotmat_to_rotvec(motion.local_rotmat[1:] @ motion.local_rotmat[:-1].mT).norm(dim=-1).amax(1)
    fast = torch.zeros(motion.frame_count, dtype=torch.bool)
    for frame in (turn * FPS > np.radians(_FASTEST_DEG_PER_S)).nonzero()[:, 0].tolist():
        fast[max(0, frame - 2) : frame + 4] = True
    return fast


def _joined(
    keys: Tensor, own_arms: list[Tensor | None], pool: Tensor, count: int, even: bool, rng: np.random.Generator
) -> tuple[Float[Tensor, "frames 24 4"], Float[Tensor, " frames"]]:
    """Trunk and legs in one rhythm, arms in their own where they do not carry the body; and how much they do."""
    whole = keys.clone()
    whole[:, ARMS] = torch.stack([key[ARMS] if own is None else own for key, own in zip(keys, own_arms, strict=True)])
    leans = [2 * _FROM_FREE_DEG * ((a is None) != (b is None)) for a, b in pairwise(own_arms)]
    angles = np.maximum(_angles_deg(whole), leans).tolist()
    if even:  # a crawl has an even rhythm
        step_s = rng.uniform(0.5, 1.1)
        at = np.arange(len(keys)) * step_s - rng.uniform(0, step_s)
    else:
        at = key_times(SECONDS, angles, _BODY_PAUSE_S, rng)
    free = _moving_arms(pool, count, rng)
    carried = joined(torch.stack([pool[0] if own is None else own for own in own_arms]), at, count, FPS)
    carries = torch.tensor([float(own is not None) for own in own_arms])
    share = np.interp(np.arange(count) / FPS, at, carries.numpy())
    share = torch.from_numpy(np.clip(2 * share, 0, 1)).float()
    quaternion = joined(keys, at, count, FPS)
    quaternion[:, ARMS] = between(free, carried, share)
    return quaternion, share


def _moving_arms(pool: Tensor, count: int, rng: np.random.Generator) -> Float[Tensor, "frames 10 4"]:
    """Each arm goes from pose to pose by itself; at times both go together."""
    half, parts = len(ARMS) // 2, []
    together = rng.random() < 0.3
    state = rng.integers(2**32)
    for side in range(2):
        own = np.random.default_rng((int(state), 0 if together else side))
        keys = pool[own.integers(len(pool), size=60)][:, side * half : (side + 1) * half]
        at = key_times(SECONDS, _angles_deg(keys), _ARMS_PAUSE_S, own)
        parts.append(joined(keys, at, count, FPS))
    return torch.cat(parts, 1)


def _floor(body: BodyModel, rng: np.random.Generator) -> tuple[Tensor, list[Tensor | None]]:
    """Key poses of a random walk among the poses on the floor; each is held and varied for a while."""
    names, keys, own, rests = list(ON_FLOOR), [], [], []
    while len(keys) < 30:
        kind = names[rng.integers(len(names))]
        support = supporting_arms(kind, rng)
        for part in range(rng.integers(1, 4)):
            keys.append(_varied(keys[-1], rng) if part and rng.random() < 0.5 else on_floor(kind, rng))
            own.append(support)
            rests.append(kind not in ON_FEET)
    still = _at_rest(torch.stack(keys), own, torch.tensor(rests), body)
    yaw_rad = rng.uniform(-np.pi, np.pi) + np.cumsum(rng.normal(0, 0.3, len(keys)))
    return torch.stack([_turned(key, yaw) for key, yaw in zip(still, yaw_rad, strict=True)]), own


def _at_rest(keys: Tensor, own_arms: list[Tensor | None], rests: Tensor, body: BodyModel) -> Tensor:
    """The poses, settled on the floor where they are to rest there."""
    whole = keys.clone()
    for key, arm in zip(whole, own_arms, strict=True):
        if arm is not None:
            key[ARMS] = arm
    carry = torch.tensor([float(arm is not None) for arm in own_arms])
    settled_keys = keys.clone()
    if bool(rests.any()):
        settled_keys[rests, 0] = settled(whole[rests], carry[rests], body)[:, 0]
    return settled_keys


def _crawl(body: BodyModel, rng: np.random.Generator) -> tuple[Tensor, list[Tensor | None]]:
    """Hands and knees forward by turns, the opposite ones together."""
    keys, own, base = [], [], on_floor("all fours", rng)
    reach, yaw, turn = rng.uniform(10, 26), rng.uniform(-np.pi, np.pi), rng.normal(0, 0.08)
    hips = [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]
    shoulders = [ARMS.index(SMPL_24.index(f"{side}_shoulder")) for side in ("left", "right")]
    support = supporting_arms("all fours", rng)
    assert support is not None
    base = _at_rest(base[None], [support], torch.ones(1, dtype=torch.bool), body)[0]
    for number in range(60):
        sign = 1 if number % 2 else -1
        key, arm = base.clone(), support.clone()
        for side in range(2):
            forward = sign * (1 if side else -1)
            key[hips[side]] = _about_x(-reach * forward, key[hips[side]])
            arm[shoulders[side]] = _about_x(0.9 * reach * forward, arm[shoulders[side]])
        keys.append(_turned(key, yaw))
        own.append(arm)
        yaw += turn
    return torch.stack(keys), own


def _mixed(recorded: Tensor, rng: np.random.Generator) -> tuple[Tensor, list[Tensor | None]]:
    """Key poses whose trunk and legs, arms and head are of different recorded frames."""
    yaw, keys, own = rng.uniform(-np.pi, np.pi), [], []
    for _ in range(40):
        legs, arm, head = recorded[rng.integers(len(recorded), size=3)]
        key = legs.clone()
        key[HEAD], yaw = head[HEAD], yaw + rng.normal(0, 0.4)
        keys.append(_turned(key, yaw))
        own.append(arm[ARMS] if rng.random() < 0.7 else None)
    return torch.stack(keys), own


def _recorded_poses(clips: Sequence[MotionClip], rng: np.random.Generator) -> Float[Tensor, "poses 24 4"]:
    """Poses of recorded clips, every half second, without the direction they face."""
    found = [torch.zeros(0, SMPL_24.joint_count, 4)]
    for clip in clips:
        frames = clip.usable.nonzero()[:: max(1, int(clip.motion.fps / 2)), 0]
        found.append(roma.rotmat_to_unitquat(clip.motion.local_rotmat[frames, : SMPL_24.joint_count]))
    poses = torch.cat(found)
    poses = poses[torch.from_numpy(rng.permutation(len(poses))[:_MOST_RECORDED])]
    if len(poses):
        ahead = roma.unitquat_to_rotmat(poses[:, 0])[:, :, 2]
        poses[:, 0] = roma.quat_product(_yaw(-torch.atan2(ahead[:, 0], ahead[:, 2])), poses[:, 0])
    return poses


def _varied(key: Tensor, rng: np.random.Generator) -> Tensor:
    """A pose a few degrees from another one."""
    small = torch.from_numpy(np.radians(rng.normal(0, 4, (len(key), 3)))).float()
    small[0] = 0
    return roma.quat_product(key, roma.rotvec_to_unitquat(small))


def _turned(key: Tensor, yaw_rad: float) -> Tensor:
    turned = key.clone()
    turned[0] = roma.quat_product(_yaw(torch.tensor(yaw_rad, dtype=torch.float32)), key[0])
    return turned


def _yaw(angle_rad: Tensor) -> Tensor:
    half = angle_rad / 2
    return torch.stack([torch.zeros_like(half), half.sin(), torch.zeros_like(half), half.cos()], -1)


def _about_x(deg: float, quaternion: Tensor) -> Tensor:
    return roma.quat_product(roma.rotvec_to_unitquat(torch.tensor([np.radians(deg), 0.0, 0.0]).float()), quaternion)


def _angles_deg(keys: Float[Tensor, "keys joints 4"]) -> list[float]:
    """The largest angle by which a joint turns from each key to the next."""
    cosine = (keys[1:] * keys[:-1]).sum(-1).abs().clamp(max=1)
    return torch.rad2deg(2 * torch.acos(cosine)).amax(-1).tolist()
