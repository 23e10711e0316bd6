"""Weights on the Hugging Face Hub: their ids, and their download."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

logger = logging.getLogger(__name__)

FILES = ("model.safetensors", "config.json", "README.md")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_hub_id(name: str | Path) -> bool:
    """Whether a name has the form `owner/name`, or `owner/name@revision`."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(@[\w][\w./-]*)?", str(name)) is not None


def snapshot(hub_id: str, files: Sequence[str], revision: str | None = None, **options: Any) -> Path:
    """The folder of a repository, downloaded unless it is in the cache. Says the commit where none was asked for.

    Args:
        hub_id: `owner/name`, or `owner/name@revision` with a branch, a tag or a commit.
        files: Their names; no others are downloaded.
        revision: The same; it goes before that of the id.
        options: Those of huggingface_hub's `snapshot_download`.

    Raises:
        ValueError: No repository can have such an id.
        OSError: It cannot be read.
    """
    repository, _, own = hub_id.partition("@")
    wanted = revision or own or None
    folder = Path(snapshot_download(repository, revision=wanted, allow_patterns=list(files), **options))
    if _COMMIT.fullmatch(folder.name) and wanted != folder.name:
        logger.info("%s: took its commit %s; pin it as %s@%s", hub_id, folder.name[:8], repository, folder.name)
    return folder


def downloaded(repository: str, kind: str, **options: Any) -> Path:
    """Downloads a repository of weights, unless it is in the cache, and returns its folder.

    Args:
        repository: As `snapshot`.
        kind: What it holds, for messages: "encoder" or "head".
        options: As `snapshot`.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        return snapshot(repository, FILES, **options)
    except (OSError, ValueError) as error:
        here = "a shipped name, folder or file here" if kind == "encoder" else "a shipped name or folder here"
        raise ValueError(
            f"no {kind} {repository!r}: not {here}, and the Hugging Face Hub could not be read "
            f"({type(error).__name__}); without a connection download the folder elsewhere and pass its path"
        ) from error
