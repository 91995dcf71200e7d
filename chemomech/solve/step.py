"""Time steppers and step-size control. They know vectors and times, no physics.

Variable-step BDF2 with ratio w = dt_n / dt_(n-1): a backward Euler step of length dte from an effective old state,

    c* = a c_(n-1) - b c_(n-2),   a = (1+w)^2/(1+2w),   b = w^2/(1+2w),   dte = dt (1+w)/(1+2w).
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float


class Formula(NamedTuple):
    """One step as a backward Euler step: effective old state a z_(n-1) - b z_(n-2), effective length dte."""

    a: float
    b: float
    dte: float
    order: int


class AbstractStepper(eqx.Module):
    """Maps the last step lengths to the formula of the next step."""

    @abc.abstractmethod
    def formula(self, dt: float, previous: float | None) -> Formula:
        """The formula for a step dt after a step of length `previous`; None after a jump or at the start."""


class BackwardEuler(AbstractStepper):
    """First order, damps everything."""

    def formula(self, dt: float, previous: float | None) -> Formula:
        """a = 1, b = 0, dte = dt"""
        return Formula(1.0, 0.0, dt, 1)


class BDF2(AbstractStepper):
    """Second order, variable step; a step after a jump is backward Euler."""

    def formula(self, dt: float, previous: float | None) -> Formula:
        """The variable-step formula with w = dt / previous."""
        if previous is None:
            return Formula(1.0, 0.0, dt, 1)
        w = dt / previous
        return Formula((1 + w) ** 2 / (1 + 2 * w), w**2 / (1 + 2 * w), dt * (1 + w) / (1 + 2 * w), 2)


class History(NamedTuple):
    """Accepted states since the last jump, newest first, and the lengths of the steps between them."""

    states: tuple[Float[np.ndarray, " n"], ...]
    lengths: tuple[float, ...]

    def pushed(self, state: Float[np.ndarray, " n"], dt: float) -> History:
        """With one more accepted step; three states suffice."""
        return History((state, *self.states)[:3], (dt, *self.lengths)[:2])

    def predict(self, dt: float) -> Float[np.ndarray, " n"]:
        """Polynomial extrapolation through the known states, of degree at most two."""
        times = -np.concatenate([[0.0], np.cumsum(self.lengths)])
        weights = [
            np.prod([(dt - times[j]) / (t - times[j]) for j in range(len(times)) if j != i])
            for i, t in enumerate(times)
        ]
        return np.einsum("k,kn->n", np.array(weights), np.array(self.states))


def error_factor(dt: float, lengths: tuple[float, ...], order: int) -> float:
    """Local error over the distance from the prediction: C/(C+P) of the formula and the extrapolation."""
    if len(lengths) == 1:  # linear prediction; the first-order constant is on the safe side of BDF2's
        return dt / (2 * dt + lengths[0])
    first, second = lengths[0], lengths[0] + lengths[1]
    if order == 1:  # a quadratic prediction is of higher order than the step
        return 1.0
    w = dt / first
    C = (1 + w) ** 2 / (6 * w * (1 + 2 * w))
    P = (dt + first) * (dt + second) / (6 * dt**2)
    return C / (C + P)


class ErrorControl(eqx.Module):
    """Accept a step when its estimated error is below the tolerance; propose the next length.

    Args:
        tol: admissible local error of c [1], largest nodal value.
        start: first step after a start, a jump or an event, as a change of state of charge; without a current,
            in hours [1].
        dt_min: give up below this length [s].
        dt_max: never step further [s].
        dt_start: instead of `start`, the first step [s].
        soc_max: largest change of state of charge in a step, so that voltage curves are smooth [1].
        instability: while the state is nearly uniform and unstable, dt times the largest growth rate stays below this:
            backward Euler damps every mode with s dt > 2, and an error estimate does not see an amplitude of 1e-10 [1].
        growth: largest ratio of successive steps (BDF2 is stable below 2.41) [1].
        safety: factor on the proposed step [1].
    """

    tol: float = eqx.field(static=True, default=4e-3)
    start: float = eqx.field(static=True, default=1e-4)
    dt_min: float = eqx.field(static=True, default=1e-12)
    dt_max: float = eqx.field(static=True, default=float("inf"))
    dt_start: float | None = eqx.field(static=True, default=None)
    soc_max: float = eqx.field(static=True, default=0.02)
    instability: float = eqx.field(static=True, default=0.3)
    growth: float = eqx.field(static=True, default=2.0)
    safety: float = eqx.field(static=True, default=0.85)

    def accepts(self, error: float) -> bool:
        """Whether the estimated error is admissible."""
        return error <= self.tol

    def next(self, dt: float, error: float | None, order: int) -> float:
        """The next length after a step of length dt with the given error; None when no estimate exists."""
        if error is None:
            return min(dt * self.growth, self.dt_max)
        factor = self.safety * (self.tol / max(error, 1e-300)) ** (1.0 / (order + 1))
        return min(dt * float(np.clip(factor, 0.2, self.growth)), self.dt_max)
