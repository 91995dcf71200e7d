"""Stiffness matrices in Voigt's order xx, yy, zz, yz, xz, xy (engineering shears), in crystal axes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..density import PerCell
from ..errors import ConfigError
from ..units import parse
from . import checks


def isotropic(E: Any = None, nu: Any = None, *, G: Any = None, K: Any = None) -> Any:
    """Stiffness of an isotropic solid from E and nu, or from G and K.

    Args:
        E: Young's modulus [Pa].
        nu: Poisson's ratio [1].
        G: shear modulus [Pa].
        K: bulk modulus [Pa].

    Raises:
        ConfigError: neither pair is complete, or a modulus is out of range.
    """
    pair = (E is not None and nu is not None, G is not None and K is not None)
    if sum(pair) != 1 or sum(v is not None for v in (E, nu, G, K)) != 2:
        raise ConfigError("An isotropic stiffness needs E and nu, or G and K: exactly one of the two pairs.")
    if pair[0]:
        E, nu = parse(E, "Pa", name="E"), parse(nu, "1", name="nu")
        checks.positive(E, "E", "Pa")
        checks.poisson(nu, "nu")
        return _assembled({"E": E, "nu": nu}, lambda v: _from_lame(v["E"] / (2 * (1 + v["nu"])), _lame(**v)))
    G, K = parse(G, "Pa", name="G"), parse(K, "Pa", name="K")
    checks.positive(G, "G", "Pa")
    checks.positive(K, "K", "Pa")
    return _assembled({"G": G, "K": K}, lambda v: _from_lame(v["G"], v["K"] - 2 * v["G"] / 3))


def cubic(c11: Any, c12: Any, c44: Any) -> Any:
    """Stiffness of a cubic crystal, three constants [Pa]."""
    return orthotropic(c11, c11, c11, c44, c44, c44, c12, c12, c12)


def orthotropic(
    c11: Any, c22: Any, c33: Any, c44: Any, c55: Any, c66: Any, c12: Any, c13: Any, c23: Any
) -> Any:  # fmt: skip
    """Stiffness of an orthotropic crystal, nine constants [Pa]; 4, 5, 6 are the shears yz, xz, xy."""
    names = ("c11", "c22", "c33", "c44", "c55", "c66", "c12", "c13", "c23")
    values = (c11, c22, c33, c44, c55, c66, c12, c13, c23)
    constants = {name: parse(v, "Pa", name=name) for name, v in zip(names, values, strict=True)}
    return _assembled(constants, lambda v: _rows(**v))


def full(constants: Any) -> Any:
    """Stiffness from a 6 x 6 matrix, or from the 21 entries of its upper triangle row by row [Pa]; None stays.

    Raises:
        ConfigError: another shape.
    """
    values = parse(constants, "Pa", name="stiffness")
    if values is None or isinstance(values, PerCell) or np.shape(values) == (6, 6):
        return values
    if np.shape(values) != (21,):
        raise ConfigError(f"A stiffness is 6 x 6 or its 21 upper entries row by row, but has shape {np.shape(values)}.")
    position = np.zeros((6, 6), dtype=int)
    position[np.triu_indices(6)] = np.arange(21)
    return values[np.maximum(position, position.T)]


def require_positive_definite(stiffness: Any, name: str) -> None:
    """A concrete stiffness must be symmetric and positive definite.

    Raises:
        ConfigError: it is not; the message has the smallest eigenvalue.
    """
    if not checks.is_concrete(stiffness):
        return
    checks.require(np.shape(stiffness) == (6, 6), f"{name} must be 6 x 6, but has shape {np.shape(stiffness)}.")
    smallest = checks.smallest_eigenvalue(stiffness, name, "Pa")
    checks.require(
        smallest > 0,
        f"{name} is not positive definite: its smallest eigenvalue is {smallest:.4g} Pa. "
        "Check the constants and their order (xx, yy, zz, yz, xz, xy).",
    )


def _lame(E, nu):
    return E * nu / ((1 + nu) * (1 - 2 * nu))


def _from_lame(G, lam):
    return _rows(lam + 2 * G, lam + 2 * G, lam + 2 * G, G, G, G, lam, lam, lam)


def _rows(c11, c22, c33, c44, c55, c66, c12, c13, c23):
    return (
        (c11, c12, c13, 0.0, 0.0, 0.0),
        (c12, c22, c23, 0.0, 0.0, 0.0),
        (c13, c23, c33, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, c44, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0, c55, 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0, c66),
    )


def _assembled(constants: dict[str, Any], build: Any) -> Any:
    per_cell = any(isinstance(v, PerCell) for v in constants.values())
    values = {name: v.values if isinstance(v, PerCell) else v for name, v in constants.items()}
    backend = jnp if any(isinstance(v, jax.Array) for v in values.values()) else np
    rows = build(values)
    shape = np.broadcast_shapes(*(np.shape(v) for v in values.values()))
    stacked = backend.stack(
        [backend.stack([backend.broadcast_to(entry, shape) for entry in row], axis=-1) for row in rows], axis=-2
    )
    return PerCell(stacked) if per_cell else stacked
