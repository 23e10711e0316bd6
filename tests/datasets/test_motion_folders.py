import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import CMU_BVH, WALK_BVH

from motionrep.body.loading import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.layouts import SMPL_24
from motionrep.motion.floor import sole_height_m
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion

HEADER = "clip_id,subject,path,fps,frames,description,action,split,core,quality,first_frame,bad_ranges\n"
needs_cmu = pytest.mark.skipif(not CMU_BVH.is_dir(), reason="no CMU_BVH clips; name their folder in MOTIONREP_CMU_BVH")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "02").mkdir()
    shutil.copy(WALK_BVH, tmp_path / "02" / "02_01.bvh")
    return tmp_path


def _index(folder: Path, *rows: str) -> None:
    (folder / "index.csv").write_text(HEADER + "\n".join(rows) + "\n")


def test_an_indexed_clip_starts_at_its_first_frame_and_marks_bad_frames_of_the_file(folder):
    _index(folder, '02_01,2,02/02_01.bvh,120,60,"walk, slowly",walk,train,1,A,10,20-21;59-59')
    (clip,) = load_motion_folder(folder)
    assert (clip.name, clip.action, clip.split, clip.core, clip.subject) == ("02_01", "walk", "train", True, "2")
    assert (clip.motion.frame_count, clip.motion.fps) == (50, 120.0)
    assert (~clip.usable).nonzero().flatten().tolist() == [10, 11, 49]
    whole = load_motion(WALK_BVH)
    torch.testing.assert_close(clip.motion.local_rotmat, whole.local_rotmat[10:])


def test_only_clips_of_the_split_are_read(folder):
    _index(
        folder,
        "02_01,2,02/02_01.bvh,120,60,walk,walk,val,1,A,10,",
        "02_99,2,02/missing.bvh,120,60,walk,walk,train,1,A,10,",
    )
    assert [clip.name for clip in load_motion_folder(folder, "val")] == ["02_01"]
    with pytest.raises(FileNotFoundError, match=r"missing\.bvh: listed in index\.csv but not there"):
        load_motion_folder(folder)


def test_a_jump_of_a_single_frame_is_marked(folder):
    lines = WALK_BVH.read_text().splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    numbers = lines[header + 30].split()
    lines[header + 30] = " ".join([str(float(numbers[0]) + 10), *numbers[1:]])  # 10 cm along x
    (folder / "02" / "02_01.bvh").write_text("\n".join(lines) + "\n")
    _index(folder, "02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,10,")
    (clip,) = load_motion_folder(folder)
    assert (~clip.usable).nonzero().flatten().tolist() == [19, 20, 21]


def test_a_clip_of_ones_own_is_not_repaired_for_its_name(folder):
    """It was chosen by clip_id alone, which bent an elbow that was right by 39 cm."""
    _index(
        folder,
        "01_01,1,02/02_01.bvh,120,60,jump,jump,train,1,A,10,",
        "02_01,2,02/02_01.bvh,120,60,jump,jump,train,1,A,10,",
    )
    named_so, other = load_motion_folder(folder)
    assert torch.equal(named_so.motion.local_rotmat, other.motion.local_rotmat)
    renamed = WALK_BVH.read_text().replace("lShin", "Bone7")
    (folder / "02" / "02_01.bvh").write_text(renamed)
    with pytest.raises(ValueError, match="skeleton not recognised"):  # and not: tuple.index(x): x not in tuple
        load_motion_folder(folder)


