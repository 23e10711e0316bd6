"""The published protocols as a table, for the command line, `evaluate_protocol` and docs/protocols.md.

A new protocol is a file with a function and an entry here. The file is imported when the protocol is used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal


@dataclass(frozen=True)
class Protocol:
    """A published evaluation.

    Attributes:
        title: What it measures, in a line.
        function: "module:function" of `function(data: Path, predictor: Predictor, **options: str)`. It returns
            `metrics`, `units` and `protocol`: an `id` and everything else that decides over the numbers.
        options: Help text of each option that the function takes.
        needs_head: False for protocols that compare embeddings; they take heads that give vectors, if any.
        of: What the head predicts.
    """

    title: str
    function: str
    options: Mapping[str, str] = field(default_factory=dict)
    needs_head: bool = True
    of: Literal["poses", "actions"] = "poses"

    def load(self) -> Callable[..., dict[str, Any]]:
        """Imports the function."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(module), name)


_SCORING = "published, as the authors' code counts, or relative, every frame once after the pelvis was subtracted"
_NTU = "motionrep.evaluation.protocols.ntu"
_ENSEMBLE = {"ensemble": "folders of further runs, separated by commas, whose probabilities are averaged with these"}

PROTOCOLS = {
    "h36m": Protocol(
        "Human3.6M, subjects 9 and 11: 17 joints, mean over the actions",
        "motionrep.evaluation.protocols.h36m:evaluate_h36m",
        {"detector": "which data_2d_h36m_DETECTOR.npz, such as gt or cpn_ft_h36m_dbb", "scoring": _SCORING},
    ),
    "3dhp": Protocol(
        "MPI-INF-3DHP, six test sequences: PCK, AUC and joint errors",
        "motionrep.evaluation.protocols.mpi_inf_3dhp:evaluate_3dhp",
        {
            "annotation": "what the file holds, univ_annot3 or annot3 (default: univ_annot3)",
            "fps": "frame rate of the sequences, which the file does not tell (default: 25)",
            "scoring": _SCORING,
        },
    ),
    "3dpw": Protocol(
        "3DPW, test sequences: 14 joints and surfaces",
        "motionrep.evaluation.protocols.threedpw:evaluate_3dpw",
        {
            "regressor": "J_regressor_h36m.npy of SPIN, for the joints of published numbers",
            "male": "body of the men, by name or a SMPL file (default: smpl-male)",
            "female": "body of the women (default: smpl-female)",
        },
    ),
    "motionbert-mesh": Protocol(
        "MotionBERT's mesh files, test part: surfaces, 14 and 17 joints",
        "motionrep.evaluation.protocols.motionbert_mesh:evaluate_motionbert_mesh",
        {
            "regressor": "J_regressor_h36m_correct.npy, for the joints of published numbers",
            "neutral": "SMPL's neutral body, by name or a file (default: smpl-neutral)",
        },
    ),
    "ntu60-xsub": Protocol(
        "NTU RGB+D, 60 actions, tested on other subjects", f"{_NTU}:evaluate_ntu60_xsub", _ENSEMBLE, of="actions"
    ),
    "ntu60-xview": Protocol(
        "NTU RGB+D, 60 actions, tested on another camera", f"{_NTU}:evaluate_ntu60_xview", _ENSEMBLE, of="actions"
    ),
    "ntu120-xsub": Protocol(
        "NTU RGB+D 120, 120 actions, tested on other subjects", f"{_NTU}:evaluate_ntu120_xsub", _ENSEMBLE, of="actions"
    ),
    "ntu120-xset": Protocol(
        "NTU RGB+D 120, 120 actions, tested in other setups", f"{_NTU}:evaluate_ntu120_xset", _ENSEMBLE, of="actions"
    ),
    "ntu120-oneshot": Protocol(
        "NTU RGB+D 120, 20 new actions from one sample each", f"{_NTU}:evaluate_ntu120_oneshot", needs_head=False
    ),
}
