"""NTU RGB+D 60 and 120: reads names of recordings, which decide the published splits."""

import re
from dataclasses import dataclass

from motionrep.keypoints.ntu_actions import NTU_ACTIONS

# Shahroudy et al., CVPR 2016, section 3.2, and Liu et al., TPAMI 2020, section 3.2.
TRAINING_SUBJECTS = (
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56,
    57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
)  # fmt: skip
TEST_CAMERA = 1
# The one known sample of each novel class, by the data set's page.
EXEMPLARS = tuple(f"S{1 if action <= 60 else 18:03d}C003P008R001A{action:03d}" for action in range(1, 120, 6))
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


@dataclass(frozen=True)
class NtuName:
    """The numbers in a name such as S001C002P003R002A013; all count from 1."""

    setup: int
    camera: int
    subject: int
    repetition: int
    action: int

    @property
    def trains_xsub(self) -> bool:
        """Training part of the cross-subject split, of 60 and of 120 classes."""
        return self.subject in TRAINING_SUBJECTS

    @property
    def trains_xview(self) -> bool:
        """Training part of the cross-view split of 60 classes: cameras 2 and 3."""
        return self.camera != TEST_CAMERA

    @property
    def trains_xset(self) -> bool:
        """Training part of the cross-setup split of 120 classes: even setups."""
        return self.setup % 2 == 0

    @property
    def is_novel(self) -> bool:
        """One of the 20 classes A1, A7, ..., A115 of one-shot recognition; the other 100 are for training."""
        return self.action % 6 == 1


def parse_ntu_name(name: str) -> NtuName:
    """Reads the name of a recording; what follows it, such as "_rgb.avi", is allowed.

    Raises:
        ValueError: Not such a name.
    """
    match = _NAME.match(name)
    if match is None or not 1 <= int(match[5]) <= len(NTU_ACTIONS):
        raise ValueError(
            f"{name!r} is no name of NTU RGB+D; expected SsssCcccPpppRrrrAaaa such as S001C002P003R002A013"
        )
    return NtuName(*map(int, match.groups()))


def ntu_class(label: str) -> int:
    """The number, from 1, of a class given as "A001", "A1" or by its name. Raises ValueError for any other."""
    if match := re.fullmatch(r"A(\d{1,3})", label):
        number = int(match[1])
        if 1 <= number <= len(NTU_ACTIONS):
            return number
    if label.strip().lower() in (lower := [name.lower() for name in NTU_ACTIONS]):
        return lower.index(label.strip().lower()) + 1
    raise ValueError(f"{label!r} is no class of NTU RGB+D; expected A001 to A120, or a name as in NTU_ACTIONS")
