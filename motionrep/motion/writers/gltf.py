"""GLB: skinned, animated bodies as binary glTF 2.0; specification: Khronos glTF 2.0.1."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.motion.writers.scene import Figure, Scene, figure_of

_COMPONENT_TYPES = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
_VERTEX_DATA, _INDICES = 34962, 34963
_JOINTS_PER_SET = 4
_SKIN_COLOR = (0.72, 0.60, 0.52, 1.0)


def write(scene: Scene, path: Path) -> None:
    write_glb([figure_of(person, scene) for person in scene.people], path, scene.progress)


def write_glb(figures: Sequence[Figure], path: Path, progress: bool = False) -> None:
    """Writes all figures into one file, with one animation that moves them together.

    Each has a mesh `person_0`, `person_1` ... and a tree of nodes with the names of its joints. Joints turn, the root
    also moves; in between keys, viewers interpolate, and before the first they show its pose. A vertex that follows
    more than four joints has the others in a second set, which viewers may leave out.
    """
    buffer = _Buffer()
    nodes: list[dict[str, Any]] = []
    meshes: list[dict[str, Any]] = []
    skins: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    roots: list[int] = []

    def animate(node: int, what: str, times: int, values: np.ndarray, kind: str) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": what}})
        samplers.append({"input": times, "output": buffer.add(values, kind), "interpolation": "LINEAR"})

    for number, figure in enumerate(figures):
        first = len(nodes) + 1  # of the joints; the mesh's node stands before them
        roots += [first - 1, first]
        nodes.append({"name": f"person_{number}", "mesh": len(meshes), "skin": len(skins)})
        for joint, name in enumerate(figure.joints):
            children = [first + child for child, parent in enumerate(figure.parents) if parent == joint]
            node = {"name": name, "translation": figure.offset[joint].tolist()}
            nodes.append(node | ({"children": children} if children else {}))
        meshes.append({"name": f"person_{number}", "primitives": [_primitive(figure, buffer)]})
        inverse_bind = np.tile(np.eye(4), (len(figure.joints), 1, 1))
        inverse_bind[:, 3, :3] = -figure.rest_joint  # transposed, since glTF stores matrices by columns
        matrices = buffer.add(inverse_bind.reshape(-1, 16), "MAT4")
        joint_nodes = list(range(first, len(nodes)))
        skins.append({"joints": joint_nodes, "skeleton": first, "inverseBindMatrices": matrices})

        seconds = figure.start_s + np.arange(len(figure.root_position)) / figure.fps
        times = buffer.add(seconds[:, None], "SCALAR", bounded=True)
        animate(first, "translation", times, figure.root_position, "VEC3")
        for joint, node in enumerate(progress_bar(joint_nodes, f"GLB, person {number}", "joint", progress)):
            animate(node, "rotation", times, _continuous_quaternions(figure.local_rotmat[:, joint]), "VEC4")

    skin = {"baseColorFactor": _SKIN_COLOR, "metallicFactor": 0.0, "roughnessFactor": 0.8}
    document = {
        "asset": {"version": "2.0", "generator": "motionrep"},
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "nodes": nodes,
        "meshes": meshes,
        "skins": skins,
        "materials": [{"name": "skin", "pbrMetallicRoughness": skin}],
        "animations": [{"name": "motion", "samplers": samplers, "channels": channels}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.bytes)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with written_beside(path) as beside, beside.open("wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(buffer.bytes)))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text)
        file.write(struct.pack("<I4s", len(buffer.bytes), b"BIN\0") + buffer.bytes)


@dataclass
class _Buffer:
    """The file's numbers, and what its JSON says about them."""

    bytes: bytearray = field(default_factory=bytearray)
    views: list[dict[str, int]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def add(self, rows: np.ndarray, kind: str, *, bounded: bool = False, target: int | None = None) -> int:
        """Index of a new accessor over rows of numbers; floats become float32."""
        rows = np.ascontiguousarray(rows, np.float32 if rows.dtype.kind == "f" else rows.dtype)
        self.views.append({"buffer": 0, "byteOffset": len(self.bytes), "byteLength": rows.nbytes})
        if target is not None:
            self.views[-1]["target"] = target
        self.bytes += rows.tobytes() + bytes(-rows.nbytes % 4)
        accessor = {"bufferView": len(self.views) - 1, "componentType": _COMPONENT_TYPES[rows.dtype.name]}
        accessor |= {"count": len(rows), "type": kind}
        if bounded:
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _primitive(figure: Figure, buffer: _Buffer) -> dict[str, Any]:
    attributes = {
        "POSITION": buffer.add(figure.rest_vertex, "VEC3", bounded=True, target=_VERTEX_DATA),
        "NORMAL": buffer.add(_normals(figure.rest_vertex, figure.faces), "VEC3", target=_VERTEX_DATA),
    }
    most_at_once = int((figure.skin_weights > 0).sum(1).max())
    sets = -(-most_at_once // _JOINTS_PER_SET)
    joints = np.argsort(-figure.skin_weights, 1, kind="stable")[:, : _JOINTS_PER_SET * sets]
    weights = np.take_along_axis(figure.skin_weights, joints, 1)
    weights = weights / weights.sum(1, keepdims=True)
    joints = np.where(weights > 0, joints, 0).astype(np.uint8)
    for number in range(sets):
        columns = slice(_JOINTS_PER_SET * number, _JOINTS_PER_SET * (number + 1))
        attributes[f"JOINTS_{number}"] = buffer.add(joints[:, columns], "VEC4", target=_VERTEX_DATA)
        attributes[f"WEIGHTS_{number}"] = buffer.add(weights[:, columns], "VEC4", target=_VERTEX_DATA)
    small = len(figure.rest_vertex) < 65535  # the largest number restarts strips, so no vertex may have it
    corners = figure.faces.reshape(-1, 1).astype(np.uint16 if small else np.uint32)
    return {"attributes": attributes, "indices": buffer.add(corners, "SCALAR", target=_INDICES), "material": 0}


def _normals(vertex: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normal of each vertex, its faces weighted by area; a vertex without faces gets one that points up."""
    a, b, c = (vertex[faces[:, corner]] for corner in range(3))
    normal = np.zeros_like(vertex)
    np.add.at(normal, faces, np.cross(b - a, c - a)[:, None])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.where(length > 0, normal / np.maximum(length, 1e-30), [0.0, 1.0, 0.0])


def _continuous_quaternions(rotmat: np.ndarray) -> np.ndarray:
    """Quaternions x y z w without changes of sign in time, so that interpolation takes the shorter way."""
    quaternion = Rotation.from_matrix(rotmat).as_quat(canonical=True)
    turned_over = (quaternion[1:] * quaternion[:-1]).sum(1) < 0
    sign = np.cumprod(np.concatenate([[1.0], np.where(turned_over, -1.0, 1.0)]))
    return quaternion * sign[:, None]
