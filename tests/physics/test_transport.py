import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.density import Host, Local
from chemomech.errors import ConfigError, UnitError
from chemomech.physics import (
    ActivatedMobility,
    Diffusion,
    GradientEnergy,
    RegularSolution,
    Storage,
    Stored,
    UniformMobility,
)
from chemomech.tensors import Tensor, Vector
from chemomech.units import Scales

jax.config.update("jax_enable_x64", True)
HOST = Host(c_max=2.29e4)


def state(c=0.4, mu=1e3, grad=(1e9, -2e9, 5e8), host=HOST, dt=2.0):
    g = Vector(*grad)
    return Local({"c": c, "mu": mu, "grad_c": g, "grad_mu": g}, host, Vector(), 0.0, dt)


def test_storage():
    now, old = state(c=0.4), state(c=0.1)
    value = Storage().density(now, now, old, old)
    np.testing.assert_allclose(value, -HOST.c_max * 1e3 * 0.3, rtol=1e-14)


def test_flux_is_mobility_times_gradient():
    D = 1e-14
    potential = Diffusion(D)

    def density(g):
        now = state(grad=g)
        return potential.density(now, state(), now, now)

    flux = -np.array(jax.grad(density)(jnp.array([1e9, -2e9, 5e8]))) / 2.0
    M = D * HOST.c_max * 0.4 * 0.6 / HOST.RT
    np.testing.assert_allclose(flux, M * np.array([1e9, -2e9, 5e8]), rtol=1e-12)


def test_mobility_is_frozen():
    s = state()
    slope = jax.grad(lambda c: Diffusion(1e-14).density(state(c=c), s, s, s))(0.4)
    assert slope == 0


def test_mobility_laws():
    s = state()
    g2 = 1e18 + 4e18 + 0.25e18
    uniform = Diffusion("1e-14 m^2/s", UniformMobility()).density(s, s, s, s)
    np.testing.assert_allclose(uniform, -2.0 * 0.5 * 1e-14 * HOST.c_max / HOST.RT * g2, rtol=1e-12)
    given = Diffusion(M="5 mol^2/(J*m*s)").density(s, s, s, s)
    np.testing.assert_allclose(given, -2.0 * 0.5 * 5 * g2, rtol=1e-12)


def test_activation_by_strain():
    """D = D0 exp(-(Ea0 + dEa:eps)/RT); one number multiplies the change of volume; a shear counts twice."""
    H = np.array([[0.01, 0.03, 0.0], [0.01, -0.02, 0.0], [0.0, 0.0, 0.015]])
    s = state().replace(H=Tensor(*H.ravel()))
    bare = UniformMobility()(s)
    shear = ActivatedMobility("20 kJ/mol", [1e5, 0.0, 2e5, 0.0, 0.0, 3e5], UniformMobility())(s)
    Ea = 20e3 + 1e5 * 0.01 + 2e5 * 0.015 + 2 * 3e5 * 0.02
    np.testing.assert_allclose(shear, bare * np.exp(-Ea / HOST.RT), rtol=1e-12)
    volume = ActivatedMobility(by_strain=-1e5, mobility=UniformMobility())(s)
    np.testing.assert_allclose(volume, bare * np.exp(1e5 * 0.005 / HOST.RT), rtol=1e-12)
    still = ActivatedMobility("20 kJ/mol")(state())  # no strain is read
    np.testing.assert_allclose(still, bare * 0.24 * np.exp(-20e3 / HOST.RT), rtol=1e-12)


def test_blocked_directions():
    s = state()
    assert Diffusion("0 m^2/s").density(s, s, s, s) == 0
    along_y = Diffusion([0.0, 1e-14, 0.0]).density(s, s, s, s)
    np.testing.assert_allclose(along_y, Diffusion(1e-14).density(*[state(grad=(0.0, -2e9, 0.0))] * 4), rtol=1e-12)


def test_messages():
    with pytest.raises(ConfigError, match="exactly one of D"):
        Diffusion()
    with pytest.raises(ConfigError, match="must not be negative"):
        Diffusion(-1e-14)
    with pytest.raises(ConfigError, match="no effect"):
        Diffusion(M=1.0, mobility=UniformMobility())
    with pytest.raises(UnitError, match="Diffusion.D"):
        Diffusion("1e-14 m/s")
    with pytest.raises(ConfigError, match="not symmetric"):
        Diffusion([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_stored_sums_a_list():
    potential = Stored([RegularSolution(chi=2.0), GradientEnergy(1e-10)])
    s = state()
    assert [psi.name for psi in potential.stored()] == ["chemical", "gradient"]
    np.testing.assert_allclose(potential.density(s, s, s, s), sum(psi(s) for psi in potential.stored()))


@pytest.mark.parametrize("potential", [Storage(), Diffusion(1e-14), Diffusion([1e-14, 0.0, 2e-14]), Diffusion(M=1e-3)])
def test_scales_change_no_si_value(potential):
    scales = Scales.natural(40e-9, 3.0, HOST)
    now, old = state(), state(c=0.1)
    value = potential.density(now, now, old, old)
    molar = scales.of("J/mol")
    grad = tuple(np.array([1e9, -2e9, 5e8]) * scales.length / molar)
    hat = [state(c, 1e3 / molar, grad, scales.apply(HOST), 2.0 / scales.time) for c in (0.4, 0.4, 0.1, 0.1)]
    np.testing.assert_allclose(scales.apply(potential).density(*hat) * scales.energy_density, value, rtol=1e-12)
