"""Electrochemical reaction and surface energy on the particle's surface."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..density import AbstractFreeEnergy, AbstractPotential, Host, Local, Scalar
from ..tensors import IDENTITY, safe_exp
from ..units import param
from . import checks


class AbstractExchangeCurrent(eqx.Module):
    """Exchange current density i0 at the frozen state."""

    @abc.abstractmethod
    def __call__(self, s: Local) -> Scalar:
        """i0 [A/m^2]"""

    def ion_activity(self) -> Scalar:
        """Activity of lithium ions in the electrolyte, which shifts the equilibrium by (RT/F) ln a_l [1]."""
        return 1.0


class ConstantExchange(AbstractExchangeCurrent):
    """i0 = i0

    Args:
        i0: exchange current density [A/m^2].
    """

    i0: Scalar = param("A/m^2", doc="exchange current density")

    def __check_init__(self):
        checks.non_negative(self.i0, "ConstantExchange.i0", "A/m^2")

    def __call__(self, s: Local) -> Scalar:
        return self.i0


class SymmetricExchange(AbstractExchangeCurrent):
    """i0 = k0 sqrt(c(1-c)), zero with zero derivative where c is not inside (0, 1)

    Args:
        k0: rate constant [A/m^2].
    """

    k0: Scalar = param("A/m^2", doc="rate constant of the surface reaction")

    def __check_init__(self):
        checks.non_negative(self.k0, "SymmetricExchange.k0", "A/m^2")

    def __call__(self, s: Local) -> Scalar:
        product = s.c * (1.0 - s.c)
        inside = product > 0
        return self.k0 * jnp.where(inside, jnp.sqrt(jnp.where(inside, product, 1.0)), 0.0)


class BazantExchange(AbstractExchangeCurrent):
    """i0 = k0 a_l^(1-alpha) a^alpha (1-c),   a = exp(mu/RT) with the whole chemical potential

    Args:
        k0: rate constant [A/m^2].
        alpha: charge-transfer coefficient [1].
        a_l: activity of lithium ions in the electrolyte [1].

    Source: Bazant, Acc. Chem. Res. 46 (2013) 1144, doi:10.1021/ar300145c.
    """

    k0: Scalar = param("A/m^2", doc="rate constant of the surface reaction")
    alpha: Scalar = param("1", default=0.5, doc="charge-transfer coefficient")
    a_l: Scalar = param("1", default=1.0, doc="activity of lithium in the electrolyte")

    def __check_init__(self):
        checks.non_negative(self.k0, "BazantExchange.k0", "A/m^2")
        checks.fraction(self.alpha, "BazantExchange.alpha")
        checks.positive(self.a_l, "BazantExchange.a_l", "")

    def __call__(self, s: Local) -> Scalar:
        activity = safe_exp(self.alpha * s.mu / s.host.RT)
        return self.k0 * self.a_l ** (1.0 - self.alpha) * activity * (1.0 - s.c)

    def ion_activity(self) -> Scalar:
        """a_l"""
        return self.a_l


class TransitionStateExchange(AbstractExchangeCurrent):
    """i0 = k0 a^alpha c(1-c),   a = exp(mu/RT): the activated state needs a lithium site and a free one

    Args:
        k0: rate constant [A/m^2].
        alpha: charge-transfer coefficient [1].
    """

    k0: Scalar = param("A/m^2", doc="rate constant of the surface reaction")
    alpha: Scalar = param("1", default=0.5, doc="charge-transfer coefficient")

    def __check_init__(self):
        checks.non_negative(self.k0, "TransitionStateExchange.k0", "A/m^2")
        checks.fraction(self.alpha, "TransitionStateExchange.alpha")

    def __call__(self, s: Local) -> Scalar:
        return self.k0 * safe_exp(self.alpha * s.mu / s.host.RT) * s.c * (1.0 - s.c)


class ButlerVolmer(AbstractPotential):
    """density = -dt Psi*(eta; i0),   eta = V - V0 + mu/F - (RT/F) ln a_l

    Psi* = (RT/F) i0 [exp(-alpha F eta/RT)/alpha + exp((1-alpha) F eta/RT)/(1-alpha)], whose derivative is -i with
    the insertion current i = i0 [exp(-alpha F eta/RT) - exp((1-alpha) F eta/RT)].

    Args:
        exchange: exchange current density at the frozen state [A/m^2].
        V0: voltage at mu = 0 and a_l = 1 [V].
        alpha: charge-transfer coefficient, that of the exchange current if it has one [1].
        on: name of a facet set, or of a cell set when `thickness` is given.
        thickness: thickness of a flat particle whose two large faces react: the reaction then acts on cells, per
            volume 2/thickness of face [m].
    """

    exchange: AbstractExchangeCurrent
    V0: Scalar = param("V", default=0.0, doc="voltage at mu = 0")
    alpha: Scalar = param("1", default=0.5, doc="charge-transfer coefficient")
    on: str | None = eqx.field(static=True, default=None, kw_only=True)
    thickness: Scalar | None = param("m", default=None, doc="thickness of a flat particle")

    def __check_init__(self):
        checks.fraction(self.alpha, "ButlerVolmer.alpha")
        checks.positive(self.thickness, "ButlerVolmer.thickness", "m")
        other = getattr(self.exchange, "alpha", self.alpha)
        if checks.is_concrete(other) and checks.is_concrete(self.alpha):
            checks.require(
                bool(np.allclose(other, self.alpha)),
                f"ButlerVolmer.alpha = {self.alpha} but {type(self.exchange).__name__}.alpha = {other}: one reaction "
                "has one charge-transfer coefficient. Give both the same value.",
            )

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-dt Psi* [J/m^2 on facets, J/m^3 on cells]"""
        dissipated = now.dt * self.power(self.eta(now), self.exchange(frozen), now.host)
        return -dissipated if self.thickness is None else -dissipated * (2.0 / self.thickness)

    @property
    def per_area(self) -> bool:
        """On facets, unless a thickness averages the two large faces over it."""
        return self.thickness is None

    def scalars(self) -> tuple[str, ...]:
        """The cell voltage."""
        return ("V",)

    def eta(self, s: Local) -> Scalar:
        """Overpotential V - V0 + mu/F [V]; negative inserts."""
        shift = jnp.log(self.exchange.ion_activity()) * s.host.RT
        return s.V - self.V0 + (s.mu - shift) / s.host.faraday

    def power(self, eta: Scalar, i0: Scalar, host: Host) -> Scalar:
        """Psi*(eta; i0) [W/m^2]"""
        thermal = host.RT / host.faraday
        insertion = safe_exp(-self.alpha * eta / thermal) / self.alpha
        extraction = safe_exp((1.0 - self.alpha) * eta / thermal) / (1.0 - self.alpha)
        return thermal * i0 * (insertion + extraction)

    def current(self, s: Local) -> Scalar:
        """Insertion-positive current density through the face, -dPsi*/deta [A/m^2]."""
        i0, eta = self.exchange(s), jnp.asarray(self.eta(s))
        return -jax.jvp(lambda eta: self.power(eta, i0, s.host), (eta,), (jnp.ones_like(eta),))[1]


