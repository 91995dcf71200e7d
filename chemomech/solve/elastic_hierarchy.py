"""Smoothed aggregation with rigid motions for the elastic block, set up once while the stiffness holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.sparse import bsr_matrix, csr_matrix, identity, kron

from .host_matrix import HostMatrix
from .multigrid import Chebyshev, Level, Multigrid, aggregation, largest_eigenvalue

COARSEST = 300
LENGTH = 1.2  # a cycle leaves u too stiff; longer, the error has both signs and c feels less of it


class ScaledCycle(NamedTuple):
    """A cycle in y = L^T x, L the Cholesky factor of the diagonal blocks: there every diagonal block is one."""

    inverse: Any  # L^-1
    transposed: Any  # L^-T
    cycle: Multigrid
    length: float  # of the step

    def __call__(self, b):
        """The approximate solution of A x = b."""
        return self.transposed @ (self.length * self.cycle(self.inverse @ b))


class ElasticHierarchy:
    """Prolongations for an elastic matrix with node blocks; `refresh` makes the cycle of a matrix.

    Args:
        A: elastic matrix, unknowns node by node.
        near_null: rigid motions, (nodes, dim, modes).
        vertices: interpolation from the vertices of a second-order mesh, its first coarse level.
        dtype: precision inside the cycle.
        degree: of the smoothing polynomial.
        ratio: of the part of the spectrum that is smoothed.
    """

    def __init__(
        self, A: csr_matrix, near_null: Float[np.ndarray, "nodes dim modes"], vertices: csr_matrix | None = None,
        dtype: Any = np.float64, degree: int = 2, ratio: float = 8.0,
    ):  # fmt: skip
        _, dim, modes = near_null.shape
        self.dtype, self.ratio = np.dtype(dtype), ratio
        self.prolongations, self.blocks, self.degrees = [], [dim], []
        B = near_null.reshape(-1, modes)
        if vertices is not None:
            P = csr_matrix(kron(vertices, identity(dim)))
            self.prolongations.append(P)
            self.blocks.append(dim)
            self.degrees.append(degree + 1)
            kept = np.asarray(vertices.argmax(axis=0)).ravel()  # the node at which each vertex has weight one
            A, B = csr_matrix(P.T @ A @ P), near_null[kept].reshape(-1, modes)
        for P in aggregation(bsr_matrix(A, blocksize=(dim, dim)), B, COARSEST):
            self.prolongations.append(P)
            self.blocks.append(modes)
            self.degrees.append(degree)
        self.twice = len(self.prolongations) if dim == 2 else 0  # coarse levels cost little in the plane

    def refresh(self, A: csr_matrix) -> ScaledCycle:
        """The cycle of a matrix: Galerkin products down the levels."""
        factor, inverse = _block_cholesky(A, self.blocks[0])
        first, levels = inverse, []
        for k, P in enumerate(self.prolongations):
            scaled = csr_matrix(inverse @ A @ inverse.T)
            A = csr_matrix(P.T @ A @ P)
            below = _block_cholesky(A, self.blocks[k + 1]) if k + 1 < len(self.prolongations) else None
            Q = csr_matrix(factor.T @ P if below is None else factor.T @ P @ below[1].T)
            shape = (self.blocks[k], self.blocks[k + 1])
            smoother = Chebyshev.on(largest_eigenvalue(scaled), self.degrees[k], self.ratio)
            parts = self._blocked(scaled, shape[:1] * 2), self._blocked(Q, shape), self._blocked(Q.T, shape[::-1])
            levels.append(Level(parts[0], None, smoother, *parts[1:]))
            factor, inverse = below or (None, None)
        if not levels:  # small enough for its inverse
            A = csr_matrix(first @ A @ first.T)
        length = LENGTH if levels else 1.0
        coarsest = np.linalg.inv(A.toarray()).astype(self.dtype)
        square = (self.blocks[0],) * 2
        cycle = Multigrid(tuple(levels), coarsest, self.twice)
        return ScaledCycle(self._blocked(first, square), self._blocked(first.T, square), cycle, length)

    def _blocked(self, A: Any, shape: tuple[int, int]) -> HostMatrix:
        return HostMatrix(bsr_matrix(csr_matrix(A), blocksize=shape).astype(self.dtype))


def _block_cholesky(A: csr_matrix, size: int) -> tuple[bsr_matrix, bsr_matrix]:
    """The block-diagonal L of the Cholesky factors of A's diagonal blocks, and its inverse."""
    blocked = bsr_matrix(A, blocksize=(size, size))
    n = len(blocked.indptr) - 1
    rows = np.repeat(np.arange(n), np.diff(blocked.indptr))
    L = np.linalg.cholesky(blocked.data[rows == blocked.indices])
    where = (np.arange(n), np.arange(n + 1))
    return bsr_matrix((L, *where), A.shape), bsr_matrix((np.linalg.inv(L), *where), A.shape)
