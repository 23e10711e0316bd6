"""Motions side by side on one floor: upright, turned to the front, each in a column of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.rendering.drawables import make_drawable
from motionrep.rendering.stage import sampled_frames, stage_for
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding

_GAP_M = 0.5
_PANEL_HEIGHT_M, _PANEL_WIDTH_M = 1.7, 2.4
_PANEL_BOTTOM_M = 0.25
_PANEL_MARGIN = 0.12
_PICTURE_M = 3.4, 2.2  # most width and height of a video
_PICTURE_ABOVE_M = 0.55  # leaves room for names


@dataclass(frozen=True)
class ViewedMotion:
    """One motion to look at, in any frame of reference, and what it was recovered from if that is known.

    Keypoints and embedding have as many frames as the motion. `video` is the one in which the keypoints were found;
    motions of one video share its picture.

    Raises:
        ValueError: A motion without frames, or another number of frames.
    """

    label: str
    motion: BodyMotion | JointMotion
    keypoints: Keypoints | None = None
    embedding: MotionEmbedding | None = None
    video: Path | None = None

    def __post_init__(self) -> None:
        if self.motion.frame_count == 0:
            raise ValueError(f"{self.label}: the motion has no frames")
        if self.video is not None and self.keypoints is None:
            raise ValueError(f"{self.label}: video needs keypoints, which say where in the picture the person is")
        for name, other in (("keypoints", self.keypoints), ("embedding", self.embedding)):
            count = None if other is None else len(other.xy_px if isinstance(other, Keypoints) else other.values)
            if count not in (None, self.motion.frame_count):
                raise ValueError(
                    f"{self.label}: {name} of {count} frames, the motion has {self.motion.frame_count}; pass those of "
                    "the same clip"
                )


@dataclass(frozen=True)
class Panel:
    """An upright picture plane, parallel to x and y, for keypoints: `point_m = origin_m + scale (xy_px - corner_px)`.

    Image y points down, so its scale is negative.
    """

    origin_m: Float[Tensor, "3"]
    corner_px: Float[Tensor, "2"]
    size_m: tuple[float, float]
    m_per_px: float

    def points(self, xy_px: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3"]:
        """Where pixels lie in the world, in metres."""
        x, y = ((xy_px - self.corner_px) * self.m_per_px).unbind(-1)
        return self.origin_m + torch.stack([x, -y, torch.zeros_like(x)], -1)


@dataclass(frozen=True)
class PlacedMotion:
    """A motion in its column. `motion` is in the common world; all of it lies between `low_m` and `high_m`.

    It begins `begin_s` seconds after the earliest of all motions, by their `first_frame`.
    """

    viewed: ViewedMotion
    motion: BodyMotion | JointMotion
    low_m: Float[Tensor, "3"]
    high_m: Float[Tensor, "3"]
    panel: Panel | None
    begin_s: float


def side_by_side(motions: Sequence[ViewedMotion]) -> list[PlacedMotion]:
    """The motions in a row along x, in their order, from left to right for a viewer at +z; its middle is at x = 0.

    Every motion is put upright and turned to the front as in `motionrep.render`. A column is as wide as the whole path
    of its motion. Keypoints stand on a panel at the left of their motion. Neighbours out of one video share a panel
    above them, which has the whole picture.

    Raises:
        ValueError: No motions.
    """
    if not motions:
        raise ValueError("nothing to view: no motions were given")
    first_s = min(viewed.motion.first_frame / viewed.motion.fps for viewed in motions)
    groups = [_columns(list(group), first_s) for group in _of_one_video(motions)]
    left_m = -(sum(width for width, _ in groups) + _GAP_M * (len(groups) - 1)) / 2
    placed = []
    for width, group in groups:
        shift_m = torch.tensor([left_m, 0.0, 0.0])
        panel = group[0].panel and replace(group[0].panel, origin_m=group[0].panel.origin_m + shift_m)
        placed += [
            replace(
                one, motion=_shifted(one.motion, shift_m), low_m=one.low_m + shift_m, high_m=one.high_m + shift_m,
                panel=panel,
            )
            for one in group
        ]  # fmt: skip
        left_m += width + _GAP_M
    return placed


def _of_one_video(motions: Sequence[ViewedMotion]) -> list[list[ViewedMotion]]:
    """Neighbours out of one video together, every other motion alone."""
    groups: list[list[ViewedMotion]] = []
    for viewed in motions:
        if groups and viewed.video is not None and viewed.video == groups[-1][0].video:
            groups[-1].append(viewed)
        else:
            groups.append([viewed])
    return groups


def _columns(group: Sequence[ViewedMotion], first_s: float) -> tuple[float, list[PlacedMotion]]:
    """A group's columns from x = 0 to the right, and their width, panel included."""
    upright = [standing(viewed.motion) for viewed in group]
    width = sum(float(high[0] - low[0]) for _, low, high in upright) + _GAP_M * (len(group) - 1)
    panel, start = None, 0.0
    if group[0].keypoints is not None:
        size_m = _panel_size(group[0])
        if group[0].video is None:
            panel = _panel(group[0], size_m, 0.0, _PANEL_BOTTOM_M)
            start = size_m[0] + _GAP_M
            width += start
        else:
            start = max((size_m[0] - width) / 2, 0.0)
            top = max(float(high[1]) for _, _, high in upright)
            panel = _panel(group[0], size_m, max((width - size_m[0]) / 2, 0.0), top + _PICTURE_ABOVE_M)
            width = max(width, size_m[0])
    placed = []
    for viewed, (motion, low, high) in zip(group, upright, strict=True):
        shift = torch.stack([start - low[0], torch.zeros(()), -(low[2] + high[2]) / 2])
        begin_s = viewed.motion.first_frame / viewed.motion.fps - first_s
        placed.append(PlacedMotion(viewed, _shifted(motion, shift), low + shift, high + shift, panel, begin_s))
        start += float(high[0] - low[0]) + _GAP_M
    return width, placed


