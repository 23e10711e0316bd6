import dataclasses
import subprocess
import sys

import jaxtyping
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from motionrep.embedding.tables import read_embeddings, write_embeddings
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints, MotionEmbedding

CHANNELS = 5


def _embedding(frames: int, person: str, seed: int) -> MotionEmbedding:
    generator = torch.Generator().manual_seed(seed)
    xy_px = torch.zeros(frames, 17, 2)
    keypoints = Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 25.0, 640, 480, person)
    return MotionEmbedding(torch.randn(frames, 17, CHANNELS, generator=generator), keypoints, "tiny")


@pytest.fixture
def two():
    return [_embedding(3, "ann", 0), _embedding(2, "bob", 1)]


def _vectors(table: pa.Table) -> np.ndarray:
    return np.array(table["embedding"].to_pylist(), dtype=np.float32)


def test_a_clip_has_one_row(two, tmp_path):
    write_embeddings(two, tmp_path / "e.parquet", "clip", ["a", "b"])
    table = pq.read_table(tmp_path / "e.parquet")
    assert table.column_names == ["clip", "person", "encoder", "fps", "embedding"]
    assert table.select(["clip", "person", "encoder", "fps"]).to_pylist() == [
        {"clip": "a", "person": "ann", "encoder": "tiny", "fps": 25.0},
        {"clip": "b", "person": "bob", "encoder": "tiny", "fps": 25.0},
    ]
    assert np.array_equal(_vectors(table), np.stack([e.per_clip().numpy() for e in two]))


def test_frames_are_numbered_in_each_clip(two, tmp_path):
    write_embeddings(two, tmp_path / "e.parquet")
    table = pq.read_table(tmp_path / "e.parquet")
    assert table["frame"].to_pylist() == [0, 1, 2, 0, 1]
    assert table["time_s"].to_pylist() == pytest.approx([0, 0.04, 0.08, 0, 0.04])
    assert table["clip"].to_pylist() == ["ann"] * 3 + ["bob"] * 2
    assert np.array_equal(_vectors(table), torch.cat([e.per_frame() for e in two]).numpy())


def test_frames_are_those_of_the_file_and_say_whether_the_person_was_seen(two, tmp_path):
    confidence = torch.ones(3, 17)
    confidence[1] = 0
    later = dataclasses.replace(two[0].keypoints, confidence=confidence, first_frame=50)
    later = dataclasses.replace(two[0], keypoints=later)
    for level, times in (("frame", 1), ("joint", 17)):
        write_embeddings([later], tmp_path / "e.parquet", level)
        table = pq.read_table(tmp_path / "e.parquet")
        assert table["frame"].to_pylist() == [frame for frame in (50, 51, 52) for _ in range(times)]
        assert table["time_s"].to_pylist()[::times] == pytest.approx([2.0, 2.04, 2.08])
        assert table["seen"].to_pylist()[::times] == [True, False, True]


def test_joints_have_their_names(two, tmp_path):
    write_embeddings(two, tmp_path / "e.parquet", "joint")
    table = pq.read_table(tmp_path / "e.parquet")
    assert table["joint"].to_pylist() == list(H36M_17.joints) * 5
    assert table["frame"].to_pylist() == [frame for frame in (0, 1, 2, 0, 1) for _ in range(17)]
    assert np.array_equal(_vectors(table), torch.cat([e.values.flatten(0, 1) for e in two]).numpy())


def test_vectors_have_a_fixed_length_in_float32(two, tmp_path):
    write_embeddings(two, tmp_path / "e.parquet")
    assert pq.read_schema(tmp_path / "e.parquet").field("embedding").type == pa.list_(pa.float32(), CHANNELS)


def test_as_many_names_as_embeddings(two, tmp_path):
    with pytest.raises(ValueError, match="2 embeddings, 1 clip names"):
        write_embeddings(two, tmp_path / "e.parquet", clips=["a"])
    with pytest.raises(ValueError, match="no embeddings"):
        write_embeddings([], tmp_path / "e.parquet")
    with pytest.raises(ValueError, match=r"e\.csv: embeddings are written as \.parquet"):
        write_embeddings(two, tmp_path / "e.csv")
    assert not list(tmp_path.iterdir())


