"""Bodies from model objects of the `smplx` package, which keep no path of their file."""

import hashlib
from copy import deepcopy
from typing import Any

import numpy as np
from torch import nn

from motionrep.body.model import BodyModel
from motionrep.body.smpl_files import with_smpl_joints_first
from motionrep.body.smpl_format import body_from_fields

_BUFFERS = ("v_template", "lbs_weights", "J_regressor", "parents", "shapedirs", "posedirs", "faces_tensor")
_FAMILIES = {24: "smpl", 52: "smplh", 55: "smplx"}
# Bodies of this program by name, so that motions find them: `BodyMotion.body_model` is text.
_BODIES: dict[str, BodyModel] = {}


def body_of_smplx_object(model: nn.Module, betas: int) -> BodyModel:
    """The body of a `smplx.SMPL`, `SMPLH` or `SMPLX`; its name holds the digest of its arrays.

    Motions on it find it by this name for as long as the program runs.

    Raises:
        ValueError: Another module, or fewer betas than asked for.
    """
    buffers = dict(model.named_buffers())
    if lacking := [name for name in _BUFFERS if name not in buffers]:
        raise ValueError(
            f"{type(model).__name__}: no model of the package smplx, it lacks {', '.join(lacking)}; pass one of "
            "smplx.create, or the path of its file"
        )
    if betas > buffers["shapedirs"].shape[-1]:
        raise ValueError(
            f"{type(model).__name__}: has {buffers['shapedirs'].shape[-1]} betas, {betas} were asked for; make it with "
            f"num_betas={betas}"
        )
    arrays = {name: it.detach().cpu().numpy() for name, it in buffers.items()}
    joints = len(arrays["parents"])
    digest = hashlib.sha256()
    for name in _BUFFERS:
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    name = f"{_FAMILIES.get(joints, 'body')}-object-{digest.hexdigest()[:12]}"
    fields = with_smpl_joints_first(name, _fields(arrays, model))
    _BODIES[name] = body_from_fields(name, fields, name, betas)
    return deepcopy(_BODIES[name])


def known_object(name: str, betas: int) -> BodyModel | None:
    """The body that an object of this program gave; None for other names."""
    body = _BODIES.get(name)
    if body is not None and betas != body.beta_count:
        raise ValueError(f"body {name!r} was made with {body.beta_count} betas, got {betas}")
    return None if body is None else deepcopy(body)


def _fields(arrays: dict[str, np.ndarray], model: Any) -> dict[str, np.ndarray]:
    """SMPL's fields, as in its files, from the buffers of an object."""
    vertices, joints = arrays["lbs_weights"].shape
    parents = np.stack([arrays["parents"], np.arange(joints)])
    shapes = arrays["shapedirs"]
    if "expr_dirs" in arrays:  # as in files of version 1.1: 300 of shape, then those of expression
        filled = np.zeros((vertices, 3, 400), shapes.dtype)
        filled[..., : shapes.shape[-1]] = shapes
        filled[..., 300 : 300 + arrays["expr_dirs"].shape[-1]] = arrays["expr_dirs"]
        shapes = filled
    return {
        "v_template": arrays["v_template"],
        "f": arrays["faces_tensor"],
        "weights": arrays["lbs_weights"],
        "J_regressor": arrays["J_regressor"],
        "kintree_table": parents,
        "shapedirs": shapes,
        "posedirs": arrays["posedirs"].T.reshape(vertices, 3, -1),
    }
