"""Reference vectors: weights rebuilt from a rule, inputs and outputs computed once with the published model code.

`NAME.json` lists the published names and shapes and a seed, `NAME.npz` holds `input` and the expected outputs in
float32, evaluation mode. Tolerance 1e-4 absolute. Nothing of that code and no trained weights are here.
`motionbert_{mesh,action}_f8.npz` belong to whole fine-tuned models, encoder and head (`entries`, seeds 31 and 33).
"""

import json
import math
import zlib

import numpy as np
import torch
from paths import GOLDEN
from torch import Tensor

FOLDER = GOLDEN
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*_f*.json")))  # encoders


def load(name: str) -> tuple[dict, dict[str, Tensor], dict[str, Tensor]]:
    """(configuration, weights by published name, arrays) of one reference."""
    meta = json.loads((FOLDER / f"{name}.json").read_text())
    weights = entries(meta["state_dict"], meta["weights_seed"])
    return {"architecture": meta["model"], **meta["config"]}, weights, outputs(name)


def outputs(name: str) -> dict[str, Tensor]:
    """Arrays of one reference."""
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(array) for key, array in arrays.items()}


def entries(shapes: dict[str, list[int]], seed: int) -> dict[str, Tensor]:
    """Weights by published name."""
    return {key: torch.from_numpy(_entry(key, tuple(shape), seed)) for key, shape in shapes.items()}


def _entry(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Each entry has its own generator, seeded by its name; scale by what the entry is for."""
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    normal = random.standard_normal(math.prod(shape)).astype(np.float32).reshape(shape)
    match leaf:
        case "running_var":
            return np.abs(normal) * np.float32(0.5) + np.float32(0.5)
        case "adj2":
            return normal * np.float32(0.05)
        case "M":
            return 1 + np.float32(0.1) * normal
        case "weight" if len(shape) == 1:
            return 1 + np.float32(0.1) * normal
        case _ if leaf.startswith("layer_scale"):
            return np.float32(0.5) + np.float32(0.1) * normal
        case _ if len(shape) == 1:
            return normal * np.float32(0.1)
        case _ if leaf.endswith(("pos_embed", "temp_embed")):
            return normal * np.float32(0.2)
    fan_in = math.prod(shape[1:]) if leaf == "weight" else shape[-2]
    return (normal / math.sqrt(fan_in)).astype(np.float32)
