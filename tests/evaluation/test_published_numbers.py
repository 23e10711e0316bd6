"""Errors of random poses agree with those that the authors' code gives, to 3 decimals.

Their code was run outside of this repository, on the same random numbers:
github.com/JihuaPeng/KTPFormer at b961951 (`eval_data_prepare` of run_ktpformer.py, common/loss.py),
github.com/Walter0807/MotionBERT at dccfe7b (lib/model/loss.py, the steps of `evaluate` of train.py,
`evaluate_mesh` of lib/utils/utils_mesh.py),
github.com/zju3dv/GVHMR at 44fbc19 (`compute_camcoord_metrics` of hmr4d/utils/eval/eval_utils.py).
"""

import numpy as np
import pytest
import torch

from motionrep.evaluation.metrics import errors_of_frames
from motionrep.evaluation.protocols.h36m import Scoring, error_sums
from motionrep.evaluation.protocols.motionbert_mesh import mesh_errors_mm

# Frames and window; MPJPE, PA-MPJPE, N-MPJPE and velocity error in mm.
KTPFORMER = (
    (25, 9, (1032.4066, 585.4972, 793.5041, 1449.4196)),
    (18, 9, (1077.6529, 587.3080, 862.9262, 1450.0)),
    (9, 9, (1053.1204, 571.4354, 849.3589, 1525.5648)),
)
RELATIVE = (1172.4435, 1204.6337, 1127.1851)
NAMES = ("mpjpe", "pa_mpjpe", "n_mpjpe", "mpjve")


def poses(rng, frames, scale=0.4):
    return torch.from_numpy(rng.normal(0, scale, (frames, 17, 3)).astype("float32"))


def test_human36m_counts_overlaps_twice_and_leaves_the_pelvis_where_it_was_predicted():
    rng = np.random.default_rng(27)
    for (frames, window, wanted), relative in zip(KTPFORMER, RELATIVE, strict=True):
        predicted_m, target_m = poses(rng, frames), poses(rng, frames)
        target_m = target_m - target_m[:, :1]
        at = torch.cat(Scoring(window, "as_predicted").frames(frames))
        sums = error_sums(predicted_m[at], target_m[at])
        assert [sums[name] / len(at) for name in NAMES] == pytest.approx(wanted, abs=2e-3)
        moved = error_sums(predicted_m - predicted_m[:, :1], target_m)
        assert moved["mpjpe"] / frames == pytest.approx(relative, abs=1e-3)


def test_motionbert_puts_the_pelvis_alone_at_the_origin():
    rng = np.random.default_rng(27)
    for frames, _, _ in KTPFORMER:
        poses(rng, frames), poses(rng, frames)
    predicted_mm, target_mm = (torch.from_numpy(rng.normal(0, 400, (9, 17, 3))) for _ in range(2))
    predicted_mm[:, 0] = 0
    sums = error_sums(predicted_mm.float() / 1000, (target_mm - target_mm[:, :1]).float() / 1000)
    assert [sums[name] / 9 for name in NAMES[:2]] == pytest.approx((1084.1852, 577.4493), abs=1e-3)


def test_short_clips_fill_their_window_with_the_last_frame():
    (at,) = Scoring(5, "as_predicted").frames(3)
    assert at.tolist() == [0, 1, 2, 2, 2]
    assert [w.tolist() for w in Scoring(None, "subtracted").frames(3)] == [[0, 1, 2]]


def test_accelerations_and_surfaces_are_those_of_gvhmr():
    rng = np.random.default_rng(27)
    rng.normal(size=sum(2 * frames * 51 for frames, _, _ in KTPFORMER) + 2 * 9 * 51 + 2 * 5 * 51 + 2 * 5 * 6890 * 3)
    joint_m, true_m = (torch.from_numpy(rng.normal(0, 0.4, (12, 14, 3))).float() for _ in range(2))
    vertex_m, true_vertex_m = (torch.from_numpy(rng.normal(0, 0.4, (12, 50, 3))).float() for _ in range(2))
    counted = torch.tensor([1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1]).bool()
    hips_m, true_hips_m = (it[:, 2:4].mean(1, keepdim=True) for it in (joint_m, true_m))
    errors = errors_of_frames(
        (joint_m - hips_m)[counted], (true_m - true_hips_m)[counted],
        (vertex_m - hips_m)[counted], (true_vertex_m - true_hips_m)[counted], fps=30.0,
    )  # fmt: skip
    wanted = {"mpjpe": 1018.916, "pa_mpjpe": 553.8051, "pve": 1055.3651, "accel_error": 2050.6135}
    assert {name: float(errors[name].mean()) for name in wanted} == pytest.approx(wanted, abs=2e-3)


def test_meshes_are_scored_as_motionbert_does():
    rng = np.random.default_rng(27)
    rng.normal(size=sum(2 * frames * 51 for frames, _, _ in KTPFORMER) + 2 * 9 * 51)
    joint_mm, true_mm = (torch.from_numpy(rng.normal(0, 400, (5, 17, 3))) for _ in range(2))
    vertex_mm, true_vertex_mm = (torch.from_numpy(rng.normal(0, 400, (5, 6890, 3))) for _ in range(2))
    errors = mesh_errors_mm(*(it.float() / 1000 for it in (joint_mm, vertex_mm, true_mm, true_vertex_mm)))
    wanted = {
        "pve": 1327.2406,
        "mpjpe": 1386.9489,
        "pa_mpjpe": 605.7379,
        "mpjpe_17": 1322.6996,
        "pa_mpjpe_17": 612.9648,
    }
    assert {name: float(values.mean()) for name, values in errors.items()} == pytest.approx(wanted, abs=2e-3)
