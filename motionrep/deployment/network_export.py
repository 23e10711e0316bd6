"""Exports encoders, alone or with a head, to files that run without motionrep: ONNX, and torch.export's .pt2."""

import json
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders import Encoder, as_encoder
from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.head_api.contract import require_same_encoder

EXPORT_SUFFIXES = (".onnx", ".pt2")
DECLARATION = "motionrep.json"

# torch.export takes a window of this many frames, the size of its batch of examples, for one that never changes.
_SIZE_TAKEN_FOR_FIXED = 2

_UNITS = {
    "embedding": "batch x frames x 17 joints x channels, no unit",
    "position_m": "batch x frames x 17 joints x 3, metres, relative to the pelvis; x right, y down, z forward",
    "local_rotmat": "batch x frames x 24 joints (SMPL order) x 3 x 3, rotations relative to the parent joint; "
    "the root's to camera axes, x right, y down, z forward",
    "betas": "batch x {betas}, shape of body {body}, no unit",
    "logit": "batch x classes, before the softmax",
}


def export_encoder(
    encoder: Encoder,
    path: str | Path,
    head: nn.Module | Mapping[str, nn.Module] | None = None,
    progress: bool = False,
) -> None:
    """Writes a network from a batch of windows to a representation, or to heads' outputs. The suffix says the format.

    * `.onnx`: for onnxruntime and others. The metadata of the file says what has to be fed, with an entry for each of
      `Encoder.input_declaration` and an entry `outputs`. Batches may have any size. Encoders whose window is not fixed
      read clips of any length up to it. Needs the extra `export`.
    * `.pt2`: for `torch.export.load`, also from C++. Batches of any size, always whole windows. The declaration is
      the extra file `motionrep.json`.

    The input `keypoints` is what `motionrep.embedding.inputs.encoder_input` returns: `batch frames 17 inputs`, float32,
    converted to Human3.6M-17, normalised. Outputs have the names of the head's. Of several heads with an output of the
    same name, the name of the head comes before it, as in `pose3d-ktpformer-s_position_m`. Without a head there is one,
    `embedding`; if a published checkpoint's head returns one tensor, it is called `output`. A head takes every frame as
    seen: pad short clips with their last frame, and leave out the rest of the result.

    Args:
        head: A head, or several by name.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        TypeError: It is no encoder.
        ValueError: Another suffix, or a head that does not fit the encoder.
        ImportError: A library that ONNX needs is not installed.
        OSError: The file cannot be written.
    """
    path, encoder = Path(path), as_encoder(encoder)
    suffix = path.suffix.lower()
    if suffix not in EXPORT_SUFFIXES:
        raise ValueError(f"{path}: encoders are exported to {' or '.join(EXPORT_SUFFIXES)}, got suffix {suffix!r}")
    if suffix == ".onnx" and (missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]):
        raise ImportError(f'ONNX needs {" and ".join(missing)}: pip install "motionrep[export]"')
    heads = {"head": head} if isinstance(head, nn.Module) else dict(head or {})
    for one in heads.values():
        require_same_encoder(one, encoder)
    model = _Windows(encoder, heads)
    declaration = _declaration(encoder, heads, model)
    any_length = suffix == ".onnx" and not declaration["fixed_window"] and declaration["frames"] > _SIZE_TAKEN_FOR_FIXED
    free = {0: torch.export.Dim.DYNAMIC} | ({1: torch.export.Dim.DYNAMIC} if any_length else {})
    with _quiet(), torch.no_grad(), progress_bar(None, "export", "step", progress, 2) as bar:
        program = torch.export.export(model, (model.example(),), dynamic_shapes={"keypoints": free})
        bar.update()
        if suffix == ".pt2":
            with written_beside(path) as beside:
                torch.export.save(program, beside, extra_files={DECLARATION: json.dumps(declaration, indent=2)})
            return
        names = {axis: ("batch", "frames")[axis] for axis in free}
        onnx = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=["keypoints"], output_names=list(model.names),
            dynamic_shapes={"keypoints": names},
        )  # fmt: skip
    assert onnx is not None  # as it is with dynamo=True
    for key, value in declaration.items():
        onnx.model.metadata_props[key] = value if isinstance(value, str) else json.dumps(value)
    with written_beside(path) as beside:
        onnx.save(str(beside), external_data=False)