def test_an_unknown_level_is_refused(two, tmp_path, monkeypatch):
    """Whatever was neither clip nor frame was written as joints."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=r"unknown level 'frames' \(known: clip, frame, joint\)"):
        write_embeddings(two, tmp_path / "e.parquet", "frames")  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_without_pyarrow_the_message_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['pyarrow'] = None; from motionrep.embedding.tables import write_embeddings; "
        f"from pathlib import Path; write_embeddings([], Path({str(tmp_path / 'e.parquet')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == 'ImportError: Parquet files need pyarrow: pip install "motionrep[tables]"'


def test_further_columns_are_repeated_for_every_row(two, tmp_path):
    write_embeddings(two, tmp_path / "e.parquet", "frame", more={"action": ["walk", "wave"], "subject": [1, 2]})
    table = pq.read_table(tmp_path / "e.parquet")
    assert table["action"].to_pylist() == ["walk"] * 3 + ["wave"] * 2
    assert table["subject"].to_pylist() == [1] * 3 + [2] * 2


@pytest.mark.parametrize("more", [{"action": ["walk"]}, {"fps": [1, 2]}])
def test_further_columns_have_names_of_their_own_and_a_value_for_each(two, tmp_path, more):
    with pytest.raises(ValueError, match=rf"column '{next(iter(more))}' of `more` needs a name other than"):
        write_embeddings(two, tmp_path / "e.parquet", more=more)


@pytest.mark.parametrize("level", ["clip", "frame", "joint"])
def test_what_is_written_is_read_again(two, tmp_path, level):
    write_embeddings(two, tmp_path / "e.parquet", level, ["a", "b"], {"action": ["walk", "wave"]})
    values, columns = read_embeddings(tmp_path / "e.parquet")
    table = pq.read_table(tmp_path / "e.parquet")
    assert values.dtype == np.float32
    assert np.array_equal(values, _vectors(table))
    assert list(columns) == [name for name in table.column_names if name != "embedding"]
    assert columns["action"] == table["action"].to_pylist()


def test_a_file_without_embeddings_is_refused(tmp_path):
    (tmp_path / "no.parquet").write_text("clip,action")
    with pytest.raises(ValueError, match=r"no\.parquet: not a Parquet file"):
        read_embeddings(tmp_path / "no.parquet")
    pq.write_table(pa.table({"clip": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"other\.parquet: expected rows with a column 'embedding', got 1 rows"):
        read_embeddings(tmp_path / "other.parquet")
    pq.write_table(pa.table({"embedding": [[1.0], [1.0, 2.0]]}), tmp_path / "uneven.parquet")
    with pytest.raises(ValueError, match=r"uneven\.parquet: lists of lengths"):
        read_embeddings(tmp_path / "uneven.parquet")


def test_pandas_reads_the_table(two, tmp_path):
    pandas = pytest.importorskip("pandas")
    write_embeddings(two, tmp_path / "e.parquet")
    frame = pandas.read_parquet(tmp_path / "e.parquet")
    assert frame.groupby("clip")["frame"].count().to_dict() == {"ann": 3, "bob": 2}
    assert np.array_equal(np.stack(frame["embedding"]), torch.cat([e.per_frame() for e in two]).numpy())


def test_duckdb_reads_the_table_and_measures_distances(two, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    write_embeddings(two, tmp_path / "e.parquet", "clip")
    a, b = (e.per_clip() for e in two)
    query = "select list_cosine_similarity(a.embedding::float[], b.embedding::float[]) from '{0}' a, '{0}' b "
    query += "where a.clip = 'ann' and b.clip = 'bob'"
    similarity = duckdb.sql(query.format(tmp_path / "e.parquet")).fetchall()[0][0]
    assert similarity == pytest.approx(float(torch.nn.functional.cosine_similarity(a, b, dim=0)), abs=1e-5)


def test_hugging_face_datasets_reads_the_table(two, tmp_path):
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    write_embeddings(two, tmp_path / "e.parquet", "clip")
    rows = datasets.Dataset.from_parquet(str(tmp_path / "e.parquet"), cache_dir=str(tmp_path / "cache"))
    assert rows["clip"] == ["ann", "bob"]
    assert np.allclose(rows["embedding"][0], two[0].per_clip().numpy())


def test_clips_of_other_rates_share_a_table(two, tmp_path):
    """25 and 29.97 frames per second were an integer and a float to Arrow, which refused them in one column."""
    whole = dataclasses.replace(two[0], keypoints=dataclasses.replace(two[0].keypoints, fps=25))
    write_embeddings([whole, two[1]], tmp_path / "e.parquet", more={"action": ["walk", None]})
    table = pq.read_table(tmp_path / "e.parquet")
    assert set(table["fps"].to_pylist()) == {25.0, float(two[1].fps)}
    assert set(table["action"].to_pylist()) == {"walk", None}
