import csv
from functools import cache

import pytest
import torch
from paths import CMU_BVH

from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.motion_folders import MotionClip


@cache
def _motion():
    return authored_motion("walk", seconds=0.5)


def _clip(name):
    motion = _motion()
    return MotionClip(name, motion, torch.ones(motion.frame_count, dtype=torch.bool), None, "train", False, "")


@pytest.mark.parametrize(
    ("name", "held_out"),
    [
        ("02_05", True),
        ("joints/03_03", True),
        ("idle/009_acted", True),
        ("009_acted.bvh", True),
        ("sub/folder/009_acted.bvh#1", True),
        ("deepmimic/humanoid3d_crawl.txt", True),
        ("deepmimic/humanoid3d_roll", False),
        ("05_02", False),
        ("102_05", False),
        ("idle/013_acted", False),
    ],
)
def test_people_are_known_by_the_names_of_their_files(name, held_out):
    assert is_held_out(_clip(name), read_held_out("people-1")) is held_out


def test_a_list_of_ones_own(tmp_path):
    (tmp_path / "mine.txt").write_text("# me\n\n me_* \n", encoding="utf-8")
    patterns = read_held_out(str(tmp_path / "mine.txt"))
    assert patterns == ("me_*",)
    assert is_held_out(_clip("me_1.npz"), patterns)


def test_an_unknown_list_names_the_near_one():
    with pytest.raises(FileNotFoundError, match="did you mean 'people-1'"):
        read_held_out("people_1")


def test_an_empty_list_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("# nobody\n", encoding="utf-8")
    with pytest.raises(ValueError, match="holds no pattern"):
        read_held_out(str(tmp_path / "mine.txt"))


@pytest.mark.skipif(not CMU_BVH.is_dir(), reason="CMU's motion files are not there")
def test_whole_subjects_are_held_out():
    """By the names that `load_motion_folder` gives clips, those of the index."""
    patterns = read_held_out("people-1")
    with (CMU_BVH / "index.csv").open(encoding="utf-8") as index:
        subjects = {row["clip_id"]: row["subject"] for row in csv.DictReader(index)}
    held_out = [name for name in subjects if is_held_out(_clip(name), patterns)]
    assert {subjects[name] for name in held_out} == {"2", "12"}
    assert held_out == [name for name, subject in subjects.items() if subject in ("2", "12")]
