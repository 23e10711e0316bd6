"""What a viewer shows of a .glb file, for the tests of export."""

import json
import struct
from pathlib import Path

import numpy as np

NUMPY_TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}

COLUMNS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A .glb file, and what a viewer shows of it."""

    def __init__(self, path: Path):
        raw = path.read_bytes()
        magic, version, length, json_length, json_kind = struct.unpack_from("<4sII I4s", raw)
        assert (magic, version, length, json_kind) == (b"glTF", 2, len(raw), b"JSON")
        self.json = json.loads(raw[20 : 20 + json_length])
        size, kind = struct.unpack_from("<I4s", raw, 20 + json_length)
        assert kind == b"BIN\0"
        self.numbers = raw[28 + json_length : 28 + json_length + size]

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        columns = COLUMNS[accessor["type"]]
        dtype = NUMPY_TYPES[accessor["componentType"]]
        flat = np.frombuffer(self.numbers, dtype, accessor["count"] * columns, view["byteOffset"])
        return flat.reshape(-1, columns)

    def node_matrices(self, frame: int) -> dict[int, np.ndarray]:
        """World matrix of every node at a key frame."""
        local = {}
        animation = self.json["animations"][0]
        moved: dict[tuple[int, str], np.ndarray] = {}
        for channel in animation["channels"]:
            output = self.array(animation["samplers"][channel["sampler"]]["output"])
            moved[channel["target"]["node"], channel["target"]["path"]] = output[frame].astype(np.float64)
        for number, node in enumerate(self.json["nodes"]):
            local[number] = np.eye(4)
            x, y, z, w = moved.get((number, "rotation"), np.array([0, 0, 0, 1.0]))
            local[number][:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
            local[number][:3, 3] = moved.get((number, "translation"), node.get("translation", [0, 0, 0]))
        world: dict[int, np.ndarray] = {}

        def place(number: int, parent: np.ndarray) -> None:
            world[number] = parent @ local[number]
            for child in self.json["nodes"][number].get("children", []):
                place(child, world[number])

        for root in self.json["scenes"][0]["nodes"]:
            place(root, np.eye(4))
        return world

    def surfaces(self, frame: int) -> list[np.ndarray]:
        """Skinned vertices of each mesh at a key frame."""
        world = self.node_matrices(frame)
        shown = []
        for node in self.json["nodes"]:
            if "skin" not in node:
                continue
            skin = self.json["skins"][node["skin"]]
            inverse_bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
            matrices = np.stack([world[joint] for joint in skin["joints"]]) @ inverse_bind
            attributes = self.json["meshes"][node["mesh"]]["primitives"][0]["attributes"]
            position = self.array(attributes["POSITION"]).astype(np.float64)
            total = np.zeros((len(position), 4, 4))
            for number in range(sum(name.startswith("JOINTS_") for name in attributes)):
                joints, weights = (
                    self.array(attributes[f"JOINTS_{number}"]),
                    self.array(attributes[f"WEIGHTS_{number}"]),
                )
                total += (weights[..., None, None] * matrices[joints]).sum(1)
            shown.append((total[:, :3, :3] @ position[..., None])[..., 0] + total[:, :3, 3])
        return shown
