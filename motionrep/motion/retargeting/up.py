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
_X, _Y, _Z = torch.eye(3)


def up_of(skeleton: Skeleton, table: SkeletonMap) -> Float[Tensor, "3"]:
    """The direction up in a file's world, along one of its axes.

    What `table.up` says counts. Else it is the axis along which the reference pose stands; a person may lie through
    all of a motion. Feet that walk on a floor at 0 along y or z outdo it: some rigs stand along y in a world with z up.
    A warning tells where reference and motion disagree. Where no pose stands, see `_up_without_reference`.
    """
    if table.up is not None:
        return torch.eye(3)["xyz".index(table.up)]
    reference = reference_position(skeleton, table)
    figure = axes_of_figure(reference, skeleton)
    up = _axis(figure[:, 1]) if upright(reference, skeleton, figure) else None
    if up is None:
        return _up_without_reference(skeleton)
    moving = _axis(_mean_up(skeleton))
    if moving is None or bool(moving @ up > 0.5) or bool(moving[0]):
        return up
    floors = [_walks_on_floor(skeleton, axis) for axis in (up, moving)]
    stands = bool(moving.sum() > 0) and floors == [False, True]
    logger.warning(
        "the figure stands along %s in its %s and lies along %s in the motion; %s is taken for up; say which it is "
        "with up=y or up=z (--up)",
        _called(up), "reference pose" if isinstance(table.reference, int) else "zero pose", _called(moving),
        _called(moving if stands else up),
    )  # fmt: skip
    return moving if stands else up


def _up_without_reference(skeleton: Skeleton) -> Float[Tensor, "3"]:
    """Up by the motion alone: y for who stands along y, as BVH has it; else the axis at whose 0 the floor is.

    Where the floor does not tell, a person along z or x stands, any other lies in a world with y up; a warning says so.
    """
    mean = _mean_up(skeleton)
    moving = _axis(mean)
    possible = [_Y, _Z] if moving is None or not bool(moving @ _X > 0.5) else [_Y, _Z, _X]
    on_floor = [axis for axis in possible if _walks_on_floor(skeleton, axis)]
    stands = moving is not None and bool(moving @ _Y > 0.5)
    if len(on_floor) == 1 and not stands:
        up = on_floor[0]
        agrees = int(mean.argmax()) == int(up.argmax())  # else somebody lies, or is near 0 by chance
    else:
        up = _Y if moving is None or bool(moving.sum() < 0) else moving
        agrees = stands and (not on_floor or bool((on_floor[0] == _Y).all()))
    if not agrees or bool((up == _X).all()):
        logger.warning(
            "no pose of the file shows which way is up; %s is taken for up; if it is another axis, say so with up=y or "
            "up=z (--up)", _called(up),
        )  # fmt: skip
    return up


def _called(axis: Float[Tensor, "3"]) -> str:
    return "xyz"[int(axis.abs().argmax())]


def _axis(direction: Float[Tensor, "3"]) -> Float[Tensor, "3"] | None:
    """The axis, or its opposite, along which a direction lies clearly; None where it does not."""
    nearest = int(direction.abs().argmax())
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
