"""Flexible GMRES on the host: right-preconditioned, so the residual that it reduces is the true one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .dense_rows import combination, row_products

Operator = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]


def fgmres(
    apply: Operator, precondition: Operator, b: Float[np.ndarray, " n"], *, rtol: float, max_iterations: int
) -> tuple[Float[np.ndarray, " n"], int, float]:
    """Solve A x = b from zero, without restart.

    Args:
        apply: A x.
        precondition: an approximation of A^-1 x.
        b: right-hand side.
        rtol: stop at |b - A x| <= rtol |b|.
        max_iterations: stop at the latest then.

    Returns:
        x, the number of iterations, and the relative residual reached.
    """
    norm = _norm(b)
    if norm == 0.0:
        return np.zeros_like(b), 0, 0.0
    basis = np.empty((max_iterations + 1, len(b)))
    basis[0] = b / norm
    images: list[Float[np.ndarray, " n"]] = []
    H = np.zeros((max_iterations + 1, max_iterations))
    rotations: list[tuple[float, float]] = []
    g = np.zeros(max_iterations + 1)
    g[0] = norm
    k = 0
    for k in range(1, max_iterations + 1):
        images.append(precondition(basis[k - 1]))
        w, H[:k, k - 1] = _orthogonalised(apply(images[-1]), basis[:k])
        H[k, k - 1] = _norm(w)
        breakdown = H[k, k - 1] == 0.0
        basis[k] = w if breakdown else w / H[k, k - 1]
        _rotate(H, g, rotations, k - 1)
        if abs(g[k]) <= rtol * norm or breakdown or not np.isfinite(g[k]):
            break
    y = np.linalg.solve(np.triu(H[:k, :k]), g[:k]) if np.all(np.isfinite(H[:k, :k])) else np.zeros(k)
    x = combination(y, np.array(images))
    return x, k, abs(float(g[k])) / norm


def _orthogonalised(w, basis):
    """w without its part in the span of the basis, and the coefficients; twice is enough for full orthogonality."""
    first = row_products(basis, w)
    size, w = _norm(w), w - combination(first, basis)
    if _norm(w) > 0.7 * size:  # little was lost to cancellation
        return w, first
    second = row_products(basis, w)
    return w - combination(second, basis), first + second


def _norm(v) -> float:
    return float(np.sqrt(np.einsum("n,n->", v, v)))


def _rotate(H, g, rotations, j):
    for i, (c, s) in enumerate(rotations):
        H[i, j], H[i + 1, j] = c * H[i, j] + s * H[i + 1, j], -s * H[i, j] + c * H[i + 1, j]
    r = float(np.hypot(H[j, j], H[j + 1, j])) or 1.0
    c, s = H[j, j] / r, H[j + 1, j] / r
    rotations.append((c, s))
    H[j, j], H[j + 1, j] = r, 0.0
    g[j], g[j + 1] = c * g[j], -s * g[j]
