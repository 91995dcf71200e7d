"""A design study: variables of an experiment, a goal to minimise, bounds on others."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..adjoint import Step
from ..equilibrium import measured_static
from ..errors import ConfigError
from ..run import Solution
from ..simulate import simulate
from ..taylor import Taylor, taylor_test
from .goals import AbstractGoal
from .minimise import MISSED, Constraint, Evaluation, Optimum, minimise, units
from .variables import AbstractVariable, Experiment


class Limit(eqx.Module):
    """lower <= goal <= upper [in the goal's unit]; equal bounds: an equation.

    Args:
        goal: what is limited.
        lower: least value.
        upper: largest value.

    Raises:
        ConfigError: neither bound is given, or they are no interval.
    """

    goal: AbstractGoal
    lower: float = -np.inf
    upper: float = np.inf

    def __check_init__(self):
        if not self.lower <= self.upper or np.isinf([self.lower, self.upper]).all():
            raise ConfigError(f"A Limit needs `lower`, `upper` or both, lower not above upper: {self}.")


@dataclasses.dataclass(frozen=True)
class Study:
    """What is sought.

    Args:
        experiment: the design to start from.
        variables: what may change.
        objective: what is to become small; large with `maximise`.
        limits: on other goals.
        maximise: seek the largest value instead.
        options: of `simulate`: newton, control, stepper, ...; of a stationary state: newton.
    """

    experiment: Experiment
    variables: Sequence[AbstractVariable]
    objective: AbstractGoal
    limits: Sequence[Limit] = ()
    maximise: bool = False
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.variables:
            raise ConfigError("A study needs at least one variable.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all numbers."""
        return tuple(name for variable in self.variables for name in variable.names)

    @property
    def lower(self) -> Float[np.ndarray, " p"]:
        """Their least values."""
        return np.concatenate([variable.lower for variable in self.variables])

    @property
    def upper(self) -> Float[np.ndarray, " p"]:
        """Their largest values."""
        return np.concatenate([variable.upper for variable in self.variables])

    @functools.cached_property
    def initial(self) -> Float[np.ndarray, " p"]:
        """The design that the experiment is.

        Raises:
            ConfigError: it lies outside the bounds.
        """
        found = np.concatenate([variable.initial(self.experiment) for variable in self.variables])
        for name, low, value, high in zip(self.names, self.lower, found, self.upper, strict=True):
            if not low <= value <= high:
                raise ConfigError(f"{name} starts from {value:g}, outside its bounds {low:g} to {high:g}.")
        return found

    def at(self, x: Float[Array, " p"]) -> Experiment:
        """The experiment of a design."""
        experiment, count = self.experiment, 0
        for variable in self.variables:
            experiment = variable.put(experiment, x[count : count + len(variable.lower)])
            count += len(variable.lower)
        return experiment

    def run(self, x: Float[Array, " p"], *, replay: Sequence[Step] | None = None, **more: Any) -> Solution:
        """Simulate a design, or find its stationary state; derivatives go through."""
        made = self.at(x)
        observe = {name: function for goal in self.goals for name, function in goal.observe().items()}
        if made.protocol is None:
            state, row = measured_static(made.problem, made.state, self.options.get("newton"), observe)
            return Solution({name: value[None] for name, value in row.items()}, [], state, [])
        options = {"frames": 0, "keep": False, **self.options, **more}
        return simulate(made.problem, made.state, made.protocol, observe=observe, replay=replay, **options)

    def values(self, x: Float[Array, " p"], *, replay: Sequence[Step] | None = None) -> Float[Array, " m"]:
        """The objective, then what is limited, of one run."""
        solution = self.run(x, replay=replay)
        return jnp.stack([jnp.asarray(goal(solution)) for goal in self.goals])

    @property
    def goals(self) -> tuple[AbstractGoal, ...]:
        """The objective, then what is limited."""
        return (self.objective, *(limit.goal for limit in self.limits))

    def evaluate(self, x: Float[np.ndarray, " p"]) -> tuple[np.ndarray, np.ndarray]:
        """Values and Jacobian: one run, and one reverse pass for each value."""
        values, pull = jax.vjp(self.values, jnp.asarray(x))
        rows = [np.asarray(pull(one)[0]) for one in jnp.eye(len(values))]
        return np.asarray(values), np.stack(rows)

    def check(self, x: Float[np.ndarray, " p"], *, size: float = 1e-3, seed: int = 0) -> Taylor:
        """A Taylor test of the objective's gradient along a random direction, on the steps of one run."""
        steps = self.run(x).steps
        direction = np.random.default_rng(seed).uniform(-1, 1, len(x)) * (self.upper - self.lower)
        direction = np.where(x + size * direction > self.upper, -np.abs(direction), direction)
        direction = np.where(x + size * direction < self.lower, np.abs(direction), direction)

        def objective(x):
            return self.values(x, replay=steps)[0]

        gradient = jax.grad(objective)(jnp.asarray(x))
        return taylor_test(objective, jnp.asarray(x), gradient, direction=jnp.asarray(direction), size=size)

    def optimise(
        self, start: Float[np.ndarray, " p"] | None = None, *,
        evaluate: Callable[..., tuple[np.ndarray, np.ndarray]] | None = None, **options: Any,
    ) -> Optimum:  # fmt: skip
        """The best design from a start; options are those of `minimise`."""
        found, sign = evaluate or self.evaluate, -1.0 if self.maximise else 1.0
        heard = options.pop("heard", lambda evaluation: None)

        def turned(values, jacobian):
            return np.append(sign * values[:1], values[1:]), np.concatenate([sign * jacobian[:1], jacobian[1:]])

        def back(e: Evaluation) -> Evaluation:
            return e._replace(**dict(zip(("values", "jacobian"), turned(e.values, e.jacobian), strict=True)))

        optimum = minimise(
            lambda x: turned(*found(x)), self.initial if start is None else start, self.lower, self.upper,
            constraints=[Constraint(limit.lower, limit.upper) for limit in self.limits],
            heard=lambda e: heard(back(e)), **options,
        )  # fmt: skip
        values = np.append(sign * optimum.values[:1], optimum.values[1:])
        return optimum._replace(
            value=float(values[0]), values=values, evaluations=tuple(back(e) for e in optimum.evaluations)
        )

    def open(self, optimum: Optimum) -> tuple[str, ...]:
        """What an optimum leaves open, in words: limits that it misses, numbers at their bounds."""
        out, constraints = [], [Constraint(limit.lower, limit.upper) for limit in self.limits]
        sizes = units(optimum.evaluations[0].values, constraints)[1:]
        for limit, constraint, value, size in zip(self.limits, constraints, optimum.values[1:], sizes, strict=True):
            if constraint.violation(value) > MISSED * size:
                name = type(limit.goal).__name__
                out.append(f"{name} is {value:.4g} and misses its limits {limit.lower:g} to {limit.upper:g}")
        for name, low, value, high in zip(self.names, self.lower, optimum.x, self.upper, strict=True):
            near = min(value - low, high - value) <= 1e-6 * (high - low)
            if near:
                out.append(f"{name} stands at its {'lower' if value - low < high - value else 'upper'} bound {value:g}")
        return tuple(out)

    def starts(self, count: int, seed: int = 0) -> list[Float[np.ndarray, " p"]]:
        """The initial design, and others spread over the bounds (Latin hypercube)."""
        from scipy.stats import qmc

        drawn = qmc.LatinHypercube(len(self.lower), rng=np.random.default_rng(seed)).random(max(count - 1, 0))
        return [self.initial, *(self.lower + drawn * (self.upper - self.lower))][:count]
