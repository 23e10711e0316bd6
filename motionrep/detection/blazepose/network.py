"""Runs a convolutional network that is described as a list of plain operations."""

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from motionrep.detection.blazepose.packing import unpacked
from motionrep.files.versions import require_readable

KIND, NEWEST = "motionrep network", 1
FORMAT = f"{KIND} {NEWEST}"


class Network(nn.Module):
    """A converted network. `blazepose/convert.py` writes its description; padding is TensorFlow's.

    Pictures are in torch's order of axes. Results have channels last, as in the source.
    """

    def __init__(self, description: dict[str, Any], weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.input: str = description["input"]
        self.outputs: dict[str, str] = description["outputs"]
        self.operations: list[dict[str, Any]] = description["operations"]
        self.last_use = {
            name: number for number, operation in enumerate(self.operations) for name in operation["inputs"]
        }
        for name, weight in weights.items():
            layout = torch.channels_last if weight.ndim == 4 else torch.contiguous_format
            self.register_buffer(name, weight.float().contiguous(memory_format=layout))

    @torch.inference_mode()
    def forward(self, picture: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        values = dict(self.named_buffers(recurse=False))
        weights = set(values)
        values[self.input] = picture.contiguous(memory_format=torch.channels_last)
        kept = weights | set(self.outputs.values())
        for number, operation in enumerate(self.operations):
            inputs = [values[name] for name in operation["inputs"]]
            values[operation["output"]] = _run(operation, inputs)
            for name in operation["inputs"]:
                if self.last_use[name] == number and name not in kept:
                    values.pop(name, None)
        results = {name: values[tensor] for name, tensor in self.outputs.items()}
        return {name: value.permute(0, 2, 3, 1) if value.ndim == 4 else value for name, value in results.items()}


def load_network(folder: Path) -> Network:
    """Raises ValueError if the folder does not hold a whole network."""
    path = folder / "network.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        require_readable(path, description["format"], KIND, NEWEST)
        weights = unpacked(load_file(folder / "model.safetensors"))
        return Network(description, {name: torch.from_numpy(weight) for name, weight in weights.items()}).eval()
    except (OSError, KeyError, TypeError, json.JSONDecodeError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a whole network (network.json and model.safetensors): {error}") from error


def _run(operation: dict[str, Any], inputs: list[Tensor]) -> Tensor:
    first = inputs[0]
    match operation["op"]:
        case "conv" | "depthwise":
            groups = first.shape[1] if operation["op"] == "depthwise" else 1
            padded, padding = _padded(first, inputs[1].shape[-1], operation)
            result = F.conv2d(padded, inputs[1], inputs[2], operation["stride"], padding, groups=groups)
            return _activated(result, operation["activation"])
        case "add":
            return _activated(first + inputs[1], operation["activation"])
        case "max_pool":
            padded, padding = _padded(first, operation["size"], operation, -torch.inf)
            return F.max_pool2d(padded, operation["size"], operation["stride"], padding)
        case "pad":
            return F.pad(first, operation["sides"])
        case "resize":
            return F.interpolate(first, size=operation["size"], mode="bilinear")
        case "sigmoid":
            return first.sigmoid()
        case "concatenate":
            return torch.cat(inputs, 1)
        case "list":
            by_place = first.permute(0, 2, 3, 1) if first.ndim == 4 else first
            return by_place.reshape(len(first), *operation["shape"])
        case "depth_to_space":
            block = operation["block"]
            batch, channels, height, width = first.shape
            parts = first.reshape(batch, block, block, channels // block**2, height, width)
            moved = parts.permute(0, 3, 4, 1, 5, 2)  # batch channels height block width block
            return moved.reshape(batch, channels // block**2, height * block, width * block)
    raise ValueError(f"operation {operation['op']!r} is not known")


def _padded(picture: Tensor, size: int, operation: dict[str, Any], value: float = 0.0) -> tuple[Tensor, int]:
    """The picture and what torch shall still pad. TensorFlow's "same" pads more on the right than on the left."""
    if operation["padding"] == "valid":
        return picture, 0
    if operation["padding"] != "same":
        return picture, operation["padding"]
    stride = operation["stride"]
    if stride == 1 and size % 2:
        return picture, size // 2
    missing = [max((-(-length // stride) - 1) * stride + size - length, 0) for length in picture.shape[2:]]
    top, left = (length // 2 for length in missing)
    return F.pad(picture, (left, missing[1] - left, top, missing[0] - top), value=value), 0


def _activated(value: Tensor, name: str | None) -> Tensor:
    if name == "relu":
        return value.relu_()
    return value.clamp_(0, 6) if name == "relu6" else value
