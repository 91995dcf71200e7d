"""Growth rate of a small composition wave on a uniform state, driven or at rest; currents that keep it uniform."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, AbstractPotential, Host, Local, Scalar
from ..errors import ConfigError
from ..physics import checks
from ..physics.interface import AbstractExchangeCurrent, ButlerVolmer, overpotential
from ..physics.transport import AbstractMobility, DegenerateMobility
from ..tensors import Tensor, Vector
from ..units import quantities
from . import landscape, roots
from .coherency import Curvatures, curvatures, relaxed_curvature, stress_free
from .phase_diagram import Span, critical_composition, gaps, intervals, spinodals

FILLINGS = 400  # compositions at which a driven filling is looked at
INTERVALS, NODES = 3, 32  # in which differences grow, and compositions of Gauss's rule in each
ENDLESS = 0.01  # s/|i| times the distance from an end of the domain, which tends to 0 where s has an integral


class Linearisation(eqx.Module):
    """A uniform state's response: second derivatives of the energy, mobility, and slopes of the source.

    The source is the insertion per volume of depth-averaged reactions [mol/(m^3 s)].
    """

    energy: Curvatures
    mobility: Float[Array, "3 3"]  # [mol^2/(J m s)]
    source_c: Float[Array, ""]  # [mol/(m^3 s)]
    source_mu: Float[Array, ""]  # [mol^2/(J m^3 s)]
    c_max: Float[Array, ""]  # [mol/m^3]


@quantities(V="V")
def linearise(psi: AbstractFreeEnergy, kinetics: Sequence[AbstractPotential], host: Host, c, V) -> Linearisation:
    """Differentiate energy and rate terms at uniform composition c and cell voltage V [V], stress-free.

    Args:
        psi: stored energy.
        kinetics: rate potentials that act on cells (diffusion, depth-averaged reaction).
        host: shared constants.
        c: composition.
        V: cell voltage [V].

    Raises:
        ConfigError: c is no composition inside the energy's domain.
    """
    landscape.require_inside(psi, c)
    c = landscape.inside(psi, c)
    k = curvatures(psi, c, host)
    mu = potential(psi, host, c)
    return Linearisation(k, *_linearised(kinetics, host, c, mu, V), host.c_max)


@quantities(wave="1/m")
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


@quantities(V="V", wave="1/m")
@eqx.filter_jit
def growth_rate(psi, kinetics, host: Host, c, V, wave: Float[Array, "3"]) -> Float[Array, ""]:
    """`growth` of one wave on the uniform state (c, V) [1/s]."""
    return growth(linearise(psi, kinetics, host, c, V), jnp.asarray(wave, float))


def potential(psi: AbstractFreeEnergy, host: Host, c) -> Float[Array, ""]:
    """Chemical potential of the uniform, stress-free state, (1/c_max) dpsi/dc [J/mol]; infinite as `landscape`'s."""
    zero, H = jnp.zeros(()), stress_free(psi, c, host)

    def energy(c):
        return psi(_local(host, c, zero, jnp.zeros(3), zero, H))

    c = jnp.asarray(c, dtype=float)
    return landscape.with_ends(psi, c, jax.grad(energy)(c) / host.c_max, -jnp.inf)


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


@quantities(V="V", sizes="1/m")
@eqx.filter_jit
def fastest_growth(psi, kinetics, host: Host, c, V, directions: Float[Array, "k 3"], sizes: Float[Array, " w"]):
    """The largest growth rate over wave normals and wave numbers [1/s]."""
    state = linearise(psi, kinetics, host, c, V)
    waves = (directions[:, None, :] * sizes[None, :, None]).reshape(-1, 3)
    return jnp.max(jax.vmap(lambda wave: growth(state, wave))(waves))


@quantities(smallest="1/m", largest="1/m")
def wave_numbers(smallest: float, largest: float, count: int = 40) -> Float[np.ndarray, " w"]:
    """Logarithmic range of wave numbers, with zero in front [1/m]."""
    return np.concatenate([[smallest * 1e-3], np.geomspace(smallest, largest, count)])


