"""Checkpoints of published architectures: their names and shapes, and how they become encoders of this library."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from motionrep.encoders.architectures import dstformer, ktpformer, mixste, motionagformer
from motionrep.encoders.architectures.dstformer import DSTformer
from motionrep.encoders.architectures.ktpformer import KTPFormer
from motionrep.encoders.architectures.layers import linear_pose3d_head, pose3d_head
from motionrep.encoders.architectures.mixste import MixSTE
from motionrep.encoders.architectures.motionagformer import MotionAGFormer
from motionrep.encoders.base import PublishedFormat, Shareable
from motionrep.encoders.cards import Provenance
from motionrep.encoders.motionbert_heads import MotionBERTMesh, published_head
from motionrep.files.checkpoints import read_checkpoint
from motionrep.weights.fit import listed, require_fit

_BACKBONE = "backbone."
_CONTAINERS = ("model_pos", "model", "state_dict")
_DEEPEST = 5  # dicts in dicts around the weights; a file can also hold one that is in itself


PUBLISHED: dict[str, PublishedFormat] = {
    "ktpformer": PublishedFormat(
        KTPFormer, ktpformer.PUBLISHED_NAMES, ktpformer.published_config, pose3d_head,
        first_layer="kpattention.attn.kpa.gconv.W", mark="kpattention.attn.Spatial_pos_embed",
    ),
    "mixste": PublishedFormat(
        MixSTE, mixste.PUBLISHED_NAMES, mixste.published_config, pose3d_head,
        first_layer="Spatial_patch_to_embedding.weight", mark="Spatial_pos_embed",
    ),
    "dstformer": PublishedFormat(
        DSTformer, dstformer.PUBLISHED_NAMES, dstformer.published_config, linear_pose3d_head,
        first_layer="joints_embed.weight", mark="temp_embed",
    ),
    "motionagformer": PublishedFormat(
        MotionAGFormer, motionagformer.PUBLISHED_NAMES, motionagformer.published_config, linear_pose3d_head,
        first_layer="joints_embed.weight", mark="rep_logit.fc.weight",
    ),
}  # fmt: skip


def load_published(path: str | Path, **config: int | float | str) -> tuple[Shareable, nn.Module]:
    """Encoder and head from a published checkpoint (.bin, .pth, .pt, .safetensors), whose architecture is recognised.

    The weights may stand alone, under 'model_pos', 'model' or 'state_dict', or under whatever the only entry is called.
    What all their names begin with (`module.`, `_orig_mod.`, `model.`) is dropped. Nothing in the file is run. What the
    head is, and what `config` does: `from_published`.

    Raises:
        ValueError: The file is damaged, holds no weights, or weights that fit no known architecture.
    """
    path = Path(path)
    content = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else read_checkpoint(path)
    weights = _unwrapped(content)
    if not weights or not _all_named_tensors(weights):
        raise ValueError(
            f"{path}: expected a dict of weights under 'model_pos', 'model' or 'state_dict', "
            f"the file holds {listed([str(key) for key in content])}"
        )
    try:
        weights = _without_wrapper(weights)
        encoder, head = from_published(_recognised(weights), weights, **config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    encoder.name = path.stem
    encoder.provenance = Provenance(recipe=f"read from the published checkpoint {path.name}")
    return encoder, head


def from_published(
    architecture: str, state_dict: Mapping[str, Tensor], **config: int | float | str
) -> tuple[Shareable, nn.Module]:
    """Encoder and head from published names and shapes, both in evaluation mode.

    The head is the 3D pose head; with a whole fine-tuned MotionBERT (names `backbone.*` and `head.*`) it is that
    model's head (`motionrep.encoders.motionbert_heads`). The arrays of SMPL in such files (`head.smpl.*`) have a
    licence of their own and are not read.

    Args:
        state_dict: Every entry of the model; the prefix `module.` is dropped. Only the counters of batch normalisation
            (`num_batches_tracked`), which change no output, may be missing.
        config: Replaces what shapes tell, or adds what they cannot: `heads` (8 unless given, as published),
            `neighbours` of MotionAGFormer (2), and `normalisation` of DSTformer: "width" unless given for pose models,
            as on the Human3.6M benchmark; pass "crop" for in-the-wild ones. Fine-tuned mesh and action models have
            "crop" by themselves, the latter with `crop_ratio` 2.

    Raises:
        ValueError: Unknown architecture, or names or shapes that do not fit; lists them.
    """
    if architecture not in PUBLISHED:
        raise ValueError(f"unknown published architecture {architecture!r} (known: {', '.join(PUBLISHED)})")
    published = PUBLISHED[architecture]
    weights = {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    prefix = _BACKBONE if any(name.startswith(_BACKBONE) for name in weights) else ""
    backbone = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    task_head = None
    try:
        defaults: dict[str, Any] = dict(published.config(backbone))
        if prefix:
            weights = {name: tensor for name, tensor in weights.items() if not name.startswith("head.smpl.")}
            task_head = published_head(
                {name.removeprefix("head."): tensor for name, tensor in weights.items() if name.startswith("head.")}
            )
            crop_ratio = 1.0 if isinstance(task_head, MotionBERTMesh) else 2.0
            defaults |= {"normalisation": "crop", "crop_ratio": crop_ratio}
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(
            f"the weights are not those of a published {architecture}: missing or of unknown shape {error}; "
            f"they hold {len(weights)} names ({listed(list(weights))}). They are probably incomplete or of another "
            f"architecture (known here: {', '.join(PUBLISHED)})"
        ) from error
    config = {**defaults, **config}
    try:
        encoder = published.build(**config)
    except TypeError as error:
        raise ValueError(f"the configuration given does not fit {architecture}: {error}") from error
    pose_head = published.pose_head(int(config["channels"]))

    # What the file must hold: each part of the model, with the name in files of each of its entries.
    parts = [
        (encoder, {prefix + published_name(name, published.names): name for name in encoder.state_dict()}),
        (pose_head, {f"{prefix}head.{name}": name for name in pose_head.state_dict()}),
    ]
    if task_head is not None:
        parts.append((task_head, {f"head.{name}": name for name in task_head.state_dict()}))
    expected = {name: part.state_dict()[own] for part, names in parts for name, own in names.items()}
    weights = {name: tensor for name, tensor in expected.items() if name.endswith("num_batches_tracked")} | weights
    first = prefix + published.first_layer
    if config["input_channels"] == 3 and first in weights and weights[first].shape[1] == 2:
        weights[first] = torch.cat([weights[first], torch.zeros_like(weights[first][:, :1])], 1)
    require_fit(architecture, weights, expected, encoder.frames)
    for part, names in parts:
        part.load_state_dict({own: weights[name] for name, own in names.items()})
    return encoder.eval(), (pose_head if task_head is None else task_head).eval()


def published_name(name: str, names: tuple[tuple[str, str], ...]) -> str:
    """What an encoder's entry is called in published files (`PublishedFormat.names`)."""
    for pattern, published in names:
        name = re.sub(pattern, published, name)
    return name


def _all_named_tensors(weights: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items())


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: not a whole file of safetensors ({error}); download it again") from error


def _unwrapped(content: dict[Any, Any]) -> dict[Any, Any]:
    """The innermost dict of those that only hold another one, beside settings and the state of training."""
    for _ in range(_DEEPEST):
        names = _CONTAINERS if len(content) != 1 else content
        inner = next((content[name] for name in names if isinstance(content.get(name), dict)), None)
        if inner is None:
            break
        content = inner
    return content


def _without_wrapper(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what all names begin with, if a known architecture comes to light; or else as they are."""
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
            f"the weights are of no architecture known here ({', '.join(PUBLISHED)}); "
            f"they hold {len(weights)} names ({listed(list(weights))})"
        )
    return architecture


def _architecture(weights: Mapping[str, Tensor]) -> str | None:
    names = {name.removeprefix("module.").removeprefix(_BACKBONE) for name in weights}
    return next((architecture for architecture, published in PUBLISHED.items() if published.mark in names), None)
