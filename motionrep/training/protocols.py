"""The published protocols of a run's labelled data sets: what was trained, scored on their test parts."""

from pathlib import Path

from motionrep.evaluation.protocols.registry import PROTOCOLS
from motionrep.evaluation.published import evaluate_protocol
from motionrep.training.clips import TrainingClips
from motionrep.training.config import FinetuneConfig
from motionrep.training.module import TrainingModule


def write_protocols(config: FinetuneConfig, clips: TrainingClips, module: TrainingModule, output: Path) -> None:
    """Writes protocol_NAME.json for each protocol that the first head of a run folder can be scored by.

    One-shot protocols score the encoder. Of several data sets of one protocol the last one counts.
    """
    encoder = str(config.encoder) if config.tune == "frozen" else str(output / "encoder")
    classifies = hasattr(next(iter(module.heads.values())), "labels")
    for of in clips.labelled:
        if of.protocol is None or of.scored is None:
            continue
        protocol = PROTOCOLS[of.protocol]
        if protocol.needs_head and (protocol.of == "actions") != classifies:
            continue
        given = {**config.protocol_options, **of.options}
        evaluate_protocol(
            of.protocol, of.scored, encoder, str(output / "head") if protocol.needs_head else None,
            output / f"protocol_{of.protocol}.json", device=str(module.device),
            options={name: value for name, value in given.items() if name in protocol.options},
        )  # fmt: skip
