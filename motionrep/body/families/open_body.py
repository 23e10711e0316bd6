"""The open body, which comes with the package: made of MakeHuman's data by `motionrep.body.open_body`."""

from pathlib import Path

from motionrep.body.finding import BodySource
from motionrep.body.model import BodyModel
from motionrep.body.smpl_format import read_smpl_body

_FILE = Path(__file__).parents[1] / "open_body.npz"


def _load(name: str, betas: int) -> BodyModel:
    return read_smpl_body(_FILE, name, betas)


BODIES = {"open": BodySource(_load)}
