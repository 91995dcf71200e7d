"""How much memory a factor takes, and how much there is."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import numpy as np

from .factor import require

# Bytes at the peak of a factorisation over n log2 n in the plane and n^(4/3) in solids, rounded up. Measured on c-mu-u,
# 6 000 to 148 000 and 1 300 to 13 000 unknowns: 190 to 230 and 400 to 480 with PARDISO, to 440 and 870 with SuperLU.
PEAK = {("pardiso", 2): 250.0, ("pardiso", 3): 500.0, ("superlu", 2): 500.0, ("superlu", 3): 1000.0}
LIMITS = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}  # by version


def factor_memory(unknowns: int, dim: int, backend: str = "auto") -> float:
    """Estimate of what a factorisation takes [bytes], by the growth of nested dissection."""
    growth = unknowns * np.log2(unknowns + 2.0) if dim == 2 else unknowns ** (4.0 / 3.0)
    return float(PEAK[require(backend), dim] * growth)


def available_memory(root: Path = Path("/")) -> float:
    """Memory that can still be had [bytes]: the least of what the system and the control groups of the process leave.

    Args:
        root: folder of `proc` and `sys`.
    """
    found = [value for value in (_of_system(root), _of_groups(root)) if value is not None]
    return float(min(found, default=float("inf")))


def _of_system(root: Path) -> float | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:  # no Linux: half of what is built in
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _of_groups(root: Path) -> float | None:
    """The least that the group of the process and those around it leave, in both versions of control groups."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # another system
        return None
    left = []
    for line in lines:  # "0::/path", or in version 1 "4:memory:/path"
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        limit, used = LIMITS[1 if controllers else 2]
        parts = PurePosixPath(path).parts[1:]
        # A container may see its own group as the mount itself: then the deeper folders are missing.
        groups = [mount.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
        left += [_number(group / limit) - _number(group / used, 0.0) for group in groups]
    least = min(left, default=np.inf)
    return max(least, 0.0) if np.isfinite(least) else None


def _number(path: Path, otherwise: float = np.inf) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # no such group, or "max": no limit
        return otherwise
