"""Heads by name, from a folder or from the Hugging Face Hub; saving them."""

import difflib
import json
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from motionrep.encoders import load_published, weights_digest
from motionrep.files.writing import written_beside
from motionrep.weights import is_here, shipped
from motionrep.weights.fit import require_fit
from motionrep.weights.hub import FILES, downloaded, is_hub_id

GROUP = "motionrep.heads"


def head_entry_points() -> dict[str, EntryPoint]:
    """Every installed head by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def head_class(name: str) -> Any:
    """The class registered under a name. Raises ValueError that lists the installed heads."""
    installed = head_entry_points()
    if name not in installed:
        near = difflib.get_close_matches(name, installed, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown head {name!r}{hint} (installed: {', '.join(sorted(installed))}); "
            f"a package adds one through the entry point group {GROUP!r}"
        )
    return installed[name].load()


def save_head(
    head: nn.Module, folder: Path, name: str, encoder: str, card: str = "", encoder_digest: str | None = None
) -> None:
    """Writes `model.safetensors`, `config.json` and, as README.md, the card.

    Args:
        name: The entry point under which the head's class is registered.
        encoder: Name of the encoder whose embeddings the head was trained on.
        encoder_digest: Which weights it had (`encoders.weights_digest`).

    Raises:
        ValueError: The folder holds something else than a head, which would be lost.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: holds something that is no head and would be lost; choose another folder")
    with written_beside(folder) as beside:
        beside.mkdir()
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in head.state_dict().items()}
        save_file(tensors, beside / "model.safetensors")
        config = {"head": name, "config": head.config, "encoder": encoder, "encoder_digest": encoder_digest}
        (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        if card:
            (beside / "README.md").write_text(card)


def load_head(name_or_folder: str | Path, revision: str | None = None, **changes: Any) -> Any:
    """A trained head, an `nn.Module` and a `Head` at once, ready to predict.

    Args:
        name_or_folder: In this order: the name of a shipped head such as "mesh-ktpformer-s", a folder written by
            `save_head`, a published checkpoint of KTPFormer or MixSTE (its pose head), a Hugging Face Hub id
            `owner/name` of such a folder. A `Path` that exists is that folder, even under the name of a shipped head.
        revision: Of a Hub id: the branch, tag or commit; its newest state when None.
        changes: Replaces entries of the configuration it is built with, such as `losses` to train on with.

    Raises:
        FileNotFoundError: Neither a shipped head nor a folder, nor a Hub id.
        ValueError: The head's class is not installed, the files are damaged or do not fit it, the checkpoint's head
            gives no metres, or the Hub could not be read.
    """
    if Path(name_or_folder).is_file() and str(name_or_folder) not in shipped("head"):
        if Path(name_or_folder).name in FILES:
            raise ValueError(f"{name_or_folder}: a file of a folder; pass the folder, {Path(name_or_folder).parent}")
        return _published_pose_head(Path(name_or_folder))
    folder = _head_folder(name_or_folder, revision)
    config = _head_config(folder)
    try:
        weights = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a whole head (config.json and model.safetensors): {error}") from error
    name = config["head"]
    try:
        head = head_class(name)(**(config["config"] | changes))
    except (TypeError, ValueError) as error:
        told = f" with {', '.join(changes)} changed" if changes else ""
        raise ValueError(f"{folder}/config.json: 'config'{told} does not build a head {name!r}: {error}") from error
    weights = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}
    try:
        require_fit(f"head {name!r}", weights, head.state_dict())
    except ValueError as error:
        raise ValueError(f"{folder}/model.safetensors: {error}") from error
    head.load_state_dict(weights)
    head.trained_on, head.trained_on_digest = config["encoder"], config["encoder_digest"]
    return head.eval()


def trained_head_name(name_or_folder: str | Path) -> str:
    """The entry point under which the class of a trained head is registered."""
    return _head_config(_head_folder(name_or_folder))["head"]


def _published_pose_head(path: Path) -> Any:
    """The pose head of a published checkpoint as head `pose3d`, which computes the same, relative to the pelvis."""
    encoder, published = load_published(path)
    if not isinstance(published, nn.Sequential):
        raise ValueError(
            f"{path}: the head of a published {encoder.architecture} does not give a pose in metres, so it cannot "
            "predict clips; motionrep.encoders.load_published gives it as it is"
        )
    norm, position = published
    head = head_class("pose3d")(channels=encoder.config["channels"])
    head.norm.load_state_dict(norm.state_dict())
    head.position.load_state_dict(position.state_dict())
    head.trained_on, head.trained_on_digest = encoder.name, weights_digest(encoder)
    return head.eval()


def _head_folder(name_or_folder: str | Path, revision: str | None = None) -> Path:
    known = {} if is_here(name_or_folder) else shipped("head")
    folder = known.get(str(name_or_folder), Path(name_or_folder))
    if revision is not None and folder.is_dir():
        raise ValueError(f"{name_or_folder}: is here already, and revision {revision!r} is for the Hub; leave it out")
    if not folder.is_dir():
        if is_hub_id(name_or_folder):
            return downloaded(str(name_or_folder), "head", revision=revision)
        near = difflib.get_close_matches(str(name_or_folder), known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise FileNotFoundError(
            f"no head {str(name_or_folder)!r}: not a shipped name ({', '.join(known) or 'none shipped'}), "
            f"not a folder{hint}"
        )
    return folder


def _head_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        required = {key: config[key] for key in ("head", "config", "encoder")}
        return required | {"encoder_digest": config.get("encoder_digest")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}/config.json: not that of a head ('head', 'config', 'encoder'): {error!r}"
        ) from error
