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
    border: Border  # after the shift
    Q: Float[Any, "m n"]  # inverse times the columns
    schur: Float[Any, "m m"]
    shift: Shift | None

    @classmethod
    def of(
        cls, inverse: Callable[[Vector], Vector], border: Border, matrix: Any = None, along: Any = None
    ) -> Elimination:
        """Eliminate the nodal block from the rows of the global scalars.

        Args:
            inverse: of the nodal block.
            border: around it.
            matrix: the nodal block, where an inverse is approximate.
            along: directions (k, n) in which nodal values may move with a scalar, for that to hide less in the border.
        """
        if len(border.corner) == 0:
            return cls(inverse, border, border.column, border.corner, None)
        shift = None if along is None else Shift.of(matrix, border, along)
        border = border if shift is None else shift.applied(matrix, border)
        Q = mapped(inverse, border.column)
        return cls(inverse, border, Q, border.corner - mapped(lambda q: row_products(border.row, q), Q).T, shift)

    def __call__(self, r: Vector) -> Vector:
        """The (approximate) inverse of the bordered matrix, applied."""
        n = self.border.column.shape[1]
        y = self.inverse(r[:n])
        if len(self.border.corner) == 0:
            return y
        rest = r[n:] if self.shift is None else r[n:] + row_products(self.shift.test, r[:n])
        s = small_solve(self.schur, rest - row_products(self.border.row, y))
        moved = self.Q if self.shift is None else self.Q - self.shift.trial
        return namespace(r).concatenate([y - combination(s, moved), s])


class Shift(NamedTuple):
    """How nodal values move with each scalar, and test functions of nodes with each scalar's row.

    A strong reaction ties mu to the cell voltage: columns and Schur complement are then differences of large numbers,
    which an approximate inverse gets wrong. Next to mu moving with the voltage, what is left in the border is small.
    """

    trial: Float[Any, "m n"]
    test: Float[Any, "m n"]

    @classmethod
    def of(cls, matrix: Any, border: Border, along: Float[Any, "k n"]) -> Shift:
        """The combinations of directions that leave the least of the border's columns, and of its rows."""
        return cls(_least(matrix, border.column, along), _least(matrix.T, border.row, along))

    def applied(self, matrix: Any, border: Border) -> Border:
        """The border for nodal values next to those that move with the scalars."""
        moved = mapped(lambda d: matrix @ d, self.trial)
        column, test = border.column + moved, self.test
        row = border.row + mapped(lambda d: matrix.T @ d, test)
        corner = border.corner + mapped(lambda d: row_products(border.row, d), self.trial).T
        return Border(column, row, corner + mapped(lambda d: row_products(test, d), column).T)


def _least(matrix: Any, columns: Float[Any, "m n"], along: Float[Any, "k n"]) -> Float[Any, "m n"]:
    """For each column b the combination d of directions that makes b + K d least."""
    images = mapped(lambda d: matrix @ d, along)
    gram = mapped(lambda v: row_products(images, v), images)
    share = mapped(lambda b: small_solve(gram, -row_products(images, b)), columns)
    return mapped(lambda s: combination(s, along), share)


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
