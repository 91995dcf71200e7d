import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from chemomech.density import PerCell
from chemomech.errors import ConfigError
from chemomech.physics import BowedVegard, TabulatedEigenstrain, Vegard

jax.config.update("jax_enable_x64", True)
NAMES = ("xx", "yy", "zz", "yz", "xz", "xy")


def components(strain):
    return np.array([getattr(strain, name) for name in NAMES], dtype=float)


@pytest.mark.parametrize(
    ("strain", "six"),
    [
        (0.02, [0.02, 0.02, 0.02, 0, 0, 0]),
        ("2 percent", [0.02, 0.02, 0.02, 0, 0, 0]),
        ([0.05, 0.03, -0.02], [0.05, 0.03, -0.02, 0, 0, 0]),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3, 4, 5, 6]),
        ([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_vegard_accepts_every_shape(strain, six):
    np.testing.assert_allclose(components(Vegard(strain, c_ref=0.2)(0.7)), 0.5 * np.array(six))


def test_vegard_from_partial_molar_volume():
    eigenstrain = Vegard.from_partial_molar_volume("3.497e-6 m^3/mol", "2.29e4 mol/m^3")
    np.testing.assert_allclose(eigenstrain.strain[0], 3.497e-6 * 2.29e4 / 3)


def test_per_cell_strain_becomes_six_components():
    assert Vegard(PerCell(np.ones((4, 3)))).strain.values.shape == (4, 6)
    assert Vegard(PerCell(np.ones(4))).strain.values.shape == (4, 6)


def test_bowed():
    eigenstrain = BowedVegard(0.02, [0.01, 0.0, 0.0], c_ref=0.3)
    expected = 0.02 * 0.4 + 0.01 * (0.21 - 0.21)
    np.testing.assert_allclose(components(eigenstrain(0.7))[0], expected, rtol=1e-12)
    np.testing.assert_allclose(components(eigenstrain(0.3)), 0, atol=1e-18)
    slope = jax.grad(lambda c: eigenstrain(c).xx)(0.1)
    np.testing.assert_allclose(slope, 0.02 + 0.01 * (1 - 2 * 0.1), rtol=1e-12)


def test_table():
    c = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    table = np.stack([0.05 * c**2, -0.02 * c, 0 * c], axis=1)
    eigenstrain = TabulatedEigenstrain(c, table, c_ref=0.2)
    x = jnp.linspace(0, 1, 11)
    spline = CubicSpline(c, table[:, 0])
    np.testing.assert_allclose(eigenstrain(x).xx, spline(x) - spline(0.2), atol=1e-15)
    assert eigenstrain(x).zz == 0.0
    as_it_stands = TabulatedEigenstrain(c, table[:, 0])(0.5)
    np.testing.assert_allclose(components(as_it_stands)[:3], spline(0.5), rtol=1e-12)


def test_table_slope_is_smooth_at_a_knot():
    c = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    eigenstrain = TabulatedEigenstrain(c, [0.0, 0.01, 0.015, 0.05, 0.052])
    curvature = jax.grad(jax.grad(lambda c: eigenstrain(c).xx))
    np.testing.assert_allclose(curvature(0.5 - 1e-9), curvature(0.5 + 1e-9), rtol=1e-5)


def test_messages():
    with pytest.raises(ConfigError, match="1, 3, 6 or 3 x 3"):
        Vegard([0.1, 0.2])
    with pytest.raises(ConfigError, match="not sorted"):
        TabulatedEigenstrain([0.0, 0.0, 1.0], [0.0, 0.1, 0.2])
