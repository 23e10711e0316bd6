"""Loads heads by name, from a folder or from the Hugging Face Hub, and saves them."""

import inspect
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from torch import nn

from motionrep.encoders import from_published, weights_digest
from motionrep.encoders.loading import shipped_encoder
from motionrep.encoders.motionbert_heads import MotionBERTAction, MotionBERTEmbedding, MotionBERTMesh
from motionrep.encoders.published import read_published
from motionrep.files.naming import did_you_mean
from motionrep.files.reading import reading
from motionrep.files.writing import write_json, written_beside
from motionrep.head_api.contract import trained_on
from motionrep.head_api.published_actions import PublishedAction, PublishedOneShot
from motionrep.head_api.published_heads import PublishedMesh, PublishedPose
from motionrep.weights import find_shipped, shipped
from motionrep.weights.building import within
from motionrep.weights.fit import require_fit
from motionrep.weights.folders import format_of, read_config, read_weights, require_sealed, sealed, serialised
from motionrep.weights.hub import FILES, downloaded, is_hub_id

GROUP = "motionrep.heads"


def head_entry_points() -> dict[str, EntryPoint]:
    """Every installed head by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def head_class(name: str) -> Any:
    """The class registered under a name. Raises ValueError that lists the installed heads."""
    installed = head_entry_points()
    if name not in installed:
        raise ValueError(
            f"unknown head {name!r}{did_you_mean(name, installed)} (installed: {', '.join(sorted(installed))}); "
            f"a package adds one through the entry point group {GROUP!r}"
        )
    return installed[name].load()


def takes_body(name: str) -> bool:
    """Whether heads of a class, by the name that it is registered under, recover a body that can be chosen."""
    return "body" in inspect.signature(head_class(name)).parameters


def save_head(
    head: nn.Module,
    folder: Path,
    name: str,
    encoder: str,
    card: str = "",
    encoder_digest: str | None = None,
    version: int = 1,
) -> None:
    """Writes `model.safetensors`, `config.json` and, as README.md, the card.

    Args:
        name: The entry point under which the head's class is registered.
        encoder: Name of the encoder whose embeddings the head was trained on.
        encoder_digest: The `encoders.weights_digest` of that encoder.
        version: Which head of the folder's name this is, where several ship.

    Raises:
        ValueError: The folder holds something else than a head, which would be lost.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: holds something that is no head and would be lost; choose another folder")
    config = {"format": format_of("head"), "head": name, "version": version, "config": head.config}
    config |= {"encoder": encoder, "encoder_digest": encoder_digest}
    weights = serialised(head.state_dict())
    with written_beside(folder) as beside:
        beside.mkdir()
        (beside / "model.safetensors").write_bytes(weights)
        write_json(sealed(config, weights), beside / "config.json")
        if card:
            (beside / "README.md").write_text(card, encoding="utf-8")


def load_head(name_or_folder: str | Path, revision: str | None = None, **changes: Any) -> Any:
    """A trained head, an `nn.Module` and a `Head` at once, ready to predict.

    Args:
        name_or_folder: Tried in this order:

            - the name of a shipped head, such as "mesh-ktpformer-s"; "mesh-ktpformer-s@1" is an older version of it,
            - a folder written by `save_head`,
            - a published checkpoint of KTPFormer, MixSTE, MotionAGFormer or MotionBERT (its pose, mesh, action or
              one-shot head); a mesh head needs SMPL's neutral body, or another one as `body`,
            - a Hugging Face Hub id `owner/name` of such a folder.

            A `Path` that exists is that file or folder, even under the name of a shipped head.
        revision: Of a Hub id: the branch, tag or commit; its newest state when None.
        changes: Replaces entries of the configuration it was saved with, such as `losses` for further training. Of a
            published checkpoint, those that `load_published` takes.

    Raises:
        FileNotFoundError: Neither a shipped head nor a folder, nor a Hub id.
        ValueError: The head's class is not installed, the files are damaged or do not fit it, the head does not ship in
            this version, or the Hub could not be read.
    """
    path = Path(name_or_folder)
    if path.is_file() and find_shipped("head", name_or_folder) is None:
        if path.name in FILES:
            raise ValueError(f"{path}: a file of a folder; pass the folder, {path.parent}")
        return _published_head(path, **changes)
    folder = _head_folder(name_or_folder, revision)
    config, weights = read_config(folder, "head"), read_weights(folder, "head")
    name = config["head"]
    trained_for = config["config"].get("body", "open") if "body_digest" in config["config"] else "open"
    if changes.get("body", "open") != "open" and trained_for == "open":
        raise ValueError(
            f"{folder}: a head of the open body, got body {changes['body']!r}; train one for that body with "
            "motionrep finetune --body"
        )
    build = head_class(name)
    try:
        options = config["config"] | changes
        with within(weights, options):
            head = build(**options)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        told = f" with {', '.join(changes)} changed" if changes else ""
        raise ValueError(f"{folder}/config.json: 'config'{told} does not build a head {name!r}: {error}") from error
    try:
        require_fit(f"head {name!r}", weights, head.state_dict())
    except ValueError as error:
        raise ValueError(f"{folder}/model.safetensors: {error}") from error
    require_sealed(folder, config)
    head.load_state_dict(weights)
    head.trained_on, head.trained_on_digest = config["encoder"], config.get("encoder_digest")
    return head.eval()


def encoder_of(head: nn.Module) -> str | None:
    """What `load_encoder` takes to load the shipped encoder that a head was trained on; None if that does not ship.

    A head that was trained on an older version of the encoder finds it by its digest: "ktpformer-s@1".
    """
    name, digest = trained_on(head)
    return None if name is None else shipped_encoder(name, digest)


def trained_head_name(name_or_folder: str | Path) -> str:
    """The entry point under which the class of a trained head is registered."""
    return read_config(_head_folder(name_or_folder), "head")["head"]


def _published_head(path: Path, body: str = "smpl-neutral", **changes: Any) -> Any:
    """The head of a published checkpoint: `pose3d` of KTPFormer and MixSTE, else one of `published_heads`."""
    with reading(path):
        encoder, published = from_published(*read_published(path), **changes)
    if isinstance(published, nn.Sequential):
        norm, position = published
        head: Any = head_class("pose3d")(channels=encoder.channels, pelvis="predicted")
        head.norm.load_state_dict(norm.state_dict())
        head.position.load_state_dict(position.state_dict())
    elif isinstance(published, MotionBERTMesh):
        head = PublishedMesh(published, body)
    elif isinstance(published, MotionBERTAction):
        head = PublishedAction(published, encoder)
    elif isinstance(published, MotionBERTEmbedding):
        head = PublishedOneShot(published, encoder)
    else:
        head = PublishedPose(published)
    head.trained_on, head.trained_on_digest = path.stem, weights_digest(encoder)
    return head.eval()


def _head_folder(name_or_folder: str | Path, revision: str | None = None) -> Path:
    folder = find_shipped("head", name_or_folder) or Path(name_or_folder)
    if revision is not None and folder.is_dir():
        raise ValueError(f"{name_or_folder}: is here already, and revision {revision!r} is for the Hub; leave it out")
    if folder.is_dir():
        return folder
    if is_hub_id(name_or_folder):
        return downloaded(str(name_or_folder), "head", revision=revision)
    known = shipped("head")
    raise FileNotFoundError(
        f"no head {str(name_or_folder)!r}: not a shipped name ({', '.join(known) or 'none shipped'}), "
        f"not a folder{did_you_mean(str(name_or_folder), known)}"
    )
