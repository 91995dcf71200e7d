import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from chemomech.density import Host, Local
from chemomech.errors import ConfigError, UnitError
from chemomech.physics import DoubleWell, GradientEnergy, RedlichKister, RegularSolution, TabulatedOCV
from chemomech.tensors import Vector
from chemomech.units import Scales

jax.config.update("jax_enable_x64", True)
HOST = Host(c_max=2.29e4)
C = np.linspace(0.05, 0.95, 7)
KNOTS, VOLTAGE = np.array([0.0, 0.15, 0.3, 0.62, 0.8, 1.0]), np.array([4.1, 3.6, 3.5, 3.45, 3.2, 2.0])


def state(c, host=HOST, grad=(0.0, 0.0, 0.0)):
    return Local({"c": jnp.asarray(c), "grad_c": Vector(*grad)}, host, Vector(), 0.0, 1.0)


def mu(psi, c):
    return jax.grad(lambda c: jnp.sum(psi(state(c))))(jnp.asarray(c)) / HOST.c_max


def test_regular_solution_potential():
    expected = HOST.RT * (np.log(C / (1 - C)) + 2.5 * (1 - 2 * C)) + 3e3 * (1 - 2 * C)
    np.testing.assert_allclose(mu(RegularSolution(chi=2.5, omega="3 kJ/mol"), C), expected, rtol=1e-12, atol=1e-8)


def test_regular_solution_needs_a_parameter():
    with pytest.raises(ConfigError, match="chi .* or omega"):
        RegularSolution()


@pytest.mark.parametrize("psi", [RegularSolution(chi=2.5), RedlichKister([1e3, 2e3])])
@pytest.mark.parametrize("c", [0.0, 1.0, -0.1, 1.1])
def test_gradients_stay_finite_at_and_beyond_the_ends(psi, c):
    assert np.isfinite(psi(state(c)))
    assert np.isfinite(mu(psi, c))
    assert np.isfinite(jax.grad(lambda c: mu(psi, c))(c))


def test_double_well():
    psi = DoubleWell(height=5.0, ca=0.3, cb=0.7)
    np.testing.assert_allclose(psi(state(C)), 5 * (C - 0.3) ** 2 * (0.7 - C) ** 2)
    np.testing.assert_allclose(mu(psi, [0.3, 0.7, 0.5]), 0, atol=1e-18)
    assert psi.domain is None
    with pytest.raises(ConfigError, match="ca < cb"):
        DoubleWell(height=1.0, ca=0.7, cb=0.3)
    with pytest.raises(ConfigError, match="height"):
        DoubleWell(height="-1 J/m^3")


def test_redlich_kister():
    beta = [1e3, -4e2, 2e2]
    psi = RedlichKister(beta, mu0="5 kJ/mol", ideal=False)
    z = 1 - 2 * C
    series = sum(b * z**i for i, b in enumerate(beta))
    np.testing.assert_allclose(psi(state(C)) / HOST.c_max, 5e3 * C + C * (1 - C) * series, rtol=1e-12)
    assert psi.domain is None
    assert RedlichKister(beta).domain == (0.0, 1.0)
    first = RedlichKister(beta[:1])
    np.testing.assert_allclose(first(state(C)), RegularSolution(omega=1e3)(state(C)), rtol=1e-12)


def test_table_derivative_is_the_spline():
    psi = TabulatedOCV(KNOTS, VOLTAGE, U0=3.5)
    inside = np.linspace(0, 1, 101)
    expected = -HOST.faraday * (CubicSpline(KNOTS, VOLTAGE)(inside) - 3.5)
    np.testing.assert_allclose(mu(psi, inside), expected, rtol=1e-12, atol=1e-12 * HOST.faraday)


def test_table_is_smooth_at_knots_and_straight_outside():
    psi = TabulatedOCV(KNOTS, VOLTAGE)
    mu_at = lambda c: mu(psi, c)  # noqa: E731
    slope, curvature = jax.grad(mu_at), jax.grad(jax.grad(mu_at))
    for knot in KNOTS:
        for f in (lambda c: psi(state(c)) / HOST.c_max, mu_at, slope):
            np.testing.assert_allclose(f(knot - 1e-9), f(knot + 1e-9), rtol=1e-6, atol=1e-8 * HOST.faraday)
    for knot in KNOTS[1:-1]:
        np.testing.assert_allclose(curvature(knot - 1e-9), curvature(knot + 1e-9), rtol=1e-5)
    assert curvature(-0.2) == curvature(1.2) == 0


