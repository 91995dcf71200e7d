"""Growth rate of a small composition wave on a uniform state, driven or at rest."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, AbstractPotential, Host, Local
from ..tensors import Tensor, Vector
from .coherency import curvatures, relaxed_curvature


@eqx.filter_jit
def growth_rate(
    psi: AbstractFreeEnergy, kinetics: Sequence[AbstractPotential], host: Host, c, V, wave: Float[Array, "3"]
) -> Float[Array, ""]:
    """s of a wave exp(s t + i k.x) on uniform composition c at cell voltage V [1/s].

    c_max s = -(k.M.k) g + d(source)/dc + g d(source)/dmu,   g = (f'' + B(n) + k.kappa.k) / c_max

    where M and the source come from the potentials that act on cells (diffusion, depth-averaged reaction). The
    voltage is fixed: a wave of zero mean does not change the total current to first order.

    Args:
        psi: stored energy.
        kinetics: rate potentials on cells.
        host: shared constants.
        c: composition.
        V: cell voltage [V].
        wave: wave vector k [1/m].
    """
    size = jnp.linalg.norm(wave)
    n = wave / jnp.where(size > 0, size, 1.0)
    k = curvatures(psi, c, host)
    g = (relaxed_curvature(k, n) + wave @ k.kappa @ wave) / host.c_max
    mu = potential(psi, host, c)
    M, source_c, source_mu = _linearised(kinetics, host, c, mu, V)
    return (-(wave @ M @ wave) * g + source_c + g * source_mu) / host.c_max


def potential(psi: AbstractFreeEnergy, host: Host, c) -> Float[Array, ""]:
    """Chemical potential of the uniform, stress-free state, (1/c_max) dpsi/dc at zero stress and strain [J/mol]."""

    def uniform(c):
        return psi(_local(host, c, 0.0, jnp.zeros(3), 0.0))

    k = curvatures(psi, c, host)
    slope = jax.grad(lambda c: uniform(c) * 1.0)(jnp.asarray(c, dtype=float))
    # a free body takes the strain that minimises psi, so only the part at fixed zero stress remains
    flat = k.stiffness.reshape(9, 9)
    force = jax.grad(lambda e: psi(_local(host, c, 0.0, jnp.zeros(3), 0.0, e)))(jnp.zeros((3, 3))).ravel()
    relief = k.coupling.ravel() @ jnp.linalg.pinv(flat) @ force
    return (slope - relief) / host.c_max


def _local(host, c, mu, grad_mu, V, H=None) -> Local:
    zero = jnp.zeros(())
    H = jnp.zeros((3, 3)) if H is None else H
    values = {
        "c": c, "grad_c": Vector(zero, zero, zero), "mu": mu, "grad_mu": Vector(*grad_mu), "V": V,
        "H": Tensor(*(H[i, j] for i in range(3) for j in range(3))),
    }  # fmt: skip
    return Local(values, host, Vector(zero, zero, zero), zero, jnp.ones(()))


def _linearised(kinetics, host, c, mu, V):
    """Mobility tensor, and derivatives of the source (insertion per volume) in c and mu, at dt = 1."""

    def density(now, frozen):
        a = _local(host, now[0], now[1], now[2:], V)
        b = _local(host, frozen[0], frozen[1], frozen[2:], V)
        return sum((p.density(a, b, b, b) for p in kinetics), jnp.zeros(()))

    def gradient(state):
        return jax.grad(density)(state, state)

    base = jnp.concatenate([jnp.stack([jnp.asarray(c, float), jnp.asarray(mu, float)]), jnp.zeros(3)])
    J = jax.jacfwd(gradient)(base)
    return -J[2:, 2:], J[1, 0], J[1, 1]


@eqx.filter_jit
def fastest_growth(
    psi, kinetics, host: Host, c, V, directions: Float[Array, "k 3"], sizes: Float[Array, " w"]
) -> Float[Array, ""]:
    """The largest growth rate over wave normals and wave numbers [1/s]."""

    def along(n):
        return jax.vmap(lambda q: growth_rate(psi, kinetics, host, c, V, q * n))(sizes)

    return jnp.max(jax.vmap(along)(directions))


def wave_numbers(smallest: float, largest: float, count: int = 40) -> Float[np.ndarray, " w"]:
    """Logarithmic range of wave numbers, with zero in front [1/m]."""
    return np.concatenate([[smallest * 1e-3], np.geomspace(smallest, largest, count)])
