"""What is said about an encoder beside its weights: what it reads, where it comes from, how well it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from motionrep.layouts import COCO_17, CocoRecipe, JointLayout, to_h36m_17

_NORMALISATIONS = {
    "width": "x_px / width_px * 2 - 1 and y_px / width_px * 2 - height_px / width_px",
    "crop": "x and y in one square about all seen joints of the clip, whose side is crop_ratio times theirs, "
    "from -1 to 1 in it",
}


@dataclass(frozen=True)
class Provenance:
    """Where weights come from. Everything may be left out; what is, the card says is not known.

    Attributes:
        data: What they were trained on.
        minutes: How much motion that is.
        recipe: How they were trained.
        licence: Of the weights, as an SPDX identifier: `Apache-2.0`.
        limits: What they were not made for.
        metrics: Results as `motionrep evaluate` writes them, each with `metrics`, `units`, `protocol` and `head`.
        datasets: Hugging Face Hub ids of the data, if it is there.
    """

    data: str = ""
    minutes: float | None = None
    recipe: str = ""
    licence: str = ""
    limits: str = ""
    metrics: Sequence[Mapping[str, Any]] = ()
    datasets: Sequence[str] = ()


def input_declaration(encoder: nn.Module) -> dict[str, Any]:
    """What has to be fed to the encoder and what it returns, ready for JSON.

    `coco_17` has the weights of the COCO-17 keypoints that make each Human3.6M-17 joint, for x and for y; joints that
    are not there are COCO's joints of the same name.
    """
    known = cast(Any, encoder)
    layout: JointLayout = known.layout
    declaration = {
        "layout": layout.name,
        "joints": list(layout.joints),
        "input_channels": ["x", "y", "confidence"][: known.input_channels],
        "normalisation": known.normalisation,
        "normalisation_formula": _NORMALISATIONS[known.normalisation],
        "unseen": "x, y and confidence 0" if known.input_channels == 3 else "on a line between the frames that saw it",
        "frames": known.frames,
        "fixed_window": getattr(known, "fixed_window", True),
        "fps": known.fps,
        "output": f"representation, frames x {layout.joint_count} joints x {known.channels} channels, no unit",
        "coco_recipe": getattr(known, "coco_recipe", "motionbert"),
    }
    declaration["coco_17"] = _coco_weights(layout, declaration["coco_recipe"])
    if known.normalisation == "crop":
        declaration["crop_ratio"] = known.crop_ratio
    return declaration


def model_card(name: str, kind: str, provenance: Provenance, sha256: str, use: str, about: str) -> str:
    """README.md of a folder of weights: a header for the Hub, then how to load them and where they come from.

    Args:
        kind: "encoder" or "head".
        sha256: Of model.safetensors.
        use: Python that loads them.
        about: What goes in and what comes out, Markdown.
    """
    from huggingface_hub import EvalResult, ModelCardData

    known = [(result, metric, value) for result in provenance.metrics for metric, value in result["metrics"].items()]
    header = ModelCardData(
        license=provenance.licence.lower() or None,
        library_name="motionrep",
        tags=["motionrep", kind, "human-motion", "keypoints"],
        datasets=list(provenance.datasets) or None,
        model_name=name,
        eval_results=[
            EvalResult(
                task_type="keypoint-detection",
                dataset_type=result["protocol"]["id"],
                dataset_name=f"{result['protocol']['id']}, {result['protocol'].get('keypoints', '')}".rstrip(", "),
                dataset_split=result["protocol"].get("split"),
                metric_type=metric,
                metric_name=f"{metric} {result['units'].get(metric, '')}".rstrip() + f", head {result['head']}",
                metric_value=round(float(value), 4),
            )
            for result, metric, value in known
        ]
        or None,
    )
    minutes = f" ({provenance.minutes:g} minutes of motion)" if provenance.minutes else ""
    return f"""---
{header}
---

# {name}

{about}

```python
{use}
```

## Where it comes from

- **Data**{minutes}: {provenance.data or "not stated"}
- **Limits**: {provenance.limits or "not stated"}
- **Licence** of the weights: {provenance.licence or "not stated; ask who trained them before you use them"}
- **sha256** of model.safetensors: `{sha256}`
- **How**: {provenance.recipe or "not stated"}

## Measured

{chr(10).join(map(quoted, provenance.metrics)) or "Nothing stated."}
"""


def quoted(result: Mapping[str, Any]) -> str:
    """A result of `motionrep evaluate` as an item of a Markdown list, with its protocol."""
    numbers = ", ".join(
        f"{name} {value:.4g} {result['units'].get(name, '')}".rstrip() for name, value in result["metrics"].items()
    )
    protocol = ", ".join(f"{key} {value}" for key, value in result["protocol"].items())
    return f"- **{numbers}** (head {result['head']}; {protocol})"


def _coco_weights(layout: JointLayout, recipe: CocoRecipe) -> dict[str, dict[str, dict[str, float]]]:
    joints = COCO_17.joint_count
    one_at_a_time = torch.eye(joints)[..., None].expand(joints, joints, 2)
    made, _ = to_h36m_17(one_at_a_time, torch.ones(joints, joints), COCO_17, recipe)  # coco h36m 2
    weights = {
        axis: {
            joint: {source: round(float(w), 6) for source, w in zip(COCO_17.joints, column, strict=True) if w}
            for joint, column in zip(layout.joints, made[..., index].T, strict=True)
        }
        for index, axis in enumerate("xy")
    }
    return {
        axis: {joint: parts for joint, parts in made_of.items() if parts != {joint: 1.0}}
        for axis, made_of in weights.items()
    }
