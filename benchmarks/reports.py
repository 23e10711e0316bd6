"""What the benchmarks' reports share: the sentence on the machine, and the file that they are written to."""

import os
import re
from pathlib import Path

import torch


def machine(device: str | torch.device = "cpu") -> str:
    """The processor or GPU that was measured on, and the version of torch."""
    if torch.device(device).type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}."
    flags = Path("/proc/cpuinfo")
    text = flags.read_text() if flags.exists() else ""
    unit = "with AMX" if "amx_bf16" in text else "with AVX-512 bfloat16" if "avx512_bf16" in text else "as it is"
    model = re.search(r"model name\s*: (.+)", text)
    threads = torch.get_num_threads()
    name = model[1] if model else "CPU"
    return f"{name} {unit}, {os.cpu_count()} cores, threads used: {threads}, torch {torch.__version__}."


def cpu_time() -> str:
    """How many threads CPU times are of, for reports that give them."""
    return f"CPU time with {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores, torch {torch.__version__}."


def write(report: str, output: Path | None) -> None:
    """Writes a report to a file if one is named."""
    if output is not None:
        output.write_text(report, encoding="utf-8")
