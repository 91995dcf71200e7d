"""The time loop: Newton steps under error control, driven by a protocol, with located stop events."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .adjoint import Event, Observable, Step, Taken, Tape, functions, values_at
from .checkpoints import Checkpoints, Stored
from .density import AbstractFreeEnergy, PerCell, Sum
from .errors import ConfigError, SolveError
from .evolution import Evolution
from .ladder import Ladder
from .measures import Measures
from .problem import Problem, State
from .protocol import AbstractStep, Protocol, one_c_current
from .retaken import Retaken
from .solve.step import BDF2, AbstractStepper, ErrorControl, History, error_factor
from .thermo import coherency, stability

CHECKPOINT = 20  # accepted steps between restarts
ENDLESS = 1e10  # a rest or hold of 300 years will not reach its stop event [s]
UNIFORM = 0.1  # a state with a smaller range of c counts as nearly uniform


class Record(NamedTuple):
    """One row of the history: where the run stands after an accepted step."""

    step: int
    segment: int
    time: float  # [s]
    soc: float
    voltage: float  # [V]
    current: float  # [A]
    charge: float  # lithium inserted by the stepper's own formula [C]
    measures: Measures
    dt: float  # [s]
    newton: int


@dataclasses.dataclass
class Cursor:
    """Everything that a run needs to go on: written to disk as it is, and read back by a resumed run."""

    step: int
    segment: int
    time: float
    started: float  # time at which the segment began
    dt: float
    states: list[Float[np.ndarray, " N"]]
    lengths: list[float]
    charges: list[float]
    frames: int = 0
    entered: float = 0.0  # state of charge at which the segment began
    entered_voltage: float = 0.0  # and its voltage [V]
    shown: int = 0  # frames saved since then

    @property
    def history(self) -> History:
        """The states since the last jump."""
        return History(tuple(self.states), tuple(self.lengths))


class Solution(NamedTuple):
    """Result of `simulate`: columns of the history, saved states, the final state, what ended each step, the steps."""

    history: dict[str, Float[np.ndarray, " steps"]]
    frames: list[tuple[float, State]]
    final: State
    endings: list[str]
    steps: tuple[Step, ...] = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.history[name]
        except KeyError:
            raise AttributeError(f"no column '{name}'; the columns are {', '.join(self.history)}") from None


class Observer:
    """Hears what a run does; override what is of interest."""

    def accepted(self, record: Record) -> None:
        """After every accepted step."""

    def frame(self, record: Record, state: State) -> None:
        """When fields are to be saved."""

    def checkpoint(self, cursor: Cursor) -> None:
        """At every frame and every `CHECKPOINT` steps: a run can go on from here to the same numbers."""

    def ended(self, segment: int, reason: str) -> None:
        """When a protocol step ends."""

    def warned(self, text: str) -> None:
        """When something failed and something else is tried; without an observer of one's own a Python warning."""
        warnings.warn(text, stacklevel=2)


