import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from motionrep.layouts import H36M_17
from motionrep.tables import write_embeddings
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


def test_frames_are_numbered_from_zero_in_each_clip(two, tmp_path):
    write_embeddings(two, tmp_path / "e.parquet")
    table = pq.read_table(tmp_path / "e.parquet")
    assert table["frame"].to_pylist() == [0, 1, 2, 0, 1]
    assert table["time_s"].to_pylist() == pytest.approx([0, 0.04, 0.08, 0, 0.04])
    assert table["clip"].to_pylist() == ["ann"] * 3 + ["bob"] * 2
    assert np.array_equal(_vectors(table), torch.cat([e.per_frame() for e in two]).numpy())


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


def test_without_pyarrow_the_message_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['pyarrow'] = None; from motionrep.tables import write_embeddings; "
        f"from pathlib import Path; write_embeddings([], Path({str(tmp_path / 'e.parquet')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == 'ImportError: Parquet files need pyarrow: pip install "motionrep[tables]"'
