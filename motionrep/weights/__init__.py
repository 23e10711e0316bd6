"""Shipped weights: one folder each, with model.safetensors, config.json and a model card (README.md)."""

import json
from pathlib import Path
from typing import Literal


def is_here(name_or_path: str | Path) -> bool:
    """Whether a file or folder is meant, though its name may be one of the shipped weights."""
    return isinstance(name_or_path, Path) and name_or_path.exists()


def shipped(kind: Literal["architecture", "head"]) -> dict[str, Path]:
    """Folders of the shipped encoders ("architecture") or heads ("head") by name."""
    configs = sorted(Path(__file__).parent.glob("*/config.json"))
    return {path.parent.name: path.parent for path in configs if kind in json.loads(path.read_text(encoding="utf-8"))}
