"""Checkpoints of published architectures: their names and shapes, and how they become encoders of this library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from motionrep.encoders import ktpformer
from motionrep.encoders.ktpformer import KTPFormer
from motionrep.unpickling import read_checkpoint

Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PublishedFormat:
    """How one architecture is published.

    Attributes:
        names: Pairs (prefix in files, prefix here); the first that fits a name counts, in both directions. Every
            entry of a file begins with one of them or with `head.`.
        config: Reads what shapes tell of the configuration.
        adapt: Makes entries, named as here, fit the number of input channels.
    """

    build: Callable[..., Any]
    names: Names
    config: Callable[[Mapping[str, Tensor]], dict[str, int | float]]
    adapt: Callable[[dict[str, Tensor], int], dict[str, Tensor]]


PUBLISHED: dict[str, PublishedFormat] = {
    "ktpformer": PublishedFormat(
        KTPFormer, ktpformer.PUBLISHED_NAMES, ktpformer.published_config, ktpformer.with_confidence
    ),
}


def load_published(path: str | Path) -> tuple[nn.Module, nn.Module]:
    """Encoder and 3D pose head from a published checkpoint (.bin, .pth), whose architecture is recognised.

    Nothing in the file is run.

    Raises:
        ValueError: The file is damaged, holds no weights, or weights that fit no known architecture.
    """
    path = Path(path)
    content = read_checkpoint(path)
    weights = next((content[key] for key in ("model_pos", "model", "state_dict") if key in content), content)
    if not isinstance(weights, dict) or not weights or not _all_named_tensors(weights):
        raise ValueError(
            f"{path}: expected a dict of weights under 'model_pos', 'model' or 'state_dict', "
            f"the file holds {_some([str(key) for key in content])}"
        )
    try:
        encoder, head = from_published(_nearest(weights), weights)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    cast(Any, encoder).name = path.stem
    return encoder, head


def pose3d_head(channels: int) -> nn.Sequential:
    """The published pose head: `head(encoder(x))` is the root-relative pose in metres, camera axes.

    Its entries are `0` (LayerNorm) and `1` (Linear), as in published files after `head.`.
    """
    return nn.Sequential(nn.LayerNorm(channels, eps=1e-5), nn.Linear(channels, 3))


def from_published(
    architecture: str, state_dict: Mapping[str, Tensor], **config: int | float
) -> tuple[nn.Module, nn.Module]:
    """Encoder and 3D pose head from published names and shapes, both in evaluation mode.

    Args:
        state_dict: Every entry of the model; the prefix `module.` is dropped. Only the counters of batch normalisation
            (`num_batches_tracked`), which change no output, may be missing.
        config: Replaces what shapes tell. The number of heads is not in the shapes: 8 unless given, as published.

    Raises:
        ValueError: Unknown architecture, or names or shapes that do not fit; lists them.
    """
    if architecture not in PUBLISHED:
        raise ValueError(f"unknown published architecture {architecture!r} (known: {', '.join(PUBLISHED)})")
    published = PUBLISHED[architecture]
    weights = {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    try:
        config = {**published.config(weights), **config}
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(_mismatch(architecture, weights)) from error
    encoder = published.build(**config)
    head = pose3d_head(int(config["channels"]))

    expected = {**encoder.state_dict(), **head.state_dict(prefix="head.")}
    renamed = {name: tensor for name, tensor in expected.items() if name.endswith("num_batches_tracked")}
    renamed |= {_renamed(name, published.names): tensor for name, tensor in weights.items()}
    renamed = published.adapt(renamed, int(config["input_channels"]))
    require_fit(architecture, renamed, expected, partial(_published_name, names=published.names))
    encoder.load_state_dict({name: tensor for name, tensor in renamed.items() if not name.startswith("head.")})
    head.load_state_dict({f"{i}.{kind}": renamed[f"head.{i}.{kind}"] for i in (0, 1) for kind in ("weight", "bias")})
    return encoder.eval(), head.eval()


def require_fit(
    architecture: str,
    got: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    shown: Callable[[str], str] = str,
) -> None:
    """Raises ValueError that lists missing and unexpected names and wrong shapes, each as `shown` writes it."""
    missing = [shown(name) for name in expected if name not in got]
    unexpected = [shown(name) for name in got if name not in expected]
    wrong = [
        f"{shown(name)} {tuple(got[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in got and got[name].shape != tensor.shape
    ]
    lists = (("missing", missing), ("unexpected", unexpected), ("of wrong shape", wrong))
    problems = [f"{len(names)} {what} ({_some(names)})" for what, names in lists if names]
    if problems:
        raise ValueError(
            f"the weights do not fit {architecture}: {'; '.join(problems)}. "
            "They are incomplete, of a variant of the model, or of another configuration than the one given"
        )


def _all_named_tensors(weights: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items())


def _nearest(weights: Mapping[str, Tensor]) -> str:
    """The architecture with the most prefixes that occur in the weights."""
    names = [name.removeprefix("module.") for name in weights]

    def hits(architecture: str) -> int:
        return sum(any(name.startswith(prefix) for name in names) for prefix, _ in PUBLISHED[architecture].names)

    return max(PUBLISHED, key=hits)


def _mismatch(architecture: str, weights: Mapping[str, Tensor]) -> str:
    prefixes = [prefix for prefix, _ in PUBLISHED[architecture].names]
    missing = [p + "*" * p.endswith(".") for p in prefixes if not any(name.startswith(p) for name in weights)]
    unexpected = [name for name in weights if not name.startswith((*prefixes, "head."))]
    return (
        f"the weights are not those of a published {architecture}: no {_some(missing)} ({len(missing)} groups of names "
        f"missing); {len(unexpected)} of {len(weights)} names unexpected ({_some(unexpected)}). "
        f"They are probably of another architecture (known here: {', '.join(PUBLISHED)})"
    )


def _renamed(name: str, names: Names) -> str:
    published, own = next((pair for pair in names if name.startswith(pair[0])), ("", ""))
    return own + name.removeprefix(published)


def _published_name(name: str, names: Names) -> str:
    return _renamed(name, tuple((own, published) for published, own in names))


def _some(names: list[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
