"""Closes holes of a mirror-symmetric mesh, simplifies it, and mirrors it, working on one half.

The mesh is symmetric in the plane x = 0. Working on one half keeps the result exactly symmetric. Faces are
counter-clockwise seen from outside.
"""

import heapq

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

_WEIGHT_COST = 2e-4  # of merging vertices with different skin weights, relative to the squared distance from planes
_LENGTH_COST = 1e-3  # prevents needles in flat regions, where every plane fits
_MIN_NORMAL_COSINE = 0.3
_MIN_SHAPE = 0.08  # twice a face's area over its longest squared edge; 0.87 when equilateral


def mirror_map(vertex_m: Float[np.ndarray, "vertices 3"]) -> Int[np.ndarray, " vertices"]:
    """Index of each vertex's mirror image in the plane x = 0; its own index for a vertex in that plane.

    Raises:
        ValueError: A vertex has no mirror image within 1e-9 m.
    """
    distance_m, mirror = KDTree(vertex_m).query(vertex_m * [-1, 1, 1])
    if distance_m.max() > 1e-9:
        raise ValueError(f"vertex {distance_m.argmax()} is {distance_m.max():g} m from the mirror image of any other")
    return np.asarray(mirror)


def close_holes(
    left_faces: Int[np.ndarray, "faces 3"],
    vertex_m: Float[np.ndarray, "vertices 3"],
    on_midline: Bool[np.ndarray, " vertices"],
) -> Int[np.ndarray, "closed_faces 3"]:
    """The half mesh with a strip of faces over each hole; edges along the midline stay open."""
    caps = [face for rim in _rims(left_faces, on_midline) for face in _zip_rim(rim, vertex_m)]
    return np.concatenate([left_faces, np.array(caps, dtype=left_faces.dtype).reshape(-1, 3)])


def mirror_faces(
    left_faces: Int[np.ndarray, "half_faces 3"], mirror: Int[np.ndarray, " vertices"]
) -> tuple[Int[np.ndarray, "faces 3"], Int[np.ndarray, " kept"], Int[np.ndarray, " kept"]]:
    """Faces of the whole mesh, the old indices of the vertices that they use, and the mirror map of these.

    The faces hold indices among the kept vertices.
    """
    faces = np.concatenate([left_faces, mirror[left_faces][:, ::-1]])
    kept = np.unique(faces)
    return np.searchsorted(kept, faces), kept, np.searchsorted(kept, mirror[kept])


def decimate_half(
    left_faces: Int[np.ndarray, "faces 3"],
    pose_vertex_m: Float[np.ndarray, "poses vertices 3"],
    on_midline: Bool[np.ndarray, " vertices"],
    weights: Float[np.ndarray, "vertices joints"],
    vertex_count: int,
) -> Int[np.ndarray, "fewer_faces 3"]:
    """Fewer faces over a subset of the vertices, chosen so that the surface keeps its form in every pose.

    Edges are collapsed onto one of their ends, the smallest quadric error first (Garland and Heckbert 1997, summed over
    the poses). Skin weights and shapes of the kept vertices therefore stay as they are. Midline vertices move only
    along the midline. Edges whose collapse would fold the surface, change its topology or make a sliver are kept.

    Args:
        pose_vertex_m: The mesh in several poses or shapes; edge lengths and areas are those of the first.
        vertex_count: Wanted number for the mirrored whole. The result has at most one more, unless no edge can be
            collapsed any more.
    """
    half = _Decimation(left_faces, pose_vertex_m, on_midline, weights)
    half.collapse_until(vertex_count)
    return np.array(list(half.faces.values()))


