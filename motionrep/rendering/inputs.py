"""What is drawn: motions with the keypoints, camera, video and reference of the same clip, checked together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.drawables import Motion
from motionrep.rendering.video.images import open_source
from motionrep.rendering.video.reading import SourceVideo
from motionrep.types import JointMotion, Keypoints, MeshMotion

_SAME_PROPORTIONS = 0.01
_COMPARED = "the motion to compare with"


@dataclass(frozen=True)
class RenderInput:
    """Motions that belong to one clip of `frame_count` frames, and what is known besides.

    `begins` holds the frame of the video with which each motion begins: that of the keypoints, or of the motions if
    there are no keypoints. The clip goes from the first begin to the last end.
    """

    motions: list[Motion]
    keypoints: list[Keypoints]
    camera: PinholeCamera | None
    source: SourceVideo | None
    compare_to: Motion | None
    begins: list[int]
    frame_count: int

    @property
    def first_frame(self) -> int:
        """The frame of the video with which the clip begins."""
        return min(self.begins)

    def image_px(self) -> tuple[int, int] | None:
        """Size of the image that was filmed, None if it is not known.

        Raises:
            ValueError: The video has other proportions than the camera or the keypoints.
        """
        sized = self.camera or (self.keypoints[0] if self.keypoints else self.source)
        if sized is None:
            return None
        if self.source is not None:
            asked, there = sized.width_px / sized.height_px, self.source.width_px / self.source.height_px
            if abs(asked / there - 1) > _SAME_PROPORTIONS:
                raise ValueError(
                    f"{self.source.path} is {self.source.width_px} x {self.source.height_px} px, the "
                    f"{'camera' if self.camera else 'keypoints'} {sized.width_px} x {sized.height_px}; pass the video "
                    "they belong to"
                )
        return sized.width_px, sized.height_px


def render_input(
    motion: Motion | Sequence[Motion],
    keypoints: Keypoints | Sequence[Keypoints] | None,
    camera: PinholeCamera | None,
    video: Path | str | None,
    compare_to: Motion | None,
) -> RenderInput:
    """Opens the video and checks that everything belongs together. `render_frames` explains the arguments.

    Raises:
        ValueError: No motion, a motion without frames, things that do not belong together, or not a video.
        FileNotFoundError: No such video.
        ImportError: `video` without PyAV.
    """
    motions = [motion] if isinstance(motion, Motion) else list(motion)
    clips = [] if keypoints is None else [keypoints] if isinstance(keypoints, Keypoints) else list(keypoints)
    if not motions:
        raise ValueError("no motion to draw; pass one or a list of them")
    counts = [_frame_count(one) for one in motions]
    clips = _cut_to_motions(clips, motions, counts)
    begins = [one.first_frame for one in clips or motions]
    if len(clips) == 1 < len(motions):
        if len(set(counts)) > 1:
            raise ValueError(
                f"one clip of keypoints for motions of {', '.join(map(str, counts))} frames; pass one for each"
            )
        begins *= len(motions)
    count = max(begin + frames for begin, frames in zip(begins, counts, strict=False)) - min(begins)
    _require_same_clip(motions, compare_to, count)
    if min(counts) == 0:
        raise ValueError("the motion has no frames")
    _require_keypoints_of(clips, counts)
    source = None if video is None else open_source(video, motions[0].fps)
    return RenderInput(motions, clips, camera, source, compare_to, begins, count)


def _cut_to_motions(clips: list[Keypoints], motions: list[Motion], counts: list[int]) -> list[Keypoints]:
    """The frames of the clips that the motions show, by `first_frame`, where a motion was cut out of its clip.

    A motion of as many frames as its clip is that clip's, whatever its first frame is called.
    """
    first_frames = {motion.first_frame for motion in motions}
    if len(clips) != len(motions) and (len(clips) != 1 or len(first_frames) > 1):
        return clips
    return [_cut(clip, motion.first_frame, count) for clip, motion, count in zip(clips, motions, counts, strict=False)]


def _cut(clip: Keypoints, first_frame: int, count: int) -> Keypoints:
    begin = first_frame - clip.first_frame
    if count == clip.frame_count or begin < 0 or begin + count > clip.frame_count:
        return clip
    own = slice(begin, begin + count)
    return replace(clip, xy_px=clip.xy_px[own], confidence=clip.confidence[own], first_frame=first_frame)


def _require_same_clip(motions: list[Motion], compare_to: Motion | None, frame_count: int) -> None:
    """Raises ValueError unless all motions have the same rate and axes, and the reference has the whole clip."""
    first = motions[0]
    others = [(f"motion {index}", other) for index, other in enumerate(motions[1:], 1)]
    for name, other in [*others, *([(_COMPARED, compare_to)] if compare_to is not None else [])]:
        found = _frame_count(other)
        if (name == _COMPARED and found != frame_count) or abs(other.fps / first.fps - 1) > 1e-3:
            raise ValueError(
                f"{name} has {found} frames at {other.fps:g} fps, what is drawn has {frame_count} at {first.fps:g}; "
                "cut or resample them to the same clip"
            )
        # root and camera have the same axes, which is enough where only shapes are compared
        alike = name == _COMPARED and {other.frame, first.frame} == {"root", "camera"}
        if other.frame != first.frame and not alike:
            raise ValueError(f"{name} is in frame {other.frame!r}, the (first) motion in {first.frame!r}; use the same")


def _require_keypoints_of(clips: list[Keypoints], counts: list[int]) -> None:
    """Raises ValueError unless the keypoints are those of the motions, which have `counts` frames."""
    if len(clips) not in (0, 1, len(counts)):
        raise ValueError(f"{len(clips)} clips of keypoints for {len(counts)} motion(s); pass one, or one for each")
    for clip, frames in zip(clips, counts, strict=False):
        if clip.frame_count != frames:
            last = clip.first_frame + clip.frame_count - 1
            raise ValueError(
                f"keypoints have {clip.frame_count} frames, the motion has {frames}, which are no part of the "
                f"keypoints' {clip.first_frame} to {last} by its first_frame; pass the same clip"
            )
        if (clip.width_px, clip.height_px) != (clips[0].width_px, clips[0].height_px):
            raise ValueError("keypoints of several persons must be from the same video")


def _frame_count(motion: Motion) -> int:
    if isinstance(motion, MeshMotion):
        return len(motion.vertex_m)
    return len(motion.position_m) if isinstance(motion, JointMotion) else motion.frame_count
