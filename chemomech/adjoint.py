"""The reverse of the time loop: gradients along the steps that a run has accepted.

With z_n the state after step n and R its residual, the multipliers of the steps follow from last to first,

    K_n^T lambda_n = -dJ/dz_n - (d/dz_n) sum_(m > n) lambda_m . R_m,      dJ/dp = sum_n dj_n/dp + lambda_n . dR_n/dp,

K_n at the converged state. All derivatives of lambda . R come from one reverse pass (`problem.action`), which also
returns K_n^T lambda_n: compared with the right-hand side, it tells at every step that the solve was right. The lengths
of the steps are frozen; only a step that ends at a stop event has a free length, which the event fixes.

The pass is a function of parameters, states, lengths and loads that `jax.jvp` goes through: second derivatives.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .checkpoints import States
from .errors import ChemomechError, SolveError
from .evolution import Evolution
from .measures import smooth
from .problem import Drive, Problem, action, expand
from .solve.direct import HostDirect
from .solve.linear import Breakdown
from .solve.step import AbstractStepper, Formula

RTOL = 1e-10  # of the linear solves, unless Newton's `linear_rtol` is smaller
DIFFERENTIATED = 1e-10  # Newton's tolerance of what is differentiated: a gradient is as right as its states
SLACK = 10.0  # of a result over that; what is further off is corrected
WRONG, CORRECTIONS = 1e-6, 3  # so many solves at most; what is wrong then is an error
COARSEST = 1e-2  # a correction is solved to what it is needed, and no worse
Observable = Callable[[Problem, Any], Any]  # (problem, state in SI) -> array


class Event(NamedTuple):
    """A stop event that a step ends at: where sign (value - quantity) vanishes."""

    name: str
    sign: float


class Step(NamedTuple):
    """An implicit step as it was taken: enough to take it again."""

    segment: int
    dt: float  # [s]
    settling: bool = False  # too short to move lithium, for unknowns that belong to c
    event: Event | None = None


class Taken(NamedTuple):
    """A step with its result."""

    step: Step
    previous: float | None  # length of the step before, where the formula uses it [s]
    formula: Formula
    time: float  # at its end [s]
    drive: Drive


@dataclasses.dataclass
class Tape:
    """What a run leaves behind to be differentiated.

    Args:
        evolution: took the steps.
        stepper: made their formulas.
        states: reduced unknowns: the start, then the result of each step.
        taken: all steps, each from the one before.
        rows: for each row of the history, the step whose result it describes.
        columns: what has been evaluated at every row.
        observe: functions among that, by name.
        linear: what the linear solver knows after the last step; whoever goes on from it lets it forget that step.
    """

    evolution: Evolution
    stepper: AbstractStepper
    states: States
    taken: list[Taken] = dataclasses.field(default_factory=list)
    rows: list[int] = dataclasses.field(default_factory=list)
    columns: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    observe: Mapping[str, Observable] = dataclasses.field(default_factory=dict)
    linear: Any = None

    @property
    def start(self) -> Float[np.ndarray, " N"]:
        """Reduced unknowns before the first step."""
        return self.states[0]

    def outputs(self) -> dict[str, Any]:
        """What can be differentiated: columns of the history, lengths of its steps, and the last state."""
        lengths = [self.taken[k].step.dt for k in self.rows[1:]]
        return outputs(self.columns, lengths, self.states[-1])


def outputs(columns: list[dict[str, Any]], lengths: Sequence[float], final: Any) -> dict[str, Any]:
    """Rows as columns, with the lengths of the steps between them and the last state."""
    stacked = jax.tree.map(lambda *values: jnp.asarray(np.stack(values)), *columns) if columns else {}
    return {"columns": stacked, "dt": jnp.asarray(lengths, float), "final": jnp.asarray(final)}


class Inputs(NamedTuple):
    """What derivatives along a tape depend on."""

    parameters: list[Array]  # leaves of the kernel's problem that are differentiated
    states: Sequence[Float[Array, " N"]]  # reduced unknowns: the start, then the result of each step
    lengths: list[Float[Array, ""]]  # of each step [s]
    loads: list[Float[Array, " m"]]  # on the global scalars, of each step

    @classmethod
    def of(cls, tape: Tape, mask: Mask) -> Inputs:
        """Those of a run."""
        leaves = jax.tree.leaves(tape.evolution.problem.kernel())
        return cls(
            [leaf for leaf, some in zip(leaves, mask.problem, strict=True) if some],
            tape.states, [taken.step.dt for taken in tape.taken], [taken.drive.value for taken in tape.taken],
        )  # fmt: skip


def is_traced(tree: Any) -> bool:
    """Whether a transformation follows any of its leaves."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def still(tree: Any) -> Any:
    """Without tracers.

    Raises:
        ChemomechError: those of a transformation that has no values yet.
    """

    def value(leaf):
        if not isinstance(leaf, jax.core.Tracer):
            return leaf
        try:
            return np.asarray(jax.lax.stop_gradient(leaf))
        except jax.errors.TracerArrayConversionError:
            raise ChemomechError(NO_TRANSFORMATION) from None

    return jax.tree.map(value, tree)


