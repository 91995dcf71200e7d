"""The choice of a linear solver: by size, dimension and fields; and its law, whichever it takes."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.evolution import linear_solver
from chemomech.fem.mesh import box, rectangle
from chemomech.solve import auto, factor
from chemomech.solve.auto import CROSSOVER
from chemomech.solve.linear import Size

FIELDS = ("c", "mu", "u.x", "u.y")


def chosen(dim, unknowns, order=1, fields=FIELDS):
    return cm.Auto().chosen(Size(dim, order, unknowns, fields))


@pytest.mark.parametrize("backend", factor.BACKENDS)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("order", [1, 2])
def test_the_crossover_decides(backend, dim, order, monkeypatch):
    monkeypatch.setattr(auto, "require", lambda name: backend)
    limit = CROSSOVER[backend, dim, order]
    for unknowns, kind in ((limit - 1, cm.HostDirect), (limit, cm.Krylov)):
        solver, reason = chosen(dim, unknowns, order)
        assert isinstance(solver, kind)
        assert f"{unknowns} unknowns in {dim}-D" in reason
        assert backend in reason


def test_what_krylov_does_not_know_is_factorised():
    solver, reason = chosen(3, 10**7, fields=("c", "u.x", "u.y", "u.z"))
    assert isinstance(solver, cm.HostDirect)
    assert "together with mu" in reason
    solver, reason = chosen(3, 10**7, fields=(*FIELDS, "d"))
    assert isinstance(solver, cm.HostDirect)
    assert "field d" in reason


def test_a_solver_that_was_given_stays():
    mesh = rectangle(1, 1, 2, 2)
    assert linear_solver(diffusion(mesh), cm.Newton(linear=cm.Krylov())) == (cm.Krylov(), "as given")


def diffusion(mesh):
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=1.0) + cm.GradientEnergy(0.01)), cm.Storage(), cm.Diffusion(1.0)
        ],
    )  # fmt: skip


def test_an_evolution_holds_the_chosen_solver(monkeypatch):
    """Newton's default is Auto; what takes the steps is not."""
    assert isinstance(cm.Newton().linear, cm.Auto)
    assert isinstance(cm.Evolution(diffusion(rectangle(1, 1, 2, 2))).newton.linear, cm.HostDirect)
    monkeypatch.setattr(auto, "CROSSOVER", {key: 0 for key in CROSSOVER})
    assert isinstance(cm.Evolution(diffusion(box(1, 1, 1, 2, 2, 2))).newton.linear, cm.Krylov)


def test_prescribed_composition_does_not_count():
    """c is given, u alone is sought: elasticity is within Krylov's reach."""
    problem = cm.Problem.build(
        rectangle(1, 1, 2, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(1.0, 0.3, cm.Vegard(0.1)))],
        constraints=[cm.Fixed("c", value=0.5)],
    )  # fmt: skip
    assert "unknowns in 2-D" in linear_solver(problem, cm.Newton())[1]


@pytest.mark.parametrize("linear", [cm.HostDirect(), cm.Krylov()], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("transpose", [False, True])
def test_the_law(linear, transpose):
    """Auto inverts what it was given, or its transpose, of either kind of tangent, after `forget` too."""
    problem = diffusion(rectangle(1, 1, 6, 6))
    evolution = cm.Evolution(problem, cm.Newton(linear=linear))
    x = evolution.start(problem.uniform(0.3))
    now, b = evolution.expand(x), np.random.default_rng(0).normal(size=problem.unknowns)
    tangent = evolution.tangent(x, (now, now, 0.0, 0.1), problem.drive())
    assembled = cm.Evolution(problem, cm.Newton(linear=cm.HostDirect())).tangent(
        x, (now, now, 0.0, 0.1), problem.drive()
    )
    matrix, solver = assembled.csr(), cm.Auto()
    state = solver.init(tangent)
    for _ in range(2):
        y, _, state = solver.solve(state, b, rtol=1e-10, transpose=transpose)
        kept = (matrix.T if transpose else matrix) @ y
        if isinstance(linear, cm.HostDirect) or transpose:  # Krylov's forward solves balance lithium on top
            assert np.linalg.norm(kept - b) <= 1e-7 * np.linalg.norm(b)
        else:
            assert np.linalg.norm(kept - b) <= 1e-6 * np.linalg.norm(b)
        state = solver.init(tangent, solver.forget(state))
