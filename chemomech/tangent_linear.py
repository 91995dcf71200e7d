"""The time loop once more, linearised: what a run's results gain when its arguments move.

    K_n dz_n = -(dR_n/dp dp + dR_n/dz_(n-1) dz_(n-1) + dR_n/dz_(n-2) dz_(n-2)),

from the first step to the last, at the converged states. The length of a step that ends at a stop event moves such
that the event's quantity keeps its value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .adjoint import (
    CORRECTIONS,
    QUANTITIES,
    WRONG,
    Along,
    Inputs,
    Mask,
    Observable,
    Residual,
    Tape,
    observed,
    outputs,
    timeless,
    with_parameters,
)
from .errors import SolveError
from .problem import Drive, expand, residual


class Direction(NamedTuple):
    """How the arguments of a run move."""

    parameters: list[Array]  # leaves of the kernel's problem that are differentiated
    start: Float[Array, " N"]
    loads: Mapping[int, Any]  # by segment [A] or [V]
    stops: Mapping[tuple[int, str], Any]

    @classmethod
    def of(cls, tangents: Sequence[Any], traced: Sequence[int], mask: Mask, tape: Tape, inputs: Inputs) -> Direction:
        """From the tangents of the traced leaves."""
        made = cls([jnp.zeros_like(v) for v in inputs.parameters], np.zeros_like(tape.start), {}, {})
        start, loads, stops = made.start, {}, {}
        for k, value in zip(traced, tangents, strict=True):
            kind, which = mask.places[k]
            if kind == "problem":
                made.parameters[which] = jnp.asarray(value)
            elif kind == "start":
                start = np.asarray(value)
            else:
                (loads if kind == "load" else stops)[which] = jnp.asarray(value)
        return cls(made.parameters, start, loads, stops)


def linearised(tape: Tape, mask: Mask, inputs: Inputs, direction: Direction) -> tuple[dict[str, Any], Inputs]:
    """What the outputs of a run gain, and what the inputs of its adjoint do.

    Raises:
        SolveError: a linear solve failed.
    """
    return _Forward(tape, mask, inputs, direction).along()


class _Forward(Along):
    """The loop from the first step to the last."""

    def __init__(self, tape: Tape, mask: Mask, inputs: Inputs, direction: Direction):
        super().__init__(tape, mask, inputs)
        self.direction = direction
        self.states: list[Any] = [direction.start]
        self.lengths: list[Any] = []
        self.loads: list[Any] = []
        self.delay: Any = 0.0  # of the end of the last step [s]

    def along(self) -> tuple[dict[str, Any], Inputs]:
        """All steps."""
        tape = self.tape
        row, rows = _observed_ahead(tuple(tape.observe.items()), self.mask), set(tape.rows)
        columns = []
        for k in range(len(tape.taken)):
            self._step(k)
            if k in rows:
                columns.append(self._gained(row, k, self.states[k + 1]))
        gained = outputs(columns, [self.lengths[k] for k in tape.rows[1:]], self.states[-1])
        return gained, Inputs(self.direction.parameters, self.states, self.lengths, self.loads)

    def _gained(self, row: Callable, k: int, moved: Any, *, parameters: bool = True) -> Any:
        """By what is observed of a step's result."""
        held = [jnp.zeros_like(v) for v in self.inputs.parameters]
        own = self.direction.parameters if parameters else held
        return self.evolution.evaluate(row, self.inputs.parameters, self.inputs.states[k + 1], own, moved)

    def _step(self, k: int) -> None:
        taken, step = self.tape.taken[k], self.tape.taken[k].step
        solve, scale = self.solver(k, transpose=False), self.evolution.time_scale
        load = self._load(k)
        given = Residual(
            self.direction.parameters, np.zeros_like(self.tape.start),
            (self.states[k], self.states[k - 1] if taken.formula.b else self.states[k]),
            jnp.zeros(3), self.delay / scale, load,
        )  # fmt: skip
        moved, length = self._moved(k, solve, given), 0.0
        if step.event is not None:
            longer = self._moved(k, solve, self._longer(k, given))
            length = self._length(k, moved, longer)
            moved = moved + float(length) * longer
        self.states.append(moved)
        self.lengths.append(float(length))
        self.loads.append(load)
        self.delay = self.delay + float(length)

    def _load(self, k: int) -> Float[Array, " m"]:
        value = jnp.zeros(np.shape(self.tape.taken[k].drive.value))
        change = self.direction.loads.get(self.tape.taken[k].step.segment)
        if change is None or "V" not in self.problem.scalars:
            return value
        place, (unit, fixed) = self.problem.scalars.index("V"), self.units
        held = self.tape.taken[k].drive.prescribed[place]
        return value.at[place].set(change * jnp.where(held, fixed, unit))

    def _longer(self, k: int, given: Residual) -> Residual:
        """The same step, but for its length [1/s]."""
        still: Residual = jax.tree.map(lambda v: jnp.zeros(np.shape(v)), given)
        return still._replace(numbers=self.numbers_by_length(k), t=jnp.asarray(1.0 / self.evolution.time_scale))

    def _length(self, k: int, moved: Any, longer: Any) -> Any:
        """By how much the step ends later: its event's quantity gains what the event's value does."""
        step = self.tape.taken[k].step
        change = self.direction.stops.get((step.segment, step.event.name), 0.0)
        if step.event.name == "time":
            return change
        quantity = _observed_ahead((), self.mask, (QUANTITIES[step.event.name],))
        rate = self._gained(quantity, k, longer, parameters=False)
        if rate == 0.0:
            raise SolveError(timeless(step.event))
        return (change - self._gained(quantity, k, moved)) / rate

    def _moved(self, k: int, solve: Callable, given: Residual) -> Float[np.ndarray, " N"]:
        """What the result of a step gains, checked."""
        taken, kernel, at = self.tape.taken[k], _push_forward(self.mask), self.arguments(k)

        def left_over(moved):
            return -np.asarray(self.evolution.evaluate(kernel, at, given._replace(x=moved), taken.drive.prescribed))

        moved = np.zeros_like(self.tape.start)
        left = left_over(moved)
        size = off = self.size(left)
        for _ in range(CORRECTIONS):
            if self.good(off, size):
                return moved
            moved = moved + solve(left, self.needed(off, size))
            left = left_over(moved)
            off = self.size(left)
        if not off <= WRONG * size:
            raise SolveError(
                f"The linearised step at t = {taken.time:.6g} s is off by {off / size:.1e} of its right-hand side: "
                "its linear system cannot be solved. Try linear = HostDirect()."
            )
        return moved


@functools.lru_cache(maxsize=64)
def _push_forward(mask: tuple[bool, ...]) -> Callable:
    def gained(problem, given: Residual, moved: Residual, prescribed):
        def of(given: Residual):
            made, (a, b, dte) = with_parameters(problem, mask, given.parameters), given.numbers
            rate = expand(made, a * given.older[0] - b * given.older[1])
            prev, drive = expand(made, given.older[0]), Drive(prescribed, given.value)
            return residual(made, given.x, rate, prev, given.t, dte, drive)

        return jax.jvp(of, (_float(given),), (_float(moved),))[1]

    return gained


def _float(tree: Any) -> Any:
    return jax.tree.map(lambda v: jnp.asarray(v, float), tree)


@functools.lru_cache(maxsize=64)
def _observed_ahead(
    observe: tuple[tuple[str, Observable], ...], mask: tuple[bool, ...], names: tuple[str, ...] | None = None
) -> Callable:
    def gained(problem, parameters, x, more, moved):
        row = observed(observe, names)
        return jax.jvp(lambda p, x: row(with_parameters(problem, mask, p), x), (parameters, x), (more, moved))[1]

    return gained