def placed(problem: Problem) -> Problem:
    """With all that is made of the node coordinates following them, where they are traced."""
    if problem.mesh is None:  # in a compiled function: it has been placed before
        return problem
    points = problem.mesh.points
    problem = dataclasses.replace(problem, mesh=still(problem.mesh))
    return problem.moved(points) if is_traced(points) else problem


NO_TRANSFORMATION = (
    "Runs and steady states can be differentiated by jax.grad, jax.jvp, jax.jacfwd, jax.jacrev, jax.hessian and "
    "jax.jvp of jax.grad (and eqx.filter_*), called as they are. They are loops in Python: jax.jit, jax.vmap and third "
    "derivatives cannot go through."
)


HELD = (
    "A function of `observe` holds a number that is being differentiated: no derivative goes through that. Let it "
    "observe what does not depend on the number, and put the number to the column afterwards."
)


class Mask(NamedTuple):
    """Which leaves of the arguments are traced, sorted by what they are."""

    problem: tuple[bool, ...]  # of the leaves of a kernel's problem
    places: dict[int, tuple[str, Any]]  # by the number of the argument's leaf: what it is, and which


def mask_of(structure, count: int, traced: tuple[int, ...]) -> Mask:
    """Numbers instead of leaves tell where each has gone."""
    numbered = jax.tree.unflatten(structure, list(range(count)))
    lean = jax.tree.leaves(dataclasses.replace(numbered.problem, mesh=None, constraints=()))
    chosen = [k for k in lean if k in traced]
    places: dict[int, tuple[str, Any]] = {k: ("problem", n) for n, k in enumerate(chosen)}
    places[numbered.start] = ("start", None)
    places |= {k: ("load", n) for n, k in enumerate(numbered.loads)}
    places |= {k: ("stop", (n, name)) for n, stops in enumerate(numbered.stops) for name, k in stops.items()}
    unknown = [k for k in traced if k not in places]
    if unknown:
        paths = jax.tree_util.tree_flatten_with_path(numbered)[0]
        names = ", ".join(jax.tree_util.keystr(path) for path, k in paths if k in unknown)
        raise ChemomechError(
            f"A run has no derivative with respect to {names}. Nodes move by `problem.moved(points)`, values of Fixed "
            "change by `problem.with_fixed(which, value)`."
        )
    return Mask(tuple(k in traced for k in lean), places)


class Gradient(NamedTuple):
    """Derivatives of a scalar of the outputs."""

    problem: list[Array]  # of the traced leaves
    start: Float[np.ndarray, " N"]
    loads: dict[int, float]  # by segment
    stops: dict[tuple[int, str], float]

    def at(self, leaves: list[Any], traced: tuple[int, ...], mask: Mask) -> list[Array]:
        """In the order of the traced leaves."""
        out = []
        for k in traced:
            kind, which = mask.places[k]
            value = {
                "problem": lambda n: self.problem[n], "start": lambda _: self.start,
                "load": lambda n: self.loads.get(n, 0.0), "stop": lambda n: self.stops.get(n, 0.0),
            }[kind](which)  # fmt: skip
            out.append(jnp.asarray(value).astype(leaves[k].dtype).reshape(leaves[k].shape))
        return out


