"""Physical quantities: "11.2 kJ/mol" -> SI, declared parameters, and the one nondimensional layer, `Scales`."""

from __future__ import annotations

import abc
import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import numpy as np

from .errors import UnitError

BASE = ("[length]", "[time]", "[mass]", "[current]", "[substance]", "[temperature]")
FIELD_UNITS = {"c": "1", "mu": "J/mol", "u": "m"}  # SI units of the nodal fields
Module = TypeVar("Module")
Function = TypeVar("Function", bound=Callable[..., Any])


@functools.cache
def _registry():
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


@functools.cache
def dimension(unit: str) -> tuple[float, ...]:
    """Exponents of (length, time, mass, current, substance, temperature) of a unit such as "J/mol"."""
    exponents = _registry().parse_units(unit).dimensionality if unit != "1" else {}
    return tuple(float(exponents.get(name, 0)) for name in BASE)


class AbstractQuantity(eqx.Module):
    """What may stand for a number with a unit, such as a course of time; knows what its own parts are."""

    @abc.abstractmethod
    def parsed(self, unit: str, name: str) -> AbstractQuantity:
        """With its texts in SI, for a parameter of a unit and a name."""

    @abc.abstractmethod
    def scaled(self, scales: Scales, unit: str) -> AbstractQuantity:
        """Over the scales, for a parameter of a unit."""


def parse(value: Any, unit: str, *, name: str = "value") -> Any:
    """The SI number of a quantity: "40 nm" with unit "m" gives 4e-8; numbers are taken as SI already.

    Lists are converted entry by entry; arrays, tracers and per-cell values pass through.

    Raises:
        UnitError: the text is no quantity, or has another dimension than `unit`.
    """
    if isinstance(value, str):
        return np.float64(_parse_text(value, unit, name))
    if isinstance(value, AbstractQuantity):
        return value.parsed(unit, name)
    if isinstance(value, list | tuple):
        return np.array([parse(v, unit, name=name) for v in value], dtype=np.float64)
    if isinstance(value, bool):
        raise UnitError(f"{name} = {value}: expected a quantity in {unit}, not true or false.")
    if isinstance(value, int | float):
        return np.array(value, dtype=np.float64)
    return value


def _quantity(text: str, name: str, unit: str) -> Any:
    import pint

    try:
        return _registry().Quantity(text)
    except (pint.PintError, ValueError, TypeError, SyntaxError, AttributeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnitError(
            f'{name} = "{text}" is not a quantity ({reason}). Write a number and a unit, such as "1 {unit}".'
        ) from None


def _parse_text(text: str, unit: str, name: str) -> float:
    import pint

    quantity = _quantity(text, name, unit)
    if quantity.unitless and unit != "1":  # "30 deg" has no dimension, but a unit
        raise UnitError(f'{name} = "{text}" has no unit. Expected a quantity in {unit}: write "{text} {unit}" if so.')
    target = "" if unit == "1" else unit
    try:
        return float(quantity.to(target).magnitude)
    except pint.DimensionalityError:
        raise UnitError(
            f'{name} = "{text}" has dimension {quantity.dimensionality}. '
            f"Expected a quantity in {'no unit' if unit == '1' else unit}."
        ) from None


def quantities(**units: str) -> Callable[[Function], Function]:
    """A function that takes texts with units, such as "40 nm", for the arguments named; numbers are SI and pass.

    Raises:
        UnitError: on a call with a text that is no quantity, or has another dimension than the argument's unit.
    """

    def decorated(function: Function) -> Function:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*arguments, **named):
            bound = signature.bind(*arguments, **named)
            for name, unit in units.items():
                if _has_text(bound.arguments.get(name)):
                    bound.arguments[name] = parse(bound.arguments[name], unit, name=name)
            return function(*bound.args, **bound.kwargs)

        return cast(Function, call)

    return decorated


def _has_text(value: Any) -> bool:
    return any(map(_has_text, value)) if isinstance(value, list | tuple) else isinstance(value, str)


def in_SI(value: Any, *, name: str = "value") -> Any:
    """The number of a quantity of any dimension in SI base units: "40 nm" gives 4e-8, "1 GPa" 1e9; numbers stay.

    Raises:
        UnitError: the text is no quantity.
    """
    if isinstance(value, list | tuple):
        return [in_SI(v, name=name) for v in value]
    if not isinstance(value, str):
        return value
    return float(_quantity(value, name, "m").to_base_units().magnitude)


