"""Data sets: the same numbers as clip by clip, in rows that other libraries read."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest
import torch
from clip_folders import LENGTHS, person

import motionrep
from motionrep.cli.main import main
from motionrep.files.remote import file_system
from motionrep.pipeline.pieces import NamedClip, encoded_pieces
from motionrep.scale import Engine
from motionrep.scale.reading import ReadFile, Reading
from motionrep.scale.tasks import EmbeddingTask

FILES = [f"more/c{i}.npz" if i % 2 else f"c{i}.npz" for i in range(len(LENGTHS))]


def _errors(folder):
    table = pd.read_parquet(folder / "_errors")
    return list(zip(table["file"], table["error"], strict=True))


@pytest.mark.parametrize("flip", [False, True])
def test_embeddings_of_clips_are_those_of_each_clip_alone(clips, tiny, tmp_path, flip):
    made = motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", flip=flip, part_files=3)
    assert (made.parts, made.parts_done, made.errors) == (3, 3, 1)
    table = pd.read_parquet(tmp_path / "out")
    assert sorted(table["clip"]) == sorted([str(clips / name) for name in [*FILES, FILES[1]]])
    encoder = motionrep.load_encoder(tiny / "encoder")
    for _, row in table.iterrows():
        (clip,) = (it for it in motionrep.load_keypoints(row["clip"]) if it.person == row["person"])
        alone = motionrep.embed(clip, encoder, flip=flip).per_clip().numpy()
        np.testing.assert_allclose(row["embedding"], alone, atol=1e-5)


@pytest.mark.parametrize("level", ["frame", "joint"])
def test_frames_and_joints_have_rows_as_in_a_table_of_one_clip(clips, tiny, tmp_path, level):
    motionrep.embed_dataset(clips / "c0.npz", tmp_path / "out", tiny / "encoder", level=level)
    table = pd.read_parquet(tmp_path / "out")
    alone = motionrep.embed(motionrep.load_keypoints(clips / "c0.npz")[0], motionrep.load_encoder(tiny / "encoder"))
    values = alone.per_frame() if level == "frame" else alone.values.flatten(0, 1)
    np.testing.assert_allclose(np.stack(table["embedding"].tolist()), values.numpy(), atol=1e-5)
    assert table["frame"].tolist() == [frame for frame in range(12) for _ in range(len(table) // 12)]


def test_a_bad_file_is_told_and_does_not_stop_the_others(clips, tiny, tmp_path):
    motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder")
    ((file, sentence),) = _errors(tmp_path / "out")
    assert file == str(clips / "broken.json")
    assert sentence.startswith(file)


def test_strict_stops_at_a_bad_file(clips, tiny, tmp_path):
    with pytest.raises(ValueError, match=r"broken\.json"):
        motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", engine=Engine(strict=True))
    assert not list((tmp_path / "out").glob("part-*"))


def test_motions_and_actions_are_those_of_recover(clips, tiny, tmp_path):
    heads = [tiny / "mesh", tiny / "pose3d", tiny / "action"]
    made = motionrep.recover_dataset(clips, tmp_path / "out", heads, encoder=tiny / "encoder", part_files=4)
    assert (made.parts, made.errors) == (2, 1)
    rows = pd.read_parquet(tmp_path / "out").to_dict("records")
    assert len(rows) == len(LENGTHS) + 1
    row = next(row for row in rows if row["clip"].endswith("c3.npz"))
    (alone,) = motionrep.recover(row["clip"], list(map(str, heads)), encoder=tiny / "encoder")
    mesh, pose, scores = alone.results.values()
    body, joints = motionrep.body_motion_from_rows([row]), motionrep.joint_motion_from_rows([row])
    torch.testing.assert_close(body.local_rotmat, mesh.local_rotmat, atol=1e-4, rtol=0)
    torch.testing.assert_close(body.translation_m, mesh.translation_m, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(body.betas, mesh.betas, atol=1e-5, rtol=0)
    assert (body.body_model, body.frame, body.fps) == (mesh.body_model, mesh.frame, mesh.fps)
    torch.testing.assert_close(joints.position_m, pose.position_m, atol=1e-5, rtol=0)
    assert row["action"] == scores.best
    assert row["probability"]["walk"] == pytest.approx(float(scores.probability()[0]), abs=1e-5)


def test_two_heads_of_one_kind_have_columns_of_their_own(clips, tiny, tmp_path):
    heads = [f"{tiny}/pose3d", f"{tiny}/../{tiny.name}/pose3d"]
    motionrep.recover_dataset(clips / "c0.npz", tmp_path / "out", heads, encoder=tiny / "encoder")
    columns = pd.read_parquet(tmp_path / "out").columns
    assert {f"position_m_{head}" for head in heads} <= {*columns}


def test_a_camera_that_moves_is_refused_since_its_way_is_of_one_video(clips, tiny, tmp_path):
    camera = tmp_path / "camera.json"
    camera.write_text(json.dumps({"hfov_deg": 50, "world": "any", "camera_from_world": [torch.eye(4).tolist()] * 12}))
    given = {"encoder": tiny / "encoder", "camera": camera}
    motionrep.recover_dataset(clips / "c0.npz", tmp_path / "out", [tiny / "mesh"], **given)
    ((_, sentence),) = _errors(tmp_path / "out")
    assert "camera.json: a camera that moves belongs to one video" in sentence


def test_other_libraries_read_the_data_set(clips, tiny, tmp_path):
    motionrep.recover_dataset(clips, tmp_path / "out", [tiny / "mesh"], encoder=tiny / "encoder", part_files=3)
    rows = duckdb.sql(f"select clip, translation_m from '{tmp_path}/out/*.parquet'").fetchall()
    assert len(rows) == len(LENGTHS) + 1
    assert len(rows[0][1][0]) == 3


def test_a_long_clip_comes_in_pieces_that_fit_together(tiny, monkeypatch):
    monkeypatch.setattr("motionrep.pipeline.pieces.PIECE_FRAMES", 30)
    encoder, clip = motionrep.load_encoder(tiny / "encoder"), person(100)
    named = NamedClip("a", [clip])
    pieces = list(encoded_pieces([named], encoder, lambda *_: None, "cpu", torch.float32))
    assert [piece.clip.frame_count for piece in pieces] == [25, 25, 25, 25]
    assert [piece.clip.first_frame for piece in pieces] == [0, 25, 50, 75]
    assert [piece.is_last for piece in pieces] == [False, False, False, True]
    values = torch.cat([piece.ways[0].values for piece in pieces])
    torch.testing.assert_close(values, motionrep.embed(clip, encoder).values, atol=1e-5, rtol=0)


def test_the_mean_of_a_clip_in_pieces_is_that_of_the_whole(tiny, monkeypatch):
    monkeypatch.setattr("motionrep.pipeline.pieces.PIECE_FRAMES", 30)
    clip = person(100)
    clip.confidence[20:50] = 0
    (row,) = EmbeddingTask(str(tiny / "encoder")).tables([ReadFile("a", [clip])], lambda *_: None)
    alone = motionrep.embed(clip, motionrep.load_encoder(tiny / "encoder")).per_clip()
    np.testing.assert_allclose(row["embedding"][0].as_py(), alone.numpy(), atol=1e-5)


def test_rows_of_a_long_clip_are_joined_and_a_missing_one_is_told(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("motionrep.pipeline.pieces.PIECE_FRAMES", 30)
    path = tmp_path / "long.npz"
    motionrep.save_keypoints(
        [person(100).as_h36m_17()], path
    )  # without hands and feet, which are fitted piece by piece
    motionrep.recover_dataset(path, tmp_path / "out", [tiny / "mesh"], encoder=tiny / "encoder")
    rows = pd.read_parquet(tmp_path / "out").to_dict("records")
    (alone,) = motionrep.recover(path, [str(tiny / "mesh")], encoder=tiny / "encoder")
    joined = motionrep.body_motion_from_rows(rows[::-1])
    torch.testing.assert_close(joined.local_rotmat, alone.motion.local_rotmat, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="frame 25 should follow, got 50"):
        motionrep.body_motion_from_rows([rows[0], *rows[2:]])
    with pytest.raises(ValueError, match="no column 'position_m'"):
        motionrep.joint_motion_from_rows(rows)


@pytest.mark.parametrize("unseen", [(0, 50), (25, 50), (75, 100)], ids=["at first", "in the middle", "in the end"])
def test_in_a_piece_in_which_nobody_was_seen_the_pose_beside_it_stays(tiny, tmp_path, monkeypatch, unseen):
    """Heads that place a body refused it, and the rows of the clip could not be joined."""
    monkeypatch.setattr("motionrep.pipeline.pieces.PIECE_FRAMES", 30)
    clip = person(100).as_h36m_17()
    clip.confidence[slice(*unseen)] = 0
    motionrep.save_keypoints([clip], tmp_path / "long.npz")
    heads = [tiny / "mesh", tiny / "pose3d", tiny / "action"]
    made = motionrep.recover_dataset(tmp_path / "long.npz", tmp_path / "out", heads, encoder=tiny / "encoder")
    assert made.errors == 0
    rows = pd.read_parquet(tmp_path / "out").to_dict("records")
    assert [row["first_frame"] for row in rows] == [0, 25, 50, 75]
    gone = [unseen[0] <= row["first_frame"] < unseen[1] for row in rows]
    assert [not any(row["seen"]) for row in rows] == gone
    assert [pd.isna(row["action"]) for row in rows] == gone
    body, joints = motionrep.body_motion_from_rows(rows), motionrep.joint_motion_from_rows(rows)
    beside = unseen[1] if unseen[0] == 0 else unseen[0] - 1
    for values in (body.local_rotmat, body.translation_m, joints.position_m):
        assert values.isfinite().all()
        torch.testing.assert_close(values[slice(*unseen)], values[[beside]].expand_as(values[slice(*unseen)]))


def test_inputs_and_output_may_lie_on_another_file_system(clips, tiny, tmp_path):
    fs, _ = file_system("memory://")
    fs.put(str(clips), "/data/in", recursive=True)
    made = motionrep.embed_dataset("memory://data/in", "memory://data/out", tiny / "encoder", part_files=3)
    assert (made.parts, made.parts_done, made.errors) == (3, 3, 1)
    motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", part_files=3)
    there, here = (
        pd.concat([pd.read_parquet(file) for file in sorted(files, key=str)])
        for files in (
            [fs.open(name) for name in fs.glob("/data/out/part-*.parquet")],
            (tmp_path / "out").glob("part-*.parquet"),
        )
    )
    assert sorted(name.rpartition("/")[2] for name in there["clip"]) == sorted(
        n.rpartition("/")[2] for n in here["clip"]
    )
    assert there["clip"].str.startswith("memory://").all()
    with fs.open("/data/out/_errors/part-00000.parquet") as file:
        assert pd.read_parquet(file)["error"][0].startswith("memory://")
    fs.rm("/data", recursive=True)


def test_a_reading_that_does_not_fit_a_file_is_an_error_of_that_file(clips, tiny, tmp_path):
    (clips / "broken.json").unlink()
    made = motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", reading=Reading(layout="coco_17"))
    assert made.errors == len(LENGTHS)


@pytest.mark.slow
def test_the_command_on_a_folder_takes_heads_that_a_data_set_has_columns_for(clips, tmp_path):
    """By default the ground head was among them, and the command ended with a traceback."""
    assert main(["predict", str(clips), "--output", str(tmp_path / "out")]) == 0
    assert {"axis_angle", "body_model"} <= set(pd.read_parquet(tmp_path / "out").columns)
    heads = ["--head", "mesh-ktpformer-s", "--head", "ground-ktpformer-s"]
    assert main(["predict", str(clips), *heads, "--output", str(tmp_path / "other")]) == 2
