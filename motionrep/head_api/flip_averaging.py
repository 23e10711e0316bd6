"""Flip averaging: the mean of a head's results for a clip and for the clip's mirror image."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import roma
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.geometry.rotations import mirror_rotmat
from motionrep.layouts import H36M_17, SMPL_24, JointLayout, mirror_name
from motionrep.motion.contacts import MIRRORED_PARTS, Ground
from motionrep.types import ActionScores, ActionTimeline, BodyMotion, JointMotion

Result = TypeVar("Result", JointMotion, BodyMotion, ActionScores, ActionTimeline, Ground)


def flip_averaged(result: Result, of_mirrored: Result) -> Result:
    """The mean of two results of one head, which usually errs less than either.

        clip = motionrep.load_keypoints("dance.json", size_px=(1920, 1080))[0]
        ways = [head.predict(motionrep.embed(one, encoder)) for one in (clip, motionrep.mirrored(clip))]
        motion = motionrep.flip_averaged(*ways)

    The mirrored clip's result is mirrored back first: x is negated, and left and right are swapped, also in the names
    of actions (`left_...`, `right_...`). Positions, translations and betas are averaged. Rotations are averaged by the
    chordal mean, actions by their probabilities.

    Args:
        result: Of a clip. Motions are in camera axes or relative to the pelvis, bodies have SMPL's 24 joints.
        of_mirrored: Of `mirrored(clip)`, with `camera.mirrored()` if there is a camera.

    Raises:
        TypeError: Something else than a motion, scores or a timeline, or two kinds of it.
        ValueError: Results of different lengths, classes or bodies; motions in world axes; a body with hands or face.
    """
    if not isinstance(result, JointMotion | BodyMotion | ActionScores | ActionTimeline | Ground):
        raise TypeError(f"flip averaging knows 3D joints, bodies, actions and ground, got {type(result).__name__}")
    if type(result) is not type(of_mirrored):
        raise TypeError(f"expected two of one kind, got {type(result).__name__} and {type(of_mirrored).__name__}")
    if isinstance(result, Ground) and isinstance(of_mirrored, Ground):
        contact = (result.contact + of_mirrored.contact[:, list(MIRRORED_PARTS)]) / 2
        return replace(result, up=_mean_direction(result.up, of_mirrored.up), contact=contact)
    mean = _mean_motion if isinstance(result, JointMotion | BodyMotion) else _mean_actions
    return mean(result, of_mirrored)


def flip_averaged_output(
    output: Mapping[str, Tensor], of_mirrored: Mapping[str, Tensor], labels: Sequence[str] = ()
) -> dict[str, Tensor]:
    """The same for batches of outputs of a head's `forward` (`head_api.Head`). Unknown entries are left out.

    Args:
        labels: The classes of `logit`.
    """
    mean = {
        "position_m": lambda a, b: _mean_joints(a, b, H36M_17),
        "local_rotmat": _mean_rotmat,
        "betas": lambda a, b: (a + b) / 2,
        "logit": lambda a, b: _mean_logit(a, b[..., _swapped(labels)]),
        "up": _mean_direction,
        "contact": lambda a, b: (a + b[..., list(MIRRORED_PARTS)]) / 2,
    }
    return {name: of(output[name], of_mirrored[name]) for name, of in mean.items() if name in output}


def _mean_actions(result: Any, of_mirrored: Any) -> Any:
    _require_alike("labels", result.labels, of_mirrored.labels)
    back = _swapped(result.labels)
    if isinstance(result, ActionScores):
        return replace(result, logit=_mean_logit(result.logit, of_mirrored.logit[back]))
    _require_alike("frames", len(result.probability), len(of_mirrored.probability))
    return replace(result, probability=(result.probability + of_mirrored.probability[:, back]) / 2)


def _swapped(labels: Sequence[str]) -> list[int]:
    """The index of the class that each class becomes in a mirror."""
    return [labels.index(name if (name := mirror_name(label)) in labels else label) for label in labels]


def _mean_motion(result: Any, of_mirrored: Any) -> Any:
    _require_alike("frames", result.frame_count, of_mirrored.frame_count)
    _require_alike("axes", result.frame, of_mirrored.frame)
    if result.frame == "world":
        raise ValueError("flip averaging is for motions in camera axes or relative to the pelvis, got world axes")
    if isinstance(result, JointMotion):
        _require_alike("layout", result.layout.name, of_mirrored.layout.name)
        return replace(result, position_m=_mean_joints(result.position_m, of_mirrored.position_m, result.layout))
    _require_alike("body", result.body_model, of_mirrored.body_model)
    return replace(
        result,
        local_rotmat=_mean_rotmat(result.local_rotmat, of_mirrored.local_rotmat),
        translation_m=_mean_of_points(result.translation_m, of_mirrored.translation_m),
        betas=(result.betas + of_mirrored.betas) / 2,
    )


def _mean_of_points(point_m: Float[Tensor, "*batch 3"], mirrored_m: Float[Tensor, "*batch 3"]) -> Tensor:
    return (point_m + mirrored_m * mirrored_m.new_tensor([-1.0, 1.0, 1.0])) / 2


def _mean_direction(up: Tensor, mirrored: Tensor) -> Tensor:
    return normalize(_mean_of_points(up, mirrored), dim=-1)


def _mean_joints(position_m: Tensor, mirrored_m: Tensor, layout: JointLayout) -> Tensor:
    return _mean_of_points(position_m, mirrored_m[..., list(layout.flip_indices), :])


def _mean_rotmat(rotmat: Tensor, mirrored: Tensor) -> Tensor:
    if rotmat.shape[-3] != SMPL_24.joint_count:
        raise ValueError(f"flip averaging is for bodies of SMPL's 24 joints, got {rotmat.shape[-3]}")
    back = mirror_rotmat(mirrored[..., list(SMPL_24.flip_indices), :, :])
    return cast(Tensor, roma.special_procrustes(rotmat + back))


def _mean_logit(logit: Tensor, mirrored: Tensor) -> Tensor:
    return ((logit.softmax(-1) + mirrored.softmax(-1)) / 2).log()


def _require_alike(what: str, one: object, other: object) -> None:
    if one != other:
        raise ValueError(f"the result of the clip and that of its mirror image differ in {what}: {one} and {other}")
