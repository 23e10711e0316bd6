"""What a program and the processes below it take, and what all other programs of the machine take meanwhile. Linux."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_EVERY_S = 0.5


def descendants(root: int) -> list[int]:
    """The processes below this one, without itself."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            children.setdefault(int(_fields(int(path.name))[1]), []).append(int(path.name))

    def below(pid: int) -> Iterator[int]:
        for child in children.get(pid, ()):
            yield child
            yield from below(child)

    return list(below(root))


class Watch:
    """Looks twice a second at the processes below this one while its block runs.

    What a process takes in its last half second is missed. Memory that processes share counts in each of them.
    """

    def __enter__(self) -> "Watch":
        self._ended = threading.Event()
        self._peak_kb: dict[int, int] = {}
        self._cpu_s: dict[int, float] = {}
        self._together_kb = 0
        self._busy_s, self._begin_s = _busy_s(), time.perf_counter()
        self._own_s = time.process_time()
        self._before = {pid: _cpu_s(pid) for pid in descendants(os.getpid())}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._s = time.perf_counter() - self._begin_s
        self._busy_s = _busy_s() - self._busy_s
        self._own_s = time.process_time() - self._own_s
        self._ended.set()
        self._thread.join()

    def result(self) -> dict[str, Any]:
        """Wall and CPU seconds, MB of the largest process and of all together, and the cores that others used."""
        cpu_s = sum(self._cpu_s.values())
        others = max(0.0, (self._busy_s - cpu_s - self._own_s) / self._s)
        largest_mb, together_mb = max(self._peak_kb.values(), default=0) / 1000, self._together_kb / 1000
        return {
            "s": self._s, "CPU s": cpu_s, "largest, MB": largest_mb, "together, MB": together_mb, "others": others
        }  # fmt: skip

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            together_kb = 0
            for pid in descendants(os.getpid()):
                with suppress(OSError):  # it has just ended
                    self._peak_kb[pid] = max(self._peak_kb.get(pid, 0), _kb(pid, "VmHWM:"))
                    self._cpu_s[pid] = _cpu_s(pid) - self._before.get(pid, 0.0)
                    together_kb += _kb(pid, "VmRSS:")
            self._together_kb = max(self._together_kb, together_kb)


def _fields(pid: int) -> list[str]:
    """Those of /proc/PID/stat behind the name: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()


def _cpu_s(pid: int) -> float:
    return sum(map(int, _fields(pid)[11:13])) / _TICKS_PER_S


def _kb(pid: int, name: str) -> int:
    """A line of /proc/PID/status; 0 where the process has ended and its parent does not know yet."""
    _, found, rest = Path(f"/proc/{pid}/status").read_text("utf-8").partition(f"\n{name}")
    return int(rest.split()[0]) if found else 0


def _busy_s() -> float:
    """What all programs computed since the machine was started."""
    user, nice, system = map(int, Path("/proc/stat").read_text("utf-8").split()[1:4])
    return (user + nice + system) / _TICKS_PER_S
