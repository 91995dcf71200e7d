"""Cycles with Chebyshev smoothing: one code for every kind of operator that knows `A @ x`."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float
from numpy.polynomial import Polynomial
from scipy.sparse import csr_array, csr_matrix, diags_array
from scipy.sparse.linalg import eigsh

from .operators import gaxpy, pytree


class Chebyshev(NamedTuple):
    """Coefficients of the smoother p, of ascending powers of D^-1 A: 1 - t p(t) is a Chebyshev polynomial."""

    coefficients: tuple[float, ...]

    @classmethod
    def on(cls, lmax: float, degree: int = 2, ratio: float = 8.0) -> Chebyshev:
        """The p for which 1 - t p(t), of a degree up to about 6, is least on [lmax/ratio, lmax]; powers lose digits."""
        return cls(tuple(c / lmax ** (k + 1) for k, c in enumerate(_least(degree, ratio))))


@functools.cache
def _least(degree: int, ratio: float) -> tuple[float, ...]:
    """The coefficients for lmax = 1, by the three-term recurrence."""
    centre, half = 0.5 * (1 + 1 / ratio), 0.5 * (1 - 1 / ratio)
    t = Polynomial([0.0, 1.0])
    p = direction = Polynomial([1.0 / centre])
    rho = half / centre
    for _ in range(degree - 1):
        new = 1.0 / (2 * centre / half - rho)
        direction = new * rho * direction + 2 * new / half * (1 - t * p)
        p, rho = p + direction, new
    return tuple(p.coef.tolist())


class Level(NamedTuple):
    """One level of a hierarchy: its matrix, the inverse of its diagonal (None: one), and the way to the next level."""

    A: Any
    scale: Any
    smoother: Chebyshev
    P: Any
    R: Any


@pytree
class Multigrid:
    """A symmetric cycle as an approximate inverse: a V-cycle, or one that visits some coarse levels twice.

    It is positive where the eigenvalues of each coarse cycle times its matrix are below two.
    """

    levels: tuple[Level, ...]
    coarsest: Any  # dense inverse of the last matrix
    twice: int = eqx.field(static=True, default=0)  # so many coarse levels are each visited twice by the one above

    def __call__(self, b):
        """The approximate solution of A x = b."""
        return self._cycle(b, 0)

    def _cycle(self, b, k: int):
        if k == len(self.levels):
            return self.coarsest @ b
        level = self.levels[k]
        x = _smooth(level, b)
        x = gaxpy(level.P, self._corrected(level.R @ gaxpy(level.A, x, b, -1.0), k + 1), x)
        return x + _smooth(level, gaxpy(level.A, x, b, -1.0))

    def _corrected(self, b, k: int):
        y = self._cycle(b, k)
        if k > self.twice or k == len(self.levels):  # the last is solved exactly
            return y
        return y + self._cycle(gaxpy(self.levels[k].A, y, b, -1.0), k)


def _smooth(level: Level, r):
    """The polynomial of the scaled matrix, applied to a residual by Horner's rule."""

    def scaled(v):
        return v if level.scale is None else level.scale * v

    *others, last = level.smoother.coefficients
    x = scaled(last * r)
    for c in reversed(others):
        x = scaled(gaxpy(level.A, x, c * r))
    return x


def aggregation(
    A: Any, near_null: Float[np.ndarray, "n modes"], coarsest: int, *, directed: bool = False
) -> list[csr_matrix]:
    """Prolongations of smoothed aggregation that keep the near-null vectors, down to `coarsest` rows.

    All neighbours count as strongly coupled; `directed`: those that A couples by the evolution measure of Olson,
    Schroder and Tuminaro (doi:10.1002/nla.669), along which alone prolongations are smoothed.

    With a single near-null vector, its coarse versions are ones: the first prolongation takes ones to it, the others
    ones to ones, but for a node without neighbours, which no aggregate holds.
    """
    import pyamg

    if A.shape[0] <= coarsest:
        return []
    strength = ("evolution", {"k": 2, "epsilon": 4.0}) if directed else ("symmetric", {"theta": 0.0})
    if directed:
        A = A.copy()  # the measure drops zeros in place
    drawn = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002  pyamg estimates spectral radii from random vectors: the same in every run
    try:
        solver = pyamg.smoothed_aggregation_solver(
            A, B=near_null, strength=strength, smooth=("jacobi", {"omega": 4.0 / 3.0, "filter_entries": directed}),
            max_coarse=coarsest, improve_candidates=None,
        )  # fmt: skip
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
    prolongations = [csr_matrix(level.P) for level in solver.levels[:-1]]
    if near_null.shape[1] > 1:
        return prolongations
    # pyamg's columns are of norm one, and so its coarse vectors as uneven as its aggregates
    sizes = [np.ones(A.shape[0]), *(level.B[:, 0] for level in solver.levels[1:])]
    return [
        csr_matrix(diags_array(1.0 / fine) @ P @ diags_array(coarse))
        for fine, P, coarse in zip(sizes[:-1], prolongations, sizes[1:], strict=True)
    ]


def largest_eigenvalue(A: Any, scale: Float[np.ndarray, " n"] | None = None) -> float:
    """Largest eigenvalue of a symmetric matrix, or of D^-1 A with `scale` = 1/D, with a margin of 2 %."""
    n = A.shape[0]
    root = np.ones(n) if scale is None else np.sqrt(scale)
    if n < 20:
        return 1.02 * float(np.linalg.eigvalsh(root[:, None] * (A @ np.diag(root))).max())
    scaled = diags_array(root) @ csr_array(A) @ diags_array(root)
    start = np.cos(np.arange(n) * 1.7) + 0.1
    return 1.02 * float(eigsh(scaled, k=1, which="LA", tol=1e-2, v0=start, return_eigenvectors=False, maxiter=500)[0])
