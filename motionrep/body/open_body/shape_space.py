"""Linear models fitted to sampled bodies: a joint regressor, and the principal directions of the surface."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

from motionrep.layouts import SMPL_24

_FITTED_BODIES = 160
_DIRECTIONS = 96
_CONE_DEG = 20.0
_RIDGE = 2e-4
_SUM_WEIGHT = 100.0
_MIN_WEIGHT = 1e-3
# Further joints whose skin surrounds a joint, besides its parent and children.
_ALSO_AROUND = {
    "spine1": ("left_hip", "right_hip"),
    "neck": ("left_collar", "right_collar"),
    "left_collar": ("neck",),
}


def fit_joint_regressor(
    vertex_m: Float[np.ndarray, "bodies vertices 3"],
    joint_m: Float[np.ndarray, "bodies 24 3"],
    weights: Float[np.ndarray, "vertices 24"],
    mirror: Int[np.ndarray, " vertices"],
) -> Float[np.ndarray, "24 vertices"]:
    """Sparse regressor from vertices to joints: not negative, rows sum to 1, mirror symmetric.

    Each joint is fitted by non-negative least squares to vertices that surround it. Not to the nearest: those of a
    spine joint all lie on one side of it, which would put it outside bodies of other shapes.
    """
    regressor = np.zeros((SMPL_24.joint_count, vertex_m.shape[1]))
    bodies = np.linspace(0, len(vertex_m) - 1, min(len(vertex_m), _FITTED_BODIES)).astype(int)
    mean_vertex_m, mean_joint_m = vertex_m.mean(0), joint_m.mean(0)
    for joint, name in enumerate(SMPL_24.joints):
        if name.startswith("right_"):
            continue
        relevant = np.flatnonzero(weights[:, _joints_around(joint)].sum(1) > 0.5)
        around = relevant[_surrounding(mean_vertex_m[relevant] - mean_joint_m[joint])]
        if not name.startswith("left_"):
            around = np.unique(np.concatenate([around, mirror[around]]))
        offset_m = vertex_m[bodies][:, around] - joint_m[bodies, joint][:, None]
        row = np.zeros(vertex_m.shape[1])
        row[around] = _convex_weights(offset_m)
        if name.startswith("left_"):
            regressor[joint] = row
            regressor[SMPL_24.flip_indices[joint], mirror] = row
        else:
            regressor[joint] = 0.5 * (row + row[mirror])
    return regressor


def shape_space(
    vertex_m: Float[np.ndarray, "bodies vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    mirror: Int[np.ndarray, " vertices"],
    count: int,
) -> tuple[Float[np.ndarray, "vertices 3"], Float[np.ndarray, "vertices 3 directions"]]:
    """Mean body and the principal directions of its variation, each one standard deviation long.

    Bodies are made symmetric first. Vertices are weighted by area, so that the dense hands and face do not dominate. A
    direction points to taller bodies or, if it has little to do with stature, to wider ones.
    """
    vertex_m = 0.5 * (vertex_m + vertex_m[:, mirror] * [-1, 1, 1])
    mean_m = vertex_m.mean(0)
    deviation_m = (vertex_m - mean_m).reshape(len(vertex_m), -1)
    area = np.repeat(_vertex_areas(mean_m, faces), 3)
    # The Gram matrix of the bodies is far smaller than the covariance of the coordinates.
    _, vectors = np.linalg.eigh((deviation_m * (area / area.mean())) @ deviation_m.T)
    vectors = vectors[:, : -count - 1 : -1]
    directions_m = (vectors.T @ deviation_m) / np.sqrt(len(vertex_m) - 1)

    stature_m = np.ptp(vertex_m[..., 1], axis=1)
    width_m = np.abs(vertex_m[..., 0]).mean(1) + np.abs(vertex_m[..., 2]).mean(1)
    for direction_m, beta in zip(directions_m, vectors.T, strict=True):
        taller = np.corrcoef(beta, stature_m)[0, 1]
        if (taller if abs(taller) > 0.2 else np.corrcoef(beta, width_m)[0, 1]) < 0:
            direction_m *= -1
    return mean_m, directions_m.reshape(count, -1, 3).transpose(1, 2, 0)


def _joints_around(joint: int) -> list[int]:
    """The joint itself, its parent, its children, and further ones whose skin lies around it."""
    relatives = {end for bone in SMPL_24.bones if joint in bone for end in bone} | {joint}
    return sorted(relatives | {SMPL_24.index(name) for name in _ALSO_AROUND.get(SMPL_24.joints[joint], ())})


def _surrounding(offset_m: np.ndarray) -> np.ndarray:
    """Indices of the shortest offset within a cone around each of many directions."""
    distance_m = np.linalg.norm(offset_m, axis=1)
    unit = offset_m / distance_m[:, None]
    nearest = []
    for direction in _sphere(_DIRECTIONS):
        in_cone = np.flatnonzero(unit @ direction > np.cos(np.radians(_CONE_DEG)))
        if len(in_cone):
            nearest.append(in_cone[distance_m[in_cone].argmin()])
    return np.unique(nearest)


def _sphere(count: int) -> np.ndarray:
    """Directions spread evenly over the sphere: a golden spiral."""
    step = np.arange(count) + 0.5
    z = 1 - 2 * step / count
    radius, angle = np.sqrt(1 - z * z), np.pi * (1 + 5**0.5) * step
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1)


def _convex_weights(offset_m: np.ndarray) -> np.ndarray:
    """Sparse weights, not negative and of sum 1, with which the offsets (bodies, points, 3) average nearest to zero."""
    bodies, points, _ = offset_m.shape
    equations = np.concatenate(
        [
            offset_m.transpose(0, 2, 1).reshape(-1, points),
            np.full((1, points), _SUM_WEIGHT),
            _RIDGE * bodies**0.5 * np.eye(points),
        ]
    )
    target = np.zeros(len(equations))
    target[3 * bodies] = _SUM_WEIGHT
    weight, _ = nnls(equations, target)
    weight[weight < _MIN_WEIGHT] = 0
    return weight / weight.sum()


def _vertex_areas(vertex_m: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area of the faces around each vertex, up to a common factor."""
    a, b, c = (vertex_m[faces[:, k]] for k in range(3))
    face_area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.bincount(faces.ravel(), np.repeat(face_area, 3), len(vertex_m))
