"""What is done to the electrode: steps of given current, voltage or rest, each until a stop event."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, Float

from .errors import ConfigError
from .units import parse

STOPS = {"time": "s", "soc": "1", "voltage": "V", "current": "A", "c_rate": "1"}
HOUR = 3600.0
MOST_STAIRS = 10_000
Number = float | Float[Array, ""]


def _stops(given: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    unknown = [key for key in given if key not in STOPS]
    if unknown:
        raise ConfigError(f"until names {', '.join(unknown)}; a step can stop on {', '.join(STOPS)}.")
    return tuple((key, _plain(parse(value, STOPS[key], name=f"until.{key}"))) for key, value in given.items())


class AbstractStep(eqx.Module):
    """One step of a protocol.

    `until` maps stop events to values: time [s] since the step began, soc [1], voltage [V], current [A] or c_rate [1]
    (the size of the current); the first that is reached ends the step.
    """

    kind: ClassVar[str]

    @abc.abstractmethod
    def drive(self, one_c: float) -> tuple[str, Number]:
        """("load", current [A], insertion positive) or ("value", voltage [V]); one_c is the 1 C current [A]."""

    @property
    def stops(self) -> dict[str, float]:
        """Stop events by name, in SI."""
        return dict(self.until)

    def parts(self) -> tuple[AbstractStep, ...]:
        """The steps that it stands for: itself."""
        return (self,)


class _Current(AbstractStep):
    def drive(self, one_c: float) -> tuple[str, Number]:
        """The signed current."""
        size = self.current if self.current is not None else self.c_rate * one_c
        return "load", self.sign * size

    def __check_init__(self):
        if (self.c_rate is None) == (self.current is None):
            raise ConfigError(f"{type(self).__name__} needs exactly one of c_rate (a number) and current [A].")
        size = self.c_rate if self.current is None else self.current
        if not size > 0:
            raise ConfigError(f"{type(self).__name__}: the size of the current must be positive, not {size}.")
        _require_stop(self, ("time", "soc", "voltage"))


def _require_stop(step: AbstractStep, allowed: tuple[str, ...]) -> None:
    if not step.until:
        raise ConfigError(f'{type(step).__name__} never ends. Give `until`, such as until = {{time = "1 h"}}.')
    for key, value in step.until:
        if key not in allowed:
            raise ConfigError(f"{type(step).__name__} cannot stop on {key}; it can stop on {', '.join(allowed)}.")
        if key == "soc" and not 0.0 < value < 1.0:
            raise ConfigError(f"until.soc = {value} can never be reached: the state of charge lies between 0 and 1.")
        if key in ("time", "current", "c_rate") and not value > 0:
            raise ConfigError(f"until.{key} = {value} must be positive.")


def _amperes(value: Any) -> float | None:
    return None if value is None else _plain(parse(value, "A", name="current"))


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        raise ConfigError(f'c_rate = "{value}" must be a plain number: 0.1 for C/10 ("1 C" would be one coulomb).')
    return None if value is None else _plain(value)


def _plain(value: Any) -> Any:
    """A float, or JAX's own number: something may be differentiated by it."""
    return value if isinstance(value, jax.Array) else float(value)


class Discharge(_Current):
    """Insert lithium at constant current.

    Args:
        c_rate: current over the current that fills the electrode in one hour [1].
        current: instead, the size of the current [A].
        until: stop events: time [s], soc [1], voltage [V] (reached from above).
    """

    c_rate: Number | None = eqx.field(default=None, converter=_number)
    current: Number | None = eqx.field(default=None, converter=_amperes)
    until: tuple[tuple[str, Number], ...] = eqx.field(default_factory=dict, converter=_stops)
    kind: ClassVar[str] = "discharge"
    sign: ClassVar[float] = 1.0


class Charge(_Current):
    """Extract lithium at constant current.

    Args:
        c_rate: current over the current that fills the electrode in one hour [1].
        current: instead, the size of the current [A].
        until: stop events: time [s], soc [1], voltage [V] (reached from below).
    """

    c_rate: Number | None = eqx.field(default=None, converter=_number)
    current: Number | None = eqx.field(default=None, converter=_amperes)
    until: tuple[tuple[str, Number], ...] = eqx.field(default_factory=dict, converter=_stops)
    kind: ClassVar[str] = "charge"
    sign: ClassVar[float] = -1.0


class Rest(AbstractStep):
    """Open circuit: no current.

    Args:
        until: stop events: time [s], voltage [V].
    """

    until: tuple[tuple[str, Number], ...] = eqx.field(default_factory=dict, converter=_stops)
    kind: ClassVar[str] = "rest"

    def drive(self, one_c: float) -> tuple[str, Number]:
        """No current."""
        return "load", 0.0

    def __check_init__(self):
        _require_stop(self, ("time", "voltage"))


class Hold(AbstractStep):
    """Constant voltage.

    Args:
        voltage: [V].
        until: stop events: time [s], soc [1], current [A] or c_rate [1] (the size falls to the value).
    """

    voltage: Number = eqx.field(converter=lambda v: _plain(parse(v, "V", name="voltage")))
    until: tuple[tuple[str, Number], ...] = eqx.field(default_factory=dict, converter=_stops)
    kind: ClassVar[str] = "hold"

    def drive(self, one_c: float) -> tuple[str, Number]:
        """The voltage."""
        return "value", self.voltage

    def __check_init__(self):
        _require_stop(self, ("time", "soc", "current", "c_rate"))


