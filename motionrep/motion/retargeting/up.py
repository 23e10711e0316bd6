"""Reads which way is up in a file: from a standing zero pose, from the motion, or from what the user says."""

import logging

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.motion.retargeting.figure import Skeleton
from motionrep.motion.retargeting.rest_axes import axes_of_figure, reference_position, upright
from motionrep.motion.retargeting.skeletons import SkeletonMap

logger = logging.getLogger(__name__)

_CLEARLY = 0.8  # cosine, or mean cosine
_FLOOR_QUANTILE = 0.05
_NEAR_FLOOR = 0.25  # of a leg's length


def up_of(skeleton: Skeleton, table: SkeletonMap) -> Float[Tensor, "3"]:
    """The direction up in a file's world, a y or z axis.

    What `table.up` says counts. Else it is the axis along which the reference pose stands; a person may lie through
    all of a motion. Where no pose stands, it is y, as BVH has it, or z if the person stands along z throughout. Feet
    that walk on a floor at 0 along another axis outdo these: some rigs stand along y in a world with z up. A warning
    tells where reference and motion disagree.
    """
    y, z = torch.eye(3)[1:]
    if table.up is not None:
        return y if table.up == "y" else z
    moving = _axis(_mean_up(skeleton))
    reference = reference_position(skeleton, table)
    figure = axes_of_figure(reference, skeleton)
    resting = _axis(figure[:, 1]) if upright(reference, skeleton, figure) else None
    if resting is None and (moving is None or bool(moving @ y < -0.5)):
        return y if moving is None else moving
    up = y if resting is None else resting
    if moving is None or bool(moving @ up > 0.5):
        return up
    floors = [_walks_on_floor(skeleton, axis) for axis in (up, moving)]
    stands = bool(moving.sum() > 0) and (floors == [False, True] or (resting is None and floors != [True, False]))
    if resting is not None:
        names = ["y" if axis[1] else "z" for axis in (up, moving)]
        logger.warning(
            "the figure stands along %s in its %s and lies along %s in the motion; %s is taken for up; say which it "
            "is with up=y or up=z (--up)",
            names[0], "reference pose" if isinstance(table.reference, int) else "zero pose", names[1],
            names[stands],
        )  # fmt: skip
    return moving if stands else up


def _axis(direction: Float[Tensor, "3"]) -> Float[Tensor, "3"] | None:
    """The y or z axis, or its opposite, along which a direction lies clearly; None where it does not."""
    nearest = 1 + int(direction[1:].abs().argmax())
    if not float(direction[nearest].abs()) > _CLEARLY:
        return None
    return torch.eye(3)[nearest] * torch.sign(direction[nearest])


def _mean_up(skeleton: Skeleton) -> Float[Tensor, "3"]:
    """From feet to head, on average."""
    feet = skeleton.position[:, [skeleton.index["left_ankle"], skeleton.index["right_ankle"]]].mean(1)
    return normalize(skeleton.position[:, skeleton.index[skeleton.chain[-1]]] - feet, dim=-1).mean(0)


def _walks_on_floor(skeleton: Skeleton, up: Float[Tensor, "3"]) -> bool:
    """Whether the lowest joint is mostly near 0 along an axis."""
    places = skeleton.position[:, list(skeleton.index.values())]
    hip, knee = (skeleton.position[:, skeleton.index[f"left_{joint}"]] for joint in ("hip", "ankle"))
    leg = (hip - knee).norm(dim=-1).amax()
    lowest = torch.quantile((places @ up).amin(-1), _FLOOR_QUANTILE)
    return float(lowest.abs()) < _NEAR_FLOOR * float(leg)
