"""Cubic splines through tables, as piecewise polynomials that are evaluated elementwise."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..density import Scalar
from ..errors import ConfigError
from ..units import parse
from . import checks


def knots_of(c: Any, values: Any, name: str) -> np.ndarray:
    """The knots of a table, checked: strictly increasing, at least two, one table row each.

    Raises:
        ConfigError: the table is unsorted, too short, or of unequal length.
    """
    knots = np.asarray(parse(c, "1", name=f"{name}.c"), dtype=np.float64)
    where = f"{name}: the table's compositions c"
    checks.require(knots.ndim == 1 and knots.size >= 2, f"{where} must be a list of at least two numbers.")
    steps = np.diff(knots)
    if not np.all(steps > 0):
        k = int(np.argmax(~(steps > 0)))
        raise ConfigError(
            f"{where} are not sorted: entry {k + 1} is {knots[k + 1]:g} after {knots[k]:g}. "
            "Sort the rows by c and drop repeated ones."
        )
    rows = np.shape(values)[0] if np.ndim(values) else 0
    checks.require(rows == knots.size, f"{where} have {knots.size} entries, but the values have {rows} rows.")
    return knots


def cubic_pieces(knots: np.ndarray, values: Any) -> Any:
    """Polynomial coefficients (pieces, 4), highest power first, of the not-a-knot cubic spline of a table.

    The first and last piece continue the curve as straight lines outside the table. Twice continuously
    differentiable inside, once at the ends. The coefficients are linear in `values`, so tracers are welcome.

    Args:
        knots: n increasing compositions [-].
        values: n table values [unit of the table].
    """
    backend = jnp if isinstance(values, jax.Array) else np
    return backend.einsum("pdk,k->pd", _cubic_basis(knots), values)


def _cubic_basis(knots: np.ndarray) -> np.ndarray:
    from scipy.interpolate import CubicSpline

    if knots.size == 2:  # scipy's straight line, in the same shape
        slope = np.array([[-1.0, 1.0]]) / (knots[1] - knots[0])
        inner = np.concatenate([np.zeros((2, 1, 2)), slope[None], np.array([[[1.0, 0.0]]])])
    else:
        inner = CubicSpline(knots, np.eye(knots.size)).c  # (4, pieces, knots)
    t = knots[-1] - knots[-2]
    last = inner[:, -1]
    end = np.stack([0 * last[0], 0 * last[0], 3 * t**2 * last[0] + 2 * t * last[1] + last[2], np.eye(knots.size)[-1]])
    start = np.concatenate([np.zeros((2, knots.size)), inner[2:, 0]])
    return np.concatenate([start[:, None], inner, end[:, None]], axis=1).transpose(1, 0, 2)


def antiderivative(knots: np.ndarray, pieces: Any) -> Any:
    """Coefficients, one degree higher, of the continuous antiderivative that is zero at the first knot."""
    backend = jnp if isinstance(pieces, jax.Array) else np
    degree = pieces.shape[1]
    raised = pieces / np.arange(degree, 0, -1)
    width = np.diff(knots)
    gains = sum(raised[1:-1, k] * width ** (degree - k) for k in range(degree))
    start = backend.concatenate([np.zeros(2), backend.cumsum(gains)])
    return backend.concatenate([raised, start[:, None]], axis=1)


def evaluate(knots: Any, pieces: Any, c: Scalar) -> Scalar:
    """The piecewise polynomial at c, elementwise; a straight line (or its integral) outside the knots."""
    knots, pieces = jnp.asarray(knots), jnp.asarray(pieces)
    piece = jnp.searchsorted(knots, c, side="right", method="compare_all")
    t = c - jnp.take(knots, jnp.maximum(piece - 1, 0))
    value = jnp.take(pieces[:, 0], piece)
    for k in range(1, pieces.shape[1]):
        value = value * t + jnp.take(pieces[:, k], piece)
    return value
