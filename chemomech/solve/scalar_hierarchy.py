"""Smoothed aggregation for scalar matrices a K + w M: built once a mesh, refreshed without a triple product."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from .multigrid import Chebyshev, Level, Multigrid, aggregation, largest_eigenvalue

COARSEST = 200


class _Coarse(NamedTuple):
    """A coarse stiffness and mass on one pattern, and averages of nodal coefficients down to it."""

    K: csr_matrix
    M: csr_matrix
    rows: Int[np.ndarray, " nnz"]
    diagonal: Int[np.ndarray, " n"]
    mean: csr_matrix
    P: csr_matrix
    R: csr_matrix
    lmax: float


class ScalarHierarchy:
    """Coarse levels for a scalar on one mesh.

    Args:
        K: stiffness matrix with unit coefficient.
        M: mass matrix on the same pattern.
        vertices: interpolation from the vertices of a second-order mesh, its first coarse level.
        dtype: precision inside the cycle.
    """

    def __init__(self, K: csr_matrix, M: csr_matrix, vertices: csr_matrix | None = None, dtype: Any = np.float64):
        self.dtype, self.quadratic = np.dtype(dtype), vertices is not None
        self.lmax = _bound(K, M)
        self.diagonal = _diagonal(K)
        self.levels: list[_Coarse] = []
        chain = [vertices] if vertices is not None else []
        below = (K, M) if vertices is None else (_product(vertices, K), _product(vertices, M))
        for P in [*chain, *aggregation(below[0], np.ones((below[0].shape[0], 1)), COARSEST)]:
            K, M = _on_one_pattern(_product(P, K), _product(P, M))
            weights = abs(P).T.tocsr()
            mean = csr_matrix(weights.multiply(1.0 / np.maximum(np.asarray(weights.sum(1)), 1e-300)))
            P = P.astype(self.dtype)
            level = _Coarse(K, M, _rows(K), _diagonal(K), mean, P, P.T.tocsr(), _bound(K, M))
            self.levels.append(level)

    def refresh(self, A: csr_matrix, a: Float[np.ndarray, " n"], w: Float[np.ndarray, " n"]) -> Multigrid:
        """The cycle of an assembled matrix that is about a K + w M, with nodal coefficients a >= 0 and w."""
        degree = 3 if self.quadratic else 2
        made, fine = [], A
        scale = 1.0 / fine.data[self.diagonal]
        smoother = Chebyshev.on(self.lmax, degree)
        for level in self.levels:
            made.append(Level(self._cast(fine), scale.astype(self.dtype), smoother, level.P, level.R))
            a, w = level.mean @ a, level.mean @ w
            fine = _combined(level, a, w)
            scale = 1.0 / fine.data[level.diagonal]
            smoother = Chebyshev.on(level.lmax)
        return Multigrid(tuple(made), np.linalg.inv(fine.toarray()).astype(self.dtype))

    def _cast(self, A: csr_matrix) -> csr_matrix:
        return A if A.dtype == self.dtype else csr_matrix((A.data.astype(self.dtype), A.indices, A.indptr), A.shape)


def between(w: Float[np.ndarray, " n"], i, j) -> Float[np.ndarray, " nnz"]:
    """A nodal coefficient between nodes i and j: its geometric mean, of positive and negative parts apart."""
    root = np.sqrt(np.maximum(w, 0.0))
    out = root[i] * root[j]
    if np.any(w < 0.0):
        root = np.sqrt(np.maximum(-w, 0.0))
        out -= root[i] * root[j]
    return out


def _combined(level: _Coarse, a, w) -> csr_matrix:
    """Stiffness with the mean coefficient of each pair and zero row sums, plus the mass."""
    i, j, K = level.rows, level.K.indices, level.K
    data = 0.5 * K.data * (a[i] + a[j])
    data[level.diagonal] = 0.0
    sums = np.bincount(i, data, len(a))
    data[level.diagonal] = -sums
    data += level.M.data * between(w, i, j)
    return csr_matrix((data, K.indices, K.indptr), K.shape)


def _product(P: csr_matrix, A: csr_matrix) -> csr_matrix:
    out = (P.T @ A @ P).tocsr()
    out.sort_indices()
    return out


def _on_one_pattern(K: csr_matrix, M: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
    """Both matrices with the entries of either."""
    size = K.shape[0]
    keys = [_rows(A).astype(np.int64) * size + A.indices for A in (K, M)]
    union = np.union1d(*keys)
    i, j = np.divmod(union, size)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(i, minlength=size))])
    out = []
    for A, key in zip((K, M), keys, strict=True):
        data = np.zeros(len(union))
        data[np.searchsorted(union, key)] = A.data
        out.append(csr_matrix((data, j.astype(np.int32), indptr.astype(np.int32)), shape=K.shape))
    return out[0], out[1]


def _rows(A: csr_matrix):
    return np.repeat(np.arange(A.shape[0], dtype=np.int32), np.diff(A.indptr))


def _diagonal(A: csr_matrix):
    """Where the diagonal lies in the values."""
    return np.flatnonzero(_rows(A) == A.indices)


def _bound(K: csr_matrix, M: csr_matrix) -> float:
    """Bound of the scaled spectrum of every a K + w M: the larger of the two ends, by the mediant inequality."""
    return max(largest_eigenvalue(A, 1.0 / A.diagonal()) for A in (K, M))
