"""Loads an encoder by the name of shipped weights, from a folder, a published checkpoint or the Hugging Face Hub."""

from pathlib import Path

from motionrep.encoders.base import Encoder, weights_digest
from motionrep.encoders.published import load_published
from motionrep.encoders.saving import ENCODERS
from motionrep.files.contents import look
from motionrep.files.kinds import require_kind
from motionrep.files.naming import did_you_mean
from motionrep.weights import find_shipped, shipped, shipped_versions
from motionrep.weights.folders import digest_of, read_config, read_weights
from motionrep.weights.hub import FILES, downloaded, is_hub_id


def load_encoder(name_or_path: str | Path, revision: str | None = None) -> Encoder:
    """An encoder in evaluation mode, in float32, on the CPU.

    Args:
        name_or_path: Tried in this order:

            - the name of shipped weights; `name@1` is an older version of them,
            - a folder written by `save_pretrained`,
            - a published checkpoint file (`motionrep.encoders.load_published` also gives its pose head),
            - a Hugging Face Hub id `owner/name`.

            A `Path` that exists is that file or folder, even under the name of shipped weights.
        revision: Of a Hub id: the branch, tag or commit; its newest state when None.

    Raises:
        ValueError: Nothing of that name, no such version, or files that are damaged or do not fit the architecture.
    """
    path, folder = Path(name_or_path), find_shipped("encoder", name_or_path)
    if revision is not None and (folder is not None or path.exists()):
        raise ValueError(f"{name_or_path}: is here already, and revision {revision!r} is for the Hub; leave it out")
    if folder is not None or path.is_dir():
        return _from_folder(folder or path)
    if path.name in FILES and path.is_file():
        raise ValueError(f"{path}: a file of an encoder's folder; pass the folder, {path.parent}")
    if path.is_file():
        require_kind(look(path), "weights", "unknown")  # published checkpoints have many forms
        encoder = load_published(path)[0]
        encoder.digest = weights_digest(encoder)
        return encoder
    if is_hub_id(name_or_path):
        return _from_folder(downloaded(str(name_or_path), "encoder", revision=revision))
    known = shipped("encoder")
    raise ValueError(
        f"no encoder {str(name_or_path)!r}: not a shipped name ({', '.join(known) or 'none shipped'}), "
        f"not a folder or file{did_you_mean(str(name_or_path), known)}"
    )


def shipped_encoder(name: str, digest: str | None) -> str | None:
    """What `load_encoder` calls the shipped weights of this name and digest; None if they do not ship.

    This is `name` itself for the newest version, `name@1` for an older one. Without a digest it is the newest version.
    """
    versions = shipped_versions("encoder", name)
    for version, folder in versions.items():
        if digest in (None, digest_of(read_weights(folder, "encoder"))):
            return name if version == max(versions) else f"{name}@{version}"
    return None


def _from_folder(folder: Path) -> Encoder:
    architecture = read_config(folder, "encoder")["architecture"]
    if architecture not in ENCODERS:
        raise ValueError(
            f"{folder}/config.json: unknown architecture {architecture!r} (known: {', '.join(ENCODERS)}); if another "
            "package defines it, import that first"
        )
    return ENCODERS[architecture].from_folder(folder)