@needs_cmu
@pytest.mark.parametrize("clip", ["01/01_01.bvh", "14/14_23.bvh"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_reversed_elbow_of_two_files_of_cmu_is_repaired_whatever_they_are_called(folder, clip, line_end):
    content = (CMU_BVH / clip).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end)
    (folder / "mine.bvh").write_bytes(content)
    _index(folder, "mine,1,mine.bvh,120,60,jump,jump,train,1,A,10,")
    (repaired,) = load_motion_folder(folder)
    differs = (repaired.motion.local_rotmat - load_motion(CMU_BVH / clip).local_rotmat[10:]).abs().amax(
        (0, 2, 3)
    ) > 1e-3
    assert {joint for joint, d in zip(SMPL_24.joints, differs, strict=True) if d} == {"left_elbow"}


def test_an_index_may_list_every_kind_of_motion_file(folder):
    """All of them were read as BVH."""
    whole = load_motion(WALK_BVH)
    save_motion(whole, folder / "own.npz")
    person = {"pose_world": np.zeros((20, 72)), "trans_world": np.zeros((20, 3)), "betas": np.zeros((20, 10))}
    with (folder / "two.pkl").open("wb") as file:
        pickle.dump({number: person | {"frame_ids": np.arange(20)} for number in range(2)}, file)
    _index(
        folder,
        "mine,7,own.npz,120,60,walk,walk,val,1,A,10,20-21",
        "both,8,two.pkl,30,20,stand,stand,train,0,A,2,0-1;5-6",
    )
    own, first, second = load_motion_folder(folder)
    assert (own.name, own.action, own.split, own.core, own.subject) == ("mine", "walk", "val", True, "7")
    assert torch.equal(own.motion.local_rotmat, whole.local_rotmat[10:])
    assert torch.equal(own.motion.translation_m, whole.translation_m[10:])
    assert (~own.usable).nonzero().flatten().tolist() == [10, 11]
    assert [first.name, second.name] == ["both", "both#1"]
    for clip in (first, second):
        assert (clip.motion.frame_count, clip.motion.fps, clip.split) == (18, 30, "train")
    assert (~second.usable).nonzero().flatten().tolist() == [3, 4]
    save_motion(replace(whole, frame="camera"), folder / "predicted.npz")
    _index(folder, "x,7,predicted.npz,120,60,walk,walk,val,1,A,10,")
    with pytest.raises(ValueError, match=r"predicted\.npz: a motion of body 'open' in camera axes"):
        load_motion_folder(folder)


def test_bad_ranges_may_hold_blanks(folder):
    _index(folder, "02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,10, 20-30; 40 - 50;")
    (clip,) = load_motion_folder(folder)
    assert (~clip.usable).nonzero().flatten().tolist() == [*range(10, 21), *range(30, 41)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,test,1,A,10,", "row 2: split is train or val, got 'test'"),
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,1.5,", "row 2: first_frame is .* from 0, got '1.5'"),
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,,", "row 2: first_frame is .* from 0, got ''"),
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A", "row 2: incomplete"),
        ("02_01,2,02/02_01.bvh,120,60,walk, slowly,walk,train,1,A,10,", "row 2: it has more fields .*quotation marks"),
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,train,true,A,10,", "index.csv, row 2: core is 1 or 0, got 'true'"),
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,60,", "first_frame is 60, the file has 60 frames"),
        ("02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,10,50-60", "'50-60' is no range within 60 frames"),
    ],
)
def test_a_broken_index_is_refused(folder, row, message):
    _index(folder, row)
    with pytest.raises(ValueError, match=message):
        load_motion_folder(folder)


def test_a_folder_without_index_gives_every_motion_file(folder):
    save_motion(load_motion(WALK_BVH), folder / "own.npz")
    np.savez(folder / "shape.npz", betas=np.zeros(16))
    np.savez(folder / "x_stagei.npz", betas=np.zeros(16))
    clips = load_motion_folder(folder)
    assert [clip.name for clip in clips] == ["02/02_01.bvh", "own.npz"]
    assert all(clip.split in ("train", "val") and clip.action is None for clip in clips)
    parts = [clip.name for split in ("train", "val") for clip in _clips_or_none(folder, split)]
    assert sorted(parts) == ["02/02_01.bvh", "own.npz"]


def test_text_that_is_no_motion_is_not_looked_for(folder, caplog):
    """DeepMimic's motions are called .txt, as a README is."""
    (folder / "README.txt").write_text("Clips of a walk.")
    (folder / "about.json").write_text("{}")
    np.save(folder / "Mean.npy", np.zeros(263))
    frame = [0.1, 0, 0.85, 0, *[1, 0, 0, 0] * 3, *[1, 0, 0, 0], 0, *[1, 0, 0, 0] * 2, 0, *[1, 0, 0, 0], 0,
             *[1, 0, 0, 0] * 2, 0]  # fmt: skip
    (folder / "still.txt").write_text(json.dumps({"Loop": "none", "Frames": [frame] * 3}))
    assert [clip.name for clip in load_motion_folder(folder, strict=True)] == ["02/02_01.bvh", "still.txt"]
    assert not caplog.records


def test_files_that_cannot_be_read_are_left_out_with_one_warning(folder, caplog):
    """One broken file of thousands ended a run before it began."""
    (folder / "cut.bvh").write_text(WALK_BVH.read_text()[:5000])
    np.savez(folder / "other.npz", features=np.zeros(16))
    assert [clip.name for clip in load_motion_folder(folder)] == ["02/02_01.bvh"]
    (warned,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert "2 of 3 files" in warned
    assert "cut.bvh" in warned
    assert "other.npz" in warned
    with pytest.raises(ValueError, match=r"cut\.bvh"):
        load_motion_folder(folder, strict=True)


def test_a_folder_of_which_no_file_can_be_read_is_refused(tmp_path):
    (tmp_path / "cut.bvh").write_text(WALK_BVH.read_text()[:5000])
    with pytest.raises(ValueError, match=r"none of 1 motion files can be read: .*cut\.bvh"):
        load_motion_folder(tmp_path)


def _clips_or_none(folder, split):
    try:
        return load_motion_folder(folder, split)
    except ValueError:
        return []


def test_wrong_folders_and_splits_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_motion_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"no index\.csv and no motion file"):
        load_motion_folder(tmp_path)
    with pytest.raises(ValueError, match="split must be"):
        load_motion_folder(tmp_path, "test")


