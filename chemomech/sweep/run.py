"""Runs the cases of a sweep that are not finished; the table follows."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from .cases import Case, Plan
from .table import FINISHED, INTERRUPTED, RUNNING, Outcome, Table

PAUSE = 0.2  # between two looks at the running cases [s]


class Workers(Protocol):
    """Where cases run: `Local` processes or `Slurm` jobs."""

    slots: int

    def start(self, cases: list[Case]) -> list[Any]:
        """Jobs, each with `ended() -> Outcome | None`, `interrupt()` and `stop()`."""
        ...

    def close(self) -> None:
        """All has ended."""
        ...


class Watcher:
    """Hears how a sweep goes; override what is of interest."""

    def began(self, number: int) -> None:
        """A case was started."""

    def ended(self, number: int, outcome: Outcome) -> None:
        """A case ended."""

    def looked(self, running: list[int]) -> None:
        """Several times a second."""


def run(sweep: Plan, workers: Workers, watcher: Watcher | None = None) -> Table:
    """Run every case that is not finished; one that fails does not stop the others.

    Raises:
        KeyboardInterrupt: after Ctrl-C or a request to terminate; by then all cases have been stopped, and can go on.
        FileError: the table cannot be written.
    """
    table, watcher = Table(sweep), watcher or Watcher()
    waiting = deque(k for k, outcome in enumerate(table.outcomes) if outcome.status != FINISHED)
    running: dict[int, Any] = {}
    with _terminating_as_interrupt():
        try:
            while waiting or running:
                _start(sweep, workers, watcher, table, waiting, running)
                for number, job in list(running.items()):
                    outcome = job.ended()
                    if outcome is not None:
                        del running[number]
                        table.update(number, outcome)
                        watcher.ended(number, outcome)
                watcher.looked(list(running))
                time.sleep(PAUSE if running else 0.0)
        finally:
            _stop(table, running)
            workers.close()
    return table


def _start(sweep: Plan, workers: Workers, watcher: Watcher, table: Table, waiting: deque, running: dict) -> None:
    numbers = [waiting.popleft() for _ in range(min(workers.slots - len(running), len(waiting)))]
    jobs = workers.start([sweep.cases[k] for k in numbers]) if numbers else []
    for number, job in zip(numbers, jobs, strict=True):
        running[number] = job
        table.update(number, Outcome(RUNNING))
        watcher.began(number)


def _stop(table: Table, running: dict[int, Any]) -> None:
    for job in running.values():
        job.interrupt()
    for number, job in running.items():
        job.stop()
        table.update(number, job.ended() or Outcome(INTERRUPTED))


@contextmanager
def _terminating_as_interrupt() -> Iterator[None]:
    """A closed terminal or a polite kill stops the cases too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
