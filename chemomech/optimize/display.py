"""A live view of an optimisation on the terminal; elsewhere one line for each evaluation."""

from __future__ import annotations

from typing import Any

from ..design import Optimum
from ..taylor import Taylor
from .folder import Entry
from .plan import Plan
from .running import Watcher


class Display(Watcher):
    """Shows the gradient check, the objective of each evaluation and the best so far.

    Args:
        plan: what is run.
        console: where to; a `rich.console.Console`.
    """

    def __init__(self, plan: Plan, console: Any):
        self.plan, self.console = plan, console
        self.best: float | None = None
        self.status = console.status("compiling, and comparing the gradient with differences")

    def __enter__(self) -> Display:
        self.status.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.status.stop()

    def checked(self, taylor: Taylor) -> None:
        """The gradient check, before the first step."""
        good = taylor.error < 1e-5
        self._say(
            f"[{'green' if good else 'red'}]gradient[/] {taylor.slope:.8g} along a random direction, by differences "
            f"{taylor.difference:.8g}: off by {taylor.error:.1e}; Taylor orders "
            + ", ".join(f"{order:.2f}" for order in taylor.orders)
        )
        if not good:
            self._say(
                "[yellow]warning:[/] the gradient differs from differences; tighten newton.test, or see the README"
            )

    def evaluated(self, entry: Entry, count: int) -> None:
        """One line."""
        e, where = entry.evaluation, f"start {entry.start + 1} of {self.plan.starts}, evaluation {count}"
        if e.failure:
            self._say(f"{where}: [yellow]cannot be evaluated[/]: {_plain(e.failure)}")
            return
        value, sign = float(e.values[0]), -1.0 if self.plan.study.maximise else 1.0
        self.best = value if self.best is None or sign * value < sign * self.best else self.best
        limits = "".join(f"  limit {k + 1} {v:.5g}" for k, v in enumerate(e.values[1:]))
        self._say(f"{where}: objective {value:.6g} {self._unit()}{limits}  ({entry.seconds:.1f} s)")
        self.status.update(f"start {entry.start + 1} of {self.plan.starts}: best so far {self.best:.6g} {self._unit()}")

    def ended(self, start: int, optimum: Optimum) -> None:
        """Why a start came to its end."""
        self._say(f"start {start + 1}: best {optimum.value:.6g} {self._unit()}; {_plain(optimum.message)}")

    def computing(self, what: str) -> None:
        """What else is computed."""
        self.status.update(f"computing {what}")

    def _unit(self) -> str:
        return "" if self.plan.unit == "1" else self.plan.unit

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
