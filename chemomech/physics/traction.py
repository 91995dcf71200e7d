"""Forces on faces: given tractions and pressures as potentials of dead loads."""

from __future__ import annotations

from typing import Any

import equinox as eqx

from ..courses import value_at
from ..density import AbstractPotential, Local, Scalar
from ..tensors import Vector
from ..units import param


class AbstractLoad(AbstractPotential):
    """Minus the work of forces on faces [J/m^2]."""

    @property
    def per_area(self) -> bool:
        """On facets."""
        return True


class Traction(AbstractLoad):
    """density = -t.u: a force per reference area of a face that keeps its size and direction

    Args:
        vector: t, one component for each axis, or a `Course` of such [Pa].
        on: name of a facet set.
    """

    vector: Any = param("Pa", doc="traction on a face")
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """-t.u [J/m^2]"""
        t = value_at(self.vector, now.t)
        return -Vector(*(t[k] for k in range(t.shape[0]))).dot(now.u)


class Pressure(AbstractLoad):
    """density = p n.u: a pressure along the normal of the undeformed face, a dead load as small strains have it

    Args:
        p: positive presses inwards, or a `Course` of that [Pa].
        on: name of a facet set.
    """

    p: Any = param("Pa", doc="pressure on a face")
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """p n.u [J/m^2]"""
        return value_at(self.p, now.t) * now.normal.dot(now.u)
