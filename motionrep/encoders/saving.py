"""Encoders in folders and on the Hugging Face Hub: model.safetensors, config.json and a model card."""

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import nn

from motionrep.encoders.model_cards import Provenance, encoder_card
from motionrep.files.texts import read_json
from motionrep.files.writing import written_beside
from motionrep.weights.building import within
from motionrep.weights.fit import require_fit
from motionrep.weights.folders import (
    digest_of,
    format_of,
    read_config,
    read_weights,
    require_sealed,
    sealed,
    serialised,
)
from motionrep.weights.hub import downloaded

# Every architecture by its name. Subclasses of `Encoder` enter themselves.
ENCODERS: dict[str, type[Any]] = {}

# What weights depend on, of what config.json declares.
_PROMISES = ("layout", "input_channels", "normalisation", "crop_ratio", "coco_recipe", "frames", "fps", "reads")
_HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "token")

S = TypeVar("S", bound="Shareable")


class Shareable(nn.Module, PyTorchModelHubMixin):
    """The part of `Encoder` that deals with weights: registration, saving, loading. `Encoder` lists the attributes."""

    architecture: ClassVar[str] = ""
    config: Any
    frames: int
    name: str
    provenance: Provenance = Provenance()
    digest: str | None = None
    _loaded: tuple[Provenance, str] | None = None  # provenance and digest of the weights that were loaded

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "architecture" in vars(cls):
            known = ENCODERS.get(cls.architecture, cls)
            if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(f"architecture {cls.architecture!r} is {known} already, and cannot be {cls} as well")
            ENCODERS[cls.architecture] = cls

    def rebuilt(self: S, **changes: Any) -> S:
        """A new encoder of the same configuration, except for `changes`, with initial weights."""
        return type(self)(**(asdict(self.config) | changes))

    def input_declaration(self) -> dict[str, Any]:
        """What has to be fed to the encoder and what it returns, as JSON can hold it."""
        raise NotImplementedError

    def train(self: S, mode: bool = True) -> S:
        if mode or self.training:
            self.digest = None
        return super().train(mode)

    def load_state_dict(self, *args: Any, **options: Any) -> Any:
        self.digest = None
        return super().load_state_dict(*args, **options)

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        version: int = 1,
        **hub: Any,
    ) -> str | None:
        """Writes the encoder, under its `name`, to a folder that `load_encoder` reads. Weights keep their dtype.

        An encoder that the folder holds is replaced, other files in it stay.

        Args:
            push_to_hub: Also sends it to the Hugging Face Hub, as `repo_id` (the folder's name when None).
            version: Which weights of this name these are, where several ship.
            hub: Options of `push_to_hub`, such as `private=True`.

        Raises:
            ValueError: The folder holds a README.md or config.json of something else, or what is saved could not be
                loaded, because `config` or the class does not build this encoder.
        """
        self._require_loadable()
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        if not _is_free(folder):
            raise ValueError(
                f"{folder}: holds a README.md or config.json that is no encoder's, which would be lost; choose another "
                "folder"
            )
        self.digest = digest_of(self.state_dict())
        if self._loaded is not None and self._loaded[0] is self.provenance and self._loaded[1] != self.digest:
            recipe = f"the weights were changed, nobody says how, after this: {self.provenance.recipe}"
            self.provenance = replace(self.provenance, metrics=(), recipe=recipe)
        content = {
            "format": format_of("encoder"),
            "architecture": self.architecture,
            "name": self.name,
            "version": version,
            "config": asdict(self.config),
            "input": self.input_declaration(),
            "provenance": asdict(self.provenance),
        }
        weights = serialised(self.state_dict())
        texts = {"config.json": json.dumps(sealed(content, weights), indent=2) + "\n", "README.md": self._card(weights)}
        with ExitStack() as files:  # all are written before the first one gets its name
            files.enter_context(written_beside(folder / "model.safetensors")).write_bytes(weights)
            for name, text in texts.items():
                files.enter_context(written_beside(folder / name, told=False)).write_text(text, encoding="utf-8")
        return self.push_to_hub(repo_id or folder.name, **hub) if push_to_hub else None

    def generate_model_card(self, *_args: Any, **_options: Any) -> ModelCard:
        """The README.md of `save_pretrained`; huggingface_hub's arguments are ignored."""
        return ModelCard(self._card(serialised(self.state_dict())))

    @classmethod
    def from_pretrained(
        cls: type[S], pretrained_model_name_or_path: str | Path, *, revision: str | None = None, **options: Any
    ) -> S:
        """An encoder of this class from a folder or from the Hugging Face Hub; see `from_folder`.

        Args:
            revision: Of a Hub id: the branch, tag or commit; its newest state when None.
            options: `cache_dir`, `force_download`, `local_files_only` and `token` are those of huggingface_hub. Others
                replace entries of the configuration that the encoder was saved with.
        """
        hub = {name: options.pop(name) for name in _HUB_OPTIONS if name in options}
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            folder = downloaded(str(pretrained_model_name_or_path), "encoder", revision=revision, **hub)
        return cls.from_folder(folder, **options)

    @classmethod
    def from_folder(cls: type[S], folder: Path, **changes: Any) -> S:
        """An encoder that `save_pretrained` wrote, in evaluation mode, in float32, on the CPU.

        Args:
            changes: Replaces entries of the configuration that it was saved with.

        Raises:
            ValueError: The files are damaged, or do not fit the class or each other.
        """
        content = read_config(folder, "encoder")
        if content["architecture"] != cls.architecture:
            raise ValueError(
                f"{folder}/config.json: holds a {content['architecture']}, not a {cls.architecture}; "
                "load_encoder loads what is there"
            )
        weights = read_weights(folder, "encoder")
        try:
            options = content["config"] | changes
            with within(weights, options):
                encoder = cls(**options)
            encoder.provenance = Provenance(**content.get("provenance", {}))
        except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
            raise ValueError(f"{folder}/config.json: does not build a {cls.architecture}: {error}") from error
        promised, declared = content.get("input") or {}, encoder.input_declaration()
        for key in _PROMISES:
            if key in promised and key not in changes and promised[key] != declared.get(key):
                raise ValueError(
                    f"{folder}/config.json: the weights read {key} {promised[key]!r}, but the encoder that this "
                    f"version of motionrep builds from it reads {declared.get(key)!r}"
                )
        try:
            require_fit(cls.architecture, weights, encoder.state_dict(), encoder.frames, _names_by_architecture)
        except ValueError as error:
            raise ValueError(f"{folder}/model.safetensors: {error}") from error
        require_sealed(folder, content)
        encoder.load_state_dict(weights)
        encoder.name = content.get("name", folder.name)
        digest = digest_of(encoder.state_dict())
        encoder.eval().digest = digest if changes.keys() <= {"drop_path"} else None
        encoder._loaded = (encoder.provenance, digest)
        return encoder

    def _card(self, weights: bytes) -> str:
        sha256 = hashlib.sha256(weights).hexdigest()
        return encoder_card(self.name, self.architecture, self.input_declaration(), self.provenance, sha256)

    def _require_loadable(self) -> None:
        """Raises ValueError when what is saved would be loaded as another encoder, or not at all."""
        if ENCODERS.get(self.architecture) is not type(self):
            raise ValueError(f"encoder {self.name!r}: {type(self).__name__} names no `architecture` to load it by")
        with torch.device("meta"):
            again = self.rebuilt()
        declared, rebuilt = self.input_declaration(), again.input_declaration()
        for key in _PROMISES:
            if declared.get(key) != rebuilt.get(key):
                raise ValueError(
                    f"encoder {self.name!r}: reads {key} {declared.get(key)!r}, but its config builds one that reads "
                    f"{rebuilt.get(key)!r}, so what is saved could not be loaded; build it with the right {key}"
                )
        try:
            require_fit(f"the config of encoder {self.name!r}", self.state_dict(), again.state_dict())
        except ValueError as error:
            raise ValueError(
                f"{error}; so what is saved could not be loaded: merge adapters and take parametrisations off first"
            ) from error


def _is_free(folder: Path) -> bool:
    """Whether the folder is an encoder's, or has nothing that saving one would replace."""
    if not (folder / "config.json").exists():
        return not (folder / "README.md").exists()
    try:
        content = read_json(folder / "config.json")
    except ValueError:
        return False
    return isinstance(content, dict) and "architecture" in content


def _names_by_architecture() -> dict[str, list[str]]:
    with torch.device("meta"):
        return {name: list(build().state_dict()) for name, build in ENCODERS.items()}
