"""From the keypoints of a clip to its motion embedding."""

import dataclasses
import logging
from typing import cast

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from tqdm import tqdm

from motionrep.encoders.inference import for_inference
from motionrep.layouts import H36M_17, JointLayout, flip_index_tensor
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.windows import blend_weights, padded, window_starts

logger = logging.getLogger(__name__)

# Encoders are trained on motion played 0.8 to 1.25 times as fast; 23.976 is called 24.
_TOLERATED_SPEED = 1.252
_MOST_FILLED_UP = 4

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


def encoder_input(keypoints: Keypoints, encoder: nn.Module) -> Float[Tensor, "frames 17 inputs"]:
    """Keypoints as the encoder reads them: Human3.6M-17 order, normalised, unseen joints made harmless.

    With a confidence channel (at most 1), x, y and confidence of an unseen joint are 0. Without one, its x and y run
    on a straight line between the frames in which it was seen and stand still before the first and after the last; a
    joint that was never seen lies in the middle of the image or box.

    Raises:
        ValueError: No conversion from the clip's layout, or a normalisation that is not known.
    """
    layout = cast(JointLayout, encoder.layout)
    if layout != H36M_17:
        raise ValueError(f"{encoder.name}: only layout 'h36m_17' is known, the encoder declares {layout.name!r}")
    keypoints = keypoints.as_h36m_17(getattr(encoder, "coco_recipe", "motionbert"))
    xy = normalise(keypoints.xy_px, keypoints.width_px, keypoints.height_px)
    return as_declared(torch.cat([xy, keypoints.confidence.clamp(max=1)[..., None]], -1), encoder)


def as_declared(
    keypoints: Float[Tensor, "*batch frames joints 3"], encoder: nn.Module
) -> Float[Tensor, "*batch frames joints inputs"]:
    """What `encoder_input` makes of x, y (units of half the image width, origin in the middle) and confidence.

    Raises:
        ValueError: A normalisation that is not known.
    """
    if encoder.normalisation == "crop":
        keypoints = cropped(keypoints, cast(float, encoder.crop_ratio))
    elif encoder.normalisation != "width":
        raise ValueError(
            f"{encoder.name}: only normalisations 'width' and 'crop' are known, it declares {encoder.normalisation!r}"
        )
    seen = keypoints[..., 2] > 0
    return _filled(keypoints[..., :2], seen) if encoder.input_channels == 2 else keypoints.where(seen[..., None], 0)


def normalise(
    xy_px: Float[Tensor, "*batch joints 2"],
    width_px: int | float | Shaped[Tensor, "*#batch"],
    height_px: int | float | Shaped[Tensor, "*#batch"],
) -> Float[Tensor, "*batch joints 2"]:
    """Pixels to units of half the image width, origin in the middle: x runs from -1 to 1, y from -h/w to h/w.

    This is normalisation "width"; "crop" is `cropped`.
    """
    width, height = (torch.as_tensor(size).to(xy_px)[..., None, None] for size in (width_px, height_px))
    return (2 * xy_px - torch.cat([width, height], -1)) / width


def cropped(
    keypoints: Float[Tensor, "*batch frames joints 3"], ratio: float = 1.0
) -> Float[Tensor, "*batch frames joints 3"]:
    """x, y (any unit) and confidence in one square box for the whole clip, x and y from -1 to 1 in it; 0 where unseen.

    The box lies about the middle of all seen joints of all frames; its side is `ratio` times the longer side of
    the smallest box that holds them. A clip with fewer than four seen joints in all its frames becomes zeros.
    """
    xy, seen = keypoints[..., :2], keypoints[..., 2:] > 0
    low = xy.where(seen, torch.inf).amin((-3, -2), keepdim=True)
    high = xy.where(seen, -torch.inf).amax((-3, -2), keepdim=True)
    side = ratio * (high - low).amax(-1, keepdim=True)
    inside = ((2 * xy - low - high) / side).clamp(-1, 1)
    kept = seen & (seen.sum((-3, -2, -1), keepdim=True) >= 4) & (side > 0)
    return torch.cat([inside, keypoints[..., 2:]], -1).where(kept, 0)


