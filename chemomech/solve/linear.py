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
from .factor import factorisation
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
    def solve(
        self, state: Any, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats]:
        """K^-1 b or K^-T b to a relative residual."""


class Bordered:
    """A sparse matrix with dense rows and columns for global scalars, and a factor that approximates its inverse."""

    def __init__(self, matrix, border, factor):
        self.matrix, self.factor = matrix, factor
        self.column, self.row, self.corner = (np.asarray(v) for v in (border.column, border.row, border.corner))
        self.fresh = False  # does the factor belong to this very matrix?
        self.size, self.m = matrix.shape[0], len(self.corner)
        self._eliminated: dict[bool, tuple] = {}

    def apply(self, x, transpose=False):
        """K x or K^T x."""
        y, s = x[: self.size], x[self.size :]
        A, column, row, corner = self._oriented(transpose)
        return np.concatenate([A @ y + column.T @ s, row @ y + corner @ s])

    def precondition(self, r, transpose=False):
        """The factor's inverse, with the border eliminated."""
        y = self.factor.solve(r[: self.size], transpose=transpose)
        if self.m == 0:
            return y
        Q, schur, row = self._elimination(transpose)
        s = np.linalg.solve(schur, r[self.size :] - row @ y)
        return np.concatenate([y - Q @ s, s])

    def factorise(self):
        """Bring the factor up to date."""
        self.factor.update(self.matrix)
        self.fresh = True
        self._eliminated.clear()

    def _oriented(self, transpose):
        if transpose:
            return self.matrix.T, self.row, self.column, self.corner.T
        return self.matrix, self.column, self.row, self.corner

    def _elimination(self, transpose):
        if transpose not in self._eliminated:
            _, column, row, corner = self._oriented(transpose)
            Q = np.stack([self.factor.solve(np.ascontiguousarray(c), transpose=transpose) for c in column], axis=1)
            self._eliminated[transpose] = (Q, corner - row @ Q, row)
        return self._eliminated[transpose]


class HostDirect(AbstractLinearSolver):
    """Factorise the assembled matrix on the host; an older factor preconditions GMRES while that is cheaper.

    Args:
        backend: "auto" (PARDISO if installed), "pardiso" or "superlu".
        reuse: GMRES iterations that an older factor may take before a new one is made; 0 always factorises.
    """

    backend: str = eqx.field(static=True, default="auto")
    reuse: int = eqx.field(static=True, default=10)

    def init(self, tangent: Any, old: Bordered | None = None) -> Bordered:
        """The new matrix with the factor of the old one."""
        factor = factorisation(self.backend) if old is None else old.factor
        state = Bordered(tangent.csr(), tangent.border, factor)
        if old is None or self.reuse == 0:
            state.factorise()
        return state

    def solve(
        self, state: Bordered, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats]:
        """GMRES with the present factor; a new factor if that does not suffice.

        Raises:
            SolveError: even a fresh factor does not reach the tolerance.
        """
        was_fresh = state.fresh
        if not was_fresh:
            x, its, reached = self._krylov(state, b, rtol, transpose, self.reuse)
            if reached <= rtol:
                return x, Stats(its, reached, False)
            state.factorise()
        x, its, reached = self._krylov(state, b, rtol, transpose, 20)
        if not reached <= max(rtol, 1e-6):
            raise SolveError(f"The linear system is singular to working precision (relative residual {reached:.1e}).")
        return x, Stats(its, reached, not was_fresh)

    def _krylov(self, state, b, rtol, transpose, limit):
        return fgmres(
            lambda v: state.apply(v, transpose), lambda v: state.precondition(v, transpose), b,
            rtol=rtol, max_iterations=limit,
        )  # fmt: skip
