"""Processors, and the precision that suits them."""

import math
import os
import shutil
import time
from collections.abc import Iterator

import torch

from motionrep.cli.doctor.findings import Finding, tried

_MATRIX, _MEASURING_S = 512, 0.1
_WORTH_IT = 1.3


def computing() -> Iterator[Finding]:
    """Devices, threads, and the speed of a matrix product in each precision."""
    device = "cpu"
    if torch.cuda.is_available():
        device = "cuda"
        memory_gb = torch.cuda.get_device_properties(0).total_memory / 1e9
        detail = f"{torch.cuda.get_device_name(0)}, {memory_gb:.0f} GB; used with --device cuda"
        yield Finding("computing", "GPU", "works", detail)
    elif shutil.which("nvidia-smi"):
        detail = f"there is an NVIDIA driver, and torch {torch.__version__} cannot use it"
        yield Finding("computing", "GPU", "broken", detail, "install torch as https://pytorch.org/get-started says")
    else:
        yield Finding("computing", "GPU", "works", "no NVIDIA GPU; everything runs on the CPU")
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = f"{torch.get_num_threads()} threads on {allowed} cores, {torch.backends.cpu.get_cpu_capability()}"
    yield Finding("computing", "CPU", "works", f"{cpu}; used unless --device says otherwise")
    yield tried("computing", f"precision on {device}", lambda: _precision(device), "use --precision float32")


def _precision(device: str) -> str:
    duration_s = {dtype: _product_s(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    gain = duration_s[torch.float32] / duration_s[torch.bfloat16]
    return precision_line(gain)


def precision_line(gain: float) -> str:
    """Which precision suits a device that multiplies `gain` times as fast in bfloat16 as in float32."""
    if gain >= _WORTH_IT:
        return f"--precision bfloat16 is worth it: {gain:.1f} times the speed of float32, the default"
    if gain >= 1:
        return "float32, the default; bfloat16 is hardly faster"
    return f"float32, the default; bfloat16 takes {1 / gain:.1f} times as long"


def _product_s(device: str, dtype: torch.dtype) -> float:
    """Seconds for one matrix product, the fastest of several."""
    matrix = torch.ones(_MATRIX, _MATRIX, device=device, dtype=dtype)
    shortest_s, stop_s = math.inf, time.perf_counter() + _MEASURING_S
    for _ in range(200):
        start_s = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # .item() waits for a GPU
        shortest_s = min(shortest_s, time.perf_counter() - start_s)
        if time.perf_counter() > stop_s:  # after one product, where a product takes that long
            break
    return shortest_s
