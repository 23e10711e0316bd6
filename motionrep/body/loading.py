"""Loads body models by name or from a file."""

from pathlib import Path

from torch import nn

from motionrep.body.finding import USUAL_BETAS, body_folder
from motionrep.body.model import BodyModel
from motionrep.body.registry import BODIES
from motionrep.body.smpl_format import read_smpl_body
from motionrep.body.smplx_objects import body_of_smplx_object, known_object


def load_body_model(name_or_path: str | Path | nn.Module, betas: int | None = None) -> BodyModel:
    """A body model by name, from a file, or from a model object of the `smplx` package.

    "open" is the body that comes with the package. It is made of freely licensed MakeHuman data and has SMPL's 24
    joints and rest pose, 6,999 vertices and no pose correctives. Its ten betas are its own: betas of SMPL mean nothing
    on it.

    "smpl-neutral", "smplh-male", "smplx-female" and the other names of `motionrep.body.registry` are files in the
    user's folder of bodies, under the names they are downloaded with. A motion for a body by name can be used on any
    machine that has the body.

    A path is a file of SMPL, SMPL-H or SMPL-X as it is downloaded, .pkl or .npz; the models have to be obtained under
    their licence. Pickles are read without chumpy and without running anything in them. Their arrays are kept next to
    them as .npz (`motionrep.body.smpl_files`). SMPL-H has hands, SMPL-X hands, jaw and eyes (`BodyModel` names their
    joints).

    "anny" is Anny, of the package `anny`, with 13,718 vertices, 104 joints of its own and six phenotypes as betas.

    A body from an object (`smplx.create(...)`) has a name of its own, under which motions find it for as long as the
    program runs.

    Args:
        betas: How many shape directions are used, 10 when None; files have up to 300. Anny has 6.

    Raises:
        FileNotFoundError: There is no such file, or none for that name.
        ValueError: The file is not one of SMPL's, asks to import what those need not, or has fewer betas; the message
            says what.
    """
    name = "" if isinstance(name_or_path, nn.Module) else str(name_or_path)
    if name in BODIES:
        return BODIES[name].load(name, BODIES[name].betas if betas is None else betas)
    betas = USUAL_BETAS if betas is None else betas
    if isinstance(name_or_path, nn.Module):
        return body_of_smplx_object(name_or_path, betas)
    if (given := known_object(name, betas)) is not None:
        return given
    path = Path(name_or_path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; pass the path of a SMPL, SMPL-H or SMPL-X file (.pkl, .npz), or the name of a "
            f"body: {', '.join(BODIES)}; files of bodies by name belong in {body_folder()}"
        )
    return read_smpl_body(path, name, betas)
