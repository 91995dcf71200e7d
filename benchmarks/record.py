"""What every record holds: the machine, the commit, and what a process of its own printed, took and needed.

Standard library only: a child's peak memory counts that of the process that started it, so this one stays small.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
LIMIT = 3600.0  # seconds of one run


class RunFailed(Exception):
    """A benchmark's process ended without a result."""


def hardware() -> dict:
    """Processor, cores, memory, Python, commit (with a + where files differ from it)."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "cores allowed": allowed,
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "MKL": _version("mkl"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--untracked-files=no") else ""),
        "date": time.strftime("%Y-%m-%d"),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def run(command: list[str], cores: int = 0, **environment: str) -> dict:
    """The last line of JSON that a command prints, with its peak memory [bytes] and wall time [s].

    Args:
        command: program and arguments.
        cores: pin it to that many cores, with as many threads; 0: leave it free.
        environment: variables added to the present ones.

    Raises:
        RunFailed: it failed, outlasted the limit, or printed no result.
    """
    threads = {name: str(cores) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS") if cores}
    pin = (lambda: os.sched_setaffinity(0, _first(cores))) if cores and hasattr(os, "sched_setaffinity") else None
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=ROOT, env=os.environ | threads | environment, preexec_fn=pin
        )
        peak = _ended(process, start)
        wall = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        found = [line for line in out.read().splitlines() if line.startswith("{")]
        if process.returncode or not found:
            raise RunFailed(f"{shlex.join(command)} ended with {process.returncode}:\n{err.read()[-2000:]}")
    return json.loads(found[-1]) | {"peak memory": peak, "process seconds": wall}


def _first(cores: int) -> set[int]:
    return set(sorted(os.sched_getaffinity(0))[:cores])


def _ended(process: subprocess.Popen, start: float) -> int:
    """Wait for a process, kill it at the limit; its peak memory [bytes]."""
    peak = 0
    while True:
        peak = max(peak, _high_water(process.pid))
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            process.returncode = os.waitstatus_to_exitcode(status)
            return peak or 1024 * usage.ru_maxrss  # which counts the parent's memory at the fork too
        if time.perf_counter() - start > LIMIT:
            process.kill()
        time.sleep(0.05)


def _high_water(pid: int) -> int:
    """The most memory that a running process has held so far [bytes]; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def write(record: dict, path: Path | None) -> None:
    """Write a record where a path is given, print it without its runs."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({key: value for key, value in record.items() if key not in ("runs", "cases")}))
