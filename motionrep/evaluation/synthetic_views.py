"""Scores of a head on held-out motion that random cameras and a simulated detector see."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.body.identity import body_digest
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.clips import PER_FRAME, EveryWindow, SynthesizedClips
from motionrep.embedding.encoding import encode
from motionrep.embedding.inputs import normalised_for
from motionrep.encoders import Encoder
from motionrep.evaluation.scores import SCORED_OUTPUTS, Scores
from motionrep.files.progress import progress_bar
from motionrep.files.units import UNITS
from motionrep.files.writing import write_json
from motionrep.head_api.flip_averaging import flip_averaged_output
from motionrep.layouts import H36M_17, find_layout
from motionrep.pipeline.networks import load_networks

FPS = 30.0
_WINDOW = 81
_ACTION_WINDOW, _ACTION_STRIDE = 60, 30


@dataclass(frozen=True)
class SyntheticViews:
    """How clips are seen and read; all of it is part of the protocol.

    Attributes:
        split: Which part of the data.
        layout: What the simulated detector reports: h36m_17, coco_17 or halpe_26.
        views: Random cameras, bodies and detections for each window.
        seed: Decides the cameras, bodies and detections.
        precision: Arithmetic of the encoder.
        own_betas: People have the betas of their motion files instead of random ones.
        flip: Averages with what is made of the mirrored clip (`head_api.flip_averaging`).
        held_out: A list of people (`datasets.held_out.read_held_out`), whose clips are taken instead of a split.
    """

    split: Literal["train", "val"] = "val"
    layout: str = "h36m_17"
    views: int = 4
    seed: int = 1000
    precision: Literal["float32", "bfloat16"] = "float32"
    flip: bool = False
    own_betas: bool = False
    held_out: str | None = None


def evaluate(
    data: Path | Sequence[Path],
    encoder: str,
    head: str,
    output: Path | None = None,
    options: SyntheticViews = SyntheticViews(),
    device: str | torch.device = "cpu",
    body: str | None = None,
) -> dict[str, Any]:
    """Scores of a trained encoder and head on the clips of a motion folder.

    Args:
        data: Folder or folders of motion files, as for `motionrep finetune`.
        encoder: What `load_encoder` takes.
        head: What `load_head` takes.
        output: A JSON file to write the result to.
        options: How the clips are seen.
        device: Where the networks compute.
        body: Where the head's body is, if not under the name it was trained with.

    Returns:
        `metrics`, `units`, and the `protocol` they were measured under; compare only numbers of equal protocols. A head
        with none of `SCORED_OUTPUTS` has its own loss as metrics: `loss`, and its terms as `loss_NAME`.

    Raises:
        ValueError: Encoder and head were not trained together, the data have no clip for the head, or `flip` with a
            head that has none of `SCORED_OUTPUTS`.
    """
    network, heads = load_networks([head], encoder, device, body)
    (trained,) = heads.values()
    labels = tuple(getattr(trained, "labels", ()))
    posed = deepcopy(trained.body).cpu() if hasattr(trained, "body") else load_body_model("open")
    folder = motion_clips(data, options.split, options.held_out, posed.name)
    clips = [clip for clip in folder if not labels or clip.core]
    if labels and not clips:
        raise ValueError(
            f"{_named_folders(data)}: no clip of a core class in split {options.split!r}; scores of actions need an "
            "index.csv with action and core"
        )
    window, stride = (_ACTION_WINDOW, _ACTION_STRIDE) if labels else (_WINDOW, _WINDOW)
    samples = SynthesizedClips(
        clips, window, window, FPS, options.seed, EveryWindow(stride, options.views, options.own_betas),
        labels=labels, layout=find_layout(options.layout), body=posed,
    )  # fmt: skip
    counts = {"clips": len(clips), "windows": len(samples), "window_frames": window, "stride_frames": stride}
    result = {
        "metrics": _metrics(samples, network, trained, labels, options, torch.device(device)),
        "units": UNITS,
        "protocol": _protocol(counts, posed, options),
        "encoder": encoder,
        "head": head,
    }
    if output is not None:
        write_json(result, output)
    return result


def motion_clips(
    data: Path | Sequence[Path], split: str, held_out: str | None, body_model: str = "open"
) -> list[MotionClip]:
    """The clips of a split of motion folders; with a list of held-out people (`read_held_out`) theirs of all splits.

    Raises:
        ValueError: As `load_motion_folder` and `read_held_out`; or none of the clips is of these people.
        FileNotFoundError: As both.
    """
    folders = _folders(data)
    patterns = None if held_out is None else read_held_out(held_out)
    chosen = split if patterns is None else None
    clips = [clip for folder in folders for clip in load_motion_folder(folder, chosen, body_model=body_model)]
    if patterns is None:
        return clips
    found = [clip for clip in clips if is_held_out(clip, patterns)]
    if not found:
        raise ValueError(
            f"{_named_folders(data)}: none of {len(clips)} clips has a name of the list {held_out!r}; give the folders "
            "that these people are in"
        )
    return found


def _folders(data: Path | Sequence[Path]) -> list[Path]:
    return [data] if isinstance(data, Path) else list(data)


def _named_folders(data: Path | Sequence[Path]) -> str:
    return ", ".join(map(str, _folders(data)))


def people_of(split: str, held_out: str | None) -> dict[str, str]:
    """What a protocol says of whose clips `motion_clips` takes."""
    return {"split": split} if held_out is None else {"held_out": held_out}


def _protocol(counts: dict[str, int], body: BodyModel, options: SyntheticViews) -> dict[str, Any]:
    return {
        "id": "synthetic-views-1",
        **people_of(options.split, options.held_out),
        **counts,
        "fps": FPS,
        "views_per_window": options.views,
        "seed": options.seed,
        "keypoints": f"{options.layout} with simulated detector noise",
        "bodies": f"{_named(body)}, {'betas of the motion files' if options.own_betas else 'betas N(0, 1)'}",
        "alignment": "pelvis (mid hips) at the origin, no scale alignment except in pa_mpjpe",
        "precision": options.precision,
        "flip_averaging": options.flip,
    }


def _named(body: BodyModel) -> str:
    return "open body" if body.name == "open" else f"body {Path(body.name).name} ({body_digest(body)[:12]})"


def single_view(samples: SynthesizedClips, index: int) -> dict[str, Tensor]:
    """A sample as a batch of one, without the frames that pad it."""
    batch = samples.__getitems__([(0, index)])
    frames = int(batch["valid"].sum())
    return {name: tensor[:, :frames] if name in PER_FRAME else tensor for name, tensor in batch.items()}


@torch.no_grad()
def _metrics(
    samples: SynthesizedClips,
    network: Encoder,
    trained: Any,
    labels: tuple[str, ...],
    options: SyntheticViews,
    device: torch.device,
) -> dict[str, float]:
    scores, losses = Scores(FPS, body=samples.body), []
    for index in progress_bar(range(len(samples)), "evaluate", "view"):
        view = {name: tensor.to(device) for name, tensor in single_view(samples, index).items()}
        output = _output(view, network, trained, labels, options)
        if any(name in output for name in SCORED_OUTPUTS):
            scores.add(output, view)
        else:
            losses.append(trained.loss(output, view))
    return scores.result() | _mean_loss(losses)


def _output(
    view: Mapping[str, Tensor], network: Encoder, trained: Any, labels: tuple[str, ...], options: SyntheticViews
) -> dict[str, Tensor]:
    """What the head gives for one view, or its mean with what it gives for the mirror image."""

    def of(keypoints: Tensor) -> dict[str, Tensor]:
        inputs = normalised_for(keypoints, network)
        values = encode(inputs, FPS, network, device=inputs.device, dtype=getattr(torch, options.precision))
        return trained(values[None].to(inputs.device), view["valid"])

    seen = view["keypoints"][0]
    output = of(seen)
    if not options.flip:
        return output
    if not any(name in output for name in SCORED_OUTPUTS):
        raise ValueError(
            f"flip averaging knows the outputs {', '.join(SCORED_OUTPUTS)}, the head has {', '.join(output)}; "
            "leave it out for this head"
        )
    mirrored = seen[:, list(H36M_17.flip_indices)] * seen.new_tensor([-1.0, 1.0, 1.0])
    return flip_averaged_output(output, of(mirrored), labels)


def _mean_loss(losses: list[Mapping[str, Tensor]]) -> dict[str, float]:
    """The mean over clips of a head's loss and of its terms; nothing without clips."""
    names = dict.fromkeys(name for terms in losses for name in terms)
    means = {name: float(sum(terms[name] for terms in losses if name in terms)) / len(losses) for name in names}
    return {"loss": sum(means.values())} | {f"loss_{name}": mean for name, mean in means.items()} if means else {}