def reverse(tape: Tape, mask: Mask, inputs: Inputs, cotangents: dict[str, Any]) -> Gradient:
    """From the derivatives of a scalar with respect to a run's outputs, those with respect to its arguments.

    Raises:
        SolveError: a transposed solve failed.
    """
    return _Reverse(tape, mask, inputs).along(cotangents)


class Along:
    """A walk along the steps of a tape: what the residual of each was given, and its linear solver."""

    def __init__(self, tape: Tape, mask: Mask, inputs: Inputs):
        self.tape, self.evolution, self.mask, self.inputs = tape, tape.evolution, mask.problem, inputs
        self.problem = self.evolution.problem
        self.linear: Any = self.evolution.newton.linear.forget(tape.linear)
        self.known: list[tuple[float, Any]] = []  # results of the last three steps, by time
        self.moving = is_traced(inputs.lengths)
        wanted = self.evolution.newton.linear_rtol
        self.rtol = RTOL if wanted is None else min(wanted, RTOL)

    def guessed(self, k: int, b: Any, *, transpose: bool) -> tuple[Any, Any]:
        """What the result of a step is about, by a parabola through those of the three steps taken last, and b less K
        (or K^T) times that."""
        t, known, system = self.tape.taken[k].time, self.known, self.linear.system
        if not known:
            return np.zeros_like(b), b
        others = [[s for s, _ in known if s != own] for own, _ in known]
        shares = [np.prod([(t - s) / (own - s) for s in rest]) for (own, _), rest in zip(known, others, strict=True)]
        guess = sum(share * value for share, (_, value) in zip(shares, known, strict=True))
        left = b - np.asarray((system.T if transpose else system) @ guess)
        return (guess, left) if self.size(left) < self.size(b) else (np.zeros_like(b), b)

    def size(self, v: Any) -> float:
        """In the norm that the linear solver reduces: fields differ by orders of magnitude."""
        return float(np.linalg.norm(np.asarray(getattr(self.linear, "weights", 1.0)) * np.asarray(v)))

    def needed(self, off: float, size: float) -> float:
        """The relative tolerance of a solve for what the result of a right-hand side of a size is off by."""
        return min(COARSEST, self.rtol * size / off) if off else COARSEST

    def good(self, off: float, size: float) -> bool:
        """Whether that is close enough."""
        return off <= SLACK * self.rtol * size

    def solver(self, k: int, *, transpose: bool) -> Callable[..., Float[np.ndarray, " N"]]:
        """K^-1 or K^-T of the converged step, of a right-hand side and a relative tolerance."""
        taken, evolution = self.tape.taken[k], self.evolution
        solver, given = evolution.newton.linear, self._given(k)
        x = self.tape.states[k + 1]
        tangent = evolution.tangent(x, given, taken.drive)
        array = jnp.asarray if solver.on_device else np.asarray

        def solve(b, rtol):
            if not np.any(np.asarray(b)):
                return np.zeros_like(b)
            try:
                return np.asarray(solver.solve(self.linear, array(b), rtol=rtol, transpose=transpose)[0])
            except Breakdown:
                direct = evolution.assembled(HostDirect())
                state = direct.newton.linear.init(direct.tangent(x, given, taken.drive))
                return direct.newton.linear.solve(state, np.asarray(b), rtol=rtol, transpose=transpose)[0]

        if taken.step.settling:  # another length altogether: what is known of the other steps does not serve it
            self.linear = solver.forget(self.linear)
        self.linear = solver.init(tangent, self.linear)
        return solve

    def _given(self, k: int):
        """What the residual of a step is given, scaled."""
        taken, evolution = self.tape.taken[k], self.evolution
        newest = self.tape.states[k]
        older = self.tape.states[k - 1] if taken.formula.b else newest
        prev = evolution.expand(newest)
        f = taken.formula
        rate = evolution.expand(f.a * newest - f.b * older) if f.b else prev
        return rate, prev, taken.time / evolution.time_scale, f.dte / evolution.time_scale

    def arguments(self, k: int) -> Residual:
        """What the residual of a step is a function of."""
        taken, scale, lengths = self.tape.taken[k], self.evolution.time_scale, self.inputs.lengths
        states = self.inputs.states
        newest, older = states[k], states[k - 1] if taken.formula.b else states[k]
        delays = [lengths[j] - self.tape.taken[j].step.dt for j in range(k + 1)] if self.moving else []
        return Residual(
            self.inputs.parameters, states[k + 1], (newest, older), self.numbers(k, lengths[k]),
            (taken.time + sum(delays)) / scale, self.inputs.loads[k],
        )  # fmt: skip

    def numbers(self, k: int, dt: Any) -> Float[Any, "3"]:
        """Those of the formula of a step of another length."""
        f = self.tape.stepper.formula(dt, self.tape.taken[k].previous)
        values = f.a, f.b, f.dte / self.evolution.time_scale
        return jnp.stack([jnp.asarray(v, float) for v in values]) if is_traced(values) else np.array(values)

    def numbers_by_length(self, k: int) -> Float[Array, "3"]:
        """Their derivatives [1/s]."""
        return jax.jacfwd(lambda dt: self.numbers(k, dt))(jnp.asarray(self.inputs.lengths[k], float))

    @functools.cached_property
    def units(self) -> tuple[Any, Any]:
        """Scaled load and scaled prescribed value of the terminals for 1 A and 1 V."""
        k = self.problem.scalars.index("V")
        return self.problem.drive(V=("load", 1.0)).value[k], self.problem.drive(V=("value", 1.0)).value[k]


