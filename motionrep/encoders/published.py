"""Reads the checkpoints that authors of architectures publish, and turns them into encoders and heads."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from motionrep.encoders.base import Encoder
from motionrep.encoders.model_cards import Provenance
from motionrep.encoders.motionbert_heads import MotionBERTMesh, published_head
from motionrep.encoders.published_format import PublishedFormat
from motionrep.encoders.saving import ENCODERS
from motionrep.files.checkpoints import read_checkpoint
from motionrep.files.reading import reading, require_file
from motionrep.weights.building import within
from motionrep.weights.fit import listed, require_fit

_BACKBONE = "backbone."
_CONTAINERS = ("model_pos", "model", "state_dict")
_DEEPEST = 5  # dicts in dicts around the weights; a file can also hold one that is in itself


def load_published(path: str | Path, **changes: int | float | str) -> tuple[Encoder, nn.Module]:
    """Encoder and head from a published checkpoint (.bin, .pth, .pt, .safetensors), whose architecture is recognised.

    The weights may stand alone, under 'model_pos', 'model' or 'state_dict', or under the only entry, whatever its name.
    A prefix of all their names (`module.`, `_orig_mod.`, `model.`) is dropped. Nothing in the file is run.
    `from_published` explains the head and `changes`.

    Raises:
        ValueError: The file is damaged, holds no weights, or weights that fit no known architecture, or that do not
            tell `temporal_links`.
    """
    architecture, weights = read_published(path)
    with reading(path):
        encoder, head = from_published(architecture, weights, **changes)
        _require_told(architecture, weights, changes)
    encoder.name = Path(path).stem
    encoder.provenance = Provenance(recipe=f"read from the published checkpoint {Path(path).name}")
    return encoder, head


def read_published(path: str | Path) -> tuple[str, dict[str, Tensor]]:
    """Architecture and weights of a published checkpoint, for `from_published`; raises as `load_published` does."""
    path = Path(path)
    content = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else read_checkpoint(path)
    weights = _unwrapped(content)
    if not weights or not _all_named_tensors(weights):
        raise ValueError(
            f"{path}: expected a dict of weights under 'model_pos', 'model' or 'state_dict', "
            f"the file holds {listed([str(key) for key in content])}"
        )
    with reading(path):
        weights = _without_wrapper(weights)
        return _recognised(weights), weights


def from_published(
    architecture: str, state_dict: Mapping[str, Tensor], **changes: int | float | str
) -> tuple[Encoder, nn.Module]:
    """Encoder and head from published names and shapes, both in evaluation mode.

    The head is the 3D pose head. For a whole fine-tuned MotionBERT (names `backbone.*` and `head.*`) it is the head of
    that model (`motionrep.encoders.motionbert_heads`). Such files also hold arrays of SMPL (`head.smpl.*`), which have
    a licence of their own; they are not read.

    Args:
        state_dict: Every entry of the model; the prefix `module.` is dropped. Only the counters of batch normalisation
            (`num_batches_tracked`), which change no output, may be missing.
        changes: Replaces what the shapes tell of the configuration, or adds what they cannot tell: `heads` (8 unless
            given, as published), `neighbours` of MotionAGFormer (2), and `normalisation` of DSTformer. The latter is
            "width" for pose models unless given, as on the Human3.6M benchmark; in-the-wild models need "crop".
            `temporal_links` of MotionAGFormer is told by weights that were trained; where it is not, it is 0 here, and
            `load_published` refuses the file unless it is given.
            Fine-tuned mesh and action models get "crop" by themselves, action models with `crop_ratio` 2.

    Raises:
        ValueError: Unknown architecture, or names or shapes that do not fit; lists them.
    """
    formats = _formats()
    if architecture not in formats:
        raise ValueError(f"unknown published architecture {architecture!r} (known: {', '.join(formats)})")
    published = formats[architecture]
    weights = {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    prefix = _BACKBONE if any(name.startswith(_BACKBONE) for name in weights) else ""
    backbone = _below(prefix, weights)
    task_head = None
    try:
        config = published.config(backbone)
        if prefix:
            weights = {name: tensor for name, tensor in weights.items() if not name.startswith("head.smpl.")}
            task_head = published_head(_below("head.", weights))
            crop_ratio = 1.0 if isinstance(task_head, MotionBERTMesh) else 2.0
            changes = {"normalisation": "crop", "crop_ratio": crop_ratio, **changes}
    except (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise ValueError(
            f"the weights are not those of a published {architecture}: missing or of unknown shape {error}; "
            f"they hold {len(weights)} names ({listed(list(weights))}). They are probably incomplete or of another "
            f"architecture (known here: {', '.join(formats)})"
        ) from error
    try:
        config = replace(config, **changes)
        with within(state_dict, asdict(config)):
            encoder = ENCODERS[architecture](**asdict(config))
            pose_head = published.pose_head(config.channels)
    except TypeError as error:
        raise ValueError(f"the configuration given does not fit {architecture}: {error}") from error
    parts: list[tuple[nn.Module, dict[str, str]]] = [
        (encoder, {prefix + published.name_in_file(name): name for name in encoder.state_dict()})
    ]
    parts.append((pose_head, {f"{prefix}head.{name}": name for name in pose_head.state_dict()}))
    if task_head is not None:
        parts.append((task_head, {f"head.{name}": name for name in task_head.state_dict()}))
    first = prefix + published.first_layer
    if config.input_channels == 3 and first in weights and weights[first].shape[1] == 2:
        weights[first] = torch.cat([weights[first], torch.zeros_like(weights[first][:, :1])], 1)
    _fill_in(architecture, parts, weights, encoder.frames)
    return encoder.eval(), (pose_head if task_head is None else task_head).eval()


def _require_told(architecture: str, weights: Mapping[str, Tensor], changes: Mapping[str, Any]) -> None:
    """Raises ValueError for an option that decides over the results and that neither weights nor the caller tell."""
    bare = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    for option, values in _formats()[architecture].untold(bare).items():
        if option not in changes:
            raise ValueError(
                f"the weights do not tell {option} of {architecture}: {values}. Read them by "
                f"motionrep.encoders.load_published(path, {option}=...), and keep the encoder by its save_pretrained"
            )


def _fill_in(
    architecture: str, parts: list[tuple[nn.Module, dict[str, str]]], weights: dict[str, Tensor], frames: int
) -> None:
    """Loads the weights into parts of a model, each given with its names in the file and here."""
    expected = {name: part.state_dict()[own] for part, names in parts for name, own in names.items()}
    weights = {name: tensor for name, tensor in expected.items() if name.endswith("num_batches_tracked")} | weights
    require_fit(architecture, weights, expected, frames)
    for part, names in parts:
        part.load_state_dict({own: weights[name] for name, own in names.items()})


def _below(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin so, without the prefix."""
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _formats() -> dict[str, PublishedFormat]:
    """The architectures that have published checkpoints."""
    return {name: build.published for name, build in ENCODERS.items() if build.published is not None}


