"""Files in SMPL's official containers, made of the open body's mesh: another mean, betas, and pose correctives."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from paths import OPEN_BODY

from motionrep.layouts import SMPL_24

FACE_JOINTS = {"smpl": 0, "smplh": 0, "smplx": 3}
SHAPES = {"smpl": (10, 0), "smplh": (16, 0), "smplx": (300, 100)}
PELVIS_M = {"smpl": (-0.002, -0.223, 0.028), "smplh": (-0.002, -0.223, 0.028), "smplx": (0.003, -0.351, 0.012)}


def write_smpl(path: Path, kind: str, seed: int = 0, loose_vertices: int | None = None) -> Path:
    """A body of kind smpl, smplh or smplx, whose fields are spelled as in the files that users download.

    Args:
        path: A .npz, or a .pkl (SMPL's own, with a sparse regressor).
        loose_vertices: Keeps only so many vertices and random faces, for tests that compare positions.
    """
    fields = smpl_fields(kind, seed)
    if loose_vertices is not None:
        fields = _thinned(fields, loose_vertices, seed)
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(fields | {"J_regressor": scipy.sparse.csc_matrix(fields["J_regressor"])}))
    else:
        np.savez(path, **fields)
    return path


def smpl_fields(kind: str, seed: int) -> dict[str, Any]:
    """The arrays of such a file."""
    rng = np.random.default_rng(seed)
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        body = {name: file[name] for name in ("v_template", "f", "weights", "J_regressor", "shapedirs")}
    betas, expressions = SHAPES[kind]
    own = body["shapedirs"].astype(np.float64)
    mixing = np.linalg.qr(rng.normal(size=(10, 10)))[0] * np.linspace(1.1, 0.7, 10)  # the same people, other betas
    shape_m = np.zeros((len(own), 3, betas + expressions))
    shape_m[..., :10] = own @ mixing
    shape_m[..., betas:] = 0.002 * rng.normal(size=expressions) * (body["weights"][:, 15, None, None] > 0.9)
    template_m = body["v_template"] + own @ (0.3 * rng.normal(size=10))
    share, parents = _shares(kind, rng)
    weights = body["weights"] @ share
    owners = share.argmax(0)
    regressor = body["J_regressor"][owners].astype(np.float64)
    regressor[1:] *= rng.uniform(0.9, 1.1, regressor[1:].shape)
    regressor /= regressor.sum(1, keepdims=True)
    template_m = template_m - regressor[0] @ template_m + np.array(PELVIS_M[kind])
    return {
        "v_template": template_m,
        "f": body["f"].astype(np.uint32),
        "weights": weights,
        "J_regressor": regressor,
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(len(parents))]),
        "shapedirs": shape_m,
        "posedirs": _correctives(weights, rng),
        "hands_meanl": np.full(45, 0.3), "hands_meanr": np.full(45, 0.3),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45),
        "lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.zeros((51, 3)),
    }  # fmt: skip


def _shares(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """What each of the file's joints takes of the weights of SMPL's 24, and the file's tree."""
    if kind == "smpl":
        return np.eye(24), [-1, *SMPL_24.parent_indices[1:]]
    face = FACE_JOINTS[kind]
    share = np.zeros((24, 52 + face))
    share[:22, :22] = np.eye(22)
    share[15, 22 : 22 + face] = 0.1
    share[15, 15] -= 0.1 * face
    parents = [-1, *SMPL_24.parent_indices[1:22], *[15] * face]
    for side in (0, 1):
        first = len(parents)
        parents += [20 + side if joint % 3 == 0 else first + joint - 1 for joint in range(15)]
        share[22 + side, first : first + 15] = rng.dirichlet(np.ones(15))
    return share, parents


def _correctives(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to some millimetres, near the joints that bend."""
    vertices, joints = weights.shape
    directions = 0.006 * rng.normal(size=(joints - 1, 3, 9))
    return np.einsum("vj,jxp->vxjp", weights[:, 1:], directions).reshape(vertices, 3, -1)


def _thinned(fields: dict[str, Any], count: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    part = fields["weights"].argmax(1)
    kept = np.sort(np.concatenate([rng.permutation(np.flatnonzero(part == j))[:count] for j in np.unique(part)]))
    owners = fields["J_regressor"] @ fields["weights"]
    regressor = rng.random((len(owners), len(kept))) * (part[kept] == owners.argmax(1)[:, None])
    regressor[~regressor.any(1)] = 1.0
    return fields | {
        "v_template": fields["v_template"][kept],
        "weights": fields["weights"][kept],
        "shapedirs": fields["shapedirs"][kept],
        "posedirs": fields["posedirs"][kept],
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "f": rng.integers(0, len(kept), (50, 3), dtype=np.uint32),
    }
