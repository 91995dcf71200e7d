"""Newton's method with a step limit, and a clear account of how it ended."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from .linear import AbstractLinearSolver, HostDirect

Vector = Float[np.ndarray, " N"]


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


class AbstractTest(eqx.Module):
    """When a Newton iteration has converged."""

    @abc.abstractmethod
    def __call__(self, updates: list[float], residual: float, first_update: float) -> bool:
        """Decide after a full step.

        Args:
            updates: largest scaled update of any field, one for each iteration since the last shortened step.
            residual: 2-norm of the residual after the last update.
            first_update: 2-norm of the first update.
        """


class UpdateTest(AbstractTest):
    """The error left after the last update is below a tolerance, in scaled units of the worst field.

    Newton's error squares: after updates a, b it is about b (b/a)^2, and that is what is compared, with a margin of
    ten. A single update, or one that did not fall, counts as an error of its own size.

    Args:
        tol: tolerance on the error [1].
    """

    tol: float = eqx.field(static=True, default=1e-7)

    def __call__(self, updates: list[float], residual: float, first_update: float) -> bool:
        last = updates[-1]
        ratio = last / updates[-2] if len(updates) > 1 and updates[-2] > 0 else 1.0
        return last * min(1.0, 10.0 * ratio**2) < self.tol


class Newton(eqx.Module):
    """Newton's method on R(x) = 0.

    Args:
        linear: linear solver.
        test: convergence test.
        max_iterations: give up after that many.
        linear_rtol: relative residual of each linear solve.
        first_rtol: the same in the first iteration, whose own error is far larger.
    """

    linear: AbstractLinearSolver = HostDirect()
    test: AbstractTest = UpdateTest()
    max_iterations: int = eqx.field(static=True, default=12)
    linear_rtol: float = eqx.field(static=True, default=1e-5)
    first_rtol: float = eqx.field(static=True, default=1e-3)

    def solve(self, system: System, x: Vector, linear_state: Any = None) -> Result:
        """Iterate from x; never raises for lack of convergence, `Result.reason` says what happened."""
        r = system.residual(x)
        first, krylov, factorisations, norms = 0.0, 0, 0, {}
        updates: list[float] = []

        def forgotten():
            return self.linear.forget(linear_state)

        if not np.all(np.isfinite(r)):
            return Result(x, False, 0, "the residual of the first guess is not finite", norms, linear_state, 0, 0)
        for k in range(1, self.max_iterations + 1):
            rtol = max(self.linear_rtol, self.first_rtol) if k == 1 else self.linear_rtol
            try:
                linear_state = self.linear.init(system.tangent(x), linear_state)
                dx, stats, linear_state = self.linear.solve(linear_state, -r, rtol=rtol)
            except SolveError as error:
                return Result(x, False, k, str(error), norms, forgotten(), krylov, factorisations)
            krylov, factorisations = krylov + stats.iterations, factorisations + stats.factorised
            norms = system.norms(dx)
            if not np.all(np.isfinite(dx)):
                return Result(x, False, k, "the update is not finite", norms, forgotten(), krylov, factorisations)
            step = min(1.0, system.limit(x, dx))
            x, r, step = _advance(system, x, dx, step)
            first = first or float(np.linalg.norm(dx))
            updates = [*updates, max(norms.values(), default=0.0)] if step == 1.0 else []
            if updates and self.test(updates, float(np.linalg.norm(r)), first):
                return Result(x, True, k, "converged", norms, linear_state, krylov, factorisations)
            if not np.all(np.isfinite(r)) or max(norms.values()) > 1e8:
                return Result(x, False, k, "the iteration diverged", norms, forgotten(), krylov, factorisations)
        worst = max(norms, key=norms.__getitem__)
        reason = f"no convergence in {self.max_iterations} iterations; last update of {worst} {norms[worst]:.1e}"
        return Result(x, False, self.max_iterations, reason, norms, linear_state, krylov, factorisations)


def _advance(system: System, x: Vector, dx: Vector, step: float) -> tuple[Vector, Vector, float]:
    """The new point, its residual, and the step taken: shorter where the residual would not be finite."""
    trial, r = x, np.full_like(x, np.nan)
    for shrink in (1.0, 0.5, 0.25, 0.125):
        trial, r = x + shrink * step * dx, system.residual(x + shrink * step * dx)
        if np.all(np.isfinite(r)):
            return trial, r, shrink * step
    return trial, r, 0.0
