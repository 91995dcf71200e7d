"""Linear solvers behind one interface: `init(tangent) -> state`, `solve(state, b)`, `solve(state, b, transpose=True)`.

The law: `solve` with `transpose=True` inverts the transpose of what `init` saw.
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from .factor import factorisation, require
from .gmres import fgmres


class Stats(NamedTuple):
    """What a linear solve cost and reached."""

    iterations: int
    relative_residual: float
    factorised: bool


class AbstractLinearSolver(eqx.Module):
    """Solves K x = b, where K has a sparse nodal block and a few dense rows and columns."""

    @abc.abstractmethod
    def init(self, tangent: Any, old: Any = None) -> Any:
        """Prepare for a tangent; `old` is the state of an earlier one with the same pattern."""

    @abc.abstractmethod
    def forget(self, state: Any) -> Any:
        """A state without memory of earlier values, so that what follows depends on the next tangent alone."""

    @abc.abstractmethod
    def solve(
        self, state: Any, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Any]:
        """K^-1 b or K^-T b to a relative residual, what it took, and the state to hand to the next `init`."""


def _rows(rows, y):
    """rows @ y without BLAS, whose threads cost more than a few dot products."""
    return np.einsum("mn,n->m", rows, y)


def _columns(rows, s):
    """rows^T @ s, likewise."""
    return np.einsum("mn,m->n", rows, s)


def _small_solve(A, b):
    """The dense system of the global scalars.

    Raises:
        SolveError: it is singular.
    """
    try:
        x = np.linalg.solve(A, b)
    except np.linalg.LinAlgError:
        x = np.full(len(b), np.nan)
    if not np.all(np.isfinite(x)):
        raise SolveError("a global unknown does not matter (a voltage, where the exchange current is zero everywhere)")
    return x


class Preconditioner:
    """A factor of the nodal block with the border eliminated; it may serve later tangents too."""

    def __init__(self, factor, matrix, border):
        factor.update(matrix)
        self.factor, self.size, self.m = factor, matrix.shape[0], len(border.corner)
        self.solves, self.spent, self.due = 0, 0, False
        self._border = border
        self._eliminated: dict[bool, tuple] = {}

    def __call__(self, r, transpose=False):
        """The approximate inverse of the bordered matrix, or of its transpose."""
        y = self.factor.solve(np.ascontiguousarray(r[: self.size]), transpose=transpose)
        if self.m == 0:
            return y
        Q, schur, row = self._elimination(transpose)
        s = _small_solve(schur, r[self.size :] - _rows(row, y))
        return np.concatenate([y - _columns(Q, s), s])

    def price(self) -> float:
        """What a new factor costs, in GMRES iterations: measured ratios, not clocks, so that runs repeat themselves."""
        return float(np.clip(self.factor.price * np.sqrt(self.size / 13_000), 4, 60)) + self.m

    def served(self, iterations: int) -> None:
        """Count a solve; once it cost more than the average since the factor was made, a new factor is due."""
        self.solves, self.spent = self.solves + 1, self.spent + iterations
        self.due = self.solves > 1 and iterations > (self.price() + self.spent) / self.solves

    def _elimination(self, transpose):
        if transpose not in self._eliminated:
            b = self._border
            column, row, corner = (b.row, b.column, b.corner.T) if transpose else (b.column, b.row, b.corner)
            Q = np.ascontiguousarray(self.factor.solve(np.ascontiguousarray(column.T), transpose=transpose).T)
            self._eliminated[transpose] = (Q, corner - np.stack([_rows(row, q) for q in Q], axis=1), row)
        return self._eliminated[transpose]


class Bordered(NamedTuple):
    """A sparse matrix with dense rows and columns for global scalars, and what preconditions it."""

    matrix: Any
    border: Any
    preconditioner: Preconditioner
    balance: Any  # (trial, test) directions in which no residual may be left, or None
    fresh: bool  # was the preconditioner made from this very matrix?
    stale: bool = False  # must the next tangent be factorised?

    def apply(self, x, transpose=False):
        """K x or K^T x."""
        n, b = self.matrix.shape[0], self.border
        y, s = x[:n], x[n:]
        if transpose:
            return np.concatenate([self.matrix.T @ y + _columns(b.row, s), _rows(b.column, y) + b.corner.T @ s])
        return np.concatenate([self.matrix @ y + _columns(b.column, s), _rows(b.row, y) + b.corner @ s])

    def balanced(self, x, b):
        """x with the multiple of the trial directions added that leaves no residual against the test directions."""
        if self.balance is None:
            return x
        trial, test = self.balance
        small = np.stack([_rows(test, self.apply(v)) for v in trial], axis=1)
        return x + _columns(trial, _small_solve(small, _rows(test, b - self.apply(x))))


class _HostBorder(NamedTuple):
    column: Any
    row: Any
    corner: Any


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

    def init(self, tangent: Any, old: Bordered | None = None) -> Bordered:
        """The new matrix with the preconditioner of the old one."""
        border = _HostBorder(
            *(np.asarray(v) for v in (tangent.border.column, tangent.border.row, tangent.border.corner))
        )
        matrix = tangent.csr()
        if old is None:
            made = Preconditioner(factorisation(self.backend), matrix, border)
            return Bordered(matrix, border, made, tangent.balance, True)
        state = Bordered(matrix, border, old.preconditioner, tangent.balance, False)
        due = self.reuse is None and old.preconditioner.due
        return _renewed(state) if self.reuse == 0 or old.stale or due else state

    def forget(self, state: Bordered | None) -> Bordered | None:
        """Keep the analysis of the pattern, drop the factor."""
        return None if state is None else state._replace(stale=True)

    def solve(
        self, state: Bordered, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Bordered]:
        """GMRES with the present preconditioner; a new factor if that does not suffice.

        Raises:
            SolveError: even a fresh factor does not reach the tolerance.
        """
        if not state.fresh:
            limit = int(state.preconditioner.price()) if self.reuse is None else self.reuse
            x, its, reached = _krylov(state, b, rtol, transpose, limit)
            state.preconditioner.served(its)
            if reached <= rtol:
                return _finished(state, x, b, transpose), Stats(its, reached, False), state
            state = _renewed(state)
        x, its, reached = _krylov(state, b, rtol, transpose, 20)
        state.preconditioner.served(its)
        if not reached <= max(rtol, 1e-6):
            raise SolveError(f"The linear system is singular to working precision (relative residual {reached:.1e}).")
        return _finished(state, x, b, transpose), Stats(its, reached, True), state


def _finished(state: Bordered, x, b, transpose: bool):
    return x if transpose else state.balanced(x, b)


def _renewed(state: Bordered) -> Bordered:
    made = Preconditioner(state.preconditioner.factor, state.matrix, state.border)
    return state._replace(preconditioner=made, fresh=True, stale=False)


def _krylov(state, b, rtol, transpose, limit):
    return fgmres(
        lambda v: state.apply(v, transpose), lambda v: state.preconditioner(v, transpose), b,
        rtol=rtol, max_iterations=limit,
    )  # fmt: skip
