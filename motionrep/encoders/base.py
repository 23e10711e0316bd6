"""Encoders in folders and on the Hugging Face Hub: model.safetensors, config.json and a model card."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from motionrep.encoders.cards import Provenance, input_declaration, model_card
from motionrep.weights.fit import require_fit
from motionrep.weights.hub import FILES, downloaded

_PROMISES = ("layout", "input_channels", "normalisation", "crop_ratio", "coco_recipe", "frames", "fps")


class Shareable(nn.Module, PyTorchModelHubMixin):
    """An encoder that can be saved, loaded and sent to the Hub. What an encoder is: `motionrep.encoders`.

    `push_to_hub` is that of huggingface_hub.

    Attributes:
        provenance: Where the weights come from; saved and loaded with them. Whoever trains them further has to say so
            here, as `motionrep finetune` does; left as it was loaded, it is saved without its metrics.
        digest: sha256 of the weights it was loaded or saved with (`weights_digest`), by which heads know the encoder
            they were trained on. None when it is new, or has been in training mode or loaded other weights since;
            what changes them by hand in evaluation mode is not noticed before it is saved.
    """

    architecture: str
    name: str
    frames: int
    config: dict[str, Any]
    provenance: Provenance = Provenance()
    digest: str | None = None
    _loaded: tuple[Provenance, str] | None = None  # what was said of the weights that were loaded, and their digest

    def train(self, mode: bool = True) -> "Shareable":
        if mode or self.training:
            self.digest = None
        return super().train(mode)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        self.digest = None
        return super().load_state_dict(*args, **kwargs)

    def save_pretrained(
        self, save_directory: str | Path, *, repo_id: str | None = None, push_to_hub: bool = False, **hub: Any
    ) -> str | None:
        """Writes the encoder, under its `name`, to a folder that `load_encoder` reads. Weights keep their dtype.

        Its three files replace those of an encoder that was there, other files in the folder stay.

        Raises:
            ValueError: The folder holds a README.md or config.json of something else, or the encoder is not what its
                `config` builds, so that nobody could load it.

        Args:
            push_to_hub: Also sends it to the Hub, as `repo_id` (the folder's name when None).
            hub: Options of `push_to_hub`, as `private=True`.
        """
        _require_rebuilt(self)
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        if not _is_ours(folder):
            raise ValueError(
                f"{folder}: holds a README.md or config.json that is no encoder's, which would be lost; choose another "
                "folder"
            )
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving.") as beside:
            self._save_pretrained(Path(beside))
            for name in FILES:
                (Path(beside) / name).replace(folder / name)
        return self.push_to_hub(repo_id or folder.name, **hub) if push_to_hub else None

    def generate_model_card(self, *_args: Any, sha256: str | None = None, **_kwargs: Any) -> ModelCard:
        """The README.md of `save_pretrained`."""
        return ModelCard(_card(self, sha256 or hashlib.sha256(_serialised(self)).hexdigest()))

    def _save_pretrained(self, save_directory: Path) -> None:
        content, self.digest = _serialised(self), weights_digest(self)
        if self._loaded is not None and self._loaded[0] is self.provenance and self._loaded[1] != self.digest:
            recipe = f"the weights were changed, nobody says how, after this: {self.provenance.recipe}"
            self.provenance = replace(self.provenance, metrics=(), recipe=recipe)
        config = {
            "architecture": self.architecture,
            "name": self.name,
            "config": self.config,
            "input": input_declaration(self),
            "provenance": asdict(self.provenance),
        }
        (save_directory / "model.safetensors").write_bytes(content)
        (save_directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        card = _card(self, hashlib.sha256(content).hexdigest())
        (save_directory / "README.md").write_text(card, encoding="utf-8")

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> "Shareable":
        """Part of huggingface_hub's `from_pretrained`; `model_kwargs` replace entries of the saved configuration."""
        folder = Path(model_id)
        if not folder.is_dir():
            folder = downloaded(
                model_id, "encoder", revision=revision, cache_dir=cache_dir, force_download=force_download,
                local_files_only=local_files_only, token=token,
            )  # fmt: skip
        return load_folder(cls, folder, read_config(folder), **model_kwargs)


T = TypeVar("T", bound=Shareable)


def weights_digest(encoder: nn.Module) -> str:
    """sha256 of the names and values of all weights in float32, whatever precision they are kept in."""
    digest = hashlib.sha256()
    encoder = getattr(encoder, "_orig_mod", encoder)  # of torch.compile
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(_as_float32(tensor).cpu().contiguous().numpy().data)
    return digest.hexdigest()


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of an encoder. Raises ValueError if there is none."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: not a whole encoder (config.json and model.safetensors): {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ValueError(f"{folder}/config.json: not that of an encoder ('architecture' and 'config')")
    return config


def load_folder(build: type[T], folder: Path, config: dict[str, Any], **changes: Any) -> T:
    """The encoder of a folder, in evaluation mode, in float32, on the CPU.

    Args:
        build: Its class.
        config: What `read_config` read.
        changes: Replaces entries of the configuration it is built with.

    Raises:
        ValueError: The files are damaged, or do not fit the class or each other.
    """
    if config.get("architecture") != build.architecture:
        raise ValueError(
            f"{folder}/config.json: holds a {config.get('architecture')}, not a {build.architecture}; "
            "load_encoder loads what is there"
        )
    try:
        encoder = build(**(config["config"] | changes))
        encoder.provenance = Provenance(**config.get("provenance", {}))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"{folder}/config.json: does not build a {build.architecture}: {error}") from error
    promised, declared = config.get("input") or {}, input_declaration(encoder)
    for key in _PROMISES:
        if key in promised and key not in changes and promised[key] != declared.get(key):
            raise ValueError(
                f"{folder}/config.json: the weights read {key} {promised[key]!r}, but the encoder that this version "
                f"of motionrep builds from it reads {declared.get(key)!r}"
            )
    try:
        weights = {name: _as_float32(tensor) for name, tensor in load_file(folder / "model.safetensors").items()}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a whole encoder (config.json and model.safetensors): {error}") from error
    try:
        require_fit(build.architecture, weights, encoder.state_dict(), encoder.frames, _names_by_architecture)
    except ValueError as error:
        raise ValueError(f"{folder}/model.safetensors: {error}") from error
    encoder.load_state_dict(weights, strict=True)
    encoder.name = config.get("name", folder.name)
    encoder.eval().digest = weights_digest(encoder) if changes.keys() <= {"drop_path"} else None
    encoder._loaded = (encoder.provenance, weights_digest(encoder))
    return encoder


