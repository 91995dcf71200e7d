"""Gradients of a run against differences along the same steps: phase separation, a cell protocol and elasticity.

The differences are Richardson's of two central ones, taken by `replay`; without it the lengths of the steps would
follow the parameters, and the differences would have their jumps.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import platelet
import pytest

import chemomech as cm
from chemomech import adjoint
from chemomech.fem.mesh import box, rectangle

PROTOCOL = np.array([2.0, 0.45, 3.30, 30.0, 1.0, 0.35, 20.0])
# lengths of Taylor's steps in units of SIZES, of bodies by dimension; else 10
LONGER = {"electrode": {"angle": 2.5, "material": 2.5}, 2: {"start": 1.0}, 3: {"protocol": 1000.0}}
# 63 steps of the electrode instead of 113, 76 to cut-off voltages instead of 140
FEW = cm.ErrorControl(tol=1e-1, soc_max=0.1, start=1e-2)
SIZES = {"material": 3e-5, "angle": 1e-3, "cells": 5e-4, "start": 1e-3, "protocol": 1e-5, "nodes": 1e-4}


class Case(NamedTuple):
    """A run and a scalar of its results."""

    problem: cm.Problem
    state: Any
    q: np.ndarray  # numbers of the protocol
    value: Any  # (problem, state, q, replay, checkpoints) -> scalar
    solution: Any


def cell_protocol(q):
    """Discharge, hold, charge, rest: stops at a state of charge and at a time, currents and a voltage.

    Of four numbers: the first two.
    """
    first = [cm.Discharge(c_rate=q[0], until={"soc": q[1]}), cm.Hold(voltage=q[2], until={"time": q[3]})]
    if len(q) == 4:
        return cm.Protocol(first)
    return cm.Protocol([*first, cm.Charge(c_rate=q[4], until={"soc": q[5]}), cm.Rest(until={"time": q[6]})])


def spread(_, state):
    """Of composition."""
    return jnp.sum((state.c - 0.5) ** 4)


@functools.cache
def electrode(linear: str, rtol: float | None = None, numbers: int = len(PROTOCOL)) -> Case:
    """The platelet with its reaction, no diffusion, and per-cell rates; by the first numbers of its protocol."""
    problem = platelet.problem(cells=6, side=24e-9, angle=0.0)
    state = problem.state(c=lambda x: 0.05 + 0.02 * np.cos(3e8 * x[:, 0]))
    return case(problem, state, PROTOCOL[:numbers], cell_protocol, linear, rtol, control=FEW)


@functools.cache
def closed(linear: str, dim: int, rtol: float | None = None) -> Case:
    """A closed body that separates by diffusion."""
    mesh, kappa = (rectangle(1.0, 1.0, 8, 8), 1.6e-3) if dim == 2 else (box(1.0, 1.0, 1.0, 4, 4, 4), 0.0144)
    energies = [
        cm.RegularSolution(chi=3.0), cm.GradientEnergy(kappa),
        cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5)),
    ]  # fmt: skip
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(energies), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    state = problem.state(c=lambda x: 0.5 + 0.05 * np.cos(3 * x[:, 0]) * np.cos(5 * x[:, 1]))
    return case(problem, state, np.array([0.05]), lambda q: cm.Closed(until={"time": q[0]}), linear, rtol)


def case(problem, state, q, protocol, linear, rtol, **options) -> Case:
    """All kinds of results in one scalar; a tolerance of linear solves replaces the default."""
    newton = cm.Newton(linear=getattr(cm, linear)(), test=cm.UpdateTest(1e-10), linear_rtol=rtol)
    run = functools.partial(cm.simulate, newton=newton, frames=0, observe={"spread": spread}, **options)
    solution = run(problem, state, protocol(q))
    energy = abs(float(solution.free_energy[0]))
    charge = np.abs(solution.charge).max() if "V" in problem.scalars else 1.0

    def value(problem, state, q, replay=None, checkpoints=None):
        s = run(problem, state, protocol(q), replay=replay, checkpoints=checkpoints)
        out = 0.1 * s.spread[-1] + jnp.mean(s.spread) + s.soc[-1] + s.free_energy[-1] / energy
        out = out + jnp.sum(s.final.u**2) / np.sum(solution.final.u**2)
        if "V" in problem.scalars:
            out = out + 0.1 * jnp.sum(s.voltage) + s.time[-1] / 1e3 + s.charge[-1] / charge
        return out

    return Case(problem, state.replace(c=jnp.asarray(state.c)), q, value, solution)


class Arguments(NamedTuple):
    """All that a gradient is taken of; gradients and directions have the same form."""

    material: list[Any]  # leaves of host and potentials
    start: Any  # composition
    protocol: Any
    nodes: Any


def gradient(case: Case, checkpoints: cm.Checkpoints | None = None):
    """By the adjoint, of problem, state and protocol as they are given."""
    args = (case.problem, case.state, jnp.asarray(case.q))
    return eqx.filter_grad(lambda a: case.value(*a, checkpoints=checkpoints))(args)


def slopes(case: Case) -> Arguments:
    """The same gradient, of what is moved below."""
    problem, state, q = gradient(case)
    return Arguments(jax.tree.leaves((problem.host, problem.potentials)), state.c, q, problem.mesh.points)


def along_the_same_steps(case: Case) -> tuple[Any, Arguments]:
    """The value as a function of all arguments, and where they are."""
    leaves, structure = jax.tree.flatten((case.problem.host, case.problem.potentials))

    def function(at: Arguments):
        pair = jax.tree.unflatten(structure, at.material)
        problem = eqx.tree_at(lambda p: (p.host, p.potentials), case.problem, pair).moved(at.nodes)
        return case.value(problem, case.state.replace(c=at.start), at.protocol, case.solution.steps)

    return function, floats(Arguments(leaves, case.state.c, case.q, case.problem.mesh.points))


def directions(case: Case) -> dict[str, Arguments]:
    """For each class of parameters one direction, in which nothing else moves."""
    problem, state, q = case.problem, case.state, case.q
    rng, points = np.random.default_rng(0), problem.mesh.points
    leaves, structure = jax.tree.flatten((problem.host, problem.potentials))
    still = jax.tree.map(np.zeros_like, Arguments([np.asarray(v) for v in leaves], np.asarray(state.c), q, points))
    few = [rng.uniform(-1, 1) * np.asarray(v) if np.size(v) < 50 else np.zeros(np.shape(v)) for v in leaves]
    out = {"material": still._replace(material=few)}
    if any(np.size(v) >= 50 for v in leaves):
        many = [v * rng.normal(size=np.shape(v)) if np.size(v) >= 50 else 0.0 * np.asarray(v) for v in leaves]
        out["cells"] = still._replace(material=many)
    if "V" in problem.scalars:
        pair = jax.tree.unflatten(structure, still.material)
        turned = eqx.tree_at(lambda pair: pair[1][0].psi.orientation.angle, pair, np.float64(1.0))
        out["angle"] = still._replace(material=jax.tree.leaves(turned))
    return out | {
        "start": still._replace(start=0.1 * rng.uniform(-0.5, 1.0, state.c.shape)),
        "protocol": still._replace(protocol=rng.uniform(0.5, 1.0, len(q)) * q),
        "nodes": still._replace(nodes=0.1 * np.ptp(points[:, 0]) * rng.normal(size=points.shape)),
    }


CASES = [
    pytest.param(lambda *rtol: electrode("HostDirect", *rtol), id="electrode, direct"),
    pytest.param(lambda *rtol: closed("HostDirect", 2, *rtol), id="closed plane, direct", marks=pytest.mark.slow),
    pytest.param(lambda rtol=None: electrode("Krylov", rtol, 4), id="electrode, Krylov", marks=pytest.mark.slow),
    pytest.param(lambda *rtol: closed("Krylov", 3, *rtol), id="closed body, Krylov", marks=pytest.mark.slow),
]
EITHER = [CASES[0], CASES[3]]  # each solver once, each kind of body once
SHORT = [pytest.param(lambda: electrode("HostDirect", None, 4), id="electrode, direct"), CASES[3]]


@pytest.mark.slow
@pytest.mark.parametrize("make", CASES)
def test_every_class_of_parameters(make):
    """Relative errors up to 1e-7 and order 2."""
    case = make()
    (function, x), slope = along_the_same_steps(case), slopes(case)
    for name, direction in directions(case).items():
        found = cm.taylor_test(function, x, slope, direction=direction, size=SIZES[name], levels=2)
        print(name, found)
        assert found.error < 1e-7, name
        assert found.orders[1] >= 1.95, name


@pytest.mark.slow
def test_charge_and_time_until_a_voltage_and_a_current():
    """The lengths of the last steps follow the cut-off: by each number of the protocol, and by the nodes."""
    problem = platelet.problem(cells=3, side=24e-9)
    state = problem.state(c=lambda x: 0.05 + 0.02 * np.cos(3e8 * x[:, 0]))
    newton = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))

    def run(problem, q, replay=None):
        steps = [
            cm.Discharge(c_rate=q[0], until={"voltage": q[1]}), cm.Hold(voltage=q[2], until={"c_rate": q[3]}),
            cm.Charge(c_rate=q[4], until={"voltage": q[5]}),
        ]  # fmt: skip
        rules = dict(newton=newton, control=FEW, frames=0)
        return cm.simulate(problem, state, cm.Protocol(steps), replay=replay, **rules)

    q, at = np.array([1.0, 3.3, 3.3, 0.2, 1.0, 3.5]), jnp.asarray(problem.mesh.points)
    first = run(problem, q)
    assert first.endings == ["voltage", "c_rate", "voltage"]
    last = [int(np.flatnonzero(first.segment == n)[-1]) for n in range(3)]

    def function(arguments):
        s = run(problem.moved(arguments[1]), arguments[0], first.steps)
        return sum((n + 1) * (s.charge[k] / first.charge.max() + s.time[k] / 1e3) for n, k in enumerate(last))

    slope = jax.grad(function)((jnp.asarray(q), at))
    still, moved = np.zeros(at.shape), 2e-9 * np.random.default_rng(0).normal(size=at.shape)
    lines = [(axis, still) for axis in np.diag(q)] + [(0.0 * q, moved)]
    for direction, size in zip(lines, [1e-4, 1e-5, 1e-5, 1e-4, 1e-4, 1e-5, 1e-3], strict=True):
        found = cm.taylor_test(function, (q, at), slope, direction=direction, size=size, levels=2)
        assert found.error < 1e-7, found
        assert found.orders[1] >= 1.95, found


@pytest.mark.slow
@pytest.mark.parametrize("make", EITHER)
def test_a_gradient_does_not_know_where_its_states_were(make, tmp_path):
    """In a file, or computed again from twelve: the same to 1e-9 of each parameter's largest."""
    case = make(1e-13)
    right = jax.tree.leaves(gradient(case))
    room = 12 * case.problem.unknowns * 8.0
    for checkpoints in (cm.Checkpoints(room, tmp_path), cm.Checkpoints(room, disk=False)):
        for found, wanted in zip(jax.tree.leaves(gradient(case, checkpoints)), right, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * np.max(np.abs(wanted)))


