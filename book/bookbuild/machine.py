"""A line about the machine that produced the numbers of the book."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path


def describe_machine() -> str:
    """Processor, cores, memory, graphics card and system, such as ``2 cores of Xeon …, 24 GiB, no GPU, Linux``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts = [f"{cores} core{'s' if cores != 1 else ''} of {_cpu_name()}"]
    if (memory := _memory_gib()) is not None:
        parts.append(f"{memory:.0f} GiB memory")
    parts += [_gpu_name() or "no NVIDIA GPU", platform.system(), f"Python {platform.python_version()}"]
    return ", ".join(parts)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, OSError, ValueError):
        return None


def _gpu_name() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    result = subprocess.run(query, capture_output=True, text=True, check=False)
    names = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    return " + ".join(names) if result.returncode == 0 and names else None
