"""Checks of parameters at construction; tracers and per-cell values pass, because modules are rebuilt under JAX."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError


def is_concrete(value: Any) -> bool:
    """Whether a parameter is a plain number or NumPy array whose entries may be looked at."""
    return isinstance(value, np.ndarray | np.floating | float | int)


def require(good: bool, message: str) -> None:
    """Raise a ConfigError with the message unless `good`."""
    if not good:
        raise ConfigError(message)


def positive(value: Any, name: str, unit: str) -> None:
    """A concrete parameter must be positive."""
    if is_concrete(value):
        require(bool(np.all(np.asarray(value) > 0)), f"{name} = {value} {unit} must be positive. Check sign and unit.")


def non_negative(value: Any, name: str, unit: str) -> None:
    """A concrete parameter must not be negative."""
    if is_concrete(value):
        good = bool(np.all(np.asarray(value) >= 0))
        require(good, f"{name} = {value} {unit} must not be negative. Check sign and unit.")


def fraction(value: Any, name: str) -> None:
    """A concrete parameter must lie strictly between 0 and 1."""
    if is_concrete(value):
        good = bool(np.all((np.asarray(value) > 0) & (np.asarray(value) < 1)))
        require(good, f"{name} = {value} must lie strictly between 0 and 1. 0.5 is the usual choice.")


def smallest_eigenvalue(matrix: Any, name: str, unit: str) -> float:
    """The smallest eigenvalue of a concrete symmetric matrix.

    Raises:
        ConfigError: the matrix is not symmetric.
    """
    matrix = np.asarray(matrix)
    asymmetry = float(np.abs(matrix - matrix.T).max())
    require(
        asymmetry <= 1e-9 * float(np.abs(matrix).max()),
        f"{name} is not symmetric: it differs from its transpose by up to {asymmetry:.3g} {unit}. "
        "Give (A + A^T)/2, or check the order of the entries.",
    )
    return float(np.linalg.eigvalsh(matrix)[0])
