"""Help and wrong arguments answer at once: what takes long to import is not imported before the arguments are right."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from paths import WALK_BVH

from motionrep.cli.main import COMMANDS
from motionrep.keypoints import load_keypoints, save_keypoints
from motionrep.layouts import COCO_17

SLOW = ("torch", "scipy", "huggingface_hub", "roma", "pyarrow", "sklearn", "matplotlib", "viser", "lightning")
CALL = """
import contextlib, io, json, os, sys
sys.modules |= dict.fromkeys({hidden})
from motionrep.cli.main import main
for arguments in json.loads(sys.argv[1]):
    if os.fork():
        os.wait()
        continue
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        try:
            status = main(arguments)
        except SystemExit as stopped:
            status = stopped.code
    print(status, *(name for name in {slow} if sys.modules.get(name)))
    if {hidden}:
        print(out.getvalue(), end="")
    sys.stdout.flush()
    os._exit(0)
"""
WRONG = [
    ["embde"],
    ["predict", "nowhere.json", "--output", "out"],
    ["embed", __file__, "--output", "embeddings.csv"],
    ["render", "nowhere.npz", "--output", "out.mp4", "--views", "top"],
    ["render", "nowhere.npz", "--output", "out.mp4"],
    ["render", str(WALK_BVH), "--output", "out.png"],
    ["export", "nowhere.npz", "--output", "out.fbx"],
    ["view", "nowhere.json"],
    ["fit", __file__, "--output", "out.npz"],
    ["report", "nowhere.json", "--output", "out.pdf"],
    ["plot", __file__, "--output", "map.png"],
]


def answered(*calls: list[str], hidden: tuple[str, ...] = (), slow: tuple[str, ...] = SLOW) -> list[str]:
    """Of each call the exit status with the slow modules that are loaded after it has answered.

    With modules `hidden`, what it said follows.
    """
    command = [sys.executable, "-c", CALL.format(slow=slow, hidden=hidden), json.dumps(calls)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_help_imports_nothing_slow():
    calls = [["--help"], *([command, "--help"] for command in COMMANDS)]
    assert list(zip(calls, answered(*calls), strict=True)) == [(call, "0") for call in calls]


def test_wrong_arguments_import_nothing_slow():
    assert list(zip(WRONG, answered(*WRONG), strict=True)) == [(call, "2") for call in WRONG]


def test_a_file_without_the_size_of_its_picture_is_refused_at_once(tiny):
    assert answered(["predict", str(tiny / "clip.json"), "--output", "out"]) == ["2"]


@pytest.mark.parametrize(
    ("arguments", "module", "said"),
    [
        (["predict", "CLIP", "--render", "--output", "out"], "av", '--render needs av: pip install "motionrep[video]"'),
        (
            ["render", "WALK", "--output", "out.mp4"],
            "av",
            'needs PyAV: pip install "motionrep[video]"; .gif and folders',
        ),
        (["report", "CLIP", "--output", "out.html"], "matplotlib", 'matplotlib: pip install "motionrep[report]"'),
        (["embed", "CLIP", "--output", "out.parquet"], "pyarrow", 'pyarrow: pip install "motionrep[tables]"'),
        (["view", "CLIP"], "viser", 'motionrep view needs viser: pip install "motionrep[view]"'),
        (["demo", "--output", "out"], "av", 'motionrep demo needs av: pip install "motionrep[video]"'),
        (["export", "ktpformer-s", "--output", "out.onnx"], "onnx", 'ONNX needs onnx: pip install "motionrep[export]"'),
    ],
)
def test_extras_are_asked_for_before_the_work(tiny, arguments, module, said):
    """`report` said after 26 seconds of work that matplotlib is missing."""
    given = [{"CLIP": str(tiny / "clip.json"), "WALK": str(WALK_BVH)}.get(word, word) for word in arguments]
    size = ("--size", "1920x1080") if "CLIP" in arguments else ()
    status, line = answered([*given, *size], hidden=(module,))
    assert status == "2"
    assert said in line


def test_predict_imports_only_what_it_computes_with(tiny, tmp_path):
    """Half of its time went to sympy, which `torch.broadcast_shapes` brings, and to optimisers that it does not use."""
    unused = ("sympy", "torch._dynamo", "roma", "scipy.optimize", "transformers", "av", "lightning", "matplotlib")
    given = ["--encoder", str(tiny / "encoder"), "--head", str(tiny / "mesh"), "--size", "1920x1080", "--output"]
    clip = load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    body = replace(clip, xy_px=clip.xy_px[:, :17], confidence=clip.confidence[:, :17], layout=COCO_17)
    save_keypoints([body], tmp_path / "body.json")  # feet would be solved for
    assert answered(["predict", str(tmp_path / "body.json"), *given, str(tmp_path / "out")], slow=unused) == ["0"]
