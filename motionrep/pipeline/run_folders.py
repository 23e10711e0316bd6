"""The encoder and the heads that a training run left, to be used as they are."""

import os
from pathlib import Path
from typing import Any

from motionrep.encoders import Encoder
from motionrep.encoders.loading import load_encoder, shipped_encoder
from motionrep.files.texts import read_json
from motionrep.files.writing import write_json
from motionrep.head_api.loading import load_head

_FORMAT = "motionrep encoder reference 1"
_REFERENCE = "encoder.json"


def write_encoder_reference(encoder: Encoder, source: str, digest: str, run: Path) -> None:
    """Writes which encoder the heads of a run belong to, where the run does not save it because it was frozen.

    Args:
        source: What `load_encoder` took.
        digest: Of the encoder's weights.
        run: The run folder, which then holds `encoder.json`.
    """
    content: dict[str, Any] = {"format": _FORMAT, "name": encoder.name, "digest": digest, "source": source}
    if Path(source).exists():
        content |= {"path": str(Path(source).resolve()), "path_from_here": os.path.relpath(source, run)}
    write_json(content, run / _REFERENCE)


def run_networks(run: Path | str, encoder: Path | str | None = None) -> tuple[Path | str, list[Path]]:
    """What `load_encoder` takes to load the encoder of a run, and the folders of its heads, the judged one first.

    Args:
        run: The folder of a finished `motionrep finetune` or `pretrain`.
        encoder: Where the encoder is, if the run does not know it; None for the one that it names.

    Raises:
        FileNotFoundError: No such folder, or the encoder that was frozen is no longer where it was.
        ValueError: The run is not finished, or the folder is no run.
    """
    run = Path(run)
    if not run.is_dir():
        raise FileNotFoundError(f"{run}: no such folder; give the --output of motionrep finetune or pretrain")
    if not (run / "head" / "config.json").is_file():
        if (run / "config.yaml").is_file():
            raise ValueError(f"{run}: the run is not finished, it has no head/ yet; go on with it by --resume")
        raise ValueError(f"{run}: no run of motionrep finetune or pretrain, it has no head/; give their --output")
    heads = [run / "head", *sorted(folder for folder in run.glob("head_*") if (folder / "config.json").is_file())]
    if encoder is not None:
        return encoder, heads
    if (run / "encoder").is_dir():
        return run / "encoder", heads
    return _referred(run, heads[0]), heads


def _referred(run: Path, head: Path) -> Path | str:
    """The encoder that a run used without changing it."""
    path = run / _REFERENCE
    if not path.is_file():  # runs of motionrep 0.1.0
        trained = load_head(head)
        name = shipped_encoder(trained.trained_on, trained.trained_on_digest)
        if name is None:
            raise FileNotFoundError(f"{run}: does not say where encoder {trained.trained_on!r} is; pass --encoder")
        return name
    try:
        reference = read_json(path)
        name, digest, source = (str(reference[key]) for key in ("name", "digest", "source"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: damaged ({type(error).__name__}: {error}); pass --encoder") from error
    places = [run / reference["path_from_here"], Path(reference["path"])] if "path" in reference else []
    for place in places:
        if place.exists() and load_encoder(place).digest == digest:
            return place
    if places:
        raise FileNotFoundError(
            f"{run}: its frozen encoder {name!r} (sha256 {digest[:12]}...) is not at {places[1]} any more; "
            "pass its folder as --encoder"
        )
    return shipped_encoder(name, digest) or source
