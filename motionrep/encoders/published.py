"""Checkpoints of published architectures: their names and shapes, and how they become encoders of this library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from motionrep.encoders import ktpformer
from motionrep.encoders.ktpformer import KTPFormer

Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PublishedFormat:
    """How one architecture is published.

    Attributes:
        names: Pairs (prefix in files, prefix here); the first that fits a name counts, in both directions.
        signature: Names that only this architecture has.
        config: Reads what shapes tell of the configuration.
        adapt: Changes entries, named as here, to fit a configuration that differs from the published one.
    """

    build: Callable[..., nn.Module]
    names: Names
    signature: tuple[str, ...]
    config: Callable[[Mapping[str, Tensor]], dict[str, int | float]]
    adapt: Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]


PUBLISHED: dict[str, PublishedFormat] = {
    "ktpformer": PublishedFormat(
        build=KTPFormer,
        names=ktpformer.PUBLISHED_NAMES,
        signature=("kpattention.attn.Spatial_pos_embed", "tpattention.attn.Temporal_pos_embed"),
        config=ktpformer.published_config,
        adapt=ktpformer.with_confidence,
    ),
}


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
        state_dict: Every entry of the model; the prefix `module.` is dropped.
        config: Replaces what shapes tell. The number of heads is not in the shapes: 8 unless given, as published.

    Raises:
        ValueError: Unknown architecture, or names or shapes that do not fit; lists them.
    """
    if architecture not in PUBLISHED:
        raise ValueError(f"unknown published architecture {architecture!r} (known: {', '.join(PUBLISHED)})")
    published = PUBLISHED[architecture]
    weights = {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    missing = [name for name in published.signature if name not in weights]
    if missing:
        found = recognise(weights)
        reason = f"they are those of {found!r}" if found else "no architecture known here has these names"
        raise ValueError(
            f"the weights are not a published {architecture}: {len(missing)} expected names are missing "
            f"({_some(missing)}), the first names are {_some(list(weights))}; {reason}"
        )
    try:
        shapes = published.config(weights)
    except (KeyError, IndexError) as error:
        raise ValueError(f"the weights are not a whole published {architecture}: no usable entry {error}") from error
    encoder = published.build(**{**shapes, **config})
    head = pose3d_head(int(encoder.config["channels"]))
    model = nn.ModuleDict({"encoder": encoder, "head": head})

    renamed = {_renamed(name, published.names): tensor for name, tensor in weights.items()}
    renamed = published.adapt(renamed, encoder)
    _require_fit(architecture, published.names, renamed, model.state_dict())
    model.load_state_dict(renamed, strict=True)
    model.eval()
    return encoder, head


def recognise(weights: Mapping[str, Tensor]) -> str | None:
    """The published architecture that has such names, if it is one of those known here."""
    names = {name.removeprefix("module.") for name in weights}
    return next((key for key, entry in PUBLISHED.items() if names.issuperset(entry.signature)), None)


def _renamed(name: str, names: Names) -> str:
    if name.startswith("head."):
        return name
    for published, own in names:
        if name.startswith(published):
            return "encoder." + own + name.removeprefix(published)
    return "encoder." + name


def _published_name(name: str, names: Names) -> str:
    name = name.removeprefix("encoder.")
    for published, own in names:
        if name.startswith(own):
            return published + name.removeprefix(own)
    return name


def _require_fit(architecture: str, names: Names, got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing = [_published_name(name, names) for name in expected if name not in got]
    unexpected = [_published_name(name, names) for name in got if name not in expected]
    wrong = [
        f"{_published_name(name, names)} {tuple(got[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in got and got[name].shape != tensor.shape
    ]
    problems = [
        f"{len(found)} {what}: {_some(found)}"
        for what, found in (("missing", missing), ("unexpected", unexpected), ("of wrong shape", wrong))
        if found
    ]
    if problems:
        raise ValueError(
            f"the weights do not fit {architecture}: {'; '.join(problems)}. "
            "They are of a variant of the model, incomplete, or the configuration given is not theirs"
        )


def _some(names: list[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
