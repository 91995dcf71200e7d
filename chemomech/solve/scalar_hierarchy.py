"""Smoothed aggregation for scalar matrices a K + w M: built once a mesh, refreshed without a triple product."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from scipy.sparse import csr_matrix

from . import dense
from .host_matrix import HostMatrix
from .multigrid import Chebyshev, Level, Multigrid, aggregation, largest_eigenvalue
from .operators import Pattern, namespace, pytree, replaced

COARSEST = 200
TWICE = 1  # coarse levels visited twice: fewer iterations on fine meshes; a second one brought no more on P1 meshes
Values = tuple[Any, ...]  # of the matrix of each level but the last, and the inverse of the last


@pytree
class _Coarse:
    """A coarse stiffness and mass on one pattern, and averages of nodal coefficients down to it."""

    pattern: Any
    K: Float[Array, " nnz"]  # off the diagonal
    M: Float[Array, " nnz"]
    mean: Any
    P: Any
    R: Any
    lmax: float


@pytree
class ScalarHierarchy:
    """Coarse levels for a scalar on one mesh; `values` go with a matrix, `cycle` is its approximate inverse."""

    pattern: Any
    levels: tuple[_Coarse, ...]
    lmax: float
    degree: int = eqx.field(static=True)
    dtype: str = eqx.field(static=True)

    @classmethod
    def of(
        cls, pattern: Pattern, K: csr_matrix, M: csr_matrix, vertices: csr_matrix | None = None, dtype: str = "float64",
        *, directed: bool = False,
    ) -> ScalarHierarchy:  # fmt: skip
        """Set up on the host.

        Args:
            pattern: of both matrices.
            K: stiffness matrix with unit coefficient, or of the directions of a tensor.
            M: mass matrix.
            vertices: interpolation from the vertices of a second-order mesh, its first coarse level.
            dtype: precision inside the cycle.
            directed: K couples much more in some directions, along which alone nodes are put together.
        """
        lmax, levels = _bound(K, M), []
        chain = [vertices] if vertices is not None else []
        first = K if vertices is None else _product(vertices, K)
        for P in [*chain, *aggregation(first, np.ones((first.shape[0], 1)), COARSEST, directed=directed)]:
            K, M = _on_one_pattern(_product(P, K), _product(P, M))
            weights = abs(P).T.tocsr()
            mean = csr_matrix(weights.multiply(1.0 / np.maximum(np.asarray(weights.sum(1)), 1e-300)))
            P, below = csr_matrix(P.astype(dtype)), Pattern.of(K)
            beside = replaced(K.data, below.diagonal, 0.0)
            down, up = HostMatrix(P.T.tocsr()), HostMatrix(P)
            levels.append(_Coarse(below, beside, M.data, HostMatrix(mean), up, down, _bound(K, M)))
        return cls(pattern, tuple(levels), lmax, 2 if vertices is None else 3, dtype)

    def values(self, data: Float[Array, " nnz"], a: Float[Array, " n"], w: Float[Array, " n"]) -> Values:
        """Of an assembled matrix that is about a K + w M, with nodal coefficients a >= 0 and w."""
        out = []
        for level in self.levels:
            out.append(data.astype(self.dtype))
            a, w = level.mean @ a, level.mean @ w
            data = _combined(level, a, w)
        last = self.levels[-1].pattern if self.levels else self.pattern
        return (*out, dense.inv(last.dense(data)).astype(self.dtype))

    def blank(self) -> Values:
        """Zeros in the place of values."""
        patterns = [self.pattern, *(level.pattern for level in self.levels)]
        sizes = [*(len(p.indices) for p in patterns[:-1]), patterns[-1].shape]
        return tuple(np.zeros(size, self.dtype) for size in sizes)

    def cycle(self, values: Values) -> Multigrid:
        """The cycle of a matrix."""
        made, pattern, smoother = [], self.pattern, Chebyshev.on(self.lmax, self.degree)
        for level, data in zip(self.levels, values[:-1], strict=True):
            A, scale = pattern.matrix(data), 1.0 / data[pattern.diagonal]
            made.append(Level(A, scale, smoother, level.P, level.R))
            pattern, smoother = level.pattern, Chebyshev.on(level.lmax)
        return Multigrid(tuple(made), values[-1], TWICE)


def directions(K: csr_matrix, D: csr_matrix, mean: csr_matrix) -> csr_matrix:
    """The stiffness D of a tensor over the tensor's mean around either node, with zero row sums; K where that is zero.

    Args:
        K: stiffness with unit coefficient.
        D: with the tensor.
        mean: with its mean for each direction; all three on one pattern.
    """
    pattern = Pattern.of(K)
    unit = K.diagonal()  # zero at nodes that hold no lithium
    a = np.maximum(mean.diagonal() / np.where(unit > 0.0, unit, 1.0), 0.0)
    share = between(a, pattern.rows, K.indices)
    moves = share > 1e-12 * np.max(a)
    data = replaced(np.where(moves, D.data / np.where(moves, share, 1.0), K.data), pattern.diagonal, 0.0)
    return pattern.scipy(replaced(data, pattern.diagonal, -(pattern.scipy(data) @ np.ones(len(a)))))


def anisotropy(K: csr_matrix, D: csr_matrix) -> float:
    """How far the off-diagonal entries of D are from those of the stiffness K, over their size."""
    beside = K.indices != Pattern.of(K).rows
    return float(np.linalg.norm((D.data - K.data)[beside]) / np.linalg.norm(K.data[beside]))


def between(w: Float[Array, " n"], i, j) -> Float[Array, " nnz"]:
    """A nodal coefficient between nodes i and j: its geometric mean, of positive and negative parts apart."""
    xp = namespace(w)
    root = xp.sqrt(xp.maximum(w, 0.0))
    out = root[i] * root[j]
    if xp is np and np.all(w >= 0.0):
        return out
    root = xp.sqrt(xp.maximum(-w, 0.0))
    return out - root[i] * root[j]


def _combined(level: _Coarse, a, w) -> Float[Array, " nnz"]:
    """Stiffness with the mean coefficient of each pair and zero row sums, plus the mass."""
    p = level.pattern
    data = 0.5 * level.K * (a[p.rows] + a[p.indices])
    sums = p.matrix(data) @ namespace(a).ones_like(a)
    return replaced(data, p.diagonal, -sums) + level.M * between(w, p.rows, p.indices)


def _product(P: csr_matrix, A: csr_matrix) -> csr_matrix:
    out = (P.T @ A @ P).tocsr()
    out.sort_indices()
    return out


def _on_one_pattern(K: csr_matrix, M: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
    """Both matrices with the entries of either."""
    size = K.shape[0]
    keys = [Pattern.of(A).rows.astype(np.int64) * size + A.indices for A in (K, M)]
    union = np.union1d(*keys)
    i, j = np.divmod(union, size)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(i, minlength=size))])
    out = []
    for A, key in zip((K, M), keys, strict=True):
        data = np.zeros(len(union))
        data[np.searchsorted(union, key)] = A.data
        out.append(csr_matrix((data, j.astype(np.int32), indptr.astype(np.int32)), shape=K.shape))
    return out[0], out[1]


def _bound(K: csr_matrix, M: csr_matrix) -> float:
    """Bound of the scaled spectrum of every a K + w M: the larger of the two ends, by the mediant inequality.

    A row of K is zero where a part of the mesh that touches no other has shrunk to one node; M alone counts there.
    """
    ends = []
    for A in (K, M):
        diagonal = A.diagonal()
        full = diagonal > np.finfo(float).eps * diagonal.max()
        ends.append(largest_eigenvalue(A[full][:, full], 1.0 / diagonal[full]))
    return max(ends)
