"""SMPL and its relatives by name: one body per gender, in files that users download and may not pass on."""

from functools import partial

from motionrep.body.finding import BodyFiles, BodySource, find_body_file
from motionrep.body.model import BodyModel
from motionrep.body.smpl_files import smpl_file_joints
from motionrep.body.smpl_format import read_smpl_body

_GENDERS = {"neutral": "neutral", "male": "m", "female": "f"}  # and what SMPL's own files call them


def smpl_family(family: str, patterns: tuple[str, ...], joints: int, site: str) -> dict[str, BodySource]:
    """The neutral, the male and the female body, called "FAMILY-GENDER".

    Args:
        patterns: Names of the files they may stand in, the preferred first, with {gender}, {GENDER} or {letter}.
        joints: Joints in such a file. They tell families apart whose files have the same name.
        site: Where to register for the files.
    """
    return {
        f"{family}-{gender}": smpl_body(
            tuple(pattern.format(gender=gender, GENDER=gender.upper(), letter=letter) for pattern in patterns),
            joints,
            site,
        )
        for gender, letter in _GENDERS.items()
    }


def smpl_body(file_names: tuple[str, ...], joints: int, site: str) -> BodySource:
    """A body of SMPL's format that is looked for under these file names."""
    terms = f"register at {site}, accept the licence (non-commercial research only) and put the file there"
    files = BodyFiles(file_names, terms, lambda path: smpl_file_joints(path) == joints)
    return BodySource(partial(_load, files), files)


def _load(files: BodyFiles, name: str, betas: int) -> BodyModel:
    return read_smpl_body(find_body_file(name, files), name, betas)
