"""One implicit step of a problem: what Newton sees of it, and what is measured on its result."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .coefficients import FieldParts
from .fem import assembly
from .fem.assembly import Tangent
from .fem.slices import across, over_slices
from .kernels import Kernels
from .problem import (
    BUDGET,
    Drive,
    Packed,
    Problem,
    State,
    constants,
    expand,
    ledger,
    residual,
    restrict,
    stress_at_points,
    stresses,
    tangent,
)
from .solve.fields import FieldTangent
from .solve.linear import AbstractLinearSolver, Size
from .solve.newton import Newton, Result, System
from .solve.step import Formula
from .units import parse

FRACTION_TO_BOUNDARY = 0.9


class Measures(NamedTuple):
    """Scalars of one state, in SI."""

    mean: float  # lithium over sites [1]
    c_min: float
    c_max: float
    current: float  # insertion current [A]
    energies: dict[str, float]  # [J]
    principal: float  # largest principal stress [Pa]
    von_mises: float  # largest von Mises stress [Pa]


class Evolution:
    """Takes steps of a problem: holds the constant part of its tangent and compiled functions of its state.

    All vectors are the reduced, scaled unknowns; `start` and `state` translate.

    Args:
        problem: what evolves.
        newton: default `Newton()`.
        budget: memory for values at quadrature points and element matrices, such as "256 MB"; cells are taken in as
            many chunks as that needs [byte].
        devices: such as `jax.devices()`: each evaluates its part of the cells; default: one does all.
    """

    def __init__(
        self, problem: Problem, newton: Newton | None = None, *, budget: float | str = BUDGET,
        devices: Sequence[Any] | None = None,
    ):  # fmt: skip
        self.problem = problem
        newton = newton or Newton()
        linear, _ = linear_solver(problem, newton)
        self.newton = dataclasses.replace(newton, linear=linear)
        self.time_scale = problem.scales.of("s")
        self._call = Kernels(problem, float(parse(budget, "byte", name="budget")), devices)
        self.constants = self._call(constants, problem.pack(problem.uniform(0.5)))
        ones = jnp.ones((len(problem.fields), len(problem.mesh.points)))
        self._sites = float(self._call(_content, ones)) if "c" in problem.fields else 0.0
        self._balance = problem.balance()

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
        return self.solve(guess, rate, prev, t, formula.dte, drive, linear_state)

    def backward_euler(self, x, dt: float, linear_state: Any = None, drive: Drive | None = None) -> Result:
        """One backward Euler step from x with x as first guess; nothing acts unless a drive is given."""
        formula = Formula(1.0, 0.0, dt, 1)
        return self.step(formula, (x,), x, 0.0, drive or self.problem.drive(), linear_state)

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
        bounds = self.problem.domain
        if bounds is None or "c" not in self.problem.fields:
            return 1.0
        return float(self._call(step_limit, x, dx, np.array(bounds)))

    def norms(self, dx) -> dict[str, float]:
        """Largest scaled update of each field and scalar."""
        names = (*self.problem.fields, *self.problem.scalars)
        return dict(zip(names, np.asarray(self._call(_norms, dx)).tolist(), strict=True))

    def mass(self, x) -> float:
        """Amount of lithium in scaled units (the integral of c over the body when there are no units)."""
        return float(self._call(_content, self.expand(x)[0]))

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
        return float(self._call(_current, x)) * self.problem.scales.of("A")

    def measures(self, x) -> Measures:
        """All scalars that a history records."""
        scales = self.problem.scales
        out = self._call(_measures, x)
        energies = {name: float(v) * scales.of("J") for name, v in out["energies"].items()}
        mean = float(out["content"]) / self._sites if self._sites else 0.0
        stress = scales.of("Pa")
        return Measures(
            mean, float(out["c_min"]), float(out["c_max"]), float(out["current"]) * scales.of("A"), energies,
            float(out["principal"]) * stress, float(out["von_mises"]) * stress,
        )  # fmt: skip


def linear_solver(problem: Problem, newton: Newton) -> tuple[AbstractLinearSolver, str]:
    """The linear solver that Newton's method takes for a problem, and why."""
    free = (np.asarray(problem.lift.index) < problem.lift.size).reshape(len(problem.fields), -1).any(axis=1)
    fields = tuple(name for name, some in zip(problem.fields, free, strict=True) if some)
    return newton.linear.chosen(Size(problem.mesh.dim, problem.mesh.order, problem.unknowns, fields))


