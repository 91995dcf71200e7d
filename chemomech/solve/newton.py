"""Newton's method with a step limit, and a clear account of how it ended."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from . import mkl
from .auto import Auto
from .linear import AbstractLinearSolver, Breakdown
from .operators import namespace

Vector = Float[np.ndarray, " N"]
STALLED = 0.1  # after the second, an update that falls by less is not that of a converging Newton iteration


class System(NamedTuple):
    """What Newton needs of a problem; all vectors are scaled."""

    residual: Callable[[Vector], Vector]
    tangent: Callable[[Vector], Any]
    limit: Callable[[Vector, Vector], float]  # largest admissible multiple of a step
    norms: Callable[[Vector], dict[str, float]]  # largest entry of each field


class Result(NamedTuple):
    """Where Newton ended."""

    x: Vector
    converged: bool
    iterations: int
    reason: str
    updates: dict[str, float]  # last update, by field
    linear_state: Any
    linear_iterations: int
    factorisations: int
    breakdown: bool = False  # did the linear solver fail where another might not?


class AbstractTest(eqx.Module):
    """When a Newton iteration has converged."""

    @abc.abstractmethod
    def __call__(self, updates: list[float], residual: float, first_update: float, rtol: float = 0.0) -> bool:
        """Decide after a full step.

        Args:
            updates: largest scaled update of any field, one for each iteration since the last shortened step.
            residual: 2-norm of the residual after the last update.
            first_update: 2-norm of the first update.
            rtol: relative residual to which the last update was computed.
        """

    @abc.abstractmethod
    def wanted(self, updates: list[float], residual: float, first_update: float, rtol: float) -> float:
        """Relative residual at which the next linear solve would suffice for convergence; same arguments."""


class UpdateTest(AbstractTest):
    """The error left after the last update is below a tolerance, in scaled units of the worst field.

    Newton's error squares: after updates a, b it is about b (b/a)^2, and that is what is compared, with a margin of
    ten, but not less than the part of b that its linear solve left. A single update, or one that did not fall, counts
    as an error of its own size.

    Args:
        tol: tolerance on the error [1].
    """

    tol: float = eqx.field(static=True, default=1e-7)

    def __call__(self, updates: list[float], residual: float, first_update: float, rtol: float = 0.0) -> bool:
        return self._error(updates, rtol) < self.tol

    def wanted(self, updates: list[float], residual: float, first_update: float, rtol: float) -> float:
        """A tenth of the tolerance over the error left."""
        return 0.1 * self.tol / max(self._error(updates, rtol), self.tol) if updates else 1.0

    @staticmethod
    def _error(updates: list[float], rtol: float) -> float:
        last = updates[-1]
        ratio = last / updates[-2] if len(updates) > 1 and updates[-2] > 0 else 1.0
        return last * max(min(1.0, 10.0 * ratio**2), rtol)


class Newton(eqx.Module):
    """Newton's method on R(x) = 0.

    Args:
        linear: linear solver.
        test: convergence test.
        max_iterations: give up after that many.
        linear_rtol: relative residual of each linear solve; None: what the test needs, within the solver's range.
        first_rtol: the same in the first iteration, whose own error is far larger.
    """

    linear: AbstractLinearSolver = Auto()
    test: AbstractTest = UpdateTest()
    max_iterations: int = eqx.field(static=True, default=12)
    linear_rtol: float | None = eqx.field(static=True, default=None)
    first_rtol: float | None = eqx.field(static=True, default=None)

    @mkl.alone()
    def solve(self, system: System, x: Vector, linear_state: Any = None) -> Result:
        """Iterate from x; never raises for lack of convergence, `Result.reason` says what happened."""
        r = system.residual(x)
        first, krylov, factorisations, norms = 0.0, 0, 0, {}
        updates: list[float] = []
        rtol = self._first_rtol()

        def forgotten():
            return self.linear.forget(linear_state)

        if not _finite(r):
            return Result(x, False, 0, "the residual of the first guess is not finite", norms, linear_state, 0, 0)
        for k in range(1, self.max_iterations + 1):
            if k > 1:
                rtol = self._rtol(updates, _size(r), first, rtol)
            try:
                linear_state = self.linear.init(system.tangent(x), linear_state)
                dx, stats, linear_state = self.linear.solve(linear_state, -r, rtol=rtol)
            except SolveError as error:
                broke = isinstance(error, Breakdown)
                return Result(x, False, k, str(error), norms, forgotten(), krylov, factorisations, broke)
            krylov, factorisations = krylov + stats.iterations, factorisations + stats.factorised
            norms = system.norms(dx)
            if not _finite(dx):
                return Result(x, False, k, "the update is not finite", norms, forgotten(), krylov, factorisations)
            step = min(1.0, system.limit(x, dx))
            x, r, step = _advance(system, x, dx, step)
            first = first or _size(dx)
            updates = [*updates, max(norms.values(), default=0.0)] if step == 1.0 else []
            if updates and self.test(updates, _size(r), first, rtol):
                return Result(x, True, k, "converged", norms, linear_state, krylov, factorisations)
            if not _finite(r) or max(norms.values()) > 1e8:
                return Result(x, False, k, "the iteration diverged", norms, forgotten(), krylov, factorisations)
        worst = max(norms, key=norms.__getitem__)
        reason = f"no convergence in {self.max_iterations} iterations; last update of {worst} {norms[worst]:.1e}"
        return Result(x, False, self.max_iterations, reason, norms, forgotten(), krylov, factorisations)

    def _first_rtol(self) -> float:
        first = self.linear.first_rtol if self.first_rtol is None else self.first_rtol
        return first if self.linear_rtol is None else max(self.linear_rtol, first)

    def _rtol(self, updates: list[float], residual: float, first_update: float, rtol: float) -> float:
        if self.linear_rtol is not None:
            return self.linear_rtol
        tightest, loosest = self.linear.range_of_rtol
        wanted = self.test.wanted(updates, residual, first_update, rtol)
        if len(updates) > 2 and updates[-1] > STALLED * updates[-2]:  # the second: the first may be a long way off
            wanted = min(wanted, STALLED**2 * rtol)  # what is left may be the linear solves' own error
        return min(max(wanted, tightest), loosest)


def _finite(v: Vector) -> bool:
    return bool(namespace(v).all(namespace(v).isfinite(v)))


def _size(v: Vector) -> float:
    return float(namespace(v).linalg.norm(v))


def _advance(system: System, x: Vector, dx: Vector, step: float) -> tuple[Vector, Vector, float]:
    """The new point, its residual, and the step taken: shorter where the residual would not be finite."""
    trial, r = x, np.full_like(x, np.nan)
    for shrink in (1.0, 0.5, 0.25, 0.125):
        trial, r = x + shrink * step * dx, system.residual(x + shrink * step * dx)
        if _finite(r):
            return trial, r, shrink * step
    return trial, r, 0.0
