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
from .coherency import Curvatures, curvatures, relaxed_curvature, stress_free


class Linearisation(eqx.Module):
    """A uniform state's response: second derivatives of the energy, mobility, and slopes of the source.

    The source is the insertion per volume of depth-averaged reactions [mol/(m^3 s)].
    """

    energy: Curvatures
    mobility: Float[Array, "3 3"]  # [mol^2/(J m s)]
    source_c: Float[Array, ""]  # [mol/(m^3 s)]
    source_mu: Float[Array, ""]  # [mol^2/(J m^3 s)]
    c_max: Float[Array, ""]  # [mol/m^3]


def linearise(psi: AbstractFreeEnergy, kinetics: Sequence[AbstractPotential], host: Host, c, V) -> Linearisation:
    """Differentiate energy and rate terms at uniform composition c and cell voltage V [V], stress-free.

    Args:
        psi: stored energy.
        kinetics: rate potentials that act on cells (diffusion, depth-averaged reaction).
        host: shared constants.
        c: composition.
        V: cell voltage [V].
    """
    k = curvatures(psi, c, host)
    mu = potential(psi, host, c)
    return Linearisation(k, *_linearised(kinetics, host, c, mu, V), host.c_max)


def growth(state: Linearisation, wave: Float[Array, "3"]) -> Float[Array, ""]:
    """s of a wave exp(s t + i k.x) on a uniform state, its strain relaxed [1/s].

    c_max s = -(k.M.k) g + d(source)/dc + g d(source)/dmu,   g = (f'' + B(n) + k.kappa.k) / c_max

    The voltage is fixed: a wave of zero mean does not change the total current to first order.

    Args:
        state: from `linearise`.
        wave: wave vector k [1/m].
    """
    size = jnp.linalg.norm(wave)
    n = wave / jnp.where(size > 0, size, 1.0)
    g = (relaxed_curvature(state.energy, n) + wave @ state.energy.kappa @ wave) / state.c_max
    return (-(wave @ state.mobility @ wave) * g + state.source_c + g * state.source_mu) / state.c_max


@eqx.filter_jit
def growth_rate(psi, kinetics, host: Host, c, V, wave: Float[Array, "3"]) -> Float[Array, ""]:
    """`growth` of one wave on the uniform state (c, V) [1/s]."""
    return growth(linearise(psi, kinetics, host, c, V), jnp.asarray(wave, float))


def potential(psi: AbstractFreeEnergy, host: Host, c) -> Float[Array, ""]:
    """Chemical potential of the uniform, stress-free state, (1/c_max) dpsi/dc [J/mol]."""
    zero, H = jnp.zeros(()), stress_free(psi, c, host)

    def energy(c):
        return psi(_local(host, c, zero, jnp.zeros(3), zero, H))

    return jax.grad(energy)(jnp.asarray(c, dtype=float)) / host.c_max


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
def fastest_growth(psi, kinetics, host: Host, c, V, directions: Float[Array, "k 3"], sizes: Float[Array, " w"]):
    """The largest growth rate over wave normals and wave numbers [1/s]."""
    state = linearise(psi, kinetics, host, c, V)
    waves = (directions[:, None, :] * sizes[None, :, None]).reshape(-1, 3)
    return jnp.max(jax.vmap(lambda wave: growth(state, wave))(waves))


def wave_numbers(smallest: float, largest: float, count: int = 40) -> Float[np.ndarray, " w"]:
    """Logarithmic range of wave numbers, with zero in front [1/m]."""
    return np.concatenate([[smallest * 1e-3], np.geomspace(smallest, largest, count)])