def _rims(faces: np.ndarray, on_midline: np.ndarray) -> list[list[int]]:
    """Vertices along each open boundary, in the direction of its faces: a loop, or a path between midline vertices."""
    edges = [edge for face in faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)]
    directed = set(edges)
    open_edges = [(a, b) for a, b in edges if (b, a) not in directed]
    following = {a: b for a, b in open_edges if not (on_midline[a] and on_midline[b])}
    ends = set(following.values())
    rims, seen = [], set()
    for start in [vertex for vertex in following if vertex not in ends] + list(following):
        if start in seen:
            continue
        rim = [start]
        while rim[-1] in following and following[rim[-1]] not in {*seen, *rim}:
            rim.append(following[rim[-1]])
        seen.update(rim)
        rims.append(rim)
    return [rim for rim in rims if len(rim) > 2]


def _zip_rim(rim: list[int], vertex_m: np.ndarray) -> list[tuple[int, int, int]]:
    """Faces between the two arcs of a rim from its vertex of smallest x to that of largest x, like a zip."""
    x_m = vertex_m[rim, 0]
    low, high, count = int(x_m.argmin()), int(x_m.argmax()), len(rim)
    forth = [rim[(low + k) % count] for k in range((high - low) % count + 1)]
    back = [rim[(low - k) % count] for k in range((low - high) % count + 1)]
    faces, i, j = [], 0, 0
    while i < len(forth) - 1 or j < len(back) - 1:
        step_forth = np.linalg.norm(vertex_m[forth[i + 1]] - vertex_m[back[j]]) if i < len(forth) - 1 else np.inf
        step_back = np.linalg.norm(vertex_m[forth[i]] - vertex_m[back[j + 1]]) if j < len(back) - 1 else np.inf
        if step_forth <= step_back:
            faces.append((forth[i + 1], forth[i], back[j]))
            i += 1
        else:
            faces.append((back[j], back[j + 1], forth[i]))
            j += 1
    return [face for face in faces if len(set(face)) == 3]


