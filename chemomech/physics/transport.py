"""Storage and diffusion of lithium as terms of the incremental potential."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import numpy as np

from ..density import AbstractPotential, Local, Scalar
from ..errors import ConfigError
from ..tensors import IDENTITY, Vector, mul, safe_exp
from ..units import param, parse
from .anisotropy import as_tensor, quadratic_form, require_semidefinite
from .eigenstrain import as_sym, symmetric
from .finite_strain import right_cauchy_green
from .orientation import Orientation


class Storage(AbstractPotential):
    """density = -c_max mu (c - c*), with c* the stepper's effective old composition

    Args:
        on: name of a cell set; None: every cell.
    """

    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-c_max mu (c - c*) [J/m^3]"""
        return -now.host.c_max * now.mu * (now.c - rate.c)


class Amount(AbstractPotential):
    """density = -c_max mu_mean (c - mean): the amount of lithium is given and mu_mean is its multiplier

    With it, a stationary point of the stored energy is an equilibrium, where mu is the same everywhere.

    Args:
        mean: mean composition [1].
        on: name of a cell set; None: every cell.
    """

    mean: Scalar = param("1", doc="mean composition")
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-c_max mu_mean (c - mean) [J/m^3]"""
        return -now.host.c_max * now.mu_mean * (now.c - self.mean)

    def scalars(self) -> tuple[str, ...]:
        """The uniform chemical potential."""
        return ("mu_mean",)


class AbstractMobility(eqx.Module):
    """The factor f(c, strain, ...) of the mobility M = D f, in crystal axes."""

    @abc.abstractmethod
    def __call__(self, s: Local) -> Scalar:
        """f [mol^2/(J m^3)]"""


class DegenerateMobility(AbstractMobility):
    """f = c_max c(1-c) / (R T); not clipped: a composition outside [0, 1] gives a negative mobility"""

    def __call__(self, s: Local) -> Scalar:
        return s.host.c_max / s.host.RT * s.c * (1.0 - s.c)


class ActivatedMobility(AbstractMobility):
    """f = f0 exp(-(barrier + by_strain : eps) / (R T)): hops over a barrier that strain changes

    `D` of `Diffusion` is then the prefactor D0. The strain is the small one, sym(H), in crystal axes.

    Args:
        barrier: energy of activation without strain [J/mol].
        by_strain: its slope with strain, as 1, 3, 6 or 3 x 3 numbers; one number multiplies the change of volume; None:
            no strain is read [J/mol].
        mobility: f0; the default is c_max c(1-c)/(R T) [mol^2/(J m^3)].
    """

    barrier: Scalar = param("J/mol", default=0.0, doc="energy of activation of a hop")
    by_strain: Any = param("J/mol", default=None, doc="slope of the energy of activation with strain")
    mobility: AbstractMobility = DegenerateMobility()

    def __init__(self, barrier: Any = 0.0, by_strain: Any = None, mobility: AbstractMobility | None = None):
        self.barrier = barrier
        self.by_strain = symmetric(by_strain, "J/mol", "ActivatedMobility.by_strain")
        self.mobility = DegenerateMobility() if mobility is None else mobility

    def __call__(self, s: Local) -> Scalar:
        barrier = self.barrier
        if self.by_strain is not None:
            barrier = barrier + as_sym(self.by_strain).ddot(s.strain)
        return self.mobility(s) * safe_exp(-barrier / s.host.RT)


class UniformMobility(AbstractMobility):
    """f = c_max / (R T)"""

    def __call__(self, s: Local) -> Scalar:
        return s.host.c_max / s.host.RT


class Diffusion(AbstractPotential):
    """density = -dt 1/2 grad mu . M(frozen) grad mu,   M = D f   or M as given

    With `finite` the flux is J_R = -U^-1 M U^-1 Grad mu per reference area, U the right stretch of the frozen state,
    c_max and the gradients those of the reference body: -M C^-1 Grad mu where M is a number, C = U^2.

    Args:
        D: tracer diffusivity, a number, 3 principal values or a 3 x 3 tensor in crystal axes; zero is allowed
            [m^2/s].
        mobility: the factor f; the default is c_max c(1-c)/(R T) [mol^2/(J m^3)].
        M: instead of D, a constant mobility of the same shapes [mol^2/(J m s)].
        angle: turn of the crystal about laboratory z, counter-clockwise; may vary by cell [rad].
        axes: two of the crystal axes a, b, c as laboratory directions, such as {"a": "x", "c": "y"}.
        rotation: instead of axes, a 3 x 3 matrix (or one per cell) whose columns are the crystal axes [1].
        finite: diffusion in the deformed body, for energies of finite strain; else gradients are taken as they are.
        on: name of a cell set; None: every cell.

    Raises:
        ConfigError: not exactly one of D and M is given, or it is negative.
    """

    D: Any = param("m^2/s", default=None, doc="tracer diffusivity")
    mobility: AbstractMobility = DegenerateMobility()
    M: Any = param("mol^2/(J*m*s)", default=None, doc="constant mobility")
    orientation: Orientation | None = None
    finite: bool = eqx.field(static=True, default=False)
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def __init__(
        self, D: Any = None, mobility: AbstractMobility | None = None, *, M: Any = None, angle: Any = None,
        axes: Any = None, rotation: Any = None, finite: bool = False, on: str | None = None,
    ):  # fmt: skip
        if (D is None) == (M is None):
            raise ConfigError("Diffusion needs exactly one of D [m^2/s] and M [mol^2/(J m s)].")
        if M is not None and mobility is not None:
            raise ConfigError("Diffusion: a given M is constant, so `mobility` has no effect. Give D instead of M.")
        self.D = as_tensor(parse(D, "m^2/s", name="Diffusion.D"))
        self.mobility = DegenerateMobility() if mobility is None else mobility
        self.M = as_tensor(parse(M, "mol^2/(J*m*s)", name="Diffusion.M"))
        turned = any(v is not None for v in (angle, axes, rotation))
        self.orientation = Orientation(angle, axes, rotation) if turned else None
        self.finite = finite
        self.on = on

    def __check_init__(self):
        require_semidefinite(self.D, "Diffusion.D", "m^2/s")
        require_semidefinite(self.M, "Diffusion.M", "mol^2/(J m s)")

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-dt 1/2 grad mu . M grad mu [J/m^3]"""
        dt = now.dt
        if self.orientation is not None:
            now, frozen = self.orientation.crystal(now), self.orientation.crystal(frozen)
        tensor = self.D if self.M is None else self.M
        slope = self._pulled_back(now.grad_mu, frozen, tensor) if self.finite else now.grad_mu
        power = mul(-dt, quadratic_form(tensor, slope))
        return power if self.M is not None else mul(self.mobility(frozen), power)

    @staticmethod
    def _pulled_back(slope: Vector, frozen: Local, tensor: Any) -> Vector:
        """The gradient in the deformed body, turned back with it: U^-1 Grad mu; what a number sees is F^-T Grad mu."""
        if np.shape(tensor)[:2] == (3, 3):
            return slope.transformed((right_cauchy_green(frozen.H).log * -0.5).exp.rows())
        F = IDENTITY.full + frozen.H
        return slope.transformed(F.cofactor.rows()) / F.det
