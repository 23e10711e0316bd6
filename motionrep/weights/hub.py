"""Weights on the Hugging Face Hub: their ids, and their download."""

import re
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

FILES = ("model.safetensors", "config.json", "README.md")


def is_hub_id(name: str | Path) -> bool:
    """Whether a name has the form `owner/name`."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", str(name)) is not None


def downloaded(repository: str, kind: str, **options: Any) -> Path:
    """Downloads a repository of weights, unless it is in the cache, and returns its folder.

    Args:
        kind: What it holds, for messages: "encoder" or "head".
        options: Those of huggingface_hub's `snapshot_download`.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        return Path(snapshot_download(repository, allow_patterns=list(FILES), **options))
    except (OSError, ValueError) as error:
        here = "a shipped name, folder or file here" if kind == "encoder" else "a shipped name or folder here"
        raise ValueError(
            f"no {kind} {repository!r}: not {here}, and the Hugging Face Hub could not be read "
            f"({type(error).__name__}); without a connection download the folder elsewhere and pass its path"
        ) from error
