"""The pretended GPU has an interpreter of its own: torch would take it for the machine's accelerator in other tests."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).parent / "support" / "checks_on_pretend_gpu.py"


@pytest.mark.slow
def test_nothing_is_on_the_wrong_device_and_little_waits_for_it():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)]
    ended = subprocess.run(command, cwd=CHECKS.parents[2], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:]