def test_table_of_two_points_is_a_line():
    psi = TabulatedOCV([0.2, 0.7], ["4.0 V", "3.0 V"])
    np.testing.assert_allclose(mu(psi, C), -HOST.faraday * (4.0 - 2.0 * (C - 0.2)), rtol=1e-12)


def test_table_voltages_can_be_differentiated():
    def energy(U):
        return TabulatedOCV(KNOTS, U)(state(0.5))

    gradient = jax.grad(energy)(jnp.array(VOLTAGE))
    np.testing.assert_allclose(gradient @ VOLTAGE, energy(VOLTAGE), rtol=1e-12)  # linear in U


def test_table_messages():
    with pytest.raises(ConfigError, match="entry 2 is 0.3 after 0.5"):
        TabulatedOCV([0.0, 0.5, 0.3], [4.0, 3.0, 2.0])
    with pytest.raises(ConfigError, match="3 entries, but the values have 2 rows"):
        TabulatedOCV([0.0, 0.3, 0.5], [4.0, 3.0])


def test_gradient_energy_units_agree():
    s = state(0.5, grad=(1e7, 2e7, 0.0))
    molar = GradientEnergy("2e-13 J*m^2/mol")(s)
    np.testing.assert_allclose(molar, GradientEnergy(2e-13 * HOST.c_max)(s), rtol=1e-14)
    np.testing.assert_allclose(molar, 0.5 * 2e-13 * HOST.c_max * 5e14, rtol=1e-14)


def test_gradient_energy_tensor():
    g = np.array([1e7, 2e7, -1e7])
    kappa = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]]) * 1e-10
    s = state(0.5, grad=tuple(g))
    np.testing.assert_allclose(GradientEnergy(kappa)(s), 0.5 * g @ kappa @ g, rtol=1e-14)
    diagonal = GradientEnergy(["3e-10 J/m", "2e-10 J/m", "1e-10 J/m"])(s)
    np.testing.assert_allclose(diagonal, 0.5 * np.dot([3e-10, 2e-10, 1e-10], g**2), rtol=1e-14)


def test_gradient_energy_per_cell():
    kappa = np.array([1e-10, 2e-10, 4e-10])
    s = state(np.full((2, 3), 0.5), grad=(1e7, 2e7, 0.0))
    scalar = eqx.tree_at(lambda psi: psi.kappa, GradientEnergy(1.0), kappa[None, :])  # as the assembler hands it over
    np.testing.assert_allclose(scalar(s)[0], 0.5 * kappa * 5e14, rtol=1e-14)
    tensor = eqx.tree_at(lambda psi: psi.kappa, GradientEnergy(1.0), np.eye(3)[:, :, None, None] * kappa)
    np.testing.assert_allclose(tensor(s)[0], 0.5 * kappa * 5e14, rtol=1e-14)


def test_gradient_energy_messages():
    with pytest.raises(ConfigError, match="must not be negative"):
        GradientEnergy(-1e-10)
    with pytest.raises(ConfigError, match="smallest eigenvalue"):
        GradientEnergy([1e-10, -1e-10, 1e-10])
    with pytest.raises(UnitError, match="J/m or in"):
        GradientEnergy("1 eV")
    with pytest.raises(ConfigError, match="exactly one"):
        GradientEnergy()


@pytest.mark.parametrize(
    "psi",
    [
        RegularSolution(chi=2.5, omega="2 kJ/mol"),
        DoubleWell(height="3e7 J/m^3", ca=0.1),
        RedlichKister([1e3, -4e2], mu0=3e3),
        TabulatedOCV(KNOTS, VOLTAGE, U0=3.4),
        GradientEnergy("2e-13 J*m^2/mol"),
        GradientEnergy([1e-10, 2e-10, 0.0]),
    ],
)
def test_scales_change_no_si_value(psi):
    scales = Scales.natural(40e-9, 3.0, HOST)
    grad = np.array([1e7, 2e6, -4e6])
    value = psi(state(0.37, grad=tuple(grad)))
    scaled = scales.apply(psi)(state(0.37, scales.apply(HOST), tuple(grad * scales.length)))
    np.testing.assert_allclose(scaled * scales.energy_density, value, rtol=1e-12)
