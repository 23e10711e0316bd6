"""Scores results of several systems on the same clips, so that they can stand in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.body.regressors import load_h36m_regressor
from motionrep.datasets.benchmarks.threedpw import load_threedpw
from motionrep.evaluation.metrics import errors_of_frames
from motionrep.evaluation.predictor import body_model
from motionrep.evaluation.result_files import Result, read_results
from motionrep.evaluation.world_metrics import (
    WORLD_UNITS,
    foot_sliding_m_per_s,
    jitter_10_m_per_s3,
    rte_percent,
    w_mpjpe_mm,
    wa_mpjpe_mm,
)
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of
from motionrep.files.writing import visible_files
from motionrep.layouts import H36M_17, SMPL_24
from motionrep.motion.loading import load_motions
from motionrep.motion.measures import as_h36m_motion
from motionrep.types import BodyMotion, JointMotion

UNITS = {
    "frames": "%", "joints": "number", "mpjpe": "mm", "pa_mpjpe": "mm", "pve": "mm", "accel_error": "m/s^2",
    **{name: WORLD_UNITS[name] for name in ("w_mpjpe", "wa_mpjpe", "rte", "jitter", "foot_sliding")},
}  # fmt: skip
METRICS = tuple(UNITS)
_J14 = [H36M_17.index(joint) for joint in H36M_17.joints if joint not in ("pelvis", "spine", "nose")]
_HIPS = [H36M_17.index("left_hip"), H36M_17.index("right_hip")]
_FOOT_POINTS = [
    JOINTS_AND_LANDMARKS.index(f"{side}_{name}") for side in ("left", "right") for name in ("heel", "big_toe")
]


@dataclass(frozen=True)
class Truth:
    """The true motion of a person, and which of its frames count."""

    result: Result
    counted: Bool[Tensor, " frames"]


def score(
    results: Sequence[Path], truth: Path, body: str = "smpl-neutral", regressor: Path | None = None
) -> dict[str, dict[str, float | None]]:
    """The errors of each result file, or of each folder of them, by its name; None where a file does not tell.

    `frames` is the share of the true frames in which the person was found; the others do not count. `joints` is how
    many of the 14 joints the file has. `mpjpe` and
    `pa_mpjpe` are over 14 joints, the middle of the hips at the origin, as on 3DPW. `pve` needs the same mesh. Errors
    in the world are those of `world_metrics`, of SMPL's 24 joints; results without a body have none of them. Persons
    are matched to the true ones by their poses. Means are over frames of all persons and clips.

    Args:
        results: Files that `read_results` reads, or folders with a file for each true one: of the same name up to the
            ending, or in a folder of that name.
        truth: A motion file, or a folder of them. Of 3DPW's files the frames with `campose_valid` count.
        body: Of results and truth that do not mean another one; "open" where there is no file of SMPL.
        regressor: `J_regressor_h36m.npy`, for the joints of published numbers.

    Raises:
        FileNotFoundError: A file or a body is missing.
        ValueError: A file cannot be read, or has another frame rate than the truth.
    """
    if not truth.exists():
        raise FileNotFoundError(f"{truth}: no such file or folder")
    true_files = visible_files(truth) if truth.is_dir() else [truth]
    known = {file: _truths(file, body) for file in true_files}
    table: dict[str, dict[str, float | None]] = {}
    for path in results:
        errors: dict[str, list[Tensor]] = {name: [] for name in METRICS}
        for file, truths in known.items():
            found = read_results(_of_clip(path, file, truth), body, truths[0].result.motion.fps)
            for one, true in _matched(found, truths):
                for name, values in _errors(one, true, regressor).items():
                    errors[name].append(values[~values.isnan()])
        means = {name: torch.cat(parts) if parts else torch.zeros(0) for name, parts in errors.items()}
        label = path.name if path.name not in table else str(path)
        table[label] = {name: float(value.double().mean()) if len(value) else None for name, value in means.items()}
    return table


def _of_clip(path: Path, file: Path, truth: Path) -> Path:
    """The result file for a true file."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if not (path.is_dir() and truth.is_dir()):
        return path
    fitting = [it for it in visible_files(path) if file.stem in (it.stem, it.parent.name)]
    if len(fitting) != 1:
        raise ValueError(
            f"{path}: expected one result for {file.name}, called {file.stem} or in a folder of that name, "
            f"found {len(fitting)}"
        )
    return fitting[0]


