"""Folders of weights, of encoders and of heads: model.safetensors beside config.json."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from motionrep.files.reading import require_file
from motionrep.files.texts import read_json
from motionrep.files.versions import require_readable
from motionrep.weights.versions import Kind

FORMAT = 1

_ENTRIES: dict[Kind, tuple[str, ...]] = {
    "encoder": ("architecture", "config"),
    "head": ("head", "config", "encoder"),
}
_A: dict[Kind, str] = {"encoder": "an encoder", "head": "a head"}


def read_config(folder: Path, kind: Kind) -> dict[str, Any]:
    """config.json of an encoder or a head.

    Raises:
        ValueError: It is missing or damaged, belongs to something else, or a newer version of motionrep wrote it.
    """
    path, entries = folder / "config.json", _ENTRIES[kind]
    broken = f"{path}: not that of {_A[kind]} ({', '.join(map(repr, entries))})"
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{broken}: {error}") from error
    if not isinstance(content, dict) or any(entry not in content for entry in entries):
        raise ValueError(broken)
    declared = content.get("format")
    require_readable(path, None if declared is None else str(declared), f"motionrep {kind}", FORMAT)
    if not isinstance(content["config"], dict):
        raise ValueError(f"{path}: 'config' must hold the options of {_A[kind]} by name, got {content['config']!r}")
    return content


def format_of(kind: Kind) -> str:
    """The entry `format` of the config.json files that this version writes."""
    return f"motionrep {kind} {FORMAT}"


def read_weights(folder: Path, kind: Kind) -> dict[str, Tensor]:
    """model.safetensors on the CPU, in float32.

    Raises:
        ValueError: It is missing or damaged.
    """
    try:
        require_file(folder / "model.safetensors")
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a whole {kind} (config.json and model.safetensors): {error}") from error
    return {name: as_float32(tensor) for name, tensor in weights.items()}


def sealed(content: Mapping[str, Any], weights: bytes) -> dict[str, Any]:
    """The content of config.json with the entry `sha256`, by which `require_sealed` knows what was saved.

    Args:
        weights: The content of model.safetensors.
    """
    return {**content, "sha256": {"model.safetensors": hashlib.sha256(weights).hexdigest(), "config": _seal(content)}}


def require_sealed(folder: Path, content: Mapping[str, Any]) -> None:
    """Raises ValueError when a folder does not hold what was saved, such as after a bit was flipped.

    Folders of motionrep 0.1.0 have neither a format nor digests, and pass.

    Args:
        content: That of config.json.
    """
    expected = content.get("sha256", {} if "format" in content else None)
    if expected is None:
        return
    with (folder / "model.safetensors").open("rb") as file:
        found = {"model.safetensors": hashlib.file_digest(file, "sha256").hexdigest(), "config": _seal(content)}
    if expected == found:
        return
    is_config = not isinstance(expected, dict) or expected.get("config") != found["config"]
    wrong = "config.json" if is_config else "model.safetensors"
    raise ValueError(
        f"{folder / wrong}: is not what was saved, by the sha256 in config.json: damaged, or changed by hand; copy or "
        "download the folder again. If the change is yours, save the model again, or set 'sha256' to null"
    )


def _seal(content: Mapping[str, Any]) -> str:
    """sha256 of a configuration in whatever order, without its digests; its format is checked by itself."""
    told = {name: value for name, value in content.items() if name not in ("sha256", "format")}
    as_read = json.loads(json.dumps(told))
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()


def serialised(weights: Mapping[str, Tensor]) -> bytes:
    """The content of model.safetensors; tensors keep their dtype."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """sha256 of names and values, in float32 whatever precision they are kept in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(as_float32(tensor).cpu().contiguous().numpy().data)
    return digest.hexdigest()


def as_float32(tensor: Tensor) -> Tensor:
    """The tensor without gradients; in float32 if it holds floating-point numbers."""
    return tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
