"""Versions and packages that are installed."""

import json
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from importlib.util import find_spec
from pathlib import Path

import torch

import motionrep
from motionrep.cli.doctor.findings import Finding

_PACKAGE = Path(motionrep.__file__).parent
_MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}  # distributions whose modules have other names
_EXTRAS_FOR = {
    "video": "writing .mp4",
    "tables": "Parquet tables of embeddings",
    "train": "motionrep finetune and pretrain",
    "lora": "finetuning with tune: lora",
    "export": "encoders as ONNX files",
    "view": "motionrep view",
    "report": "motionrep report",
    "gl": "drawing with OpenGL",
    "smplx": "comparing our skinning with that package's; its licence is non-commercial",
}
_COLLECTIONS = ("all", "dev")  # extras that name other extras, and tools for working on motionrep itself


def versions() -> Iterator[Finding]:
    """Versions of Python, motionrep and torch."""
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("versions", "Python", "works", f"{platform.python_version()} on {system}, {sys.executable}")
    yield Finding("versions", "motionrep", "works", f"{version('motionrep')} in {_PACKAGE}")
    yield Finding("versions", "torch", "works", torch.__version__)


def packages() -> Iterator[Finding]:
    """The distributions that motionrep and its extras require."""
    present, others = [], []
    for requirement in requires("motionrep") or ():
        name, extra = re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0], re.search(r"extra == .(\w+)", requirement)
        if extra and (extra[1] in _COLLECTIONS or name == "motionrep"):
            continue
        use = f"{_EXTRAS_FOR.get(extra[1], extra[1])} (extra {extra[1]!r})" if extra else "required"
        least = re.search(r">=\s*([\d.]+)", requirement)
        fix = f'pip install "motionrep[{extra[1]}]"' if extra else f'pip install "{requirement}"'
        have = _installed(name)
        if have is None:
            others.append(Finding("packages", name, "missing", use, fix, needed=extra is None))
        elif least and _numbers(have) < _numbers(least[1]):
            fix = f'pip install "{name}>={least[1]}"'
            others.append(Finding("packages", name, "broken", f"{have} is too old for {use}", fix, extra is None))
        elif extra:
            others.append(Finding("packages", name, "works", f"{have}, {use}"))
        else:
            present.append(f"{name} {have}")
    yield Finding("packages", "required", "works", ", ".join(present))
    yield from others


def reinstall() -> str:
    """The command that restores the files that come with motionrep."""
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file():
        return f"git -C {checkout} restore motionrep/weights motionrep/body/open_body.npz"
    source = json.loads(distribution("motionrep").read_text("direct_url.json") or "{}")  # PEP 610
    return f'pip install --force-reinstall --no-deps "{source.get("url", "motionrep")}"'


def _installed(name: str) -> str | None:
    """The version of a distribution; None if it is not installed or cannot be imported."""
    try:
        found = find_spec(_MODULES.get(name, name.replace("-", "_"))) is not None
        return version(name) if found else None
    except (PackageNotFoundError, ValueError):  # find_spec refuses modules without a spec
        return None


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release.partition("+")[0])[:3])
