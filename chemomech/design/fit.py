"""Numbers of a model from measured data: least squares, and how certain they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ConfigError

INDISTINCT = 1e-12  # least over largest slope of the data, with numbers in widths of their bounds
Residual = Callable[[Float[Array, " p"]], Any]


class Fit(NamedTuple):
    """Numbers of least squares, with the covariance of Laplace's estimate: noise^2 (J^T J)^-1."""

    x: Float[np.ndarray, " p"]
    covariance: Float[np.ndarray, "p p"]
    noise: float  # standard deviation of one datum
    evaluations: int

    @property
    def errors(self) -> Float[np.ndarray, " p"]:
        """Standard error of each number."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Float[np.ndarray, "p p"]:
        """Of the errors, -1 to 1."""
        return self.covariance / np.outer(self.errors, self.errors)

    def interval(self, level: float = 0.95) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
        """Least and largest values that contain each truth in a share `level` of all measurements."""
        from scipy.stats import norm

        half = norm.ppf(0.5 + 0.5 * level) * self.errors
        return self.x - half, self.x + half


def fit(
    residual: Residual, start: Float[np.ndarray, " p"], lower: Float[np.ndarray, " p"], upper: Float[np.ndarray, " p"],
    *, noise: float | None = None, tolerance: float = 1e-6,
) -> Fit:  # fmt: skip
    """The numbers of least squares between bounds, by SciPy's trust regions with a forward-mode Jacobian.

    Args:
        residual: x -> model less data, an array of any shape; smooth, so a run takes given steps (`replay`).
        start: first numbers.
        lower: bounds.
        upper: bounds.
        noise: standard deviation of one datum; None: from the residual that is left.
        tolerance: relative change of the numbers, or of the sum of squares, at which it ends.

    Raises:
        ConfigError: the start lies outside the bounds, or the data do not tell some numbers apart.
    """
    from scipy.optimize import least_squares

    lower, width = np.asarray(lower, float), np.asarray(upper, float) - lower
    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def both(x):
        found = jnp.ravel(residual(x))
        return found, found

    def at(u):
        key = np.asarray(u, float).tobytes()
        if key not in known:
            slope, value = jax.jacfwd(both, has_aux=True)(jnp.asarray(lower + u * width))
            known[key] = np.asarray(value, float), np.asarray(slope, float) * width
        return known[key]

    first = (np.asarray(start, float) - lower) / width
    if not np.all((first >= 0.0) & (first <= 1.0)):
        raise ConfigError(f"The fit starts from {np.asarray(start)}, outside its bounds {lower} to {lower + width}.")
    found = least_squares(
        lambda u: at(u)[0], first, lambda u: at(u)[1], bounds=(0.0, 1.0), xtol=tolerance, ftol=tolerance
    )
    values, slopes = at(found.x)
    _, sizes, modes = np.linalg.svd(slopes, full_matrices=False)
    if len(values) < len(first) + (noise is None) or sizes[-1] <= INDISTINCT * sizes[0]:
        raise ConfigError(
            f"{len(values)} data do not tell the {len(first)} numbers apart: with x along {modes[-1] * width} they "
            "stay what they are. Try: more data, or leave out one of these numbers."
        )
    if noise is None:
        noise = float(np.sqrt(values @ values / (len(values) - len(first))))
    covariance = noise**2 * (modes.T / sizes**2) @ modes * np.outer(width, width)
    return Fit(lower + found.x * width, covariance, noise, len(known))
