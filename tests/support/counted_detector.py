"""A detector of another package, registered as its users would: it counts the videos it looks at."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

NAME = "counted"
_MODULE = """
from motionrep.detection.blazepose.detector import full

calls = []

class Counted:
    def __init__(self, device="cpu"):
        self.inner = full(device)

    def detect(self, pictures, fps):
        calls.append(fps)
        return self.inner.detect(pictures, fps)
"""


@contextmanager
def installed(folder: Path, version: str = "1.0") -> Iterator[ModuleType]:
    """The installed package's module, whose `calls` has an entry for each video looked at."""
    reinstall(folder, version)
    (folder / "counted_detector_package.py").write_text(_MODULE)
    sys.path.insert(0, str(folder))
    try:
        import counted_detector_package  # pyright: ignore[reportMissingImports]

        yield counted_detector_package
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("counted_detector_package", None)


def reinstall(folder: Path, version: str) -> None:
    """The same package in another version."""
    information = folder / "counted_detector.dist-info"
    information.mkdir(exist_ok=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: counted-detector\nVersion: {version}\n")
    (information / "entry_points.txt").write_text(f"[motionrep.detectors]\n{NAME} = counted_detector_package:Counted\n")
