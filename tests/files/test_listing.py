"""Which files a data set is made of."""

import json

import keypoint_writers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clip_folders import write_clips

from motionrep.files.listing import find_inputs, is_data_set
from motionrep.keypoints.loading import load_keypoints


@pytest.fixture
def clips(tmp_path):
    return write_clips(tmp_path / "clips")


def _found(*given, output="out"):
    return [item.path for item in find_inputs(given, output)]


def test_a_folder_gives_what_it_holds_by_name(clips):
    found = [path.removeprefix(f"{clips}/") for path in _found(clips)]
    assert found == ["broken.json", "c0.npz", "c2.npz", "c4.npz", "more/c1.npz", "more/c3.npz", "more/c5.npz"]


def test_each_input_counts_once_and_the_output_never(clips):
    assert _found(clips / "c0.npz", str(clips / "*.npz"), output=str(clips / "more")) == [
        str(clips / f"c{i}.npz") for i in (0, 2, 4)
    ]
    assert not any("more" in path for path in _found(clips, output=str(clips / "more")))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_list_names_files_from_its_own_folder_on(clips, suffix):
    path = clips / f"list{suffix}"
    if suffix == ".csv":
        path.write_text("label,path\nwalk,more/c1.npz\njump,c0.npz\n")
    else:
        pq.write_table(pa.table({"file": ["more/c1.npz", "c0.npz"]}), path)
    assert _found(path) == [str(clips / "more/c1.npz"), str(clips / "c0.npz")]
    assert is_data_set(str(path))


def test_a_folder_of_openpose_frames_is_one_input(clips):
    frames = clips / "walk"
    frames.mkdir()
    person = {"pose_keypoints_2d": [100.0, 100.0, 1.0] * 25}
    for i in range(4):
        (frames / f"walk_{i:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))
    assert str(frames) in _found(clips)
    assert not any("_keypoints" in path for path in _found(clips))
    assert not is_data_set(str(frames))
    assert is_data_set(str(clips))


WRITERS = (*keypoint_writers.OF_COCO, *keypoint_writers.OF_MEDIAPIPE)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_folder_of_files_of_whole_videos_is_a_data_set(write, tmp_path):
    """Of every program; what a program writes as a folder for each video is a folder of folders."""
    points = np.random.default_rng(0).uniform(100, 300, (4, 33, 2))
    clip = np.concatenate([points, np.full((4, 33, 1), 0.9)], -1)
    joints = 33 if write in keypoint_writers.OF_MEDIAPIPE else 17
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written = write(tmp_path / name, clip[:, :joints], (1920, 1080))
        written.rename(clips / f"{name}{written.suffix}")
    assert is_data_set(str(clips))
    assert _found(clips) == sorted(str(path) for path in clips.iterdir())
    with pytest.raises(ValueError, match=r"clips: .* one by one"):
        load_keypoints(clips)


def test_what_is_not_there_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json: no such"):
        _found(tmp_path / "nowhere.json")
    with pytest.raises(FileNotFoundError, match="no file fits it"):
        _found(str(tmp_path / "*.npz"))
    with pytest.raises(ValueError, match="empty: holds no keypoint files"):
        _found(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="memory://nothing"):
        _found("memory://nothing/here.json")
