"""Dense rows and columns of global scalars around a sparse nodal matrix."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from .dense_rows import combination, row_products

Vector = Float[np.ndarray, " N"]


class Border(NamedTuple):
    """Columns, rows and corner of the global scalars, on the host."""

    column: Float[np.ndarray, "m n"]
    row: Float[np.ndarray, "m n"]
    corner: Float[np.ndarray, "m m"]

    @classmethod
    def of(cls, tangent: Any) -> Border:
        """The border of a tangent."""
        b = tangent.border
        return cls(*(np.asarray(v) for v in (b.column, b.row, b.corner)))


class Bordered(NamedTuple):
    """A sparse matrix with its border."""

    matrix: Any
    border: Border

    def apply(self, x: Vector, transpose: bool = False) -> Vector:
        """K x or K^T x."""
        n, b = self.matrix.shape[0], self.border
        y, s = x[:n], x[n:]
        if transpose:
            return np.concatenate(
                [self.matrix.T @ y + combination(s, b.row), row_products(b.column, y) + b.corner.T @ s]
            )
        return np.concatenate([self.matrix @ y + combination(s, b.column), row_products(b.row, y) + b.corner @ s])

    def balanced(self, x: Vector, b: Vector, balance: tuple[Any, Any] | None) -> Vector:
        """x with the multiple of the trial directions added that leaves no residual against the test directions."""
        if balance is None:
            return x
        trial, test = balance
        small = np.stack([row_products(test, self.apply(v)) for v in trial], axis=1)
        return x + combination(_small_solve(small, row_products(test, b - self.apply(x))), trial)


class Elimination:
    """The inverse of a bordered matrix from one of its nodal block, exact or approximate."""

    def __init__(self, inverse: Any, size: int, border: Border):
        self.inverse, self.size, self.border = inverse, size, border
        self._eliminated: dict[bool, tuple] = {}

    def __call__(self, r: Vector, transpose: bool = False) -> Vector:
        """The (approximate) inverse of the bordered matrix, or of its transpose."""
        y = self.inverse.solve(np.ascontiguousarray(r[: self.size]), transpose=transpose)
        if len(self.border.corner) == 0:
            return y
        Q, schur, row = self._elimination(transpose)
        s = _small_solve(schur, r[self.size :] - row_products(row, y))
        return np.concatenate([y - combination(s, Q), s])

    def _elimination(self, transpose):
        if transpose not in self._eliminated:
            b = self.border
            column, row, corner = (b.row, b.column, b.corner.T) if transpose else (b.column, b.row, b.corner)
            Q = np.stack([self.inverse.solve(np.ascontiguousarray(v), transpose=transpose) for v in column])
            self._eliminated[transpose] = (Q, corner - np.stack([row_products(row, q) for q in Q], axis=1), row)
        return self._eliminated[transpose]


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
