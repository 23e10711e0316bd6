"""A body model from a file in the format of SMPL, SMPL-H or SMPL-X."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.points import find_landmarks
from motionrep.body.skeletons import BODY_SKELETONS, SMPLX_57, on_smpl_24
from motionrep.body.smpl_files import read_smpl_fields
from motionrep.files.reading import reading

# Shape of each field: V vertices, F faces, J joints, P numbers of a pose; "10+" is ten or more.
_FIELDS = {
    "v_template": ("V", 3),
    "f": ("F", 3),
    "weights": ("V", "J"),
    "J_regressor": ("J", "V"),
    "kintree_table": (2, "J"),
    "shapedirs": ("V", 3, "10+"),
    "posedirs": ("V", 3, "P"),
}
_LEAST_BETAS = 10
# SMPL-X has expression directions behind those of shape: 100 behind 300 since version 1.1, 10 behind 10 before.
_SHAPES_BEFORE_EXPRESSION = {400: 300, 20: 10}
_EXPRESSIONS = 10
# Landmarks are stored under the names that smplx has for them.
_STORED_LANDMARKS = {
    "nose": "nose", "leye": "left_eye", "reye": "right_eye", "lear": "left_ear", "rear": "right_ear",
    "LBigToe": "left_big_toe", "RBigToe": "right_big_toe", "LSmallToe": "left_small_toe",
    "RSmallToe": "right_small_toe", "LHeel": "left_heel", "RHeel": "right_heel",
}  # fmt: skip


def read_smpl_body(path: Path, name: str, betas: int) -> BodyModel:
    """The body in a file, .pkl or .npz, of SMPL's 24 joints, SMPL-H's 52 or SMPL-X's 55.

    Needed are `v_template`, `f`, `weights`, `J_regressor`, `kintree_table` and `shapedirs`; `posedirs` is optional.
    SMPL-X gives the first ten of its expression directions. Landmark vertices are read from `vertex_id_names` and
    `vertex_id_values`, or else found on the surface (`motionrep.body.points.find_landmarks`).

    Args:
        name: What `load_body_model` takes to load this body.
        betas: How many of the file's shape directions are used, at most 300.

    Raises:
        ValueError: The file is not one of SMPL's, asks to import what those need not, or has fewer shape directions.
    """
    with reading(path, "SMPL"):
        return body_from_fields(path, read_smpl_fields(path), name, betas)


def body_from_fields(path: Path | str, fields: dict[str, np.ndarray], name: str, betas: int) -> BodyModel:
    """The body of SMPL's fields; `path` is what errors call them. Raises ValueError as `read_smpl_body`."""
    fields = _checked(path, fields)
    shape_m, expression_m = _shape_and_expression(path, fields, betas)
    tensors = {key: torch.from_numpy(np.ascontiguousarray(fields[key])) for key in _FIELDS if key in fields}
    layout = BODY_SKELETONS[fields["weights"].shape[1]]
    landmark_ids = find_landmarks(tensors["v_template"], tensors["weights"] @ on_smpl_24(layout))
    if "vertex_id_names" in fields and "vertex_id_values" in fields:
        stored = zip(fields["vertex_id_names"].tolist(), fields["vertex_id_values"].tolist(), strict=True)
        landmark_ids |= {
            _STORED_LANDMARKS[landmark]: index for landmark, index in stored if landmark in _STORED_LANDMARKS
        }
    return BodyModel(
        name=name,
        template_vertex_m=tensors["v_template"],
        faces=tensors["f"],
        skin_weights=tensors["weights"],
        joint_regressor=tensors["J_regressor"],
        shape_directions_m=shape_m,
        pose_directions_m=tensors.get("posedirs"),
        landmark_ids=landmark_ids,
        expression_directions_m=expression_m,
    )


def _checked(path: Path | str, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Checked fields: float32, integers int64, no `posedirs` when all are zero."""
    fields = dict(fields)
    for key in _FIELDS:
        if key not in fields and key != "posedirs":
            raise ValueError(f"{path}: no field {key!r}, which SMPL's format has; fields read: {', '.join(fields)}")
    joints = fields["kintree_table"].shape[-1] if fields["kintree_table"].shape[-1] in BODY_SKELETONS else 24
    sizes = {"V": fields["v_template"].shape[0], "F": fields["f"].shape[0], "J": joints, "P": 9 * (joints - 1)}
    for key in fields.keys() & _FIELDS.keys():
        wanted = tuple(sizes.get(n, n) for n in _FIELDS[key])
        got = fields[key].shape
        if len(got) != len(wanted) or any(
            have < _LEAST_BETAS if n == "10+" else have != n for n, have in zip(wanted, got, strict=True)
        ):
            raise ValueError(f"{path}: field {key!r} should have shape {wanted}, got {got}; is it a file of SMPL?")
        integer = key in ("f", "kintree_table")
        if fields[key].dtype.kind == "f" and not np.isfinite(fields[key]).all():
            raise ValueError(f"{path}: field {key!r} holds NaN or infinite values; the file is damaged, get it again")
        fields[key] = fields[key].astype(np.int64 if integer else np.float32)
    _check_indices(path, fields)
    if "posedirs" in fields and not fields["posedirs"].any():
        del fields["posedirs"]
    return fields


def _shape_and_expression(
    path: Path | str, fields: dict[str, np.ndarray], betas: int
) -> tuple[Float[Tensor, "vertices 3 betas"], Float[Tensor, "vertices 3 expressions"] | None]:
    directions = torch.from_numpy(fields["shapedirs"])
    shapes = count = directions.shape[-1]
    if fields["weights"].shape[1] == SMPLX_57.joint_count:
        shapes = _SHAPES_BEFORE_EXPRESSION.get(count, count)
    if not 1 <= betas <= shapes:
        raise ValueError(f"{path}: betas must be 1 to {shapes}, the shape directions in the file, got {betas}")
    expression = None if shapes == count else directions[..., shapes : shapes + _EXPRESSIONS]
    return directions[..., :betas], expression


def _check_indices(path: Path | str, fields: dict[str, np.ndarray]) -> None:
    parents = tuple(fields["kintree_table"][0, 1:].tolist())
    expected = BODY_SKELETONS[len(parents) + 1].parent_indices[1:]
    if parents != expected:
        raise ValueError(
            f"{path}: field 'kintree_table' should hold SMPL's tree {expected}, got {parents}; "
            "bodies with other joints are not read"
        )
    lowest, highest = fields["f"].min(), fields["f"].max()
    vertex_count = fields["v_template"].shape[0]
    if lowest < 0 or highest >= vertex_count:
        raise ValueError(
            f"{path}: field 'f' should index {vertex_count} vertices from 0, got {lowest} to {highest}; "
            "is the mesh another one?"
        )