def _truths(path: Path, body: str) -> list[Truth]:
    if kind_of(look(path)).name == "3DPW" and body != "open":
        clips, worlds = load_threedpw(path), {}
        found = []
        for index, clip in enumerate(clips):
            assert isinstance(clip.target, BodyMotion)
            assert clip.counted is not None
            own = clip.target.body_model
            worlds[own] = worlds.get(own) or load_motions(path, own, frame="world")
            found.append(Truth(Result(clip.target, worlds[own][index]), clip.counted))
        return found
    frame_rate = _frame_rate(path, body)
    return [
        Truth(it, torch.ones(it.motion.frame_count, dtype=torch.bool)) for it in read_results(path, body, frame_rate)
    ]


def _frame_rate(path: Path, body: str) -> float:
    contents = look(path)
    kind = kind_of(contents)
    if kind.holds == "motion":
        return load_motions(path, body)[0].fps
    raise ValueError(f"{path}: is {kind.name}; the truth is a motion of a body, as 3DPW's files or motionrep's .npz")


def _matched(found: Sequence[Result], truths: Sequence[Truth]) -> list[tuple[Result | None, Truth]]:
    """For each true person the one found whose poses are nearest over the frames that both have; None for nobody."""
    from scipy.optimize import linear_sum_assignment  # scipy takes a third as long to import as torch

    if not found:
        return [(None, true) for true in truths]
    cost = torch.full((len(truths), len(found)), 1e6)
    for i, true in enumerate(truths):
        for j, one in enumerate(found):
            frames, own = _shared(one.motion, true.result.motion)
            if len(frames):
                error = _distance_m(one, true.result, frames, own)
                cost[i, j] = error + 0.1 * (1 - len(frames) / true.result.motion.frame_count)
    rows, columns = linear_sum_assignment(cost.numpy())
    chosen = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return [
        (found[chosen[i]] if i in chosen and cost[i, chosen[i]] < 1e6 else None, true) for i, true in enumerate(truths)
    ]


def _distance_m(one: Result, true: Result, frames: Tensor, own: Tensor) -> float:
    """Mean error of the joints about the pelvis; in the camera, plus the angle between the rays to both, in radians."""
    found, wanted = as_h36m_motion(one.motion).position_m[frames], as_h36m_motion(true.motion).position_m[own]
    hips, true_hips = found[:, _HIPS].mean(1, keepdim=True), wanted[:, _HIPS].mean(1, keepdim=True)
    relative = ((found - hips) - (wanted - true_hips))[:, list(one.joints)]
    error = float(relative.norm(dim=-1).mean())
    if one.camera is None or true.camera is None or "root" in (one.camera.frame, true.camera.frame):
        return error
    rays = torch.nn.functional.normalize(torch.stack([hips[:, 0], true_hips[:, 0]]), dim=-1)
    return error + float(torch.linalg.cross(rays[0], rays[1]).norm(dim=-1).mean())


def _shared(one: BodyMotion | JointMotion, true: BodyMotion | JointMotion) -> tuple[Tensor, Tensor]:
    """Indices of the frames that both have: in the found motion, and in the true one."""
    first = max(one.first_frame, true.first_frame)
    last = min(one.first_frame + one.frame_count, true.first_frame + true.frame_count)
    at = torch.arange(first, max(first, last))
    return at - one.first_frame, at - true.first_frame


