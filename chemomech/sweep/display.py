"""A live view of a sweep on the terminal; elsewhere one line for each case that starts or ends."""

from __future__ import annotations

import time
from typing import Any

from .cases import Plan
from .run import Watcher
from .table import FAILED, FINISHED, Outcome, outcome_of, progress_of

LINES = 8  # running cases shown


class Display(Watcher):
    """Shows done, running and failed cases, and when the sweep will end.

    Args:
        sweep: what is run.
        console: where to; a `rich.console.Console`.
        slots: how many cases run at a time.
    """

    def __init__(self, sweep: Plan, console: Any, slots: int):
        from rich.progress import BarColumn, Progress, TextColumn

        self.sweep, self.console, self.slots = sweep, console, slots
        self.done = sum(outcome_of(case.folder).status == FINISHED for case in sweep.cases)
        self.failed, self.spent, self.looked_at = 0, [], 0.0
        self.since: dict[int, float] = {}
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[text]}"),
            console=console, refresh_per_second=4, disable=not console.is_terminal,
        )  # fmt: skip
        self.whole = self.bar.add_task("sweep", total=len(sweep.cases), completed=self.done, text="")
        self.lines: dict[int, Any] = {}

    def __enter__(self) -> Display:
        self.bar.start()
        if self.done:
            self._say(f"{self.done} of {len(self.sweep.cases)} cases are finished already")
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    def began(self, number: int) -> None:
        """Add a line."""
        self.since[number] = time.monotonic()
        if len(self.lines) < LINES:
            self.lines[number] = self.bar.add_task(f"  {self._name(number)}", total=None, text="starting")
        if not self.console.is_terminal:
            self._say(f"{self._name(number)} started")

    def ended(self, number: int, outcome: Outcome) -> None:
        """Say so, and drop its line."""
        seconds = time.monotonic() - self.since.pop(number)
        if outcome.status == FINISHED:
            self.spent.append(seconds)
        self.done += outcome.status == FINISHED
        self.failed += outcome.status == FAILED
        if number in self.lines:
            self.bar.remove_task(self.lines.pop(number))
        more = f": {outcome.message}" if outcome.message else f" in {seconds:.0f} s"
        self._say(f"{self._name(number)} {outcome.status}{more}")

    def looked(self, running: list[int]) -> None:
        """Refresh the numbers once a second."""
        now = time.monotonic()
        if now - self.looked_at < 1.0:
            return
        self.looked_at = now
        text = f"{self.done} done, {len(running)} running, {self.failed} failed of {len(self.sweep.cases)}"
        self.bar.update(self.whole, completed=self.done + self.failed, text=f"{text}  {self.left(now)}")
        for number, line in self.lines.items():
            self.bar.update(line, text=progress_of(self.sweep.cases[number]))

    def left(self, now: float) -> str:
        """When the rest will be done, if it takes as long as what is done."""
        if not self.spent:
            return ""
        mean = sum(self.spent) / len(self.spent)
        waiting = len(self.sweep.cases) - self.done - self.failed - len(self.since)
        rest = waiting * mean + sum(max(mean - (now - since), 0.1 * mean) for since in self.since.values())
        seconds = rest / max(1, min(self.slots, waiting + len(self.since)))
        return f"ends in {seconds / 60:.0f} min" if seconds > 100 else f"ends in {seconds:.0f} s"

    def _name(self, number: int) -> str:
        case = self.sweep.cases[number]
        return f"{case.folder.name[:9]} ({case.label})"

    def _say(self, text: str) -> None:
        from rich.markup import escape

        self.console.print(escape(text), soft_wrap=True)
