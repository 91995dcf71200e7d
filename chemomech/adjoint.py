"""The reverse of the time loop: gradients along the steps that a run has accepted.

With z_n the state after step n and R its residual, the multipliers of the steps follow from last to first,

    K_n^T lambda_n = -dJ/dz_n - (d/dz_n) sum_(m > n) lambda_m . R_m,      dJ/dp = sum_n dj_n/dp + lambda_n . dR_n/dp,

K_n at the converged state. All derivatives of lambda . R come from one reverse pass (`problem.action`), which also
returns K_n^T lambda_n: compared with the right-hand side, it tells at every step that the solve was right. The lengths
of the steps are frozen; only a step that ends at a stop event has a free length, which the event fixes.
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

from .errors import ChemomechError, SolveError
from .evolution import Evolution
from .measures import smooth
from .problem import Drive, Problem, action, expand
from .solve.direct import HostDirect
from .solve.linear import Breakdown
from .solve.step import AbstractStepper, Formula

RTOL = 1e-10  # of the transposed solves
DIFFERENTIATED = 1e-10  # Newton's tolerance of what is differentiated: a gradient is as right as its states
GOOD, WRONG, CORRECTIONS = 1e-9, 1e-6, 3  # a multiplier further off is corrected, so many times; then it is an error
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
    x: Float[np.ndarray, " N"]


@dataclasses.dataclass
class Tape:
    """What a run leaves behind to be differentiated.

    Args:
        evolution: took the steps.
        stepper: made their formulas.
        start: reduced unknowns before the first step.
        taken: all steps, each from the one before.
        rows: for each row of the history, the step whose result it describes.
        observe: what is evaluated at every row, by name.
    """

    evolution: Evolution
    stepper: AbstractStepper
    start: Float[np.ndarray, " N"]
    taken: list[Taken] = dataclasses.field(default_factory=list)
    rows: list[int] = dataclasses.field(default_factory=list)
    observe: Mapping[str, Observable] = dataclasses.field(default_factory=dict)

    def outputs(self) -> dict[str, Any]:
        """What can be differentiated: columns of the history, lengths of its steps, and the last state."""
        row = observables(self.observe)
        columns = [self.evolution.evaluate(row, self.taken[k].x) for k in self.rows]
        return {
            "columns": jax.tree.map(lambda *values: jnp.stack(values), *columns) if columns else {},
            "dt": jnp.asarray([self.taken[k].step.dt for k in self.rows[1:]], float),
            "final": jnp.asarray(self.taken[-1].x),
        }


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
    points = problem.mesh.points
    problem = dataclasses.replace(problem, mesh=still(problem.mesh))
    return problem.moved(points) if is_traced(points) else problem


class Arguments(NamedTuple):
    """What a run may be differentiated with respect to."""

    problem: Problem
    start: Float[Array, " N"]  # reduced unknowns
    loads: Sequence[Float[Array, ""]] = ()  # current [A] or voltage [V] of each segment
    stops: Sequence[dict[str, Float[Array, ""]]] = ()  # values of the stop events of each segment, currents in [A]


def differentiated(run: Callable[[Problem, Any], Tape], arguments: Arguments) -> tuple[dict[str, Any], Tape]:
    """The outputs of a run, which `jax.grad` goes through, and its tape.

    Args:
        run: takes the steps, given a problem and a start without tracers.
        arguments: with tracers of `jax.grad`, `jax.value_and_grad` or `jax.vjp`.

    Raises:
        ChemomechError: another transformation is at work, or a leaf is traced that no derivative exists for.
    """
    leaves, structure = jax.tree.flatten(arguments)
    traced = tuple(k for k, leaf in enumerate(leaves) if isinstance(leaf, jax.core.Tracer))
    kept: list[Tape] = []
    mask = _mask(structure, len(leaves), traced)

    @jax.custom_vjp
    def outputs(values):
        raise ChemomechError(NO_TRANSFORMATION)

    def forward(values):
        concrete = dict(zip(traced, values, strict=True))
        problem, start, _, _ = jax.tree.unflatten(
            structure, [jnp.asarray(concrete[k]) if k in concrete else leaf for k, leaf in enumerate(leaves)]
        )
        kept.append(run(problem, start))
        return kept[0].outputs(), ()

    def backward(_, cotangents):
        found = reverse(kept[0], cotangents, mask)
        return (found.at(leaves, traced, mask),)

    outputs.defvjp(forward, backward)
    try:
        return outputs([leaves[k] for k in traced]), kept[0]
    except TypeError as error:
        if "forward-mode" in str(error):
            raise ChemomechError(NO_TRANSFORMATION) from None
        raise


NO_TRANSFORMATION = (
    "Runs and steady states can be differentiated by jax.grad, jax.value_and_grad and jax.vjp (and eqx.filter_*), "
    "called as they are. They are loops in Python: jax.jit, jax.vmap and forward mode (jax.jvp, jax.jacfwd, "
    "jax.hessian) cannot go through."
)


class Mask(NamedTuple):
    """Which leaves of the arguments are traced, sorted by what they are."""

    problem: tuple[bool, ...]  # of the leaves of a kernel's problem
    places: dict[int, tuple[str, Any]]  # by the number of the argument's leaf: what it is, and which


def _mask(structure, count: int, traced: tuple[int, ...]) -> Mask:
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
            f"A run has no derivative with respect to {names}. Nodes move by `problem.moved(points)`; constraints are "
            "read once, when the problem is built."
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


def reverse(tape: Tape, cotangents: dict[str, Any], mask: Mask) -> Gradient:
    """From the derivatives of a scalar with respect to a run's outputs, those with respect to its arguments.

    Raises:
        SolveError: a transposed solve failed.
    """
    return _Reverse(tape, mask).along(cotangents)


class _Reverse:
    """The loop from the last step to the first."""

    def __init__(self, tape: Tape, mask: Mask):
        self.tape, self.evolution, self.mask = tape, tape.evolution, mask.problem
        self.problem = self.evolution.problem
        leaves = jax.tree.leaves(self.problem.kernel())
        self.total = [jnp.zeros_like(leaf) for leaf, some in zip(leaves, mask.problem, strict=True) if some]
        self.loads: dict[int, float] = {}
        self.stops: dict[tuple[int, str], float] = {}
        self.linear: Any = None
        self.later = 0.0  # derivative with respect to a delay of all that follows

    def along(self, cotangents: dict[str, Any]) -> Gradient:
        """All steps."""
        taken, rows = self.tape.taken, {k: n for n, k in enumerate(self.tape.rows)}
        columns = jax.tree.map(np.asarray, cotangents["columns"])
        lengths = np.asarray(cotangents["dt"])
        zero = np.zeros_like(self.tape.start)
        onto, earlier, earliest = np.asarray(cotangents["final"]), zero, zero  # of states k, k - 1, k - 2
        for k in reversed(range(len(taken))):
            direct = 0.0
            if k in rows:
                seed = jax.tree.map(lambda v, n=rows[k]: v[n], columns)
                onto = onto + self._observed(taken[k].x, seed)
                direct = float(lengths[rows[k] - 1]) if rows[k] else 0.0
            older, oldest = self._step(k, onto, direct)
            onto, earlier, earliest = earlier + older, earliest + oldest, zero
        return Gradient(self.total, onto, self.loads, self.stops)

    def _observed(self, x, seed: Any) -> Float[np.ndarray, " N"]:
        """What a row's values give for its state; their own derivatives by parameters are added up."""
        if not any(np.any(v) for v in jax.tree.leaves(seed)):
            return np.zeros_like(x)
        given, found = self.evolution.evaluate(_observed_back(tuple(self.tape.observe.items()), self.mask), x, seed)
        self._add(given)
        return np.asarray(found)

    def _add(self, parts: list[Array], factor: float = 1.0) -> None:
        self.total = [a + factor * b for a, b in zip(self.total, parts, strict=True)]

    def _step(self, k: int, onto: Float[np.ndarray, " N"], direct: float):
        """One step; returns what its older states get."""
        taken, step = self.tape.taken[k], self.tape.taken[k].step
        if not np.any(onto) and (step.event is None or not (direct or self.later)):
            return np.zeros_like(onto), np.zeros_like(onto)
        solve = self._transposed(k)
        multiplier, found = self._multiplied(k, solve, -onto)
        if step.event is not None:
            found = self._with_event(k, solve, multiplier, found, direct)
        self._add(found.problem)
        self.loads[step.segment] = self.loads.get(step.segment, 0.0) + self._load(found.load)
        self.later += found.t / self.evolution.time_scale
        older, oldest = (np.asarray(v) for v in found.states)
        return older, oldest if taken.formula.b else np.zeros_like(older)

    def _with_event(self, k: int, solve, multiplier, found: _Pulled, direct: float) -> _Pulled:
        """The last length of a segment is what its stop event makes it."""
        step = self.tape.taken[k].step
        sensitivity = direct + self._length_slope(k, found) + self.later
        place = (step.segment, step.event.name)
        if step.event.name == "time":
            self.stops[place] = self.stops.get(place, 0.0) + sensitivity
            return found
        x = self.tape.taken[k].x
        names = {"soc": "soc", "voltage": "voltage", "current": "current", "c_rate": "current"}
        given, slope = self.evolution.evaluate(
            _observed_back((), self.mask, (names[step.event.name],)), x, jnp.asarray(-step.event.sign)
        )
        other, pulled = self._multiplied(k, solve, -np.asarray(slope))
        rate = self._length_slope(k, pulled)
        if rate == 0.0:
            raise SolveError(f"The stop event '{step.event.name}' does not depend on time: it has no derivative.")
        nu = -sensitivity / rate
        self.stops[place] = self.stops.get(place, 0.0) + nu * step.event.sign
        self._add(given, nu)
        return jax.tree.map(lambda a, b: a + nu * b, found, pulled)

    def _length_slope(self, k: int, found: _Pulled) -> float:
        """Derivative with respect to the length of a step [1/s]."""
        taken, scale = self.tape.taken[k], self.evolution.time_scale

        def numbers(dt):
            f = self.tape.stepper.formula(dt, taken.previous)
            return jnp.stack([jnp.asarray(v, float) for v in (f.a, f.b, f.dte / scale)])

        slopes = jax.jacfwd(numbers)(jnp.asarray(taken.step.dt))
        return float(slopes @ found.formula) + float(found.t) / scale

    def _load(self, slope: Float[Array, " m"]) -> float:
        """Of the scaled values that act on the global scalars, per ampere or volt."""
        if "V" not in self.problem.scalars:
            return 0.0
        k = self.problem.scalars.index("V")
        unit = self.problem.drive(V=("load", 1.0)).value[k]
        fixed = self.problem.drive(V=("value", 1.0)).value[k]
        return float(slope[0][k] * unit + slope[1][k] * fixed)

    # --- one transposed solve and one reverse pass ------------------------------------------------------------------

    def _transposed(self, k: int) -> Callable[[Float[np.ndarray, " N"]], Float[np.ndarray, " N"]]:
        """K^-T of the converged step."""
        taken, evolution = self.tape.taken[k], self.evolution
        solver, given = evolution.newton.linear, self._given(k)
        tangent = evolution.tangent(taken.x, given, taken.drive)
        array = jnp.asarray if solver.on_device else np.asarray

        def solve(b):
            if not np.any(b):
                return np.zeros_like(b)
            try:
                return np.asarray(solver.solve(self.linear, array(b), rtol=RTOL, transpose=True)[0])
            except Breakdown:
                direct = evolution.assembled(HostDirect())
                state = direct.newton.linear.init(direct.tangent(taken.x, given, taken.drive))
                return direct.newton.linear.solve(state, b, rtol=RTOL, transpose=True)[0]

        if taken.step.settling:  # another length altogether: what is known of the other steps does not serve it
            self.linear = solver.forget(self.linear)
        self.linear = solver.init(tangent, self.linear)
        return solve

    def _given(self, k: int):
        """What the residual of a step is given, scaled."""
        taken, evolution = self.tape.taken[k], self.evolution
        newest, older = self._older(k)
        prev = evolution.expand(newest)
        f = taken.formula
        rate = evolution.expand(f.a * newest - f.b * older) if f.b else prev
        return rate, prev, taken.time / evolution.time_scale, f.dte / evolution.time_scale

    def _older(self, k: int):
        states = [self.tape.taken[n].x if n >= 0 else self.tape.start for n in (k - 1, k - 2)]
        return states[0], states[1] if self.tape.taken[k].formula.b else states[0]

    def _multiplied(self, k: int, solve, b) -> tuple[Any, _Pulled]:
        """The multiplier of a right-hand side, and all derivatives of its product with the residual."""
        taken, scale = self.tape.taken[k], self.evolution.time_scale
        f, size = taken.formula, float(np.linalg.norm(b))
        numbers = jnp.asarray([f.a, f.b, f.dte / scale])
        multiplier, left, off = np.zeros_like(b), b, np.inf
        for _ in range(CORRECTIONS):
            multiplier = multiplier + solve(left)
            found = self.evolution.evaluate(
                _pull_back(self.mask), taken.x, multiplier, self._older(k), numbers, taken.time / scale,
                taken.drive.prescribed, taken.drive.value,
            )  # fmt: skip
            left = b - np.asarray(found.own)
            off = float(np.linalg.norm(left))
            if off <= GOOD * size:
                return multiplier, found
        if not off <= WRONG * size:
            raise SolveError(
                f"The adjoint of the step at t = {taken.time:.6g} s is off by {off / size:.1e} of its right-hand side: "
                "its transposed linear system cannot be solved. Try linear = HostDirect()."
            )
        return multiplier, found


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
    def adjoint(problem, x, multiplier, older, numbers, t, prescribed, value):
        chosen, rebuilt = _parted(problem, mask)

        def product(chosen, x, older, numbers, t, value):
            made, (a, b, dte) = rebuilt(chosen), numbers
            rate, prev = expand(made, a * older[0] - b * older[1]), expand(made, older[0])
            return action(made, x, multiplier, rate, prev, t, dte, Drive(prescribed, value))

        slopes = jax.grad(product, argnums=tuple(range(6)))(chosen, x, older, numbers, t, value)
        parameters, own, states, formula, time, load = slopes
        acting = jnp.where(prescribed, 0.0, load), jnp.where(prescribed, load, 0.0)
        return _Pulled(parameters, own, states, formula, time, acting)

    return adjoint