def _quantity(unit: str, name: str, **default: float) -> Any:
    """A field of a staircase."""
    convert = lambda value: _plain(parse(value, unit, name=f"Staircase.{name}"))  # noqa: E731
    return eqx.field(converter=convert, metadata={"unit": unit}, **default)


class Staircase(AbstractStep):
    """A voltage that goes up or down by stairs, as in cyclic voltammetry: a `Hold` for each.

    V_k = start + (stop - start) k/n for k = 1 ... n, each for  |stop - start|/(n rate);  n is |stop - start|/rise,
    rounded up. Each stair is a step of the protocol: numbers of a design count it, and it ends with a saved frame.

    Args:
        start: voltage before the first stair [V].
        stop: voltage of the last [V].
        rate: mean slope [V/s].
        rise: height of a stair, at most [V].

    Raises:
        ConfigError: something is differentiated by its numbers, start and stop are the same, rate or rise is not
            positive, a number is not finite, or there are more than 10 000 stairs.
    """

    start: Number = _quantity("V", "start")
    stop: Number = _quantity("V", "stop")
    rate: Number = _quantity("V/s", "rate")
    rise: Number = _quantity("V", "rise", default=5e-3)
    until: ClassVar[tuple] = ()
    kind: ClassVar[str] = "staircase"

    def __check_init__(self):
        self._refuse_tracers()
        for name in ("start", "stop", "rate", "rise"):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ConfigError(f"Staircase.{name} = {value:g} is not finite.")
            if name in ("rate", "rise") and not value > 0:
                raise ConfigError(f"Staircase.{name} = {value:g} must be positive.")
        if self.stop == self.start:
            raise ConfigError(f"Staircase: start and stop are both {self.start:g} V. Use Hold for a constant voltage.")
        if abs(self.stop - self.start) > MOST_STAIRS * self.rise:
            raise ConfigError(
                f"Staircase.rise = {self.rise:g} V makes more than {MOST_STAIRS} stairs. "
                "Make `rise` larger: 1 to 10 mV are usual."
            )

    def _refuse_tracers(self) -> None:
        """JAX puts tracers into a finished object too, where no constructor sees them."""
        for name in ("start", "stop", "rate", "rise"):
            if isinstance(getattr(self, name), jax.core.Tracer):
                raise ConfigError(
                    f"Staircase.{name} decides how many stairs there are or how long they last: nothing is "
                    "differentiated by it. Give the protocol its Hold steps, and differentiate by their voltages."
                )

    @property
    def count(self) -> int:
        """Number of stairs."""
        return max(1, math.ceil(abs(self.stop - self.start) / self.rise - 1e-9))

    def drive(self, one_c: float) -> tuple[str, Number]:
        """The voltage of the last stair."""
        return "value", self.stop

    def parts(self) -> tuple[AbstractStep, ...]:
        """One `Hold` a stair."""
        self._refuse_tracers()
        way = self.stop - self.start
        each = abs(way) / (self.count * self.rate)
        return tuple(Hold(self.start + way * k / self.count, {"time": each}) for k in range(1, self.count + 1))


class Closed(AbstractStep):
    """A closed system evolves by itself; there is no voltage and no current.

    Args:
        until: stop event: time [s].
    """

    until: tuple[tuple[str, Number], ...] = eqx.field(default_factory=dict, converter=_stops)
    kind: ClassVar[str] = "closed"

    def drive(self, one_c: float) -> tuple[str, Number]:
        """Nothing acts."""
        return "load", 0.0

    def __check_init__(self):
        _require_stop(self, ("time",))


def _in_turn(steps: Any) -> tuple[AbstractStep, ...]:
    given = (steps,) if isinstance(steps, AbstractStep) else tuple(steps)
    for step in given:
        if not isinstance(step, AbstractStep):
            raise ConfigError(f"A protocol consists of steps, such as Discharge or Hold, not of {step!r:.60}.")
    return tuple(part for step in given for part in step.parts())


class Protocol(eqx.Module):
    """A sequence of steps; one that stands for several is written out."""

    steps: tuple[AbstractStep, ...] = eqx.field(converter=_in_turn)

    @classmethod
    def of(cls, given: Protocol | AbstractStep) -> Protocol:
        """Itself, or that of one step."""
        return given if isinstance(given, Protocol) else cls(given)

    def check(self, soc: float, *, has_voltage: bool) -> None:
        """Refuse stop events that cannot be reached from the state of charge at the start.

        Raises:
            ConfigError: what is impossible, and in which step.
        """
        if not self.steps:
            raise ConfigError("The protocol has no steps. Add at least one, such as Discharge or Closed.")
        for number, step in enumerate(self.steps, 1):
            where, target = f"Step {number} of the protocol ({step.kind})", step.stops.get("soc")
            if not has_voltage and step.kind != "closed":
                raise ConfigError(
                    f"{where} needs a cell voltage, but no ButlerVolmer potential acts. Add one, or use Closed steps."
                )
            wrong = target is not None and (
                (step.kind == "discharge" and target <= soc) or (step.kind == "charge" and target >= soc)
            )
            if wrong:
                raise ConfigError(
                    f"{where} can never stop at soc = {target:g}: it starts from {soc:g} and moves away. "
                    "Exchange charge and discharge, or change the value."
                )
            soc = soc if target is None or step.kind == "hold" else target


def one_c_current(faraday: float, sites: float) -> float:
    """The current that fills all sites in one hour [A].

    Args:
        faraday: [C/mol].
        sites: amount of lithium sites [mol].
    """
    return faraday * sites / HOUR
