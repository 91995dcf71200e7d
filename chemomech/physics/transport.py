"""Storage and diffusion of lithium as terms of the incremental potential."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx

from ..density import AbstractPotential, Local, Scalar
from ..errors import ConfigError
from ..tensors import mul
from ..units import param, parse
from .anisotropy import as_tensor, quadratic_form, require_semidefinite
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


class UniformMobility(AbstractMobility):
    """f = c_max / (R T)"""

    def __call__(self, s: Local) -> Scalar:
        return s.host.c_max / s.host.RT


class Diffusion(AbstractPotential):
    """density = -dt 1/2 grad mu . M(frozen) grad mu,   M = D f   or M as given

    Args:
        D: tracer diffusivity, a number, 3 principal values or a 3 x 3 tensor in crystal axes; zero is allowed
            [m^2/s].
        mobility: the factor f; the default is c_max c(1-c)/(R T) [mol^2/(J m^3)].
        M: instead of D, a constant mobility of the same shapes [mol^2/(J m s)].
        angle: turn of the crystal about laboratory z, counter-clockwise; may vary by cell [rad].
        axes: two of the crystal axes a, b, c as laboratory directions, such as {"a": "x", "c": "y"}.
        rotation: instead of axes, a 3 x 3 matrix (or one per cell) whose columns are the crystal axes [1].
        on: name of a cell set; None: every cell.

    Raises:
        ConfigError: not exactly one of D and M is given, or it is negative.
    """

    D: Any = param("m^2/s", default=None, doc="tracer diffusivity")
    mobility: AbstractMobility = DegenerateMobility()
    M: Any = param("mol^2/(J*m*s)", default=None, doc="constant mobility")
    orientation: Orientation | None = None
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def __init__(
        self, D: Any = None, mobility: AbstractMobility | None = None, *, M: Any = None, angle: Any = None,
        axes: Any = None, rotation: Any = None, on: str | None = None,
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
        self.on = on

    def __check_init__(self):
        require_semidefinite(self.D, "Diffusion.D", "m^2/s")
        require_semidefinite(self.M, "Diffusion.M", "mol^2/(J m s)")

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-dt 1/2 grad mu . M grad mu [J/m^3]"""
        dt = now.dt
        if self.orientation is not None:
            now, frozen = self.orientation.crystal(now), self.orientation.crystal(frozen)
        if self.M is not None:
            return mul(-dt, quadratic_form(self.M, now.grad_mu))
        return mul(-dt, mul(self.mobility(frozen), quadratic_form(self.D, now.grad_mu)))
