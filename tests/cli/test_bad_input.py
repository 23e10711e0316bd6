"""What users get wrong ends in exit status 2 and one line that names the file or option and says what to do."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from paths import WALK_BVH

import motionrep
from motionrep.cli.main import main
from motionrep.layouts import H36M_17

SIZE = ("--size", "1920x1080")


@pytest.fixture
def refused(capsys, tmp_path):
    """Runs a command that must be refused and leave no output; returns the line it ends with."""

    def call(*arguments):
        output = tmp_path / "output.parquet"
        before = set(tmp_path.rglob("*"))
        status = main([*map(str, arguments), "--output", str(output)])
        errors = capsys.readouterr().err.splitlines()
        assert status == 2
        assert len(errors) == 1
        assert errors[0].startswith("motionrep: ")
        assert set(tmp_path.rglob("*")) == before
        return errors[0]

    return call


@pytest.fixture
def entries(tiny):
    """The detections of `clip.json`, to spoil."""
    return json.loads((tiny / "clip.json").read_text())


def _json(tmp_path: Path, entries: list) -> Path:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(entries))
    return path


def test_missing_file(refused):
    assert "nowhere.json: no such keypoint file, video or folder" in refused("embed", "nowhere.json", *SIZE)
    assert "nowhere.npz: no such file" in refused("render", "nowhere.npz")


def test_not_json(refused, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("frame,x,y\n0,1,2\n")
    line = refused("embed", path, *SIZE)
    assert "bad.json: not valid JSON" in line
    assert "cut off or of another kind" in line


def test_empty_file(refused, tmp_path):
    path = tmp_path / "bad.json"
    path.touch()
    assert "bad.json: it is empty" in refused("embed", path, *SIZE)
    path.write_text("[]")
    assert "bad.json: holds no detections" in refused("embed", path, *SIZE)


def test_wrong_joint_count(refused, tmp_path, entries):
    for entry in entries:
        entry["keypoints"] = entry["keypoints"][: 3 * 20]
    line = refused("embed", _json(tmp_path, entries), *SIZE)
    assert "bad.json: the order of its 20 joints is not known; pass " in line
    assert "halpe_26" in line


def test_another_joint_count_than_the_layout(refused, tiny):
    line = refused("embed", tiny / "clip.json", *SIZE, "--layout", "coco_17")
    assert "clip.json" in line
    assert "26" in line
    assert "coco_17" in line


def test_infinite(refused, tmp_path, entries):
    entries[3]["keypoints"][4] = float("inf")
    assert "bad.json" in refused("embed", _json(tmp_path, entries), *SIZE)


def test_one_frame_is_enough(tiny, tmp_path, entries, capsys):
    path, output = _json(tmp_path, entries[:1]), tmp_path / "one.parquet"
    status = main(["embed", str(path), *SIZE, "--encoder", str(tiny / "encoder"), "--output", str(output)])
    assert status == 0
    assert "1 person(s), 1 frames" in capsys.readouterr().out


def test_no_size(refused, tiny):
    line = refused("embed", tiny / "clip.json")
    assert "clip.json" in line
    assert "--size 1920x1080" in line


@pytest.mark.parametrize("size", ["1920", "1920x", "1920*1080", "0x1080", "-1x5", "1920x1080x3", "wide"])
def test_bad_size(refused, tiny, size):
    assert f"1920x1080, got '{size}'" in refused("embed", tiny / "clip.json", f"--size={size}")


def test_a_size_that_cannot_be_right(refused, tiny):
    assert "lie outside an image of 64 x 64 px" in refused("embed", tiny / "clip.json", "--size", "64x64")


@pytest.mark.parametrize("fps", ["-25", "0", "nan"])
def test_impossible_frame_rate(refused, tiny, fps):
    assert f"--fps: expected a number above 0, got '{fps}'" in refused("embed", tiny / "clip.json", f"--fps={fps}")


def test_wrong_type(refused, tiny):
    assert "argument --fps: expected a number, got 'fast'" in refused("embed", tiny / "clip.json", "--fps", "fast")


def test_no_number_of_a_person(refused, tiny):
    assert "--person: expected a whole number from 0 on, got '-1'" in refused("embed", tiny / "c.npz", "--person=-1")


def test_no_views_measure_nothing(refused):
    assert "--views: expected a whole number from 1 on, got '0'" in refused("evaluate", "--data", "d", "--views", "0")


def test_unknown_device(refused, tiny):
    for name in ("gpu", "GPU 0"):
        line = refused("embed", tiny / "clip.json", *SIZE, "--device", name)
        assert f"--device: expected cpu, cuda or cuda:1, got '{name}'" in line


def test_unknown_option_and_command(refused, capsys):
    line = refused("embed", "clip.json", "--fsp", "25")
    assert "unknown option --fsp; did you mean '--fps'? See motionrep embed --help" in line
    assert "b.json: one argument too many; see motionrep report --help" in refused("report", "a.json", "b.json")
    assert main(["embde"]) == 2
    assert "got 'embde'; did you mean 'embed'? See motionrep --help" in capsys.readouterr().err


def test_an_option_is_understood_with_underscores(refused):
    """Once it was only in the commands that train."""
    line = refused("predict", "clip.json", "--frame_order", "files")
    assert "argument --frame-order: expected one of number, file, got 'files'; did you mean 'file'?" in line


def test_missing_argument(capsys):
    assert main(["embed"]) == 2
    assert "required: source, --output; see motionrep embed --help" in capsys.readouterr().err


def test_unknown_layout(refused, tiny):
    line = refused("embed", tiny / "clip.json", *SIZE, "--layout", "halpe26")
    assert "'halpe26'" in line
    assert "did you mean 'halpe_26'?" in line


def test_unknown_encoder_and_head(refused, tiny, monkeypatch):
    names = {"ktpformer-s": Path("e"), "mesh-ktpformer-s": Path("h")}
    monkeypatch.setattr("motionrep.encoders.loading.shipped", lambda kind: names)
    monkeypatch.setattr("motionrep.head_api.loading.shipped", lambda kind: names)
    line = refused("embed", tiny / "clip.json", *SIZE, "--encoder", "ktpfromer-s")
    assert "no encoder 'ktpfromer-s'" in line
    assert "did you mean 'ktpformer-s'?" in line
    line = refused("predict", tiny / "clip.json", *SIZE, "--head", "mesh-ktpformer")
    assert "no head 'mesh-ktpformer'" in line
    assert "did you mean 'mesh-ktpformer-s'?" in line


def test_a_motion_where_keypoints_are_expected(refused, tmp_path):
    motion = motionrep.JointMotion(torch.rand(2, 17, 3), H36M_17, 30.0, "root")
    motionrep.save_motion(motion, tmp_path / "motion.npz")
    assert "motion.npz: holds joint positions (motionrep joint motion)" in refused("embed", tmp_path / "motion.npz")
    line = refused("predict", WALK_BVH, "--encoder", "x")
    assert "first_60.bvh: holds a motion (BVH); read it with motionrep.load_motion, or show it with" in line


def test_keypoints_where_a_motion_is_expected(refused, tiny, tmp_path):
    motionrep.save_keypoints(motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080)), tmp_path / "clip.npz")
    for path, kind in ((tiny / "clip.json", "AlphaPose"), (tmp_path / "clip.npz", "motionrep keypoints")):
        line = refused("render", path)
        assert f"{path}: holds keypoints ({kind}); " in line
        assert "recover a motion from them with motionrep predict" in line


def test_a_head_of_another_encoder(refused, tiny, tmp_path):
    other = motionrep.load_encoder(tiny / "encoder")
    other.name = "other"
    other.save_pretrained(tmp_path / "other")
    line = refused("predict", tiny / "clip.json", *SIZE, "--head", tiny / "mesh", "--encoder", tmp_path / "other")
    assert "trained on encoder 'tiny', got 'other'" in line


def test_a_checkpoint_of_another_architecture(refused, tiny, tmp_path):
    torch.save({"model": {"blocks.0.weight": torch.zeros(3, 3)}}, tmp_path / "other.bin")
    line = refused("embed", tiny / "clip.json", *SIZE, "--encoder", tmp_path / "other.bin")
    assert "other.bin: the weights are of no architecture known here (dstformer, ktpformer" in line
    assert "blocks.0.weight" in line


def test_an_encoder_folder_of_another_architecture(refused, tiny, tmp_path):
    shutil.copytree(tiny / "encoder", tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text()) | {"architecture": "resnet"}
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    line = refused("embed", tiny / "clip.json", *SIZE, "--encoder", tmp_path / "other")
    assert "config.json: unknown architecture 'resnet' (known: dstformer, ktpformer" in line


def test_a_truncated_checkpoint(refused, tiny, tmp_path):
    torch.save({"model": {"weight": torch.zeros(300, 300)}}, tmp_path / "cut.bin")
    whole = (tmp_path / "cut.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[: len(whole) // 2])
    line = refused("embed", tiny / "clip.json", *SIZE, "--encoder", tmp_path / "cut.bin")
    assert "cut.bin: not a whole checkpoint" in line
    assert "download it again" in line


def test_truncated_weights_in_a_folder(refused, tiny, tmp_path):
    shutil.copytree(tiny / "encoder", tmp_path / "cut")
    shutil.copytree(tiny / "mesh", tmp_path / "head")
    for folder in ("cut", "head"):
        path = tmp_path / folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
    assert "cut: not a whole encoder" in refused("embed", tiny / "clip.json", *SIZE, "--encoder", tmp_path / "cut")
    assert "head: not a whole head" in refused("predict", tiny / "clip.json", *SIZE, "--head", tmp_path / "head")


class _Hostile:
    """Makes a marker file when unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_hostile_pickle_does_not_run(refused, tiny, tmp_path, write):
    marker = tmp_path / "marker"
    write({"model": {"weight": torch.zeros(2)}, "optimizer": _Hostile(marker)}, tmp_path / "hostile.bin")
    pickle.loads(pickle.dumps(_Hostile(marker)))
    assert marker.exists()
    marker.unlink()
    assert "hostile.bin" in refused("embed", tiny / "clip.json", *SIZE, "--encoder", tmp_path / "hostile.bin")
    assert not marker.exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["embed", "predict", "convert", "render"])
