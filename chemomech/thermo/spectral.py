"""Spectral functions of symmetric 3 x 3 matrices whose derivatives stay finite where eigenvalues meet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SWEEPS = 7  # the last of them change nothing: convergence is quadratic
SAME = 1e-9  # eigenvalues closer than this, relative to the largest, count as one
_GENERIC = (0.8191725134, 0.4613487, 0.3408411)  # perpendicular to no direction that a crystal singles out


@jax.custom_jvp
def eigensystem(A: Float[Array, "3 3"]) -> tuple[Float[Array, "3"], Float[Array, "3 3"]]:
    """Eigenvalues in ascending order, and unit eigenvectors as columns whose signs do not jump.

    d lambda_i = v_i . dA v_i, averaged over eigenvalues that coincide: sorted ones have a kink there, and of two the
    average is the limit of central differences. Eigenvectors are not turned within such a group.
    """
    values, vectors = _sorted(*_jacobi(A))
    return values, vectors * jnp.where(jnp.asarray(_GENERIC) @ vectors < 0, -1.0, 1.0)


@eigensystem.defjvp
def _eigensystem_jvp(primals, tangents):
    (A,), (dA,) = primals, tangents
    values, vectors = eigensystem(A)
    rate = vectors.T @ (0.5 * (dA + dA.T)) @ vectors
    gap = values[None, :] - values[:, None]
    same = jnp.abs(gap) <= SAME * jnp.max(jnp.abs(values))
    slopes = (same @ jnp.diagonal(rate)) / jnp.sum(same, axis=1)
    turn = jnp.where(same, 0.0, rate / jnp.where(same, 1.0, gap))
    return (values, vectors), (slopes, vectors @ turn)


def _jacobi(A: Float[Array, "3 3"]) -> tuple[Float[Array, "3"], Float[Array, "3 3"]]:
    """Eigenvalues and vectors by Jacobi's rotations, three a sweep.

    Plain arithmetic for a whole batch at once: faster than a call of LAPACK for each matrix, on any device.
    """

    def sweep(_, state):
        for p, q, r in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
            state = _rotated(state, p, q, r)
        return state

    sym = 0.5 * (A + A.T)
    diagonal, off = tuple(sym[i, i] for i in range(3)), (sym[1, 2], sym[0, 2], sym[0, 1])
    columns = tuple(jnp.asarray(c, A.dtype) for c in np.eye(3))
    diagonal, _, columns = jax.lax.fori_loop(0, SWEEPS, sweep, (diagonal, off, columns))
    return jnp.stack(diagonal), jnp.stack(columns, axis=1)


def _rotated(state, p: int, q: int, r: int):
    """Turn axes p and q until their entry, kept under the index r of the third axis, vanishes."""
    d, o, v = (list(part) for part in state)
    none = o[r] == 0
    cot = (d[q] - d[p]) / jnp.where(none, 1.0, 2.0 * o[r])  # of twice the angle
    tan = jnp.where(none, 0.0, jnp.where(cot < 0, -1.0, 1.0) / (jnp.abs(cot) + jnp.sqrt(cot**2 + 1.0)))
    cos = 1.0 / jnp.sqrt(tan**2 + 1.0)
    sin = tan * cos
    d[p], d[q], o[r] = d[p] - tan * o[r], d[q] + tan * o[r], jnp.zeros_like(o[r])
    o[q], o[p] = cos * o[q] - sin * o[p], sin * o[q] + cos * o[p]  # entries (r, p) and (r, q)
    v[p], v[q] = cos * v[p] - sin * v[q], sin * v[p] + cos * v[q]
    return tuple(d), tuple(o), tuple(v)


def _sorted(values, vectors):
    columns = [(values[i], vectors[:, i]) for i in range(3)]
    for i, j in ((0, 1), (1, 2), (0, 1)):
        (x, u), (y, v) = columns[i], columns[j]
        swap = x > y
        columns[i] = jnp.where(swap, y, x), jnp.where(swap, v, u)
        columns[j] = jnp.where(swap, x, y), jnp.where(swap, u, v)
    return jnp.stack([c[0] for c in columns]), jnp.stack([c[1] for c in columns], axis=1)


def square_root(C: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """U with U U = C, symmetric and positive; smooth, equal eigenvalues included.

    U = [i1 i3 I + (i1^2 - i2) C - C^2] / (i1 i2 - i3), with i1, i2, i3 the invariants of U, which solve
    i1^2 - 2 i2 = I1,  i2^2 - 2 i1 i3 = I2,  i3^2 = I3  for those of C.
    Source: Hoger, Carlson, Quart. Appl. Math. 42 (1984) 113.
    """
    square = C @ C
    I1 = jnp.trace(C)
    I2, I3 = 0.5 * (I1**2 - jnp.trace(square)), determinant(C)
    roots = jnp.sqrt(jnp.maximum(eigensystem(jax.lax.stop_gradient(C))[0], 0.0))
    i1, i2 = jnp.sum(roots), roots[0] * roots[1] + roots[1] * roots[2] + roots[2] * roots[0]
    i3 = safe_sqrt(I3)
    for _ in range(2):  # two steps of Newton from the root make derivatives up to the third exact
        r1, r2 = i1**2 - 2.0 * i2 - I1, i2**2 - 2.0 * i1 * i3 - I2
        det = safe_denominator(2.0 * (i1 * i2 - i3))
        i1, i2 = i1 - (i2 * r1 + r2) / det, i2 - (i3 * r1 + i1 * r2) / det
    return (i1 * i3 * jnp.eye(3) + (i1**2 - i2) * C - square) / safe_denominator(i1 * i2 - i3)


def cofactor(A: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """cof A, with A^-1 = cof(A)^T / det A."""
    return jnp.stack([jnp.cross(A[1], A[2]), jnp.cross(A[2], A[0]), jnp.cross(A[0], A[1])])


def determinant(A: Float[Array, "3 3"]) -> Float[Array, ""]:
    """det A, written out."""
    return A[0] @ jnp.cross(A[1], A[2])


def inverse(A: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """A^-1 by cofactors; zero where A is singular."""
    det = determinant(A)
    return cofactor(A).T * jnp.where(det == 0, 0.0, 1.0 / safe_denominator(det))


def safe_sqrt(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sqrt(x), with 0 and a zero derivative for x <= 0."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def safe_denominator(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """x, or 1 where it is zero: for quotients whose value is not used there."""
    return jnp.where(x == 0, 1.0, x)


def unit(v: Float[Array, "3"]) -> Float[Array, "3"]:
    """v / |v|, and zero for a zero vector."""
    return v / safe_denominator(safe_sqrt(v @ v))
