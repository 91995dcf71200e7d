"""One implicit step of a problem: what Newton sees of it, and what is measured on its result."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .problem import Drive, Packed, Problem, expand, ledger, residual, restrict, stress_at_points, tangent
from .solve.newton import Newton, Result, System
from .solve.step import Formula

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

    All vectors are the reduced, scaled unknowns; `pack` and `unpack` of the problem translate.
    """

    def __init__(self, problem: Problem, newton: Newton | None = None):
        self.problem = problem
        self.compiled = problem.on_device()
        self.newton = newton or Newton()
        self.time_scale = problem.scales.of("s")
        self._constants = self.compiled.constants()
        self._sites = float(_content(self.compiled, jnp.ones((len(problem.fields), len(problem.mesh.points)))))

    @property
    def sites(self) -> float:
        """Amount of lithium sites [mol]."""
        return self._sites * self.problem.scales.of("mol")

    def expand(self, x: Float[np.ndarray, " N"]) -> Packed:
        """All nodal values and scalars."""
        return expand(self.compiled, jnp.asarray(x))

    def start(self, packed: Packed) -> Float[np.ndarray, " N"]:
        """Reduced unknowns of a packed state."""
        return np.asarray(restrict(self.problem, packed))

    def solve(
        self, guess: Float[np.ndarray, " N"], rate: Packed, prev: Packed, t: float, dte: float, drive: Drive,
        linear_state: Any = None,
    ) -> Result:  # fmt: skip
        """Newton on the residual of a step of effective length dte [s] to time t [s]."""
        t, dte = jnp.asarray(t / self.time_scale), jnp.asarray(dte / self.time_scale)
        system = System(
            residual=lambda x: np.asarray(residual(self.compiled, jnp.asarray(x), rate, prev, t, dte, drive)),
            tangent=lambda x: self._tangent(x, rate, prev, t, dte, drive),
            limit=self.limit,
            norms=self.norms,
        )
        return self.newton.solve(system, guess, linear_state)

    def _tangent(self, x, rate, prev, t, dte, drive):
        tangent_now = tangent(self.compiled, self._constants, jnp.asarray(x), rate, prev, t, dte, drive)
        return eqx.tree_at(lambda k: k.pattern, tangent_now, self.problem.pattern)

    def step(self, formula: Formula, states, guess, t: float, drive: Drive, linear_state: Any = None) -> Result:
        """One step of a time formula from the newest states (reduced vectors, newest first)."""
        prev = self.expand(states[0])
        rate = prev
        if formula.b:
            older = self.expand(states[1])
            rate = jax.tree.map(lambda p, o: formula.a * p - formula.b * o, prev, older)
        return self.solve(guess, rate, prev, t, formula.dte, drive, linear_state)

    def backward_euler(self, x, dt: float, linear_state: Any = None, drive: Drive | None = None) -> Result:
        """One backward Euler step from x with x as first guess; nothing acts unless a drive is given."""
        formula = Formula(1.0, 0.0, dt, 1)
        return self.step(formula, (x,), x, 0.0, drive or self.problem.drive(), linear_state)

    def limit(self, x, dx) -> float:
        """Largest step that keeps c inside its domain at nodes and quadrature points."""
        bounds = self.problem.domain
        if bounds is None or "c" not in self.problem.fields:
            return 1.0
        return float(_step_limit(self.compiled, jnp.asarray(x), jnp.asarray(dx), jnp.asarray(bounds)))

    def norms(self, dx) -> dict[str, float]:
        """Largest scaled update of each field and scalar."""
        problem, n = self.problem, self.problem.lift.size
        Z = np.abs(np.append(dx[:n], 0.0)[self._index]).reshape(len(problem.fields), -1)
        out = {f: float(Z[k].max()) for k, f in enumerate(problem.fields)}
        return out | {name: abs(float(dx[n + k])) for k, name in enumerate(problem.scalars)}

    @property
    def _index(self):
        if not hasattr(self, "_index_array"):
            self._index_array = np.asarray(self.problem.lift.index)
        return self._index_array

    def mass(self, packed: Packed) -> float:
        """Integral of c over the body, in units of the scaled measure."""
        return float(_content(self.compiled, packed[0]))

    def mean(self, x) -> float:
        """Lithium over sites [1]."""
        return self.mass(self.expand(x)) / self._sites

    def concentration(self, x) -> Float[np.ndarray, " n"]:
        """Nodal c."""
        return np.asarray(self.expand(x)[0][self.problem.fields.index("c")])

    def measures(self, x) -> Measures:
        """All scalars that a history records."""
        problem, packed = self.problem, self.expand(x)
        energies = ledger(self.compiled, packed)
        scale = problem.scales.of("J")
        c = np.asarray(packed[0][problem.fields.index("c")]) if "c" in problem.fields else np.zeros(1)
        principal = von_mises = 0.0
        if "u.x" in problem.fields:
            principal, von_mises = (float(v) * problem.scales.of("Pa") for v in _peaks(self.compiled, packed))
        return Measures(
            self.mass(packed) / self._sites if self._sites else 0.0, float(c.min()), float(c.max()),
            self.current(packed), {k: float(v) * scale for k, v in energies.items()}, principal, von_mises,
        )  # fmt: skip

    def current(self, packed: Packed) -> float:
        """Insertion current through all reacting faces [A]."""
        if "V" not in self.problem.scalars:
            return 0.0
        return float(_current(self.compiled, packed)) * self.problem.scales.of("A")


