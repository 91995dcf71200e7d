"""Bravais lattices by their cells: lengths, angles and centring."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..errors import ConfigError
from ..units import parse
from .spectral import safe_denominator, safe_sqrt

RIGHT = np.pi / 2
# Columns: primitive vectors in terms of the cell's. R is a hexagonal cell, obverse setting.
CENTRINGS = {
    "P": np.eye(3),
    "A": np.array([[2, 0, 0], [0, 1, -1], [0, 1, 1]]).astype(float) / 2,
    "B": np.array([[1, 0, -1], [0, 2, 0], [1, 0, 1]]).astype(float) / 2,
    "C": np.array([[1, -1, 0], [1, 1, 0], [0, 0, 2]]).astype(float) / 2,
    "I": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]).astype(float) / 2,
    "F": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]).astype(float) / 2,
    "R": np.array([[2, -1, -1], [1, 1, -2], [1, 1, 1]]).astype(float) / 3,
}


class Lattice(eqx.Module):
    """A lattice, or many of them along leading axes.

    Args:
        lengths: a, b, c [m]; text such as "8.245 angstrom" is welcome.
        angles: alpha (between b and c), beta (a and c), gamma (a and b) [rad]; text such as "90 deg" is welcome.
        centring: P, A, B, C, I, F, or R (hexagonal cell, obverse setting).

    Raises:
        ConfigError: a length is not positive, the angles close no cell, or the centring is unknown. (Numbers that
            JAX traces cannot be looked at: `valid` tells, and such a lattice is infinitely far from any other.)
    """

    lengths: Float[Array, "*batch 3"]
    angles: Float[Array, "*batch 3"]
    centring: str = eqx.field(static=True, default="P")

    def __init__(self, lengths: Any, angles: Any = (RIGHT, RIGHT, RIGHT), centring: str = "P"):
        lengths, angles = _numbers(lengths, "m", "lengths"), _numbers(angles, "rad", "angles")
        for name, value in (("lengths", lengths), ("angles", angles)):
            if value.ndim == 0 or value.shape[-1] != 3:
                raise ConfigError(f"Lattice.{name} has shape {value.shape}. Try: three numbers, or rows of three.")
        if centring not in CENTRINGS:
            raise ConfigError(f'Lattice.centring is "{centring}". Try: one of {", ".join(CENTRINGS)}.')
        shape = jnp.broadcast_shapes(lengths.shape, angles.shape)
        self.lengths, self.angles = jnp.broadcast_to(lengths, shape), jnp.broadcast_to(angles, shape)
        self.centring = centring
        _check(self)

    @classmethod
    def cubic(cls, a: Any, centring: str = "P") -> Lattice:
        """a = b = c, right angles [m]."""
        return cls.orthorhombic(a, a, a, centring)

    @classmethod
    def tetragonal(cls, a: Any, c: Any, centring: str = "P") -> Lattice:
        """a = b, right angles [m]."""
        return cls.orthorhombic(a, a, c, centring)

    @classmethod
    def orthorhombic(cls, a: Any, b: Any, c: Any, centring: str = "P") -> Lattice:
        """Right angles [m]."""
        return cls(_stacked(a, b, c, "m"), centring=centring)

    @classmethod
    def hexagonal(cls, a: Any, c: Any, centring: str = "P") -> Lattice:
        """a = b, gamma = 120 degrees [m]; rhombohedral lattices have centring R."""
        return cls(_stacked(a, a, c, "m"), (RIGHT, RIGHT, 2 * np.pi / 3), centring)

    @classmethod
    def monoclinic(cls, a: Any, b: Any, c: Any, beta: Any, centring: str = "P") -> Lattice:
        """Unique axis b: alpha = gamma = 90 degrees [m, rad]."""
        return cls(_stacked(a, b, c, "m"), _stacked(RIGHT, beta, RIGHT, "rad"), centring)

    @classmethod
    def from_basis(cls, basis: Float[Array, "*batch 3 3"], centring: str = "P") -> Lattice:
        """The lattice of three vectors, the columns of `basis` [m]; how they are turned in space is forgotten.

        Raises:
            ConfigError: the vectors lie in a plane.
        """
        a, b, c = jnp.moveaxis(jnp.asarray(basis, float), -1, 0)
        lengths = jnp.stack([_length(v) for v in (a, b, c)], axis=-1)
        return cls(lengths, jnp.stack([_angle(b, c), _angle(a, c), _angle(a, b)], axis=-1), centring)

    @property
    def basis(self) -> Float[Array, "*batch 3 3"]:
        """The cell's vectors a, b, c as columns, a along x, b in the xy plane, c upwards [m].

        Of a cell that cannot exist the third vector lies in the xy plane.
        """
        cos, sin = jnp.cos(self.angles), jnp.sin(self.angles)
        sine = safe_denominator(sin[..., 2])
        across = (cos[..., 0] - cos[..., 1] * cos[..., 2]) / sine
        square = _gram(cos) / sine**2
        up = safe_sqrt(square)
        zero, one = jnp.zeros_like(up), jnp.ones_like(up)
        columns = [[one, zero, zero], [cos[..., 2], sin[..., 2], zero], [cos[..., 1], across, up]]
        return jnp.stack([jnp.stack(c, axis=-1) for c in columns], axis=-1) * self.lengths[..., None, :]

    @property
    def primitive(self) -> Float[Array, "*batch 3 3"]:
        """Vectors of a primitive cell as columns [m]."""
        return self.basis @ jnp.asarray(CENTRINGS[self.centring])

    @property
    def metric(self) -> Float[Array, "*batch 3 3"]:
        """G_ij = a_i . a_j of the cell [m^2]"""
        return jnp.swapaxes(self.basis, -1, -2) @ self.basis

    @property
    def volume(self) -> Float[Array, "*batch"]:
        """Volume of the cell [m^3]."""
        return self.basis[..., 0, 0] * self.basis[..., 1, 1] * self.basis[..., 2, 2]

    @property
    def valid(self) -> Bool[Array, "*batch"]:
        """Whether such a cell exists: positive lengths, angles that close it."""
        inside = (self.angles > 0) & (self.angles < np.pi)
        finite = jnp.isfinite(self.lengths) & (self.lengths > 0)
        return jnp.all(inside & finite, axis=-1) & (_gram(jnp.cos(self.angles)) > FLAT)


FLAT = 1e-10  # squared volume over squared lengths, below which three vectors lie in a plane


def _gram(cos: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
    """Squared volume of a cell of unit lengths."""
    return 1.0 - jnp.sum(cos**2, axis=-1) + 2.0 * jnp.prod(cos, axis=-1)


def _length(v: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
    return safe_sqrt(jnp.sum(v**2, axis=-1))


def _angle(u: Float[Array, "*batch 3"], v: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
    """Angle between vectors, exact to round-off near 0, 90 and 180 degrees alike [rad]."""
    return jnp.arctan2(_length(jnp.cross(u, v)), jnp.sum(u * v, axis=-1))


def _numbers(value: Any, unit: str, name: str) -> Float[Array, "*batch"]:
    if isinstance(value, list | tuple):
        return jnp.stack([_numbers(v, unit, name) for v in value])
    return jnp.asarray(parse(value, unit, name=f"Lattice.{name}"), float)


def _stacked(x: Any, y: Any, z: Any, unit: str) -> Float[Array, "*batch 3"]:
    numbers = [_numbers(v, unit, "lengths" if unit == "m" else "angles") for v in (x, y, z)]
    return jnp.stack(jnp.broadcast_arrays(*numbers), axis=-1)


def _check(lattice: Lattice) -> None:
    if isinstance(lattice.lengths, jax.core.Tracer) or isinstance(lattice.angles, jax.core.Tracer):
        return
    bad = np.flatnonzero(~np.atleast_1d(np.asarray(lattice.valid)))
    if len(bad) == 0:
        return
    lengths, angles = (np.asarray(v).reshape(-1, 3)[bad[0]] for v in (lattice.lengths, lattice.angles))
    where = f" (row {bad[0]}, the first of {len(bad)})" if lattice.lengths.ndim > 1 else ""
    raise ConfigError(
        f"No cell has lengths {_listed(lengths)} m and angles {_listed(np.degrees(angles))} degrees{where}. Try: "
        "positive lengths; angles in radians (or text, '90 deg'), each less than the other two together, and all "
        "together less than 360 degrees."
    )


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{v:.6g}" for v in values)
