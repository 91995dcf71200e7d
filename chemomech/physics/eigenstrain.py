"""Stress-free strain eps0(c) caused by lithium, in crystal axes."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..density import PerCell, Scalar
from ..errors import ConfigError
from ..tensors import Sym
from ..units import param, parse
from . import spline


def symmetric(value: Any, unit: str = "1", name: str = "strain") -> Any:
    """Six tensor components (xx, yy, zz, yz, xz, xy) of a strain given as 1, 3, 6 or 3 x 3 numbers; None stays.

    One number is isotropic, three are principal values; shears are tensor components, not engineering ones.

    Raises:
        ConfigError: another shape.
    """
    if value is None:
        return None
    if isinstance(value, PerCell):
        return PerCell(_six(value.values, lead=1))
    return _six(parse(value, unit, name=name), lead=0)


def _six(value: Any, lead: int) -> Any:
    backend = jnp if isinstance(value, jax.Array) else np
    shape = np.shape(value)[lead:]
    if shape == (6,):
        return value
    if shape == ():
        return backend.stack([value] * 3 + [backend.zeros_like(value)] * 3, axis=-1)
    if shape == (3,):
        return backend.concatenate([value, backend.zeros_like(value)], axis=-1)
    if shape == (3, 3):
        return backend.stack([value[..., i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))], axis=-1)
    raise ConfigError(f"A strain has 1, 3, 6 or 3 x 3 components, but its shape is {shape}.")


def as_sym(components: Any) -> Sym:
    """The `Sym` of six stored components; NumPy's zeros become exact zeros."""
    entries = [components[k] for k in range(6)]
    return Sym(*(float(e) if isinstance(e, np.floating) else e for e in entries))


class AbstractEigenstrain(eqx.Module):
    """Stress-free strain as a function of composition."""

    @abc.abstractmethod
    def __call__(self, c: Scalar) -> Sym:
        """eps0(c) [1]"""


class Vegard(AbstractEigenstrain):
    """eps0 = strain (c - c_ref)

    Args:
        strain: strain from c = 0 to c = 1, as 1, 3, 6 or 3 x 3 numbers [1].
        c_ref: stress-free composition [1].
    """

    strain: Any = param("1", doc="misfit strain from c = 0 to c = 1")
    c_ref: Scalar = param("1", default=0.0, doc="stress-free composition")

    def __init__(self, strain: Any, c_ref: Any = 0.0):
        self.strain = symmetric(strain)
        self.c_ref = c_ref

    @classmethod
    def from_partial_molar_volume(cls, omega: Any, c_max: Any, c_ref: Any = 0.0) -> Vegard:
        """Isotropic strain Omega c_max / 3.

        Args:
            omega: partial molar volume of lithium in the host [m^3/mol].
            c_max: concentration of lithium sites [mol/m^3].
            c_ref: stress-free composition [1].
        """
        return cls(parse(omega, "m^3/mol", name="omega") * parse(c_max, "mol/m^3", name="c_max") / 3.0, c_ref)

    def __call__(self, c: Scalar) -> Sym:
        return as_sym(self.strain) * (c - self.c_ref)


class BowedVegard(AbstractEigenstrain):
    """eps0 = a (c - c_ref) + b [c(1-c) - c_ref(1-c_ref)]

    Args:
        strain: a, strain from c = 0 to c = 1, as 1, 3, 6 or 3 x 3 numbers [1].
        bowing: b, as 1, 3, 6 or 3 x 3 numbers [1].
        c_ref: stress-free composition [1].
    """

    strain: Any = param("1", doc="misfit strain from c = 0 to c = 1")
    bowing: Any = param("1", doc="bowing of the misfit strain")
    c_ref: Scalar = param("1", default=0.0, doc="stress-free composition")

    def __init__(self, strain: Any, bowing: Any, c_ref: Any = 0.0):
        self.strain = symmetric(strain)
        self.bowing = symmetric(bowing)
        self.c_ref = c_ref

    def __call__(self, c: Scalar) -> Sym:
        bow = c * (1.0 - c) - self.c_ref * (1.0 - self.c_ref)
        return as_sym(self.strain) * (c - self.c_ref) + as_sym(self.bowing) * bow


class TabulatedEigenstrain(AbstractEigenstrain):
    """eps0 = S(c) - S(c_ref), with S a cubic spline through a table; straight lines outside it

    Args:
        c: increasing compositions [1].
        strain: one row per composition, of 1, 3 or 6 components [1].
        c_ref: stress-free composition [1]; None takes the table as it stands.

    Raises:
        ConfigError: unsorted or unequal table.
    """

    knots: Any = param("1", doc="compositions of the table")
    pieces: tuple[Any, ...] = ()  # pure numbers, one spline per component; None where the table is zero
    c_ref: Scalar | None = param("1", default=None, doc="stress-free composition")

    def __init__(self, c: Any, strain: Any, c_ref: Any = None):
        strain = parse(strain, "1", name="TabulatedEigenstrain.strain")
        self.knots = spline.knots_of(c, strain, "TabulatedEigenstrain")
        columns = _six(strain, lead=1)
        self.pieces = tuple(_column_pieces(self.knots, columns[:, k]) for k in range(6))
        self.c_ref = c_ref

    def __call__(self, c: Scalar) -> Sym:
        strain = self._table(c)
        return strain if self.c_ref is None else strain - self._table(self.c_ref)

    def _table(self, c: Scalar) -> Sym:
        return Sym(*(0.0 if p is None else spline.evaluate(self.knots, p, c) for p in self.pieces))


def _column_pieces(knots: np.ndarray, column: Any) -> Any:
    if isinstance(column, np.ndarray) and not column.any():
        return None
    return spline.cubic_pieces(knots, column)
