"""Strain wells: the shapes that a uniform body takes by itself where its energy need not be quadratic in strain."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..density import AbstractFreeEnergy, Host, Scalar
from ..errors import ConfigError
from ..physics import checks
from . import landscape, roots
from .coherency import symmetric_tensor, uniform_energy

STEPS = 24  # of each descent; Newton's steps double the digits once a well is near
SAME = 2e-4  # of the strain of the starts: wells closer together are one. What is flat to fourth order is found to less
ROUND_OFF = 1e-13  # of an energy over the largest stiffness
NEUTRAL = 1e-9  # curvature over the largest stiffness that counts as none
TWIST = (0.13, -0.07, 0.05, 0.03, -0.09, 0.11)  # moves every start off the planes of symmetry, where saddles wait
COMPONENTS = {2: (0, 1, 5), 3: (0, 1, 2, 3, 4, 5)}  # of xx, yy, zz, yz, xz, xy


class Wells(eqx.Module):
    """Minima of an energy over homogeneous stretches, one a start; `exists` marks each of them once.

    U: right stretch, in crystal axes [1]; energy: psi(U) - psi(undeformed) [J/m^3]; exists: whether the entry is a
    minimum that no earlier entry has; stable: whether the undeformed shape withstands every small strain.
    """

    U: Float[Array, "k 3 3"]
    energy: Float[Array, " k"]
    exists: Bool[Array, " k"]
    stable: Bool[Array, ""]


def strain_wells(
    psi: AbstractFreeEnergy, host: Host, c: Scalar, dim: int = 2, size: float = 0.05, reach: float = 0.5
) -> Wells:
    """All stretches U at which psi(c, U) has a minimum: dpsi/dU = 0, no direction along which psi falls

    Descents from the undeformed state and from dilations, deviators and shears of both signs, each a Newton method
    that turns back where the energy would rise. Derivatives are those of the implicit function. Along a strain that
    costs nothing they are 0, and each start may find a well of its own. A well that a phase transformation has just
    made, flat to fourth order, is found to about 1e-4 of `size`.

    Args:
        psi: stored energy.
        host: shared constants.
        c: composition [1].
        dim: 2: strains in the plane xy, none out of it; 3: all six.
        size: strain of the starts; wells closer together may be missed [1].
        reach: largest component of U - I that is looked at [1].

    Raises:
        ConfigError: dim is neither 2 nor 3, size or reach is not positive, c is no number, a parameter of psi is NaN.
    """
    if dim not in COMPONENTS:
        raise ConfigError(f"dim = {dim}: wells are looked for in the plane, dim=2, or in space, dim=3.")
    checks.positive(size, "size", "1")
    checks.positive(reach, "reach", "1")
    if np.ndim(c):
        raise ConfigError(f"c has shape {np.shape(c)}: wells are those of one composition. Batches by jax.vmap.")
    landscape.require_number(c, "c", "1")
    landscape.require_numbers(psi)
    return _wells(psi, host, c, dim, size, reach)


@landscape.compiled
def _wells(psi: AbstractFreeEnergy, host: Host, c: Scalar, dim: int, size: Scalar, reach: Scalar) -> Wells:
    kept, c = jnp.asarray(COMPONENTS[dim]), jnp.asarray(c, dtype=float)
    none = jnp.zeros(len(kept))

    def strain(x):
        return symmetric_tensor(jnp.zeros(6).at[kept].set(x))

    def stored(x):
        return uniform_energy(psi, host, c, jnp.zeros(3), strain(x))

    stiffness = _derivatives(stored, none)[2]
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(stiffness)))
    scale = jnp.where(largest > 0, largest, 1.0)

    def energy(x):
        return (stored(x) - stored(none)) / scale

    def well(start):
        x = _settled(energy, start, size, reach)
        _, slope, curvature = _derivatives(energy, jax.lax.stop_gradient(x))
        inside = (jnp.max(jnp.abs(x)) < reach) & (jnp.max(jnp.abs(slope)) < NEUTRAL)
        return x, inside & _holds(curvature)

    x, found = jax.vmap(well)(size * jnp.asarray(_starts(dim)))
    apart = jnp.max(jnp.abs(x[:, None] - x[None]), axis=-1)
    seen = jnp.any(jnp.tril(apart < SAME * size, -1) & found[None], axis=1)
    U = jnp.eye(3) + jax.vmap(strain)(x)
    return Wells(U, scale * jax.vmap(energy)(x), found & ~seen, _holds(stiffness / scale))


def _starts(dim: int) -> Float[np.ndarray, "k n"]:
    """No strain, deviators, dilations and shears of both signs."""
    normal = np.concatenate([np.eye(dim)[: 2 * dim - 3] - 1.0 / dim, np.full((1, dim), 1.0 / dim)])
    shears = len(COMPONENTS[dim]) - dim
    ways = np.zeros((len(normal) + shears, dim + shears))
    ways[: len(normal), :dim], ways[len(normal) :, dim:] = normal, np.eye(shears)
    return np.concatenate([np.zeros((1, dim + shears)), ways, -ways]) + 0.1 * np.asarray(TWIST)[list(COMPONENTS[dim])]


def _derivatives(f, x):
    """f, its gradient and its Hessian."""
    (value, slope), (_, curvature) = roots.linearised(lambda x: roots.linearised(f, x), x)
    return value, slope, curvature


def _settled(energy, start: Float[Array, " n"], size: Scalar, reach: Scalar) -> Float[Array, " n"]:
    """The minimum into which a start falls."""

    def solve(_, x):
        def step(_, state):
            x, radius, value, slope, curvature = state
            move, _ = _eliminated(curvature, slope, lambda pivot: 1.0 / jnp.maximum(jnp.abs(pivot), NEUTRAL))
            length = jnp.max(jnp.abs(move))
            to = jnp.clip(x - move * jnp.minimum(1.0, radius / jnp.maximum(length, radius)), -reach, reach)
            there = _derivatives(energy, to)
            noise = ROUND_OFF * (1.0 + jnp.abs(value))
            nearer = jnp.max(jnp.abs(there[1])) < jnp.max(jnp.abs(slope))
            falls = (there[0] < value - noise) | ((there[0] <= value + noise) & nearer)
            now = [jnp.where(falls, a, b) for a, b in zip((to, *there), (x, value, slope, curvature), strict=True)]
            return now[0], radius * jnp.where(falls, 2.0, 0.25), *now[1:]

        return jax.lax.fori_loop(0, STEPS, step, (x, jnp.asarray(size, float), *_derivatives(energy, x)))[0]

    def tangent(g, y):
        return _eliminated(jax.jacfwd(g)(jnp.zeros_like(y)), y, _inverse_or_none)[0]

    return jax.lax.custom_root(lambda x: roots.linearised(energy, x)[1], start, solve, tangent)


def _inverse_or_none(pivot: Scalar) -> Scalar:
    neutral = jnp.abs(pivot) < NEUTRAL
    return jnp.where(neutral, 0.0, 1.0 / jnp.where(neutral, 1.0, pivot))


def _holds(curvature: Float[Array, "n n"]) -> Bool[Array, ""]:
    """Whether no direction falls: by Sylvester, no pivot is negative."""
    return jnp.all(_eliminated(curvature, curvature[0], lambda pivot: pivot)[1] > -NEUTRAL)


def _eliminated(
    A: Float[Array, "n n"], b: Float[Array, " n"], inverse: Callable[[Scalar], Scalar]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """L^-T inverse(D) L^-1 b of A = L D L^T, and the pivots D; what is neutral stands alone."""
    n, columns, pivots = len(b), [], []
    for k in range(n):
        column = A[:, k] * _inverse_or_none(A[k, k])
        pivots.append(A[k, k])
        columns.append(column)
        A, b = A - column[:, None] * A[k], b.at[k + 1 :].add(-column[k + 1 :] * b[k])
    D = jnp.stack(pivots)
    x = b * inverse(D)
    for k in reversed(range(n - 1)):
        x = x.at[k].add(-columns[k][k + 1 :] @ x[k + 1 :])
    return x, D