def test_a_full_disk_leaves_nothing_half_written(tiny, tmp_path, command):
    """Files larger than 1 kB cannot be written in the process; an older result stays.

    The process writes no bytecode: Python leaves .pyc files cut at the limit, which break the checkout for good.
    """
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    motion = motionrep.JointMotion(torch.rand(2, 17, 3), H36M_17, 30.0, "root")
    motionrep.save_keypoints([clip], tmp_path / "clip.npz")
    motionrep.save_motion(motion, tmp_path / "motion.npz")
    output = tmp_path / "output"
    output.mkdir()
    arguments, made = {
        "embed": (["clip.npz", "--encoder", tiny / "encoder"], output / "e.parquet"),
        "predict": (["clip.npz", "--encoder", tiny / "encoder", "--head", tiny / "mesh"], output / "clip_0.npz"),
        "convert": (["clip.npz"], output / "c.json"),
        "render": (["motion.npz", "--height", "90"], output / "m.mp4"),
    }[command]
    made.write_text("older")
    script = (
        "import resource, sys; from motionrep.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, command, *arguments, "--output", output if command == "predict" else made],
        capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"motionrep: [Errno 27] {made} was not written: " in done.stderr
    assert done.stderr.endswith("File too large\n")
    assert list(output.iterdir()) == [made]
    assert made.read_text() == "older"


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("head: pose3d\nepoch: 3\n", "settings.yaml: unknown setting 'epoch'; did you mean 'epochs'?"),
        ("head: pose3d\nepochs: three\n", "setting 'epochs': expected int, got 'three'"),
        ("head: pose3d\nwindow: wide\n", "setting 'window': expected int | None, got 'wide'"),
        (
            "head: pose3d\nclasses: half\n",
            "setting 'classes': expected Literal['none', 'core', 'core_and_rest'], got 'half'",
        ),
        ("head: [pose3d\n", "settings.yaml: not a YAML file of settings"),
        ("- pose3d\n", "settings.yaml: not a YAML file of settings"),
        ("", "settings.yaml: not a YAML file of settings"),
        ("epochs: 3\n", "required: head"),
        ("head: pose3d\n", "either 'encoder' (to start from) or 'new_encoder'"),
        ("head: pose3d\nencoder: x\nepochs: 0\n", "epochs must be at least 1, got 0"),
    ],
)
def test_bad_settings_of_a_training_run(refused, tmp_path, yaml, expected):
    (tmp_path / "settings.yaml").write_text(yaml)
    assert expected in refused("finetune", "--config", tmp_path / "settings.yaml", "--data", tmp_path)


def test_bad_options_of_a_training_run(refused):
    assert "--config: File does not exist" in refused("finetune", "--config", "nowhere.yaml", "--data", "d")
    line = refused("finetune", "--data", "d", "--head", "pose3d", "--encoder", "e", "--clip-per-epoch", "3")
    assert "did you mean '--clips-per-epoch'?" in line
    line = refused("finetune", "--data", "d", "--head", "pose3d", "--head-config.losses.velocity", "1")
    assert "give all of head-config.losses at once, as --head-config.losses '{velocity: ...}'" in line
    assert "nowhere: no such folder" in refused("finetune", "--data", "nowhere", "--head", "pose3d", "--encoder", "e")


def test_view_refuses_what_would_do_nothing(capsys):
    """--size and --fps were ignored when every file is a motion."""
    bvh = WALK_BVH
    for option, value, said in (
        ("--size", "640x480", "holds no keypoints, and --size is for keypoints; remove it"),
        ("--fps", "60", "already has a frame rate; remove --fps"),
    ):
        assert main(["view", str(bvh), option, value, "--save", "page.html"]) == 2
        assert f"first_60.bvh: {said}" in capsys.readouterr().err
