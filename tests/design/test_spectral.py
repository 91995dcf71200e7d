"""Powers of positive eigenvalues: values, derivatives where eigenvalues meet, second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.design.spectral import positive_power, tensile_power

jax.config.update("jax_enable_x64", True)


def rotated(values, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return jnp.asarray(Q @ np.diag(values) @ Q.T)


TENSORS = {
    "apart": (2.0, 0.7, -1.5), "two equal": (1.2, 1.2, 0.3), "all equal": (0.8, 0.8, 0.8),
    "compressed": (-1.0, -1.0, -2.0), "nothing": (0.0, 0.0, 0.0), "almost equal": (1.0, 1.0 + 1e-9, 0.2),
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_value_gradient_and_hessian(name):
    values = np.array(TENSORS[name])
    tensor = rotated(values)
    change = np.random.default_rng(1).normal(size=(3, 3))
    change = jnp.asarray(change + change.T)

    def function(tensor):
        return tensile_power(6, tensor)

    assert float(function(tensor)) == pytest.approx(np.sum(np.maximum(values, 0) ** 6), rel=1e-12, abs=1e-12)
    slope, curved = jax.jvp(jax.grad(function), (tensor,), (change,))
    found = cm.taylor_test(function, tensor, slope, direction=change, hessian=curved, size=1e-2, levels=4)
    if found.remainders[0, 0] == 0.0:  # nothing is in tension, along the whole line
        assert np.all(np.asarray(slope) == 0.0)
        assert np.all(np.asarray(curved) == 0.0)
    else:
        assert found.orders[2] > 2.9 or found.remainders[2, 0] < 1e-11, found


def test_positive_part_of_a_tensor():
    tensor = rotated((2.0, 0.5, -1.0), seed=3)
    np.testing.assert_allclose(positive_power(1, tensor), rotated((2.0, 0.5, 0.0), seed=3), atol=1e-14)
