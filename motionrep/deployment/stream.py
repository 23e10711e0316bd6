"""Live use: frames go in one by one, embeddings and predictions come out a chosen number of frames later."""

import copy
import inspect
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.deployment.latency import LatencyWindows, averaged, encode_windows
from motionrep.encoders import Encoder, as_encoder
from motionrep.encoders.inference import for_inference
from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.contract import representation_of, require_same_encoder
from motionrep.layouts import JointLayout, find_layout
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding, as_float32


@dataclass(frozen=True)
class StreamedFrame:
    """The result for one frame.

    Attributes:
        embedding: Of this frame only. Its keypoints tell whether the person was seen in it.
        prediction: A motion of one frame; from heads with other results, the result for the frame's window. None
            without a head, and when nobody was seen in the whole window.
    """

    embedding: MotionEmbedding
    prediction: Any

    @property
    def frame(self) -> int:
        """Number of the frame, the first pushed being 0."""
        return self.embedding.keypoints.first_frame


class Stream:
    """Embeds one person live. The result of a frame comes with the frame `latency_frames` after it.

    Each frame is encoded in a window of its own, as long as the encoder reads, that ends about `latency_frames` after
    it. Normalisation and the places of unseen joints come from the window alone. At the start the window holds the
    frames there are, and is padded like the short clips of `embed`. The last frames share the windows that end with the
    stream. `embed_with_latency` gives the same for a whole clip.

    An encoder that declares a frame rate reads a stream that is about n times as fast at a stride of n, counted from
    the frame in question. The moving average of `embed` over n frames joins the results, unless the latency is below
    n // 2. A slower stream is upsampled as in `embed`; if the window is not full then, its newest frame repeats.

    A head reads the window, too. The shape of a body is the mean of the head's estimates for all results so far. The
    body is placed with that shape, which therefore changes less and less.

    Args:
        encoder: Moved to `device`. The stream keeps the weights that it has now.
        head: A trained head. It is put into evaluation mode, and stays on the CPU.
        fps: Frame rate of what is pushed.
        size_px: Width and height of the image.
        layout: Joint order of what is pushed.
        latency_frames: The more, the better the result. The attribute of this name is smaller where waiting longer
            would change nothing: it is 0, or a multiple of n plus n // 2.
        stride: Results are given for every so many-th frame only, to save time. Their embeddings do not change.
        camera: For heads that place a body; as in the head's `predict`.
        dtype: As in `embed`.

    Raises:
        TypeError: Something that is no encoder or no head, such as the name of one.
        ValueError: An option out of range, no conversion from the layout, or a head of another encoder.
    """

    def __init__(
        self,
        encoder: Encoder,
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
        encoder = as_encoder(encoder)
        if stride < 1:
            raise ValueError(f"stride must be at least 1, got {stride}")
        self.layout = find_layout(layout) if isinstance(layout, str) else layout
        self.fps, self.size_px, self.stride = fps, size_px, stride
        self.encoder, self.head, self.device = encoder, head, torch.device(device)
        self._keypoints(None, None)  # reports what is wrong with fps, size or layout before the first frame
        self._windows = LatencyWindows.of(encoder, fps, latency_frames)
        self.latency_frames = self._windows.latency_frames
        self._fast = for_inference(copy.deepcopy(encoder.to(self.device)), dtype)
        self._keeps_shape = False
        self._options: dict[str, Any] = {}
        if head is not None:
            self._take(head, camera)
        self._recent: deque[Keypoints] = deque(maxlen=self._windows.stride * (self._windows.frames + 1))
        self._restart()

    def _take(self, head: Any, camera: PinholeCamera | None) -> None:
        """Checks the head, and finds out what its `predict` takes."""
        if not isinstance(head, nn.Module):
            raise TypeError(f"expected a head, as load_head(...) gives, got {head!r}")
        require_same_encoder(head.eval(), self.encoder)
        parameters = inspect.signature(self.head.predict).parameters
        if camera is not None and "camera" not in parameters:
            raise ValueError(f"camera was given, but {type(head).__name__} places nobody in a camera")
        self._keeps_shape = "betas" in parameters
        if camera is not None:
            # 3D poses are placed in the camera only on request.
            self._options = {"camera": camera} | ({"frame": "camera"} if "frame" in parameters else {})

    def push(
        self,
        xy_px: Float[Tensor, "joints 2"] | Float[np.ndarray, "joints 2"] | None,
        confidence: Float[Tensor, " joints"] | Float[np.ndarray, " joints"] | None = None,
    ) -> StreamedFrame | None:
        """Takes the next frame, and returns the result of the one `latency_frames` before it.

        None while there is no such frame yet, and for frames that `stride` leaves out.

        Args:
            xy_px: Pixels from the image's top left corner. Push None when nobody was seen, so that frames keep their
                places.
            confidence: 0 for an unseen joint. Without it, all joints count as seen.

        Raises:
            ValueError: Another number of joints than the layout has, NaN, or a negative confidence. The frame does not
                count then.
        """
        self._recent.append(self._keypoints(xy_px, confidence))
        self._pushed += 1
        frame = self._pushed - 1 - self.latency_frames
        return next(self._results([frame] if frame >= 0 else []), None)

    def flush(self) -> list[StreamedFrame]:
        """The results that are still to come. The next push begins another clip, as in a new stream."""
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
        xy_px = as_float32(xy_px).clone()  # detectors reuse their arrays
        if confidence is None:
            confidence = torch.ones(xy_px.shape[:1])
        confidence = as_float32(confidence).clone()
        frame = Keypoints(xy_px[None], confidence[None], self.layout, self.fps, *self.size_px)
        return frame.as_h36m_17(self.encoder.coco_recipe)

    def _results(self, frames: Iterable[int]) -> Iterator[StreamedFrame]:
        for frame in frames:
            if frame % self.stride == 0:
                yield self._result(frame)

    def _result(self, frame: int) -> StreamedFrame:
        last = self._pushed - 1
        weights = self._windows.weights(frame, last)
        windows = {other: self._windows.of_frame(other, last) for other in weights}
        # The next frame may need any of these windows again, but no other one encoded so far.
        self._encoded = {
            key: self._encoded[key] if key in self._encoded else self._encode(key) for key in windows.values()
        }
        window = windows[frame]
        index = window.index(frame)
        values = self._encoded[window].clone()
        values[index] = averaged(weights, windows, self._encoded)
        embedding = MotionEmbedding(values, self._clip(window), self.encoder.name, self.encoder.digest)
        now = replace(self._clip(range(frame, frame + 1)), fps=self.fps)
        one = replace(embedding, values=values[index : index + 1], keypoints=now)
        return StreamedFrame(one, self._prediction(embedding, index, frame))

    def _encode(self, window: range) -> Tensor:
        return encode_windows([self._clip(window)], self._windows.times, self.encoder, self._fast, self.device)[0]

    def _clip(self, window: range) -> Keypoints:
        oldest = self._pushed - len(self._recent)
        frames = [self._recent[frame - oldest] for frame in window]
        xy_px = torch.cat([frame.xy_px for frame in frames])
        confidence = torch.cat([frame.confidence for frame in frames])
        fps = self.fps / self._windows.stride
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