def _require_rebuilt(encoder: Shareable) -> None:
    """Raises ValueError when another encoder than this one would be loaded, or none."""
    with torch.device("meta"):
        again = type(encoder)(**encoder.config)
    declared, rebuilt = input_declaration(encoder), input_declaration(again)
    for key in _PROMISES:
        if declared.get(key) != rebuilt.get(key):
            raise ValueError(
                f"encoder {encoder.name!r}: reads {key} {declared.get(key)!r}, but its config builds one that reads "
                f"{rebuilt.get(key)!r}, so what is saved could not be loaded; build it with the right {key}"
            )
    try:
        require_fit(f"the config of encoder {encoder.name!r}", encoder.state_dict(), again.state_dict())
    except ValueError as error:
        raise ValueError(
            f"{error}; so what is saved could not be loaded: merge adapters and take parametrisations off first"
        ) from error


def _is_ours(folder: Path) -> bool:
    """Whether the folder is an encoder's, or has nothing that saving one would replace."""
    if not (folder / "config.json").exists():
        return not (folder / "README.md").exists()
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(config, dict) and "architecture" in config


def _serialised(encoder: nn.Module) -> bytes:
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    return save(weights)


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.detach().float() if tensor.is_floating_point() else tensor.detach()


def _card(encoder: Shareable, sha256: str) -> str:
    reads = input_declaration(encoder)
    window = "windows of" if reads["fixed_window"] else "clips of up to"
    rate = "at any frame rate" if reads["fps"] is None else f"at {reads['fps']:g} frames per second"
    about = (
        f"An encoder of motionrep, architecture `{encoder.architecture}`: 2D keypoints of a person in, a "
        f"representation of every joint in every frame out.\n\n"
        f"It reads {window} {encoder.frames} frames {rate}, layout {reads['layout']}, channels "
        f"{', '.join(reads['input_channels'])}, normalisation {reads['normalisation']!r} "
        f"({reads['normalisation_formula']}). `motionrep.embed` converts, normalises and cuts clips by itself; "
        f"config.json has all of it.\n\nOutput: {reads['output']}."
    )
    use = (
        "import motionrep\n\n"
        f'encoder = motionrep.load_encoder("{encoder.name}")  # its name if it ships, this folder, or its Hub id\n'
        'clips = motionrep.load_keypoints("clip.json", size_px=(1920, 1080))\n'
        "embedding = motionrep.embed(clips[0], encoder)"
    )
    return model_card(encoder.name, "encoder", encoder.provenance, sha256, use, about)


def _names_by_architecture() -> dict[str, list[str]]:
    from motionrep.encoders.loading import ENCODERS

    with torch.device("meta"):
        return {name: list(cls(frames=9, depth=1).state_dict()) for name, cls in ENCODERS.items()}


@dataclass(frozen=True)
class PublishedFormat:
    """How one architecture is published.

    Attributes:
        names: Pairs (regular expression of a name here, what it becomes in files), applied one after the other.
        config: Reads what shapes tell of the configuration.
        pose_head: Builds its pose head, whose names begin with `head.` in files.
        first_layer: Name in files of the weights whose second axis is the input channels.
        mark: A name that only files of this architecture hold.
    """

    build: Callable[..., Any]
    names: tuple[tuple[str, str], ...]
    config: Callable[[Mapping[str, Tensor]], dict[str, int | float]]
    pose_head: Callable[[int], nn.Module]
    first_layer: str
    mark: str