def overpotential(i: Scalar, i0: Scalar, host: Host) -> Scalar:
    """eta = -(2 R T/F) asinh(i / (2 i0)), the inverse of Butler-Volmer at alpha = 1/2, with insertion positive [V].

    Args:
        i: current density [A/m^2].
        i0: exchange current density [A/m^2].
        host: temperature and constants.
    """
    return -2.0 * host.RT / host.faraday * jnp.arcsinh(i / (2.0 * i0))


class SurfaceEnergy(AbstractFreeEnergy):
    """psi = gamma_0 + gamma_1 c + gamma_2 c^2 + ..., per area

    Args:
        gamma: coefficients, lowest power first [J/m^2].
    """

    name: ClassVar[str] = "surface"
    gamma: Any = param("J/m^2", doc="coefficients of the surface energy")

    def __check_init__(self):
        if checks.is_concrete(self.gamma):
            good = getattr(self.gamma, "ndim", 0) == 1 and self.gamma.size > 0
            checks.require(good, "SurfaceEnergy.gamma must be a list [gamma_0, gamma_1, ...] of at least one value.")

    def __call__(self, s: Local) -> Scalar:
        value = self.gamma[self.gamma.shape[0] - 1]
        for k in reversed(range(self.gamma.shape[0] - 1)):
            value = value * s.c + self.gamma[k]
        return value


class _Covered(AbstractPotential):
    """density = psi(now) per area of a facet set"""

    psi: AbstractFreeEnergy
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """psi(now) [J/m^2]"""
        return self.psi(now)

    @property
    def per_area(self) -> bool:
        """On facets."""
        return True

    def stored(self) -> tuple[AbstractFreeEnergy, ...]:
        """The surface energy."""
        return (self.psi,)


class Wetting(_Covered):
    """density = gamma(c): a surface energy that attracts one phase to a face

    Args:
        gamma: coefficients gamma_0, gamma_1, ... of gamma_0 + gamma_1 c + ... [J/m^2].
        on: name of a facet set.
    """

    def __init__(self, gamma: Any, on: str | None = None):
        self.psi = gamma if isinstance(gamma, SurfaceEnergy) else SurfaceEnergy(gamma)
        self.on = on


class StretchedSurface(AbstractFreeEnergy):
    """psi = tau P : eps per area,   P = I - n n; at finite strain tau (area / reference area - 1)

    Args:
        tau: surface stress [N/m].
        large: of the deformation gradient, not of small strain.
    """

    name: ClassVar[str] = "surface"
    tau: Scalar = param("N/m", doc="surface stress")
    large: bool = eqx.field(static=True, default=False)

    @property
    def finite(self) -> bool:
        """Whether it is of the deformation gradient."""
        return self.large

    def __call__(self, s: Local) -> Scalar:
        if self.large:
            grown = s.normal.transformed((IDENTITY.full + s.H).cofactor.rows())
            return self.tau * (jnp.sqrt(grown.dot(grown)) - 1.0)
        return self.tau * (s.strain.trace - s.normal.dot(s.normal.transformed(s.strain.rows())))


class SurfaceStress(_Covered):
    """density = tau P : eps, P = I - n n: a surface pulls in its own plane, which puts a small particle under pressure

    A sphere of radius R is under p = 2 tau/R, which shifts its voltage by -Omega 2 tau/(F R). The hoop strain of a body
    of revolution counts, and so does a strain that the kinematics give out of the plane.

    Args:
        tau: surface stress, positive where the surface pulls [N/m].
        finite: tau (area / reference area - 1), for energies of finite strain.
        on: name of a facet set.
    """

    def __init__(self, tau: Any, finite: bool = False, on: str | None = None):
        self.psi = StretchedSurface(tau, finite)
        self.on = on
