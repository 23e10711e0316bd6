"""Checks that joints are a person's: their size tells a wrong unit, their uprightness other axes."""

from pathlib import Path

import torch
from torch import Tensor

from motionrep.layouts import JointLayout
from motionrep.motion.records import Unit

METRES: dict[Unit, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_PERSON_M = (0.25, 4.0)  # from the knees of a child on a chair to a leap with stretched arms
_LOW, _HIGH = ("ankle", "heel", "toe", "foot"), ("head", "neck", "nose", "thorax", "shoulder")
_UPRIGHT = 0.5  # cosine of how far from +y the median person may lean


def require_person(path: Path, position_m: Tensor, seen: Tensor, unit: Unit) -> None:
    """Catches a wrong unit by the size of the box around the joints, in the median frame."""
    low = position_m.masked_fill(~seen.unsqueeze(-1), torch.inf).amin(1)
    high = position_m.masked_fill(~seen.unsqueeze(-1), -torch.inf).amax(1)
    size_m = float((high - low).norm(dim=-1)[seen.sum(1) > seen.shape[1] // 2].median().nan_to_num(1.0))
    if _PERSON_M[0] <= size_m <= _PERSON_M[1]:
        return
    size = size_m / METRES[unit]
    fitting = [name for name, metres in METRES.items() if _PERSON_M[0] <= size * metres <= _PERSON_M[1]]
    remedy = f"pass unit={fitting[0]} (--unit {fitting[0]})" if fitting else "no unit of m, cm, mm makes that a person"
    raise ValueError(f"{path}: in the median frame the joints span {size:.4g} {unit}; {remedy}")


def require_upright(path: Path, position_m: Tensor, seen: Tensor, layout: JointLayout) -> None:
    """Catches other axes by the direction from the feet to the head or shoulders, in the median frame."""

    def middle_m(kinds: tuple[str, ...]) -> Tensor:
        chosen = [any(kind in joint for kind in kinds) for joint in layout.joints]
        weight = (seen & torch.tensor(chosen)).unsqueeze(-1).float()
        return (position_m * weight).sum(1) / weight.sum(1)  # NaN where none was seen

    upward = torch.nn.functional.normalize((middle_m(_HIGH) - middle_m(_LOW)).nanmedian(0).values, dim=0)
    if not bool(upward[1] < _UPRIGHT):  # NaN where feet and head are never seen together
        return
    axis = int(upward.abs().argmax())
    raise ValueError(
        f"{path}: joints stand along {'-' if upward[axis] < 0 else '+'}{'xyz'[axis]}, and y is taken to be up when "
        "nothing is said; pass axes=camera (--axes camera), or root, z-up, or y-up if they really lie"
    )
