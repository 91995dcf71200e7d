"""Bodies of one long axis that are stretched, bent and twisted as a whole: uniform along it, by global scalars."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx

from ..courses import Course
from ..density import Scalar
from ..errors import ConfigError, UnitError
from ..tensors import Vector, add, mul
from ..units import AbstractQuantity, Scales, param, parse

AXES = "xyz"
FREE = "free"
CONJUGATE = {"1": "N", "1/m": "N*m"}  # force or moment, by the unit of the scalar


class Free(AbstractQuantity):
    """A global scalar that is an unknown, on which nothing acts."""

    def parsed(self, unit: str, name: str) -> Free:
        """Itself."""
        return self

    def scaled(self, scales: Scales, unit: str) -> Free:
        """Itself."""
        return self


class Load(AbstractQuantity):
    """A global scalar that is an unknown, on which a given force [N] or moment [N m] acts

    Args:
        value: number in SI, text with a unit, or a `Course`: the force along the axis, where it acts on the axial
            strain, else the moment.
    """

    value: Any

    def parsed(self, unit: str, name: str) -> Load:
        """In SI."""
        return Load(parse(self.value, conjugate(unit), name=name))

    def scaled(self, scales: Scales, unit: str) -> Load:
        """Over the scale of a force or moment."""
        if isinstance(self.value, Course):
            return Load(self.value.scaled(scales, conjugate(unit)))
        return Load(self.value / scales.of(conjugate(unit)))


def conjugate(unit: str) -> str:
    """The unit of the force or moment that acts on a scalar.

    Raises:
        ConfigError: on something of that unit no load acts.
    """
    if unit not in CONJUGATE:
        raise ConfigError(f"A Load acts on an axial strain, a curvature or a twist, not on what is in {unit}.")
    return CONJUGATE[unit]


def acting(unit: str, default: Any, doc: str) -> Any:
    """A declared scalar that is given (number, text or `Course`), "free", under a `Load`, or None: there is none.

    Raises:
        ConfigError: what is given is something else.
        UnitError: a text is no such quantity.
    """
    number = "a number" if unit == "1" else f'a number, text such as "1e5 {unit}"'
    ways = f'Give {number}, "free", a Course of such values, or a Load in {conjugate(unit)}.'

    def convert(value):
        if isinstance(value, str) and value == FREE:
            return Free()
        other = isinstance(value, eqx.Module) and not isinstance(value, Course | Free | Load)
        if other or isinstance(value, list | tuple | dict):
            raise ConfigError(f"{doc}: {type(value).__name__} is no such quantity. {ways}")
        try:
            return parse(value, unit, name=doc)
        except UnitError as error:
            raise UnitError(f"{error} {ways}") from None

    return eqx.field(default=default, converter=convert, metadata={"unit": unit, "doc": doc})


class AbstractBending(eqx.Module):
    """What global scalars add to the displacement gradient of a body that is long along one axis.

    The nodal displacement is what comes on top of it: periodic along the axis, or held along the axis at both ends
    (plane sections, which the whole turns). The added gradient is that of an observer who turns with the section: it
    has the strain of the bent body, which is the same at every place along the axis.
    """

    dim: ClassVar[int]

    @property
    @abc.abstractmethod
    def parts(self) -> dict[str, Any]:
        """Each scalar by name: a number or a `Course`, `Free`, or a `Load`."""

    @abc.abstractmethod
    def gradient(self, scalars: dict[str, Scalar], x: Vector) -> dict[str, Scalar]:
        """Components of the displacement gradient at a point."""

    @property
    @abc.abstractmethod
    def along(self) -> int:
        """The number of the axis."""


class Bending(AbstractBending):
    """A strip along x (or y), stretched and bent in its plane: eps_xx = axial - curvature (y - neutral) on top of u

    On top of u(x, y) comes the displacement (axial x - curvature x (y - neutral), curvature x^2/2). Positive curvature
    compresses the side of larger y (along y: of larger x).

    Args:
        curvature: given [1/m], "free", or a `Load` [N m].
        axial: strain of the neutral line, given [1], "free" (no force), or a `Load` [N].
        neutral: y (or x) of the line that the moment is taken about [m].
        axis: "x" or "y".

    Raises:
        ConfigError: another axis.
    """

    curvature: Any = acting("1/m", None, "curvature")
    axial: Any = acting("1", FREE, "axial strain")
    neutral: Scalar = param("m", default=0.0, doc="place of the neutral line")
    axis: str = eqx.field(static=True, default="x")
    dim: ClassVar[int] = 2

    def __check_init__(self):
        if self.axis not in ("x", "y"):
            raise ConfigError(f'Bending.axis = "{self.axis}" is no axis of a plane: write "x" or "y".')

    @property
    def along(self) -> int:
        """The number of the axis."""
        return AXES.index(self.axis)

    @property
    def parts(self) -> dict[str, Any]:
        """axial and curvature"""
        return _present({"axial": self.axial, "curvature": self.curvature})

    def gradient(self, scalars: dict[str, Scalar], x: Vector) -> dict[str, Scalar]:
        """axial - curvature (y - neutral)"""
        height = (x.y if self.axis == "x" else x.x) - self.neutral
        bent = mul(-1.0, mul(scalars.get("curvature", 0.0), height))
        return {self.axis * 2: add(scalars.get("axial", 0.0), bent)}


class WireBending(AbstractBending):
    """A wire along z, stretched, bent and twisted: eps_zz = axial - curvature_x x - curvature_y y, and twist

    x and y are measured from the centre. The twist turns the sections about it by twist z: on top of u comes
    twist (-z y, z x, 0). Along another axis the two curvatures and coordinates are those across it.

    Args:
        curvature_x: how much the side of larger x is compressed, given [1/m], "free", or a `Load` [N m]; None: none.
        curvature_y: the same of y.
        curvature_z: the same of z, for a wire along x or y.
        axial: strain of the axis, given [1], "free" (no force), or a `Load` [N].
        twist: angle per length, given [1/m], "free", or a `Load` [N m]; None: none.
        centre: the two coordinates of the axis [m].
        axis: "x", "y" or "z".

    Raises:
        ConfigError: another axis, or a curvature along it.
    """

    curvature_x: Any = acting("1/m", None, "curvature towards x")
    curvature_y: Any = acting("1/m", None, "curvature towards y")
    curvature_z: Any = acting("1/m", None, "curvature towards z")
    axial: Any = acting("1", FREE, "axial strain")
    twist: Any = acting("1/m", None, "twist")
    centre: Any = param("m", default=(0.0, 0.0), doc="axis of a wire")
    axis: str = eqx.field(static=True, default="z")
    dim: ClassVar[int] = 3

    def __check_init__(self):
        if self.axis not in AXES:
            raise ConfigError(f'WireBending.axis = "{self.axis}" is no axis: write "x", "y" or "z".')
        if getattr(self, f"curvature_{self.axis}") is not None:
            raise ConfigError(
                f"WireBending.curvature_{self.axis}: a wire along {self.axis} has no such curvature. "
                f"Give one of {', '.join(f'curvature_{a}' for a in self._across)}, or the twist."
            )

    @property
    def _across(self) -> str:
        """The two other axes, in cyclic order."""
        return (AXES * 2)[self.along + 1 : self.along + 3]

    @property
    def along(self) -> int:
        """The number of the axis."""
        return AXES.index(self.axis)

    @property
    def parts(self) -> dict[str, Any]:
        """axial, two curvatures and twist"""
        curvatures = {f"curvature_{a}": getattr(self, f"curvature_{a}") for a in self._across}
        return _present({"axial": self.axial, **curvatures, "twist": self.twist})

    def gradient(self, scalars: dict[str, Scalar], x: Vector) -> dict[str, Scalar]:
        """axial - sum of curvatures times distances along the axis; twist across it."""
        b, c = self._across
        distance = {a: getattr(x, a) - self.centre[k] for k, a in enumerate((b, c))}
        bent = [mul(scalars.get(f"curvature_{a}", 0.0), mul(-1.0, distance[a])) for a in (b, c)]
        twist = scalars.get("twist", 0.0)
        return {
            self.axis * 2: add(scalars.get("axial", 0.0), *bent),
            b + self.axis: mul(twist, mul(-1.0, distance[c])), c + self.axis: mul(twist, distance[b]),
        }  # fmt: skip


def _present(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if part is not None}