# --- kernels: pure functions of (problem, arrays) -------------------------------------------------------------------


def _residual(problem: Problem, x, rate, prev, t, dt, prescribed, value):
    return residual(problem, x, rate, prev, t, dt, Drive(prescribed, value))


def _tangent(problem: Problem, constants, x, rate, prev, t, dt, prescribed, value):
    return tangent(problem, constants, x, rate, prev, t, dt, Drive(prescribed, value))


def _content(problem: Problem, Z: Float[Array, "fields n"]) -> Float[Array, ""]:
    """Integral of c_max c over all cells, scaled."""

    def add(part, total):
        for dom, weight, c_max in _volumes(part):
            total = total + jnp.sum(weight * c_max * dom.at_points(Z)[part.fields.index("c")][0])
        return total

    return over_slices(problem, add, jnp.zeros(()))


def _volumes(problem: Problem):
    """Domains that hold lithium, their volume weights and site densities; one term covers each cell once."""
    from .physics.transport import Amount, Storage
    from .tensors import Vector

    for term, member, params in zip(problem.terms, problem.members, problem.parameters(), strict=True):
        if any(isinstance(problem.potentials[k], Storage | Amount) for k in member):
            weight = term.domain.weight * params[2].weight(Vector(*term.domain.x))
            yield term.domain, weight, params[1].c_max


def _current(problem: Problem, x) -> Float[Array, ""]:
    """dL/dV per time: the reaction current."""
    now = expand(problem, x)
    one, zero = jnp.ones(()), jnp.zeros(())

    def add(part, total):
        def potential(s):
            return assembly.potential(part.terms, part.parameters(), (now[0], s), now, now, now, zero, one)

        return total + jax.grad(potential)(now[1])

    return over_slices(problem, add, jnp.zeros_like(now[1]))[problem.scalars.index("V")]


def _measures(problem: Problem, x) -> dict[str, Any]:
    now = expand(problem, x)
    zero = jnp.zeros(())
    out: dict[str, Any] = {"energies": ledger(problem, now), "content": zero, "c_min": zero, "c_max": zero}
    if "c" in problem.fields:
        c = now[0][problem.fields.index("c")]
        out |= {"content": _content(problem, now[0]), "c_min": jnp.min(c), "c_max": jnp.max(c)}
    out["current"] = _current(problem, x) if "V" in problem.scalars else zero
    stressed = "u.x" in problem.fields and any(p.stored() for p in problem.potentials)
    peaks = _peaks(problem, now) if stressed else (zero, zero)
    return out | {"principal": peaks[0], "von_mises": peaks[1]}


def _peaks(problem: Problem, packed: Packed):
    """Largest principal and von Mises stress at the points."""
    energies = [p for p in problem.potentials if p.stored()]
    if len({p.on for p in energies}) > 1:  # stresses of several terms add up
        return across(problem, _largest(stress_at_points(problem, packed)), "max")

    def add(part, most):
        term, stress = stresses(part, packed)[0]
        return jax.tree.map(jnp.maximum, most, _largest(stress, term.domain.weight > 0))  # not of padding

    return over_slices(problem, add, (jnp.asarray(-jnp.inf), jnp.asarray(0.0)), "max")


def _largest(stress, counted=True):
    xx, yy, zz, yz, xz, xy = stress
    von_mises = jnp.sqrt(0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * (yz**2 + xz**2 + xy**2))
    principal = jnp.where(counted, _largest_principal(xx, yy, zz, yz, xz, xy), -jnp.inf)
    return jnp.max(principal), jnp.max(jnp.where(counted, von_mises, 0.0))


def _largest_principal(xx, yy, zz, yz, xz, xy):
    """Largest eigenvalue of a symmetric tensor by the trigonometric formula."""
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    J2 = 0.5 * (a**2 + b**2 + c**2) + yz**2 + xz**2 + xy**2
    J3 = a * (b * c - yz**2) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    radius = jnp.sqrt(jnp.maximum(J2, 1e-300) / 3)
    cosine = jnp.clip(J3 / jnp.maximum(2 * radius**3, 1e-300), -1.0, 1.0)
    return mean + 2 * radius * jnp.cos(jnp.arccos(cosine) / 3)


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
