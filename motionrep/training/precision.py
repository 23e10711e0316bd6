"""Chooses the arithmetic of training by measuring it on this machine."""

import json
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from motionrep.encoders.architectures.layers import Attention, Block
from motionrep.files.user_cache import user_cache
from motionrep.files.writing import write_json

Precision = Literal["float32", "bfloat16"]

_SHAPE = (4, 30, 17, 128)  # batch, frames, joints and channels of the shipped encoders, in a small step
_WORTH = 0.9  # bfloat16 rounds more, so it has to be clearly faster


@dataclass(frozen=True)
class Choice:
    """A precision, and the seconds that a step of a small encoder took in each."""

    float32_s: float
    bfloat16_s: float
    device_name: str

    @property
    def precision(self) -> Precision:
        return "bfloat16" if self.bfloat16_s < _WORTH * self.float32_s else "float32"

    @property
    def sentence(self) -> str:
        """What was taken and why, in one line."""
        if self.precision == "bfloat16":
            why = f"it is {self.float32_s / self.bfloat16_s:.1f} times as fast as float32"
        elif self.bfloat16_s > self.float32_s:
            why = f"bfloat16 is {self.bfloat16_s / self.float32_s:.1f} times as slow"
        else:
            why = "bfloat16 is hardly faster"
        return f"precision {self.precision}: {why} on {self.device_name} (measured; precision: sets it)"


def measured_choice(device: torch.device | None = None, cache: Path | None = None) -> Choice:
    """What suits a device, measured in a fraction of a second once and remembered in the user's cache folder.

    Args:
        device: The accelerator, if there is one, or the CPU when None.
        cache: The folder to remember it in, if not the user's. One that cannot be written to is no error.
    """
    device = training_device() if device is None else device
    name = f"{_name(device)}, {torch.get_num_threads()} thread(s)" if device.type == "cpu" else _name(device)
    folder = user_cache() if cache is None else cache
    path = None if folder is None else folder / "precision.json"
    known = {} if path is None else _read(path)
    key = f"{name}, torch {torch.__version__}"
    if key in known:
        return Choice(known[key][0], known[key][1], name)
    found = _seconds(device, "float32"), _seconds(device, "bfloat16")
    if path is not None:
        with suppress(OSError):
            write_json(known | {key: found}, path, told=False)
    return Choice(*found, name)


def training_device() -> torch.device:
    """The accelerator of this machine, or the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def _seconds(device: torch.device, precision: Precision) -> float:
    """The shortest of up to three steps, after one that warms up: a block forward and backward."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_SHAPE, generator=generator).to(device)
    channels = _SHAPE[-1]
    with torch.random.fork_rng(devices=[]):
        blocks = torch.nn.Sequential(
            Block(Attention(channels, 8, "joints"), "joints", channels, 2.0),
            Block(Attention(channels, 8, "frames"), "frames", channels, 2.0),
        ).to(device)

    def step(rows: int) -> float:
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            result = blocks(x[:rows]).float()
        result.square().mean().backward()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return time.perf_counter() - started

    step(1)
    times = [step(_SHAPE[0])]
    while len(times) < 3 and sum(times) < 0.15:
        times.append(step(_SHAPE[0]))
    return min(times)


def _read(path: Path) -> dict[str, list[float]]:
    """What was measured before; nothing if the file is missing or is not one of these."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: value for key, value in known.items() if _is_pair(value)}


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(s, float) and s > 0 for s in value)


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    with suppress(OSError):  # Linux alone tells a CPU's model here
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
