"""HDF5: DeepLabCut's tables as pandas writes them, and SLEAP's analysis files."""

import io
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from keypoint_files import SIZE, assert_frame, load, moved, person, seen, written

from motionrep.layouts import COCO_17

pytestmark = pytest.mark.filterwarnings("ignore:.*:tables.NaturalNameWarning")
PEOPLE = ("ind1", "ind2")


def deeplabcut(path, several=False, frames=(0, 1, 2), joints=COCO_17.joints, index=None, axes=3, **options):
    """As `df.to_hdf(..., key="df_with_missing")` of DeepLabCut writes (pose_estimation_pytorch/apis/videos.py,
    create_df_from_prediction: format="table"; its annotations and tracklets are in the fixed format)."""
    people = PEOPLE if several else ("",)
    levels = ["scorer", "individuals", "bodyparts", "coords"] if several else ["scorer", "bodyparts", "coords"]
    names = [("DLC", *([who] if several else []), joint, axis)
             for who in people for joint in joints for axis in ("x", "y", "likelihood")[:axes]]  # fmt: skip
    points = np.stack([
        np.concatenate([moved(person(len(joints)), t + 100 * i)[:, :axes].ravel() for i in range(len(people))])
        for t in frames
    ])  # fmt: skip
    points[1, :axes] = np.nan
    columns = pd.MultiIndex.from_tuples(names, names=levels)
    pd.DataFrame(points, columns=columns, index=index).to_hdf(path, key="df_with_missing", mode="w", **options)
    return path


@pytest.mark.parametrize("options", [{}, {"format": "table"}], ids=["fixed", "table"])
@pytest.mark.parametrize("several", [False, True])
def test_deeplabcut(tmp_path, several, options):
    clips = load(deeplabcut(tmp_path / "videoDLC_resnet50.h5", several, **options))
    assert [clip.person for clip in clips] == ([*PEOPLE] if several else ["0"])
    assert (clips[0].layout, clips[0].frame_count) == (COCO_17, 3)
    assert (clips[0].confidence[1] > 0).tolist() == [joint > 0 for joint in range(17)]
    assert_frame(clips[-1], 2, moved(person(17), 2 + 100 * (len(clips) - 1)))


@pytest.mark.parametrize(
    "index",
    [
        [f"labeled-data/dance/img{t:03d}.png" for t in (3, 5, 6)],
        pd.MultiIndex.from_tuples([("labeled-data", "dance", f"img{t:03d}.png") for t in (3, 5, 6)]),
    ],
    ids=["names", "three levels"],
)
def test_annotations_of_deeplabcut_name_their_pictures(tmp_path, index):
    """CollectedData_*.h5 of deeplabcut/generate_training_dataset/trainingsetmanipulation.py; it has no likelihood."""
    (clip,) = load(deeplabcut(tmp_path / "CollectedData_me.h5", index=index, axes=2))
    assert (clip.first_frame, seen(clip)) == (3, [True, False, True, True])
    assert clip.confidence[3].tolist() == [1] * 17


def test_own_names_of_deeplabcut_with_a_layout_file(tmp_path):
    """The names of DeepLabCut's human model say no sides: ankle1 is the right one."""
    names = [f"{part}{side}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in (1, 2)]
    path = deeplabcut(tmp_path / "x.h5", joints=[*names, "nose"])
    with pytest.raises(ValueError, match=r"needs left_shoulder, .*--layout my\.json"):
        load(path)
    sides = {f"{side}_{part}": f"{part}{i}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
             for i, side in ((1, "right"), (2, "left"))}  # fmt: skip
    layout = written(tmp_path, {"joints": names[::-1], "h36m_17": sides}, "mine.json")
    (clip,) = load(path, layout=str(layout))
    assert_frame(clip, 2, moved(person(13), 2)[11::-1].copy())


class _Runs:
    def __reduce__(self):
        return (print, ("never",))


def test_nothing_in_an_attribute_is_run(tmp_path, capsys):
    path = deeplabcut(tmp_path / "x.h5", format="table")
    with h5py.File(path, "a") as file:
        stream = io.BytesIO()
        pickle.dump([(1, [_Runs()])], stream, protocol=0)
        file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(stream.getvalue())
    with pytest.raises(ValueError, match=r"x\.h5: is an HDF5 file with the fields 'df_with_missing'"):
        load(path)
    assert "never" not in capsys.readouterr().out


@pytest.mark.parametrize("dims", [("track", "xy", "node", "frame"), ("frame", "track", "node", "xy")])
def test_sleap(tmp_path, dims):
    """write_labels of talmolab/sleap-io (io/analysis_h5.py): its presets "matlab", which SLEAP has, and "standard"."""
    points = np.stack([[moved(person(17), t + 100 * i) for i in range(2)] for t in range(3)])
    points[1, 0] = np.nan
    canonical = ("frame", "track", "node", "xy")
    path = tmp_path / "labels.analysis.h5"
    with h5py.File(path, "w") as file:
        tracks = file.create_dataset(
            "tracks", data=points[..., :2].transpose([canonical.index(axis) for axis in dims]), compression="gzip"
        )
        if dims == canonical:
            tracks.attrs["dims"] = '["frame", "track", "node", "xy"]'
        kept = [canonical.index(axis) for axis in dims if axis != "xy"]
        file["point_scores"] = points[..., 2].transpose(kept)
        file["node_names"] = [joint.encode() for joint in COCO_17.joints]
        file["track_names"] = [b"track_0", b"track_1"]
        file["track_occupancy"] = np.ones((3, 2))
    clips = load(path)
    assert [(clip.person, seen(clip)) for clip in clips] == [
        ("track_0", [True, False, True]), ("track_1", [True] * 3)]  # fmt: skip
    assert_frame(clips[1], 2, moved(person(17), 102))


def test_other_hdf5_says_what_is_in_it(tmp_path):
    path = tmp_path / "motion.h5"
    with h5py.File(path, "w") as file:
        file["poses"] = np.zeros((9, 72))
    with pytest.raises(ValueError, match=r"motion\.h5: is an HDF5 file with the fields 'poses' \(9, 72\), .* \.npy of"):
        load(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"motion\.h5: not a readable HDF5 file .* get it again"):
        load(path, size_px=SIZE)
