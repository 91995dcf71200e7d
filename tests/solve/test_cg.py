"""Conjugate gradients: the solution, the norm that stops them, and what Krylov does with them."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import SolveError
from chemomech.fem.mesh import box, rectangle
from chemomech.solve.cg import pcg
from chemomech.solve.gmres import fgmres

RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(60, 60))
A, B = ROOT @ ROOT.T + 20.0 * np.eye(60), RNG.normal(size=60)


def test_solves_and_stops_in_the_weighted_norm():
    """At the first iterate whose true weighted residual is small enough."""
    w = RNG.uniform(0.1, 10.0, 60)
    reached = []
    for most in range(1, 61):
        x, its, size = pcg(lambda v: A @ v, lambda v: v / np.diag(A), B, w, rtol=1e-8, max_iterations=most)
        true = np.linalg.norm(w * (B - A @ x)) / np.linalg.norm(w * B)
        assert size == pytest.approx(true, rel=1e-4, abs=1e-12)
        reached.append(true)
        if its < most:
            break
    assert reached[-1] <= 1e-8
    assert min(reached[:-2]) > 1e-8
    np.testing.assert_allclose(x, np.linalg.solve(A, B), atol=1e-7)


def test_a_matrix_that_is_not_definite_is_left_alone():
    D = np.diag(np.r_[np.ones(30), -np.ones(30)])
    _, its, size = pcg(lambda v: D @ v, lambda v: v, B, np.ones(60), rtol=1e-8, max_iterations=60)
    assert its < 60
    assert size > 1e-8


def body(mesh, **kinematics):
    """Swollen unevenly; clamped at one side where it is a solid."""
    profile = cm.Fixed("c", value=lambda p: p[:, 0] * p[:, 1])
    clamped = [cm.Fixed("u", on="xmin")] if mesh.dim == 3 else []
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), constraints=[profile, *clamped],
        potentials=[cm.Stored(cm.LinearElastic.isotropic(1.0, 0.3, cm.Vegard(0.1)))], **kinematics,
    )  # fmt: skip


def prepared(problem, solver):
    evolution = cm.Evolution(problem, cm.Newton(linear=solver))
    x = evolution.start(problem.uniform(0.5))
    now = evolution.expand(x)
    given, act = (now, now, 0.0, 1.0), problem.drive()
    return solver.init(evolution.tangent(x, given, act)), -np.asarray(evolution.residual(x, given, act))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["double", "single"])
def test_elasticity_takes_conjugate_gradients(precision):
    """HostDirect's solution, forward and transposed, in about the iterations that GMRES takes."""
    problem, solver = body(box(1, 1, 1, 8, 8, 8)), cm.Krylov(precision)
    state, b = prepared(problem, solver)
    exact = cm.HostDirect().solve(*prepared(problem, cm.HostDirect()), rtol=1e-12)[0]
    assert state.symmetric
    for transpose in (False, True):
        x, stats, _ = solver.solve(state, b, rtol=1e-10, transpose=transpose)
        assert np.abs(x - exact).max() < 1e-8 * np.abs(exact).max()
    w = state.weights
    _, others, _ = fgmres(
        lambda v: w * (state.system @ v), lambda v: state.inverse()(v / w), w * b, rtol=1e-10, max_iterations=100
    )
    assert stats.iterations <= others + 3


def test_a_border_or_composition_takes_gmres():
    solver = cm.Krylov()
    plane = body(rectangle(1, 1, 6, 6), kinematics=cm.GeneralisedPlaneStrain())
    assert not prepared(plane, solver)[0].symmetric
    found, exact = (cm.solve_static(plane, newton=cm.Newton(linear=s)) for s in (solver, cm.HostDirect()))
    np.testing.assert_allclose(found.u, exact.u, atol=1e-7 * np.abs(exact.u).max())


def test_stagnation_is_named():
    solver = cm.Krylov(max_iterations=2)
    with pytest.raises(SolveError, match="CG stagnated"):
        solver.solve(*prepared(body(box(1, 1, 1, 8, 8, 8)), solver), rtol=1e-10)
