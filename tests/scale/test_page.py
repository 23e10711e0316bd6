"""The Python and the clusters' files of docs/scale.md, run as they stand there."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pandas as pd
import pytest
import yaml
from clip_folders import LENGTHS, write_clips
from paths import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text("utf-8")


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.M)


BLOCKS = _blocks("python")


def _missing(block):
    imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Import)]
    return [alias.name for node in imported for alias in node.names if find_spec(alias.name) is None]


@pytest.mark.slow
def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clips(tmp_path / "clips")
    names = {}
    for block in BLOCKS:
        if not _missing(block):
            exec(compile(block, "docs/scale.md", "exec"), names)
    assert len(BLOCKS) == 4
    assert (names["made"].parts_done, names["made"].errors) == (1, 1)
    assert names["motion"].frame_count == names["rows"][0]["frames"]
    assert names["seconds"][0][0] > 1


_SMALL_PARTS = """
import sys
sys.path.pop(0)
from motionrep.cli.main import main
from motionrep.scale import datasets
datasets.PART_FILES = 2
sys.exit(main(sys.argv[1:]))
"""


def _run(script, folder, **variables):
    """A job as a cluster starts it: on this machine `srun` runs what it is given, and there is no GPU."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "motionrep.py").write_text(_SMALL_PARTS)
    motionrep = f'exec "{sys.executable}" "{folder}/bin/motionrep.py" "$@"'
    for name, content in (("srun", 'exec "$@"'), ("motionrep", motionrep)):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{content}\n")
        (folder / "bin" / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"} | variables
    subprocess.run(script, env=environment, check=True, cwd=folder, capture_output=True)


def _here(text, folder):
    """The page's paths and devices as they are on this machine."""
    for there, here in {
        "/data/kinetics": "clips", "/data/embeddings": "out", "s3://bucket/clips": "clips",
        "s3://bucket/embeddings": "out", "cuda": "cpu", "/16": "/2",
    }.items():  # fmt: skip
        text = text.replace(there, str(folder / here) if here in ("clips", "out") else here)
    return text


@pytest.mark.slow
def test_a_job_of_slurm_and_a_pod_of_kubernetes_make_one_data_set(tmp_path):
    """Each makes its share of two."""
    write_clips(tmp_path / "clips")
    (script,), (text,) = _blocks("bash"), _blocks("yaml")
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", script, re.M))
    assert options == {"job-name": "embed", "array": "0-15", "gpus": "1", "cpus-per-task": "4", "requeue": ""}
    (tmp_path / "embed.sh").write_text(_here(script, tmp_path))
    _run(["bash", "embed.sh"], tmp_path, SLURM_ARRAY_TASK_ID="0", SLURM_ARRAY_TASK_COUNT="2")
    assert sorted(part.name for part in (tmp_path / "out").glob("part-*")) == [
        "part-00000.parquet",
        "part-00002.parquet",
    ]

    job = yaml.safe_load(text)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (job["apiVersion"], job["kind"], spec["completionMode"]) == ("batch/v1", "Job", "Indexed")
    ((shell, flag, command),) = [container["command"] for container in pod["containers"]]
    assert f"/{spec['completions']} " in command
    _run([shell, flag, _here(command, tmp_path)], tmp_path, JOB_COMPLETION_INDEX="1")
    assert len(list((tmp_path / "out").glob("part-*"))) == 4
    assert len(pd.read_parquet(tmp_path / "out")) == len(LENGTHS) + 1
