"""Writes keypoints as .npz or as JSON in AlphaPose's format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.files.writing import write_json, written_beside
from motionrep.keypoints.formats.alphapose import box_round
from motionrep.keypoints.formats.own import FORMAT, NEWEST
from motionrep.layouts import COCO_17, HALPE_26
from motionrep.types import Keypoints


def save_keypoints(clips: Sequence[Keypoints], path: Path | str, origin: Mapping[str, Any] | None = None) -> None:
    """Writes clips as .npz, which `load_keypoints` gives back exactly, or as .json in AlphaPose's format.

    AlphaPose's format is for other tools. It has no frame rate, no image size and only the layouts coco_17 and
    halpe_26. Unseen frames are left out, except for the first and the last. Persons are named by their place in
    `clips`, unless all names are different integers.

    Args:
        origin: What they were found in, as JSON can hold it; a note in an .npz, which does not change the clips.

    Raises:
        ValueError: No clips, another suffix, or a layout that AlphaPose's format does not have.
        OSError: The file cannot be written.
    """
    path = Path(path)
    if not clips:
        raise ValueError(f"{path}: no clips to save")
    if path.suffix == ".npz":
        arrays = {f"{i}.{name}": value for i, clip in enumerate(clips) for name, value in _npz_fields(clip).items()}
        arrays["format"] = f"{FORMAT} {NEWEST}"
        if origin is not None:
            arrays["origin"] = json.dumps(dict(origin))
        with written_beside(path, told=origin is None) as beside:  # the other files tell by themselves
            np.savez(beside, **arrays)
    elif path.suffix == ".json":
        write_json(_alphapose_entries(clips, path), path, indent=None)
    else:
        raise ValueError(f"{path}: keypoints are saved as .npz or .json, got {path.suffix or 'no suffix'!r}")


def as_coco_17(clip: Keypoints) -> Keypoints:
    """A clip with COCO's 17 joints, which AlphaPose's format has, out of a layout that has them all.

    Raises:
        ValueError: The layout lacks one of them.
    """
    joints = [clip.layout.index(joint) for joint in COCO_17.joints]
    return replace(clip, xy_px=clip.xy_px[:, joints], confidence=clip.confidence[:, joints], layout=COCO_17)


def _npz_fields(clip: Keypoints) -> dict[str, Any]:
    return {
        "xy_px": clip.xy_px.cpu().numpy(),
        "confidence": clip.confidence.cpu().numpy(),
        "layout": clip.layout.name,
        "joints": np.array(clip.layout.joints),
        "parents": np.array(clip.layout.parents),
        "recipe": json.dumps(clip.layout.recipe),
        "fps": clip.fps,
        "size_px": (clip.width_px, clip.height_px),
        "person": clip.person,
        "first_frame": clip.first_frame,
    }


def _alphapose_entries(clips: Sequence[Keypoints], path: Path) -> list[dict[str, Any]]:
    numbered = all(clip.person.isdecimal() for clip in clips) and len({int(c.person) for c in clips}) == len(clips)
    entries = []
    for i, clip in enumerate(clips):
        if clip.layout not in (COCO_17, HALPE_26):
            raise ValueError(f"{path}: AlphaPose's format has no layout {clip.layout.name!r}; save as .npz")
        xyc = torch.cat([clip.xy_px, clip.confidence.unsqueeze(-1)], dim=-1).double().cpu().numpy()
        # An entry without confidence for the first and the last frame keeps the clip as long as it is.
        written = {0, len(xyc) - 1, *np.flatnonzero((xyc[..., 2] > 0).any(1)).tolist()}
        for frame in sorted(written):
            confidence = xyc[frame, xyc[frame, :, 2] > 0, 2]
            entries.append(
                {
                    "image_id": f"{clip.first_frame + frame:06d}.jpg",
                    "category_id": 1,
                    "keypoints": xyc[frame].ravel().tolist(),
                    "score": float(confidence.mean()) if len(confidence) else 0.0,
                    "box": box_round(xyc[frame]),
                    "idx": int(clip.person) if numbered else i,
                }
            )
    return sorted(entries, key=lambda entry: entry["image_id"])
