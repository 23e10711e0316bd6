"""Broken files of every kind: each is read with valid values, or refused in one sentence that names it.

`MOTIONREP_FUZZ` is the number of broken files made of each sample; `make fuzz` makes a million.
"""

import os
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzz_mutations import broken_file
from fuzz_others import OTHERS
from fuzz_samples import FRAMES, SAMPLES, SIZE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionrep.files.kinds import KINDS, kind_of
from motionrep.keypoints.loading import load_keypoints
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.loading import load_motions

INPUTS = int(os.environ.get("MOTIONREP_FUZZ", "8"))
MOST_CPU_S = 60.0  # for one file
MOST_MORE_KB = 4 * 2**20  # of memory, for all files of a sample
HOLDS = {kind.name: kind.holds for kind in KINDS}
CASES = [(kind, place) for kind, writers in SAMPLES.items() for place in range(len(writers))]
fuzzed = settings(
    max_examples=INPUTS,
    derandomize=INPUTS < 1000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def read(kind: str, path: Path) -> list[Any]:
    match HOLDS[kind]:
        case "keypoints":
            return load_keypoints(path, size_px=SIZE, all_persons=True)
        case "motion":
            return load_motions(path)
        case "joints":
            return [load_joints(path, person=0 if kind == "results of MDM" else None)[0]]
    raise AssertionError(f"no function reads {kind}")


def require_valid(found: Any) -> None:
    """Whatever was read has numbers only."""
    for it in found if isinstance(found, list | tuple) else [found]:
        for value in vars(it).values() if hasattr(it, "__dict__") else ():
            if isinstance(value, torch.Tensor):
                assert bool(torch.isfinite(value).all())


def require_read_or_refused(path: Path, how: Any) -> None:
    """The oracle."""
    began_s, began_kb = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal, found = None, []
    try:
        found = how(path)
    except (ValueError, OSError) as error:
        refusal = str(error)
    if refusal is None:
        require_valid(found)
    else:
        assert str(path) in refusal
        assert len(refusal) < 4000
    assert time.process_time() - began_s < MOST_CPU_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began_kb < MOST_MORE_KB


def broken_in(path: Path, draw: Any) -> None:
    """Breaks a file, or one of the files of a folder, in its place."""
    victim = path
    if path.is_dir():
        victim = draw(st.sampled_from(sorted(it for it in path.iterdir() if it.suffix != ".md")))
    victim.write_bytes(draw(broken_file(victim, victim.read_bytes())))


def test_every_reader_has_a_sample():
    assert {kind.name for kind in KINDS if kind.reader is not None} == set(SAMPLES)


@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_whole_file_is_read(tmp_path, kind, place):
    path = SAMPLES[kind][place](tmp_path)
    assert kind_of(path).name == kind
    found = read(kind, path)
    require_valid(found)
    frames = found[0].frame_count if hasattr(found[0], "frame_count") else FRAMES
    assert frames == FRAMES


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_broken_file_is_read_or_refused(tmp_path_factory, kind, place):
    whole = SAMPLES[kind][place](tmp_path_factory.mktemp("whole"))
    folder = tmp_path_factory.mktemp("broken")

    @fuzzed
    @given(st.data())
    def run(data: Any) -> None:
        path = _copied(whole, folder)
        broken_in(path, data.draw)
        require_read_or_refused(path, lambda it: read(kind, it))

    run()


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_broken_files_are_read_or_refused(tmp_path_factory, name):
    write, how = OTHERS[name]
    whole = write(tmp_path_factory.mktemp("whole"))
    how(whole)
    folder = tmp_path_factory.mktemp("broken")

    @fuzzed
    @given(st.data())
    def run(data: Any) -> None:
        path = _copied(whole, folder)
        broken_in(path, data.draw)
        require_read_or_refused(path, how)

    run()


def _copied(whole: Path, folder: Path) -> Path:
    path = folder / whole.name
    if whole.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(whole, path)
    else:
        shutil.copyfile(whole, path)
    return path
