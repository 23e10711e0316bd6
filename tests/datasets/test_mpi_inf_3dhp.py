"""P-STMO's files of MPI-INF-3DHP, written here in their format."""

import numpy as np
import pytest
from benchmark_files import sequence, write_test_file

from motionrep.datasets.benchmarks.mpi_inf_3dhp import TEST_FRAMES, TEST_SEQUENCES, load_mpi_inf_3dhp
from motionrep.layouts import MPI_INF_3DHP_17


def test_the_test_sequences(tmp_path):
    stored = write_test_file(tmp_path)
    clips = load_mpi_inf_3dhp(tmp_path)
    assert [clip.name for clip in clips] == list(TEST_SEQUENCES) == list(TEST_FRAMES)
    assert [(c.keypoints.width_px, c.keypoints.height_px) for c in clips] == [(2048, 2048)] * 4 + [(1920, 1080)] * 2
    clip, file = clips[4], stored["TS5"]
    assert (clip.joint_target.layout, clip.joint_target.frame) == (MPI_INF_3DHP_17, "camera")
    np.testing.assert_allclose(clip.keypoints.xy_px, file["data_2d"], rtol=1e-6)
    np.testing.assert_allclose(1000 * clip.joint_target.position_m, file["data_3d"], rtol=1e-5)
    assert clip.counted is not None
    assert clip.counted.tolist() == [True, False, True, True, True, False]


def test_training_sequences_have_a_clip_for_each_camera(tmp_path):
    cameras = {name: {k: v for k, v in sequence(5, i).items() if k != "valid"} for i, name in enumerate("0145")}
    np.savez(tmp_path / "data_train_3dhp.npz", data={"S1 Seq1": [cameras, 25], "S3 Seq2": [cameras, 50]})
    clips = load_mpi_inf_3dhp(tmp_path, "train")
    assert [clip.name for clip in clips][3:5] == ["S1 Seq1 5", "S3 Seq2 0"]
    assert (clips[0].keypoints.fps, clips[7].keypoints.fps) == (25.0, 50.0)
    assert (clips[7].subject, clips[7].split, clips[7].counted) == ("S3", "train", None)


def test_what_is_wrong_with_a_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data_test_3dhp\.npz: no such file"):
        load_mpi_inf_3dhp(tmp_path)

    def refused(stored, match, split="test"):
        np.savez(tmp_path / "x.npz", data=stored)
        with pytest.raises(ValueError, match=match):
            load_mpi_inf_3dhp(tmp_path / "x.npz", split)

    good = sequence()
    refused({"S1 Seq1": [{}, 25]}, "should have the test sequences TS1, .* got S1 Seq1; .*split='train'")
    refused({"TS1": {**good, "data_3d": good["data_3d"][:4]}}, r"data\['TS1'\] has 6 frames of 'data_2d' and 4")
    refused({"TS1": {"data_2d": good["data_2d"]}}, r"data\['TS1'\] should have 'data_3d', it has data_2d")
    refused({"TS1": {**good, "data_3d": np.zeros((6, 28, 3))}}, r"\['data_3d'\] should be \(frames, 17, 3\)")
    refused({"TS1": {**good, "data_3d": good["data_3d"] / 1000}}, "should be in millimetres")
    refused({"TS1": {**good, "valid": np.ones(5)}}, r"has 5 frames of 'valid' and 6")
    refused({"TS1": {**good, "data_2d": good["data_2d"] * np.inf}}, r"data\['TS1'\]: .*NaN or infinite")
    refused({"S1 Seq1": good}, r"data\['S1 Seq1'\] should be a list of cameras and frame rate", "train")
