"""Encoders in folders: model.safetensors, config.json and a model card."""

import difflib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from motionrep.encoders.dstformer import DSTformer
from motionrep.encoders.ktpformer import KTPFormer
from motionrep.encoders.mixste import MixSTE
from motionrep.encoders.motionagformer import MotionAGFormer
from motionrep.encoders.published import load_published, require_fit
from motionrep.encoders.ssr_stf import SSRSTF
from motionrep.files import written_beside
from motionrep.weights import shipped

ENCODERS: dict[str, Callable[..., Any]] = {
    "ktpformer": KTPFormer,
    "dstformer": DSTformer,
    "mixste": MixSTE,
    "motionagformer": MotionAGFormer,
    "ssr_stf": SSRSTF,
}


def load_encoder(name_or_path: str | Path) -> nn.Module:
    """An encoder in evaluation mode, in float32, on the CPU.

    Args:
        name_or_path: In this order: the name of shipped weights, a folder written by `save_encoder`, a published
            checkpoint file (its pose head: `motionrep.encoders.load_published`), a Hugging Face Hub id `owner/name`.

    Raises:
        ValueError: Nothing of that name, or files that are damaged or do not fit the architecture.
    """
    path, known = Path(name_or_path), shipped("architecture")
    if str(name_or_path) in known:
        return _load_folder(known[str(name_or_path)])
    if path.is_dir():
        return _load_folder(path)
    if path.is_file():
        return load_published(path)[0]
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", str(name_or_path)):
        return _load_folder(_downloaded(str(name_or_path)))
    near = difflib.get_close_matches(str(name_or_path), known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"no encoder {str(name_or_path)!r}: not a shipped name ({', '.join(known) or 'none shipped'}), "
        f"not a folder or file{hint}"
    )


def save_encoder(encoder: nn.Module, folder: str | Path, card: str = "") -> None:
    """Writes the encoder, under its `name`, to a folder that `load_encoder` reads; an older folder is replaced.

    Weights keep their dtype.

    Args:
        card: The model card, Markdown; README.md says only what the configuration is when empty.
    """
    folder = Path(folder)
    config = {"architecture": encoder.architecture, "name": encoder.name, "config": encoder.config}
    text = json.dumps(config, indent=2) + "\n"
    with written_beside(folder) as beside:
        beside.mkdir()
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
        save_file(weights, beside / "model.safetensors")
        (beside / "config.json").write_text(text, encoding="utf-8")
        (beside / "README.md").write_text(card or f"# {encoder.name}\n\n```json\n{text}```\n", encoding="utf-8")


def _load_folder(folder: Path) -> nn.Module:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a whole encoder (config.json and model.safetensors): {error}") from error
    architecture = config.get("architecture") if isinstance(config, dict) else None
    if architecture not in ENCODERS:
        raise ValueError(f"{folder}/config.json: unknown architecture {architecture!r} (known: {', '.join(ENCODERS)})")
    try:
        encoder = ENCODERS[architecture](**config["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}/config.json: 'config' does not build a {architecture}: {error}") from error
    weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    try:
        require_fit(architecture, weights, encoder.state_dict())
    except ValueError as error:
        raise ValueError(f"{folder}/model.safetensors: {error}") from error
    encoder.load_state_dict(weights, strict=True)
    encoder.name = config.get("name", folder.name)
    return encoder.eval()


def _downloaded(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=["config.json", "model.safetensors", "README.md"]))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no encoder {repository!r}: not a shipped name, folder or file here, and the Hugging Face Hub could not "
            f"be read ({type(error).__name__}); without a connection download the folder elsewhere and pass its path"
        ) from error
