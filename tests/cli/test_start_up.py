"""Help and wrong arguments answer at once: what takes long to import is not imported before the arguments are right."""

import subprocess
import sys

import pytest

from motionrep.cli.main import COMMANDS

SLOW = ("torch", "scipy", "huggingface_hub", "roma", "PIL", "av", "pyarrow", "sklearn", "matplotlib", "viser", "lightning")
CALL = """
import contextlib, io, sys
from motionrep.cli.main import main
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
    try:
        status = main(sys.argv[1:])
    except SystemExit as stopped:
        status = stopped.code
print(status, *(name for name in {slow} if name in sys.modules))
"""


def imported(*arguments: str) -> list[str]:
    """The exit status, and the slow modules that are loaded after the command has answered."""
    command = [sys.executable, "-c", CALL.format(slow=SLOW), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_slow(command):
    assert imported(command, "--help") == ["0"]


def test_the_list_of_commands_imports_nothing_slow():
    assert imported("--help") == ["0"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["embde"],
        ["predict", "nowhere.json", "--output", "out"],
        ["embed", __file__, "--output", "embeddings.csv"],
        ["render", "nowhere.npz", "--output", "out.mp4", "--views", "top"],
        ["render", "nowhere.npz", "--output", "out.mp4"],
        ["export", "nowhere.npz", "--output", "out.fbx"],
        ["view", "nowhere.json"],
        ["fit", __file__, "--output", "out.npz"],
        ["report", "nowhere.json", "--output", "out.pdf"],
        ["plot", __file__, "--output", "map.png"],
    ],
)
def test_wrong_arguments_import_nothing_slow(arguments):
    assert imported(*arguments) == ["2"]


def test_a_file_without_the_size_of_its_picture_is_refused_at_once(tiny):
    assert imported("predict", str(tiny / "clip.json"), "--output", "out") == ["2"]
