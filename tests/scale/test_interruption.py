"""A data set that was killed, or shared among jobs, ends as one that was made in one go."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from forked import Forked

import motionrep
from motionrep.scale import Engine

PATIENCE_S = 300.0
_CODE = """
import sys
from motionrep.cli.main import main
from motionrep.scale import datasets
datasets.PART_FILES = int(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


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


def test_other_options_are_for_another_folder(clips, tiny, tmp_path, monkeypatch):
    motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder")
    with pytest.raises(ValueError, match="was made with level 'clip', and now it is 'frame'"):
        motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder", level="frame")
    monkeypatch.setattr("motionrep.scale.datasets.OVERLAP", 0.5)  # as another version may have it
    with pytest.raises(ValueError, match=r"was made with overlap 0\.25, and now it is 0\.5"):
        motionrep.embed_dataset(clips, tmp_path / "out", tiny / "encoder")
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


def _many(clips):
    """The folder with 24 more clips."""
    for i in range(6, 30):
        (clips / f"c{i}.npz").write_bytes((clips / "c0.npz").read_bytes())
    return clips


def _arguments(clips, tiny, output, part_files, *options):
    return map(str, (part_files, "embed", clips, "--encoder", tiny / "encoder", "--output", output, *options))


def _started(*arguments):
    """The command in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _CODE, *_arguments(*arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def _wait_for_parts(output, count, process):
    deadline = time.monotonic() + PATIENCE_S
    while len(list(output.glob("part-*"))) < count:
        assert process.poll() is None, "it ended too early to be killed"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "kills"), [(1, 2), (2, 1)])
def test_a_run_that_is_killed_several_times_ends_as_one_that_is_not(clips, tiny, tmp_path, workers, kills):
    motionrep.embed_dataset(_many(clips), tmp_path / "whole", tiny / "encoder", level="frame", part_files=2)
    arguments = [*_arguments(clips, tiny, tmp_path / "killed", 2, "--workers", workers)]
    for kill in range(1, kills + 1):
        process = Forked(_CODE, *arguments)
        _wait_for_parts(tmp_path / "killed", 4 * kill, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert len(list((tmp_path / "killed").glob("part-*"))) < 16
    again = Forked(_CODE, *arguments)
    assert again.wait() == 0, again.errors()
    assert _content(tmp_path / "killed") == _content(tmp_path / "whole")


@pytest.fixture
def ray():
    """Ray, which is not running before and after."""
    found = pytest.importorskip("ray", reason="needs the extra scale")
    found.shutdown()
    yield found
    found.shutdown()


@pytest.mark.slow
def test_ray_makes_the_same_data_set(ray, clips, tiny, tmp_path):
    motionrep.embed_dataset(clips, tmp_path / "whole", tiny / "encoder", part_files=2)
    made = motionrep.embed_dataset(clips, tmp_path / "ray", tiny / "encoder", part_files=2, engine=Engine(ray="local"))
    assert made.parts_done == made.parts
    assert _content(tmp_path / "ray") == _content(tmp_path / "whole")
    with pytest.raises(ValueError, match=r"broken\.json"):  # in an actor
        motionrep.embed_dataset(clips, tmp_path / "x", tiny / "encoder", engine=Engine(ray="local", strict=True))


@pytest.fixture
def cluster(ray):
    """Two machines of Ray with a core each, both on this one; the first is the head."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True)
    made.add_node()
    yield made
    made.shutdown()


def _actors(cluster):
    """The processes in which parts are made."""
    machines = cluster.head_node, *cluster.worker_nodes
    raylets = {machine.all_processes["raylet"][0].process.pid for machine in machines}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and "_Actor" in (process / "cmdline").read_text():
                found.append(int(process.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_cluster_of_which_workers_and_a_machine_die_makes_the_same_data_set(cluster, clips, tiny, tmp_path):
    motionrep.embed_dataset(_many(clips), tmp_path / "whole", tiny / "encoder", level="frame", part_files=1)
    process = _started(clips, tiny, tmp_path / "out", 1, "--ray", cluster.address)
    try:
        _wait_for_parts(tmp_path / "out", 3, process)
        actors = _actors(cluster)
        assert actors
        for actor in actors:
            os.kill(actor, signal.SIGKILL)
        _wait_for_parts(tmp_path / "out", 10, process)
        (other,) = cluster.worker_nodes
        cluster.remove_node(other, allow_graceful=False)
        assert process.poll() is None
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")


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
