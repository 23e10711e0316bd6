"""What a head is, and how one is found, saved and loaded.

A head turns an encoder's representation into something a person wants. Any installed package may add heads through
the entry point group "motionrep.heads" (name -> class); those of motionrep itself come the same way.
"""

import difflib
import functools
import json
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from motionrep.encoders import load_published, weights_digest
from motionrep.encoders.strict import require_fit, require_same_weights
from motionrep.files import written_beside
from motionrep.hub import FILES, downloaded, is_hub_id
from motionrep.types import MotionEmbedding
from motionrep.weights import is_here, shipped

GROUP = "motionrep.heads"
Batch = Mapping[str, Tensor]
R = TypeVar("R")


@runtime_checkable
class Head(Protocol):
    """An `nn.Module` built as `HeadClass(channels=..., **config)`; `channels` is the encoder's output width.

    Output names that the evaluation knows: `position_m` (batch frames 17 3: Human3.6M-17 points relative to the pelvis,
    camera axes), `local_rotmat` (batch frames 24 3 3) with `betas` (batch 10), and `logit` (batch classes).
    A head with other outputs trains just as well and is judged by its validation loss.
    """

    config: dict[str, Any]

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        """Named outputs. `valid` is False for frames that only pad a short clip to the encoder's window, and, where
        `representation_of` gives it, for those in which nobody was seen."""
        ...

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Named, weighted scalar terms; training minimises their sum. Batches are described in `datasets.synthesis`."""
        ...

    def predict(self, embedding: MotionEmbedding) -> Any:
        """What the head has to say about one clip, as one of the types in `motionrep.types` or its own."""
        ...


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


def representation_of(
    embedding: MotionEmbedding,
) -> tuple[Float[Tensor, "1 frames joints channels"], Bool[Tensor, "1 frames"]]:
    """An embedding as a batch of one: the two arguments of `Head.forward`.

    Frames in which the person was not seen are not valid, unless the person never was.
    """
    seen = embedding.seen_frames().to(embedding.values.device)
    return embedding.values[None], (seen | ~seen.any())[None]


def float32_inference(predict: Callable[..., R]) -> Callable[..., R]:
    """Makes a head's `predict` compute in float32 and without gradients, also where `torch.autocast` is on."""

    @functools.wraps(predict)
    def run(head: Any, embedding: MotionEmbedding, *args: Any, **options: Any) -> R:
        with torch.no_grad(), torch.autocast(embedding.values.device.type, enabled=False):
            return predict(head, embedding, *args, **options)

    return run


def require_same_encoder(head: nn.Module, embedding: MotionEmbedding) -> None:
    """Raises ValueError when a trained head is given embeddings of another encoder than its own."""
    require_encoder(head, embedding.encoder, embedding.encoder_digest)


def require_encoder(head: nn.Module, name: str, digest: str | None) -> None:
    """Raises ValueError when a trained head would get embeddings of another encoder, or other weights, than its own."""
    wanted = getattr(head, "trained_on", None)
    if wanted is not None and wanted != name:
        raise ValueError(
            f"{type(head).__name__} was trained on embeddings of encoder {wanted!r}, got one of {name!r}; "
            f"embed the clip with load_encoder({wanted!r})"
        )
    require_same_weights(head, name, digest)


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