class _Windows(nn.Module):
    """The encoder and the heads as one module.

    Its outputs come in the order of `names`; `sources` has the place of the head and its own name of each.
    """

    encoder: Encoder

    def __init__(self, encoder: Encoder, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder, self.heads = deepcopy(encoder), nn.ModuleList(map(deepcopy, heads.values()))
        self.float().cpu().eval().requires_grad_(False)
        self.names: tuple[str, ...] = ("embedding",)
        self.sources: tuple[tuple[int, str], ...] = ()
        if heads:
            self._name_outputs(encoder, list(heads))

    @torch.no_grad()
    def _name_outputs(self, encoder: Encoder, titles: Sequence[str]) -> None:
        embedding = self.encoder(self.example())
        sources = []
        for index, head in enumerate(self.heads):
            try:
                sources += [(index, name) for name in _outputs(head, embedding)]
            except RuntimeError as error:
                raise ValueError(f"{type(head).__name__} does not fit encoder {encoder.name!r}: {error}") from error
        counts = Counter(name for _, name in sources)
        self.sources = tuple(sources)
        self.names = tuple(f"{titles[index]}_{name}" if counts[name] > 1 else name for index, name in sources)

    def example(self) -> Float[Tensor, "batch frames joints inputs"]:
        """Two windows of noise."""
        shape = (2, self.encoder.frames, self.encoder.layout.joint_count, self.encoder.input_channels)
        return torch.rand(shape, generator=torch.Generator().manual_seed(0))

    def forward(self, keypoints: Float[Tensor, "batch frames joints inputs"]) -> tuple[Tensor, ...]:
        embedding = self.encoder(keypoints)
        if not self.sources:
            return (embedding,)
        outputs = [_outputs(head, embedding) for head in self.heads]
        return tuple(outputs[index][name] for index, name in self.sources)


def _outputs(head: nn.Module, embedding: Tensor) -> dict[str, Tensor]:
    """What a head gives when every frame was seen, by name."""
    if not hasattr(head, "predict"):  # the bare layers of a published checkpoint (`from_published`)
        result = head(embedding)
        return result if isinstance(result, dict) else {"output": result}
    return head(embedding, torch.ones_like(embedding[:, :, 0, 0], dtype=torch.bool))


def _declaration(encoder: Encoder, heads: Mapping[str, nn.Module], model: _Windows) -> dict[str, Any]:
    """What the file says of itself; of several heads, `labels` are those of the last one that has any."""
    declaration = {"architecture": encoder.architecture, "name": encoder.name} | encoder.input_declaration()
    del declaration["output"]
    classes = [type(head).__name__ for head in heads.values()]
    declaration["outputs"] = {"embedding": _UNITS["embedding"]} if not heads else {
        title: _unit(name, list(heads.values())[index])
        for title, (index, name) in zip(model.names, model.sources, strict=True)
    }  # fmt: skip
    if heads:
        declaration["head"] = ", ".join(classes)
    for head in heads.values():
        if labels := getattr(head, "labels", None):
            declaration["labels"] = list(labels)
    return declaration


def _unit(output: str, head: nn.Module) -> str:
    """Shape and unit of an output, of a body with its name."""
    body = getattr(head, "body", None)
    said = {} if body is None else {"betas": body.beta_count, "body": Path(body.name).name}
    return _UNITS[output].format(**said) if output in _UNITS else f"see {type(head).__name__}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences torch's remarks about packages that are not needed here."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