@eqx.filter_jit
def _content(problem: Problem, Z: Float[Array, "fields n"]) -> Float[Array, ""]:
    """Integral of c over the cells that store lithium, weighted by c_max, in scaled amounts."""
    if "c" not in problem.fields:
        return jnp.zeros(())
    return -_mu_slope(problem, Z) if "mu" in problem.fields else _volume_mean(problem, Z)


def _mu_slope(problem: Problem, Z):
    """d L / d(uniform mu) of the rate terms at dt = 0 and zero old state: minus the amount of lithium."""
    from .fem import assembly

    mu = problem.fields.index("mu")
    zero = jnp.zeros_like(Z)
    scalars = jnp.zeros(len(problem.scalars))

    def potential(shift):
        now = (Z.at[mu].set(0.0).at[mu].add(shift), scalars)
        t = jnp.zeros(())
        return assembly.potential(problem.terms, problem.parameters(), now, now, (zero, scalars), (zero, scalars), t, t)

    return jax.grad(potential)(jnp.zeros(()))


def _volume_mean(problem: Problem, Z):
    term, params = problem.terms[0], problem.parameters()[0]
    c = term.domain.at_points(Z)[problem.fields.index("c")][0]
    from .tensors import Vector

    return jnp.sum(term.domain.weight * params[2].weight(Vector(*term.domain.x)) * params[1].c_max * c)


@eqx.filter_jit
def _current(problem: Problem, packed: Packed):
    """dL/dV per time: the reaction current."""
    from .fem import assembly

    one, zero = jnp.ones(()), jnp.zeros(())
    _, r = assembly.residual(problem.terms, problem.parameters(), packed, packed, packed, zero, one)
    return r[problem.scalars.index("V")]


@eqx.filter_jit
def _peaks(problem: Problem, packed: Packed):
    xx, yy, zz, yz, xz, xy = stress_at_points(problem, packed)
    von_mises = jnp.sqrt(0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * (yz**2 + xz**2 + xy**2))
    return jnp.max(_largest_principal(xx, yy, zz, yz, xz, xy)), jnp.max(von_mises)


def _largest_principal(xx, yy, zz, yz, xz, xy):
    """Largest eigenvalue of a symmetric tensor by the trigonometric formula."""
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    J2 = 0.5 * (a**2 + b**2 + c**2) + yz**2 + xz**2 + xy**2
    J3 = a * (b * c - yz**2) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    radius = jnp.sqrt(jnp.maximum(J2, 1e-300) / 3)
    cosine = jnp.clip(J3 / (2 * radius**3), -1.0, 1.0)
    return mean + 2 * radius * jnp.cos(jnp.arccos(cosine) / 3)


@eqx.filter_jit
def _step_limit(problem: Problem, x, dx, bounds):
    k = problem.fields.index("c")
    n = problem.lift.size
    c = expand(problem, x)[0][k]
    dc = problem.lift.increment(dx[:n]).reshape(len(problem.fields), -1)[k]
    pairs = [(c, dc)]
    if problem.mesh.order > 1:
        for term in problem.terms:
            values = term.domain.at_points(jnp.stack([c, dc]))
            pairs.append((values[0][0].ravel(), values[1][0].ravel()))
    low, high = bounds[0], bounds[1]
    worst = 1.0
    for value, change in pairs:
        down = jnp.where(change < 0, (value - low) / jnp.maximum(-change, 1e-300), jnp.inf)
        up = jnp.where(change > 0, (high - value) / jnp.maximum(change, 1e-300), jnp.inf)
        room = jnp.min(jnp.minimum(down, up))
        worst = jnp.minimum(worst, jnp.where(room > 1.0, 1.0, FRACTION_TO_BOUNDARY * room))
    return worst