class _Reverse(Along):
    """The loop from the last step to the first."""

    def __init__(self, tape: Tape, mask: Mask, inputs: Inputs):
        super().__init__(tape, mask, inputs)
        self.total = [jnp.zeros_like(leaf) for leaf in inputs.parameters]
        self.loads: dict[int, Any] = {}
        self.stops: dict[tuple[int, str], Any] = {}
        self.later: Any = 0.0  # derivative with respect to a delay of all that follows

    def along(self, cotangents: dict[str, Any]) -> Gradient:
        """All steps."""
        taken, rows = self.tape.taken, {k: n for n, k in enumerate(self.tape.rows)}
        columns, lengths = cotangents["columns"], cotangents["dt"]
        if not is_traced(cotangents):
            columns, lengths = jax.tree.map(np.asarray, columns), np.asarray(lengths)
            columns = {name: column for name, column in columns.items() if not _is_zero(column)}
        zero = np.zeros_like(self.tape.start)
        onto, earlier, earliest = cotangents["final"], zero, zero  # of states k, k - 1, k - 2
        for k in reversed(range(len(taken))):
            direct: Any = 0.0
            if k in rows:
                seed = jax.tree.map(lambda v, n=rows[k]: v[n], columns)
                onto = onto + self._observed(k, seed)
                direct = lengths[rows[k] - 1] if rows[k] else 0.0
            older, oldest = self._step(k, onto, direct)
            onto, earlier, earliest = earlier + older, earliest + oldest, zero
            self.tape.states.release(k)
        return Gradient(self.total, onto, self.loads, self.stops)

    def _observed(self, k: int, seed: Any) -> Any:
        """What a row's values give for its state; their own derivatives by parameters are added up."""
        x = self.inputs.states[k + 1]
        if _is_zero(seed):
            return np.zeros_like(self.tape.start)
        kernel = _observed_back(tuple(self.tape.observe.items()), self.mask)
        given, found = self.evolution.evaluate(kernel, self.inputs.parameters, x, seed)
        self._add(given)
        return found

    def _add(self, parts: list[Array], factor: Any = 1.0) -> None:
        self.total = _added(self.total, parts, factor)

    def _step(self, k: int, onto: Float[Array, " N"], direct: Any):
        """One step; returns what its older states get."""
        taken, step = self.tape.taken[k], self.tape.taken[k].step
        if _is_zero(onto) and (step.event is None or _is_zero((direct, self.later))):
            return np.zeros_like(self.tape.start), np.zeros_like(self.tape.start)
        solve = self.solver(k, transpose=True)
        multiplier, found = self._multiplied(k, solve, -onto, smooth=True)
        if step.event is not None:
            found = self._with_event(k, solve, multiplier, found, direct)
        self._add(found.problem)
        self.loads[step.segment] = self.loads.get(step.segment, 0.0) + self._load(found.load)
        self.later = self.later + found.t / self.evolution.time_scale
        older, oldest = found.states
        return older, oldest if taken.formula.b else np.zeros_like(self.tape.start)

    def _with_event(self, k: int, solve, multiplier, found: _Pulled, direct: Any) -> _Pulled:
        """The last length of a segment is what its stop event makes it."""
        step = self.tape.taken[k].step
        sensitivity = direct + self._length_slope(k, found) + self.later
        place = (step.segment, step.event.name)
        if step.event.name == "time":
            self.stops[place] = self.stops.get(place, 0.0) + sensitivity
            return found
        given, slope = self.evolution.evaluate(
            _observed_back((), self.mask, (QUANTITIES[step.event.name],)), self.inputs.parameters,
            self.inputs.states[k + 1], jnp.asarray(-step.event.sign),
        )  # fmt: skip
        other, pulled = self._multiplied(k, solve, -slope)
        rate = self._length_slope(k, pulled)
        if not is_traced(rate) and rate == 0.0:
            raise SolveError(timeless(step.event))
        nu = -sensitivity / rate
        self.stops[place] = self.stops.get(place, 0.0) + nu * step.event.sign
        self._add(given, nu)
        return jax.tree.map(lambda a, b: a + nu * b, found, pulled)

    def _length_slope(self, k: int, found: _Pulled) -> Any:
        """Derivative with respect to the length of a step [1/s]."""
        return self.numbers_by_length(k) @ found.formula + found.t / self.evolution.time_scale

    def _load(self, slope: tuple[Float[Array, " m"], Float[Array, " m"]]) -> Any:
        """Of the scaled values that act on the global scalars, per ampere or volt."""
        if "V" not in self.problem.scalars:
            return 0.0
        k, (unit, fixed) = self.problem.scalars.index("V"), self.units
        return slope[0][k] * unit + slope[1][k] * fixed

    # --- one transposed solve and one reverse pass ------------------------------------------------------------------

    def _multiplied(self, k: int, solve, b, *, smooth: bool = False) -> tuple[Any, _Pulled]:
        """The multiplier of a right-hand side, and all derivatives of its product with the residual.

        One that is `smooth` follows from those of the steps after it, nearly.
        """
        taken, kernel = self.tape.taken[k], _pull_back(self.mask)

        def pulled(given: Residual, multiplier):
            return self.evolution.evaluate(kernel, given, multiplier, taken.drive.prescribed)

        def plain(given: Residual, b, smooth=smooth):
            size = self.size(b)
            multiplier, left, off = np.zeros_like(b), b, size
            if smooth:
                multiplier, left = self.guessed(k, b, transpose=True)
                off = self.size(left)
            for _ in range(CORRECTIONS):
                multiplier = multiplier + solve(np.asarray(left), self.needed(off, size))
                found = pulled(given, multiplier)
                left = b - np.asarray(found.own)
                off = self.size(left)
                if self.good(off, size):
                    break
            if smooth:
                self.known = [*self.known[-2:], (taken.time, multiplier)]
            if not off <= WRONG * size:
                raise SolveError(
                    f"The adjoint of the step at t = {taken.time:.6g} s is off by {off / size:.1e} of its right-hand "
                    "side: its transposed linear system cannot be solved. Try linear = HostDirect()."
                )
            return multiplier, found

        given = self.arguments(k)
        if not is_traced((given, b)):
            return plain(given, np.asarray(b))
        found = jax.custom_jvp(lambda given, b: plain(given, np.asarray(b)))

        @found.defjvp
        def bent(primals, tangents):  # K^T lambda = b, once more
            (given, b), (moved, more) = primals, tangents
            multiplier, here = plain(given, np.asarray(b))
            _, turned = jax.jvp(lambda given: pulled(given, multiplier), (given,), (moved,))
            grown, added = plain(given, np.asarray(more - turned.own), smooth=False)
            return (multiplier, here), (grown, jax.tree.map(jnp.add, turned, added))

        return found(given, b)


