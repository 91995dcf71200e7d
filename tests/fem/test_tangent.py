"""The assembled tangent against forward differentiation of the residual, entry by entry, for states drawn at random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import box, elevate, rectangle
from chemomech.fem.structure import FIXED, STATE, STEP, Entry, classify, colour

HOST = cm.Host(c_max=2.29e4, T=298.15)
SOFT = cm.LinearElastic.isotropic(E=60e9, nu=0.3, eigenstrain=cm.Vegard([0.05, 0.02, -0.01]))
ENERGY = [cm.RegularSolution(chi=3.0), cm.GradientEnergy(8e-10)]
L = 20e-9


def dense(problem, state, dte, **drive):
    """Assembled tangent and jacobian of the residual as full matrices, at a random state."""
    evolution = cm.Evolution(problem)
    x, old = evolution.start(state), evolution.expand(evolution.start(problem.uniform(0.4)))
    given, act = (old, old, 0.0, dte), problem.drive(**drive)
    J = np.asarray(jax.jacfwd(lambda x: evolution.residual(x, given, act))(jnp.asarray(x)))
    t = evolution.tangent(x, given, act)
    nodal = np.concatenate([t.csr().toarray(), np.asarray(t.border.column).T], axis=1)
    border = np.concatenate([np.asarray(t.border.row), np.asarray(t.border.corner)], axis=1)
    return np.concatenate([nodal, border]), J


def random_state(problem, seed=0):
    """Every unknown away from special values."""
    rng = np.random.default_rng(seed)
    n, dim = problem.mesh.points.shape
    values = {"c": rng.uniform(0.2, 0.8, n), "mu": rng.normal(0, 2000.0, n), "u": rng.normal(0, 0.01 * L, (n, dim))}
    values = {k: v for k, v in values.items() if any(f.split(".")[0] == k for f in problem.fields)}
    return problem.state(**values, **{s: 0.05 for s in problem.scalars})


def reacting(exchange, alpha=0.5, thickness=None, **more):
    """A platelet or particle with one reaction law."""
    mesh = more.pop("mesh", None) or rectangle(L, L, 2, 2)
    energy = more.pop("energy", [*ENERGY, SOFT])
    reaction = cm.ButlerVolmer(exchange, V0=0.0, alpha=alpha, on=None if thickness else "boundary", thickness=thickness)
    potentials = [cm.Stored(energy), cm.Storage(), cm.Diffusion(D=1e-17), reaction]
    return cm.Problem.build(mesh, host=HOST, potentials=potentials, **more)


CASES = {
    "Bazant on facets": lambda: reacting(cm.BazantExchange(k0=0.1)),
    "Bazant averaged over a thickness": lambda: reacting(cm.BazantExchange(k0=0.1), thickness=2e-8),
    "symmetric, asymmetric alpha": lambda: reacting(cm.SymmetricExchange(k0=0.1), alpha=0.3),
    "transition state": lambda: reacting(cm.TransitionStateExchange(k0=0.1)),
    "constant, misfit zero": lambda: reacting(
        cm.ConstantExchange(i0=0.1), energy=[*ENERGY, cm.LinearElastic.isotropic(60e9, 0.3, cm.Vegard(0.0))]
    ),
    "plane stress": lambda: reacting(cm.ConstantExchange(i0=0.1), kinematics=cm.PlaneStress()),
    "axisymmetric": lambda: reacting(cm.ConstantExchange(i0=0.1), kinematics=cm.Axisymmetric()),
    "stiffness depends on c": lambda: reacting(
        cm.ConstantExchange(i0=0.1),
        energy=[*ENERGY, cm.LinearElastic.isotropic(60e9, 0.3, cm.BowedVegard(0.02, 0.01), C_lithiated=2 * SOFT.C)],
    ),
    "quadratic cells": lambda: reacting(cm.ConstantExchange(i0=0.1), mesh=elevate(rectangle(L, L, 1, 1))),
    "periodic with mean strain": lambda: reacting(
        cm.BazantExchange(k0=0.1),
        thickness=2e-8,
        mesh=rectangle(L, L, 3, 3),
        kinematics=cm.GeneralisedPlaneStrain(mean_strain=("xx", "yy", "xy", "zz")),
        constraints=[cm.Periodic("x"), cm.Periodic("y")],
    ),  # fmt: skip
    "solid": lambda: reacting(cm.ConstantExchange(i0=0.1), mesh=box(L, L, L, 1, 1, 1)),
}


FAST = ("Bazant averaged over a thickness",)


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_tangent_is_the_derivative_through_both_slots(name):
    """Each pair of fields to 1e-11 of its own size, so that small frozen-slot entries count."""
    problem = CASES[name]()
    for dte, drive in ((3.0, {"V": ("load", 1e-12)}), (700.0, {"V": ("value", 0.1)})):
        K, J = dense(problem, random_state(problem), dte, **drive)
        n = problem.lift.size
        owner = owners(problem)
        for i in set(owner):
            for j in set(owner):
                block = np.ix_(owner == i, owner == j)
                size = np.abs(J[block]).max()
                assert np.abs(K[block] - J[block]).max() <= 1e-11 * size + 1e-14 * np.abs(J).max(), (i, j, n)


def owners(problem):
    """Which field or scalar each unknown belongs to."""
    index, n = np.asarray(problem.lift.index), len(problem.mesh.points)
    owner = np.zeros(problem.unknowns, int)
    for k in range(len(problem.fields)):
        free = index[k * n : (k + 1) * n]
        owner[free[free < problem.lift.size]] = k
    owner[problem.lift.size :] = len(problem.fields) + np.arange(len(problem.scalars))
    return owner


def test_walk_knows_zero_constant_dt_and_varying():
    """Thresholds, products with a parameter that happens to be zero, and powers of dt."""

    def columns(s, p, dt):
        return [s * 0.0, 2.0 * p, dt * p, s * p, dt * dt, jnp.where(s > 100.0, s, 0.0), dt + p, p / 3.0, dt * s]

    kinds = classify(columns, (jnp.asarray(0.3), jnp.asarray(0.0), jnp.asarray(1.0)), (STATE, FIXED, STEP))
    E = Entry
    assert kinds == [E.ZERO, E.CONSTANT, E.DT, E.VARYING, E.VARYING, E.VARYING, E.VARYING, E.CONSTANT, E.VARYING]


def test_walk_survives_control_flow():
    """Loops over constants and effects are legal in a density."""

    def columns(s):
        _, total = jax.lax.scan(lambda c, v: (c + v, c * v), 0.0, jnp.arange(3.0))
        return [s * total[0], s + total.sum()]

    assert classify(columns, (jnp.asarray(0.3),), (STATE,))[1] is Entry.VARYING


def test_colouring_separates_columns_that_share_a_row():
    """One seed serves two columns only when no needed row feels both."""
    V, C = Entry.VARYING, Entry.CONSTANT
    groups = colour({(0, 0): V, (1, 1): V, (2, 2): V, (2, 0): V, (1, 2): C})
    assert [1, 0] not in groups
    together = {q: k for k, group in enumerate(groups) for q in group}
    assert together[0] == together[1]
    assert together[2] not in (together[0],)
