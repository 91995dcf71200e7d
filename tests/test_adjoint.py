"""What a run says that cannot be differentiated as asked, and that it runs as it does without a gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.equilibrium import measured_static
from chemomech.errors import ChemomechError, SolveError
from chemomech.fem.mesh import rectangle
from chemomech.solve import direct


@pytest.fixture(scope="module")
def body():
    energies = [cm.RegularSolution(chi=3.0), cm.GradientEnergy(1.6e-3)]
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 4, 4), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(energies), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    return problem, problem.state(c=lambda x: 0.5 + 0.05 * np.cos(3 * x[:, 0]))


PROTOCOL = cm.Closed(until={"time": 0.01})


def at(body, c, column="free_energy"):
    problem, state = body
    return getattr(cm.simulate(problem, state.replace(c=c), PROTOCOL, frames=0), column)[-1]


def test_a_run_under_grad_is_the_run_without(body):
    newton = cm.Newton(test=cm.UpdateTest(1e-10))
    plain = cm.simulate(*body, PROTOCOL, newton=newton, frames=0)
    value, slope = jax.value_and_grad(lambda c: at(body, c))(jnp.asarray(body[1].c))
    assert float(value) == pytest.approx(plain.free_energy[-1], rel=1e-12)
    assert np.all(np.isfinite(slope))
    assert np.any(slope)


def test_a_replay_is_the_run(body):
    plain = cm.simulate(*body, PROTOCOL, frames=0)
    again = cm.simulate(*body, PROTOCOL, frames=0, replay=plain.steps)
    np.testing.assert_array_equal(again.time, plain.time)
    np.testing.assert_allclose(again.free_energy, plain.free_energy, rtol=1e-9)


def test_a_replay_of_another_protocol_is_an_error(body):
    plain = cm.simulate(*body, PROTOCOL, frames=0)
    with pytest.raises(SolveError, match="another protocol"):
        cm.simulate(*body, PROTOCOL, frames=0, replay=plain.steps[1:])


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(lambda f: jax.jit(f), id="jit"),
        pytest.param(lambda f: jax.vmap(lambda shift: f(0.5 + 0.05 * jnp.ones(25) * shift)), id="vmap"),
        pytest.param(
            lambda f: lambda c: jax.hessian(lambda s: jax.grad(f)(s * c) @ c)(1.0),
            id="third derivative",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_transformations_are_refused(body, transform):
    with pytest.raises(ChemomechError, match=r"jax\.jit, jax\.vmap and third derivatives"):
        transform(lambda c: at(body, c))(jnp.linspace(0.4, 0.6, 25))


@pytest.mark.parametrize("column", ["c_min", "c_max"])
def test_columns_without_a_useful_derivative_name_another(body, column):
    with pytest.raises(ChemomechError, match=f"'{column}' has no useful derivative: differentiate a p-norm"):
        jax.grad(lambda c: at(body, c, column))(jnp.asarray(body[1].c))


@pytest.mark.parametrize("start", [lambda c, s: c, lambda c, s: s * c], ids=["alone", "and the start"])
def test_a_number_held_by_what_is_observed_is_refused(body, start):
    """Functions of `observe` are compiled: a number that one of them closes over is out of sight."""
    problem, state = body

    def column(s):
        observe = {"mine": lambda problem, state: s * jnp.sum(state.c**2)}
        return cm.simulate(problem, state.replace(c=start(state.c, s)), PROTOCOL, frames=0, observe=observe).mine[-1]

    with pytest.raises(ChemomechError, match="`observe` holds a number.*to the column afterwards"):
        jax.grad(column)(1.0)


def test_what_holds_a_constraint_refuses_and_says_what_to_differentiate():
    problem = stretched()
    with pytest.raises(ChemomechError, match=r"constraints\[1\]\.value.*problem\.with_fixed"):
        jax.grad(lambda v: energy(eqx.tree_at(lambda p: p.constraints[1].value, problem, v)))(0.1)


@pytest.mark.parametrize("make", [lambda v: {"E": 1e3 * v}, lambda v: {"drawn": v}], ids=["stiffness", "displacement"])
def test_a_problem_is_not_built_within_a_gradient(make):
    """The message says how its numbers are exchanged instead."""
    with pytest.raises(ChemomechError, match=r"Build it before.*eqx\.tree_at.*problem\.moved"):
        jax.grad(lambda v: energy(stretched(**make(v))))(0.1)


def test_gradient_by_prescribed_displacements():
    """Energy is a quadratic form of them: Euler's theorem gives twice its value."""
    problem = stretched()
    slope = jax.grad(lambda offset: energy(eqx.tree_at(lambda p: p.lift.offset, problem, offset)))(problem.lift.offset)
    assert float(slope @ problem.lift.offset) == pytest.approx(2 * float(energy(problem)), rel=1e-10)


