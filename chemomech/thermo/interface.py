"""Flat interfaces, and the sizes below which a body stays uniform."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, Host, Scalar
from ..physics import checks
from ..units import quantities
from . import landscape
from .coherency import curvatures
from .phase_diagram import MOST, Span, barrier, gaps
from .relaxed import check_direction

NODES = 96  # of the quadrature through an interface

# k R of the longest waves that a free surface allows: cos through a slab of width pi, the first maximum of J1 across a
# cylinder and of j1 across a sphere; and of the radially symmetric waves, which need larger bodies.
SLAB, CYLINDER, SPHERE = np.pi, 1.8411837813406593, 2.0815759778181006
RADIAL_CYLINDER, RADIAL_SPHERE = 3.8317059702075125, 4.493409457909064


class Interface(eqx.Module):
    """A flat interface at equilibrium: its phases [1], energy [J/m^2] and width (high - low)/max|c'| [m]."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    energy: Float[Array, ""]
    width: Float[Array, ""]


class CriticalSizes(eqx.Module):
    """Where a uniform body becomes unstable [m]; infinite where no wave grows.

    wavelength: of the infinite body; slab: full width; cylinder, sphere: radius, by a wave that goes from one side to
    the other; radial_sphere: radius, by waves that are the same in all directions.
    """

    wavelength: Float[Array, ""]
    slab: Float[Array, ""]
    cylinder: Float[Array, ""]
    sphere: Float[Array, ""]
    radial_sphere: Float[Array, ""]


def gradient_coefficient(
    psi: AbstractFreeEnergy, host: Host, normal: Float[Array, "3"], c: Scalar = 0.5
) -> Float[Array, ""]:
    """n . kappa . n of the gradient part of an energy [J/m].

    Raises:
        ConfigError: the normal has no direction.
    """
    n = jnp.asarray(normal, dtype=float)
    check_direction(n, "normal")
    n = n / jnp.sqrt(jnp.sum(n**2))
    return n @ curvatures(psi, c, host).kappa @ n


@quantities(kappa="J/m")
def flat(psi: AbstractFreeEnergy, host: Host, kappa: Scalar, gap: int = 0, span: Span = None) -> Interface:
    """The interface between the phases of one gap, with kappa c'^2/2 = f - tangent through it

    gamma = integral of sqrt(2 kappa (f - tangent)) dc,   width = (high - low)/max sqrt(2 (f - tangent)/kappa)

    Where there is no gap energy and width are 0.

    Args:
        psi: an energy of composition: chemical, or coherent by `coherency.coherent`.
        host: shared constants.
        kappa: gradient coefficient along the normal [J/m].
        gap: which gap, counted from the poor side.
        span: compositions that are looked at, see `phase_diagram.gaps`.

    Raises:
        ConfigError: kappa is not positive.

    Source: Cahn, Hilliard, J. Chem. Phys. 28 (1958) 258.
    """
    checks.positive(kappa, "kappa", "J/m")
    known = gaps(psi, host, span, most=MOST)
    peak = barrier(psi, host, known, gap)
    return _through(psi, host, kappa, known, gap, peak)


@landscape.compiled
def _through(psi, host, kappa, known, gap, peak):
    low, high, mu = known.low[gap], known.high[gap], known.mu[gap]
    there = known.exists[gap]
    base = landscape.energy(psi, host, low)

    def above(c):  # the tangent
        return landscape.energy(psi, host, c) - base - host.c_max * mu * (c - low)

    # crowded at both ends, next to which ln c and ln(1 - c) may lie
    angle, weight = np.polynomial.legendre.leggauss(NODES)
    angle = 0.5 * np.pi * (angle + 1.0)
    share, weight = 0.5 * (1.0 - np.cos(angle)), 0.25 * np.pi * weight * np.sin(angle)
    height = jax.vmap(above)(low + (high - low) * share)
    safe = jnp.where(height > 0, height, 1.0)
    root = jnp.where(height > 0, jnp.sqrt(safe), 0.0)
    energy = jnp.sqrt(2.0 * kappa) * (high - low) * jnp.sum(weight * root)
    width = (high - low) * jnp.sqrt(0.5 * kappa / jnp.where(there, peak, 1.0))
    return Interface(low, high, jnp.where(there, energy, 0.0), jnp.where(there, width, 0.0))


@quantities(kappa="J/m")
def critical_sizes(psi: AbstractFreeEnergy, host: Host, kappa: Scalar, c: Scalar = 0.5) -> CriticalSizes:
    """Sizes of bodies with a neutral surface above which the uniform state c is unstable, k^2 = -f''/kappa

    Args:
        psi: an energy of composition, chemical or coherent.
        host: shared constants.
        kappa: gradient coefficient [J/m].
        c: composition of the uniform state [1].

    Raises:
        ConfigError: kappa is not positive.
    """
    checks.positive(kappa, "kappa", "J/m")
    return _sizes(psi, host, kappa, c)


@landscape.compiled
def _sizes(psi, host, kappa, c):
    bend = landscape.curvature(psi, host, c)
    unstable = bend < 0
    length = jnp.where(unstable, jnp.sqrt(kappa / jnp.where(unstable, -bend, 1.0)), jnp.inf)
    return CriticalSizes(2 * np.pi * length, SLAB * length, CYLINDER * length, SPHERE * length, RADIAL_SPHERE * length)


@quantities(size="m")
@landscape.compiled
def coefficient_of_size(
    psi: AbstractFreeEnergy, host: Host, size: Scalar, shape: float = SPHERE, c: Scalar = 0.5
) -> Float[Array, ""]:
    """The gradient coefficient with which bodies up to a size stay uniform, kappa = -f'' (size/shape)^2 [J/m]

    Args:
        psi, host, c: as for `critical_sizes`; 0 is returned where the uniform state is stable anyway.
        size: width of a slab, radius of a cylinder or a sphere [m].
        shape: SLAB, CYLINDER, SPHERE or RADIAL_SPHERE of this module.
    """
    return jnp.maximum(-landscape.curvature(psi, host, c), 0.0) * (size / shape) ** 2
