import numpy as np
import pytest
import torch

from motionrep.datasets.synthetic.detector_noise import DetectorNoise, with_detector_noise
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, LAYOUTS

CLEAN = DetectorNoise(strength=(1.0, 1.0), missing_joint=0.0, missing_frame=0.0, swap=0.0)
EXACT = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.0)


def _still(layout, frames):
    """A person as large as the box from -1 to 1, who does not move; every joint elsewhere."""
    xy = torch.rand(1, layout.joint_count, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    xy[0, 0], xy[0, 1] = -1.0, 1.0
    return xy.expand(frames, -1, 2).clone()


def _errors(layout, noise, frames=2000, seed=0):
    true_xy = _still(layout, frames)
    xy, confidence = with_detector_noise(true_xy, layout, noise, np.random.default_rng(seed))
    return xy - true_xy, confidence


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("frames", [1, 2, 9, 10, 100])
def test_any_layout_and_number_of_frames(layout, frames):
    xy, confidence = with_detector_noise(_still(layout, frames), layout, DetectorNoise(), np.random.default_rng(0))
    assert xy.shape == (frames, layout.joint_count, 2)
    assert confidence.shape == (frames, layout.joint_count)
    assert xy.dtype == confidence.dtype == torch.float32
    assert bool(torch.isfinite(xy).all())
    assert 0 <= float(confidence.min()) <= float(confidence.max()) <= 1


def test_the_same_generator_gives_the_same_keypoints_and_another_one_others():
    true_xy = _still(HALPE_26, 50)
    first, again, other = (
        with_detector_noise(true_xy, HALPE_26, DetectorNoise(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_the_generator_stays_in_step_whatever_the_settings_are():
    after = []
    for noise in (DetectorNoise(), EXACT, DetectorNoise(missing_joint=0.5, missing_frame=0.3, swap=0.3)):
        rng = np.random.default_rng(3)
        with_detector_noise(_still(COCO_17, 40), COCO_17, noise, rng)
        after.append(rng.random())
    assert after[0] == after[1] == after[2]


def test_confidence_is_zero_exactly_where_a_joint_is_missing():
    true_xy = _still(H36M_17, 3000) + 5  # nothing is at the origin, where missing joints are put
    noise = DetectorNoise(missing_joint=0.1, missing_frame=0.05)
    xy, confidence = with_detector_noise(true_xy, H36M_17, noise, np.random.default_rng(0))
    missing = (xy == 0).all(-1)
    assert torch.equal(missing, confidence == 0)
    assert float(missing.float().mean()) == pytest.approx(0.15, abs=0.04)
    assert float(missing.all(-1).float().mean()) == pytest.approx(0.05, abs=0.02)
    lasting = (missing[1:] & missing[:-1]).sum() / missing.sum()
    assert float(lasting) > 0.7  # in runs, not frame by frame


def test_nothing_is_missing_from_a_detector_that_misses_nothing():
    assert float(_errors(H36M_17, CLEAN)[1].min()) > 0


def test_the_error_grows_with_the_strength():
    strengths = (1e-6, 0.3, 1.0, 3.0)
    noises = [DetectorNoise((s, s), missing_joint=0.0, missing_frame=0.0, swap=0.0) for s in strengths]
    means = [float(_errors(H36M_17, noise)[0].norm(dim=-1).mean()) for noise in noises]
    assert means[0] < 1e-5
    assert means == sorted(means)
    assert means[3] == pytest.approx(3 * means[2], rel=0.5)


def test_errors_scale_with_the_person():
    small = _still(H36M_17, 60)
    noisy = [
        with_detector_noise(size * small, H36M_17, CLEAN, np.random.default_rng(0))[0] / size - small
        for size in (1.0, 300.0)
    ]
    torch.testing.assert_close(noisy[0], noisy[1], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("joint", "width"), [("pelvis", 0.0037), ("head", 0.0034), ("spine", 0.0045)])
def test_a_clean_detector_errs_as_the_table_says(joint, width):
    """The middle half of the errors is that of the Gaussian at key frames, weakened between them, plus jitter."""
    error, _ = _errors(H36M_17, CLEAN, frames=20_000)
    middle = np.quantile(error[:, H36M_17.index(joint), 0], [0.25, 0.75])
    # Between key frames the variance of a line is 2/3 of that at its ends.
    expected = 2 * 0.6745 * np.hypot(width * np.sqrt(2 / 3), 0.002)
    assert middle[1] - middle[0] == pytest.approx(expected, rel=0.12)


def test_wrists_are_worse_than_the_head_and_large_errors_have_less_confidence():
    error, confidence = _errors(H36M_17, CLEAN, frames=5000)
    distance = error.norm(dim=-1)
    assert float(distance[:, H36M_17.index("left_wrist")].mean()) > 1.2 * float(
        distance[:, H36M_17.index("head")].mean()
    )
    good, bad = distance < distance.quantile(0.25), distance > distance.quantile(0.9)
    assert float(confidence[good].mean()) > float(confidence[bad].mean()) + 0.1


def test_a_swap_exchanges_left_and_right_of_a_whole_limb_pair():
    true_xy = _still(H36M_17, 400)
    noise = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.2)
    xy, _ = with_detector_noise(true_xy, H36M_17, noise, np.random.default_rng(0))
    flipped = true_xy[:, list(H36M_17.flip_indices)]
    for names in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        index = [H36M_17.index(f"{side}_{name}") for side in ("left", "right") for name in names]
        as_is = (xy[:, index] - true_xy[:, index]).abs().amax((1, 2)) < 1e-4
        swapped = (xy[:, index] - flipped[:, index]).abs().amax((1, 2)) < 1e-4
        assert bool((as_is ^ swapped).all())
        assert 0.08 < float(swapped.float().mean()) < 0.4
    middle = [H36M_17.index(name) for name in ("pelvis", "spine", "thorax", "nose", "head")]
    torch.testing.assert_close(xy[:, middle], true_xy[:, middle], atol=1e-4, rtol=0)


def test_errors_last_from_frame_to_frame():
    error, _ = _errors(H36M_17, CLEAN, frames=2000)
    now, soon, late = error[:-100, :, 0].flatten(), error[1:-99, :, 0].flatten(), error[100:, :, 0].flatten()
    assert float(torch.corrcoef(torch.stack([now, soon]))[0, 1]) > 0.5
    assert abs(float(torch.corrcoef(torch.stack([now, late]))[0, 1])) < 0.1


def test_a_strength_without_logarithm_is_refused():
    with pytest.raises(ValueError, match="strength"):
        DetectorNoise(strength=(0.0, 1.0))
    with pytest.raises(ValueError, match="swap"):
        DetectorNoise(swap=1.5)
