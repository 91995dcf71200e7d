"""Homogeneous chemical free energies psi(c); the chemical potential is their derivative, taken by JAX."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx

from ..density import AbstractFreeEnergy, Local, Scalar
from ..errors import ConfigError
from ..tensors import xlogx
from ..units import param, parse
from . import checks, spline


def mixing_entropy(c: Scalar) -> Scalar:
    """c ln c + (1 - c) ln(1 - c), the ideal mixing energy in units of R T per site."""
    return xlogx(c) + xlogx(1.0 - c)


class RegularSolution(AbstractFreeEnergy):
    """psi = c_max [R T (c ln c + (1-c) ln(1-c) + chi c(1-c)) + omega c(1-c)]

    Args:
        chi: interaction in units of R T [1]; above 2 the material separates into phases.
        omega: interaction that does not scale with temperature [J/mol]; both may be given, they add.

    Raises:
        ConfigError: neither chi nor omega is given.
    """

    name: ClassVar[str] = "chemical"
    domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    chi: Scalar | None = param("1", default=None, doc="regular-solution interaction over R T")
    omega: Scalar | None = param("J/mol", default=None, doc="regular-solution interaction")

    def __check_init__(self):
        if self.chi is None and self.omega is None:
            raise ConfigError(
                'RegularSolution needs chi (a number, such as 2.5) or omega (such as "11.2 kJ/mol"). '
                "For an ideal solution write chi=0."
            )

    def __call__(self, s: Local) -> Scalar:
        c, RT = s.c, s.host.RT
        chi_RT = 0.0 if self.chi is None else self.chi * RT
        omega = 0.0 if self.omega is None else self.omega
        return s.host.c_max * (RT * mixing_entropy(c) + (chi_RT + omega) * c * (1.0 - c))


class DoubleWell(AbstractFreeEnergy):
    """psi = height (c - ca)^2 (cb - c)^2

    Args:
        height: prefactor [J/m^3].
        ca: composition of the poor phase [1].
        cb: composition of the rich phase [1].
    """

    name: ClassVar[str] = "chemical"
    height: Scalar = param("J/m^3", doc="prefactor of the double well")
    ca: Scalar = param("1", default=0.0, doc="composition of the poor phase")
    cb: Scalar = param("1", default=1.0, doc="composition of the rich phase")

    def __check_init__(self):
        checks.positive(self.height, "DoubleWell.height", "J/m^3")
        if checks.is_concrete(self.ca) and checks.is_concrete(self.cb):
            checks.require(
                bool(self.ca < self.cb), f"DoubleWell needs ca < cb, but ca = {self.ca} and cb = {self.cb}. Swap them?"
            )

    def __call__(self, s: Local) -> Scalar:
        return self.height * (s.c - self.ca) ** 2 * (self.cb - s.c) ** 2


class RedlichKister(AbstractFreeEnergy):
    """psi = c_max [mu0 c + R T (c ln c + (1-c) ln(1-c)) + c(1-c) sum_i beta_i (1-2c)^(i-1)], i = 1, 2, ...

    Args:
        coefficients: beta_1, beta_2, ... [J/mol].
        mu0: reference chemical potential, a tilt of the curve [J/mol].
        ideal: whether the ideal mixing term is included.
    """

    name: ClassVar[str] = "chemical"
    coefficients: Any = param("J/mol", doc="Redlich-Kister coefficients")
    mu0: Scalar = param("J/mol", default=0.0, doc="reference chemical potential")
    ideal: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        if checks.is_concrete(self.coefficients):
            good = getattr(self.coefficients, "ndim", 0) == 1 and self.coefficients.size > 0
            checks.require(good, "RedlichKister.coefficients must be a list of at least one value [J/mol].")

    @property
    def domain(self) -> tuple[float, float] | None:
        """(0, 1) with the ideal mixing term, unbounded without."""
        return (0.0, 1.0) if self.ideal else None

    def __call__(self, s: Local) -> Scalar:
        c, beta = s.c, self.coefficients
        series = beta[beta.shape[0] - 1]
        for i in reversed(range(beta.shape[0] - 1)):
            series = series * (1.0 - 2.0 * c) + beta[i]
        mixing = s.host.RT * mixing_entropy(c) if self.ideal else 0.0
        return s.host.c_max * (self.mu0 * c + mixing + c * (1.0 - c) * series)


class TabulatedOCV(AbstractFreeEnergy):
    """psi = c_max F (U0 c - int U dc), so that mu = -F (U(c) - U0) with U a cubic spline of a measured voltage

    Outside the table the voltage continues as a straight line.

    Args:
        c: increasing compositions [1].
        U: open-circuit voltage at each composition [V].
        U0: voltage at which mu is zero [V].

    Raises:
        ConfigError: unsorted or unequal table.
    """

    name: ClassVar[str] = "chemical"
    knots: Any = param("1", doc="compositions of the table")
    pieces: Any = param("V", doc="polynomials of the integral of the voltage")
    U0: Scalar = param("V", doc="voltage at which mu is zero")

    def __init__(self, c: Any, U: Any, U0: Any = 0.0):
        U = parse(U, "V", name="TabulatedOCV.U")
        self.knots = spline.knots_of(c, U, "TabulatedOCV")
        self.pieces = spline.antiderivative(self.knots, spline.cubic_pieces(self.knots, U))
        self.U0 = U0

    def __call__(self, s: Local) -> Scalar:
        charge_density = s.host.c_max * s.host.faraday
        return charge_density * (self.U0 * s.c - spline.evaluate(self.knots, self.pieces, s.c))