@needs_cmu
@pytest.mark.slow
def test_all_cmu_clips_load_with_soles_on_the_floor_and_joints_that_bend_the_right_way():
    clips = load_motion_folder(CMU_BVH)
    body = load_body_model("open")
    assert len(clips) == 87
    assert {clip.split for clip in clips} == {"train", "val"}
    for clip in clips:
        motion = clip.motion
        lowest = sole_height_m(motion, body)[clip.usable].amin(-1)
        assert float(lowest.min()) > -0.06, clip.name
        if clip.action in ("walk", "drink", "wash", "laugh", "swordplay"):
            assert float(lowest.median()) < 0.05, clip.name
        assert _share_bent_forwards(motion, body, "knee", "ankle", clip.usable, +1) > 0.98, clip.name
        assert _share_bent_forwards(motion, body, "elbow", "wrist", clip.usable, -1) > 0.98, clip.name


def _share_bent_forwards(motion, body, middle, end, usable, sign) -> float:
    """Share of frames in which neither hinge bends the wrong way by more than 10 degrees about its rest axis.

    Knees turn about the body's x axis; elbows bend the forearm forward, left about -y and right about +y.
    """
    good = torch.ones(int(usable.sum()), dtype=torch.bool)
    for side in ("left", "right"):
        rotmat = motion.local_rotmat[usable, SMPL_24.index(f"{side}_{middle}")]
        rest = body.rest_joints(torch.zeros(10))
        bone = rest[SMPL_24.index(f"{side}_{end}")] - rest[SMPL_24.index(f"{side}_{middle}")]
        turned = rotmat @ torch.nn.functional.normalize(bone, dim=0)
        forwards = turned[:, 2] * -sign  # a knee brings the shin back, an elbow the forearm forward
        good &= forwards > -0.17
    return float(good.float().mean())


def test_a_motion_in_camera_axes_is_no_training_clip(tmp_path):
    """What `predict` writes would train upside down."""
    still = torch.eye(3).expand(60, 24, 3, 3)
    motion = BodyMotion(still, torch.zeros(60, 3), torch.zeros(10), "open", 30.0, "camera")
    save_motion(motion, tmp_path / "predicted.npz")
    with pytest.raises(ValueError, match=r"predicted\.npz: a motion of body 'open' in camera axes"):
        load_motion_folder(tmp_path)


def test_an_index_saved_by_a_spreadsheet_is_read(folder):
    rows = HEADER + "02_01,2,02/02_01.bvh,120,60,walk,walk,train,1,A,10,\n"
    (folder / "index.csv").write_text(rows, encoding="utf-8-sig")
    assert [clip.name for clip in load_motion_folder(folder)] == ["02_01"]
    (folder / "index.csv").write_bytes(rows.replace("walk,walk", "caf\u00e9,walk").encode("latin-1"))
    with pytest.raises(ValueError, match=r"index\.csv: not UTF-8 .*save it as UTF-8"):
        load_motion_folder(folder)


def test_hidden_files_are_no_motions(tmp_path):
    (tmp_path / ".git").mkdir()
    for name in ("._walk.bvh", ".git/index.npz"):
        (tmp_path / name).write_text("no motion")
    save_motion(authored_motion("walk", seconds=1.0), tmp_path / "walk.npz")
    assert [clip.name for clip in load_motion_folder(tmp_path)] == ["walk.npz"]


def test_of_two_files_one_validates(tmp_path):
    """A folder of eight motions could not be trained on, since by chance none of them was to validate."""
    motion = authored_motion("walk", seconds=0.2)
    for count, name in enumerate("abcde", 1):
        save_motion(motion, tmp_path / f"{name}.npz")
        splits = [clip.split for clip in load_motion_folder(tmp_path)]
        assert set(splits) == ({"train", "val"} if count > 1 else {splits[0]})
    assert [clip.name for clip in load_motion_folder(tmp_path, "val")] == [
        clip.name for clip in load_motion_folder(tmp_path) if clip.split == "val"
    ]
