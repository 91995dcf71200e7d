"""Gradients of static and equilibrium states: closed forms, and the Taylor test of states solved for again."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import rectangle

jax.config.update("jax_enable_x64", True)
NU, C, WIDTH = 0.3, 0.9, 2.0


def plate() -> cm.Problem:
    """Given composition, free faces, plane strain."""
    elastic = cm.LinearElastic.isotropic(300.0, NU, cm.Vegard(0.02, c_ref=0.5))
    return cm.Problem.build(
        rectangle(WIDTH, 0.5, 6, 3), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([elastic])], constraints=[cm.Fixed("c", value=C)],
    )  # fmt: skip


def solved(problem, linear="HostDirect", state=None):
    newton = cm.Newton(linear=getattr(cm, linear)(), max_iterations=40, test=cm.UpdateTest(1e-10))
    return cm.solve_static(problem, state, newton=newton)


def swelling(tree):
    """The one Vegard strain of a tree, or its gradient."""
    found = jax.tree.leaves(tree.potentials, is_leaf=lambda v: isinstance(v, cm.Vegard))
    return next(v for v in found if isinstance(v, cm.Vegard)).strain


@pytest.mark.slow
@pytest.mark.parametrize("linear", ["HostDirect", "Krylov"])
def test_free_expansion_in_plane_strain(linear):
    """Width times (c - c_ref) (e_xx + nu e_zz)."""

    @eqx.filter_grad
    def widening(problem):
        u = solved(problem, linear).u
        return u[jnp.argmax(problem.mesh.points[:, 0]), 0] - u[jnp.argmin(problem.mesh.points[:, 0]), 0]

    slope = np.asarray(swelling(widening(plate())))
    np.testing.assert_allclose(slope[:3], WIDTH * (C - 0.5) * np.array([1.0, 0.0, NU]), atol=1e-9)


@pytest.mark.slow
def test_every_number_and_node_of_a_static_problem():
    """A plate held at one corner region by its own uneven composition: the energy-like sum of displacements."""
    problem = plate()
    weights = np.random.default_rng(0).normal(size=problem.mesh.points.shape)

    def moved(pair):
        points, potentials = pair
        where = eqx.tree_at(lambda p: p.potentials, problem.moved(points), potentials)
        return jnp.sum(weights * solved(where).u)

    at = problem.mesh.points, problem.potentials
    slopes = eqx.filter_grad(moved)(jax.tree.map(jnp.asarray, at))
    found = cm.taylor_test(moved, at, slopes, size=1e-3)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95, found


def test_equilibrium_of_a_solid_solution():
    """mu = R T (ln(c/(1-c)) + chi (1 - 2 c)): by chi and by the mean composition."""
    chi, mean = 1.5, 0.3
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 3, 3), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=chi), cm.GradientEnergy(0.1)]), cm.Amount(mean)],
    )  # fmt: skip
    state = problem.uniform(mean)
    slope = eqx.filter_grad(lambda p: cm.solve_equilibrium(p, state).mu_mean)(problem)
    numbers = [float(v) for v in jax.tree.leaves(slope.potentials) if np.size(v) == 1]
    for exact in (1 - 2 * mean, 1 / (mean * (1 - mean)) - 2 * chi):
        assert min(abs(v / exact - 1.0) for v in numbers if v) < 1e-8


def test_a_compiled_solve_is_refused():
    with pytest.raises(ChemomechError, match=r"jax\.jit"):
        eqx.filter_jit(lambda p: solved(p).u)(plate())
