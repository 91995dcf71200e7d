"""One implicit step of a problem: what Newton sees of it, and what is measured on its result."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .coefficients import FieldParts
from .fem.assembly import Tangent
from .fem.slices import over_slices
from .kernels import Kernels
from .measures import Measures, content, current, holds_lithium, measures
from .problem import (
    Drive,
    Packed,
    Problem,
    State,
    acting,
    constants,
    expand,
    residual,
    restrict,
    tangent,
)
from .solve.fields import FieldTangent
from .solve.linear import AbstractLinearSolver, Size
from .solve.newton import Newton, Result, System
from .solve.step import Formula
from .units import parse

FRACTION_TO_BOUNDARY = 0.9


class Evolution:
    """Takes steps of a problem: holds the constant part of its tangent and compiled functions of its state.

    All vectors are the reduced, scaled unknowns; `start` and `state` translate.

    Args:
        problem: what evolves.
        newton: default `Newton()`.
        budget: memory for values at quadrature points and element matrices, such as "128 MB"; cells are taken in as
            many chunks as that needs; default: 256 MB, half of that on the CPU [byte].
        devices: such as `jax.devices()`: each evaluates its part of the cells; default: one does all.
    """

    def __init__(
        self, problem: Problem, newton: Newton | None = None, *, budget: float | str | None = None,
        devices: Sequence[Any] | None = None,
    ):  # fmt: skip
        self.problem = problem
        newton = newton or Newton()
        linear, _ = linear_solver(problem, newton)
        self.newton = dataclasses.replace(newton, linear=linear)
        self.time_scale = problem.scales.of("s")
        self._call = Kernels(problem, None if budget is None else float(parse(budget, "byte", name="budget")), devices)
        self.constants = self._call(constants, problem.pack(problem.uniform(0.5)))
        ones = jnp.ones((len(problem.fields), len(problem.mesh.points)))
        self._sites = float(self._call(content, ones)) if "c" in problem.fields else 0.0
        self._balance = problem.balance()
        self._domain = problem.domain  # asked for in every iteration

    @functools.cached_property
    def _parts(self) -> FieldParts:
        return FieldParts(self.problem, self.constants, self._call)

    def assembled(self, linear: AbstractLinearSolver) -> Evolution:
        """The same steps with a solver that takes the assembled tangent."""
        other = copy.copy(self)
        other.newton = dataclasses.replace(self.newton, linear=linear)
        return other

    @property
    def sites(self) -> float:
        """Amount of lithium sites [mol]."""
        return self._sites * self.problem.scales.of("mol")

    def evaluate(self, function: Callable, *args: Any) -> Any:
        """function(problem, *args), compiled; pure, of scaled numbers."""
        return self._call(function, *args)

    def expand(self, x: Float[np.ndarray, " N"]) -> Packed:
        """All nodal values and scalars."""
        return self._call(expand, x)

    def start(self, state: State) -> Float[np.ndarray, " N"]:
        """Reduced unknowns of a state."""
        return np.asarray(self._call(restrict, self.problem.pack(state)))

    def state(self, x: Float[np.ndarray, " N"]) -> State:
        """The state of reduced unknowns."""
        return self.problem.unpack(self.expand(x))

    def solve(
        self, guess: Float[np.ndarray, " N"], rate: Packed, prev: Packed, t: float, dte: float, drive: Drive,
        linear_state: Any = None,
    ) -> Result:  # fmt: skip
        """Newton on the residual of a step of effective length dte [s] to time t [s]."""
        given = (rate, prev, t / self.time_scale, dte / self.time_scale)
        array = jnp.asarray if self.newton.linear.on_device else np.asarray
        system = System(
            residual=lambda x: array(self.residual(x, given, drive)),
            tangent=lambda x: self.tangent(x, given, drive),
            limit=self.limit,
            norms=self.norms,
        )
        result = self.newton.solve(system, array(guess), linear_state)
        result = result._replace(x=np.asarray(result.x))
        return self._with_exact_current(result, given, drive) if result.converged else result

    def _with_exact_current(self, result: Result, given, drive: Drive) -> Result:
        """The voltage at which the reaction carries the given current to round-off, all else as it is."""
        if "V" not in self.problem.scalars:
            return result
        k = self.problem.scalars.index("V")
        x, slope = np.array(result.x), float(result.linear_state.border.corner[k, k])
        for _ in range(2):
            row = float(self.residual(x, given, drive)[self.problem.lift.size + k])
            x[self.problem.lift.size + k] -= row / slope if slope else 0.0
        return result._replace(x=x)

    def residual(self, x, given, drive: Drive) -> Float[Array, " N"]:
        """Reduced residual; `given` is (rate, prev, t, dt), scaled."""
        return self._call(_residual, x, *given, drive.prescribed, drive.value)

    def tangent(self, x, given, drive: Drive) -> Tangent | FieldTangent:
        """Its derivative through both slots."""
        if self.newton.linear.knows_fields:
            return self._parts.tangent(x, given, drive, self._balance)
        values = self._call(_tangent, self.constants, x, *given, drive.prescribed, drive.value)
        return Tangent(values[0], values[1], self.problem.pattern, self._balance)

    def step(self, formula: Formula, states, guess, t: float, drive: Drive, linear_state: Any = None) -> Result:
        """One step of a time formula from the newest states (reduced vectors, newest first)."""
        prev = self.expand(states[0])
        rate = prev
        if formula.b:
            rate = self.expand(formula.a * states[0] - formula.b * states[1])
        guess = self.with_given(guess, t, drive)
        return self.solve(guess, rate, prev, t, formula.dte, drive, linear_state)

    def with_given(self, x: Float[np.ndarray, " N"], t: float, drive: Drive) -> Float[np.ndarray, " N"]:
        """With the global scalars that are prescribed at a time where they are to be.

        The tangent has no columns of boundary values that move: they must not change in an iteration.
        """
        if not self.problem.acted:
            return x
        n, prescribed = self.problem.lift.size, np.asarray(drive.prescribed)
        value = np.asarray(self._call(_targets, t / self.time_scale, drive.prescribed, drive.value))
        return np.concatenate([np.asarray(x)[:n], np.where(prescribed, value, np.asarray(x)[n:])])

    def backward_euler(self, x, dt: float, linear_state: Any = None, drive: Drive | None = None) -> Result:
        """One backward Euler step from x with x as first guess; nothing acts unless a drive is given."""
        formula = Formula(1.0, 0.0, dt, 1)
        return self.step(formula, (x,), x, 0.0, drive or self.problem.drive(), linear_state)

    def with_voltage(self, x: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """With the first potential that knows one as a guess of a voltage that is not set."""
        problem = self.problem
        if "V" not in problem.scalars or x[problem.lift.size + problem.scalars.index("V")] != 0.0:
            return x
        guess = np.array(x)
        volts = [float(p.V0) for p in problem.potentials if hasattr(p, "V0")]
        scale = problem.scales.of("V")
        guess[problem.lift.size + problem.scalars.index("V")] = volts[0] / scale if volts else 0.0
        return guess

    def compile(self, x) -> None:
        """Compile every kernel that a step needs, so that the first step costs what the others do."""
        state = self.expand(x)
        given, drive = (state, state, 0.0, 0.0), self.problem.drive()
        self.residual(x, given, drive)
        jax.block_until_ready(self.tangent(x, given, drive).border.corner)
        self.limit(x, np.zeros_like(x))
        self.measures(x)

    def limit(self, x, dx) -> float:
        """Largest step that keeps c inside its domain at nodes and quadrature points."""
        bounds = self._domain
        if bounds is None or "c" not in self.problem.fields:
            return 1.0
        return float(self._call(step_limit, x, dx, np.array(bounds)))

    def norms(self, dx) -> dict[str, float]:
        """Largest scaled update of each field and scalar."""
        names = (*self.problem.fields, *self.problem.scalars)
        return dict(zip(names, np.asarray(self._call(_norms, dx)).tolist(), strict=True))

    def mass(self, x) -> float:
        """Amount of lithium in scaled units (the integral of c over the body when there are no units)."""
        return float(self._call(content, self.expand(x)[0]))

    def mean(self, x) -> float:
        """Lithium over sites [1]."""
        return self.mass(x) / self._sites if self._sites else 0.0

    def concentration(self, x) -> Float[np.ndarray, " n"]:
        """Nodal c."""
        return np.asarray(self.expand(x)[0][self.problem.fields.index("c")])

    def current(self, x) -> float:
        """Insertion current through all reacting faces [A]."""
        if "V" not in self.problem.scalars:
            return 0.0
        return float(self._call(current, x)) * self.problem.scales.of("A")

    def measures(self, x) -> Measures:
        """All scalars that a history records."""
        scales = self.problem.scales
        out = self._call(measures, x)
        energies = {name: float(v) * scales.of("J") for name, v in out["energies"].items()}
        mean = float(out["content"]) / self._sites if self._sites else 0.0
        stress = scales.of("Pa")
        return Measures(
            mean, float(out["c_min"]), float(out["c_max"]), float(out["current"]) * scales.of("A"), energies,
            float(out["principal"]) * stress, float(out["von_mises"]) * stress,
        )  # fmt: skip

    def smooth(self, x, measures: Measures) -> dict[str, Any]:
        """What `measures.smooth` gives for a state, from what has been measured on it, to round-off."""
        problem, n = self.problem, self.problem.lift.size
        out: dict[str, Any] = {f"{name}_energy": value for name, value in measures.energies.items()}
        out["free_energy"] = sum(out.values())
        if holds_lithium(problem):
            out |= {"soc": measures.mean, "capacity": self.sites * float(problem.host.faraday)}
        if "V" in problem.scalars:
            out |= {
                "voltage": x[n + problem.scalars.index("V")] * problem.scales.of("V"), "current": measures.current
            }  # fmt: skip
        if "mu_mean" in problem.scalars:
            out["mu_mean"] = x[n + problem.scalars.index("mu_mean")] * problem.scales.of("J/mol")
        return out


def linear_solver(problem: Problem, newton: Newton) -> tuple[AbstractLinearSolver, str]:
    """The linear solver that Newton's method takes for a problem, and why."""
    free = (np.asarray(problem.lift.index) < problem.lift.size).reshape(len(problem.fields), -1).any(axis=1)
    fields = tuple(name for name, some in zip(problem.fields, free, strict=True) if some)
    return newton.linear.chosen(Size(problem.mesh.dim, problem.mesh.order, problem.unknowns, fields))


