"""Bodies from files: the open body that comes with the package, and files of SMPL, SMPL-H and SMPL-X."""

from pathlib import Path

import numpy as np
import torch

from motionrep.body.finding import FILE_NAMES, body_folder, find_body
from motionrep.body.model import BodyModel
from motionrep.body.points import find_landmarks
from motionrep.body.smpl_files import read_smpl_fields
from motionrep.layouts import SMPL_24

_OPEN_BODY = Path(__file__).with_name("open_body.npz")
_BETAS = 10
# Shape of each field; V and F stand for any number of vertices and faces, "10+" for ten or more.
_FIELDS = {
    "v_template": ("V", 3),
    "f": ("F", 3),
    "weights": ("V", 24),
    "J_regressor": (24, "V"),
    "kintree_table": (2, 24),
    "shapedirs": ("V", 3, "10+"),
    "posedirs": ("V", 3, 207),
}
# Landmarks are stored under the names that smplx has for them.
_STORED_LANDMARKS = {
    "nose": "nose", "leye": "left_eye", "reye": "right_eye", "lear": "left_ear", "rear": "right_ear",
    "LBigToe": "left_big_toe", "RBigToe": "right_big_toe", "LSmallToe": "left_small_toe",
    "RSmallToe": "right_small_toe", "LHeel": "left_heel", "RHeel": "right_heel",
}  # fmt: skip


def load_body_model(name_or_path: str | Path) -> BodyModel:
    """A body model by name or from a file.

    "open" is the body that comes with the package: made of freely licensed MakeHuman data, with SMPL's 24 joints and
    rest pose, 6,999 vertices and no pose correctives. Its ten betas are its own: betas of SMPL mean nothing on it.

    "smpl-neutral", "smplh-male", "smplx-female", ... are files in the user's folder of bodies, under the names they are
    downloaded with (see `motionrep.body.finding`). A motion for a body by name can be used on any machine.

    A path is a file of SMPL, SMPL-H or SMPL-X as it is downloaded, .pkl or .npz; the models have to be obtained under
    their licence. Needed are `v_template`, `f`, `weights`, `J_regressor`, `kintree_table`, `shapedirs` (the first ten
    are used) and, optionally, `posedirs`. Pickles are read without chumpy and without running anything in them; the
    arrays are kept next to them as .npz (see `motionrep.body.smpl_files`). SMPL-H (52 joints) and SMPL-X (55) become
    bodies of 24 joints with flat hands and a still face. Landmark vertices are read from `vertex_id_names` and
    `vertex_id_values`, or else found on the surface (see `motionrep.body.points.find_landmarks`).

    Raises:
        FileNotFoundError: There is no such file, or none for that name.
        ValueError: The file is not one of SMPL's, or asks to import what those need not; the message says what.
    """
    if name_or_path == "open":
        path = _OPEN_BODY
    elif str(name_or_path) in FILE_NAMES:
        path = find_body(str(name_or_path))
    else:
        path = Path(name_or_path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; pass 'open' or the path of a SMPL, SMPL-H or SMPL-X file (.pkl, .npz), or a name "
            f"for the file in {body_folder()}: {', '.join(FILE_NAMES)}"
        )
    fields = _read_fields(path)
    tensors = {key: torch.from_numpy(np.ascontiguousarray(fields[key])) for key in _FIELDS if key in fields}
    landmark_ids = find_landmarks(tensors["v_template"], tensors["weights"])
    if "vertex_id_names" in fields and "vertex_id_values" in fields:
        stored = zip(fields["vertex_id_names"].tolist(), fields["vertex_id_values"].tolist(), strict=True)
        landmark_ids |= {_STORED_LANDMARKS[name]: index for name, index in stored if name in _STORED_LANDMARKS}
    return BodyModel(
        name=str(name_or_path),
        template_vertex_m=tensors["v_template"],
        faces=tensors["f"],
        skin_weights=tensors["weights"],
        joint_regressor=tensors["J_regressor"],
        shape_directions_m=tensors["shapedirs"],
        pose_directions_m=tensors.get("posedirs"),
        landmark_ids=landmark_ids,
    )


def _read_fields(path: Path) -> dict[str, np.ndarray]:
    """Checked fields of the file: float32, integers int64, ten shape directions, no `posedirs` when all are zero."""
    fields = read_smpl_fields(path)
    for key in _FIELDS:
        if key not in fields and key != "posedirs":
            raise ValueError(f"{path}: no field {key!r}, which SMPL's format has; fields read: {', '.join(fields)}")
    sizes = {"V": fields["v_template"].shape[0], "F": fields["f"].shape[0]}
    for key in fields.keys() & _FIELDS.keys():
        wanted = tuple(sizes.get(n, n) for n in _FIELDS[key])
        got = fields[key].shape
        if len(got) != len(wanted) or any(
            have < _BETAS if n == "10+" else have != n for n, have in zip(wanted, got, strict=True)
        ):
            raise ValueError(f"{path}: field {key!r} should have shape {wanted}, got {got}; is it a file of SMPL?")
        integer = key in ("f", "kintree_table")
        fields[key] = fields[key].astype(np.int64 if integer else np.float32)
    _check_indices(path, fields)
    fields["shapedirs"] = fields["shapedirs"][..., :_BETAS]
    if "posedirs" in fields and not fields["posedirs"].any():
        del fields["posedirs"]
    return fields


def _check_indices(path: Path, fields: dict[str, np.ndarray]) -> None:
    parents = tuple(fields["kintree_table"][0, 1:].tolist())
    if parents != SMPL_24.parent_indices[1:]:
        raise ValueError(
            f"{path}: field 'kintree_table' should hold SMPL's tree {SMPL_24.parent_indices[1:]}, got {parents}; "
            "bodies with other joints are not read"
        )
    lowest, highest = fields["f"].min(), fields["f"].max()
    vertex_count = fields["v_template"].shape[0]
    if lowest < 0 or highest >= vertex_count:
        raise ValueError(
            f"{path}: field 'f' should index {vertex_count} vertices from 0, got {lowest} to {highest}; "
            "is the mesh another one?"
        )
