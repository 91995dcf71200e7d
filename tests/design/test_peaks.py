"""Smooth maxima of stress: closed forms, their limit, gradients where stress vanishes, slices."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.analysis import stress as stresses
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import rectangle
from chemomech.fem.slices import chunks
from chemomech.problem import expand, stress_at_points

jax.config.update("jax_enable_x64", True)


def plate(**options) -> cm.Problem:
    elastic = cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5))
    return cm.Problem.build(
        rectangle(2.0, 1.0, 8, 4), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=2.0), elastic]), cm.Storage(), cm.Diffusion(1.0)], **options,
    )  # fmt: skip


def uneven(problem):
    """Free faces, composition along x squared: tension and compression."""
    state = problem.state(c=lambda x: 0.3 + 0.1 * x[:, 0] ** 2)
    steps = cm.simulate(problem, state, cm.Closed(until={"time": 1e-9}), frames=0)
    return steps.final


@pytest.mark.slow
@pytest.mark.parametrize("of", ["principal", "von_mises", "hydrostatic"])
def test_it_grows_to_the_maximum(of):
    problem = plate()
    state = uneven(problem)
    measure = {
        "principal": lambda s: stresses.principal(s)[:, 0], "von_mises": stresses.von_mises,
        "hydrostatic": stresses.hydrostatic,
    }[of]  # fmt: skip
    at_points = np.asarray(stress_at_points(problem, problem.pack(state))).reshape(6, -1).T
    largest = measure(at_points).max()
    found = [float(cm.design.StressPeak(of, p)(problem, state)) for p in (2, 8, 32, 128)]
    assert np.all(np.diff(found) > 0)
    assert found[-1] == pytest.approx(largest, rel=0.05)


def test_uniform_stress():
    """A plate held in plane strain whose lithium rises by 0.2: equibiaxial compression, and tension below c_ref."""
    problem = plate(constraints=[cm.Fixed("u", on="boundary")])
    state = problem.state(c=0.3)
    packed = problem.unpack(problem.pack(state))
    sigma = 300.0 * 0.02 * 0.2 / (1 - 2 * 0.3)
    found = {
        of: float(cm.design.StressPeak(of, 16)(problem, packed)) for of in ("principal", "hydrostatic", "von_mises")
    }
    assert found["hydrostatic"] == pytest.approx(sigma, rel=1e-12)
    assert found["principal"] == pytest.approx(sigma * 3 ** (1 / 16), rel=1e-12)
    assert found["von_mises"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("of", ["principal", "von_mises", "hydrostatic"])
@pytest.mark.parametrize("c", [0.5, 0.3, 0.7])
def test_gradients_are_finite_where_stress_is_equal_on_all_sides_or_none(of, c):
    problem = plate()
    state = problem.state(c=c)
    slope = eqx.filter_grad(lambda s: cm.design.StressPeak(of)(problem, s))(
        state.replace(c=jnp.asarray(state.c), u=jnp.asarray(state.u))
    )
    assert all(np.all(np.isfinite(v)) for v in jax.tree.leaves(slope))


@pytest.mark.slow
@pytest.mark.parametrize("of", ["principal", "von_mises", "hydrostatic"])
def test_gradient_and_hessian(of):
    problem = plate()
    state = uneven(problem)
    x = jnp.asarray(state.u)
    d = jnp.asarray(np.random.default_rng(0).normal(size=x.shape)) * 1e-3
    size = 1e-3

    def function(u):
        return cm.design.StressPeak(of, 8)(problem, state.replace(u=u))

    slope, curved = jax.jvp(jax.grad(function), (x,), (d,))
    found = cm.taylor_test(function, x, slope, direction=d, hessian=curved, size=size)
    assert found.error < 1e-7, found
    assert found.orders[2] > 2.9, found


@pytest.mark.slow
def test_slices_give_the_same():
    problem = plate()
    whole, sliced = cm.Evolution(problem), cm.Evolution(problem, budget="20 kB")
    assert chunks(problem.terms, 20e3) > 1
    x = whole.start(uneven(problem))

    def peak(problem, x):
        return cm.design.StressPeak()(problem, problem.in_SI(expand(problem, x)))

    def slope(problem, x):
        return jax.grad(lambda x: peak(problem, x))(x)

    np.testing.assert_allclose(sliced.evaluate(peak, x), whole.evaluate(peak, x), rtol=1e-12)
    np.testing.assert_allclose(sliced.evaluate(slope, x), whole.evaluate(slope, x), rtol=1e-9, atol=1e-9)


def test_what_cannot_be_measured_says_so():
    with pytest.raises(ChemomechError, match="no measure 'tresca'"):
        cm.design.StressPeak("tresca")
    with pytest.raises(ChemomechError, match="even p"):
        cm.design.StressPeak(p=7)
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 2, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=2.0)]), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    with pytest.raises(ChemomechError, match="no stress"):
        cm.design.StressPeak()(problem, problem.state(c=0.5))


def test_smooth_maximum():
    values = jnp.array([1.0, 3.0, 2.0])
    assert float(cm.design.smooth_maximum(values, 200)) == pytest.approx(3.0, rel=0.01)
    assert np.all(np.isfinite(jax.grad(cm.design.smooth_maximum)(jnp.zeros(3))))


def test_soft_maximum_of_values_of_any_sign():
    values = jnp.array([-5.0, -3.0, -4.0])
    found = float(cm.design.soft_maximum(values, 0.05))
    assert -3.0 - 0.05 * np.log(3) - 1e-12 <= found <= -3.0
    slopes = jax.grad(lambda v: cm.design.soft_maximum(v, 0.5))(values)
    assert float(slopes.sum()) == pytest.approx(1.0)
    np.testing.assert_allclose(slopes / slopes[1], np.exp((values + 3.0) / 0.5), rtol=1e-12)
    assert float(cm.design.soft_maximum(values, 1e-9, jnp.array([1.0, 0.0, 1.0]))) == pytest.approx(-4.0)
    with pytest.raises(ChemomechError, match="positive width"):
        cm.design.soft_maximum(values, 0.0)


def test_stress_at_nodes_refuses_a_gradient():
    problem = plate()
    state = uneven(problem)
    with pytest.raises(ChemomechError, match="differentiate `design.StressPeak`"):
        jax.grad(lambda u: stresses.nodal_stress(problem, state.replace(u=u))[0, 0])(jnp.asarray(state.u))
