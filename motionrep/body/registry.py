"""Every body by name. A new one is a file in `motionrep.body.families` and a line here."""

from pathlib import Path

from motionrep.body.families import anny, open_body, smpl, smplh, smplx
from motionrep.body.finding import BodyFiles, BodySource, find_body_files

BODIES: dict[str, BodySource] = {
    **open_body.BODIES,
    **smpl.BODIES,
    **smplh.BODIES,
    **smplx.BODIES,
    **anny.BODIES,
}


def body_files() -> dict[str, BodyFiles]:
    """Names of the bodies that users have to obtain, with the files that they may stand in."""
    return {name: source.files for name, source in BODIES.items() if source.files is not None}


def find_bodies() -> dict[str, list[Path]]:
    """The files of `body_files` that the user has (`find_body_files`), by the name of their body."""
    return find_body_files(body_files())