QUANTITIES = {"soc": "soc", "voltage": "voltage", "current": "current", "c_rate": "current"}  # of stop events


def timeless(event: Event) -> str:
    """What is wrong with an event that never comes nearer."""
    return f"The stop event '{event.name}' does not depend on time: it has no derivative."


@jax.jit  # one call for all arrays
def _added(total: list[Array], parts: list[Array], factor: Any) -> list[Array]:
    return [a + factor * b for a, b in zip(total, parts, strict=True)]


def _is_zero(tree: Any) -> bool:
    return not is_traced(tree) and not any(np.any(np.asarray(v)) for v in jax.tree.leaves(tree))


class Residual(NamedTuple):
    """What the residual of a step is a function of, scaled."""

    parameters: list[Array]
    x: Float[Array, " N"]
    older: tuple[Float[Array, " N"], Float[Array, " N"]]
    numbers: Float[Array, "3"]  # a, b, dte
    t: Float[Array, ""]
    value: Float[Array, " m"]


class _Pulled(NamedTuple):
    """Derivatives of lambda . R of one step."""

    problem: list[Array]
    own: Float[Array, " N"]  # K^T lambda
    states: tuple[Array, Array]
    formula: Float[Array, "3"]  # a, b, dte
    t: Float[Array, ""]
    load: tuple[Array, Array]  # by the value of a load, and of what is prescribed


