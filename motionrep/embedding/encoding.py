"""From the keypoints of a clip to its motion embedding."""

import logging
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.embedding.frame_rates import frame_stride, moving_average, upsampled
from motionrep.embedding.inputs import encoder_input, mirrored
from motionrep.encoders.base import Encoder, as_encoder
from motionrep.encoders.inference import for_inference
from motionrep.files.progress import progress_bar
from motionrep.layouts import flip_index_tensor
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.windows import blend_weights, padded, window_starts

logger = logging.getLogger(__name__)

# Numbers in the representation of the windows that a CPU encodes at a time. With more, caches overflow, and the widest
# layers take more than 32 MB, which C libraries give back to the system after every layer.
_CPU_NUMBERS = 2**21

# The GNU C library gives large arrays back to the system at once: those larger than any that it has seen freed, up to
# 32 MB. Freeing one just below that before the first layer makes it keep most memory for the next layers.
_FREED_FIRST_BYTES = 31 * 2**20


def embed(
    keypoints: Keypoints,
    encoder: Encoder,
    *,
    overlap: float = 0.5,
    flip: bool = False,
    batch_size: int = 16,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    compile: bool = False,
    progress: bool = False,
) -> MotionEmbedding:
    """The encoder's representation of every joint in every frame; float32, on the CPU.

    The clip is converted to the encoder's layout, normalised (`encoder_input`) and cut into overlapping windows, whose
    results are blended. A clip shorter than a fixed window repeats its last frame, and the result is cut to the clip.
    Encoders whose window is not fixed read short clips as they are.

    An encoder that declares a frame rate reads a clip that is about n times as fast at a stride of n, once from each of
    the first n frames. Every frame is encoded once, and a moving average over n frames joins the results. A clip that
    is about n times as slow is upsampled: n - 1 linearly interpolated frames come between each frame and the next. If
    motion still looks too fast or too slow to the encoder, a warning says so.

    The encoder is moved to `device` and stays there. Nothing else about it changes.

    Args:
        overlap: Share of a window that the next one repeats. At 0, results may jump from one window to the next.
        flip: Averages with the representation of the mirrored clip, left and right swapped back. The average cannot
            tell left from right in the image. It suits heads trained on it, and tasks for which a motion and its mirror
            image are the same. The usual flip averaging, of what heads predict, is
            `head_api.flip_averaging.flip_averaged`.
        batch_size: Windows encoded at a time; bounds the memory beside the result.
        dtype: float32, or bfloat16 to encode faster and less exactly on hardware that has it (`for_inference`).
        compile: Compiles the encoder's blocks first: about a minute, once in a process, then faster.
        progress: Shows a progress bar on a terminal.

    Raises:
        TypeError: Several clips at once, or something that is no `Encoder`, such as the name of one.
        ValueError: No conversion from the clip's layout to the encoder's, or an option out of range.
        RuntimeError: `compile` without a C++ compiler, or a GPU that is not there.
    """
    _require_options(keypoints, batch_size, torch.device(device))
    encoder = as_encoder(encoder)

    def of(clip: Keypoints) -> Tensor:
        return encode(
            encoder_input(clip, encoder), clip.fps, encoder, overlap=overlap, batch_size=batch_size,
            device=torch.device(device), dtype=dtype, progress=progress, compile=compile,
        )  # fmt: skip

    keypoints = keypoints.as_h36m_17(encoder.coco_recipe)
    values = of(keypoints)
    if flip:
        values = (values + of(mirrored(keypoints))[:, flip_index_tensor(keypoints.layout)]) / 2
    return MotionEmbedding(values, keypoints, encoder.name, encoder.digest)


def encode(
    inputs: Float[Tensor, "frames 17 inputs"],
    fps: float,
    encoder: Encoder,
    overlap: float = 0.5,
    batch_size: int = 16,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    progress: bool = False,
    compile: bool = False,
) -> Float[Tensor, "frames 17 channels"]:
    """The part of `embed` behind `encoder_input`, for keypoints that are normalised already."""
    times, stride = frame_stride(fps, encoder)
    inputs, stride = upsampled(inputs, times), min(stride, inputs.shape[0])
    device = device or torch.device("cpu")
    fast = for_inference(encoder.to(device), dtype, compile)
    values = torch.zeros(*inputs.shape[:2], encoder.channels)
    for start in range(stride):
        values[start::stride] = _encoded(inputs[start::stride], encoder, fast, overlap, batch_size, device, progress)
    return moving_average(values, stride)[::times].contiguous()


def _require_options(keypoints: Any, batch_size: int, device: torch.device) -> None:
    """Raises what `embed` raises for its arguments, and warns of keypoints that are not in pixels."""
    if not isinstance(keypoints, Keypoints):
        raise TypeError(
            "expected the Keypoints of one person, as load_keypoints(...)[0] or, of a video, detect(...)[0], got "
            f"{type(keypoints).__name__}"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"device {str(device)!r}: torch sees no such GPU here; leave device out for the CPU")
    seen_px = keypoints.xy_px[keypoints.confidence > 0]
    if len(seen_px) and float(seen_px.abs().max()) <= 1:
        logger.warning(
            "all keypoints lie within [-1, 1], but pixels are needed: were they divided by the image's size?"
        )


@torch.no_grad()
def _encoded(
    inputs: Tensor,
    encoder: Encoder,
    fast: nn.Module,
    overlap: float,
    batch_size: int,
    device: torch.device,
    progress: bool,
) -> Tensor:
    frames, channels = inputs.shape[0], encoder.channels
    window = encoder.frames if encoder.fixed_window else min(encoder.frames, frames)
    inputs = padded(inputs.cpu(), window)
    starts = window_starts(frames, window, overlap)
    weights = blend_weights(starts, window)
    values = torch.zeros(*inputs.shape[:2], channels)
    if device.type == "cpu":
        torch.empty(_FREED_FIRST_BYTES, dtype=torch.uint8)
        batch_size = min(batch_size, max(1, _CPU_NUMBERS // (window * inputs.shape[1] * channels)))
    batches = range(0, len(starts), batch_size)
    for first in progress_bar(batches, "embed", "batch", progress):
        batch = torch.stack([inputs[s : s + window] for s in starts[first : first + batch_size]]).to(device)
        encoded = fast(batch).cpu()
        for start, result, weight in zip(starts[first:], encoded, weights[first:], strict=False):
            values[start : start + window] += result * weight[:, None, None]
    return values[:frames]
