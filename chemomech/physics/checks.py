"""Checks of parameters at construction; tracers pass, because modules are rebuilt under JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..density import PerCell
from ..errors import ConfigError


def is_concrete(value: Any) -> bool:
    """Whether a parameter is a plain number or NumPy array whose entries may be looked at."""
    return isinstance(value, np.ndarray | np.floating | float | int)


def _numbers(value: Any) -> np.ndarray | None:
    """The entries that may be looked at: those of a number, of an array, or of all cells; None of a tracer."""
    value = value.values if isinstance(value, PerCell) else value
    return np.asarray(value) if is_concrete(value) else None


def require(good: bool, message: str) -> None:
    """Raise a ConfigError with the message unless `good`."""
    if not good:
        raise ConfigError(message)


def positive(value: Any, name: str, unit: str) -> None:
    """A concrete parameter must be positive."""
    _all(value, lambda v: v > 0, f"{name} = {{}} {unit} must be positive. Check sign and unit.")


def non_negative(value: Any, name: str, unit: str) -> None:
    """A concrete parameter must not be negative."""
    _all(value, lambda v: v >= 0, f"{name} = {{}} {unit} must not be negative. Check sign and unit.")


def fraction(value: Any, name: str) -> None:
    """A concrete parameter must lie strictly between 0 and 1."""
    _all(value, lambda v: (v > 0) & (v < 1), f"{name} = {{}} must lie strictly between 0 and 1. 0.5 is usual.")


def poisson(value: Any, name: str) -> None:
    """A concrete Poisson's ratio must be that of a stable isotropic solid."""
    _all(value, lambda v: (v > -1) & (v < 0.5), f"{name} = {{}} must lie between -1 and 0.5, both excluded.")


def _all(value: Any, good: Callable[[np.ndarray], np.ndarray], message: str) -> None:
    numbers = _numbers(value)
    if numbers is not None:
        bad = np.atleast_1d(numbers)[~np.atleast_1d(good(numbers))]
        require(not bad.size, message.format(bad[0] if bad.size else ""))


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