@functools.lru_cache(maxsize=64)
def _pull_back(mask: tuple[bool, ...]) -> Callable:
    def adjoint(problem, given: Residual, multiplier, prescribed):
        def product(given: Residual):
            made, (a, b, dte) = with_parameters(problem, mask, given.parameters).backward(), given.numbers
            rate = expand(made, a * given.older[0] - b * given.older[1])
            drive = Drive(prescribed, given.value)
            return action(made, given.x, multiplier, rate, expand(made, given.older[0]), given.t, dte, drive)

        found = jax.grad(product)(given)
        acting = jnp.where(prescribed, 0.0, found.value), jnp.where(prescribed, found.value, 0.0)
        return _Pulled(found.parameters, found.x, found.older, found.numbers, found.t, acting)

    return adjoint


def observables(observe: Mapping[str, Observable]) -> Callable:
    """The columns of a row, as a function of (problem, reduced unknowns)."""
    return observed(tuple(observe.items()))


@functools.lru_cache(maxsize=64)
def observed(
    observe: tuple[tuple[str, Observable], ...], names: tuple[str, ...] | None = None, *, backward: bool = False
) -> Callable:
    """The same, or one column of the history alone; `backward`: for reverse mode, but for functions not our own."""

    def row(problem, x):
        columns = smooth(problem.backward() if backward else problem, x)
        if names is not None:
            (name,) = names
            return columns[name] if name != "current" else jnp.abs(columns[name])
        return columns | functions(observe)(problem, x)

    return row


@functools.lru_cache(maxsize=64)
def functions(observe: tuple[tuple[str, Observable], ...]) -> Callable:
    """Those of the user alone, as a function of (problem, reduced unknowns)."""

    def own(problem, x):
        state = problem.in_SI(expand(problem, x))
        return {name: jnp.asarray(function(problem, state)) for name, function in observe}

    return own


def values_at(evolution: Evolution, function: Callable, x: Float[np.ndarray, " N"]) -> dict[str, Any]:
    """What functions of `observe` give for a state.

    Raises:
        ChemomechError: one of them holds a number that is being differentiated.
    """
    try:
        found = evolution.evaluate(function, x)
    except jax.errors.UnexpectedTracerError:
        raise ChemomechError(HELD) from None
    if is_traced(found):
        raise ChemomechError(HELD)
    return found


@functools.lru_cache(maxsize=64)
def _observed_back(
    observe: tuple[tuple[str, Observable], ...], mask: tuple[bool, ...], names: tuple[str, ...] | None = None
) -> Callable:
    def observed_back(problem, parameters, x, seed):
        row = observed(observe, names, backward=True)

        def asked(p, x):
            found = row(with_parameters(problem, mask, p), x)
            return {name: found[name] for name in seed} if names is None else found

        return jax.vjp(asked, parameters, x)[1](seed)

    return observed_back


def with_parameters(problem: Problem, mask: tuple[bool, ...], parameters: list[Array]) -> Problem:
    """The problem with others in the place of the leaves of the mask."""
    leaves, structure = jax.tree.flatten(problem)
    given = iter(parameters)
    return jax.tree.unflatten(
        structure, [next(given) if some else leaf for leaf, some in zip(leaves, mask, strict=True)]
    )
