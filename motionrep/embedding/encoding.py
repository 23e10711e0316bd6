"""From the keypoints of a clip to its motion embedding."""

import logging
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.embedding.batching import ClipInput, encode_clips
from motionrep.embedding.inputs import encoder_input, mirrored
from motionrep.encoders.base import Encoder, as_encoder
from motionrep.files.progress import progress_bar
from motionrep.layouts import flip_index_tensor
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.windows import OVERLAP

logger = logging.getLogger(__name__)


def embed(
    keypoints: Keypoints,
    encoder: Encoder,
    *,
    overlap: float = OVERLAP,
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
            docs/scale.md has errors and work.
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

    keypoints = keypoints.as_h36m_17(encoder.coco_recipe)
    ways = torch.stack([encoder_input(clip, encoder) for clip in (keypoints, *([mirrored(keypoints)] if flip else []))])
    values = _encoded(
        ways, keypoints.fps, encoder, overlap=overlap, batch_size=batch_size, device=device, dtype=dtype,
        compile=compile, progress=progress,
    )  # fmt: skip
    if flip:
        values = (values[:1] + values[1:, :, flip_index_tensor(keypoints.layout)]) / 2
    return MotionEmbedding(values[0], keypoints, encoder.name, encoder.digest)


def encode(
    inputs: Float[Tensor, "frames 17 inputs"],
    fps: float,
    encoder: Encoder,
    overlap: float = OVERLAP,
    batch_size: int = 16,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    progress: bool = False,
    compile: bool = False,
) -> Float[Tensor, "frames 17 channels"]:
    """The part of `embed` behind `encoder_input`, for keypoints that are normalised already."""
    return _encoded(
        inputs[None], fps, encoder, overlap=overlap, batch_size=batch_size, device=device or "cpu", dtype=dtype,
        compile=compile, progress=progress,
    )[0]  # fmt: skip


def _encoded(
    inputs: Float[Tensor, "ways frames 17 inputs"], fps: float, encoder: Encoder, *, progress: bool, **options: Any
) -> Float[Tensor, "ways frames 17 channels"]:
    """The representation of one clip, on the CPU."""
    values = torch.empty(*inputs.shape[:3], encoder.channels)
    first = 0
    with progress_bar(None, "embed", "frame", progress, total=inputs.shape[1]) as bar:
        for _, stretch in encode_clips([ClipInput(0, inputs, fps)], encoder, **options):
            end = first + stretch.shape[1]
            values[:, first:end] = stretch
            first = end
            bar.update(stretch.shape[1])
    return values


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
