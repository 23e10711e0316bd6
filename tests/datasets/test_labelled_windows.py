"""Windows of labelled clips: what they hold, which frames count, and mixing with other clips."""

import numpy as np
import pytest
import torch
from benchmark_files import annotation, motionbert, write_pyskl, write_videopose3d

from motionrep.datasets.benchmarks.h36m import load_h36m
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.datasets.benchmarks.training_sets import labelled_set
from motionrep.datasets.labelled_windows import LabelledWindows, Together
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import RandomWindows
from motionrep.layouts import H36M_17, flip_index_tensor
from motionrep.types import JointMotion, Keypoints

RAMP = torch.arange(10.0)[:, None, None]


def listed(counted=None, fps=50.0) -> ListedClip:
    """Ten frames in which everything moves evenly to the right."""
    xy = (500 + 10 * RAMP).expand(10, 17, 2)
    position_m = torch.zeros(10, 17, 3)
    position_m[:, 1:] = RAMP
    clip = LabelledClip(
        "ramp", Keypoints(xy, torch.ones(10, 17), H36M_17, fps, 1000, 1000),
        JointMotion(position_m, H36M_17, fps, "root"), counted,
    )  # fmt: skip
    return ListedClip("ramp", lambda: clip, 10, fps)


def test_every_frame_of_a_clip_is_in_one_window():
    batch = LabelledWindows([listed()], 4, 6, 50.0).__getitems__([(0, 0), (0, 1), (0, 2)])
    assert batch["valid"].sum(1).tolist() == [4, 4, 2]
    seen = batch["position_m"][batch["valid"]][:, 1, 0]
    assert torch.equal(seen, torch.arange(10.0))
    assert bool(batch["has_pose"].all())
    assert batch["keypoints"].shape == (3, 6, 17, 3)
    assert float(batch["keypoints"][1, 0, 0, 0]) == pytest.approx(2 * (540 - 500) / 1000)


def test_another_frame_rate_is_interpolated():
    windows = LabelledWindows([listed()], 30, 30, 25.0)
    sample = windows.__getitems__([(0, 0)])
    assert len(windows) == 1
    assert sample["position_m"][0, sample["valid"][0], 1, 0].tolist() == [0, 2, 4, 6, 8]
    faster = LabelledWindows([listed()], 30, 30, 100.0).__getitems__([(0, 0)])
    assert torch.allclose(faster["position_m"][0, :19, 1, 0], torch.arange(19) / 2)


def test_frames_that_do_not_count_are_not_valid_and_drawn_windows_have_one_that_does():
    counted = torch.arange(10) == 9
    windows = LabelledWindows([listed(counted)], 3, 3, 50.0, windows=RandomWindows(20, Augmentation(mirror=False)))
    valid = windows.__getitems__([(0, i) for i in range(20)])["valid"]
    assert bool(valid.any(1).all())
    assert int(valid.sum(1).max()) == 1


def test_mirrored_samples_are_the_mirror_image():
    draws = RandomWindows(20, Augmentation(mirror=True))
    batch = LabelledWindows([listed()], 10, 10, 50.0, windows=draws).__getitems__([(0, i) for i in range(20)])
    mirrored = batch["position_m"][:, 5, 1, 0] < 0
    assert 3 < int(mirrored.sum()) < 17
    plain, turned = batch["observed"][~mirrored][0], batch["observed"][mirrored][0]
    assert torch.allclose(turned[:, flip_index_tensor(H36M_17), 0], -plain[..., 0])


def test_the_subjects_of_human36m_are_split_as_published(tmp_path):
    write_videopose3d(tmp_path, subjects=("S1", "S5", "S6", "S7", "S8", "S9", "S11"), actions=("Walking 1",))
    of = labelled_set(tmp_path)
    assert of is not None
    assert {clip.subject for clip in of.train} == {"S1", "S5", "S6", "S7", "S8"}
    assert {clip.subject for clip in of.val} == {"S9", "S11"}
    assert of.val[0].frames == 5
    direct = load_h36m(tmp_path)[0].joint_target.position_m
    sample = LabelledWindows(of.val, 5, 5, 50.0).__getitems__([(0, 0)])
    assert torch.allclose(sample["position_m"][0], direct - direct[:, :1], atol=1e-6)


def test_nobody_is_read_before_being_drawn(tmp_path):
    item = annotation("S001C001P001R001A001", 0)
    broken = annotation("S001C001P002R001A001", 0)
    broken["keypoint"] = np.full((1, 6, 17, 2), np.nan, np.float16)
    write_pyskl(tmp_path / "ntu.pkl", [item, broken])
    of = labelled_set(tmp_path / "ntu.pkl", "ntu60-xsub")
    assert of is not None
    assert len(of.train) == 2
    windows = LabelledWindows(of.train, 4, 4, 30.0, labels=[of.train[0].action])
    assert windows.__getitems__([(0, 0)])["label"].tolist() == [0]
    with pytest.raises(ValueError, match="NaN throughout"):
        windows.__getitems__([(0, 1)])


def test_motionberts_file_is_read_lazily_and_split(tmp_path):
    import pickle

    (tmp_path / "h36m.pkl").write_bytes(pickle.dumps(motionbert()))
    of = labelled_set(tmp_path / "h36m.pkl")
    assert of is not None
    assert (of.protocol, of.gives, [clip.frames for clip in of.train]) == ("h36m", "joints", [6, 4])


def test_data_sets_share_batches_or_follow_each_other():
    parts = [LabelledWindows([listed()], 5, 5, 50.0), LabelledWindows([listed(fps=25.0)], 5, 5, 50.0)]
    both = Together(parts)
    assert len(both) == 2 + 4
    assert both.__getitems__([(0, 1), (0, 2), (0, 5)])["valid"].sum(1).tolist() == [5, 5, 4]
    shared = Together([parts[0], parts[1]], [0.25, 0.75]).__getitems__([(0, 0), (0, 1), (0, 2), (0, 3)])
    speed = shared["position_m"][:, 1, 1, 0] - shared["position_m"][:, 0, 1, 0]
    assert speed.tolist() == [1.0, 0.5, 0.5, 0.5]
