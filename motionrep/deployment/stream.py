"""Live use: frames in one by one, embeddings and predictions out, a chosen number of frames later."""

import copy
import inspect
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.embedding.frame_rates import filled_up, readings
from motionrep.embedding.inputs import encoder_input
from motionrep.encoders.inference import for_inference
from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.contract import representation_of, require_same_encoder
from motionrep.layouts import H36M_17, CocoRecipe, JointLayout, find_layout
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding, as_float32
from motionrep.windows import padded


@dataclass(frozen=True)
class StreamedFrame:
    """What a stream says about one frame.

    `embedding` has this frame only; its keypoints tell whether the person was seen in it. `prediction` is a motion of
    one frame, or, of heads that say something else, what the head says of the frame's window; None without a head, and
    when nobody was seen in the whole window.
    """

    embedding: MotionEmbedding
    prediction: Any

    @property
    def frame(self) -> int:
        """Number of the frame, the first pushed being 0."""
        return self.embedding.keypoints.first_frame


class Stream:
    """Embeds one person live; the result of a frame comes with the frame `latency_frames` after it.

    Each frame is encoded in a window of its own, as long as the encoder reads, that ends about `latency_frames` after
    it. An encoder that declares a frame rate reads every n-th frame of a stream that is about n times as fast, counted
    from the frame in question, and `embed`'s moving average over n frames joins the results, unless the latency is
    below n // 2. A slower stream gets frames in between as in `embed`, and its newest frame again where they do not
    fill the window. Normalisation and the places of unseen joints come from the window alone. At the start the window
    holds the frames there are and is filled up as `embed` fills up short clips; the last frames share the windows that
    end with the stream. `embed_with_latency` gives the same for a whole clip.

    A head reads the window too. The shape of a body is the mean of the head's estimates for all results so far, and the
    body is placed with it, so that it changes less and less.

    Args:
        encoder: Moved to `device`. The stream goes on with the weights that it has now.
        head: A trained head; put into evaluation mode. It stays where it is, on the CPU.
        fps: Frame rate of what is pushed.
        size_px: Width and height of the image.
        layout: Joint order of what is pushed.
        latency_frames: The more, the better the result. What would make no difference is not waited for: the attribute
            of this name is n // 2 and a multiple of n, or 0.
        stride: Results are given for every so many-th frame only, to save time; embeddings are the same.
        camera: For heads that place a body; as in the head's `predict`.
        dtype: As for `embed`.

    Raises:
        TypeError: The name of an encoder or of a head.
        ValueError: An option out of range, no conversion from the layout, or a head of another encoder.
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: Any = None,
        *,
        fps: float,
        size_px: tuple[int, int],
        layout: JointLayout | str,
        latency_frames: int = 0,
        stride: int = 1,
        camera: PinholeCamera | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        _require_networks(encoder, head)
        if stride < 1:
            raise ValueError(f"stride must be at least 1, got {stride}")
        self.layout = find_layout(layout) if isinstance(layout, str) else layout
        self.fps, self.size_px, self.stride = fps, size_px, stride
        self.encoder, self.head, self.device = encoder, head, torch.device(device)
        nobody = self._keypoints(None, None)  # says now what is wrong with fps, size or layout
        self._windows = _Windows.of(encoder, fps, latency_frames)
        self.latency_frames = self._windows.latency_frames
        self._fast = for_inference(copy.deepcopy(encoder.to(self.device)), dtype)
        self._keeps_shape = False
        self._options: dict[str, Any] = {}
        if head is not None:
            head.eval()
            values = torch.zeros(1, H36M_17.joint_count, cast(int, encoder.channels))
            require_same_encoder(head, _embedding(values, nobody, encoder))
            parameters = inspect.signature(head.predict).parameters
            if camera is not None and "camera" not in parameters:
                raise ValueError(f"camera was given, but {type(head).__name__} places nobody in a camera")
            self._keeps_shape = "betas" in parameters
            self._options = {} if camera is None else {"camera": camera}
            if camera is not None and "frame" in parameters:  # 3D poses stand in the camera only where it is asked for
                self._options["frame"] = "camera"
        self._recent: deque[Keypoints] = deque(maxlen=self._windows.step * (self._windows.frames + 1))
        self._restart()

    def push(
        self,
        xy_px: Float[Tensor, "joints 2"] | Float[np.ndarray, "joints 2"] | None,
        confidence: Float[Tensor, " joints"] | Float[np.ndarray, " joints"] | None = None,
    ) -> StreamedFrame | None:
        """The next frame in; out comes the one `latency_frames` before it.

        None while there is no such frame yet, and for those that `stride` leaves out.

        Args:
            xy_px: Pixels from the image's top left corner; None when nobody was seen, so that the frame keeps its
                place.
            confidence: 0 for an unseen joint; when left out, all joints count as seen.

        Raises:
            ValueError: Another number of joints than the layout has, NaN, or a negative confidence. The frame is not
                counted then.
        """
        self._recent.append(self._keypoints(xy_px, confidence))
        self._pushed += 1
        frame = self._pushed - 1 - self.latency_frames
        return next(self._results([frame] if frame >= 0 else []), None)

    def flush(self) -> list[StreamedFrame]:
        """The frames whose results are still out; the next push begins another clip, as in a new stream."""
        results = list(self._results(range(max(0, self._pushed - self.latency_frames), self._pushed)))
        self._restart()
        return results

    def _restart(self) -> None:
        self._recent.clear()
        self._pushed = 0
        self._encoded: dict[range, Tensor] = {}
        self._betas, self._estimates = torch.zeros(()), 0

    def _keypoints(self, xy_px: Any, confidence: Any) -> Keypoints:
        joints = self.layout.joint_count
        if xy_px is None:
            xy_px, confidence = torch.zeros(joints, 2), torch.zeros(joints)
        xy_px = as_float32(xy_px).clone()  # detectors use their arrays again
        if confidence is None:
            confidence = torch.ones(xy_px.shape[:1])
        confidence = as_float32(confidence).clone()
        frame = Keypoints(xy_px[None], confidence[None], self.layout, self.fps, *self.size_px)
        return frame.as_h36m_17(_coco_recipe(self.encoder))

    def _results(self, frames: Iterable[int]) -> Iterator[StreamedFrame]:
        for frame in frames:
            if frame % self.stride == 0:
                yield self._result(frame)

    def _result(self, frame: int) -> StreamedFrame:
        last = self._pushed - 1
        weights = self._windows.weights(frame, last)
        windows = {other: self._windows.of_frame(other, last) for other in weights}
        # The next frame may need any of these again, but no others of those encoded so far.
        self._encoded = {
            key: self._encoded[key] if key in self._encoded else self._encode(key) for key in windows.values()
        }
        window = windows[frame]
        index = window.index(frame)
        values = self._encoded[window].clone()
        values[index] = _joined(weights, windows, self._encoded)
        embedding = _embedding(values, self._clip(window), self.encoder)
        now = replace(self._clip(range(frame, frame + 1)), fps=self.fps)
        one = replace(embedding, values=values[index : index + 1], keypoints=now)
        return StreamedFrame(one, self._prediction(embedding, index, frame))

    def _encode(self, window: range) -> Tensor:
        return _encoded([self._clip(window)], self._windows.times, self.encoder, self._fast, self.device)[0]

    def _clip(self, window: range) -> Keypoints:
        oldest = self._pushed - len(self._recent)
        frames = [self._recent[frame - oldest] for frame in window]
        xy_px = torch.cat([frame.xy_px for frame in frames])
        confidence = torch.cat([frame.confidence for frame in frames])
        fps = self.fps / self._windows.step
        return replace(frames[0], xy_px=xy_px, confidence=confidence, fps=fps, first_frame=window.start)

    @torch.no_grad()
    def _prediction(self, window: MotionEmbedding, index: int, frame: int) -> Any:
        if self.head is None or not bool((window.keypoints.confidence > 0).any()):
            return None
        options: dict[str, Any] = dict(self._options)
        if self._keeps_shape:
            betas = self.head(*representation_of(window))["betas"][0]
            self._estimates += 1
            self._betas = self._betas + (betas - self._betas) / self._estimates
            options["betas"] = self._betas
        result = self.head.predict(window, **options)
        if isinstance(result, JointMotion):
            position_m = result.position_m[index : index + 1]
            return replace(result, position_m=position_m, fps=self.fps, first_frame=frame)
        if isinstance(result, BodyMotion):
            return replace(result.cut(index, index + 1), fps=self.fps, first_frame=frame)
        return result


def embed_with_latency(
    keypoints: Keypoints,
    encoder: nn.Module,
    latency_frames: int = 0,
    *,
    batch_size: int = 16,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> MotionEmbedding:
    """What a `Stream` says of the frames of a whole clip: to measure or tune what live use will give.

    A window is encoded for every frame, which takes longer than `embed` and is less exact.

    Raises:
        TypeError: The name of an encoder.
        ValueError: An option out of range, or no conversion from the clip's layout.
    """
    _require_networks(encoder)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    policy = _Windows.of(encoder, keypoints.fps, latency_frames)
    fast = for_inference(encoder.to(device), dtype)
    clip = keypoints.as_h36m_17(_coco_recipe(encoder))
    last = clip.frame_count - 1
    windows = {frame: policy.of_frame(frame, last) for frame in range(last + 1)}
    encoded: dict[range, Tensor] = {}
    for _, alike in groupby(sorted(set(windows.values()), key=len), len):
        rest = list(alike)
        for batch in (rest[i : i + batch_size] for i in range(0, len(rest), batch_size)):
            parts = [replace(clip, xy_px=clip.xy_px[i], confidence=clip.confidence[i]) for i in map(list, batch)]
            encoded |= zip(batch, _encoded(parts, policy.times, encoder, fast, torch.device(device)), strict=True)
    values = torch.stack([_joined(policy.weights(frame, last), windows, encoded) for frame in windows])
    return _embedding(values, clip, encoder)


def _require_networks(encoder: Any, head: Any = None) -> None:
    if not isinstance(encoder, nn.Module):
        raise TypeError(f"expected an encoder, as load_encoder(...) gives, got {encoder!r}")
    if head is not None and not isinstance(head, nn.Module):
        raise TypeError(f"expected a head, as load_head(...) gives, got {head!r}")


@dataclass(frozen=True)
class _Windows:
    """Which frames are encoded together: `frames` of them, every `step`-th, `ahead` after the one in question.

    The encoder reads `times` frames for each of them. The results of `reach` frames before and after a frame join its
    own.
    """

    frames: int
    times: int
    step: int
    ahead: int
    reach: int

    @classmethod
    def of(cls, encoder: nn.Module, fps: float, latency_frames: int) -> "_Windows":
        times, step = readings(fps, encoder)
        frames = (cast(int, encoder.frames) - 1) // times + 1
        reach = step // 2 if latency_frames >= step // 2 else 0
        most = (frames - 1) * step + step // 2
        if not 0 <= latency_frames <= most:
            raise ValueError(
                f"latency_frames must be from 0 to {most}: {encoder.name} is given {frames} frames at a time, every "
                f"{step}. of a stream at {fps:g} frames per second; got {latency_frames}"
            )
        return cls(frames, times, step, (latency_frames - reach) // step * step, reach)

    @property
    def latency_frames(self) -> int:
        return self.ahead + self.reach

    def of_frame(self, frame: int, last: int) -> range:
        """The frames that are encoded for the sake of this one, of a clip whose newest is `last`."""
        end = min(frame + self.ahead, last - (last - frame) % self.step)
        start = max(end - (self.frames - 1) * self.step, frame % self.step)
        return range(start, end + 1, self.step)

    def weights(self, frame: int, last: int) -> dict[int, float]:
        """`embed`'s moving average: frames whose results make that of this one, with shares that sum to 1."""
        total = self.step if self.reach else 1
        weights: dict[int, float] = {}
        for offset in range(-self.reach, self.reach + 1):
            near = min(max(frame + offset, 0), last)
            half = self.reach and abs(offset) == self.reach and self.step % 2 == 0
            weights[near] = weights.get(near, 0.0) + (0.5 if half else 1.0) / total
        return weights


def _joined(weights: Mapping[int, float], windows: Mapping[int, range], encoded: Mapping[range, Tensor]) -> Tensor:
    terms = [weight * encoded[windows[frame]][windows[frame].index(frame)] for frame, weight in weights.items()]
    return torch.stack(terms).sum(0)


@torch.no_grad()
def _encoded(
    windows: Sequence[Keypoints], times: int, encoder: nn.Module, fast: nn.Module, device: torch.device
) -> Float[Tensor, "windows frames 17 channels"]:
    """Windows of the same length, normalised one by one, filled up and encoded as one batch."""
    inputs = [filled_up(encoder_input(window, encoder), times) for window in windows]
    if getattr(encoder, "fixed_window", True):
        inputs = [padded(one, cast(int, encoder.frames)) for one in inputs]
    return fast(torch.stack(inputs).to(device)).cpu()[:, ::times][:, : windows[0].frame_count]


def _embedding(values: Tensor, keypoints: Keypoints, encoder: nn.Module) -> MotionEmbedding:
    return MotionEmbedding(values, keypoints, str(encoder.name), getattr(encoder, "digest", None))


def _coco_recipe(encoder: nn.Module) -> CocoRecipe:
    return getattr(encoder, "coco_recipe", "motionbert")
