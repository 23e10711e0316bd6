import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from paths import ROOT, WALK_BVH

import motionrep
from motionrep.cli import main as cli
from motionrep.cli.training_options import parse
from motionrep.datasets.authored.motions import authored_motion
from motionrep.layouts import H36M_17
from motionrep.types import ActionScores
from motionrep.weights import shipped

SIZE = ("--size", "1920x1080")


@pytest.fixture
def run(capsys):
    """Runs a command; returns exit status, standard output and standard error."""

    def call(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as stopped:  # --help and --version
            status = stopped.code
        output = capsys.readouterr()
        return status, output.out, output.err

    return call


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    """A folder of motion files; the hash of its path makes unseen.npz the validation clip."""
    folder = tmp_path_factory.mktemp("motions")
    for name, kind in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        motionrep.save_motion(authored_motion(kind, seconds=2.8), folder / f"{name}.npz")
    return folder


def _process(*arguments, **options):
    command = [sys.executable, "-m", "motionrep", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def _movie_shape(path):
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return len(frames), frames[0].shape[0], frames[0].shape[1]


def test_without_a_command_the_commands_are_listed(run):
    status, listed, errors = run()
    assert (status, errors) == (0, "")
    assert run("--help")[:2] == (0, listed)
    for name in ("demo", "embed", "predict", "render", "convert", "export", "finetune", "evaluate", "list"):
        assert f"    {name} " in listed


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_its_options(run, command):
    status, text, errors = run(command, "--help")
    assert (status, errors) == (0, "")
    assert f"motionrep {command}" in text
    assert all(word not in text for word in ("<class", "<function", "None"))


def test_the_installed_command_prints_its_version():
    done = _process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"motionrep {motionrep.__version__}\n", "")


def test_results_go_to_stdout_and_progress_to_stderr(tiny, tmp_path):
    output = tmp_path / "made" / "e.parquet"
    done = _process("embed", tiny / "clip.json", *SIZE, "--encoder", tiny / "encoder", "--output", output)
    assert (done.returncode, done.stdout) == (0, f"{output}: 1 person(s), 12 frames, 16 channels\n")
    assert "30 frames per second" in done.stderr


def test_bad_input_is_one_line_on_stderr():
    done = _process("embed", "missing.json", *SIZE, "--output", "e.parquet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "motionrep: missing.json: no such keypoint file, video or folder\n"


def test_traceback_shows_where_an_error_came_from():
    done = _process("embed", "missing.json", "--traceback", *SIZE, "--output", "e.parquet")
    assert done.returncode not in (0, 2)
    assert "Traceback (most recent call last)" in done.stderr
    assert "cli/sources.py" in done.stderr


def test_everything_exported_is_there():
    assert all(hasattr(motionrep, name) for name in motionrep.__all__)
    with pytest.raises(AttributeError, match="no attribute 'laod_motion'"):
        _ = motionrep.laod_motion


def test_interrupting_leaves_no_traceback(run, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.COMMANDS["list"], "run", interrupted)
    assert run("list") == (130, "", "motionrep: interrupted\n")


def test_list_names_what_can_be_passed(run):
    status, text, _ = run("list")
    assert status == 0
    for name in ("ktpformer", "mesh", "pose3d", "action", "halpe_26 (26 joints)", *shipped("head")):
        assert name in text


@pytest.mark.parametrize(("level", "rows"), [("clip", 1), ("frame", 12), ("joint", 12 * 17)])
def test_embed_writes_a_table(run, tiny, tmp_path, level, rows):
    output = tmp_path / "e.parquet"
    options = ("--encoder", tiny / "encoder", "--level", level, "--flip", "--output", output)
    assert run("embed", tiny / "clip.json", *SIZE, *options)[0] == 0
    table = pq.read_table(output)
    assert table.num_rows == rows
    assert set(table["clip"].to_pylist()) == {"clip"}


def test_embed_looks_at_the_suffix_first(run):
    status, _, errors = run("embed", "nowhere.json", "--output", "e.csv")
    assert status == 2
    assert "e.csv: embeddings are written as .parquet" in errors


def test_flip_and_precision_change_the_embedding(run, tiny, tmp_path):
    values = []
    for index, options in enumerate(((), ("--flip",), ("--precision", "bfloat16"))):
        output = tmp_path / f"{index}.parquet"
        given = (tiny / "clip.json", *SIZE, "--encoder", tiny / "encoder", "--output", output, *options)
        assert run("embed", *given)[0] == 0
        values.append(np.stack(pq.read_table(output)["embedding"].to_pylist()))
    assert not np.allclose(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_predict_writes_a_mesh_motion_and_its_video(run, tiny, tmp_path):
    options = ("--head", tiny / "mesh", "--encoder", tiny / "encoder", "--output", tmp_path / "out")
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    two = [_first(clip, 3), _first(clip, 2)]
    motionrep.save_keypoints(two, tmp_path / "duo.npz")
    status, text, _ = run("predict", tmp_path / "duo.npz", *options, "--render")
    assert status == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [*(f"duo_{i}.{suffix}" for i in range(2) for suffix in ("glb", "npz")), "duo_together.mp4"]
    assert all(str(tmp_path / "out" / name) in text for name in written)
    motion = motionrep.load_motion(tmp_path / "out" / "duo_0.npz")
    assert (motion.frame_count, motion.frame, motion.body_model) == (3, "camera", "open")
    assert _movie_shape(tmp_path / "out" / "duo_together.mp4")[0] == 3


def test_predict_leaves_stray_detections_out(run, tiny, tmp_path, caplog):
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    stray = replace(clip, confidence=clip.confidence * (torch.arange(26) < 2), person="stray")
    motionrep.save_keypoints([stray, clip], tmp_path / "duo.npz")
    options = ("--head", tiny / "mesh", "--encoder", tiny / "encoder", "--refine", "--output", tmp_path / "out")
    status = run("predict", tmp_path / "duo.npz", *options)[0]
    assert (status, [path.name for path in (tmp_path / "out").iterdir()]) == (0, ["duo_1.npz"])
    assert "person stray is left out: never more than 2 joints at a time were seen" in caplog.text
    assert run("predict", tmp_path / "duo.npz", *options, "--person", 0)[0] == 0
    assert (tmp_path / "out" / "duo_0.npz").is_file()
    assert "person must be 0 to 1, got 2" in run("predict", tmp_path / "duo.npz", *options, "--person", 2)[2]


def test_predict_keeps_the_results_of_heads_of_one_name(run, tiny, tmp_path):
    for name in ("mesh", "pose3d"):
        shutil.copytree(tiny / name, tmp_path / name / "head")
    heads = ("--head", tmp_path / "mesh" / "head", "--head", tmp_path / "pose3d" / "head")
    options = ("--encoder", tiny / "encoder", "--output", tmp_path / "out")
    assert run("predict", tiny / "clip.json", *SIZE, *heads, *options)[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip_0_head_0.npz", "clip_0_head_1.npz"]


def test_predict_writes_joint_positions(run, tiny, tmp_path):
    options = ("--head", tiny / "pose3d", "--encoder", tiny / "encoder", "--output", tmp_path)
    assert run("predict", tiny / "clip.json", *SIZE, *options)[0] == 0
    motion = motionrep.load_joint_motion(tmp_path / "clip_0.npz")
    assert (motion.frame_count, motion.frame, motion.layout) == (12, "root", H36M_17)


def test_predict_writes_action_scores(run, tiny, tmp_path):
    options = ("--head", tiny / "action", "--encoder", tiny / "encoder", "--output", tmp_path)
    status, text, _ = run("predict", tiny / "clip.json", *SIZE, *options)
    assert status == 0
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    expected = motionrep.load_head(tiny / "action").predict(
        motionrep.embed(clip, motionrep.load_encoder(tiny / "encoder"))
    )
    assert isinstance(expected, ActionScores)
    got = json.loads((tmp_path / "clip_0.json").read_text())
    assert list(got["probability"]) == ["walk", "jump"]
    assert got["probability"].values() == pytest.approx(expected.probability().tolist())
    assert got["best"] == expected.best
    assert expected.best in text


def test_action_scores_cannot_be_drawn(run, tiny, tmp_path):
    options = ("--head", tiny / "action", "--encoder", tiny / "encoder", "--output", tmp_path, "--render")
    status, _, errors = run("predict", tiny / "clip.json", *SIZE, *options)
    assert status == 2
    assert "--render: needs a mesh or 3D pose" in errors
    assert not list(tmp_path.iterdir())


def test_a_head_of_an_own_encoder_asks_for_it(run, tiny, tmp_path):
    status, _, errors = run("predict", tiny / "clip.json", *SIZE, "--head", tiny / "mesh", "--output", tmp_path)
    assert status == 2
    assert "trained on encoder 'tiny'" in errors
    assert "pass its folder or Hub id as encoder" in errors


def test_a_mesh_motion_is_rendered_beside_its_keypoints(run, tiny, tmp_path):
    clip = _first(motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0], 2)
    motionrep.save_keypoints([clip], tmp_path / "two.npz")
    options = ("--head", tiny / "mesh", "--encoder", tiny / "encoder", "--output", tmp_path)
    assert run("predict", tmp_path / "two.npz", *options)[0] == 0
    small = ("--height", "90", "--supersample", "1", "--keypoints", tmp_path / "two.npz")
    assert run("render", tmp_path / "two_0.npz", *small, "--output", tmp_path / "a.mp4")[0] == 0
    assert run("render", tmp_path / "two_0.npz", *small, "--views", "side", "--output", tmp_path / "b.mp4")[0] == 0
    three, one = _movie_shape(tmp_path / "a.mp4"), _movie_shape(tmp_path / "b.mp4")
    assert three[:2] == one[:2]
    assert (three[2], one[2]) == (3 * 160 + 4, 160)  # only what was asked for
    status, _, errors = run("render", tmp_path / "two_0.npz", *small, "--person", 1, "--output", tmp_path / "c.mp4")
    assert status == 2
    assert "--person must be 0 to 0" in errors


def test_joint_positions_are_rendered_as_pictures(run, tiny, tmp_path):
    motion = motionrep.JointMotion(torch.rand(2, 17, 3), H36M_17, 30.0, "root")
    motionrep.save_motion(motion, tmp_path / "joints.npz")
    options = ("--height", "90", "--supersample", "1", "--output", tmp_path / "pictures")
    assert run("render", tmp_path / "joints.npz", *options)[0] == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2


def test_convert_a_motion(run, tmp_path):
    status, text, _ = run("convert", WALK_BVH, "--output", tmp_path / "walk.npz")
    assert (status, text) == (0, f"{tmp_path / 'walk.npz'}: 60 frames at 120 fps\n")
    assert torch.equal(motionrep.load_motion(tmp_path / "walk.npz").betas, torch.zeros(10))
    status, _, errors = run("convert", WALK_BVH, "--fps", 30, "--output", tmp_path / "slow.npz")
    assert status == 2
    assert "already has a frame rate; remove --fps" in errors


def test_convert_keypoints_there_and_back(run, tiny, tmp_path):
    given = ("convert", tiny / "clip.json", *SIZE, "--fps", "25", "--output", tmp_path / "clip.npz")
    assert run(*given)[1] == f"{tmp_path / 'clip.npz'}: 1 person(s), 12 frames at 25 fps\n"
    assert run("convert", tmp_path / "clip.npz", "--output", tmp_path / "clip.json")[0] == 0
    there = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    back = motionrep.load_keypoints(tmp_path / "clip.json", size_px=(1920, 1080))[0]
    assert torch.equal(there.xy_px, back.xy_px)


def test_finetune_then_evaluate_then_predict(run, tiny, motions, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "head: pose3d\nnew_encoder: {architecture: ktpformer, frames: 9, channels: 16, depth: 1, heads: 2}\n"
        "epochs: 1\nbatch_size: 2\nprecision: float32\n"
    )
    made = tmp_path / "run"
    status, text, _ = run(
        "finetune", "--config", config, "--data", motions, "--output", made, "--clips-per-epoch", 2, "--epochs", 1
    )
    assert status == 0
    assert text.startswith(f"{made}: best epoch loss ")
    trained = ("--encoder", made / "encoder", "--head", made / "head")
    report = tmp_path / "metrics.json"
    status, text, _ = run("evaluate", "--data", motions, *trained, "--views", 1, "--output", report)
    assert status == 0
    assert text.startswith("mpjpe ")
    assert "split val" in text
    result = json.loads(report.read_text())
    assert result["metrics"].keys() == {"mpjpe", "pa_mpjpe", "accel_error"}
    assert run("evaluate", "--data", motions, *trained, "--views", 1, "--output", report, "--flip")[0] == 0
    flipped = json.loads(report.read_text())
    assert (result["protocol"].pop("flip_averaging"), flipped["protocol"].pop("flip_averaging")) == (False, True)
    assert result["protocol"] == flipped["protocol"]
    assert result["metrics"] != flipped["metrics"]
    twice = ("--run", made, "--head", made / "head", "--head", tmp_path / "other")
    shutil.copytree(made / "head", tmp_path / "other")
    status, text, _ = run("evaluate", "--data", motions, *twice, "--views", 1, "--output", report)
    assert status == 0
    assert [line for line in text.splitlines() if line.startswith("head ")] == [
        f"head {made / 'head'}:", f"head {tmp_path / 'other'}:",
    ]  # fmt: skip
    for name in ("metrics_head.json", "metrics_other.json"):
        assert json.loads((tmp_path / name).read_text())["metrics"] == result["metrics"]
    assert run("predict", tiny / "clip.json", *SIZE, *trained, "--output", tmp_path)[0] == 0


def _first(clip, frames):
    return motionrep.Keypoints(clip.xy_px[:frames], clip.confidence[:frames], clip.layout, clip.fps, 1920, 1080)


def test_several_heads_share_one_embedding(run, tiny, tmp_path):
    options = ["--encoder", tiny / "encoder", "--output", tmp_path]
    status, text, _ = run(
        "predict", tiny / "clip.json", *SIZE, "--head", tiny / "mesh", "--head", tiny / "pose3d", *options
    )
    assert status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip_0_mesh.npz", "clip_0_pose3d.npz"]
    assert text.count("frames in") == 2


def test_nothing_is_written_when_no_head_gives_what_an_option_needs(run, tiny, tmp_path):
    """With several heads the refusal came after the first one's file was written."""
    given = ["predict", tiny / "clip.json", *SIZE, "--encoder", tiny / "encoder", "--output", tmp_path / "out"]
    status, _, errors = run(*given, "--head", tiny / "pose3d", "--head", tiny / "action", "--refine")
    assert status == 2
    assert "refine: needs a body mesh, but" in errors
    assert "gives ActionScores" in errors
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--detector", "gt"], "--detector belongs to a published protocol"),
        (["--overlap", "0.5"], "--overlap belongs to a published protocol"),
        (["--protocol", "h36m", "--seed", "0"], "--seed is for simulated cameras, not for --protocol h36m"),
        (["--protocol", "3dpw", "--views", "2"], "--views is for simulated cameras"),
        (["--protocol", "3dpw", "--world"], "--world is for simulated cameras"),
        (["--world", "--own-betas"], "--own-betas: people have random betas with --world"),
        (["--split", "val", "--held-out", "people-1"], "--split: people of --held-out are taken from all parts"),
    ],
)
def test_evaluate_refuses_options_that_would_do_nothing(run, tmp_path, options, said):
    """They were ignored, so a number could be taken for what it is not."""
    status, _, errors = run("evaluate", "--data", tmp_path, *options)
    assert status == 2
    assert said in errors


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_help_ends_with_examples_and_has_no_underscores(run, command):
    status, text, _ = run(command, "--help-all")
    assert status == 0
    assert not re.findall(r"(?<!\w)--\w+_\w+", text)
    examples = text[text.index("\nexamples:\n") :].split("\n")[2:]
    assert len([line for line in examples if line.startswith(f"  motionrep {command}")]) >= 3
    hidden = set(_option_names(text)) - set(_option_names(run(command, "--help")[1]))
    assert hidden or command not in ("predict", "render", "view", "finetune", "evaluate")


def _option_names(text: str) -> list[str]:
    return re.findall(r"^  (--[\w.-]+)", text, re.MULTILINE)


def test_every_example_of_the_help_is_understood():
    """Its options are options; files need not be there."""
    parser, _ = cli._parser()
    for name, command in cli.COMMANDS.items():
        for line in command.EXAMPLES.splitlines():
            words = shlex.split(
                line.partition("#")[0].partition("|")[0].partition(">")[0].replace("--size dance.mp4", "")
            )
            assert words[:2] == ["motionrep", name]
            if name not in ("finetune", "pretrain"):
                parser.parse_args(words[1:])


@pytest.mark.parametrize("option", ["--clips-per-epoch", "--clips_per_epoch"])
def test_settings_take_dashes_and_underscores(option):
    arguments = ["--data", "d", "--output", "o", "--head", "pose3d", "--encoder", "e", option, "64"]
    assert parse("finetune", "", arguments, "")[0].clips_per_epoch == 64
    assert parse("finetune", "", [*arguments, "--variety.other-bones=0.5"], "")[0].variety.other_bones == 0.5


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_command_lines_of_the_pages_are_understood(page):
    """Their options are options; files and video sizes need not be there."""
    parser, _ = cli._parser()
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for line in re.findall(r"^motionrep .*$", text, re.MULTILINE):
        words = shlex.split(line.partition("#")[0])[1:]
        if words[0] not in ("finetune", "pretrain"):
            parser.parse_args(words)