def _all_named_tensors(weights: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items())


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        require_file(path)
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: not a whole file of safetensors ({error}); download it again") from error


def _unwrapped(content: dict[Any, Any]) -> dict[Any, Any]:
    """The innermost of dicts in dicts, without the settings and the training state around it."""
    for _ in range(_DEEPEST):
        names = _CONTAINERS if len(content) != 1 else content
        inner = next((content[name] for name in names if isinstance(content.get(name), dict)), None)
        if inner is None:
            break
        content = inner
    return content


def _without_wrapper(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefix of all names if that reveals a known architecture, otherwise unchanged."""
    bare = weights
    while _architecture(bare) is None:
        prefix = next(iter(bare)).partition(".")[0] + "."
        if not all(name.startswith(prefix) for name in bare):
            return weights
        bare = {name.removeprefix(prefix): tensor for name, tensor in bare.items()}
    return bare


def _recognised(weights: Mapping[str, Tensor]) -> str:
    architecture = _architecture(weights)
    if architecture is None:
        raise ValueError(
            f"the weights are of no architecture known here ({', '.join(_formats())}); "
            f"they hold {len(weights)} names ({listed(list(weights))})"
        )
    return architecture


def _architecture(weights: Mapping[str, Tensor]) -> str | None:
    names = {name.removeprefix("module.").removeprefix(_BACKBONE) for name in weights}
    return next((architecture for architecture, published in _formats().items() if published.mark in names), None)
