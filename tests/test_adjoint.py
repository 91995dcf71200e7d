"""What a run says that cannot be differentiated as asked, and that it runs as it does without a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
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
        pytest.param(lambda f: lambda c: jax.hessian(lambda s: jax.grad(f)(s * c) @ c)(1.0), id="third derivative"),
    ],
)
def test_other_transformations_are_refused(body, transform):
    with pytest.raises(ChemomechError, match=r"jax\.jit, jax\.vmap and third derivatives"):
        transform(lambda c: at(body, c))(jnp.linspace(0.4, 0.6, 25))


@pytest.mark.parametrize("column", ["c_min", "c_max"])
def test_columns_without_a_useful_derivative_name_another(body, column):
    with pytest.raises(ChemomechError, match=f"'{column}' has no useful derivative: differentiate a p-norm"):
        jax.grad(lambda c: at(body, c, column))(jnp.asarray(body[1].c))


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
