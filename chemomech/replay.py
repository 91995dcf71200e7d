"""The steps of an earlier run taken again: the same lengths, without error control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .adjoint import Event, Step
from .errors import SolveError
from .protocol import AbstractStep
from .run import Run, Trial

EVENT = 1e-12  # how closely a stop event is met, relative to the distance from it before the step


class Replay(Run):
    """A run along given steps, for differences that an adaptive run would blur: lengths do not follow the parameters.

    Steps that ended at a stop event end at it again, wherever it is now.

    Args:
        steps: `Solution.steps` of the earlier run.
        given: as for `Run`.
    """

    def __init__(self, steps: Sequence[Step], *given: Any, **options: Any):
        super().__init__(*given, **options)
        self._left = list(steps)

    def _consistent(self, x, drive):
        step = self._next(settling=True)
        result = self._settled(x, step.dt, drive)
        if not result.converged:
            raise SolveError(f"Step {self.cursor.step + 1} of the earlier run fails: {result.reason}.")
        self._taken(step, result.x, drive)
        return result.x

    def _advance(self, step: AbstractStep, drive) -> str:
        taken, cursor = self._next(settling=False), self.cursor
        event = taken.event
        dt = taken.dt
        if event is not None and event.name == "time":
            dt = step.stops["time"] - (cursor.time - cursor.started)
        trial = self._again(dt, drive)
        if event is not None and event.name != "time":
            trial = self._met(step, drive, trial, event)
        last = not self._left or self._left[0].segment != taken.segment or self._left[0].settling
        reason = (event.name if event else "as before") if last else ""
        self._taken(taken._replace(dt=trial.dt), trial.x, drive)
        self._accept(trial, trial.dt, last=last)
        return reason

    def _next(self, *, settling: bool) -> Step:
        if not self._left or self._left[0].settling != settling:
            raise SolveError("The steps to be replayed belong to another protocol.")
        return self._left.pop(0)

    def _again(self, dt: float, drive) -> Trial:
        trial = self._try(dt, drive)
        if not trial.converged:
            raise SolveError(f"Step {self.cursor.step + 1} of the earlier run fails: {trial.reason}.")
        return trial

    def _met(self, step: AbstractStep, drive, trial: Trial, event: Event) -> Trial:
        """The step with the length at which it ends at the event, by secants."""
        whole = self._gaps(step, self.cursor.states[0])[event.name]
        before, gap_before = 0.0, whole
        for _ in range(30):
            gap = self._gaps(step, trial.x)[event.name]
            if abs(gap) <= EVENT * abs(whole) or gap == gap_before:  # or as far as round-off lets it go
                return trial
            dt = trial.dt - gap * (trial.dt - before) / (gap - gap_before)
            before, gap_before = trial.dt, gap
            trial = self._again(dt, drive)
        return trial
