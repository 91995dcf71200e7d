"""The Taylor test finds right and wrong derivatives of a function known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ChemomechError


def function(x):
    return jnp.sum(jnp.exp(x["a"])) * jnp.sin(x["b"])


X = {"a": np.array([0.3, -0.2]), "b": 0.7, "name": "kept"}
FREE = {"a": X["a"], "b": X["b"]}


def gradient():
    return jax.grad(function)(FREE) | {"name": None}


def direction():
    return {"a": np.array([1.0, 0.5]), "b": -0.4, "name": None}


def test_right_derivatives_have_their_orders():
    d = {k: v for k, v in direction().items() if k != "name"}
    hessian = jax.jvp(jax.grad(function), (FREE,), (d,))[1] | {"name": None}
    found = cm.taylor_test(function, X, gradient(), direction=direction(), hessian=hessian, size=1e-2)
    np.testing.assert_allclose(found.orders, [1, 2, 3], atol=0.05)
    assert found.error < 1e-8
    assert "orders 1.0" in str(found)


def test_a_wrong_gradient_has_order_one():
    wrong = gradient()
    wrong["b"] = wrong["b"] * 1.01
    found = cm.taylor_test(function, X, wrong, direction=direction(), size=1e-3)
    assert found.orders[1] < 1.5
    assert found.error > 1e-3


def test_a_random_direction_moves_every_leaf():
    assert cm.taylor_test(function, X, gradient(), size=1e-3).orders[1] == pytest.approx(2.0, abs=0.05)


def test_what_does_not_fit_is_named():
    with pytest.raises(ChemomechError, match="gradient must have the structure"):
        cm.taylor_test(function, X, {"a": X["a"]})
    with pytest.raises(ChemomechError, match="direction must have the structure"):
        cm.taylor_test(function, X, gradient(), direction=direction() | {"a": np.ones(3)})
    with pytest.raises(ChemomechError, match="not finite"):
        cm.taylor_test(lambda x: jnp.log(x - 1.0), 1.0, np.array(0.0), direction=1.0)