def standing(
    motion: BodyMotion | JointMotion,
) -> tuple[BodyMotion | JointMotion, Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The motion in world axes (y up, floor at y = 0), and the lowest and highest corner of the box it stays in.

    A motion in a world is turned so that its mean direction faces +z, and keeps its heights. A motion in camera axes
    keeps facing as the camera saw it: the camera is in the direction +z. Its direction up and its floor are estimated
    (`rendering.stage.stage_for`).
    """
    count = motion.frame_count
    drawable = make_drawable(motion, "surface", None, torch.device("cpu"))
    with torch.no_grad():
        stage = stage_for([drawable], motion.frame, count, motion.fps)
        some = sampled_frames(count)
        point_m = drawable.points(some)
    turn, shift_m = stage.world_from_motion[:3, :3], stage.world_from_motion[:3, 3]
    point_m, path_m = (given_m @ turn.T + shift_m for given_m in (point_m, drawable.pelvis_m))
    # Between the sampled frames, the person is assumed to reach as far around the pelvis as in the mean sampled frame.
    around_m = point_m - path_m[some][:, None]
    low = torch.minimum(point_m.amin((0, 1)), path_m.amin(0) + around_m.amin(1).mean(0))
    high = torch.maximum(point_m.amax((0, 1)), path_m.amax(0) + around_m.amax(1).mean(0))
    if isinstance(motion, JointMotion):
        return replace(motion, position_m=motion.position_m.cpu() @ turn.T + shift_m, frame="world"), low, high
    local_rotmat, translation_m = motion.local_rotmat.cpu().clone(), motion.translation_m.cpu()
    local_rotmat[:, 0] = turn @ local_rotmat[:, 0]
    # A body turns about its own origin, not about the pelvis, so the pelvis moves.
    translation_m = path_m - (drawable.pelvis_m - translation_m)
    world = replace(
        motion, local_rotmat=local_rotmat, translation_m=translation_m, betas=motion.betas.cpu(), frame="world"
    )
    return world, low, high


def _shifted(motion: BodyMotion | JointMotion, shift_m: Float[Tensor, "3"]) -> BodyMotion | JointMotion:
    if isinstance(motion, JointMotion):
        return replace(motion, position_m=motion.position_m + shift_m)
    return replace(motion, translation_m=motion.translation_m + shift_m)


def _panel_size(viewed: ViewedMotion) -> tuple[float, float]:
    low, high = _seen_px(viewed)
    width_px, height_px = (high - low).tolist()
    width_m, height_m = (_PANEL_WIDTH_M, _PANEL_HEIGHT_M) if viewed.video is None else _PICTURE_M
    m_per_px = min(height_m / height_px, width_m / width_px)
    return width_px * m_per_px, height_px * m_per_px


def _panel(viewed: ViewedMotion, size_m: tuple[float, float], left_m: float, bottom_m: float) -> Panel:
    low, high = _seen_px(viewed)
    top_left = torch.tensor([left_m, bottom_m + size_m[1], 0.0])
    return Panel(top_left, low, size_m, size_m[0] / float(high[0] - low[0]))


def _seen_px(viewed: ViewedMotion) -> tuple[Tensor, Tensor]:
    """Two corners of the part of the image with all seen keypoints and a margin.

    It is the whole image if none was seen, or if the video is shown.
    """
    keypoints = viewed.keypoints
    assert keypoints is not None
    seen = keypoints.xy_px[keypoints.confidence > 0].cpu()
    if len(seen) == 0 or viewed.video is not None:
        return torch.zeros(2), torch.tensor([keypoints.width_px, keypoints.height_px], dtype=torch.float32)
    low, high = seen.amin(0), seen.amax(0)
    margin = _PANEL_MARGIN * (high - low).max().clamp(min=8)
    return low - margin, high + margin
