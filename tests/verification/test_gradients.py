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
SIZES = {"material": 3e-5, "cells": 1e-3, "start": 1e-3, "protocol": 1e-5, "nodes": 1e-4}


class Case(NamedTuple):
    """A run and a scalar of its results."""

    problem: cm.Problem
    state: Any
    q: np.ndarray  # numbers of the protocol
    value: Any  # (problem, state, q, replay) -> scalar
    solution: Any


def cell_protocol(q):
    """Discharge, hold, charge, rest: stops at a state of charge and at a time, currents and a voltage."""
    return cm.Protocol([
        cm.Discharge(c_rate=q[0], until={"soc": q[1]}), cm.Hold(voltage=q[2], until={"time": q[3]}),
        cm.Charge(c_rate=q[4], until={"soc": q[5]}), cm.Rest(until={"time": q[6]}),
    ])  # fmt: skip


def spread(_, state):
    """Of composition."""
    return jnp.sum((state.c - 0.5) ** 4)


@functools.cache
def electrode(linear: str) -> Case:
    """The platelet with its reaction, no diffusion, and per-cell rates."""
    problem = platelet.problem(cells=6, side=24e-9)
    state = problem.state(c=lambda x: 0.05 + 0.02 * np.cos(3e8 * x[:, 0]))
    return case(problem, state, PROTOCOL, cell_protocol, linear)


@functools.cache
def closed(linear: str, dim: int) -> Case:
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
    return case(problem, state, np.array([0.05]), lambda q: cm.Closed(until={"time": q[0]}), linear)


def case(problem, state, q, protocol, linear) -> Case:
    """All kinds of results in one scalar."""
    newton = cm.Newton(linear=getattr(cm, linear)(), test=cm.UpdateTest(1e-10))
    run = functools.partial(cm.simulate, newton=newton, frames=0, observe={"spread": spread})
    solution = run(problem, state, protocol(q))
    energy = abs(float(solution.free_energy[0]))
    charge = np.abs(solution.charge).max() if "V" in problem.scalars else 1.0

    def value(problem, state, q, replay=None):
        s = run(problem, state, protocol(q), replay=replay)
        out = 0.1 * s.spread[-1] + jnp.mean(s.spread) + s.soc[-1] + s.free_energy[-1] / energy
        out = out + jnp.sum(s.final.u**2) / np.sum(solution.final.u**2)
        if "V" in problem.scalars:
            out = out + 0.1 * jnp.sum(s.voltage) + s.time[-1] / 1e3 + s.charge[-1] / charge
        return out

    return Case(problem, state.replace(c=jnp.asarray(state.c)), q, value, solution)


def gradient(case: Case):
    """By the adjoint, of all arguments at once."""
    args = (case.problem, case.state, jnp.asarray(case.q))
    return eqx.filter_grad(lambda a: case.value(*a))(args)


def material(problem):
    """All numbers of host and potentials, and the place of the rates of the cells among them."""
    leaves, structure = jax.tree.flatten((problem.host, problem.potentials))
    return leaves, structure


def directions(case: Case, found) -> dict[str, tuple[float, Any]]:
    """For each class of parameters the derivative in one direction, and the value some way along it."""
    rng, points = np.random.default_rng(0), case.problem.mesh.points
    leaves, structure = material(case.problem)
    slopes = jax.tree.leaves((found[0].host, found[0].potentials))
    out = {}

    def along(steps):
        def moved(h):
            pair = jax.tree.unflatten(structure, [v + h * d for v, d in zip(leaves, steps, strict=True)])
            problem = eqx.tree_at(lambda p: (p.host, p.potentials), case.problem, pair)
            return case.value(problem, case.state, case.q, case.solution.steps)

        return float(sum(np.sum(np.asarray(g) * d) for g, d in zip(slopes, steps, strict=True))), moved

    out["material"] = along([rng.uniform(-1, 1) * np.asarray(v) if np.size(v) < 50 else 0 * v for v in leaves])
    if any(np.size(v) >= 50 for v in leaves):
        out["cells"] = along(
            [np.asarray(v) * rng.normal(size=np.shape(v)) if np.size(v) >= 50 else 0 * v for v in leaves]
        )
    wave = rng.normal(size=case.state.c.shape) * 0.1
    out["start"] = (
        float(jnp.sum(found[1].c * wave)),
        lambda h: case.value(case.problem, case.state.replace(c=case.state.c + h * wave), case.q, case.solution.steps),
    )
    turn = rng.uniform(0.5, 1.0, len(case.q)) * case.q
    out["protocol"] = (
        float(found[2] @ turn),
        lambda h: case.value(case.problem, case.state, case.q + h * turn, case.solution.steps),
    )
    shift = 0.1 * np.ptp(points[:, 0]) * rng.normal(size=points.shape)
    out["nodes"] = (
        float(jnp.sum(found[0].mesh.points * shift)),
        lambda h: case.value(case.problem.moved(points + h * shift), case.state, case.q, case.solution.steps),
    )
    return out


def errors(case: Case) -> dict[str, tuple[float, float]]:
    """For each class the relative error against Richardson's difference, and Taylor's order."""
    out = {}
    base = float(case.value(case.problem, case.state, case.q, case.solution.steps))
    for name, (slope, value) in directions(case, gradient(case)).items():
        h = SIZES[name]
        ahead, behind = ([float(value(sign * step)) for step in (h, h / 2)] for sign in (1, -1))
        whole, half = ((a - b) / (2 * step) for a, b, step in zip(ahead, behind, (h, h / 2), strict=True))
        exact = (4 * half - whole) / 3
        rest = [abs(a - base - step * slope) for a, step in zip(ahead, (h, h / 2), strict=True)]
        out[name] = abs(slope - exact) / abs(exact), float(np.log2(rest[0] / rest[1]))
    return out


CASES = [
    pytest.param(lambda: electrode("HostDirect"), id="electrode, direct"),
    pytest.param(lambda: closed("HostDirect", 2), id="closed plane, direct", marks=pytest.mark.slow),
    pytest.param(lambda: electrode("Krylov"), id="electrode, Krylov", marks=pytest.mark.slow),
    pytest.param(lambda: closed("Krylov", 3), id="closed body, Krylov", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("make", CASES)
def test_every_class_of_parameters(make):
    """Relative errors up to 1e-7 and order 2."""
    found = errors(make())
    print(found)
    for name, (error, order) in found.items():
        assert error < 1e-7, name
        assert order >= 1.95, name


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

    def mutated(self, x, seed):
        total = self.total
        out = observed(self, x, seed)
        self.total = total
        return out

    return mutated


MUTATIONS = {
    "_with_event": lambda _: without_events,
    "_step": without_second_order,
    "_observed": without_own_parameters,
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_dropped_term_is_found(name, monkeypatch):
    """The check above fails if any one term of the reverse pass is missing."""
    case = electrode("HostDirect")
    right = {key: slope for key, (slope, _) in directions(case, gradient(case)).items()}
    monkeypatch.setattr(adjoint._Reverse, name, MUTATIONS[name](getattr(adjoint._Reverse, name)))
    wrong = {key: slope for key, (slope, _) in directions(case, gradient(case)).items()}
    assert max(abs(wrong[key] - right[key]) / abs(right[key]) for key in right) > 1e-3
