"""A linear solver that breaks down: each rung in order, said, and the answer of a run in which nothing broke."""

import numpy as np
import pytest

import chemomech as cm
from chemomech import ladder as ladders
from chemomech.fem.mesh import box, rectangle
from chemomech.solve.linear import Breakdown

HOST = cm.Host.dimensionless()


class Faulty(cm.Krylov):
    """Krylov whose solves of some numbers break down, counted from one; `calls` counts them all."""

    broken: tuple = ()
    calls: list = None

    def solve(self, state, b, *, rtol=1e-10, transpose=False):
        """As Krylov does, unless it is to break down."""
        self.calls.append(state.hierarchies)
        if len(self.calls) in self.broken:
            raise Breakdown("GMRES stagnated at 1.0e-01 after 100 iterations (wanted 1.0e-06)")
        return super().solve(state, b, rtol=rtol, transpose=transpose)


class Listener(cm.Observer):
    """Keeps what is said and which steps were taken."""

    def __init__(self):
        self.said, self.steps = [], []

    def warned(self, text):
        """One line."""
        self.said.append(text)

    def accepted(self, record):
        """One step."""
        self.steps.append(record)


def closed(n=8):
    """A separating square."""
    mesh = rectangle(8.0, 8.0, n, n)
    problem = cm.Problem.build(
        mesh, host=HOST, scales=cm.Scales.unit(),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=3.0) + cm.GradientEnergy(1.0)), cm.Storage(), cm.Diffusion(1.0)
        ],
    )  # fmt: skip
    return problem, problem.state(c=lambda p: 0.5 + 0.1 * np.cos(np.pi * p[:, 0] / 8.0))


def run(linear, time=0.4, **settings):
    problem, state = closed()
    listener = Listener()
    newton = cm.Newton(linear=linear, test=cm.UpdateTest(1e-9), linear_rtol=1e-8, first_rtol=1e-8)
    control = cm.ErrorControl(tol=1e9, growth=1.0, dt_start=0.1, instability=1e9)
    solution = cm.simulate(
        problem, state, cm.Closed(until={"time": time}), newton=newton, control=control, observer=listener, frames=1,
        stepper=cm.BackwardEuler(), **settings,
    )  # fmt: skip
    return solution, listener


def solves_before(step):
    """How many linear solves a run makes before its step of that number."""
    _, heard = run(Faulty(calls=(calls := [])))
    later = sum(record.newton for record in heard.steps if record.step >= step)
    return len(calls) - later


@pytest.fixture(scope="module")
def exact():
    return run(cm.HostDirect())[0]


def test_new_hierarchies_come_first(exact):
    """One breakdown: the same step is taken again with hierarchies that the first attempt did not have."""
    first = solves_before(2) + 1
    solution, heard = run(Faulty(broken=(first,), calls=(calls := [])))
    assert len(heard.said) == 1
    assert heard.said[0].startswith("Step 2 at t = 0.1 s: GMRES stagnated")
    assert "new hierarchies" in heard.said[0]
    assert calls[first - 1] is calls[first - 2]
    assert calls[first] is not calls[first - 1]
    np.testing.assert_allclose(solution.time, exact.time)
    np.testing.assert_allclose(solution.final.c, exact.final.c, atol=1e-8)


def test_then_a_smaller_step(exact):
    first = solves_before(2) + 1
    solution, heard = run(Faulty(broken=(first, first + 1), calls=[]))
    assert ["new hierarchies" in text for text in heard.said] == [True, False]
    assert "smaller step, dt = 0.025 s" in heard.said[1]
    assert solution.dt[2] == pytest.approx(0.025)
    np.testing.assert_allclose(solution.final.c, exact.final.c, atol=5e-3)  # another step, another error in time


def test_then_a_direct_solver_and_back(exact):
    """It serves one step, of the length that was asked for; the next goes to Krylov again."""
    first = solves_before(2) + 1
    solution, heard = run(Faulty(broken=(first, first + 1, first + 2), calls=(calls := [])))
    rungs = ("new hierarchies", "smaller step", "HostDirect")
    assert len(heard.said) == 3
    assert all(rung in text for rung, text in zip(rungs, heard.said, strict=True))
    assert len(calls) > first + 2
    assert calls[-1] is not calls[first + 1]
    np.testing.assert_allclose(solution.time, exact.time)
    np.testing.assert_allclose(solution.final.c, exact.final.c, atol=1e-8)