# --- uniform filling under a current, limited by its reaction ---


def _compiled_reaction(function: Callable) -> Callable:
    """Compiled, after a look at what a compiled function could not judge: charge-transfer coefficient, composition."""
    run, signature = landscape.compiled(function), inspect.signature(function)

    @functools.wraps(function)
    def call(psi: AbstractFreeEnergy, exchange: AbstractExchangeCurrent, *rest: Any, **named: Any) -> Any:
        alpha = getattr(exchange, "alpha", 0.5)
        if checks.is_concrete(alpha) and not np.allclose(alpha, 0.5):
            raise ConfigError(
                f"{type(exchange).__name__}.alpha = {alpha}: the closed form of a driven filling is that of alpha = "
                "0.5. For another alpha use `growth_rate` with a ButlerVolmer of it."
            )
        given = signature.bind(psi, exchange, *rest, **named).arguments
        landscape.require_numbers(psi)
        for name, unit in (("i", "A/m^2"), ("stiffness", "J/m^3")):
            landscape.require_number(given.get(name), name, unit)
        landscape.require_inside(psi, given.get("c"))
        return run(psi, exchange, *rest, **named)

    return call


@quantities(i="A/m^2", stiffness="J/m^3")
@_compiled_reaction
def driven_growth(
    psi: AbstractFreeEnergy,
    exchange: AbstractExchangeCurrent,
    host: Host,
    c: Scalar,
    i: Scalar,
    stiffness: Scalar = 0.0,
) -> Scalar:
    """s of a small difference in composition while all of a body, or all particles, fill at one voltage [A/m^2]

    s = i dln(i0)/dc - sqrt(i0^2 + i^2/4) [f'' + stiffness]/(R T c_max): the difference is multiplied by exp of the
    integral of s/i over c. In seconds its rate is s A/(F c_max V) for a body of volume V and reacting surface A.

    Args:
        psi: an energy of composition, whose derivative is mu.
        exchange: exchange current density, alpha = 1/2.
        host: shared constants.
        c: composition [1].
        i: current density, insertion positive [A/m^2].
        stiffness: B(n) + kappa k^2 of the wave [J/m^3].

    Raises:
        ConfigError: the charge-transfer coefficient is not 1/2, or c does not lie inside the energy's domain.

    Source: Bazant, Acc. Chem. Res. 46 (2013) 1144, doi:10.1021/ar300145c; Cogswell, Bazant, ACS Nano 6 (2012) 2215.
    """
    c = landscape.inside(psi, c)
    mu, gain = landscape.potential(psi, host, c), _gain(psi, host, c, stiffness)
    reaction = ButlerVolmer(exchange)
    shift = jnp.log(exchange.ion_activity()) * host.RT
    V = overpotential(i, _exchange(exchange, host, c, mu), host) - (mu - shift) / host.faraday

    def current(c, mu):
        return reaction.current(_local(host, c, mu, jnp.zeros(3), V))

    return jax.jvp(current, (c, mu), (jnp.ones_like(c), gain))[1]


@quantities(stiffness="J/m^3")
@_compiled_reaction
def critical_current_at(
    psi: AbstractFreeEnergy, exchange: AbstractExchangeCurrent, host: Host, c: Scalar, stiffness: Scalar = 0.0,
    direction: int = 1,
) -> Scalar:  # fmt: skip
    """The current density above which a uniform filling is stable at c: s = 0 of `driven_growth`, solved for i [A/m^2]

    i = i0 |g|/sqrt(L^2 - g^2/4) with L = dln(i0)/dc, g = [f'' + stiffness]/(R T c_max) < 0; 0 where the uniform state
    is stable at rest, infinite where no current makes it so.

    Args:
        direction: 1 for insertion, -1 for extraction; the current is returned positive.
        psi, exchange, host, c, stiffness: as for `driven_growth`.
    """
    size, root, _, lost = _critical(psi, exchange, host, c, stiffness, direction)
    return jnp.where(lost, jnp.inf, size / root)


