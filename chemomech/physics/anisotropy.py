"""Scalars or second-order tensors as parameters: the same formula for isotropic and anisotropic materials."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..density import PerCell, Scalar
from ..errors import ConfigError
from ..tensors import Vector, mul, quadratic
from . import checks


def as_tensor(value: Any) -> Any:
    """A scalar or 3 x 3 parameter as it is; three principal values become a diagonal tensor."""
    if isinstance(value, PerCell):
        return PerCell(_diagonal(value.values)) if np.shape(value.values)[1:] == (3,) else value
    return _diagonal(value) if np.shape(value) == (3,) else value


def _diagonal(values: Any) -> Any:
    backend = jnp if isinstance(values, jax.Array) else np
    return values[..., None] * backend.eye(3)


def quadratic_form(matrix: Any, v: Vector) -> Scalar:
    """1/2 v . A v with A a scalar or a 3 x 3 tensor."""
    if np.shape(matrix)[:2] == (3, 3):  # a per-cell scalar arrives as (1, elements)
        return quadratic(matrix, (v.x, v.y, v.z))
    return mul(0.5, mul(matrix, v.dot(v)))


def require_semidefinite(value: Any, name: str, unit: str) -> None:
    """A concrete scalar or 3 x 3 parameter must not be negative in any direction.

    Raises:
        ConfigError: wrong shape, not symmetric, or negative.
    """
    if not checks.is_concrete(value):
        return
    if np.shape(value) == ():
        return checks.non_negative(value, name, unit)
    if np.shape(value) != (3, 3):
        raise ConfigError(f"{name} has shape {np.shape(value)}. Give a number, 3 principal values or a 3 x 3 tensor.")
    smallest = checks.smallest_eigenvalue(value, name, unit)
    checks.require(
        smallest >= -1e-12 * float(np.abs(value).max()),
        f"{name} is negative in one direction: its smallest eigenvalue is {smallest:.4g} {unit}. Check its entries.",
    )
