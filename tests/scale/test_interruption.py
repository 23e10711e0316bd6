"""A data set that was killed, or shared among jobs, ends as one that was made in one go."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest

import motionrep
from motionrep.scale import Engine

_CODE = "import sys; from motionrep.cli.main import main; sys.exit(main(sys.argv[1:]))"


def _content(folder):
    """What every file of a data set holds, but for the notes of the run."""
    files = sorted(path for path in folder.rglob("*.parquet") if "_run" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_call_for_what_is_done_changes_nothing(clips, tiny, tmp_path):
    first = motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", part_files=2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", part_files=2) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_a_part_that_is_missing_is_made_again(clips, tiny, tmp_path):
    heads = [tiny / "mesh", tiny / "action"]
    for _ in range(2):
        motionrep.recover_dataset(clips, tmp_path / "out", heads, encoder=tiny / "encoder", part_files=2)
        content = _content(tmp_path / "out")
        (tmp_path / "out" / "part-00001.parquet").unlink()
    motionrep.recover_dataset(clips, tmp_path / "out", heads, encoder=tiny / "encoder", part_files=2)
    assert _content(tmp_path / "out") == content


def test_files_that_came_later_do_not_move_others_to_other_parts(clips, tiny, tmp_path):
    motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", part_files=2)
    content = _content(tmp_path / "out")
    (tmp_path / "out" / "part-00001.parquet").unlink()
    (clips / "a_new_one.json").write_text("{")
    motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", part_files=2)
    assert _content(tmp_path / "out") == content


def test_other_options_are_for_another_folder(clips, tiny, tmp_path):
    motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder")
    with pytest.raises(ValueError, match="was made with level 'clip', and now it is 'frame'"):
        motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", level="frame")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "part-00000.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match="Parquet files of something else"):
        motionrep.embed_dataset(clips, tmp_path / "other", tiny / "encoder")


def test_shares_of_several_jobs_are_the_whole(clips, tiny, tmp_path):
    motionrep.embed_dataset(clips, tmp_path / "whole", tiny / "encoder", part_files=2)
    for i in range(3):
        made = motionrep.embed_dataset(
            clips, tmp_path / "shared", tiny / "encoder", part_files=2, engine=Engine(share=(i, 3))
        )
    assert made.parts_done == made.parts
    assert _content(tmp_path / "shared") == _content(tmp_path / "whole")


@pytest.mark.parametrize("options", [{"workers": 0}, {"share": (2, 2)}, {"workers": 2, "ray": "auto"}])
def test_an_engine_that_cannot_be_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Engine(**options)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_several_times_ends_as_one_that_is_not(clips, tiny, tmp_path, workers):
    command = ["embed", clips, "--encoder", tiny / "encoder", "--workers", workers]
    for i in range(6, 30):
        (clips / f"c{i}.npz").write_bytes((clips / "c0.npz").read_bytes())
    motionrep.embed_dataset(clips, tmp_path / "whole", tiny / "encoder", level="frame", part_files=2)
    code = _CODE.replace("import sys;", "import sys, motionrep.scale.datasets as d; d.PART_FILES = 2;")
    arguments = [sys.executable, "-c", code, *map(str, command), "--output", str(tmp_path / "killed")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for kills in range(1, 4):
        process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
        while len(list((tmp_path / "killed").glob("part-*"))) < 3 * kills and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert len(list((tmp_path / "killed").glob("part-*"))) < 16
    subprocess.run(arguments, env=environment, check=True)
    assert _content(tmp_path / "killed") == _content(tmp_path / "whole")


@pytest.mark.slow
def test_ray_makes_the_same_data_set(clips, tiny, tmp_path):
    pytest.importorskip("ray", reason="needs the extra scale")
    motionrep.embed_dataset(clips, tmp_path / "whole", tiny / "encoder", part_files=2)
    made = motionrep.embed_dataset(clips, tmp_path / "ray", tiny / "encoder", part_files=2, engine=Engine(ray="local"))
    assert made.parts_done == made.parts
    assert _content(tmp_path / "ray") == _content(tmp_path / "whole")


def test_the_command_makes_a_data_set_of_a_folder(clips, tiny, tmp_path, capsys):
    from motionrep.cli.main import main

    output = tmp_path / "out"
    assert (
        main(["embed", str(clips), "--encoder", str(tiny / "encoder"), "--level", "clip", "--output", str(output)]) == 0
    )
    assert f"{output}/_errors: 1 source(s)" in capsys.readouterr().out
    assert len(pd.read_parquet(output)) == 7
    given = ["predict", str(clips), "--head", str(tiny / "mesh"), "--encoder", str(tiny / "encoder")]
    assert main([*given, "--output", str(tmp_path / "motions"), "--strict"]) == 2
    assert "broken.json" in capsys.readouterr().err
    assert main([*given, "--output", str(tmp_path / "motions")]) == 0
    assert pq.read_metadata(tmp_path / "motions" / "part-00000.parquet").num_rows == 7
    assert main([*given, "--render", "--output", str(tmp_path / "motions")]) == 2
    assert "--render: is for one video or keypoint file" in capsys.readouterr().err
