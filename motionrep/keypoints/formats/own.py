"""The .npz of `save_keypoints`, which says everything itself."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.files.arrays import open_npz
from motionrep.files.contents import Contents
from motionrep.files.texts import parsed_json
from motionrep.files.versions import require_readable
from motionrep.keypoints.records import KeypointOptions
from motionrep.layouts import JointLayout
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

FORMAT, NEWEST = "motionrep keypoints", 1
_FIELDS = ("xy_px", "confidence", "layout", "joints", "parents", "fps", "size_px", "person", "first_frame")


def read(contents: Contents, options: KeypointOptions) -> list[Keypoints]:
    """The clips as they were saved; layout, frame rate and size are those of the options where these give one.

    Raises:
        ValueError: A newer format, a missing field, or values that are no keypoints.
    """
    path = contents.path
    require_readable(path, contents.declared, FORMAT, NEWEST)
    clips = []
    with open_npz(path) as arrays:
        for i in range(sum(name.endswith(".xy_px") for name in arrays.names)):
            fields = {name: arrays[f"{i}.{name}"] for name in _FIELDS}
            if f"{i}.recipe" in arrays.names:
                fields["recipe"] = arrays[f"{i}.recipe"]
            try:
                clips.append(_clip(fields, options, path if i == 0 else None))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}: not as save_keypoints writes it: {error}") from error
    if not clips:
        raise ValueError(f"{path}: not as save_keypoints writes it: no clips in it")
    return clips


def _clip(fields: dict[str, np.ndarray], options: KeypointOptions, warn_of: Path | None) -> Keypoints:
    joints, parents = (tuple(map(str, fields[name])) for name in ("joints", "parents"))
    recipe = parsed_json(str(fields["recipe"]), "recipe") if "recipe" in fields else {}
    layout = JointLayout(str(fields["layout"]), joints, parents, recipe)
    width_px, height_px = map(int, fields["size_px"])
    fps, size_px = float(fields["fps"]), (width_px, height_px)
    if warn_of is not None:
        _warn(warn_of, ((options.layout, layout), (options.fps, fps), (options.size_px, size_px)))
    return Keypoints(
        torch.from_numpy(fields["xy_px"].astype(np.float32)),
        torch.from_numpy(fields["confidence"].astype(np.float32)),
        options.layout or layout,
        options.fps or fps,
        *(options.size_px or size_px),
        str(fields["person"]),
        int(fields["first_frame"]),
    )


def _warn(path: Path, pairs: tuple[tuple[Any, Any], ...]) -> None:
    for given, said in pairs:
        if given is not None and given != said:
            names = (value.name if isinstance(value, JointLayout) else value for value in (said, given))
            logger.warning("%s says %s, but %s was given and is used", path, *names)
