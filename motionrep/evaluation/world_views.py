"""Errors in the world of people before simulated cameras: they stand, pan, or walk, and their way may be known."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.evaluation.synthetic_views import FPS, motion_clips, people_of, single_view
from motionrep.evaluation.world_metrics import WORLD_UNITS
from motionrep.evaluation.world_scores import WorldScores, true_motion
from motionrep.files.progress import progress_bar
from motionrep.files.writing import write_json
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import H36M_17, find_layout
from motionrep.motion.axes import in_world
from motionrep.motion.contacts import Ground
from motionrep.motion.floor import put_on_floor
from motionrep.pipeline.cameras import places_people
from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.recovery import Recoverer
from motionrep.types import BodyMotion, Keypoints

_AS_RECORDED = Augmentation(speed=(1.0, 1.0), mirror=False)
WORLD_CAMERAS = {
    "still": _AS_RECORDED,
    "panning": replace(_AS_RECORDED, camera_moves=1.0, pans=1.0),
    "walking": replace(_AS_RECORDED, camera_moves=1.0),
}
_KNOWN_WAY = "walking, known way"
_WINDOW, _WIDTH_PX, _FEWEST_FRAMES = 100, 1000, 4


@dataclass(frozen=True)
class WorldViews:
    """How clips are seen and read; all of it is part of the protocol.

    Attributes:
        windows: Of 100 frames, for each kind of camera; the same ones for every head.
        held_out: As in `SyntheticViews`, like the rest.
    """

    split: Literal["train", "val"] = "val"
    layout: str = "h36m_17"
    windows: int = 20
    seed: int = 1400
    precision: Literal["float32", "bfloat16"] = "float32"
    flip: bool = False
    held_out: str | None = None


def evaluate_world(
    data: Path | Sequence[Path],
    encoder: str,
    heads: Sequence[str],
    output: Path | None = None,
    options: WorldViews = WorldViews(),
    device: str | torch.device = "cpu",
    body: str | None = None,
) -> dict[str, Any]:
    """World errors (`WorldScores`) of the first body that heads recover together, refined, by camera.

    The focal length is known. Where a head tells of the ground, people are put on the floor that is found; walking
    cameras are seen once as if they stood, and once with their way, whose axes, origin and scale stay unknown. Without
    such a head the camera is taken to be level, and each person stands on a floor of its own.

    Args:
        data, output, device, body: As in `synthetic_views.evaluate`.
        heads: As in `motionrep.recover`, one of which places bodies.

    Returns:
        `per_camera`, with their `units` and `protocol`.

    Raises:
        ValueError: As `load_networks`; no head places a body; or the data have no clip of four frames.
    """
    network, trained = load_networks(heads, encoder, device, body)
    placing = next((head for head in trained.values() if places_people(head) and hasattr(head, "body")), None)
    if placing is None:
        raise ValueError(f"world: needs a head that gives a body mesh, got {', '.join(trained)}; add one")
    posed = deepcopy(placing.body).cpu()
    clips = motion_clips(data, options.split, options.held_out, posed.name)
    dtype = getattr(torch, options.precision)
    recoverer = Recoverer(network, trained, flip=options.flip, refine=True, device=device, dtype=dtype)
    per_camera = {}
    with _without_remarks():
        for camera, augmentation in WORLD_CAMERAS.items():
            for name in (camera, _KNOWN_WAY) if camera == "walking" else (camera,):
                scores = _scores(recoverer, _samples(clips, augmentation, options, posed), name)
                per_camera |= {name: scores} if scores else {}
    if not per_camera:
        raise ValueError(f"world: no window of the clips has {_FEWEST_FRAMES} frames; give longer motions")
    result = {
        "metrics": {}, "per_camera": per_camera, "units": WORLD_UNITS, "encoder": encoder, "heads": list(heads),
        "protocol": {
            "id": "synthetic-world-1", **people_of(options.split, options.held_out), "clips": len(clips),
            "windows": options.windows, "window_frames": _WINDOW, "fps": FPS, "seed": options.seed,
            "keypoints": f"{options.layout} with simulated detector noise", "focal_length": "true", "refined": True,
            "precision": options.precision, "flip_averaging": options.flip,
        },
    }  # fmt: skip
    if output is not None:
        write_json(result, output)
    return result


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keeps to itself what recovery tells of each window."""
    logger = logging.getLogger("motionrep")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _samples(
    clips: Sequence[MotionClip], augmentation: Augmentation, options: WorldViews, body: BodyModel
) -> SynthesizedClips:
    windows = RandomWindows(options.windows, augmentation)
    layout = find_layout(options.layout)
    return SynthesizedClips(clips, _WINDOW, _WINDOW, FPS, options.seed, windows, body=body, layout=layout)


def _scores(recoverer: Recoverer, samples: SynthesizedClips, camera: str) -> dict[str, float]:
    """The errors over all windows; nothing for a known way where no head tells of the ground."""
    scores = WorldScores(samples.body)
    for index in progress_bar(range(len(samples)), camera, "window"):
        batch = single_view(samples, index)
        truth = true_motion(batch, samples.body, FPS)
        if truth.frame_count < _FEWEST_FRAMES:
            continue
        found, seen_from = recovered_in_world(recoverer, batch, way_is_known=camera == _KNOWN_WAY)
        if found is None:
            break
        scores.add(found, truth)
        scores.add_up(seen_from, batch)
    return scores.result()


def recovered_in_world(
    recoverer: Recoverer, batch: Mapping[str, Tensor], way_is_known: bool = False
) -> tuple[BodyMotion | None, PinholeCamera]:
    """The first body of the only clip of a batch in world axes, and the camera, whose focal length is the true one.

    Args:
        batch: As `datasets.synthetic.clips` describes it, without padding.
        way_is_known: Whether the true way of the camera is given, up to axes, origin and scale. Then there is no body
            unless a head tells of the ground.
    """
    half = _WIDTH_PX / 2
    camera = PinholeCamera(float(batch["focal"][0]) * half, (half, half), _WIDTH_PX, _WIDTH_PX)
    seen_from = camera
    if way_is_known:
        way = torch.eye(4).repeat(batch["camera_from_world"].shape[1], 1, 1)
        way[:, :3] = batch["camera_from_world"][0]
        seen_from = replace(camera, camera_from_world=way, world="any")
    keypoints = batch["keypoints"][0]
    xy_px = (keypoints[..., :2] + 1) * half
    clip = Keypoints(xy_px, keypoints[..., 2], H36M_17, FPS, _WIDTH_PX, _WIDTH_PX)
    person = replace(recoverer, camera=seen_from)(clip)
    head = next(name for name, result in person.results.items() if isinstance(result, BodyMotion))
    motion, told = person.saved(head), any(isinstance(result, Ground) for result in person.results.values())
    assert isinstance(motion, BodyMotion)
    if told and person.camera is not None:
        return motion, person.camera
    if way_is_known:
        return None, seen_from
    level = replace(camera, camera_from_world=torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])))
    standing = in_world(motion, level)
    return put_on_floor(standing, load_body_model(motion.body_model, len(motion.betas))), level
