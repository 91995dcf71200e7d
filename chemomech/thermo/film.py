"""A film whose substrate holds its in-plane strain: energy, gap, barrier and voltage against strain and stress.

The film is uniform in its plane; its top is free. Gaps, plateaus and barriers are those of `phase_diagram` and
`voltage` for the energy that `film` returns.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..density import AbstractFreeEnergy, Host, Scalar
from . import landscape, phase_diagram
from .phase_diagram import Gaps, Span, Transition
from .relaxed import Free, Layer, Z


def film(psi: AbstractFreeEnergy, strain: Scalar, normal=Z) -> Layer:
    """The energy of composition of a film at an in-plane strain, R T c_max g(c) + M (strain - eps0(c))^2 if isotropic

    Args:
        psi: stored energy, chemical and elastic; bowed misfit and stiffness that depends on c are welcome.
        strain: of the plane, against the shape that `eps0 = 0` has: one number for both directions, or 3, 6 or 3 x 3
            components in crystal axes [1].
        normal: of the film, in crystal axes.
    """
    return Layer(psi, normal, strain)


@eqx.filter_jit
def energies(
    psi: AbstractFreeEnergy, host: Host, c: Float[Array, " n"], strains: Float[Array, " m"], normal=Z
) -> Float[Array, "m n"]:
    """G(strain, c) [J/m^3]"""

    def row(strain):
        return jax.vmap(lambda x: landscape.energy(film(psi, strain, normal), host, x))(jnp.asarray(c))

    return jax.vmap(row)(jnp.asarray(strains))


def stress(psi: AbstractFreeEnergy, host: Host, c: Scalar, strain: Scalar, normal=Z) -> Float[Array, "6"]:
    """Stress of the film in the order xx, yy, zz, yz, xz, xy of the crystal axes [Pa]; none on its face.

    Raises:
        ConfigError: the composition or a parameter of the energy is NaN.
    """
    landscape.require_number(c, "c", "1")
    landscape.require_numbers(psi)
    return _stress(psi, host, c, strain, normal)


@eqx.filter_jit
def _stress(psi, host, c, strain, normal):
    six = jnp.asarray(Layer(psi, normal, strain).strain, dtype=float)
    slope = jax.grad(lambda six: landscape.energy(Layer(psi, normal, six), host, c))(six)
    return slope * jnp.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.5])  # a shear stands twice in the strain


@eqx.filter_jit
def gaps_against_strain(
    psi: AbstractFreeEnergy, host: Host, strains: Float[Array, " m"], normal=Z, span: Span = None
) -> Gaps:
    """The gaps at every strain; each field has one more axis in front."""
    return jax.vmap(lambda e: phase_diagram.gaps(film(psi, e, normal), host, span))(jnp.asarray(strains))


@eqx.filter_jit
def closing_strain(
    psi: AbstractFreeEnergy, host: Host, low: float, high: float, normal=Z, span: Span = None
) -> tuple[Scalar, Bool[Array, ""]]:
    """The strain at which the gap closes [1], and whether there is one between low and high.

    A misfit that is linear in c with a uniform stiffness has none: strain then tilts the energy and bends nothing.
    """
    return phase_diagram.closing(lambda e: phase_diagram.stability_margin(film(psi, e, normal), host, span), low, high)


@eqx.filter_jit
def barriers_against_strain(
    psi: AbstractFreeEnergy, host: Host, strains: Float[Array, " m"], normal=Z, gap: int = 0, span: Span = None
) -> Transition:
    """The transition at every strain, the reservoir kept where the unstrained film has both phases.

    Each field has one more axis in front.

    Raises:
        ConfigError: gap is negative.
    """
    strains = jnp.asarray(strains)

    def phases(strain):
        return phase_diagram.gaps(film(psi, strain, normal), host, span, most=phase_diagram.up_to(gap))

    mu = phases(jnp.zeros(())).mu[gap]

    def at(strain):
        return phase_diagram.transition_of(film(psi, strain, normal), host, phases(strain), mu, gap, span)

    return jax.vmap(at)(strains)


@eqx.filter_jit
def voltage_per_strain(
    psi: AbstractFreeEnergy, host: Host, strain: Scalar = 0.0, normal=Z, span: Span = None
) -> Float[Array, " k"]:
    """dV/dstrain of every plateau [V]; of an isotropic film 2 M eta/(F c_max)."""

    strain = jnp.asarray(strain, dtype=float)
    known = phase_diagram.gaps(film(psi, strain, normal), host, span)

    def plateau(e):
        return -phase_diagram.coexistence(film(psi, e, normal), host, known.low, known.high) / host.faraday

    return jax.jacfwd(plateau)(strain)


@eqx.filter_jit
def voltage_per_stress(psi: AbstractFreeEnergy, host: Host, stress=0.0, span: Span = None) -> Float[Array, "k 6"]:
    """dV/dstress of every plateau of a body under a given stress [V/Pa]: eps0_ij/(F c_max) for a linear misfit

    In the order xx, yy, zz, yz, xz, xy of the crystal axes; a shear stress stands twice in the energy.

    Args:
        stress: at which the derivative is taken, as 1, 3, 6 or 3 x 3 components [Pa].
    """

    loaded = Free(psi, stress)
    known = phase_diagram.gaps(loaded, host, span)

    def plateau(six):
        return -phase_diagram.coexistence(Free(psi, six), host, known.low, known.high) / host.faraday

    return jax.jacfwd(plateau)(jnp.asarray(loaded.stress, dtype=float))