@quantities(stiffness="J/m^3")
@_compiled_reaction
def critical_current(
    psi: AbstractFreeEnergy, exchange: AbstractExchangeCurrent, host: Host, stiffness: Scalar = 0.0, direction: int = 1
) -> tuple[Scalar, Scalar]:
    """The current density above which filling is stable at every composition [A/m^2], and where it is lost last [1].

    Infinite where no current is enough. Arguments as for `critical_current_at`; the energy's domain is (0, 1).
    """
    c = jnp.asarray((np.arange(FILLINGS) + 0.5) / FILLINGS)

    def finite(c):
        size, root, _, lost = _critical(psi, exchange, host, c, stiffness, direction)
        return jnp.where(lost, 0.0, size / root)

    k = jnp.argmax(jax.lax.stop_gradient(jax.vmap(finite)(c)))
    at = roots.bracketed(landscape.slope(finite), c[jnp.maximum(k - 1, 0)], c[jnp.minimum(k + 1, FILLINGS - 1)])
    lost = jax.vmap(lambda c: _critical(psi, exchange, host, c, stiffness, direction)[3])(c)
    hopeless = jnp.any(lost)
    return jnp.where(hopeless, jnp.inf, finite(at)), jnp.where(hopeless, c[jnp.argmax(lost)], at)


@quantities(i="A/m^2", stiffness="J/m^3")
@_compiled_reaction
def amplification(
    psi: AbstractFreeEnergy, exchange: AbstractExchangeCurrent, host: Host, i: Scalar, stiffness: Scalar = 0.0,
    count: int = 201,
) -> Scalar:  # fmt: skip
    """G, the integral of s/|i| over all c where s > 0: a difference grows by at most exp(G) in one filling [1].

    By Gauss between the roots of s, up to three such intervals; the energy's domain is (0, 1). Infinite where s grows
    like 1/c at an end of it, as under a law whose current vanishes with c.

    Args:
        i: current density, insertion positive [A/m^2].
        count: compositions at which s is looked at for its sign.
        psi, exchange, host, stiffness: as for `driven_growth`.
    """

    def fall(c):
        return -driven_growth(psi, exchange, host, c, i, stiffness)

    c = jnp.asarray(landscape.Grid(0.0, 1.0, count, True).points)
    falls = jax.lax.stop_gradient(jax.vmap(fall)(c))
    low, high, _, _ = intervals(fall, c, falls, INTERVALS)
    at, weights = np.polynomial.legendre.leggauss(NODES)
    inner = low[:, None] + (high - low)[:, None] * (0.5 + 0.5 * at)
    G = -0.5 * (high - low) @ (jax.vmap(jax.vmap(fall))(inner) @ weights)
    endless = jnp.minimum(falls[0] * c[0], falls[-1] * (1 - c[-1])) < -ENDLESS * jnp.abs(i)
    return jnp.where(endless, jnp.inf, jnp.where(G == 0, 0.0, G / jnp.abs(i)))  # also at rest


@quantities(i="A/m^2", depth="m")
def c_rate(i: Scalar, host: Host, depth: Scalar) -> Scalar:
    """i 3600/(F c_max depth), the C-rate of a current density [1/h]; depth is volume over reacting surface [m].

    Half the thickness of a platelet that reacts on both faces, a third of the radius of a sphere.
    """
    return 3600.0 * i / (host.faraday * host.c_max * depth)


# --- uniform filling limited by diffusion ---


@quantities(D="m^2/s")
@landscape.compiled
def chemical_diffusivity(
    psi: AbstractFreeEnergy, host: Host, c: Scalar, D: Scalar, mobility: AbstractMobility | None = None
) -> Scalar:
    """D_chem = D f(c) psi''/c_max^2, negative inside the spinodal [m^2/s]

    Args:
        D: tracer diffusivity [m^2/s].
        mobility: the factor f of `Diffusion`; None: c_max c(1-c)/(R T).
        psi, host, c: as for `driven_growth`; at an end of the energy's domain the limit is returned.
    """
    c = landscape.inside(psi, c)
    mobility = DegenerateMobility() if mobility is None else mobility
    zero = jnp.zeros(())
    factor = mobility(_local(host, jnp.asarray(c, dtype=float), zero, jnp.zeros(3), zero))
    return D * factor * landscape.curvature(psi, host, c) / host.c_max**2


