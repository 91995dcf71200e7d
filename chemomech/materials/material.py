"""A material: host, free energy in crystal axes, transport and kinetics, and where every number comes from."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import equinox as eqx

from ..density import AbstractFreeEnergy, Host, Scalar
from ..physics.interface import AbstractExchangeCurrent
from ..units import declared_parameters, param


class UnverifiedWarning(UserWarning):
    """A material contains numbers whose source has not been checked."""


class Row(NamedTuple):
    """One line of a material's table.

    Args:
        symbol: name of the quantity, the one used in the code where there is one.
        value: number and unit as text, or "none" where no value is known.
        source: where it was read, or how it was obtained.
        mark: "read" (seen in the source), "derived" (computed from read numbers), "unverified" (recalled or
            assumed), "unknown" (left out).
    """

    symbol: str
    value: str
    source: str
    mark: str = "read"


class Material(eqx.Module):
    """An electrode material.

    Every declared parameter is an attribute under its own name, such as `material.k0`, `material.kappa` or
    `material.c_max`.

    Args:
        name: the name it is loaded by.
        formula: the host and its end members.
        host: site density and temperature.
        energy: the known parts of the free energy, in crystal axes a, b, c = x, y, z.
        D: tracer diffusivity; None: unknown [m^2/s].
        exchange: exchange current density; None: unknown.
        V0: voltage against lithium at mu = 0; None: unknown [V].
        table: every number with its source and mark.
        references: papers and data files.
    """

    name: str = eqx.field(static=True)
    formula: str = eqx.field(static=True)
    host: Host
    energy: AbstractFreeEnergy
    D: Scalar | None = param("m^2/s", default=None, doc="tracer diffusivity")
    exchange: AbstractExchangeCurrent | None = None
    V0: Scalar | None = param("V", default=None, doc="voltage at mu = 0")
    table: tuple[Row, ...] = eqx.field(static=True, default=())
    references: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def unverified(self) -> tuple[Row, ...]:
        """The rows whose source has not been checked."""
        return tuple(row for row in self.table if row.mark == "unverified")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in self.__dataclass_fields__:
            raise AttributeError(name)
        known = {path.rsplit(".", 1)[-1]: value for path, value, _, _ in declared_parameters(self)}
        if name in known:
            return known[name]
        raise AttributeError(f"{self.name} has no `{name}`. Its parameters are: {', '.join(sorted(known))}.")


def warn_unverified(material: Material) -> None:
    """Warn once per load, naming the numbers whose source has not been checked."""
    if material.unverified:
        rows = ", ".join(f"{row.symbol} = {row.value}" for row in material.unverified)
        warnings.warn(
            f"{material.name}: these values are unverified: {rows}. Replace them by your own, or check `.table`.",
            UnverifiedWarning,
            stacklevel=3,
        )
