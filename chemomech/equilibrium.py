"""States that do not change: stationary points of the stored energy, without time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from .adjoint import DIFFERENTIATED, Observable, Step, Taken, Tape, is_traced, observables, placed, still, values_at
from .checkpoints import Stored
from .differentiation import Arguments, differentiated
from .errors import ConfigError, SolveError
from .evolution import Evolution
from .ladder import Ladder
from .problem import Problem, State, expand
from .solve.newton import Newton, UpdateTest
from .solve.step import BackwardEuler, Formula
from .units import parse


def solve_static(
    problem: Problem, state: State | None = None, newton: Newton | None = None, *, time: float | str = 0.0
) -> State:  # fmt: skip
    """The state in which the derivative of the stored energy vanishes, such as the displacement at a given composition.

    `jax.grad` goes through it, by the numbers of the problem and the places of its nodes; Newton's default is then
    `UpdateTest(1e-10)`.

    Args:
        problem: potentials without rates; composition is given by `Fixed("c", value=...)` or absent.
        state: first guess; default c = 0.5 where it is free, all else zero.
        newton: default `Newton(max_iterations=40)`.
        time: when a `Course` is taken [s].

    Raises:
        ConfigError: the problem has rate terms.
        SolveError: Newton's method fails; the message says how.
    """
    return _solved(problem, state, newton, None, time)[0]


def measured_static(
    problem: Problem, state: State | None = None, newton: Newton | None = None,
    observe: Mapping[str, Observable] | None = None, *, time: float | str = 0.0,
) -> tuple[State, dict[str, Any]]:  # fmt: skip
    """`solve_static`, and what is measured there, one value a column: energies [J], soc, mu_mean [J/mol], `observe`."""
    return _solved(problem, state, newton, observe or {}, time)


def _solved(
    problem: Problem, state: State | None, newton: Newton | None, observe: Mapping[str, Observable] | None,
    time: float | str,
) -> tuple[State, dict[str, Any]]:  # fmt: skip
    """The stationary state and, unless `observe` is None, its columns."""
    if "mu" in problem.fields or "V" in problem.scalars:
        raise ConfigError(
            "A static problem has no time: leave out Storage, Diffusion and ButlerVolmer. "
            "For an equilibrium of given lithium content add Amount(mean)."
        )
    traced = is_traced((problem, state))
    test = UpdateTest(DIFFERENTIATED) if traced else Newton().test
    newton = newton or Newton(test=test, max_iterations=40)
    guess, t = still(state), float(parse(time, "s", name="time"))
    if not traced:
        tape = _stationary(problem, guess, newton, observe, t)
        return tape.evolution.state(tape.states[-1]), dict(tape.columns[0]) if tape.columns else {}
    problem = placed(problem)
    arguments = Arguments(problem, jnp.zeros(0))
    found, _ = differentiated(lambda made, _: _stationary(made, guess, newton, observe, t), arguments)
    final = problem.in_SI(expand(problem, found["final"]))
    return final, {name: values[0] for name, values in found["columns"].items()}


def _stationary(
    problem: Problem, state: State | None, newton: Newton, observe: Mapping[str, Observable] | None, time: float
) -> Tape:  # fmt: skip
    """The stationary state as one step, which nothing before it matters to."""
    evolution = Evolution(problem, newton)
    x = evolution.start(problem.uniform(0.5) if state is None else state)
    length, drive, ladder = evolution.time_scale, problem.drive(), Ladder(evolution, warnings.warn)
    formula = Formula(1.0, 0.0, length, 1)
    result = ladder.climb(formula, (x,), x, time, drive)
    if not result.converged:
        raise SolveError(
            f"No stationary point found: {result.reason}, after {result.iterations} Newton iterations. "
            "Try a first guess closer to the solution, or run the time-dependent problem to rest."
        )
    states, rows, columns = Stored(x, 2), [], []
    states.append(result.x)
    if observe is not None:
        rows, columns = [0], [values_at(evolution, observables(observe), result.x)]
    taken = Taken(Step(0, length), None, formula, time, drive)
    return Tape(evolution, BackwardEuler(), states, [taken], rows, columns, observe or {})


def solve_equilibrium(problem: Problem, state: State, newton: Newton | None = None) -> State:
    """An equilibrium of given mean composition: stored energy stationary, chemical potential the same everywhere.

    `state.mu_mean` of the result is that potential [J/mol]. A stationary point need not be stable, and the first guess
    decides which one is found: start from a profile that has the phases wanted.

    Args:
        problem: stored energies and one `Amount(mean)`, without rate terms.
        state: first guess.
        newton: default `Newton(max_iterations=40)`.

    Raises:
        ConfigError: the problem has no Amount, or has rate terms.
        SolveError: Newton's method fails; the message says how.
    """
    if "mu_mean" not in problem.scalars:
        raise ConfigError("An equilibrium needs the lithium content. Add Amount(mean) to the potentials.")
    return solve_static(problem, state, newton)
