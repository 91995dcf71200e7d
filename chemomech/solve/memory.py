"""How much memory a factor takes, and how much there is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .factor import require

# Bytes at the peak of a factorisation over n log2 n in the plane and n^(4/3) in solids, rounded up. Measured on c-mu-u,
# 6 000 to 148 000 and 1 300 to 13 000 unknowns: 190 to 230 and 400 to 480 with PARDISO, to 440 and 870 with SuperLU.
PEAK = {("pardiso", 2): 250.0, ("pardiso", 3): 500.0, ("superlu", 2): 500.0, ("superlu", 3): 1000.0}


def factor_memory(unknowns: int, dim: int, backend: str = "auto") -> float:
    """Estimate of what a factorisation takes [bytes], by the growth of nested dissection."""
    growth = unknowns * np.log2(unknowns + 2.0) if dim == 2 else unknowns ** (4.0 / 3.0)
    return float(PEAK[require(backend), dim] * growth)


def available_memory() -> float:
    """Memory that can still be had [bytes]: what the system says, or the control group of the process if it is less."""
    found = [value for value in (_of_system(), _of_group()) if value is not None]
    return float(min(found, default=float("inf")))


def _of_system() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:  # no Linux: half of what is built in
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _of_group(folder: Path = Path("/sys/fs/cgroup")) -> float | None:
    try:
        limit, used = (float((folder / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # another system, or "max": no limit
        return None
    return limit - used
