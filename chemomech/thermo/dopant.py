"""What a dopant, or an ion inserted beforehand, does: parameters that change, and the gap, barrier and speed they give.

The changes are inputs, from experiment or from first principles; this module carries them to phase behaviour.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, Host, Scalar, Sum
from ..errors import ConfigError
from ..physics import RedlichKister
from ..physics.eigenstrain import AbstractEigenstrain
from ..tensors import Sym
from ..units import param
from . import phase_diagram
from .coherency import coherent, curvatures, softest_normal
from .phase_diagram import Span
from .relaxed import Free


class Dopant(eqx.Module):
    """Changes per amount x of a dopant, linear in x; that of the diffusivity is exponential.

    Args:
        interaction: added to omega, the coefficient of c(1-c) [J/mol].
        tilt: added to the chemical potential of lithium, which lowers every plateau by tilt/F [J/mol].
        misfit: relative change of the stress-free strain [1].
        activation: added to the activation energy of diffusion [J/mol].
        sites: relative change of the lithium sites, such as -1 for each site that a pillar takes [1].
    """

    interaction: Scalar = param("J/mol", default=0.0, doc="change of the interaction per amount")
    tilt: Scalar = param("J/mol", default=0.0, doc="change of the chemical potential per amount")
    misfit: Scalar = param("1", default=0.0, doc="relative change of the misfit strain per amount")
    activation: Scalar = param("J/mol", default=0.0, doc="change of the activation energy of diffusion per amount")
    sites: Scalar = param("1", default=0.0, doc="relative change of the lithium sites per amount")


class Response(eqx.Module):
    """What the changes amount to.

    low, high: the stress-free gap [1]; mu: its chemical potential [J/mol]; barrier: of the stress-free transformation
    [J/m^3]; coherency: B of the softest direction [J/m^3]; coherent_low, coherent_high: the gap of coherent phases [1];
    diffusivity: over that without dopant [1]. Without a gap low equals high and the barrier is 0.
    """

    low: Float[Array, ""]
    high: Float[Array, ""]
    mu: Float[Array, ""]
    barrier: Float[Array, ""]
    coherency: Float[Array, ""]
    coherent_low: Float[Array, ""]
    coherent_high: Float[Array, ""]
    diffusivity: Float[Array, ""]


class ScaledEigenstrain(AbstractEigenstrain):
    """factor eps0(c)

    Args:
        base: stress-free strain.
        factor: multiplies it [1].
    """

    base: AbstractEigenstrain
    factor: Scalar = param("1", doc="factor of the misfit strain")

    def __call__(self, c: Scalar) -> Sym:
        return self.base(c) * self.factor


def doped(psi: AbstractFreeEnergy, dopant: Dopant, x: Scalar) -> AbstractFreeEnergy:
    """The energy with an amount x of a dopant: terms with a stress-free strain scaled, interaction and tilt added."""
    terms = [_strained(term, 1.0 + dopant.misfit * x) for term in psi.terms()]
    beta = jnp.reshape(jnp.asarray(dopant.interaction * x, dtype=float), (1,))
    return Sum((*terms, RedlichKister(beta, mu0=dopant.tilt * x, ideal=False)))


def with_misfit(psi: AbstractFreeEnergy, eigenstrain: AbstractEigenstrain) -> AbstractFreeEnergy:
    """The energy with another stress-free strain, such as a `TabulatedEigenstrain` of measured lattice constants.

    Raises:
        ConfigError: no part of the energy has a stress-free strain.
    """
    if not any(_has_misfit(term) for term in psi.terms()):
        raise ConfigError("No part of this energy has a stress-free strain. Add LinearElastic with an eigenstrain.")
    return Sum(tuple(
        eqx.tree_at(lambda t: t.eigenstrain, term, eigenstrain) if _has_misfit(term) else term for term in psi.terms()
    ))  # fmt: skip


def doped_host(host: Host, dopant: Dopant, x: Scalar) -> Host:
    """The host with its changed number of sites."""
    return Host(host.c_max * (1.0 + dopant.sites * x), host.T, host.gas_constant, host.faraday)


@eqx.filter_jit
def response(
    psi: AbstractFreeEnergy, host: Host, dopant: Dopant, x: Scalar, gap: int = 0, span: Span = None
) -> Response:
    """Gap, barrier, coherency energy and diffusivity at an amount x of a dopant.

    Args:
        psi: stored energy without dopant, chemical and elastic.
        host: shared constants without dopant.
        x: amount [1].
        gap: which gap, counted from the poor side.
        span: compositions that are looked at, see `phase_diagram.gaps`.
    """
    changed, sites = doped(psi, dopant, x), doped_host(host, dopant, x)
    free = Free(changed)
    most = phase_diagram.up_to(gap)
    known = phase_diagram.gaps(free, sites, span, most=most)
    barrier = phase_diagram.barrier(free, sites, known, gap)
    elastic = [term for term in changed.terms() if _has_misfit(term)]
    modulus, together = jnp.zeros(()), known
    if elastic:
        softest = softest_normal(curvatures(Sum(tuple(elastic)), 0.5, sites))
        modulus = softest.modulus
        together = phase_diagram.gaps(coherent(changed, softest.normal, sites), sites, span, most=most)
    faster = jnp.exp(-dopant.activation * x / host.RT)
    return Response(
        known.low[gap], known.high[gap], known.mu[gap], barrier, modulus, together.low[gap], together.high[gap], faster
    )


@eqx.filter_jit
def responses(psi: AbstractFreeEnergy, host: Host, dopant: Dopant, x: Float[Array, " n"], gap: int = 0) -> Response:
    """The same at every amount; each field has one more axis in front."""
    return jax.vmap(lambda amount: response(psi, host, dopant, amount, gap))(jnp.asarray(x, dtype=float))


def _has_misfit(term: AbstractFreeEnergy) -> bool:
    return isinstance(getattr(term, "eigenstrain", None), AbstractEigenstrain)


def _strained(term: AbstractFreeEnergy, factor: Scalar) -> AbstractFreeEnergy:
    if not _has_misfit(term):
        return term
    return eqx.tree_at(lambda t: t.eigenstrain, term, ScaledEigenstrain(term.eigenstrain, factor))
