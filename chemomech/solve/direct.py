"""Factorise on the host, and let an old factor precondition GMRES while that is cheaper."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from .border import Border, Bordered, Elimination
from .factor import factorisation, require
from .gmres import fgmres
from .linear import AbstractLinearSolver, Stats


class Factored:
    """A factor of the nodal block with the border eliminated; it may serve later tangents too."""

    def __init__(self, factor: Any, system: Bordered):
        factor.update(system.matrix)
        self.factor, self.size, self.m = factor, system.matrix.shape[0], len(system.border.corner)
        self.solves, self.spent, self.due = 0, 0, False
        self.border = system.border

    @functools.cached_property
    def inverse(self) -> Elimination:
        """Of the matrix from which the factor was made."""
        return Elimination.of(self._solve, self.border)

    @functools.cached_property
    def transposed(self) -> Elimination:
        """Of its transpose."""
        return Elimination.of(functools.partial(self._solve, transpose=True), self.border.T)

    def _solve(self, r, transpose: bool = False):
        return self.factor.solve(np.ascontiguousarray(r), transpose=transpose)

    def price(self) -> float:
        """What a new factor costs, in GMRES iterations: measured ratios, not clocks, so that runs repeat themselves."""
        return float(np.clip(self.factor.price * np.sqrt(self.size / 13_000), 4, 60)) + self.m

    def served(self, iterations: int) -> None:
        """Count a solve; once it cost more than the average since the factor was made, a new factor is due."""
        self.solves, self.spent = self.solves + 1, self.spent + iterations
        self.due = self.solves > 1 and iterations > (self.price() + self.spent) / self.solves


class Direct(NamedTuple):
    """A bordered matrix and the factor that serves it."""

    system: Bordered
    factored: Factored
    balance: Any  # (trial, test) directions in which no residual may be left, or None
    fresh: bool  # was the factor made from this very matrix?
    stale: bool = False  # must the next tangent be factorised?

    @property
    def border(self) -> Border:
        """Rows and columns of the global scalars."""
        return self.system.border


class HostDirect(AbstractLinearSolver):
    """Factorise the assembled matrix on the host; an older factor preconditions GMRES while that is cheaper.

    Args:
        backend: "auto" (PARDISO if installed), "pardiso" or "superlu".
        reuse: GMRES iterations that an older factor may take before a new one is made; 0 always factorises, None
            makes one when it costs less than going on.
    """

    backend: str = eqx.field(static=True, default="auto")
    reuse: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        require(self.backend)

    def init(self, tangent: Any, old: Direct | None = None) -> Direct:
        """The new matrix with the preconditioner of the old one."""
        system = Bordered(tangent.csr(), Border.of(tangent))
        if old is None:
            return Direct(system, Factored(factorisation(self.backend), system), tangent.balance, True)
        state = Direct(system, old.factored, tangent.balance, False)
        due = self.reuse is None and old.factored.due
        return _renewed(state) if self.reuse == 0 or old.stale or due else state

    def forget(self, state: Direct | None) -> Direct | None:
        """Keep the analysis of the pattern, drop the factor."""
        return None if state is None else state._replace(stale=True)

    def solve(
        self, state: Direct, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Direct]:
        """GMRES with the present preconditioner; a new factor if that does not suffice.

        Raises:
            SolveError: even a fresh factor does not reach the tolerance.
        """
        if not state.fresh:
            limit = int(state.factored.price()) if self.reuse is None else self.reuse
            x, its, reached = _krylov(state, b, rtol, transpose, limit)
            state.factored.served(its)
            if reached <= rtol:
                return _finished(state, x, b, transpose), Stats(its, reached, False), state
            state = _renewed(state)
        x, its, reached = _krylov(state, b, rtol, transpose, 20)
        state.factored.served(its)
        if not reached <= max(rtol, 1e-6):
            raise SolveError(f"The linear system is singular to working precision (relative residual {reached:.1e}).")
        return _finished(state, x, b, transpose), Stats(its, reached, True), state


def _finished(state: Direct, x, b, transpose: bool):
    return x if transpose else state.system.balanced(x, b, state.balance)


def _renewed(state: Direct) -> Direct:
    made = Factored(state.factored.factor, state.system)
    return state._replace(factored=made, fresh=True, stale=False)


def _krylov(state, b, rtol, transpose, limit):
    factored = state.factored
    system, inverse = (state.system.T, factored.transposed) if transpose else (state.system, factored.inverse)
    return fgmres(lambda v: system @ v, inverse, b, rtol=rtol, max_iterations=limit)
