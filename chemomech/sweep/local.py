"""Cases as processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import FileError
from .cases import Case
from .process import Process, outcome
from .table import FAILED, Outcome

PATIENCE = 30.0  # how long an interrupted case may take to write its summary [s]


class Local:
    """Runs `jobs` cases at a time, each with its share of the cores.

    Args:
        folder: of the sweep; a lock there keeps two sweeps, or the orphans of a killed one, out of each other's way.
        jobs: processes at a time; default half of the cores, at least one: a case uses about two.
        threads: of each process; default what the environment says, else its share of the cores.

    Raises:
        FileError: cases of this sweep are running already.
    """

    def __init__(self, folder: Path, jobs: int | None = None, threads: int | None = None):
        cores = available_cores()
        self.slots = jobs or max(1, cores // 2)
        self.threads, self.chosen = threads or max(1, cores // self.slots), threads is not None
        self.settings = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if self.slots > 1 else {}  # they share one GPU
        self.held = _lock(folder)

    def start(self, cases: Sequence[Case]) -> Iterator[_Job | _Unstarted]:
        """Start cases one after another; one that cannot be started has failed."""
        for case in cases:
            process = Process(case.folder, self.threads, chosen=self.chosen, settings=self.settings)
            try:
                job = _Job(case, process.begin(self.held))
            except FileError as error:
                job = _Unstarted(str(error))
            yield job

    def close(self) -> None:
        """Let go of the folder."""
        for handle in self.held:
            os.close(handle)
        self.held = ()


class _Job:
    def __init__(self, case: Case, process: subprocess.Popen):
        self.case, self.process, self.until = case, process, 0.0

    def ended(self) -> Outcome | None:
        """How it ended, or None while it runs."""
        code = self.process.poll()
        return None if code is None else outcome(self.case.folder, code)

    def interrupt(self) -> None:
        """Ask it to write its summary and stop."""
        self.until = time.monotonic() + PATIENCE
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Wait for it to stop, not for ever."""
        try:
            self.process.wait(max(0.0, self.until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class _Unstarted:
    def __init__(self, message: str):
        self.message = message

    def ended(self) -> Outcome:
        """Before it began."""
        return Outcome(FAILED, self.message)

    def interrupt(self) -> None:
        """Nothing runs."""

    def stop(self) -> None:
        """Nothing runs."""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lock(folder: Path) -> tuple[int, ...]:
    """A lock that lasts as long as the sweep or any case that it started: they inherit the open file."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return ()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror or error}. Try another --out.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise FileError(f"Cases of {folder} are still running. Wait for them or end them, then go on.") from None
    except OSError:  # some network file systems have no locks
        os.close(handle)
        return ()
    return (handle,)
