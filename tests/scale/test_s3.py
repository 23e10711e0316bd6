"""Sources and a data set in a bucket, through fsspec and s3fs; the server is moto's, on this machine."""

import io

import pandas as pd
import pytest
from clip_folders import LENGTHS

import motionrep
from motionrep.files.remote import file_system
from motionrep.scale import Engine

moto_server = pytest.importorskip("moto.server", reason="needs moto[server], of the extra dev")
s3fs = pytest.importorskip("s3fs", reason="needs s3fs, of the extra dev")


@pytest.fixture
def bucket(clips, monkeypatch):
    """The file system, with the clips in s3://bucket/clips."""
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    s3fs.S3FileSystem.clear_instance_cache()
    fs, _ = file_system("s3://bucket")
    if fs.exists("bucket"):  # servers of one process share what they hold
        fs.rm("bucket", recursive=True)
    fs.mkdir("bucket")
    fs.put(str(clips), "bucket/clips", recursive=True)
    yield fs
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def _table(fs, folder):
    names = sorted(fs.glob(f"{folder}/part-*.parquet"))
    return pd.concat([pd.read_parquet(io.BytesIO(fs.cat_file(name))) for name in names], ignore_index=True)


def _here(clips, output, tiny):
    """The data set of the same clips on this machine, by name of the source."""
    motionrep.embed_dataset(clips, output, tiny / "encoder", part_files=3)
    table = pd.concat([pd.read_parquet(part) for part in sorted(output.glob("part-*.parquet"))], ignore_index=True)
    return table.assign(clip=table["clip"].str.removeprefix(f"{clips}/"))


def test_a_bucket_is_read_and_written_as_a_folder_is(bucket, clips, tiny, tmp_path):
    made = motionrep.embed_dataset("s3://bucket/clips", "s3://bucket/out", tiny / "encoder", part_files=3)
    assert (made.parts, made.parts_done, made.errors) == (3, 3, 1)
    table = _table(bucket, "bucket/out")
    table["clip"] = table["clip"].str.removeprefix("s3://bucket/clips/")
    pd.testing.assert_frame_equal(
        table.sort_values(["clip", "person"], ignore_index=True),
        _here(clips, tmp_path / "out", tiny).sort_values(["clip", "person"], ignore_index=True),
    )
    error = pd.read_parquet(io.BytesIO(bucket.cat_file("bucket/out/_errors/part-00000.parquet")))["error"][0]
    assert error.startswith("s3://bucket/clips/broken.json")
    assert not [name for name in bucket.find("bucket/out") if "/." in name]


def test_a_part_that_is_missing_in_a_bucket_is_made_again(bucket, tiny):
    arguments = ("s3://bucket/clips", "s3://bucket/out", tiny / "encoder")
    motionrep.embed_dataset(*arguments, part_files=2)
    before = _table(bucket, "bucket/out")
    bucket.rm_file("bucket/out/part-00001.parquet")
    made = motionrep.embed_dataset(*arguments, part_files=2)
    assert made.parts_done == made.parts
    pd.testing.assert_frame_equal(_table(bucket, "bucket/out"), before)


@pytest.mark.parametrize("source", ["s3://bucket/clips/**/*.npz", "s3://bucket/list.csv"])
def test_globs_and_lists_in_a_bucket_name_its_files(bucket, tiny, tmp_path, source):
    with bucket.open("bucket/list.csv", "w") as file:
        names = [f"clips/{'more/' if i % 2 else ''}c{i}.npz" for i in range(len(LENGTHS))]
        file.write("\n".join(["path", *names]))
    made = motionrep.recover_dataset(source, tmp_path / "out", [tiny / "mesh"], encoder=tiny / "encoder")
    assert (made.parts_done, made.errors) == (1, 0)
    assert len(pd.read_parquet(tmp_path / "out")) == len(LENGTHS) + 1


@pytest.mark.slow
def test_workers_reach_a_bucket(bucket, tiny):
    arguments = ("s3://bucket/clips", tiny / "encoder")
    for output, workers in (("one", 1), ("two", 2)):
        made = motionrep.embed_dataset(
            arguments[0], f"s3://bucket/{output}", arguments[1], part_files=2, engine=Engine(workers=workers)
        )
        assert made.parts_done == made.parts
    pd.testing.assert_frame_equal(_table(bucket, "bucket/one"), _table(bucket, "bucket/two"))
