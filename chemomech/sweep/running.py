"""Runs the cases of a sweep that are not finished; the table follows."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from .cases import Case, Plan
from .table import FINISHED, INTERRUPTED, RUNNING, Outcome, Table

PAUSE = 0.2  # between two looks at the running cases [s]


class Workers(Protocol):
    """Where cases run: `Local` processes or `Slurm` jobs."""

    slots: int

    def start(self, cases: list[Case]) -> Iterable[Any]:
        """Jobs, each given once it is at work, with `ended() -> Outcome | None`, `interrupt()` and `stop()`."""
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
    with _signals() as heard:
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
                if heard and (waiting or running):
                    raise KeyboardInterrupt
                time.sleep(PAUSE if running else 0.0)
        finally:
            _stop(table, workers, running)
    return table


def _start(sweep: Plan, workers: Workers, watcher: Watcher, table: Table, waiting: deque, running: dict) -> None:
    numbers = [waiting.popleft() for _ in range(min(workers.slots - len(running), len(waiting)))]
    if not numbers:
        return
    for number, job in zip(numbers, workers.start([sweep.cases[k] for k in numbers]), strict=True):
        running[number] = job  # at once: whatever fails from here on, it will be stopped
    for number in numbers:
        table.update(number, Outcome(RUNNING))
        watcher.began(number)


def _stop(table: Table, workers: Workers, running: dict[int, Any]) -> None:
    """Interrupt all, wait for all, then say so in the table: a failure of one keeps none of the others from it."""
    with ExitStack() as last_first:
        last_first.callback(workers.close)
        for number, job in running.items():
            last_first.callback(lambda k=number, job=job: table.update(k, job.ended() or Outcome(INTERRUPTED)))
        for job in running.values():
            last_first.callback(job.stop)
        for job in running.values():
            last_first.callback(job.interrupt)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Ctrl-C, a polite kill and a closed terminal are only noted, so that they cannot cut a start or a stop in two."""
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}  # nohup
    try:
        for number in before:
            signal.signal(number, lambda number, _: heard.append(number))
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
