"""Preconditioned conjugate gradients on the host, for symmetric definite systems."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from .gmres import Operator


def pcg(
    apply: Operator, precondition: Operator, b: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], *,
    rtol: float, max_iterations: int,
) -> tuple[Float[np.ndarray, " n"], int, float]:  # fmt: skip
    """Solve A x = b from zero; A and the preconditioner are symmetric and definite.

    The flexible form (Notay, SIAM J. Sci. Comput. 22 (2000) 1444) bears a preconditioner in single precision.

    Args:
        apply: A x.
        precondition: an approximation of A^-1 x.
        b: right-hand side.
        weights: of the rows, in the norm that is tested.
        rtol: stop at |w (b - A x)| <= rtol |w b|.
        max_iterations: stop at the latest then, and where a direction shows that A is not definite.

    Returns:
        x, the number of iterations, and the relative residual reached.
    """
    x, r = np.zeros_like(b), b.copy()
    norm = size = _norm(weights * b)
    if norm == 0.0:
        return x, 0, 0.0
    p, before, old, k = np.zeros_like(b), np.zeros_like(b), 1.0, 0
    while k < max_iterations:
        k += 1
        z = precondition(r)
        rho = _dot(r, z)
        p = z + (_dot(r - before, z) / old) * p
        image = apply(p)
        curvature = _dot(p, image)
        if not (curvature > 0.0 and rho > 0.0):
            size = size if np.isfinite(curvature) else np.nan
            break
        before = r
        x = x + (rho / curvature) * p
        r = r - (rho / curvature) * image
        old, size = rho, _norm(weights * r)
        if not size > rtol * norm:
            break
    return x, k, size / norm


def _dot(a, b) -> float:
    return float(np.einsum("n,n->", a, b))


def _norm(v) -> float:
    return float(np.sqrt(_dot(v, v)))
