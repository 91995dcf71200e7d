"""One case in a process of its own: `python -m chemomech run`, its output in `log.txt`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FileError
from .table import FAILED, FINISHED, INTERRUPTED, Outcome

LOG = "log.txt"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")  # NPROC is XLA's


class Process:
    """Runs the config of a case, from its restart where it has one; `submitit` pickles it and requeues it on a timeout.

    Args:
        folder: results folder with a config.toml.
        threads: of the process.
        chosen: the threads were asked for; else what the environment says of them already is left alone.
        settings: further variables of the environment that are set where they are not.
    """

    def __init__(
        self, folder: Path, threads: int, *, chosen: bool = False, settings: Mapping[str, str] | None = None
    ):  # fmt: skip
        self.folder, self.threads, self.chosen = Path(folder).resolve(), threads, chosen
        self.settings = dict(settings or {})

    def begin(self, held: Sequence[int] = (), *, apart: bool = True) -> subprocess.Popen:
        """Start it: apart, so that Ctrl-C reaches only the sweep; `held` files stay open in it.

        Raises:
            FileError: the log cannot be written or the system starts no process.
        """
        command = [sys.executable, "-m", "chemomech", "run", str(self.folder / "config.toml")]
        command += ["--out", str(self.folder), "--resume"]
        try:
            with open(self.folder / LOG, "wb") as log:
                return subprocess.Popen(
                    command, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=apart, pass_fds=tuple(held),
                )  # fmt: skip
        except OSError as error:
            raise FileError(
                f"Cannot start the case of {self.folder}, or write its {LOG}: {error.strerror or error}. "
                "Try: fewer --jobs, free space, or another --out."
            ) from None

    def _environment(self) -> dict[str, str]:
        threads = dict.fromkeys(THREADS, str(self.threads))
        unless_said = {**threads, **self.settings, **os.environ}
        return unless_said | threads if self.chosen else unless_said

    def __call__(self) -> int:
        """Run to the end; gives the exit status."""
        running = self.begin(apart=False)
        try:
            return running.wait()
        finally:
            if running.poll() is None:
                running.terminate()

    def checkpoint(self) -> Any:
        """What `submitit` submits again after a timeout: the same, which goes on from the restart."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def outcome(folder: Path, code: int) -> Outcome:
    """How a process ended, with the last error of its log."""
    if code == 0:
        return Outcome(FINISHED)
    if code in (130, -signal.SIGINT, -signal.SIGTERM):
        return Outcome(INTERRUPTED)
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = "; the machine may be out of memory: try fewer --jobs" if name == "SIGKILL" else ""
        return Outcome(FAILED, f"killed by {name}{hint}")
    return Outcome(FAILED, _last_error(folder) or f"ended with exit status {code}; see {LOG}")


def _last_error(folder: Path) -> str:
    try:
        text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    _, found, message = f"\n{text}".rpartition("\nerror: ")
    return " ".join(message.split()) if found else " ".join(text.split()[-40:])