@pytest.mark.slow
@pytest.mark.parametrize("make", CASES)
def test_forward_and_reverse_agree(make):
    """The tangent-linear loop and its transpose, of all arguments at once, along the gradient: nothing cancels."""
    case = make(1e-13)
    moving, fixed = eqx.partition((case.problem, case.state, jnp.asarray(case.q)), eqx.is_inexact_array)

    def function(moving):
        return case.value(*eqx.combine(moving, fixed), case.solution.steps)

    slope = jax.grad(function)(moving)
    direction = jax.tree.map(lambda v, g: np.linalg.norm(v) * g / (np.linalg.norm(g) or 1.0), moving, slope)
    ahead = float(jax.jvp(function, (moving,), (direction,))[1])
    assert along(slope, direction) == pytest.approx(ahead, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("make", SHORT)
def test_second_derivatives(make):
    """Forward over reverse: what is left of a quadratic Taylor polynomial falls as the third power."""
    case = make()
    function, x = along_the_same_steps(case)
    for name, direction in directions(case).items():
        slope, curved = jax.jvp(jax.grad(function), (x,), (floats(direction),))
        longer = LONGER["electrode" if "V" in case.problem.scalars else case.problem.mesh.dim].get(name, 10.0)
        found = cm.taylor_test(function, x, slope, direction=direction, hessian=curved, size=longer * SIZES[name])
        print(name, found)
        assert found.orders[2] >= 2.95, name


def floats(tree):
    """With arrays for leaves."""
    return jax.tree.map(lambda v: jnp.asarray(v, float), tree)


def along(slope, direction) -> float:
    """The derivative along a direction."""
    return float(sum(np.sum(np.asarray(g) * d) for g, d in zip(*map(jax.tree.leaves, (slope, direction)), strict=True)))


def without_events(self, k, solve, multiplier, found, direct):
    """As if steps that end at a stop event had a fixed length."""
    return found


def without_second_order(step):
    """As if the last but one state did not matter."""

    def mutated(self, k, onto, direct):
        older, oldest = step(self, k, onto, direct)
        return older, np.zeros_like(oldest)

    return mutated


def without_own_parameters(observed):
    """As if what is observed depended on parameters through the state alone."""

    def mutated(self, k, seed):
        total = self.total
        out = observed(self, k, seed)
        self.total = total
        return out

    return mutated


MUTATIONS = {
    "_with_event": lambda _: without_events,
    "_step": without_second_order,
    "_observed": without_own_parameters,
}


def along_lines(case: Case) -> dict[str, float]:
    """The derivative along the direction of each class."""
    slope = slopes(case)
    return {name: along(slope, direction) for name, direction in directions(case).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n == "_step" else [pytest.mark.slow]) for n in MUTATIONS])
def test_a_dropped_term_is_found(name, monkeypatch):
    """The check above fails if any one term of the reverse pass is missing."""
    case = electrode("HostDirect")
    right = along_lines(case)
    monkeypatch.setattr(adjoint._Reverse, name, MUTATIONS[name](getattr(adjoint._Reverse, name)))
    wrong = along_lines(case)
    assert max(abs(wrong[key] - right[key]) / abs(right[key]) for key in right) > 1e-3