@quantities(flux="mol/(m^2*s)", width="m", D="m^2/s")
def morphology_group(
    psi: AbstractFreeEnergy, host: Host, flux: Scalar, width: Scalar, D: Scalar, gap: int = 0, span: Span = None
) -> Scalar:
    """Pi = flux width/(c_max D_chem(c_b) (c_s - c_b)): what drives the surface from binodal to spinodal [1]

    Small: an intercalation wave; large: a shell around a core. Infinite where there is no gap.

    Args:
        flux: molar flux through the surface [mol/(m^2 s)].
        width: of the particle [m].
        D: tracer diffusivity, with mobility c(1-c) [m^2/s].
        psi, host, gap, span: as for `phase_diagram.gaps`.
    """
    known = gaps(psi, host, span)
    phase, limit = known.low[gap], spinodals(psi, host, span).low[gap]
    there = known.exists[gap] & (limit > phase)
    speed = host.c_max * chemical_diffusivity(psi, host, phase, D) * (limit - phase)
    return jnp.where(there, flux * width / jnp.where(there, speed, 1.0), jnp.inf)


@quantities(flux="mol/(m^2*s)", depth="m", D="m^2/s", kappa="J/m")
def separation_group(
    psi: AbstractFreeEnergy, host: Host, flux: Scalar, depth: Scalar, D: Scalar, kappa: Scalar, span: Span = None
) -> Scalar:
    """Pi_sep = s_m t: growth rate of the fastest wave times the time that filling spends in the spinodal [1]

    s_m = M f''^2/(4 kappa c_max^2) at the least f'', t = (c_s' - c_s) c_max depth/flux. Phases form above about 5 and
    not below about 1; 0 where nothing is unstable.

    Args:
        depth: volume over surface [m].
        kappa: gradient coefficient [J/m].
        flux, D, psi, host, span: as for `morphology_group`.
    """
    c = critical_composition(psi, host, span)
    bend = jnp.minimum(landscape.curvature(psi, host, c), 0.0)
    rate = chemical_diffusivity(psi, host, c, D) * bend / (4.0 * kappa)
    unstable = spinodals(psi, host, span)
    return rate * (unstable.high[0] - unstable.low[0]) * host.c_max * depth / flux


def _gain(psi, host, c, stiffness):
    """dmu/dc of a wave [J/mol]."""
    return (landscape.curvature(psi, host, c) + stiffness) / host.c_max


def _exchange(exchange, host, c, mu):
    return jnp.asarray(exchange(_local(host, c, mu, jnp.zeros(3), jnp.zeros(()))))


def _critical(psi, exchange, host, c, stiffness, direction):
    """|g| i0, sqrt(L^2 - g^2/4), whether c is unstable at rest, and whether it is so at every current."""
    if isinstance(direction, int) and direction not in (1, -1):
        raise ConfigError(f"direction = {direction}. Try: 1 for insertion, -1 for extraction.")
    c = landscape.inside(psi, c)
    mu, gain = landscape.potential(psi, host, c), _gain(psi, host, c, stiffness)
    i0, slope = jax.jvp(lambda c, mu: _exchange(exchange, host, c, mu), (c, mu), (jnp.ones_like(c), gain))
    g, L = gain / host.RT, slope / i0
    unstable = g < 0
    square = L**2 - 0.25 * g**2
    held = (square > 0) & (direction * L < 0)
    size = jnp.where(unstable, -g * i0, 0.0)
    return size, jnp.sqrt(jnp.where(held, square, 1.0)), unstable, unstable & ~held
