"""The contract between physics and finite elements: what a density sees at one point, and what it returns."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .errors import ChemomechError, ConfigError
from .tensors import Component, Sym, Tensor, Vector, entry
from .units import param

Scalar = Component  # a scalar at one point; an array over (points, elements) underneath


class Host(eqx.Module):
    """What every term of one electrode material shares: site density and temperature.

    Args:
        c_max: concentration of lithium sites [mol/m^3].
        T: temperature [K].
    """

    c_max: Scalar = param("mol/m^3", doc="concentration of lithium sites")
    T: Scalar = param("K", default="298.15 K", doc="temperature")
    gas_constant: Scalar = param("J/mol/K", default=8.31446261815324, doc="molar gas constant")
    faraday: Scalar = param("C/mol", default=96485.33212331, doc="Faraday constant")

    def __check_init__(self):
        for name, unit in (("c_max", "mol/m^3"), ("T", "K")):
            value = getattr(self, name)
            if isinstance(value, float | int | np.ndarray) and not np.all(np.asarray(value) > 0):
                raise ConfigError(f"Host.{name} = {value} {unit} must be positive. Check sign and unit.")

    @property
    def RT(self) -> Scalar:
        """R T [J/mol]"""
        return self.gas_constant * self.T

    @classmethod
    def dimensionless(cls) -> Host:
        """c_max = R T = F = 1, for problems stated without units."""
        return cls(c_max=1.0, T=1.0, gas_constant=1.0, faraday=1.0)


class PerCell(eqx.Module):
    """A parameter with one value per mesh cell; the density still sees the value at its own point.

    Args:
        values: one entry per cell first, then the parameter's own axes [unit of the parameter].
    """

    values: Float[Array, "cells ..."]


class Local(eqx.Module):
    """The state at one point, embedded in three dimensions.

    `s.c`, `s.mu` are field values, `s.grad_c` a `Vector`, `s.H` the displacement gradient, `s.V` a global scalar,
    `s.x` the position, `s.normal` the outward normal (facets only), `s.host` the shared constants.
    Reading what the problem does not have raises an error that says how to add it.
    """

    values: dict[str, Any]
    host: Host
    x: Vector
    t: Scalar
    dt: Scalar

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("values", "host", "x", "t", "dt"):
            raise AttributeError(name)
        try:
            return self.values[name]
        except KeyError:
            field = name.removeprefix("grad_")
            raise ChemomechError(
                f"A density reads `{name}`, but the problem has only {', '.join(sorted(self.values))}. "
                f"Add the field or global scalar '{'u' if field == 'H' else field}' to the problem."
            ) from None

    @property
    def strain(self) -> Sym:
        """Small total strain, sym(H)."""
        return self.H.sym

    def replace(self, **values: Any) -> Local:
        """The same point with some values exchanged: the tool of every change of variables."""
        return Local({**self.values, **values}, self.host, self.x, self.t, self.dt)

    def rotated(self, rotation: Any) -> Local:
        """The same point seen in crystal axes: R^T g for every gradient, R^T H R for the displacement gradient.

        Args:
            rotation: 3 x 3 matrix (array or nested tuple) whose columns are the crystal axes in the laboratory frame.
        """
        inverse = [[entry(rotation, j, i) for j in range(3)] for i in range(3)]
        turned = {k: v.transformed(inverse) for k, v in self.values.items() if isinstance(v, Vector | Tensor)}
        return self.replace(**turned)


class AbstractFreeEnergy(eqx.Module):
    """A free energy density psi(c, grad c, H, ...) [J/m^3] at one point; `+` adds energies."""

    name: ClassVar[str] = "other"  # its column in the energy ledger
    domain: ClassVar[tuple[float, float] | None] = None  # open interval that c must stay in
    finite: ClassVar[bool] = False  # of the deformation gradient I + H, whatever its size, not of small strain

    @abc.abstractmethod
    def __call__(self, s: Local) -> Scalar:
        """psi [J/m^3] at the local state."""

    def __add__(self, other: AbstractFreeEnergy) -> Sum:
        return Sum((*self.terms(), *other.terms()))

    def terms(self) -> tuple[AbstractFreeEnergy, ...]:
        """The separately reported parts of this energy."""
        return (self,)


class Sum(AbstractFreeEnergy):
    """psi = sum of its parts."""

    parts: tuple[AbstractFreeEnergy, ...]

    @property
    def finite(self) -> bool:
        """Whether any part is."""
        return any(part.finite for part in self.parts)

    def __call__(self, s: Local) -> Scalar:
        return sum((part(s) for part in self.parts[1:]), self.parts[0](s))

    def terms(self) -> tuple[AbstractFreeEnergy, ...]:
        """All parts of the sum."""
        return tuple(term for part in self.parts for term in part.terms())


class AbstractWrapped(AbstractFreeEnergy):
    """An energy that evaluates another one at a changed state, and is in all else what that one is."""

    psi: eqx.AbstractVar[AbstractFreeEnergy]

    @property
    def name(self) -> str:
        """The inner energy's column in the ledger."""
        return self.psi.name

    @property
    def domain(self) -> tuple[float, float] | None:
        """The inner energy's domain."""
        return self.psi.domain

    @property
    def finite(self) -> bool:
        """Whether the inner energy is of finite strain."""
        return self.psi.finite

    def terms(self) -> tuple[AbstractFreeEnergy, ...]:
        """One wrapped energy per inner part."""
        return tuple(eqx.tree_at(lambda wrapped: wrapped.psi, self, term) for term in self.psi.terms())


class AbstractPotential(eqx.Module):
    """One term of the incremental potential of a time step, as a density on cells or facets.

    The residual is the derivative with respect to `now` at frozen = now.
    """

    on: eqx.AbstractVar[str | None]  # name of a cell set or facet set; None: every cell

    @abc.abstractmethod
    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """The density at one point [J/m^3 on cells, J/m^2 on facets].

        Args:
            now: the unknown state, which is varied.
            frozen: the same values, not varied: for mobilities and exchange currents.
            rate: the stepper's effective old state, for rate terms only.
            prev: the true previous state, for history and irreversibility.
        """

    def stored(self) -> tuple[AbstractFreeEnergy, ...]:
        """Energies that belong in the ledger."""
        return ()

    @property
    def per_area(self) -> bool:
        """Whether the density is per area of a facet, not per volume of a cell."""
        return False

    def scalars(self) -> tuple[str, ...]:
        """Global unknowns, such as the cell voltage V, that this term brings into the problem."""
        return ()
