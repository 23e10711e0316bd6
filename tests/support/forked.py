"""Python code in processes of its own that need not import torch and Lightning first.

A server that imported them once forks a process for each piece of code, which takes milliseconds instead of seconds.
Signals, exit statuses and files are as of any process. At least one test of each command starts a whole new one.
"""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["motionrep.cli.main", "motionrep.training.run", "motionrep.training.interruption"])
COMMAND = "import sys\nfrom motionrep.__main__ import run\nsys.exit(run())"


class Forked:
    """`python -c CODE ARGUMENTS...`, already running.

    Attributes:
        pid: Of the process.
    """

    def __init__(self, code: str, *arguments: object) -> None:
        self._folder = TemporaryDirectory()
        self._written = [Path(self._folder.name) / name for name in ("out", "err")]
        for path in self._written:
            path.touch()
        self._process = _SERVER.Process(target=_run, args=(code, [*map(str, arguments)], self._written))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit status, minus the signal if one ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout_s: float = 300) -> int:
        self._process.join(timeout_s)
        status = self.poll()
        assert status is not None, f"still running after {timeout_s} s: {self.errors()[-2000:]}"
        return status

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def output(self) -> str:
        """What it has written so far on standard output; `errors` on standard error."""
        return self._written[0].read_text()

    def errors(self) -> str:
        return self._written[1].read_text()

    def wait_for(self, text: str, timeout_s: float = 300) -> None:
        """Until it has written the text on standard error."""
        deadline = time.monotonic() + timeout_s
        while text not in self.errors():
            assert self.poll() is None, self.errors()
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)


def _run(code: str, arguments: list[str], written: list[Path]) -> None:
    for number, path in enumerate(written, 1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with it ignored
    multiprocessing.set_start_method(None, force=True)  # processes that it starts are as usual, of no server
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
