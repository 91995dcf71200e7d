"""Forward mode, Hessian-vector products and many gradients, of closed forms and of a run."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import chemomech as cm
from chemomech.fem.mesh import rectangle

A = np.array([[2.0, 0.5], [0.5, 1.0]])
X = {"a": np.array([0.3, -0.2]), "b": 0.7, "name": "kept"}
ALONG = {"a": np.array([1.0, 0.5]), "b": -0.4, "name": None}


def function(x):
    return jnp.exp(x["a"] @ A @ x["a"]) * jnp.sin(x["b"])


def test_along_a_direction():
    value, slope = cm.directional_derivative(function, X, ALONG)
    size = np.exp(X["a"] @ A @ X["a"])
    assert float(value) == pytest.approx(size * np.sin(0.7), rel=1e-12)
    exact = size * (2 * ALONG["a"] @ A @ X["a"] * np.sin(0.7) - 0.4 * np.cos(0.7))
    assert float(slope) == pytest.approx(exact, rel=1e-12)


def test_hessian_times_a_vector():
    gradient, product = cm.hessian_vector_product(function, X, ALONG)
    size, turned = np.exp(X["a"] @ A @ X["a"]), 2 * A @ X["a"]
    np.testing.assert_allclose(gradient["a"], size * np.sin(0.7) * turned, rtol=1e-12)
    hessian = size * np.sin(0.7) * (np.outer(turned, turned) + 2 * A)
    np.testing.assert_allclose(product["a"], hessian @ ALONG["a"] - 0.4 * size * np.cos(0.7) * turned, rtol=1e-12)
    assert gradient["name"] is None


def test_gradients_at_rows_and_at_trees():
    points = np.random.default_rng(0).normal(size=(4, 2))
    values, slopes = cm.gradients(lambda x: x @ A @ x, points)
    np.testing.assert_allclose(values, np.einsum("ki,ij,kj->k", points, A, points))
    np.testing.assert_allclose(slopes, 2 * points @ A)
    values, slopes = cm.gradients(function, [X, X | {"b": 0.1}])
    assert values.shape == (2,)
    np.testing.assert_allclose(slopes["b"], np.exp(X["a"] @ A @ X["a"]) * np.cos([0.7, 0.1]))


def test_what_does_not_fit_is_named():
    for derivative in (cm.directional_derivative, cm.hessian_vector_product):
        with pytest.raises(cm.ChemomechError, match="direction must have the structure"):
            derivative(function, X, ALONG | {"a": np.ones(3)})
    with pytest.raises(cm.ChemomechError, match="`points` is empty"):
        cm.gradients(function, [])
    with pytest.raises(cm.ChemomechError, match="point 1 must have the structure"):
        cm.gradients(lambda x: jnp.sum(x), [np.ones(2), np.ones(3)])


@pytest.mark.slow
def test_of_a_run():
    """What JAX gives for a run's numbers, and a Newton method that finds the interaction of a run from them."""
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 4, 4), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=3.0), cm.GradientEnergy(4e-3)]), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    state = problem.state(c=lambda x: 0.5 + 0.05 * np.cos(3 * x[:, 0]) * np.cos(5 * x[:, 1]))
    newton = cm.Newton(test=cm.UpdateTest(1e-11))
    steps = cm.simulate(problem, state, cm.Closed(until={"time": 0.01}), newton=newton, frames=0).steps
    chi_of = lambda p: p.potentials[0].psi.terms()[0].chi  # noqa: E731

    def final(problem):
        run = cm.simulate(problem, state, cm.Closed(until={"time": 0.01}), newton=newton, frames=0, replay=steps)
        return run.final.c

    target = np.asarray(final(problem))

    def misfit(chi):
        return jnp.sum((final(eqx.tree_at(chi_of, problem, chi)) - target) ** 2)

    chi = float(chi_of(problem))
    still = jax.tree.map(lambda v: np.zeros(np.shape(v)), eqx.filter(problem, eqx.is_inexact_array_like))
    moved = cm.directional_derivative(final, problem, eqx.tree_at(chi_of, still, 1.0))[1]
    h = 1e-4 * chi
    ahead, back = (final(eqx.tree_at(chi_of, problem, chi + s * h)) for s in (1, -1))
    np.testing.assert_allclose(moved, (ahead - back) / (2 * h), atol=1e-6 * np.abs(moved).max())
    _, curved = cm.hessian_vector_product(misfit, chi, 1.0)
    assert float(curved) == pytest.approx(2 * float(jnp.sum(moved**2)), rel=1e-6)  # no misfit: Gauss and Newton agree

    def slope(x):
        return np.atleast_1d(np.asarray(cm.gradients(misfit, x)[1]))

    found = minimize(
        lambda x: float(misfit(x[0])), [1.05 * chi], jac=slope, method="trust-ncg",
        hessp=lambda x, d: np.atleast_1d(np.asarray(cm.hessian_vector_product(misfit, x[0], d[0])[1])),
        options={"gtol": 1e-9, "initial_trust_radius": 0.1 * chi},
    )  # fmt: skip
    assert found.x[0] == pytest.approx(chi, rel=1e-5)