def test_a_solver_that_always_fails_leaves_a_run_of_direct_steps(exact):
    """max_iterations = 1: nothing but the last rung helps, from the start on, and the states are the direct ones."""
    solution, heard = run(cm.Krylov(max_iterations=1))
    assert all("GMRES stagnated" in text for text in heard.said)
    assert sum("HostDirect" in text for text in heard.said) >= len(solution.time)  # each step and the start
    np.testing.assert_allclose(solution.time, exact.time)
    np.testing.assert_allclose(solution.final.c, exact.final.c, atol=1e-8)


def test_a_factor_that_does_not_fit_is_not_tried(monkeypatch):
    monkeypatch.setattr(ladders, "available_memory", lambda: 1e3)
    problem, state = closed()
    listener = Listener()
    with pytest.raises(cm.SolveError, match="GMRES stagnated"):
        cm.simulate(
            problem, state, cm.Closed(until={"time": 1.0}), newton=cm.Newton(linear=cm.Krylov(max_iterations=1)),
            observer=listener, control=cm.ErrorControl(dt_start=0.1, dt_min=0.02, instability=1e9),
        )  # fmt: skip
    assert any("A direct solver would need about" in text for text in listener.said)


@pytest.mark.slow
def test_a_static_problem_warns_without_an_observer():
    problem = cm.Problem.build(
        box(1, 1, 1, 7, 7, 7), host=HOST, scales=cm.Scales.unit(),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(1.0, 0.3, cm.Vegard(0.1)))],
        constraints=[cm.Fixed("c", value=lambda p: p[:, 0] * p[:, 1])],
    )  # fmt: skip
    with pytest.warns(UserWarning, match="CG stagnated.*HostDirect"):
        found = cm.solve_static(problem, newton=cm.Newton(linear=cm.Krylov(max_iterations=1)))
    exact = cm.solve_static(problem, newton=cm.Newton(linear=cm.HostDirect()))
    np.testing.assert_allclose(found.u, exact.u, atol=1e-9 * np.abs(exact.u).max())


def a_tangent():
    """Of a step of the separating square."""
    problem, state = closed()
    evolution = cm.Evolution(problem, cm.Newton(linear=cm.Krylov()))
    x = evolution.start(state)
    now = evolution.expand(x)
    return evolution.tangent(x, (now, now, 0.0, 0.1), problem.drive()), np.ones(problem.unknowns)


def spoiled(v):
    """The same with one number that is none."""
    v = np.array(v)
    v[0] = np.nan
    return v


def test_a_lost_preconditioner_is_named():
    tangent, b = a_tangent()
    made = cm.Krylov().init(tangent)
    new = made.refreshed
    lost = made._replace(refreshed=new._replace(gamma=spoiled(new.gamma)))
    assert np.all(np.isfinite(lost.system @ b))
    with pytest.raises(Breakdown, match="preconditioner is lost"):
        cm.Krylov().solve(lost, b)


def test_numbers_that_are_not_finite_are_named():
    tangent, b = a_tangent()
    made = cm.Krylov().init(tangent)
    new = made.refreshed
    curvature = spoiled(new.blocks["c", "c"])
    spoilt = made._replace(refreshed=new._replace(blocks=new.blocks | {("c", "c"): curvature}))
    assert np.all(np.isfinite(spoilt.inverse()(b)))
    with pytest.raises(Breakdown, match="tangent holds numbers that are not finite"):
        cm.Krylov().solve(spoilt, b)


def test_a_preconditioner_that_cannot_be_made_is_named():
    """A body whose stiffness is negative: its diagonal blocks have no Cholesky factor."""
    problem = cm.Problem.build(
        rectangle(1, 1, 4, 4), host=HOST, scales=cm.Scales.unit(),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(1.0, 0.3, cm.Vegard(0.1)))],
        constraints=[cm.Fixed("c", value=lambda p: p[:, 0])],
    )  # fmt: skip
    evolution = cm.Evolution(problem, cm.Newton(linear=cm.Krylov()))
    x = evolution.start(problem.uniform(0.5))
    now = evolution.expand(x)
    tangent = evolution.tangent(x, (now, now, 0.0, 1.0), problem.drive())
    cm.Krylov().init(tangent)

    def negative(pair):
        return None if (v := tangent.values(pair)) is None else -v

    with pytest.raises(Breakdown, match="preconditioner is lost: Matrix is not positive definite"):
        cm.Krylov().init(tangent._replace(values=negative))
