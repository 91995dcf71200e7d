"""A protocol run from a state: plainly, by the steps of an earlier run, or under `jax.grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from .adjoint import DIFFERENTIATED, Observable, Step, Tape, is_traced, placed, still
from .checkpoints import Checkpoints
from .differentiation import Arguments, differentiated, underivable
from .errors import ChemomechError
from .evolution import Evolution
from .measures import content
from .problem import Problem, State, expand, restrict
from .protocol import AbstractStep, Protocol, one_c_current
from .replay import Replay
from .run import Cursor, Observer, Run, Solution
from .solve.newton import Newton, UpdateTest
from .solve.step import AbstractStepper, ErrorControl


def simulate(
    problem: Problem, state: State, protocol: Protocol | AbstractStep, *, stepper: AbstractStepper | None = None,
    control: ErrorControl | None = None, newton: Newton | None = None, frames: int = 40,
    observer: Observer | None = None, cursor: Cursor | None = None, keep: bool = True,
    budget: float | str | None = None, devices: Sequence[Any] | None = None,
    observe: Mapping[str, Observable] | None = None, replay: Sequence[Step] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Solution:  # fmt: skip
    """Run a protocol from a state; derivatives go through it, along the steps that the run has accepted.

    `jax.grad`, `jax.jvp`, `jax.jvp` of `jax.grad` and what JAX makes of them (`jax.jacfwd`, `jax.hessian`) all do.
    Then columns of the history and the final state are JAX's arrays; frames are not kept. The lengths of the steps are
    frozen, but for those that end at a stop event. Newton's default is then `UpdateTest(1e-10)`.

    Args:
        problem: what to solve.
        state: initial state; only its composition matters, the rest is made consistent.
        protocol: what is done to the electrode; one step is a protocol too.
        stepper: default BDF2, restarted with backward Euler at every event and current jump.
        control: default `ErrorControl()`.
        newton: default `Newton()`.
        frames: how many times fields are saved, evenly in state of charge (closed systems: in log time).
        observer: hears every accepted step and every frame.
        cursor: where to go on from (a resumed run).
        keep: keep saved states in memory (the observer gets them in any case).
        budget: memory for values at quadrature points and element matrices, such as "128 MB" [byte]; as in `Evolution`.
        devices: such as `jax.devices()`: each evaluates its part of the cells; default: one does all.
        observe: further columns of the history: functions of (problem, state), the state in SI.
        replay: the steps of an earlier `Solution`, to be taken again instead of under error control.
        checkpoints: how much memory states may take until a gradient is made of them; default `Checkpoints()`: 128 MB,
            and a temporary file for what is more.

    Raises:
        ChemomechError: it is called under `jax.jit` or `jax.vmap`.
        ConfigError: a stop event cannot be reached.
        SolveError: a step fails at the smallest step length; the message says when, where and what to try.
    """
    protocol = Protocol.of(protocol)
    traced = is_traced((problem, state, protocol))
    if traced and (cursor is not None or devices is not None):
        raise ChemomechError("A run that is differentiated starts at its beginning, on one device.")
    newton = Newton(test=UpdateTest(DIFFERENTIATED)) if traced and newton is None else newton
    plain_state, plain_protocol = still(state), still(protocol)

    def made(problem: Problem, *, keep: bool) -> Run:
        evolution = Evolution(problem, newton, budget=budget, devices=devices)
        given = (evolution, plain_protocol, stepper, control, frames, observer)
        options: dict[str, Any] = {"keep": keep, "observe": observe}
        options["record"] = (checkpoints or Checkpoints()) if traced else None
        run = Run(*given, **options) if replay is None else Replay(replay, *given, **options)
        run.follow(plain_state, cursor)
        return run

    if not traced:
        return made(problem, keep=keep).solution()
    return _differentiated(functools.partial(made, keep=False), problem, state, protocol)


ALTERNATIVES = {
    "max_principal_stress": "a smooth maximum of the stress in `observe`", "max_von_mises": "the same",
    "c_min": "a p-norm of c in `observe`", "c_max": "a p-norm of c in `observe`",
}  # fmt: skip


def _differentiated(made: Callable[[Problem], Run], problem: Problem, state: State, protocol: Protocol) -> Solution:
    """The solution of a run with tracers of `jax.grad` among its arguments."""
    runs: list[Run] = []
    problem = placed(problem)

    def run(problem: Problem, start: Any) -> Tape:
        runs.append(made(problem))
        return runs[0].tape

    steps = protocol.steps
    whole = problem.kernel()
    sites = content(whole, jnp.ones((len(problem.fields), len(problem.mesh.points)))) * problem.scales.of("mol")
    one_c = one_c_current(problem.host.faraday, sites) if "c" in problem.fields else 0.0
    loads = [jnp.asarray(step.drive(one_c)[1], float) for step in steps]
    stops = [
        {name: jnp.asarray(value * (one_c if name == "c_rate" else 1.0), float) for name, value in step.until}
        for step in steps
    ]
    start = restrict(problem, problem.pack(state))
    found, tape = differentiated(run, Arguments(problem, start, loads, stops))
    columns, plain = dict(found["columns"]), runs[0].solution()
    capacity = columns.pop("capacity", None)
    columns["dt"] = jnp.append(0.0, found["dt"])
    columns["time"] = jnp.cumsum(columns["dt"])
    if "voltage" in columns:  # by the stepper's formula the same to round-off
        columns["charge"] = (columns["soc"] - columns["soc"][0]) * capacity
    for name, alternative in ALTERNATIVES.items():
        message = f"The column '{name}' has no useful derivative: differentiate {alternative} instead."
        columns[name] = underivable(plain.history[name], found["dt"], message)
    final = problem.in_SI(expand(problem, found["final"]))
    return Solution(plain.history | columns, [], final, plain.endings, plain.steps)
