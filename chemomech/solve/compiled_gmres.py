"""GMRES as one compiled loop, right-preconditioned, for one system or for many side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import dense

CHUNK = 10  # basis vectors that are taken together

Vector = Float[Array, " n"]


class _Arnoldi(NamedTuple):
    """The basis so far, Q and R of its Hessenberg matrix, and how far the residual has come."""

    k: Any  # iterations of the loop, the same for all members
    V: Float[Array, "chunks chunk n"]
    Z: Float[Array, "chunks chunk n"] | None  # what the preconditioner made of it
    Q: Float[Array, "m1 m1"]
    R: Float[Array, "m m1"]  # by columns
    taken: Any  # iterations of this system
    running: Any


def gmres(
    apply: Callable[[Vector], Vector], precondition: Callable[[Vector], Vector], b: Vector, *, rtol: Any,
    max_iterations: int, members: str | None = None, flexible: bool = False,
) -> tuple[Vector, Any, Any]:  # fmt: skip
    """Solve A x = b from zero, without restart.

    Args:
        apply: A x.
        precondition: an approximation of A^-1 x, linear unless `flexible`.
        b: right-hand side.
        rtol: stop at |b - A x| <= rtol |b|.
        max_iterations: stop at the latest then.
        members: name of the axis over which this is mapped: all go on until the last has ended, none is copied.
        flexible: keep what the preconditioner made of each vector, for one in single precision: it is linear only to
            round-off, which the residual would not show.

    Returns:
        x, the number of iterations, and the relative residual reached.
    """
    m = -(-(max_iterations + 1) // CHUNK) * CHUNK
    norm = jnp.linalg.norm(b)
    V = jnp.zeros((m // CHUNK, CHUNK, len(b))).at[0, 0].set(b / jnp.where(norm > 0, norm, 1.0))
    start = _Arnoldi(0, V, jnp.zeros_like(V) if flexible else None, jnp.eye(m), jnp.eye(m), 0, norm > 0)

    def going(s: _Arnoldi):
        some = s.running if members is None else jax.lax.pmax(s.running.astype(jnp.int32), members) > 0
        return (s.k < max_iterations) & some

    def step(s: _Arnoldi) -> _Arnoldi:
        k, used = s.k, s.k // CHUNK + 1
        z = precondition(s.V[k // CHUNK, k % CHUNK])
        Z = None if s.Z is None else s.Z.at[k // CHUNK, k % CHUNK].set(z)
        w, h = _orthogonalised(apply(z), s.V, used)
        size = jnp.linalg.norm(w)
        V = s.V.at[(k + 1) // CHUNK, (k + 1) % CHUNK].set(w / jnp.where(size > 0, size, 1.0))
        column = s.Q @ h.at[k + 1].set(size)
        length = jnp.hypot(column[k], column[k + 1])
        c, t = (jnp.where(length > 0, v / jnp.where(length > 0, length, 1.0), e) for v, e in
                ((column[k], 1.0), (column[k + 1], 0.0)))  # fmt: skip
        Q = s.Q.at[k].set(c * s.Q[k] + t * s.Q[k + 1]).at[k + 1].set(c * s.Q[k + 1] - t * s.Q[k])
        R = s.R.at[k].set(jnp.where(jnp.arange(m) < k, column, 0.0).at[k].set(jnp.where(length > 0, length, 1.0)))
        left = jnp.abs(Q[k + 1, 0])
        goes_on = (left > rtol) & (size > 0) & jnp.isfinite(left)
        Q, R = (jnp.where(s.running, new, old) for new, old in ((Q, s.Q), (R, s.R)))
        return _Arnoldi(k + 1, V, Z, Q, R, s.taken + s.running, s.running & goes_on)

    s = jax.lax.while_loop(going, step, start)
    g = jnp.where(jnp.arange(m) < s.taken, s.Q[:, 0], 0.0)
    y = norm * dense.solve_triangular(s.R.T, g)
    used = s.k // CHUNK + 1
    x = precondition(_combined(y, s.V, used)) if s.Z is None else _combined(y, s.Z, used)
    return x, s.taken, jnp.where(norm > 0, jnp.abs(s.Q[s.taken, 0]), 0.0)


def _orthogonalised(w, V, used):
    """w without its part in the span of the basis, and the coefficients; twice where much was lost."""
    first = _products(w, V, used)
    rest = w - _combined(first, V, used)

    def again():
        second = _products(rest, V, used)
        return rest - _combined(second, V, used), first + second

    return jax.lax.cond(jnp.linalg.norm(rest) > 0.7 * jnp.linalg.norm(w), lambda: (rest, first), again)


def _products(w, V, used):
    """V w, of the chunks in use."""
    out = jnp.zeros(V.shape[:2])
    return jax.lax.fori_loop(0, used, lambda i, h: h.at[i].set(V[i] @ w), out).ravel()


def _combined(y, V, used):
    """V^T y, of the chunks in use."""
    y = y.reshape(V.shape[:2])
    return jax.lax.fori_loop(0, used, lambda i, x: x + y[i] @ V[i], jnp.zeros(V.shape[2]))