DRAWN = np.float64(0.1)  # an array to JAX


def stretched(E=100.0, drawn=DRAWN):
    """An elastic square, drawn out."""
    return cm.Problem.build(
        rectangle(1.0, 1.0, 3, 3), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.LinearElastic.isotropic(E, 0.3)])], fields=("u",),
        constraints=[cm.Fixed("u.x", "left"), cm.Fixed("u.x", "right", drawn)],
    )  # fmt: skip


def energy(problem):
    """Of its equilibrium."""
    return measured_static(problem, observe={})[1]["elastic_energy"]


@pytest.mark.slow
def test_chunks_of_cells_give_the_same_gradient():
    """By fields over cells, places of nodes and the start, on cells around an axis."""
    mesh = rectangle(1.0, 1.0, 2, 2, origin=(0.2, 0.0))
    elastic = cm.LinearElastic.isotropic(100.0, 0.3, cm.Vegard(0.05))
    energies = [cm.RegularSolution(3.0), cm.GradientEnergy(0.02), elastic]
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), kinematics=cm.Axisymmetric(),
        potentials=[cm.Stored(energies), cm.Storage(), cm.Diffusion(cm.PerCell(np.linspace(1.0, 1.2, 8)))],
    )  # fmt: skip
    state = problem.state(c=lambda x: 0.5 + 0.1 * np.cos(3 * x[:, 0]) * np.cos(2 * x[:, 1]))
    assert problem.kernel(5e3).slicing.chunks == 3  # the last one is filled up
    control = cm.ErrorControl(dt_start=1e-3, dt_max=1e-3, tol=1.0)

    def energy(budget):
        return lambda at: cm.simulate(
            at[0], state.replace(c=at[1]), cm.Closed(until={"time": 2e-3}), control=control, frames=0, budget=budget
        ).free_energy[-1]

    at = problem, jnp.asarray(state.c)
    (right, by_c), (found, also) = (eqx.filter_grad(energy(budget))(at) for budget in (None, 5e3))
    right, found = ((s.potentials, s.mesh.points, c) for s, c in ((right, by_c), (found, also)))
    for a, b in zip(*map(jax.tree.leaves, (found, right)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(np.max(np.abs(b)), 1e-6))  # c_ref does not matter


@pytest.fixture
def factors(monkeypatch):
    """The number of factors made so far."""
    made, update = [], direct.Factored.__init__

    def counted(self, *given):
        made.append(None)
        update(self, *given)

    monkeypatch.setattr(direct.Factored, "__init__", counted)
    return made


def sloped(body, solver, length, steps, factors):
    """The derivatives of an energy, and how many factors they took, those of the run itself not counted."""
    problem, state = body
    control = cm.ErrorControl(dt_start=length, dt_max=length, tol=1.0)
    newton = cm.Newton(linear=solver, test=cm.UpdateTest(1e-10))
    found, back = jax.vjp(
        lambda c: cm.simulate(
            problem, state.replace(c=c), cm.Closed(until={"time": length * steps}), control=control, newton=newton,
            frames=0,
        ).free_energy[-1],
        jnp.asarray(state.c),
    )  # fmt: skip
    before = len(factors)
    (slope,) = back(jnp.ones_like(found))
    return np.asarray(slope), len(factors) - before


def test_an_older_factor_serves_several_steps_in_reverse(body, factors):
    """It preconditions the iteration on the tangent of each step, to the tolerance: the gradient does not see it."""
    found, few = sloped(body, cm.HostDirect(), 1e-4, 30, factors)
    right, many = sloped(body, cm.HostDirect(reuse=0), 1e-4, 30, factors)
    assert many >= 30
    assert few < 10
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-9 * np.max(np.abs(right)))


def test_an_older_factor_that_does_not_serve_is_replaced(body, factors):
    """With steps in which the state changes a lot, an iteration is all that it may take."""
    found, some = sloped(body, cm.HostDirect(reuse=1), 2e-3, 8, factors)
    right, _ = sloped(body, cm.HostDirect(reuse=0), 2e-3, 8, factors)
    assert some >= 5
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-9 * np.max(np.abs(right)))


def test_a_gradient_begins_with_what_the_run_knows_of_the_pattern(body, monkeypatch):
    """The analysis of the pattern is not made twice."""
    made, factorisation = [], direct.factorisation

    def counted(backend):
        made.append(backend)
        return factorisation(backend)

    monkeypatch.setattr(direct, "factorisation", counted)
    sloped(body, cm.HostDirect(), 1e-3, 3, made)
    assert len(made) == 1