def _errors(one: Result | None, truth: Truth, regressor: Path | None) -> Mapping[str, Tensor]:
    """Errors of a person in each frame that counts, by the names of `UNITS`."""
    if one is None:
        return {"frames": torch.zeros(int(truth.counted.sum()))}
    frames, own = _shared(one.motion, truth.result.motion)
    kept = truth.counted[own] if one.found is None else truth.counted[own] & one.found[frames]
    frames, own = frames[kept], own[kept]
    there = torch.zeros(len(truth.counted))
    there[own] = 100.0
    errors = {"frames": there[truth.counted]}
    if not len(own):
        return errors
    camera = one.camera is not None and truth.result.camera is not None
    pair = (one.camera, truth.result.camera) if camera else (one.world, truth.result.world)
    if pair[0] is not None and pair[1] is not None:
        compared = [joint for joint in _J14 if joint in one.joints]
        errors |= _pose_errors(_at(pair[0], frames), _at(pair[1], own), regressor, compared)
    if isinstance(one.world, BodyMotion) and isinstance(truth.result.world, BodyMotion) and len(own) > 3:
        errors |= _world_errors(_at(one.world, frames), _at(truth.result.world, own))
    return errors


def _pose_errors(
    one: BodyMotion | JointMotion, true: BodyMotion | JointMotion, regressor: Path | None, joints: list[int]
) -> Mapping[str, Tensor]:
    found_m, vertex_m = joints_and_vertices(one, regressor)
    true_m, true_vertex_m = joints_and_vertices(true, regressor)
    hips_m, true_hips_m = (points_m[:, _HIPS].mean(1, keepdim=True) for points_m in (found_m, true_m))
    vertices = tuple(
        None if points_m is None else points_m - origin_m
        for points_m, origin_m in ((vertex_m, hips_m), (true_vertex_m, true_hips_m))
    )
    compared = (found_m - hips_m)[:, joints], (true_m - true_hips_m)[:, joints]
    number = torch.full((len(found_m),), float(len(joints)))
    return errors_of_frames(*compared, *vertices, fps=true.fps) | {"joints": number}


def joints_and_vertices(
    motion: BodyMotion | JointMotion, regressor: Path | None
) -> tuple[Float[Tensor, "frames 17 3"], Float[Tensor, "frames vertices 3"] | None]:
    """Human3.6M-17 joints, by the regressor where the body has as many vertices; and the vertices of a body."""
    if isinstance(motion, JointMotion):
        return as_h36m_motion(motion).position_m, None
    body = body_model(motion.body_model)
    with torch.no_grad():
        vertex_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m, motion.expression)
    if regressor is None:
        return as_h36m_motion(motion).position_m, vertex_m
    try:
        return load_h36m_regressor(regressor, body) @ vertex_m, vertex_m
    except ValueError:
        if body.name == "open" or body.name.startswith("smplx"):  # meshes of their own
            return as_h36m_motion(motion).position_m, vertex_m
        raise


def _world_errors(one: BodyMotion, true: BodyMotion) -> Mapping[str, Tensor]:
    points = []
    for motion in (one, true):
        body = load_body_model(motion.body_model, len(motion.betas))
        with torch.no_grad():
            points.append(body.points(JOINTS_AND_LANDMARKS, motion.local_rotmat, motion.betas, motion.translation_m))
    found_m, true_m = (point_m[:, : SMPL_24.joint_count] for point_m in points)
    feet_m, true_feet_m = (point_m[:, _FOOT_POINTS] for point_m in points)
    return {
        "w_mpjpe": w_mpjpe_mm(found_m, true_m),
        "wa_mpjpe": wa_mpjpe_mm(found_m, true_m),
        "rte": rte_percent(found_m[:, 0], true_m[:, 0]),
        "jitter": jitter_10_m_per_s3(found_m, true.fps),
        "foot_sliding": foot_sliding_m_per_s(feet_m, true_feet_m, true.fps),
    }


def _at(motion: Any, frames: Tensor) -> Any:
    """The motion in some of its frames."""
    if isinstance(motion, JointMotion):
        return replace(motion, position_m=motion.position_m[frames])
    expression = None if motion.expression is None else motion.expression[frames]
    return replace(
        motion, local_rotmat=motion.local_rotmat[frames], translation_m=motion.translation_m[frames],
        expression=expression,
    )  # fmt: skip