class _Decimation:
    """The state of a decimation: faces, faces of each vertex, quadrics, and a queue of collapses."""

    def __init__(self, faces: np.ndarray, pose_vertex_m: np.ndarray, on_midline: np.ndarray, weights: np.ndarray):
        self.faces = {i: tuple(face) for i, face in enumerate(faces.tolist())}
        self.faces_of: dict[int, set[int]] = {}
        for i, face in self.faces.items():
            for vertex in face:
                self.faces_of.setdefault(vertex, set()).add(i)
        self.pose_vertex_m = pose_vertex_m
        self.homogeneous = np.concatenate([pose_vertex_m, np.ones((*pose_vertex_m.shape[:2], 1))], 2)
        self.on_midline = on_midline
        self.weights = weights
        self.quadric, self.area = _quadrics(faces, pose_vertex_m)
        self.version = dict.fromkeys(self.faces_of, 0)
        self.queue: list[tuple[float, int, int, int, int]] = []

    def collapse_until(self, vertex_count: int) -> None:
        """Collapses the cheapest edge again and again until the mirrored whole has that many vertices."""
        for vertex in self.faces_of:
            self._enqueue(vertex)
        count = sum(1 if self.on_midline[vertex] else 2 for vertex in self.faces_of)
        while count > vertex_count and self.queue:
            _, gone, kept, version_gone, version_kept = heapq.heappop(self.queue)
            fresh = self.version.get(gone) == version_gone and self.version.get(kept) == version_kept
            if fresh and kept in self._neighbours(gone) and self._is_safe(gone, kept):
                self._collapse(gone, kept)
                count -= 1 if self.on_midline[gone] else 2

    def _neighbours(self, vertex: int) -> set[int]:
        return {other for i in self.faces_of[vertex] for other in self.faces[i]} - {vertex}

    def _may_collapse(self, gone: int, kept: int) -> bool:
        """Whether the midline allows it: its vertices move only along its edges, which have one face in a half mesh."""
        if not self.on_midline[gone]:
            return True
        return bool(self.on_midline[kept]) and len(self.faces_of[gone] & self.faces_of[kept]) == 1

    def _cost(self, gone: int, kept: int) -> float:
        point = self.homogeneous[:, kept]
        planes = np.einsum("pi,pij,pj->", point, self.quadric[gone] + self.quadric[kept], point)
        length = ((self.pose_vertex_m[0, gone] - self.pose_vertex_m[0, kept]) ** 2).sum()
        skin = ((self.weights[gone] - self.weights[kept]) ** 2).sum()
        return planes + _WEIGHT_COST * self.area[gone] * skin + _LENGTH_COST * self.area[gone] * length

    def _enqueue(self, gone: int) -> None:
        """Queues the three cheapest collapses of a vertex."""
        others = [kept for kept in self._neighbours(gone) if self._may_collapse(gone, kept)]
        for cost, kept in sorted((self._cost(gone, kept), kept) for kept in others)[:3]:
            heapq.heappush(self.queue, (cost, gone, kept, self.version[gone], self.version[kept]))

    def _is_safe(self, gone: int, kept: int) -> bool:
        """Whether the surface keeps its topology, folds in no pose, and gets no sliver in the first."""
        shared = self.faces_of[gone] & self.faces_of[kept]
        if len(self._neighbours(gone) & self._neighbours(kept)) != len(shared):
            return False
        for i in self.faces_of[gone] - shared:
            before = self.pose_vertex_m[:, list(self.faces[i])]
            after = self.pose_vertex_m[:, [kept if vertex == gone else vertex for vertex in self.faces[i]]]
            old, new = _normals(before), _normals(after)
            old_length, new_length = np.linalg.norm(old, axis=1), np.linalg.norm(new, axis=1)
            if ((old * new).sum(1) < _MIN_NORMAL_COSINE * old_length * new_length).any():
                return False
            if new_length[0] < _MIN_SHAPE * ((after[0] - np.roll(after[0], 1, 0)) ** 2).sum(1).max():
                return False
        return True

    def _collapse(self, gone: int, kept: int) -> None:
        for i in self.faces_of[gone] & self.faces_of[kept]:
            for vertex in self.faces.pop(i):
                self.faces_of[vertex].discard(i)
        for i in self.faces_of.pop(gone):
            self.faces[i] = tuple(kept if vertex == gone else vertex for vertex in self.faces[i])
            self.faces_of[kept].add(i)
        del self.version[gone]
        self.version[kept] += 1
        self.quadric[kept] += self.quadric[gone]
        self.area[kept] += self.area[gone]
        for vertex in {kept, *self._neighbours(kept)}:
            self._enqueue(vertex)


def _quadrics(faces: np.ndarray, pose_vertex_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared-distance matrix of each vertex's planes in each pose, weighted by area, and its area in the first."""
    a, b, c = (pose_vertex_m[:, faces[:, k]] for k in range(3))
    normal = _normals(np.stack([a, b, c], 2).reshape(-1, 3, 3)).reshape(a.shape)
    area = np.linalg.norm(normal, axis=-1) / 2 + 1e-15
    normal = normal / (2 * area[..., None])
    plane = np.concatenate([normal, -(normal * a).sum(-1, keepdims=True)], -1)  # poses faces 4
    squared = np.einsum("pfi,pfj->fpij", plane, plane) * area.T[:, :, None, None]
    quadric = np.zeros((pose_vertex_m.shape[1], len(pose_vertex_m), 4, 4))
    vertex_area = np.zeros(pose_vertex_m.shape[1])
    for k in range(3):
        np.add.at(quadric, faces[:, k], squared)
        np.add.at(vertex_area, faces[:, k], area[0] / 3)
    return quadric, vertex_area


def _normals(triangle_m: np.ndarray) -> np.ndarray:
    """Normals of triangles, of twice their area as length: (triangles, 3 corners, 3) -> (triangles, 3)."""
    u, v = triangle_m[:, 1] - triangle_m[:, 0], triangle_m[:, 2] - triangle_m[:, 0]
    return np.stack(
        [
            u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1],
            u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2],
            u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0],
        ],
        1,
    )
