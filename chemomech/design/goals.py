"""Goals: what is to become small, or to stay within bounds, as objects that a config can name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..adjoint import Observable
from ..errors import ChemomechError, ConfigError
from ..run import Solution
from . import objectives
from .peaks import Kind, StressPeak, smooth_maximum

When = Literal["peak", "end", "mean"]


class AbstractGoal(eqx.Module):
    """A number that a run is judged by."""

    unit: ClassVar[str] = "1"

    def observe(self) -> Mapping[str, Observable]:
        """Further columns that the run has to keep, by name."""
        return {}

    @abstractmethod
    def __call__(self, solution: Solution) -> Any:
        """Of a run that kept them."""


class PeakStress(AbstractGoal):
    """A smooth maximum of the stress over the body, and over the run [Pa]; `StressPeak` in space.

    Args:
        of: "principal" (tensile), "von_mises" or "hydrostatic" (tensile).
        p: of both p-norms: larger is sharper.
        when: "peak" over all rows of the history, or "end".
    """

    of: Kind = eqx.field(static=True, default="principal")
    p: int = eqx.field(static=True, default=16)
    when: When = eqx.field(static=True, default="peak")
    unit: ClassVar[str] = "Pa"

    def __check_init__(self):
        StressPeak(self.of, self.p)
        _require_when(self.when)

    @property
    def column(self) -> str:
        """Its column in the history."""
        return f"peak_{self.of}_{self.p}"

    def observe(self) -> Mapping[str, Observable]:
        """The stress of every row."""
        return {self.column: StressPeak(self.of, self.p)}

    def __call__(self, solution: Solution) -> Any:
        """Over time."""
        return _over_time(solution, self.column, self.when, self.p)


class Column(AbstractGoal):
    """A column of the history: its "end", its "mean" over the time, or its smooth "peak" (of positive values).

    Args:
        column: such as "elastic_energy", "free_energy", "soc", "voltage", "time", "charge" [SI].
        when: "end", "mean" or "peak".
    """

    column: str = eqx.field(static=True)
    when: When = eqx.field(static=True, default="end")

    def __check_init__(self):
        _require_when(self.when)

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return _over_time(solution, self.column, self.when, 16)


class Segregated(AbstractGoal):
    """How far the body has separated, `Segregation`: 0 uniform, 1 empty and full.

    Args:
        when: "end", "mean" or "peak".
    """

    when: When = eqx.field(static=True, default="peak")

    def __check_init__(self):
        _require_when(self.when)

    def observe(self) -> Mapping[str, Observable]:
        """Of every row."""
        return {"segregation": objectives.Segregation()}

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return _over_time(solution, "segregation", self.when, 16)


class Target(AbstractGoal):
    """The square of how far a goal is from a value, in units of what may be missed: below 1 where it is met.

    Args:
        goal: what is to have the value.
        value: [in the goal's unit].
        within: what may be missed [in the goal's unit].

    Raises:
        ConfigError: `within` is not positive.
    """

    goal: AbstractGoal
    value: float
    within: float

    def __check_init__(self):
        if not self.within > 0:
            raise ConfigError(f"A Target may be missed by a positive number, not by within = {self.within}.")

    def observe(self) -> Mapping[str, Observable]:
        """What the goal needs."""
        return self.goal.observe()

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return ((self.goal(solution) - self.value) / self.within) ** 2


class Capacity(AbstractGoal):
    """The charge that passes until the run ends, at a cut-off voltage say [C]."""

    unit: ClassVar[str] = "C"

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return objectives.charge_passed(solution)


class TimeToSoc(AbstractGoal):
    """When a state of charge is passed [s].

    Args:
        soc: state of charge [1].
    """

    soc: float
    unit: ClassVar[str] = "s"

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return objectives.time_to_soc(solution, self.soc)


class HysteresisArea(AbstractGoal):
    """The energy that a closed cycle loses [J]."""

    unit: ClassVar[str] = "J"

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return objectives.hysteresis_area(solution)


class VoltageCurve(AbstractGoal):
    """Root mean square of the voltage less a given one, over states of charge or over time [V].

    Args:
        voltage: one for all, or one each [V].
        soc: where [1].
        time: or when [s].
    """

    voltage: Any
    soc: Any = None
    time: Any = None
    unit: ClassVar[str] = "V"

    def __check_init__(self):
        if (self.soc is None) == (self.time is None):
            raise ConfigError("A VoltageCurve is given over `soc` or over `time`, and over one of them.")

    def __call__(self, solution: Solution) -> Any:
        """Of a run."""
        return objectives.voltage_misfit(solution, self.voltage, soc=self.soc, time=self.time)


class Movie(AbstractGoal):
    """Root mean square of the concentration at the nodes less measured maps, which `numpy.savez` wrote.

    Args:
        path: file with `times` [s] and `maps` (times, nodes) [1].
    """

    path: str = eqx.field(static=True)

    def observe(self) -> Mapping[str, Observable]:
        """The concentration of every row."""
        return {"maps": _concentration}

    def __call__(self, solution: Solution) -> Any:
        """Of a run.

        Raises:
            ConfigError: the file cannot be read.
        """
        return objectives.movie_misfit(solution, *self._measured())

    def residual(self, solution: Solution) -> Any:
        """What it is the root mean square of: (times, nodes), for `fit`.

        Raises:
            ConfigError: the file cannot be read.
        """
        return objectives.movie_residual(solution, *self._measured())

    def _measured(self) -> tuple[np.ndarray, np.ndarray]:
        try:
            with np.load(self.path) as file:
                return file["times"], file["maps"]
        except (OSError, KeyError, ValueError) as error:
            raise ConfigError(f"Cannot read the movie {self.path}: {error}. It needs `times` and `maps`.") from None


def _concentration(problem: Any, state: Any) -> Any:
    return state.c


def _require_when(when: str) -> None:
    if when not in ("peak", "end", "mean"):
        raise ConfigError(f'when = "{when}" is unknown. Write "peak", "end" or "mean".')


def _over_time(solution: Solution, column: str, when: When, p: int) -> Any:
    """One number of a column."""
    try:
        values = jnp.asarray(getattr(solution, column))
    except AttributeError as error:
        raise ChemomechError(f"The run has {error}.") from None
    if when == "end" or len(values) == 1:  # of a stationary state
        return values[-1]
    lengths = jnp.diff(jnp.asarray(solution.time))
    weights = 0.5 * (jnp.append(lengths, 0.0) + jnp.append(0.0, lengths))  # an integral, whatever steps were taken
    return smooth_maximum(values, p, weights) if when == "peak" else jnp.sum(weights * values) / jnp.sum(weights)