def has_dimension(value: Any, unit: str) -> bool:
    """Whether a text quantity has the dimension of `unit`; numbers have none of their own, so the answer is False."""
    if not isinstance(value, str):
        return False
    try:
        parse(value, unit)
    except UnitError:
        return False
    return True


def param(unit: str = "1", *, default: Any = dataclasses.MISSING, doc: str = "") -> Any:
    """A differentiable material parameter: an SI number (or array, or `PerCell`) that declares its unit.

    Args:
        unit: SI unit, such as "J/m^3"; "1" for a pure number.
        default: value when none is given; strings with units are welcome.
        doc: one line for listings.
    """
    kwargs = {} if default is dataclasses.MISSING else {"default": default}
    convert = functools.partial(parse, unit=unit)
    return eqx.field(converter=convert, metadata={"unit": unit, "doc": doc}, **kwargs)


class Scales(eqx.Module):
    """The units in which the residual is evaluated; a change of scales changes no SI result.

    Five numbers fix every scale: the voltage scale is energy / charge, so R T and F become numbers near one.
    """

    length: float = eqx.field(static=True)  # [m]
    time: float = eqx.field(static=True)  # [s]
    energy_density: float = eqx.field(static=True)  # [J/m^3]
    concentration: float = eqx.field(static=True)  # [mol/m^3]
    temperature: float = eqx.field(static=True)  # [K]
    charge: float = eqx.field(static=True)  # [C]

    @classmethod
    def natural(cls, length: float, time: float, host: Any) -> Scales:
        """Scales in which c_max, R T and F are one: lengths over `length` [m], times over `time` [s]."""
        c_max, RT, F, T = (float(v) for v in (host.c_max, host.RT, host.faraday, host.T))
        return cls(length, time, RT * c_max, c_max, T, F * c_max * length**3)

    @classmethod
    def unit(cls) -> Scales:
        """No scaling: every number is used as it is (SI, or a dimensionless problem such as PFHub's)."""
        return cls(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)

    def of(self, unit: str) -> float:
        """The size, in SI, of one scaled unit of the given dimension."""
        mass = self.energy_density * self.length * self.time**2
        amount = self.concentration * self.length**3
        sizes = (self.length, self.time, mass, self.charge / self.time, amount, self.temperature)
        return float(np.prod([size**power for size, power in zip(sizes, dimension(unit), strict=True)]))

    def apply(self, tree: Module) -> Module:
        """A copy of a module tree in which every declared parameter is divided by its scale."""
        return _scaled(tree, self)


def _scaled(node: Any, scales: Scales) -> Any:
    if isinstance(node, tuple | list):
        return type(node)(_scaled(item, scales) for item in node)
    if isinstance(node, dict):
        return {key: _scaled(item, scales) for key, item in node.items()}
    if not isinstance(node, eqx.Module):
        return node
    new = object.__new__(type(node))
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if field.metadata.get("unit") is not None and value is not None:
            value = _over(value, scales, field.metadata["unit"])
        else:
            value = _scaled(value, scales)
        object.__setattr__(new, field.name, value)
    return new


def _over(value: Any, scales: Scales, unit: str) -> Any:
    size = scales.of(unit)

    def over(leaf):
        return leaf.scaled(scales, unit) if isinstance(leaf, AbstractQuantity) else leaf / size

    return jax.tree.map(over, value, is_leaf=lambda v: isinstance(v, AbstractQuantity))


def declared_parameters(tree: Any, path: str = "") -> list[tuple[str, Any, str, str]]:
    """Every declared parameter below a module tree as (path, SI value, unit, doc)."""
    if isinstance(tree, tuple | list):
        return [row for k, item in enumerate(tree) for row in declared_parameters(item, f"{path}.{k}".lstrip("."))]
    if not isinstance(tree, eqx.Module):
        return []
    rows = []
    for field in dataclasses.fields(tree):
        value, where = getattr(tree, field.name), f"{path}.{field.name}".lstrip(".")
        if field.metadata.get("unit") is not None:
            values = {f"{where}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {where: value}
            unit, doc = field.metadata["unit"], field.metadata["doc"]
            rows += [(place, v, unit, doc) for place, v in values.items() if v is not None]
        else:
            rows += declared_parameters(value, where)
    return rows
