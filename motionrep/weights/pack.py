"""Packs a finished run for shipping: float16 weights and a model card that says how they were made.

python -m motionrep.weights.pack RUN encoder ktpformer-s --scores metrics.json ...
python -m motionrep.weights.pack RUN head mesh-ktpformer-s --encoder ktpformer-s --scores metrics.json ...
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motionrep.encoders import load_encoder, save_encoder
from motionrep.head_api import load_head, save_head, trained_head_name

_CARD = """# {name}

{kind_title} of motionrep, trained by that project. Licence: Apache-2.0.

- **Data**: CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu, created with funding from NSF EIA-0196217), 65
  training clips of subjects 1 to 14 in the BVH conversion of B. Hahne; bodies, cameras and detections are simulated.
  No photograph and no licensed body model took part.
- **How**: `motionrep finetune` with the configuration below{after}, commit {commit}, torch {torch}. {note}
- **Limits**: one person, the whole body roughly in the picture; about nine minutes of motion, mostly walking, sitting,
  dancing and ball games. Distances and sizes are as uncertain as any single camera's.
- **sha256** of the weights before they were rounded to float16: `{digest}`

## Measured

{scores}

## Configuration

```yaml
{config}```
"""


def pack(
    run: Path, kind: str, name: str, folder: Path, scores: Sequence[Path], encoder: str, after: str = "", note: str = ""
) -> None:
    """Writes `folder/name` from the run folder of `motionrep finetune`.

    Args:
        kind: "encoder" or "head".
        scores: Files written by `motionrep evaluate`; quoted in the card with their protocols.
        encoder: The shipped name of the encoder that a head belongs to.
        after: What the run started from, a clause for the card.
        note: A sentence for the card, such as the hardware and the time.
    """
    versions = json.loads((run / "versions.json").read_text())
    digest = hashlib.sha256((run / kind / "model.safetensors").read_bytes()).hexdigest()
    card = _CARD.format(
        name=name, kind_title=kind.title(), after=after, note=note, digest=digest,
        commit=versions["commit"], torch=versions["torch"],
        scores="\n".join(_quoted(json.loads(path.read_text())) for path in scores),
        config=(run / "config.yaml").read_text(),
    )  # fmt: skip
    if kind == "encoder":
        network: Any = load_encoder(run / "encoder").half()
        network.name = name
        save_encoder(network, folder / name, card)
    else:
        head = load_head(run / "head").half()
        save_head(head, folder / name, trained_head_name(run / "head"), encoder, card)


def _quoted(result: dict) -> str:
    numbers = ", ".join(
        f"{name} {value:.4g} {result['units'].get(name, '')}".rstrip() for name, value in result["metrics"].items()
    )
    protocol = ", ".join(f"{key} {value}" for key, value in result["protocol"].items())
    return f"- **{numbers}** (head {result['head']}; {protocol})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("kind", choices=("encoder", "head"))
    parser.add_argument("name")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--scores", type=Path, nargs="*", default=[])
    parser.add_argument("--encoder", default="")
    parser.add_argument("--after", default="")
    parser.add_argument("--note", default="")
    pack(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
