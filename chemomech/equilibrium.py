"""States that do not change: stationary points of the stored energy, without time."""

from __future__ import annotations

import warnings

from .errors import ConfigError, SolveError
from .evolution import Evolution
from .ladder import Ladder
from .problem import Problem, State
from .solve.newton import Newton
from .solve.step import Formula


def solve_static(problem: Problem, state: State | None = None, newton: Newton | None = None) -> State:
    """The state in which the derivative of the stored energy vanishes, such as the displacement at a given composition.

    Args:
        problem: potentials without rates; composition is given by `Fixed("c", value=...)` or absent.
        state: first guess; default c = 0.5 where it is free, all else zero.
        newton: default `Newton(max_iterations=40)`.

    Raises:
        ConfigError: the problem has rate terms.
        SolveError: Newton's method fails; the message says how.
    """
    if "mu" in problem.fields or "V" in problem.scalars:
        raise ConfigError(
            "A static problem has no time: leave out Storage, Diffusion and ButlerVolmer. "
            "For an equilibrium of given lithium content add Amount(mean)."
        )
    evolution = Evolution(problem, newton or Newton(max_iterations=40))
    x = evolution.start(problem.uniform(0.5) if state is None else state)
    formula, ladder = Formula(1.0, 0.0, evolution.time_scale, 1), Ladder(evolution, warnings.warn)
    result = ladder.climb(formula, (x,), x, 0.0, problem.drive())
    if not result.converged:
        raise SolveError(
            f"No stationary point found: {result.reason}, after {result.iterations} Newton iterations. "
            "Try a first guess closer to the solution, or run the time-dependent problem to rest."
        )
    return evolution.state(result.x)


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
