"""Files say which format they are in; later formats are refused with a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch

from motionrep.files.naming import did_you_mean
from motionrep.files.versions import require_readable
from motionrep.keypoints.loading import load_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17, H36M_17
from motionrep.motion.loading import load_joint_motion, load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion, Keypoints

WRITTEN = {
    "motionrep keypoints": (
        lambda path: save_keypoints([Keypoints(torch.rand(2, 17, 2), torch.ones(2, 17), COCO_17, 25.0, 9, 9)], path),
        load_keypoints,
    ),
    "motionrep body motion": (
        lambda path: save_motion(
            BodyMotion(torch.eye(3).repeat(2, 24, 1, 1), torch.zeros(2, 3), torch.zeros(9), "open", 30.0, "world"), path
        ),
        load_motion,
    ),
    "motionrep joint motion": (
        lambda path: save_motion(JointMotion(torch.rand(2, 17, 3), H36M_17, 30.0, "root"), path),
        load_joint_motion,
    ),
}  # fmt: skip


def with_format(path: Path, declared: str | None) -> None:
    with np.load(path) as file:
        fields = {name: array for name, array in file.items() if name != "format"}
    np.savez(path, **fields | ({} if declared is None else {"format": np.array(declared)}))


@pytest.mark.parametrize("name", WRITTEN)
def test_written_files_say_their_format_and_later_ones_are_refused(tmp_path, name):
    save, load = WRITTEN[name]
    path = tmp_path / "file.npz"
    save(path)
    with np.load(path) as file:
        assert str(file["format"]) == f"{name} 1"
    with_format(path, None)  # as some files of 0.1.0
    load(path)
    with_format(path, f"{name} 2")
    with pytest.raises(ValueError, match=rf"file\.npz: is in format 2 of {name}s, this version reads up to 1; update"):
        load(path)
    with_format(path, "a file of somebody else 1")
    with pytest.raises(ValueError, match=r"file\.npz: (is an \.npz file with the fields|holds array of shape)"):
        load(path)


def test_numbers_up_to_the_newest_are_read():
    path = Path("file.npz")
    assert [require_readable(path, declared, "a thing", 3) for declared in (None, "a thing 1", "a thing 3")] == [
        1,
        1,
        3,
    ]
    for declared in ("a thing", "a thing x", "another 1", "a thing 0", ""):
        with pytest.raises(ValueError, match="its format should be 'a thing' and a number"):
            require_readable(path, declared, "a thing", 3)


def test_the_nearest_name_is_suggested():
    assert did_you_mean("halpe_62", ["coco_17", "halpe_26"]) == "; did you mean 'halpe_26'?"
    assert did_you_mean("zebra", ["coco_17", "halpe_26"]) == ""
