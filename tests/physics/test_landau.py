"""The square-to-rectangle energy: no rotation changes it, its two wells have no stress, plane strain sees all of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.density import Host, Local
from chemomech.errors import ConfigError
from chemomech.physics import SquareToRectangle
from chemomech.tensors import Tensor, Vector

jax.config.update("jax_enable_x64", True)
PSI = SquareToRectangle(K=1001.44, G=796.66, softening=2736.15, beta3=25858.0, dilation=0.0540734, c_lost=0.748088)


def energy(H, c=0.9):
    values = {"c": c, "H": Tensor(*(H[i, j] for i in range(3) for j in range(3)))}
    return PSI(Local(values, Host.dimensionless(), Vector(), 0.0, 1.0))


def test_value_at_one_strain():
    """F = [[1.06, 0.03], [0.01, 0.95]], the invariants written out in numbers."""
    F = np.array([[1.06, 0.03, 0.0], [0.01, 0.95, 0.0], [0.0, 0.0, 1.0]])
    E = 0.5 * (F.T @ F - np.eye(3))
    e1, e2, e6 = (E[0, 0] + E[1, 1]) / np.sqrt(2), (E[0, 0] - E[1, 1]) / np.sqrt(2), np.sqrt(2) * E[0, 1]
    expected = -2736.15 * (0.9 - 0.748088) * e2**2 + 25858.0 * e2**4
    expected += 1001.44 * (e1 - 0.0540734 * e2**2) ** 2 + 796.66 * e6**2
    assert float(energy(F - np.eye(3))) == pytest.approx(expected, rel=1e-12)


def test_no_rotation_of_the_deformed_body_changes_it():
    H = np.random.default_rng(3).normal(0.0, 0.05, (3, 3))
    Q = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    turned = Q @ (np.eye(3) + H) - np.eye(3)
    assert float(energy(turned)) == pytest.approx(float(energy(H)), rel=1e-12)


def test_both_rectangles_are_free_of_stress():
    """e2^2 = -beta1/(2 beta3), e1 = dilation e2^2, energy -beta1^2/(4 beta3)."""
    beta1 = -2736.15 * (0.9 - 0.748088)
    square = -beta1 / (2 * 25858.0)
    for e2 in (np.sqrt(square), -np.sqrt(square)):
        E = np.diag([0.0540734 * square + e2, 0.0540734 * square - e2, 0.0]) / np.sqrt(2)
        H = jnp.asarray(np.sqrt(np.eye(3) + 2 * E) - np.eye(3))
        assert float(energy(H)) == pytest.approx(-(beta1**2) / (4 * 25858.0), rel=1e-12)
        np.testing.assert_allclose(jax.grad(energy)(H), 0.0, atol=1e-9)


@pytest.mark.parametrize("name", ["K", "G", "beta3"])
def test_an_energy_without_a_bottom_is_refused(name):
    numbers = {"K": 1.0, "G": 1.0, "softening": 1.0, "beta3": 1.0} | {name: -1.0}
    with pytest.raises(ConfigError, match=f"SquareToRectangle.{name} = -1.0"):
        SquareToRectangle(**numbers)
