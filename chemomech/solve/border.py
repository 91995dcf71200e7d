"""Dense rows and columns of global scalars around a sparse nodal matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from . import dense
from .dense_rows import combination, row_products
from .operators import mapped, namespace

Vector = Float[Any, " N"]


class Border(NamedTuple):
    """Columns, rows and corner of the global scalars."""

    column: Float[Any, "m n"]
    row: Float[Any, "m n"]
    corner: Float[Any, "m m"]

    @classmethod
    def of(cls, tangent: Any) -> Border:
        """The border of a tangent, on the host."""
        b = tangent.border
        return cls(*(np.asarray(v) for v in (b.column, b.row, b.corner)))

    @property
    def T(self) -> Border:
        """That of the transposed matrix."""
        return Border(self.row, self.column, self.corner.T)


class Bordered(NamedTuple):
    """A sparse matrix with its border."""

    matrix: Any
    border: Border

    @property
    def T(self) -> Bordered:
        """The transpose."""
        return Bordered(self.matrix.T, self.border.T)

    def __matmul__(self, x: Vector) -> Vector:
        n, b = self.matrix.shape[0], self.border
        y, s = x[:n], x[n:]
        nodal = self.matrix @ y
        if len(s) == 0:
            return nodal
        return namespace(x).concatenate([nodal + combination(s, b.column), row_products(b.row, y) + b.corner @ s])

    def balanced(self, x: Vector, b: Vector, balance: tuple[Any, Any] | None) -> Vector:
        """x with the multiple of the trial directions added that leaves no residual against the test directions."""
        if balance is None:
            return x
        trial, test = balance
        small = mapped(lambda v: row_products(test, self @ v), trial).T
        return x + combination(small_solve(small, row_products(test, b - self @ x)), trial)


class Elimination(NamedTuple):
    """The inverse of a bordered matrix from one of its nodal block, exact or approximate."""

    inverse: Callable[[Vector], Vector]
    border: Border
    Q: Float[Any, "m n"]  # inverse times the columns
    schur: Float[Any, "m m"]

    @classmethod
    def of(cls, inverse: Callable[[Vector], Vector], border: Border) -> Elimination:
        """Eliminate the nodal block from the rows of the global scalars."""
        if len(border.corner) == 0:
            return cls(inverse, border, border.column, border.corner)
        Q = mapped(inverse, border.column)
        return cls(inverse, border, Q, border.corner - mapped(lambda q: row_products(border.row, q), Q).T)

    def __call__(self, r: Vector) -> Vector:
        """The (approximate) inverse of the bordered matrix, applied."""
        n = self.border.column.shape[1]
        y = self.inverse(r[:n])
        if len(self.border.corner) == 0:
            return y
        s = small_solve(self.schur, r[n:] - row_products(self.border.row, y))
        return namespace(r).concatenate([y - combination(s, self.Q), s])


def small_solve(A: Float[Any, "m m"], b: Float[Any, " m"]) -> Float[Any, " m"]:
    """The dense system of the global scalars.

    Raises:
        SolveError: it is singular (on the host; on a device the solution is not finite).
    """
    if not isinstance(A, np.ndarray):
        return dense.solve(A, b)
    try:
        x = np.linalg.solve(A, b)
    except np.linalg.LinAlgError:
        x = np.full(len(b), np.nan)
    if not np.all(np.isfinite(x)):
        raise SolveError("a global unknown does not matter (a voltage, where the exchange current is zero everywhere)")
    return x
