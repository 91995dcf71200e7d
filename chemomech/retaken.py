"""A step of a run taken once more, to the same state but for Newton's tolerance."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float

from .adjoint import Taken
from .errors import SolveError
from .evolution import Evolution
from .ladder import Ladder
from .solve.newton import Result
from .solve.step import History


class Retaken:
    """Takes the steps of a run again.

    Args:
        evolution: took them.
        taken: all of them.
    """

    def __init__(self, evolution: Evolution, taken: list[Taken]):
        self._evolution, self._taken = evolution, taken
        self._ladder, self._next = Ladder(evolution, warnings.warn), -1

    def __call__(self, k: int, states: list[Float[np.ndarray, " N"]]) -> Float[np.ndarray, " N"]:
        """The result of a step.

        Args:
            k: its number.
            states: those before it, newest first, two at least where its formula needs them.

        Raises:
            SolveError: Newton's method fails this time.
        """
        if k != self._next:  # a factor or hierarchy of quite another step does not serve it
            self._ladder.forget()
        self._next = k + 1
        result = self._result(k, states)
        if not result.converged:
            raise SolveError(
                f"The step to t = {self._taken[k].time:.6g} s fails when it is taken again for its gradient: "
                f"{result.reason}. Try Checkpoints(disk=True), which takes no step again."
            )
        return result.x

    def _result(self, k: int, states: list[Float[np.ndarray, " N"]]) -> Result:
        taken, step = self._taken[k], self._taken[k].step
        if step.settling:
            return self._ladder.settle(states[0], step.dt, taken.time, taken.drive)
        lengths = self._lengths(k)[: len(states) - 1]
        guess = History(tuple(states[: len(lengths) + 1]), lengths).predict(step.dt)
        guess = states[0] + self._evolution.limit(states[0], guess - states[0]) * (guess - states[0])
        return self._ladder.climb(taken.formula, states, guess, taken.time, taken.drive)

    def _lengths(self, k: int) -> tuple[float, ...]:
        """Of the two steps before one, back to the last that settled [s]."""
        out = []
        for j in (k - 1, k - 2):
            if j < 0 or self._taken[j].step.settling:
                break
            out.append(self._taken[j].step.dt)
        return tuple(out)