def mirrored(keypoints: Keypoints) -> Keypoints:
    """The clip as a camera behind a mirror sees it: left and right are swapped in the image and in the names."""
    index = flip_index_tensor(keypoints.layout, keypoints.xy_px.device)
    x, y = keypoints.xy_px[:, index].unbind(-1)
    xy_px = torch.stack([keypoints.width_px - x, y], -1)
    return dataclasses.replace(keypoints, xy_px=xy_px, confidence=keypoints.confidence[:, index])


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


def readings(fps: float, encoder: nn.Module) -> tuple[int, int]:
    """How an encoder reads a clip at its own frame rate, or as near to that as whole numbers come.

    A warning says so where that is not near enough for motions to look about as fast as they are, or where most
    frames would be made up.

    Returns:
        How many frames to make of each frame of the clip (`filled_up`), and the n of every n-th frame to read; one of
        them is 1.
    """
    known = cast(float | None, encoder.fps)
    if not known:
        return 1, 1
    times, step = max(1, round(known / fps)), max(1, round(fps / known))
    speed = known * step / (fps * times)
    if not 1 / _TOLERATED_SPEED <= speed <= _TOLERATED_SPEED:
        logger.warning(
            "encoder %s reads %g frames per second, and a clip of %g as if it had %g: motion looks %.2g times as fast "
            "to it as it is; clips with a multiple or a whole part of %g are read better",
            encoder.name, known, fps, known * step / times, speed, known,
        )  # fmt: skip
    if times > _MOST_FILLED_UP:
        logger.warning(
            "encoder %s reads %g frames per second: of every %d that it is given of a clip of %g, %d are made up",
            encoder.name, known, times, fps, times - 1,
        )  # fmt: skip
    return times, step


def filled_up(inputs: Float[Tensor, "*batch frames 17 inputs"], times: int) -> Float[Tensor, "*batch more 17 inputs"]:
    """`times` - 1 frames more between each frame and the next, on the straight way.

    Of inputs with a confidence channel, joints are seen there if they are in both frames.
    """
    if times == 1:
        return inputs
    share = torch.arange(times).to(inputs)[:, None, None] / times
    before, after = inputs[..., :-1, None, :, :], inputs[..., 1:, None, :, :]
    between = before + share * (after - before)
    if inputs.shape[-1] == 3:
        seen = (before[..., 2:] > 0) & ((after[..., 2:] > 0) | (share == 0))
        between = between.where(seen, 0)
    return torch.cat([between.flatten(-4, -3), inputs[..., -1:, :, :]], -3)


def _moving_average(values: Float[Tensor, "frames joints channels"], width: int) -> Tensor:
    """Mean over `width` frames, centred (an even width counts its two outermost frames half); ends repeat."""
    if width == 1:
        return values
    reach = width // 2
    weights = values.new_ones(2 * reach + 1)
    weights[[0, -1]] = (width - (2 * reach - 1)) / 2
    frame = torch.arange(values.shape[0])[:, None] + torch.arange(-reach, reach + 1)
    frame = frame.clamp(0, values.shape[0] - 1)
    terms = (w * values[index] for w, index in zip((weights / width).tolist(), frame.T, strict=True))
    return sum(terms, torch.zeros_like(values))


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


def _filled(xy: Float[Tensor, "*batch frames joints 2"], seen: Bool[Tensor, "*batch frames joints"]) -> Tensor:
    """Unseen joints on a line between the nearest frames that saw them, zeros where none did."""
    frames = xy.shape[-3]
    time = torch.arange(frames, device=xy.device)[:, None].expand_as(seen)
    before = time.where(seen, -1).cummax(-2).values
    after = time.where(seen, frames).flip(-2).cummin(-2).values.flip(-2)
    before, after = before.where(before >= 0, after), after.where(after < frames, before)
    share = ((time - before) / (after - before).clamp(min=1))[..., None].to(xy)
    start, end = (xy.gather(-3, index.clamp(0, frames - 1)[..., None].expand_as(xy)) for index in (before, after))
    return (start + share * (end - start)).where(seen.any(-2)[..., None, :, None], 0)
