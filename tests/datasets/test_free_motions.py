import csv

import numpy as np
import pytest
from paths import WALK_BVH

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.free_motions import prepare
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.layouts import H36M_17


def _folder(tmp_path):
    """Joints of somebody who walks for a second, as the CMU joints are kept, and a BVH file as the idle people's."""
    motion, body = authored_motion("walk", seconds=1.0), load_body_model("open")
    point_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m).numpy()
    valid = np.ones(30, dtype=bool)
    valid[[4, 5, 20]] = False
    more = tmp_path / "more"
    (more / "joints").mkdir(parents=True)
    np.savez(
        more / "joints" / "a.npz",
        **{"cmu/03_01": point_m + np.array([0, 0.4, 0], np.float32), "cmu/03_01__valid": valid},
        fps=np.float32(30),
    )
    (more / "idle").mkdir()
    (more / "idle" / "001_genuine.bvh").write_bytes(WALK_BVH.read_bytes())
    return more, point_m


@pytest.mark.slow
def test_everything_becomes_one_folder_with_an_index(tmp_path):
    more, point_m = _folder(tmp_path)
    output = prepare(more, tmp_path / "prepared")
    rows = list(csv.DictReader((output / "index.csv").open(encoding="utf-8")))
    assert [(row["clip_id"], row["subject"], row["action"]) for row in rows] == [
        ("joints/03_01", "3", ""),
        ("idle/001_genuine", "idle-001", "stand"),
    ]
    assert rows[0]["bad_ranges"] == "4-5;20-20"
    clip = load_motion_folder(output)[0]
    assert clip.usable.tolist()[3:7] == [True, False, False, True]
    body = load_body_model("open")
    motion = clip.motion
    found_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m).numpy()
    lowest_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m)[..., 1].amin(1)
    assert abs(float(lowest_m.quantile(0.05))) < 0.02  # stood 0.4 m above the floor
    knee = H36M_17.index("right_knee")
    off_m = (found_m - found_m[:, :1])[:, knee] - (point_m - point_m[:, :1])[:, knee]
    assert float(np.linalg.norm(off_m, axis=-1).mean()) < 0.03


@pytest.mark.slow
def test_what_is_there_is_not_made_again(tmp_path):
    more, _ = _folder(tmp_path)
    output = prepare(more, tmp_path / "prepared")
    before = (output / "joints" / "03_01.npz").stat().st_mtime_ns
    prepare(more, output)
    assert (output / "joints" / "03_01.npz").stat().st_mtime_ns == before


def test_a_folder_without_any_of_it_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds none of joints"):
        prepare(tmp_path, tmp_path / "prepared")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        prepare(tmp_path / "nowhere", tmp_path / "prepared")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fps": None}, "no field 'fps'"),
        ({"fps": np.float32(np.nan)}, r"JointMotion\.fps"),
        ({"cmu/03_01__valid": None}, "no field 'cmu/03_01__valid'"),
        ({"cmu/03_01__valid": np.ones(7, bool)}, "bool of shape .7,."),
        ({"cmu/03_01": np.full((30, 17, 3), np.inf, np.float32)}, r"JointMotion\.position_m"),
        ({"cmu/03_01": np.zeros((30, 9, 3), np.float32)}, r"JointMotion\.position_m"),
        ({"cmu/03_01": np.array([None])}, "never unpickled"),
    ],
    ids=str,
)
def test_joints_that_are_none_are_refused_by_file_and_field(tmp_path, changed, message):
    whole = {
        "cmu/03_01": np.zeros((30, 17, 3), np.float32),
        "cmu/03_01__valid": np.ones(30, bool),
        "fps": np.float32(9),
    }
    fields = {name: value for name, value in (whole | changed).items() if value is not None}
    (tmp_path / "joints").mkdir()
    np.savez(tmp_path / "joints" / "a.npz", allow_pickle=True, **fields)
    with pytest.raises(ValueError, match=rf"a\.npz: .*{message}"):
        prepare(tmp_path, tmp_path / "prepared")