class Run:
    """The state of one call of `simulate`; arguments as there, with what takes the steps in place of the problem.

    With `record` the states are kept, for the adjoint.
    """

    def __init__(
        self, evolution: Evolution, protocol: Protocol, stepper: AbstractStepper | None = None,
        control: ErrorControl | None = None, frames: int = 40, observer: Observer | None = None, *, keep: bool = True,
        observe: Mapping[str, Observable] | None = None, record: Checkpoints | None = None,
    ):  # fmt: skip
        self.evolution, self.problem = evolution, evolution.problem
        self.protocol = protocol
        self.stepper, self.control = stepper or BDF2(), control or ErrorControl()
        self.observer, self.keep, self.frame_count = observer or Observer(), keep, frames
        self.one_c = one_c_current(float(self.problem.host.faraday), evolution.sites)
        self.records: list[Record] = []
        self.saved: list[tuple[float, State]] = []
        self.endings: list[str] = []
        self.ladder = Ladder(evolution, self._warn)
        self.stability = _Stability.of(self.problem)
        self.moments = self.problem.moments()
        self.observe, self.observed, self.record = dict(observe or {}), [], record
        self.tape: Tape = Tape(evolution, self.stepper, Stored(np.zeros(0), 0), observe=self.observe)

    def follow(self, state: State, cursor: Cursor | None = None) -> None:
        """Every step of the protocol, from a state or from where an earlier run stopped."""
        self.begin(state, cursor)
        for segment in range(self.cursor.segment, len(self.protocol.steps)):
            self.segment(segment)
        self.tape.linear = self.ladder.known

    # --- start --------------------------------------------------------------------------------------------------

    def begin(self, state: State, cursor: Cursor | None) -> None:
        """A consistent first state, or the place where an earlier run stopped."""
        if cursor is not None:
            self.cursor = cursor
            return
        x = self.evolution.start(state)
        mean = self.evolution.mean(x)
        self.protocol.check(mean, has_voltage="V" in self.problem.scalars)
        self.cursor = Cursor(0, 0, 0.0, 0.0, 0.0, [x], [], [0.0])
        if self.record:
            self.tape.states = self.record.states(x, Retaken(self.evolution, self.tape.taken))
        x = self._consistent(x, self._drive(self.protocol.steps[0]))
        self.cursor.states = [x]
        self._record(0.0, 0)
        self._frame(self.records[-1])

    def _drive(self, step: AbstractStep):
        kind, value = step.drive(self.one_c)
        given = {"V": (kind, value)} if "V" in self.problem.scalars else {}
        return self.problem.drive(**given)

    def _consistent(self, x, drive):
        """mu, u and V that belong to c: a backward Euler step too short to move lithium.

        Where c is prescribed, mu follows from the reaction alone, which vanishes with the step: then a longer one.
        """
        first = self._first_dt(self.protocol.steps[self.cursor.segment])
        for shortness in (1e-9, 1e-5, 1e-2):
            result = self._settled(x, shortness * first, drive)
            if result.converged:
                self._taken(Step(self.cursor.segment, shortness * first, settling=True), result.x, drive)
                return result.x
        raise SolveError(
            f"No consistent start: {result.reason}. Check the initial composition, the constraints and the current."
        )

    def _taken(self, step: Step, x, drive) -> None:
        """Note a step for `replay` and the adjoint; `cursor` still stands at its beginning."""
        lengths, settling = self.cursor.lengths, step.settling
        previous = lengths[0] if lengths and not settling else None
        formula = (BDF2() if settling else self.stepper).formula(step.dt, previous)
        time = self.cursor.time + (0.0 if settling else step.dt)
        self.tape.taken.append(Taken(step, previous, formula, time, drive))
        if self.record:
            self.tape.states.append(x)

    def _settled(self, x, dt: float, drive):
        """One step of length dt [s] from x, too short to move lithium."""
        return self.ladder.settle(x, dt, self.cursor.time, drive)

    def _first_dt(self, step: AbstractStep) -> float:
        if self.control.dt_start is not None:
            return self.control.dt_start
        kind, value = step.drive(self.one_c)
        rate = abs(float(value)) / self.one_c if kind == "load" and self.one_c else 1.0
        limit = float(step.stops.get("time", float("inf")))
        natural = self.control.start * 3600.0 / rate if rate > 0 else self.control.start * 3600.0
        return min(natural, 1e-3 * limit, self.control.dt_max)

    # --- one protocol step --------------------------------------------------------------------------------------

    def segment(self, number: int) -> None:
        """Run one protocol step to its stop event."""
        step, cursor = self.protocol.steps[number], self.cursor
        drive = self._drive(step)
        if cursor.segment != number or cursor.dt == 0.0:
            self._enter(number, step, drive)
        while True:
            reason = self._advance(step, drive)
            if reason:
                break
        self.endings.append(reason)
        self.observer.ended(number, reason)
        self.cursor.segment, self.cursor.dt = number + 1, 0.0
        self._frame(self.records[-1])

    def _enter(self, number: int, step: AbstractStep, drive) -> None:
        cursor = self.cursor
        cursor.segment, cursor.started = number, cursor.time
        cursor.states, cursor.lengths, cursor.charges = cursor.states[:1], [], cursor.charges[:1]
        cursor.dt = self._first_dt(step)
        cursor.states = [self._consistent(cursor.states[0], drive)]
        cursor.entered, cursor.shown = self.evolution.mean(cursor.states[0]), 0
        cursor.entered_voltage = self._voltage(cursor.states[0])
        limit = step.stops.get("voltage")
        if cursor.step == 0 and limit is not None and getattr(step, "sign", 0.0):
            if step.sign * (cursor.entered_voltage - limit) <= 0.0:
                side = "below" if step.sign > 0 else "above"
                raise ConfigError(
                    f"Step {number + 1} of the protocol ({step.kind}) would stop at once: it starts at "
                    f"{cursor.entered_voltage:.4g} V, already {side} its stop of {limit:g} V. "
                    "Change until.voltage, or exchange the limits of charge and discharge."
                )

    def _advance(self, step: AbstractStep, drive) -> str:
        """One accepted step; returns why the protocol step ended, or nothing."""
        cursor, control = self.cursor, self.control
        trial = self._attempted(self._limited(cursor.dt, step), drive)
        newest = control.next(trial.dt, trial.error, trial.order)
        trial, reason = self._locate(step, drive, trial)
        elapsed = cursor.time + trial.dt - cursor.started
        if not reason and step.kind in ("rest", "hold") and elapsed > ENDLESS:
            stops = ", ".join(f"{name} = {value:g}" for name, value in step.until)
            raise SolveError(
                f"Step {cursor.segment + 1} of the protocol ({step.kind}) has not reached {stops} in {elapsed:.1e} s "
                "and hardly moves. Give it a `time` as well, or another value."
            )
        self._taken(Step(cursor.segment, trial.dt, event=self._event(step, trial.x, reason)), trial.x, drive)
        self._accept(trial, newest, last=bool(reason))
        return reason

    def _attempted(self, dt: float, drive) -> Trial:
        """The first trial that is accepted, of ever smaller steps.

        Where the linear solver breaks down and a smaller step does not help, a direct one takes the step as it was.
        """
        control, broken, direct = self.control, [], False
        while True:
            trial = self._try(dt, drive, direct=direct)
            if trial.converged and (trial.error is None or control.accepts(trial.error)):
                return trial
            if trial.converged:
                broken.clear()  # shorter steps do help
            if trial.breakdown:
                broken.append(dt)
                last = len(broken) == 2 or 0.25 * dt < control.dt_min
                if last and not direct and self.ladder.fits(trial.reason):
                    dt, direct = broken[0], True
                    continue
            dt = dt * 0.25 if not trial.converged else max(control.next(dt, trial.error, trial.order), 0.1 * dt)
            if dt < control.dt_min:
                raise SolveError(self._failure(dt, trial))
            if trial.breakdown:
                self._warn(f"{trial.reason}. Trying a smaller step, dt = {dt:.3g} s.")

    def _limited(self, dt: float, step: AbstractStep) -> float:
        """No further than the step's time limit and the next kink of a course, nor than an instability has grown."""
        cursor = self.cursor
        filling = abs(self._filling_rate())
        dt = min(dt, self.control.dt_max, self.control.soc_max / filling if filling > 0 else np.inf)
        dt = self._stable(dt)
        left = step.stops.get("time", np.inf) - (cursor.time - cursor.started)
        ahead = self.moments - cursor.time
        left = min([left, *ahead[ahead > 1e-9 * self.moments]])
        if dt >= left * (1 - 1e-9):
            return left
        return left / 2 if dt > 0.5 * left else dt

    def _stable(self, dt: float) -> float:
        """Short enough to follow the fastest growing wave where a nearly uniform state will be at the step's end."""
        c = self.evolution.concentration(self.cursor.states[0])
        if c.max() - c.min() > UNIFORM:
            return dt
        slope = self._filling_rate()
        for _ in range(60):
            ahead = self.stability.rate(self.evolution, self.cursor.states[0], slope * dt)
            if ahead * dt <= 1.001 * self.control.instability:
                return dt
            dt = max(self.control.instability / ahead, 0.7 * dt)
        return dt

    def _filling_rate(self) -> float:
        """d(state of charge)/dt over the last step [1/s]."""
        cursor = self.cursor
        if not cursor.lengths:
            return self.evolution.current(cursor.states[0]) / (self.one_c * 3600.0) if self.one_c else 0.0
        newest, older = (self.evolution.mean(x) for x in cursor.states[:2])
        return (newest - older) / cursor.lengths[0]

    def _try(self, dt: float, drive, *, direct: bool = False) -> Trial:
        cursor = self.cursor
        history = cursor.history
        formula = self.stepper.formula(dt, cursor.lengths[0] if cursor.lengths else None)
        predicted = history.predict(dt)
        guess = self._admissible(predicted)
        take = self.ladder.direct if direct else self.ladder.step
        result = take(formula, cursor.states, guess, cursor.time + dt, drive)
        error = None
        if result.converged and cursor.lengths:
            factor = error_factor(dt, tuple(cursor.lengths), formula.order)
            difference = self.evolution.concentration(result.x) - self.evolution.concentration(predicted)
            error = factor * float(np.abs(difference).max())
        return Trial(
            dt, result.x, result.converged, error, formula, result.iterations, result.reason, result.breakdown
        )  # fmt: skip

    def _admissible(self, guess):
        """The extrapolated guess, pulled back where it leaves the domain of the free energy."""
        newest = self.cursor.states[0]
        return newest + self.evolution.limit(newest, guess - newest) * (guess - newest)

    def _accept(self, trial: Trial, next_dt: float, *, last: bool) -> None:
        cursor = self.cursor
        pushed = cursor.history.pushed(trial.x, trial.dt)
        charge = self._charge(trial)
        cursor.states, cursor.lengths = list(pushed.states), list(pushed.lengths)
        cursor.charges = [charge, *cursor.charges][:2]
        cursor.step, cursor.time, cursor.dt = cursor.step + 1, cursor.time + trial.dt, next_dt
        self._record(trial.dt, trial.iterations)
        if last:  # the frame and checkpoint of the protocol step's end follow
            return
        if self._frames_due() > cursor.shown:
            cursor.shown = self._frames_due()
            self._frame(self.records[-1])
        elif cursor.step % CHECKPOINT == 0:
            self._checkpoint()

    def _charge(self, trial: Trial) -> float:
        """Q_n = a Q_(n-1) - b Q_(n-2) + dte I_n, the stepper's own sum."""
        f, charges = trial.formula, self.cursor.charges
        older = charges[1] if f.b else 0.0
        kind, value = self.protocol.steps[self.cursor.segment].drive(self.one_c)
        current = value if kind == "load" else self.evolution.current(trial.x)
        return f.a * charges[0] - f.b * older + f.dte * current

    # --- stop events --------------------------------------------------------------------------------------------

    def _locate(self, step: AbstractStep, drive, trial: Trial) -> tuple[Trial, str]:
        """If a stop event lies inside the step, shorten the step until it ends there."""
        crossed = [(name, gap) for name, gap in self._gaps(step, trial.x).items() if gap <= 0.0]
        time_left = step.stops.get("time", np.inf) - (self.cursor.time + trial.dt - self.cursor.started)
        if not crossed:
            return (trial, "time") if time_left <= 1e-9 * trial.dt else (trial, "")
        before = self._gaps(step, self.cursor.states[0])
        name = min((n for n, _ in crossed), key=lambda n: self._fraction(before[n], dict(crossed)[n]))
        if before[name] <= 0.0:
            return trial, name
        return self._shorten(step, drive, trial, name, before[name]), name

    @staticmethod
    def _fraction(before: float, after: float) -> float:
        return before / (before - after) if before > after else 0.0

    def _shorten(self, step, drive, trial, name, before):
        low, f_low, high, f_high = 0.0, before, trial.dt, self._gaps(step, trial.x)[name]
        tolerance = {"voltage": 1e-6, "soc": 1e-9}.get(name, 1e-6 * abs(before))
        for k in range(40):
            if abs(f_high) <= tolerance:
                break
            dt = low + (high - low) * f_low / (f_low - f_high) if k % 4 != 3 else 0.5 * (low + high)
            dt = min(max(dt, 1e-3 * trial.dt), high)
            attempt = self._try(dt, drive)
            if attempt.breakdown and self.ladder.fits(attempt.reason):
                attempt = self._try(dt, drive, direct=True)
            if not attempt.converged:
                break
            gap = self._gaps(step, attempt.x)[name]
            if gap > tolerance:
                low, f_low = dt, gap
            else:
                trial, high, f_high = attempt, dt, gap
            if 0 < gap <= tolerance:
                return attempt
        return trial

    def _gaps(self, step: AbstractStep, x) -> dict[str, float]:
        """Signed distance to each stop event: positive before it, zero or negative after."""
        out = {}
        sign = getattr(step, "sign", 0.0)
        for name, value in step.until:
            if name == "soc":
                direction = sign or np.sign(value - self.cursor.entered) or 1.0
                out[name] = float(direction * (value - self._soc_at(x)))
            elif name == "voltage":
                direction = sign or np.sign(self.cursor.entered_voltage - value) or 1.0
                out[name] = float(direction * (self._voltage(x) - value))
            elif name in ("current", "c_rate"):
                limit = value * (self.one_c if name == "c_rate" else 1.0)
                out[name] = abs(self.evolution.current(x)) - limit
        return out

    def _event(self, step: AbstractStep, x, reason: str) -> Event | None:
        """The stop event that fixes the length of a step; none where it was passed before the step began."""
        if not reason or reason == "time":
            return Event("time", 1.0) if reason else None
        before, after = (self._gaps(step, state)[reason] for state in (self.cursor.states[0], x))
        if not abs(after) < 1e-3 * before:
            return None
        rises = {"soc": self._soc_at, "voltage": self._voltage}.get(reason, lambda x: abs(self.evolution.current(x)))
        return Event(reason, float(np.sign(rises(x) - rises(self.cursor.states[0]))))

    def _soc_at(self, x) -> float:
        return self.evolution.mean(x)

    def _voltage(self, x) -> float:
        if "V" not in self.problem.scalars:
            return float("nan")
        return float(x[self.problem.lift.size + self.problem.scalars.index("V")]) * self.problem.scales.of("V")

    # --- output -------------------------------------------------------------------------------------------------

    def _record(self, dt: float, iterations: int) -> None:
        cursor = self.cursor
        x = cursor.states[0]
        measures = self.evolution.measures(x)
        record = Record(
            cursor.step, cursor.segment, cursor.time, measures.mean, self._voltage(x), measures.current,
            cursor.charges[0], measures, dt, iterations,
        )  # fmt: skip
        self.records.append(record)
        self.tape.rows.append(len(self.tape.taken) - 1)
        if self.observe:
            self.observed.append(values_at(self.evolution, functions(tuple(self.observe.items())), x))
        if self.record:
            own = self.observed[-1] if self.observe else {}
            self.tape.columns.append(self.evolution.smooth(x, measures) | own)
        self.observer.accepted(record)

    def _frames_due(self) -> int:
        """How many frames this protocol step should have shown by now.

        Evenly spaced in state of charge under current, in the logarithm of time in a closed system, else in time.
        """
        cursor, step = self.cursor, self.protocol.steps[self.cursor.segment]
        elapsed, limit = cursor.time - cursor.started, step.stops.get("time", np.inf)
        if getattr(step, "sign", 0.0):
            driven = sum(1 for s in self.protocol.steps if getattr(s, "sign", 0.0))
            passed = abs(self.evolution.mean(cursor.states[0]) - cursor.entered) / driven
        elif step.kind == "closed":
            first = self._first_dt(step)
            passed = np.log(max(elapsed / first, 1.0)) / np.log(max(limit / first, 2.0))
        else:
            passed = elapsed / limit / len(self.protocol.steps)
        return int(passed * self.frame_count)

    def _frame(self, record: Record) -> None:
        state = self.evolution.state(self.cursor.states[0])
        self.cursor.frames += 1
        if self.keep:
            self.saved.append((record.time, state))
        self.observer.frame(record, state)
        self._checkpoint()

    def _checkpoint(self) -> None:
        self.ladder.forget()  # as a resumed run will have none
        self.observer.checkpoint(self.cursor)

    def _warn(self, text: str) -> None:
        self.observer.warned(f"Step {self.cursor.step + 1} at t = {self.cursor.time:.6g} s: {text}")

    def _failure(self, dt: float, trial: Trial) -> str:
        c = self.evolution.concentration(self.cursor.states[0])
        cause = trial.reason if not trial.converged else f"the estimated error stays at {trial.error:.1e}"
        return (
            f"Time step {self.cursor.step + 1} failed at t = {self.cursor.time:.6g} s (dt down to {dt:.1e} s), with c "
            f"between {c.min():.4g} and {c.max():.4g}: {cause}. Try a smaller current or `dt_start`, a finer mesh "
            "where c varies, or check that the surface can take the current (an exchange current that vanishes cannot)."
        )

    def solution(self) -> Solution:
        """Columns of the whole run."""
        observed = {name: np.stack([np.asarray(row[name]) for row in self.observed]) for name in self.observe}
        steps = tuple(taken.step for taken in self.tape.taken)
        return Solution(columns(self.records) | observed, self.saved, self._final(), self.endings, steps)

    def _final(self) -> State:
        return self.evolution.state(self.cursor.states[0])


