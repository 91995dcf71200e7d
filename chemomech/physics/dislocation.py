"""Straight dislocations with a core of finite width: as a stress-free strain, and their stress in an infinite body.

Cai, Arsenlis, Weinberger, Bulatov, J. Mech. Phys. Solids 54 (2006) 561, doi:10.1016/j.jmps.2005.09.005.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..density import Local, Scalar
from ..errors import ConfigError
from ..tensors import Sym, Vector
from ..units import param
from . import checks
from .strained import AbstractStrainField
from .traction import AbstractLoad


class _Line(NamedTuple):
    """One dislocation: the point in its own frame, its Burgers vector there, its core, and that frame."""

    x: Scalar  # along the cut, from the line on
    y: Scalar  # across it
    burgers: tuple[Scalar, Scalar, Scalar]
    core: Scalar
    axes: tuple[Scalar, Scalar]  # cosine and sine


class Dislocations(AbstractStrainField):
    """Straight dislocations along z: eps = sum of (b n + n b)/2 W

    W(x, y) = int_cut 2 a^4 / (pi ((x-x')^2 + y^2 + a^2)^3) dx'

    Each has slipped by b over its cut, a half plane that ends at the line: x < 0 in its own frame, whose x-axis stands
    at `angle` to the laboratory's; n is the frame's y-axis. Slip is spread along the cut and across it, so that the
    stress in an infinite body is that of the non-singular theory. An edge with b along x has its extra half plane at
    y > 0. Where a cut ends inside the body (`cut`), another one of opposite sign is left there.

    Args:
        positions: x and y of each line [m].
        burgers: Burgers vector of each, in laboratory axes, of 2 or 3 components [m].
        core: a, the same for all or one each [m].
        angle: of each cut, the same for all or one each [rad].
        cut: length of the cuts [m]; None: they leave the body.

    Raises:
        ConfigError: shapes do not fit.
    """

    positions: Any = param("m", doc="places of dislocations")
    burgers: Any = param("m", doc="Burgers vectors")
    core: Any = param("m", doc="core radius of dislocations")
    angle: Any = param("rad", default=0.0, doc="direction of cuts")
    cut: Any = param("m", default=None, doc="length of cuts")

    def __check_init__(self):
        checks.positive(self.core, "Dislocations.core", "m")
        shapes = np.shape(self.positions), np.shape(self.burgers)
        good = len(shapes[0]) == len(shapes[1]) == 2 and shapes[0][1] == 2 and shapes[1][1] in (2, 3)
        if not good or shapes[0][0] != shapes[1][0]:
            raise ConfigError(
                f"Dislocations: positions of shape {shapes[0]} and Burgers vectors of shape {shapes[1]}. Give one row "
                "for each line: x and y, and two or three components."
            )

    def __call__(self, x: Vector) -> Sym:
        total = Sym()
        for line in self._lines(x):
            b, share = line.burgers, self._spread(line)
            own = Sym(yy=b[1] * share, xy=0.5 * b[0] * share, yz=0.5 * b[2] * share)
            total = total + own.transformed(_turn(line.axes))
        return total

    def stress(self, x: Vector, G: Scalar, nu: Scalar) -> Sym:
        """The sum of their stresses in an infinite isotropic body [Pa]; cuts end outside it.

        Args:
            x: position [m].
            G: shear modulus [Pa].
            nu: Poisson's ratio [1].
        """
        total = Sym()
        for line in self._lines(x):
            total = total + _stress(line, G, nu).transformed(_turn(line.axes))
        return total

    def _lines(self, x: Vector) -> list[_Line]:
        count, three = self.positions.shape[0], self.burgers.shape[1] == 3
        core, angle = (v if np.ndim(v) else [v] * count for v in (self.core, self.angle))
        out = []
        for k in range(count):
            cos, sin = jnp.cos(angle[k]), jnp.sin(angle[k])
            dx, dy = x.x - self.positions[k, 0], x.y - self.positions[k, 1]
            bx, by = self.burgers[k, 0], self.burgers[k, 1]
            burgers = cos * bx + sin * by, cos * by - sin * bx, self.burgers[k, 2] if three else 0.0
            out.append(_Line(cos * dx + sin * dy, cos * dy - sin * dx, burgers, core[k], (cos, sin)))
        return out

    def _spread(self, line: _Line) -> Scalar:
        """W [1/m]"""
        q2 = line.y**2 + line.core**2
        q = jnp.sqrt(q2)

        def primitive(t):  # of 1 / (t^2 + q^2)^3
            s = t**2 + q2
            return t / (4 * q2 * s**2) + 3 * t / (8 * q2**2 * s) + 3 * jnp.arctan(t / q) / (8 * q2**2 * q)

        start = -3 * np.pi / (16 * q2**2 * q) if self.cut is None else primitive(-line.x - self.cut)
        return 2 * line.core**4 / np.pi * (primitive(-line.x) - start)


def _turn(axes: tuple[Scalar, Scalar]) -> tuple[tuple[Scalar, ...], ...]:
    cos, sin = axes
    return ((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0))


def _stress(line: _Line, G: Scalar, nu: Scalar) -> Sym:
    """Of one line in its own frame."""
    (glide, climb, screw), x, y, a2 = line.burgers, line.x, line.y, line.core**2
    rho2 = x**2 + y**2 + a2
    xx, yy, xy = _edge(x, y, a2, rho2)
    other = _edge(y, -x, a2, rho2)  # turned by a right angle
    plane, anti = G / (2 * np.pi * (1 - nu)), G / (2 * np.pi) * screw * (1 + a2 / rho2) / rho2
    xx, yy = plane * (glide * xx + climb * other[1]), plane * (glide * yy + climb * other[0])
    return Sym(xx, yy, nu * (xx + yy), anti * x, -anti * y, plane * (glide * xy - climb * other[2]))


def _edge(x: Scalar, y: Scalar, a2: Scalar, rho2: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """xx, yy, xy of a Burgers vector of length one along x, over G / (2 pi (1 - nu)) [1/m]."""
    return (
        -y / rho2 * (1 + 2 * (x**2 + a2) / rho2), y / rho2 * (1 - 2 * (y**2 + a2) / rho2),
        x / rho2 * (1 - 2 * y**2 / rho2),
    )  # fmt: skip


class SurroundingStress(AbstractLoad):
    """density = -(sigma n).u: faces of a piece cut out of an infinite isotropic body that holds dislocations

    Args:
        dislocations: whose stress acts on the faces.
        G: shear modulus [Pa].
        nu: Poisson's ratio [1].
        on: name of a facet set.
    """

    dislocations: Dislocations
    G: Scalar = param("Pa", doc="shear modulus")
    nu: Scalar = param("1", doc="Poisson's ratio")
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-(sigma n).u [J/m^2]"""
        rows = self.dislocations.stress(now.x, self.G, self.nu).rows()
        return -now.normal.transformed(rows).dot(now.u)
