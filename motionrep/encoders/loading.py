"""The table of encoders, and where their weights are found."""

import difflib
from pathlib import Path
from typing import Any

from motionrep.encoders.architectures.dstformer import DSTformer
from motionrep.encoders.architectures.ktpformer import KTPFormer
from motionrep.encoders.architectures.mixste import MixSTE
from motionrep.encoders.architectures.motionagformer import MotionAGFormer
from motionrep.encoders.architectures.ssr_stf import SSRSTF
from motionrep.encoders.base import Shareable, load_folder, read_config, weights_digest
from motionrep.encoders.published import load_published
from motionrep.weights import is_here, shipped
from motionrep.weights.hub import FILES, downloaded, is_hub_id

ENCODERS: dict[str, type[Any]] = {
    "ktpformer": KTPFormer,
    "dstformer": DSTformer,
    "mixste": MixSTE,
    "motionagformer": MotionAGFormer,
    "ssr_stf": SSRSTF,
}


def load_encoder(name_or_path: str | Path, revision: str | None = None) -> Shareable:
    """An encoder in evaluation mode, in float32, on the CPU.

    Args:
        name_or_path: In this order: the name of shipped weights, a folder written by `save_pretrained`, a published
            checkpoint file (its pose head: `motionrep.encoders.load_published`), a Hugging Face Hub id `owner/name`.
            A `Path` that exists is that, even under the name of shipped weights.
        revision: Of a Hub id: the branch, tag or commit; its newest state when None.

    Raises:
        ValueError: Nothing of that name, or files that are damaged or do not fit the architecture.
    """
    path, known = Path(name_or_path), {} if is_here(name_or_path) else shipped("architecture")
    if revision is not None and (str(name_or_path) in known or path.exists()):
        raise ValueError(f"{name_or_path}: is here already, and revision {revision!r} is for the Hub; leave it out")
    if str(name_or_path) in known:
        return _from_folder(known[str(name_or_path)])
    if path.is_dir():
        return _from_folder(path)
    if path.name in FILES and path.is_file():
        raise ValueError(f"{path}: a file of an encoder's folder; pass the folder, {path.parent}")
    if path.is_file():
        encoder = load_published(path)[0]
        encoder.digest = weights_digest(encoder)
        return encoder
    if is_hub_id(name_or_path):
        return _from_folder(downloaded(str(name_or_path), "encoder", revision=revision))
    near = difflib.get_close_matches(str(name_or_path), known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"no encoder {str(name_or_path)!r}: not a shipped name ({', '.join(known) or 'none shipped'}), "
        f"not a folder or file{hint}"
    )


def _from_folder(folder: Path) -> Shareable:
    config = read_config(folder)
    architecture = config.get("architecture")
    if architecture not in ENCODERS:
        raise ValueError(f"{folder}/config.json: unknown architecture {architecture!r} (known: {', '.join(ENCODERS)})")
    return load_folder(ENCODERS[architecture], folder, config)
