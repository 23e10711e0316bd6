"""Packs a finished run for shipping: float16 weights and a model card that tells how they were made.

python -m motionrep.training.pack RUN encoder ktpformer-s --scores metrics.json ...
python -m motionrep.training.pack RUN head mesh-ktpformer-s --encoder ktpformer-s --scores metrics.json ...

Pack the encoder first: a head stores the digest of the packed encoder that it belongs to.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import yaml

import motionrep.weights
from motionrep.encoders import Provenance, load_encoder
from motionrep.encoders.model_cards import model_card
from motionrep.head_api.loading import load_head, save_head, trained_head_name

_DATA = (
    "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu, created with funding from NSF EIA-0196217), "
    "{clips} of subjects 1 to 14 in the BVH conversion of B. Hahne; bodies, cameras and detections are simulated. "
    "No photograph and no licensed body model took part."
)
_CLIPS_AND_MINUTES = {
    "none": ("65 training clips", 9.0),
    "core": ("the 58 training clips of the 12 core classes", 6.8),
    "core_and_rest": ("65 training clips, 58 of them labelled with one of 12 actions,", 9.0),
}
# What motionrep.datasets.free_motions makes, together with CMU's motion files, less the people that are held out.
_MORE_MINUTES = 30.0
_MORE_DATA = (
    "The last step had 98 clips of 17 subjects: more subjects and clips of CMU's as 3D joints, ReActIdle (Atxa Landa "
    "et al. 2025, MIT), Animated Drawings (MIT) and the clips of DeepMimic (zlib). The people of the list {held_out} "
    "were left out."
)
_PROCEDURAL = "{procedural_minutes:g} minutes of procedural motion came on top."
_PICKED = "The shipped epoch is the best one on the validation clips, seen from other cameras than for the scores."
_LIMITS = (
    "one person, the whole body roughly in the picture; mostly walking, sitting, dancing and ball games. Distances and "
    "sizes are as uncertain as any single camera's."
)


def pack(
    run: Path, kind: str, name: str, folder: Path, scores: Sequence[Path], encoder: str, after: str = "",
    note: str = "", version: int = 1,
) -> None:  # fmt: skip
    """Writes `folder/name` from the run folder of `motionrep finetune`.

    Args:
        kind: "encoder", or the folder of a head in the run: "head" or "head_NAME".
        name: Name under which it ships.
        scores: Files written by `motionrep evaluate`, quoted in the card with their protocols.
        encoder: The shipped name of the encoder that a head belongs to.
        after: What the run started from, a clause for the card.
        note: A sentence for the card, such as the hardware and the time.
        version: One more than the last if weights of this name have shipped before; rename their folder to
            `name@version` first.
    """
    versions = json.loads((run / "versions.json").read_text(encoding="utf-8"))
    config = (run / "config.yaml").read_text(encoding="utf-8")
    for folder_of_runs in (run.parent.resolve(), run.parent):  # the card names no folder of this machine
        config = config.replace(f"{folder_of_runs}/", "")
    settings = yaml.safe_load(config)
    clips, minutes = _CLIPS_AND_MINUTES[settings["classes"]]
    data = _DATA.format(clips=clips)
    if settings.get("held_out"):
        minutes, data = _MORE_MINUTES, f"{data} {_MORE_DATA.format(**settings)}"
    if settings.get("procedural"):
        data = f"{data} {_PROCEDURAL.format(**settings)}"
    provenance = Provenance(
        data=data,
        minutes=minutes,
        recipe=f"trained with the configuration below{after}, commit {versions['commit']}, torch "
        f"{versions['torch']}; float16. {note} {_PICKED}\n\n```yaml\n{config}```",
        licence="Apache-2.0",
        limits=_LIMITS,
        metrics=[json.loads(path.read_text(encoding="utf-8")) for path in scores],
    )
    if kind == "encoder":
        network = load_encoder(run / "encoder").half()
        network.name, network.provenance = name, provenance
        network.save_pretrained(folder / name, version=version)
        return
    head = load_head(run / kind).half()
    belongs = folder / encoder
    digest = load_encoder(belongs if belongs.is_dir() else encoder).digest
    write = {"name": trained_head_name(run / kind), "encoder": encoder, "encoder_digest": digest, "version": version}
    save_head(head, folder / name, **write)
    sha256 = hashlib.sha256((folder / name / "model.safetensors").read_bytes()).hexdigest()
    use = f'import motionrep\n\nhead = motionrep.load_head("{name}")\nresult = head.predict(embedding)'
    about = f"A head of motionrep for embeddings of the encoder `{encoder}`."
    save_head(head, folder / name, **write, card=model_card(name, "head", provenance, sha256, use, about))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("kind", help="encoder, head or head_NAME")
    parser.add_argument("name")
    parser.add_argument("--folder", type=Path, default=Path(motionrep.weights.__file__).parent)
    parser.add_argument("--scores", type=Path, nargs="*", default=[])
    parser.add_argument("--encoder", default="")
    parser.add_argument("--after", default="")
    parser.add_argument("--note", default="")
    parser.add_argument("--version", type=int, default=1)
    pack(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
