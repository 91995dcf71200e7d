"""A few steps of an iteration, for what the preconditioner learns of a matrix: no test of convergence."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array, Float

from . import dense
from .operators import namespace, repeat

Vector = Float[Array, " N"]


def conjugate_gradients(A: Any, b: Vector, x: Vector, precondition: Any, steps: Any) -> Vector:
    """A few steps of preconditioned conjugate gradients for A x = b."""
    xp = namespace(b)

    def step(carry):
        x, r, p, old = carry
        z = precondition(r)
        new = r @ z
        p = z + (xp.maximum(new, 0.0) / old) * p
        q = A @ p
        good = (new > 0.0) & (p @ q > 0.0)  # else a direction of negative curvature: stay
        length = xp.where(good, new, 0.0) / xp.where(good, p @ q, 1.0)
        return x + length * p, r - length * q, p, xp.where(good, new, old)

    return repeat(steps, step, (x, b - A @ x, xp.zeros_like(b), xp.ones(())))[0]


def lowest_eigenpair(A: Any, M: Any, precondition: Any, x: Vector, steps: Any) -> tuple[Any, Vector]:
    """A few steps of LOBPCG with one vector for A x = lambda M x; one product with each matrix a step."""
    xp = namespace(x)

    def step(carry):
        value, v, p = carry
        w = precondition(v[1] - value * v[2])
        basis = [v, _normalised(xp.stack([w, A @ w, M @ w])), _normalised(p)]
        a, m = (xp.array([[left[0] @ right[k] for right in basis] for left in basis]) for k in (1, 2))
        size, directions = dense.eigh(0.5 * (m + m.T))
        good = size > 1e-10
        kept = directions * xp.where(good, 1.0 / xp.sqrt(xp.where(good, size, 1.0)), 0.0)
        small = kept.T @ (0.5 * (a + a.T)) @ kept
        values, vectors = dense.eigh(small + xp.diag(xp.where(good, 0.0, 1.0 + 2.0 * xp.sum(xp.abs(small)))))
        y = kept @ vectors[:, 0]
        p = y[1] * basis[1] + y[2] * basis[2]
        return values[0], _normalised(y[0] * v + p), p

    v = _normalised(xp.stack([x, A @ x, M @ x]))  # rows: vector, A times it, M times it
    value, v, _ = repeat(steps, step, (v[0] @ v[1], v, xp.zeros_like(v)))
    return value, v[0]


def _normalised(v):
    xp = namespace(v)
    return v / xp.maximum(xp.sqrt(v[0] @ v[2]), 1e-300)
