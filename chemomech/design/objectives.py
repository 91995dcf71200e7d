"""What a design is judged by: plain functions of a solution, differentiable along its steps.

A solution's columns do for the rest: `solution.elastic_energy[-1]` [J] is an objective.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..adjoint import placed, still
from ..errors import ChemomechError
from ..measures import concentration_moments
from ..problem import Problem, State
from ..run import Solution

MET = 1e-9  # of a state of charge: how closely a stop event ends a run there


class Segregation(eqx.Module):
    """How far a body has separated: (<c^2> - <c>^2) / (<c> (1 - <c>)), 0 where uniform, 1 where empty and full [1]

    Averages are over the sites. To be given to `simulate(..., observe={"segregation": Segregation()})`, or called with
    a problem and a state.
    """

    def __call__(self, problem: Problem, state: State) -> Float[Array, ""]:
        """Of one state."""
        problem = placed(problem)
        mean, square = concentration_moments(problem, problem.pack(state))
        return (square - mean**2) / (mean * (1.0 - mean))


def charge_passed(solution: Solution) -> Any:
    """|charge| from the first to the last row [C]: the capacity at the cut-off where a stop event ended the run."""
    return jnp.abs(solution.charge[-1])


def time_to_soc(solution: Solution, soc: float) -> Any:
    """When the state of charge first crosses a value [s], between two steps by linear interpolation.

    A stop event `until={"soc": ...}` makes `solution.time[-1]` the same without interpolation.

    Raises:
        ChemomechError: it does not within the run.
    """
    values = np.asarray(still(solution.soc)) - soc
    values = np.where(np.abs(values) <= MET, 0.0, values)
    crossed = np.flatnonzero((values[:-1] * values[1:] <= 0) & (values[:-1] != values[1:]))
    if not len(crossed):
        low, high = float(values.min() + soc), float(values.max() + soc)
        raise ChemomechError(
            f"The run never passes soc = {soc:g}: it stays within {low:.4g} and {high:.4g}. Run longer."
        )
    k = int(crossed[0])
    column, time = jnp.asarray(solution.soc), jnp.asarray(solution.time)
    return time[k] + (soc - column[k]) / (column[k + 1] - column[k]) * (time[k + 1] - time[k])


def voltage_misfit(
    solution: Solution, voltage: Float[np.ndarray, " n"], *, soc: Any = None, time: Any = None
) -> Any:  # fmt: skip
    """Root mean square of the voltage less a measured one [V].

    Args:
        solution: of a run with a voltage.
        voltage: measured [V].
        soc: where, for a run in one direction [1].
        time: or when [s].

    Raises:
        ChemomechError: neither or both of soc and time, or some lie outside the run.
    """
    if (soc is None) == (time is None):
        raise ChemomechError("A voltage curve is given over `soc` or over `time`, and over one of them.")
    name, wanted = ("soc", soc) if soc is not None else ("time", time)
    found = interpolated(solution, "voltage", wanted, over=name)
    return _root(jnp.mean((found - jnp.asarray(voltage)) ** 2))


def hysteresis_area(solution: Solution) -> Any:
    """|integral V dq| over the run: the energy that a closed cycle loses [J]."""
    voltage, charge = jnp.asarray(solution.voltage), jnp.asarray(solution.charge)
    return jnp.abs(jnp.sum(0.5 * (voltage[1:] + voltage[:-1]) * jnp.diff(charge)))


def movie_misfit(
    solution: Solution, times: Float[np.ndarray, " frames"], maps: Float[np.ndarray, "frames n"], column: str = "maps"
) -> Any:  # fmt: skip
    """Root mean square of `movie_residual`, in the unit of the column."""
    return _root(jnp.mean(movie_residual(solution, times, maps, column) ** 2))


def _root(square: Any) -> Any:
    """Its root, whose derivative at zero, the least value there is, is zero instead of infinite."""
    some = square > 0
    return jnp.where(some, jnp.sqrt(jnp.where(some, square, 1.0)), 0.0)


def movie_residual(
    solution: Solution, times: Float[np.ndarray, " frames"], maps: Float[np.ndarray, "frames n"], column: str = "maps"
) -> Any:  # fmt: skip
    """A column less maps that were measured at given times, in the unit of the column.

    Args:
        solution: of `simulate(..., observe={"maps": lambda problem, state: state.c})`, or of another function that
            returns an array.
        times: of the maps [s].
        maps: what the column should be.
        column: its name.

    Raises:
        ChemomechError: a time lies outside the run, or the maps have another shape than the column.
    """
    found = interpolated(solution, column, times)
    if found.shape != np.shape(maps):
        raise ChemomechError(f"The maps have the shape {np.shape(maps)}, the column '{column}' {found.shape}.")
    return found - jnp.asarray(maps)


def interpolated(solution: Solution, column: str, at: Any, over: str = "time") -> Float[Array, "n ..."]:
    """A column at given times or states of charge, linearly between the steps.

    Raises:
        ChemomechError: some lie outside the run, or the run goes back and forth in what it is asked over.
    """
    x, y, at = jnp.asarray(getattr(solution, over)), jnp.asarray(getattr(solution, column)), np.asarray(at, float)
    order = np.asarray(still(x))
    sign = 1.0 if order[-1] >= order[0] else -1.0
    if np.any(sign * np.diff(order) < 0):
        raise ChemomechError(f"The run goes back and forth in {over}: take one step of the protocol at a time.")
    low, high, slack = order.min(), order.max(), 1e-9 * np.ptp(order)
    if at.size and (at.min() < low - slack or at.max() > high + slack):
        raise ChemomechError(
            f"The run covers {over} from {low:.6g} to {high:.6g}, not {at.min():.6g} to {at.max():.6g}."
        )
    k = np.clip(np.searchsorted(sign * order, sign * at, side="right") - 1, 0, len(order) - 2)
    width = x[k + 1] - x[k]
    share = jnp.where(width != 0, (at - x[k]) / jnp.where(width != 0, width, 1.0), 0.0)
    share = share.reshape(share.shape + (1,) * (y.ndim - 1))
    return (1.0 - share) * y[k] + share * y[k + 1]
