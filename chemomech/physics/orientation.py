"""Crystal orientation: energies and mobilities are written in crystal axes and see the state turned into them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..density import AbstractFreeEnergy, AbstractWrapped, Local, PerCell, Scalar
from ..errors import ConfigError
from ..tensors import add, entry, mul
from ..units import param
from . import checks

Rows = tuple[tuple[Any, ...], ...]
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def crystal_axes(axes: Any) -> Rows:
    """The 3 x 3 matrix whose columns are the crystal axes a, b, c in the laboratory frame, as nested tuples.

    Args:
        axes: two of a, b, c as laboratory directions, such as {"a": "x", "c": "-y"}; the third follows by the
            right-handed cross product. None: a, b, c along x, y, z.

    Raises:
        ConfigError: unknown letters, not two axes, or the two are not perpendicular.
    """
    if axes is None:
        return IDENTITY
    if not isinstance(axes, dict):
        return tuple(tuple(float(e) for e in row) for row in axes)
    unknown = [key for key in axes if key not in ("a", "b", "c")]
    if unknown or len(axes) not in (2, 3):
        raise ConfigError(f'axes = {axes}: name two of a, b, c, such as {{"a" = "x", "c" = "y"}}.')
    known = {"abc".index(key): _direction(value, axes) for key, value in axes.items()}
    first, second = list(known)[:2]
    third = 3 - first - second
    sign = 1.0 if (second - first) % 3 == 1 else -1.0
    normal = sign * np.cross(known[first], known[second])
    if not normal.any() or (third in known and not np.array_equal(known[third], normal)):
        raise ConfigError(f"axes = {axes} is no right-handed set of perpendicular axes. Give two perpendicular ones.")
    known[third] = normal
    return tuple(tuple(float(known[j][i]) for j in range(3)) for i in range(3))


def _direction(text: str, axes: Any) -> np.ndarray:
    letter = str(text).removeprefix("-").removeprefix("+")
    if letter not in ("x", "y", "z"):
        raise ConfigError(f'axes = {axes}: "{text}" is no direction. Write x, y, z, -x, -y or -z.')
    return (-1.0 if str(text).startswith("-") else 1.0) * np.eye(3)["xyz".index(letter)]


def turned(axes: Any, angle: Any) -> Rows:
    """Crystal axes turned about laboratory z by an angle, from components, so that the angle may vary by cell.

    Args:
        axes: 3 x 3 matrix whose columns are the crystal axes before the turn [1].
        angle: counter-clockwise [rad]; None: no turn.
    """
    rows = tuple(tuple(entry(axes, i, j) for j in range(3)) for i in range(3))
    if angle is None:
        return rows
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x = tuple(add(mul(cos, rows[0][j]), mul(-sin, rows[1][j])) for j in range(3))
    y = tuple(add(mul(sin, rows[0][j]), mul(cos, rows[1][j])) for j in range(3))
    return (x, y, rows[2])


def rotation_matrix(axes: Any = None, angle: float = 0.0) -> np.ndarray:
    """The crystal axes a, b, c in the laboratory frame, as columns.

    Args:
        axes: two of a, b, c as laboratory directions, such as {"a": "x", "c": "y"}; None: along x, y, z.
        angle: turn of the crystal about laboratory z, counter-clockwise [rad].
    """
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ np.array(crystal_axes(axes))


class Orientation(eqx.Module):
    """The crystal axes at one point.

    Args:
        angle: turn about laboratory z after `axes` or `rotation`, counter-clockwise [rad].
        axes: two of a, b, c as laboratory directions, such as {"a": "x", "c": "y"}.
        rotation: instead of axes, a 3 x 3 matrix (or one per cell) whose columns are the crystal axes [1].

    Raises:
        ConfigError: axes and rotation are both given, or the rotation is not proper.
    """

    angle: Any = param("rad", default=None, doc="turn of the crystal about z")
    axes: Any = eqx.field(static=True, converter=crystal_axes, default=None)
    rotation: Any = param("1", default=None, doc="crystal axes as columns")

    def __check_init__(self):
        if self.rotation is None:
            return
        if self.axes != IDENTITY:
            raise ConfigError("Give axes or rotation, not both.")
        if not isinstance(self.rotation, PerCell) and checks.is_concrete(self.rotation):
            R = np.asarray(self.rotation)
            good = R.shape == (3, 3) and np.allclose(R @ R.T, np.eye(3), atol=1e-9) and np.linalg.det(R) > 0
            checks.require(good, f"rotation = {R.tolist()} is not a proper rotation: R R^T = I and det R = 1.")

    @property
    def matrix(self) -> Rows:
        """Nested tuples [i][j]: component i of crystal axis j in the laboratory frame."""
        return turned(self.axes if self.rotation is None else self.rotation, self.angle)

    def crystal(self, s: Local) -> Local:
        """The state seen in crystal axes."""
        return s.rotated(self.matrix)


class Oriented(AbstractWrapped):
    """psi(R^T grad c, R^T H R, ...): an energy written in crystal axes, at a point of a turned crystal

    Args:
        psi: energy in crystal axes.
        angle: turn of the crystal about laboratory z, counter-clockwise; may vary by cell [rad].
        axes: two of a, b, c as laboratory directions before the turn, such as {"a": "x", "c": "y"}.
        rotation: instead of axes, a 3 x 3 matrix (or one per cell) whose columns are the crystal axes [1].
    """

    psi: AbstractFreeEnergy
    orientation: Orientation

    def __init__(self, psi: AbstractFreeEnergy, angle: Any = None, axes: Any = None, rotation: Any = None):
        self.psi = psi
        self.orientation = Orientation(angle, axes, rotation)

    def __call__(self, s: Local) -> Scalar:
        return self.psi(self.orientation.crystal(s))
