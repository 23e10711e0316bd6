"""Motions as rows of a table, one row for each piece of a clip, and back."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import roma
import torch

from motionrep.layouts import find_layout
from motionrep.types import BodyMotion, JointMotion


def row_of_motion(motion: BodyMotion | JointMotion) -> dict[str, Any]:
    """The values of a motion by column, as `motionrep.recover_dataset` writes them; lists have an item for each frame.

    Of a body: `axis_angle` (radians, three numbers for each joint), `translation_m`, `betas`, `body_model`,
    `body_axes` and, for bodies that have it, `expression`. Of joints: `position_m`, `joint_layout` and `joint_axes`.
    """
    if isinstance(motion, JointMotion):
        position_m = motion.position_m.flatten(1)
        return {"position_m": _listed(position_m), "joint_layout": motion.layout.name, "joint_axes": motion.frame}
    values = {
        "axis_angle": _listed(roma.rotmat_to_rotvec(motion.local_rotmat).flatten(1)),
        "translation_m": _listed(motion.translation_m),
        "betas": motion.betas.cpu().numpy(),
        "body_model": motion.body_model,
        "body_axes": motion.frame,
    }
    return values if motion.expression is None else values | {"expression": _listed(motion.expression)}


def body_motion_from_rows(rows: Sequence[Any], head: str = "") -> BodyMotion:
    """The motion of a body from its row in a data set of `motionrep.recover_dataset`, or from its rows, if it is long.

        table = pandas.read_parquet("motions")
        motion = motionrep.body_motion_from_rows([dict(table.iloc[0])])

    Rotations are the same but for rounding. Several rows are put one after the other by `first_frame`. Their betas are
    averaged, each row as often as it has frames.

    Args:
        rows: Of one clip and person, as pandas, DuckDB, Ray or datasets give them: anything with a value by column.
        head: What follows the names of the columns where the data set has the bodies of several heads.

    Raises:
        ValueError: No rows, rows of several clips or persons, frames missing between them, or no body in them.
    """
    rows = _in_order(rows, f"axis_angle{head}", "body")
    first = rows[0]
    axis_angle = _joined(rows, f"axis_angle{head}")
    betas = torch.stack([_numbers(row[f"betas{head}"]) for row in rows])
    share = torch.tensor([len(row[f"axis_angle{head}"]) for row in rows]) / len(axis_angle)
    expression = f"expression{head}"
    return BodyMotion(
        roma.rotvec_to_rotmat(axis_angle.unflatten(1, (-1, 3))),
        _joined(rows, f"translation_m{head}"),
        (share[:, None] * betas).sum(0),
        str(first[f"body_model{head}"]),
        float(first["fps"]),
        first[f"body_axes{head}"],
        _joined(rows, expression) if expression in first else None,
        int(first["first_frame"]),
    )


def joint_motion_from_rows(rows: Sequence[Any], head: str = "") -> JointMotion:
    """Joints from their row or rows in a data set; arguments and errors as those of `body_motion_from_rows`."""
    rows = _in_order(rows, f"position_m{head}", "joints")
    position_m = _joined(rows, f"position_m{head}").unflatten(1, (-1, 3))
    first = rows[0]
    layout = find_layout(str(first[f"joint_layout{head}"]))
    return JointMotion(position_m, layout, float(first["fps"]), first[f"joint_axes{head}"], int(first["first_frame"]))


def _in_order(rows: Sequence[Any], column: str, what: str) -> list[Any]:
    if not len(rows):
        raise ValueError("rows is empty; give the row, or the rows, of one clip")
    if missing := next((row for row in rows if column not in row), None):
        raise ValueError(f"rows: no column {column!r}, so there is no {what} in them; they have {', '.join(missing)}")
    if len(clips := {(row["clip"], row["person"]) for row in rows}) > 1:
        raise ValueError(f"rows: of {len(clips)} clips or persons; give those of one")
    rows = sorted(rows, key=lambda row: int(row["first_frame"]))
    for before, after in pairwise(rows):
        end = int(before["first_frame"]) + len(before[column])
        if end != int(after["first_frame"]):
            raise ValueError(f"rows: frame {end} should follow, got {after['first_frame']}; give all rows of the clip")
    return rows


def _joined(rows: Sequence[Mapping[str, Any]], column: str) -> torch.Tensor:
    return torch.cat([torch.stack([_numbers(frame) for frame in row[column]]) for row in rows])


def _numbers(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _listed(values: torch.Tensor) -> list[np.ndarray]:
    return list(values.cpu().numpy())
