"""From the keypoints of a clip to its motion embedding."""

import logging
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from motionrep.embedding.frame_rates import _moving_average, filled_up, readings
from motionrep.embedding.inputs import encoder_input, mirrored
from motionrep.encoders.inference import for_inference
from motionrep.layouts import flip_index_tensor
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.windows import blend_weights, padded, window_starts

logger = logging.getLogger(__name__)


# Representation numbers of the windows that a CPU encodes at a time. With more, the widest layers take more than 32 MB,
# which C libraries give back to the system after every layer, and caches overflow.
_CPU_NUMBERS = 2**21

# The GNU C library raises the size above which it gives memory back at once to that of arrays it has seen freed, up to
# 32 MB. One just below that, freed before the first layer, spares most of the giving back and fetching again.
_FREED_FIRST_BYTES = 31 * 2**20


def embed(
    keypoints: Keypoints,
    encoder: nn.Module,
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

    The clip is converted to the encoder's layout, normalised (`encoder_input`) and cut into overlapping windows whose
    results are blended. A clip shorter than a fixed window is filled up with its last frame, and the result cropped;
    encoders whose window is not fixed read it as it is.
    An encoder that declares a frame rate reads every n-th frame of a clip that is about n times as fast, once for each
    of the n places to start; every frame is encoded once, and a moving average over n frames joins them. A clip that is
    about n times as slow is filled up with n - 1 frames on the straight way from each frame to the next. When motion
    looks too fast or too slow to it all the same, a warning says so.
    The encoder is moved to `device` and stays there; apart from that it is left as it was.

    Args:
        overlap: Share of a window that the next one repeats; at 0 results may jump from one window to the next.
        flip: Averages with the representation of the mirrored clip, left and right swapped back. The average cannot
            tell left from right in the image: it suits tasks for which a motion and its mirror image are the same, and
            heads trained on it. The field's flip averaging of what heads predict is another thing:
            `flipping.flip_averaged`.
        batch_size: Windows encoded at a time; bounds the memory beside the result.
        dtype: float32, or bfloat16 to encode faster and less exactly on hardware that has it (`for_inference`).
        compile: Compile the encoder's blocks first: about a minute, once in a process, then faster.
        progress: Show a progress bar on a terminal.

    Raises:
        TypeError: Several clips at once, or the name of an encoder.
        ValueError: No conversion from the clip's layout to the encoder's, or an option out of range.
        RuntimeError: `compile` without a C++ compiler, or a GPU that is not there.
    """
    if not isinstance(keypoints, Keypoints):
        raise TypeError(
            f"expected the Keypoints of one person, as load_keypoints(...)[0], got {type(keypoints).__name__}"
        )
    if not isinstance(encoder, nn.Module):
        raise TypeError(f"expected an encoder, as load_encoder(...) gives, got {encoder!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"device {str(device)!r}: torch sees no such GPU here; leave device out for the CPU")
    seen_px = keypoints.xy_px[keypoints.confidence > 0]
    if len(seen_px) and float(seen_px.abs().max()) <= 1:
        logger.warning("all keypoints lie within [-1, 1], pixels are needed: were they divided by the image's size?")
    keypoints = keypoints.as_h36m_17(getattr(encoder, "coco_recipe", "motionbert"))
    options = (overlap, batch_size, device, dtype, progress, compile)
    values = encode(encoder_input(keypoints, encoder), keypoints.fps, encoder, *options)
    if flip:
        other = encode(encoder_input(mirrored(keypoints), encoder), keypoints.fps, encoder, *options)
        values = (values + other[:, flip_index_tensor(keypoints.layout)]) / 2
    return MotionEmbedding(values, keypoints, str(encoder.name), getattr(encoder, "digest", None))


def encode(
    inputs: Float[Tensor, "frames 17 inputs"],
    fps: float,
    encoder: nn.Module,
    overlap: float = 0.5,
    batch_size: int = 16,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    progress: bool = False,
    compile: bool = False,
) -> Float[Tensor, "frames 17 channels"]:
    """What `embed` does once the keypoints are normalised (`encoder_input`)."""
    times, step = readings(fps, encoder)
    inputs, step = filled_up(inputs, times), min(step, inputs.shape[0])
    device = device or torch.device("cpu")
    fast = for_inference(encoder.to(device), dtype, compile)
    values = torch.zeros(*inputs.shape[:2], cast(int, encoder.channels))
    for start in range(step):
        values[start::step] = _encoded(inputs[start::step], encoder, fast, overlap, batch_size, device, progress)
    return _moving_average(values, step)[::times].contiguous()


@torch.no_grad()
def _encoded(
    inputs: Tensor,
    encoder: nn.Module,
    fast: nn.Module,
    overlap: float,
    batch_size: int,
    device: torch.device,
    progress: bool,
) -> Tensor:
    window, channels = cast(int, encoder.frames), cast(int, encoder.channels)
    frames = inputs.shape[0]
    if not getattr(encoder, "fixed_window", True):
        window = min(window, frames)
    inputs = padded(inputs.cpu(), window)
    starts = window_starts(frames, window, overlap)
    weights = blend_weights(starts, window)
    values = torch.zeros(*inputs.shape[:2], channels)
    if device.type == "cpu":
        torch.empty(_FREED_FIRST_BYTES, dtype=torch.uint8)
        batch_size = min(batch_size, max(1, _CPU_NUMBERS // (window * inputs.shape[1] * channels)))
    batches = range(0, len(starts), batch_size)
    for first in tqdm(batches, desc="embed", unit="batch", leave=False, disable=None if progress else True):
        batch = torch.stack([inputs[s : s + window] for s in starts[first : first + batch_size]]).to(device)
        encoded = fast(batch).cpu()
        for start, result, weight in zip(starts[first:], encoded, weights[first:], strict=False):
            values[start : start + window] += result * weight[:, None, None]
    return values[:frames]