class Trial(NamedTuple):
    dt: float
    x: Float[np.ndarray, " N"]
    converged: bool
    error: float | None
    formula: Any
    iterations: int
    reason: str
    breakdown: bool

    @property
    def order(self) -> int:
        return self.formula.order


def columns(records: list[Record]) -> dict[str, Float[np.ndarray, " steps"]]:
    """The history as arrays, by the names under which `Solution` offers them."""
    rows = [row(record) for record in records]
    return {key: np.array([r[key] for r in rows]) for key in (rows[0] if rows else {})}


def row(record: Record) -> dict[str, float]:
    """One history row, in SI: time, soc, voltage, current, charge, energies, peak stresses, c range, dt, newton."""
    m = record.measures
    energies = {f"{name}_energy": value for name, value in m.energies.items()}
    return {
        "step": record.step, "segment": record.segment, "time": record.time, "soc": record.soc,
        "voltage": record.voltage, "current": record.current, "charge": record.charge,
        "free_energy": sum(m.energies.values()), **energies, "max_principal_stress": m.principal,
        "max_von_mises": m.von_mises, "c_min": m.c_min, "c_max": m.c_max, "dt": record.dt, "newton": record.newton,
    }  # fmt: skip


class _Stability:
    """How fast a composition wave grows on a nearly uniform state."""

    def __init__(self, psis, kinetics, host, directions, sizes, voltage):
        self.psis, self.kinetics, self.host = psis, kinetics, host
        self.directions, self.sizes, self.voltage = directions, sizes, voltage

    @classmethod
    def of(cls, problem: Problem) -> _Stability:
        """From the energies of each region and the rate terms that act on cells."""
        whole = [p for p in problem.potentials if p.on is None or p.on in problem.mesh.cell_sets]
        kinetics = tuple(p for p in whole if not p.stored())
        # one representative cell: a wave's growth varies little with a parameter's scatter
        regions, kinetics, host = jax.tree.map(
            _mean_cell, (problem.regions(), kinetics, problem.host), is_leaf=_is_per_cell
        )
        size = float(np.ptp(problem.mesh.points, axis=0).max())
        smallest = problem.mesh.edge_lengths()[0]
        sizes = stability.wave_numbers(2 * np.pi / size, 2 * np.pi / smallest)
        voltage = problem.scalars.index("V") if "V" in problem.scalars else None
        psis = [Sum(parts) for parts in regions if parts] if "mu" in problem.fields else []
        return cls(
            psis, kinetics, host, jnp.asarray(coherency.normals(problem.mesh.dim, 37)), jnp.asarray(sizes), voltage
        )

    def rate(self, evolution: Evolution, x, ahead: float = 0.0) -> float:
        """Largest growth rate at the mean composition, or at one that lies `ahead` of it [1/s]."""
        if not self.psis:
            return 0.0
        problem, s = evolution.problem, evolution.expand(x)[1]
        c = evolution.mean(x)
        low, high = problem.domain or (-np.inf, np.inf)
        there = min(max(c + ahead, low + 1e-6), high - 1e-6)
        V = 0.0 if self.voltage is None else float(s[self.voltage]) * problem.scales.of("V")
        rates = [self._fastest(psi, c, there, V) for psi in self.psis]
        return max([0.0, *(rate for rate in rates if np.isfinite(rate))])

    def _fastest(self, psi: AbstractFreeEnergy, c: float, there: float, V: float) -> float:
        V -= self._slope(psi, c, there)  # at constant current the voltage follows the chemical potential
        return float(
            stability.fastest_growth(
                psi, self.kinetics, self.host, np.float64(there), np.float64(V), self.directions, self.sizes
            )
        )

    def _slope(self, psi: AbstractFreeEnergy, c: float, there: float) -> float:
        if self.voltage is None or c == there:
            return 0.0
        mu = [float(_uniform_potential(psi, self.host, np.float64(v))) for v in (c, there)]
        return (mu[1] - mu[0]) / float(self.host.faraday)


_uniform_potential = eqx.filter_jit(stability.potential)


def _is_per_cell(value: Any) -> bool:
    return isinstance(value, PerCell)


def _mean_cell(value: Any) -> Any:
    return jnp.mean(jnp.asarray(value.values), axis=0) if _is_per_cell(value) else value
