"""Model cards: what weights were trained on, how well they do, and how to load them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motionrep.files.units import readable, worded


@dataclass(frozen=True)
class Provenance:
    """Where weights come from. The model card says "not stated" for whatever is left out.

    Attributes:
        data: What they were trained on.
        minutes: How much motion that is.
        recipe: How they were trained.
        licence: The licence of the weights as an SPDX identifier, such as `Apache-2.0`.
        limits: What they are not meant for.
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


def model_card(name: str, kind: str, provenance: Provenance, sha256: str, use: str, about: str) -> str:
    """README.md of a folder of weights: a header for the Hugging Face Hub, how to load them, where they come from.

    Args:
        kind: "encoder" or "head".
        sha256: The digest of model.safetensors.
        use: Python code that loads them.
        about: Markdown that says what goes in and what comes out.
    """
    from huggingface_hub import EvalResult, ModelCardData

    loader = f"motionrep.load_{kind}"

    known = [
        (result, metric, *readable(metric, value, result["units"].get(metric, "")))
        for result in provenance.metrics for metric, value in result["metrics"].items()
    ]  # fmt: skip
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
                metric_name=f"{metric} {unit}".rstrip() + f", head {result['head']}",
                metric_value=round(float(value), 4),
            )
            for result, metric, value, unit in known
        ]
        or None,
    )
    minutes = f" ({provenance.minutes:g} minutes of motion)" if provenance.minutes else ""
    measured = "\n".join(map(quoted, provenance.metrics)) or "Nothing stated."
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
- **sha256** of model.safetensors: `{sha256}`; config.json has it as well, and loading compares them
- **From the Hugging Face Hub** take a commit, as `{loader}("OWNER/{name}", revision="...")`: the newest may change
- **How**: {provenance.recipe or "not stated"}

## Measured

{measured}
"""


def encoder_card(
    name: str, architecture: str, declaration: Mapping[str, Any], provenance: Provenance, sha256: str
) -> str:
    """The model card of an encoder with this input declaration (`Encoder.input_declaration`)."""
    window = "windows of" if declaration["fixed_window"] else "clips of up to"
    rate = "at any frame rate" if declaration["fps"] is None else f"at {declaration['fps']:g} frames per second"
    about = (
        f"An encoder of motionrep, architecture `{architecture}`: 2D keypoints of a person in, a "
        f"representation of every joint in every frame out.\n\n"
        f"It reads {window} {declaration['frames']} frames {rate}, layout {declaration['layout']}, channels "
        f"{', '.join(declaration['input_channels'])}, normalisation {declaration['normalisation']!r} "
        f"({declaration['normalisation_formula']}). `motionrep.embed` converts, normalises and cuts clips by itself; "
        f"config.json has the whole declaration.\n\nOutput: {declaration['output']}."
    )
    use = (
        "import motionrep\n\n"
        f'encoder = motionrep.load_encoder("{name}")  # its name if it ships, this folder, or its Hub id\n'
        'clips = motionrep.load_keypoints("clip.json", size_px=(1920, 1080))\n'
        "embedding = motionrep.embed(clips[0], encoder)"
    )
    return model_card(name, "encoder", provenance, sha256, use, about)


def quoted(result: Mapping[str, Any]) -> str:
    """A result of `motionrep evaluate`, with its protocol, as an item of a Markdown list."""
    numbers = ", ".join(
        f"{name} {worded(name, value, result['units'].get(name, ''))}" for name, value in result["metrics"].items()
    )
    protocol = ", ".join(f"{key} {value}" for key, value in result["protocol"].items())
    return f"- **{numbers}** (head {result['head']}; {protocol})"