def observables(observe: Mapping[str, Observable]) -> Callable:
    """The columns of a row, as a function of (problem, reduced unknowns)."""
    return _observed(tuple(observe.items()))


@functools.lru_cache(maxsize=64)
def _observed(observe: tuple[tuple[str, Observable], ...], names: tuple[str, ...] | None = None) -> Callable:
    def observed(problem, x):
        columns = smooth(problem, x)
        if names is not None:
            (name,) = names
            return columns[name] if name != "current" else jnp.abs(columns[name])
        state = problem.in_SI(expand(problem, x))
        return columns | {name: jnp.asarray(function(problem, state)) for name, function in observe}

    return observed


@functools.lru_cache(maxsize=64)
def _observed_back(
    observe: tuple[tuple[str, Observable], ...], mask: tuple[bool, ...], names: tuple[str, ...] | None = None
) -> Callable:
    def observed_back(problem, x, seed):
        chosen, rebuilt = _parted(problem, mask)
        function = _observed(observe, names)
        return jax.vjp(lambda chosen, x: function(rebuilt(chosen), x), chosen, x)[1](seed)

    return observed_back


def _parted(problem: Problem, mask: tuple[bool, ...]) -> tuple[list[Array], Callable[[list[Array]], Problem]]:
    """The leaves of the mask, and the problem with others in their place."""
    leaves, structure = jax.tree.flatten(problem)

    def rebuilt(chosen):
        given = iter(chosen)
        return jax.tree.unflatten(
            structure, [next(given) if some else leaf for leaf, some in zip(leaves, mask, strict=True)]
        )

    return [leaf for leaf, some in zip(leaves, mask, strict=True) if some], rebuilt