# --- kernels: pure functions of (problem, arrays) -------------------------------------------------------------------


def _residual(problem: Problem, x, rate, prev, t, dt, prescribed, value):
    return residual(problem, x, rate, prev, t, dt, Drive(prescribed, value))


def _targets(problem: Problem, t, prescribed, value):
    return acting(problem, Drive(prescribed, value), t)


def _tangent(problem: Problem, constants, x, rate, prev, t, dt, prescribed, value):
    return tangent(problem, constants, x, rate, prev, t, dt, Drive(prescribed, value))


def _norms(problem: Problem, dx) -> Float[Array, " k"]:
    """Largest update of each field and scalar."""
    n = problem.lift.size
    Z = jnp.abs(problem.lift.increment(dx[:n])).reshape(len(problem.fields), -1)
    return jnp.concatenate([jnp.max(Z, axis=1), jnp.abs(dx[n:])])


def step_limit(problem: Problem, x, dx, bounds):
    k = problem.fields.index("c")
    c = expand(problem, x)[0][k]
    dc = problem.lift.increment(dx[: problem.lift.size]).reshape(len(problem.fields), -1)[k]

    def admitted(value, change):
        down = jnp.where(change < 0, (value - bounds[0]) / jnp.maximum(-change, 1e-300), jnp.inf)
        up = jnp.where(change > 0, (bounds[1] - value) / jnp.maximum(change, 1e-300), jnp.inf)
        room = jnp.min(jnp.minimum(down, up))
        return jnp.where(room > 1.0, 1.0, FRACTION_TO_BOUNDARY * room)

    def worst(part, least):
        for term in part.terms:
            value, change = (v[0] for v in term.domain.at_points(jnp.stack([c, dc])))
            least = jnp.minimum(least, admitted(value, change))
        return least

    return over_slices(problem, worst, admitted(c, dc), "min")
