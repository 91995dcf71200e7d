"""Quantities that change with time: courses of straight lines."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .errors import ConfigError
from .units import AbstractQuantity, Scales, param, parse


class Course(AbstractQuantity):
    """A quantity over time, by straight lines between given moments; constant before the first and after the last

    Runs end a step at each of the moments. The values can be differentiated by.

    Args:
        times: increasing, since the start of the run [s].
        values: one for each of them, each of the shape that the quantity has, as numbers in SI or texts with units.

    Raises:
        ConfigError: the times do not increase, or there are more or fewer values.
    """

    times: Float[Array, " n"] = param("s", doc="moments of a course")
    values: Any = eqx.field()  # pyright: ignore[reportGeneralTypeIssues]  # `param` without a default is one

    def __check_init__(self):
        times = self.times
        if isinstance(times, jax.core.Tracer):
            return
        if np.ndim(times) != 1 or len(times) == 0 or not np.all(np.diff(np.asarray(times)) > 0):
            raise ConfigError(f"Course.times = {np.asarray(times).tolist()} s must be a list of increasing times.")
        if len(times) != len(self.values):
            raise ConfigError(f"Course: {len(self.values)} values for {len(times)} times. Give one for each.")

    def parsed(self, unit: str, name: str) -> Course:
        """With values in SI."""
        return Course(self.times, parse(self.values, unit, name=f"{name}.values"))

    def scaled(self, scales: Scales, unit: str) -> Course:
        """Over the scales of time and of the quantity."""
        values = jax.tree.map(lambda v: v / scales.of(unit), self.values)
        return Course(jax.tree.map(lambda v: v / scales.of("s"), self.times), values)

    def __call__(self, t: Any) -> Array:
        """The value at a time."""
        times, values = jnp.asarray(self.times, float), jnp.asarray(self.values, float)
        part = jnp.clip((t - times[:-1]) / jnp.diff(times), 0.0, 1.0)
        return values[0] + jnp.tensordot(part, jnp.diff(values, axis=0), 1)


def value_at(quantity: Any, t: Any) -> Any:
    """A quantity at a time: of a course, or of what does not change."""
    return quantity(t) if isinstance(quantity, Course) else quantity


def moments(tree: Any) -> Float[np.ndarray, " n"]:
    """The times of all courses below a tree, sorted [s]."""
    courses = [v for v in jax.tree.leaves(tree, is_leaf=_is_course) if _is_course(v)]
    return np.unique(np.concatenate([np.zeros(0), *(np.asarray(jax.lax.stop_gradient(v.times)) for v in courses)]))


def _is_course(value: Any) -> bool:
    return isinstance(value, Course)
