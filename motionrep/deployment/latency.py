"""Which frames are encoded together when results may wait for only a few frames; the same for a whole clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.embedding.frame_rates import frame_stride, upsampled
from motionrep.embedding.inputs import encoder_input
from motionrep.encoders import Encoder, as_encoder
from motionrep.encoders.inference import for_inference
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.windows import padded


@dataclass(frozen=True)
class LatencyWindows:
    """The window that each frame is encoded in, and the windows whose results are averaged for it.

    Attributes:
        frames: Length of a window.
        times: Upsampling: how many frames the encoder reads for each.
        stride: Every so many-th frame belongs to a window.
        ahead: The last frame of a window comes this many frames after the one in question.
        reach: The results of so many frames before and after a frame are averaged with its own.
    """

    frames: int
    times: int
    stride: int
    ahead: int
    reach: int

    @classmethod
    def of(cls, encoder: Encoder, fps: float, latency_frames: int) -> "LatencyWindows":
        """The windows for clips of this frame rate whose results come at most `latency_frames` later.

        Raises:
            ValueError: The latency is negative or longer than a window.
        """
        times, stride = frame_stride(fps, encoder)
        frames = (encoder.frames - 1) // times + 1
        reach = stride // 2 if latency_frames >= stride // 2 else 0
        most = (frames - 1) * stride + stride // 2
        if not 0 <= latency_frames <= most:
            raise ValueError(
                f"latency_frames must be from 0 to {most}, since {encoder.name} reads windows of {frames} frames with "
                f"stride {stride} at {fps:g} frames per second; got {latency_frames}"
            )
        return cls(frames, times, stride, (latency_frames - reach) // stride * stride, reach)

    @property
    def latency_frames(self) -> int:
        """After so many frames the result of a frame is there."""
        return self.ahead + self.reach

    def of_frame(self, frame: int, last: int) -> range:
        """The window that a frame is encoded in. `last` is the newest frame of the clip."""
        end = min(frame + self.ahead, last - (last - frame) % self.stride)
        start = max(end - (self.frames - 1) * self.stride, frame % self.stride)
        return range(start, end + 1, self.stride)

    def weights(self, frame: int, last: int) -> dict[int, float]:
        """The moving average of `embed`: frames whose results are averaged for this one, with weights that sum to 1."""
        total = self.stride if self.reach else 1
        weights: dict[int, float] = {}
        for offset in range(-self.reach, self.reach + 1):
            near = min(max(frame + offset, 0), last)
            half = self.reach and abs(offset) == self.reach and self.stride % 2 == 0
            weights[near] = weights.get(near, 0.0) + (0.5 if half else 1.0) / total
        return weights


def embed_with_latency(
    keypoints: Keypoints,
    encoder: Encoder,
    latency_frames: int = 0,
    *,
    batch_size: int = 16,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> MotionEmbedding:
    """The embeddings that a `Stream` gives for the frames of a whole clip: to measure or tune live use.

    Each frame is encoded in a window of its own, which takes longer than `embed` and is less exact.

    Raises:
        TypeError: It is no encoder.
        ValueError: An option out of range, or no conversion from the clip's layout.
    """
    encoder = as_encoder(encoder)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    policy = LatencyWindows.of(encoder, keypoints.fps, latency_frames)
    fast = for_inference(encoder.to(device), dtype)
    clip = keypoints.as_h36m_17(encoder.coco_recipe)
    last = clip.frame_count - 1
    windows = {frame: policy.of_frame(frame, last) for frame in range(last + 1)}
    encoded: dict[range, Tensor] = {}
    for _, alike in groupby(sorted(set(windows.values()), key=len), len):
        rest = list(alike)
        for batch in (rest[i : i + batch_size] for i in range(0, len(rest), batch_size)):
            parts = [replace(clip, xy_px=clip.xy_px[i], confidence=clip.confidence[i]) for i in map(list, batch)]
            encoded |= zip(batch, encode_windows(parts, policy.times, encoder, fast, torch.device(device)), strict=True)
    values = torch.stack([averaged(policy.weights(frame, last), windows, encoded) for frame in windows])
    return MotionEmbedding(values, clip, encoder.name, encoder.digest)


def averaged(
    weights: Mapping[int, float], windows: Mapping[int, range], encoded: Mapping[range, Tensor]
) -> Float[Tensor, "joints channels"]:
    """The weighted sum of what the windows of some frames say about these frames."""
    terms = [weight * encoded[windows[frame]][windows[frame].index(frame)] for frame, weight in weights.items()]
    return torch.stack(terms).sum(0)


@torch.no_grad()
def encode_windows(
    windows: Sequence[Keypoints], times: int, encoder: Encoder, fast: nn.Module, device: torch.device
) -> Float[Tensor, "windows frames 17 channels"]:
    """Windows of one length, normalised one by one, upsampled and encoded as one batch.

    Args:
        fast: What `for_inference` made of the encoder.
    """
    inputs = [upsampled(encoder_input(window, encoder), times) for window in windows]
    if encoder.fixed_window:
        inputs = [padded(one, encoder.frames) for one in inputs]
    return fast(torch.stack(inputs).to(device)).cpu()[:, ::times][:, : windows[0].frame_count]
