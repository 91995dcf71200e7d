import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.density import Host, Local
from chemomech.errors import ConfigError
from chemomech.physics import (
    BazantExchange,
    ButlerVolmer,
    ConstantExchange,
    SurfaceStress,
    SymmetricExchange,
    TransitionStateExchange,
    Wetting,
    overpotential,
)
from chemomech.tensors import Tensor, Vector
from chemomech.units import Scales

jax.config.update("jax_enable_x64", True)
HOST = Host(c_max=2.29e4)
F, RT = HOST.faraday, HOST.RT


def state(c=0.4, mu=2e3, V=3.3, host=HOST, dt=2.0):
    return Local({"c": jnp.asarray(c), "mu": mu, "V": V}, host, Vector(), 0.0, dt)


def test_current_is_butler_volmer():
    reaction = ButlerVolmer(ConstantExchange("2 A/m^2"), V0="3.4 V", alpha=0.3)
    eta = 3.3 - 3.4 + 2e3 / F
    expected = 2.0 * (np.exp(-0.3 * F * eta / RT) - np.exp(0.7 * F * eta / RT))
    np.testing.assert_allclose(reaction.current(state()), expected, rtol=1e-12)
    assert expected > 0  # a negative overpotential inserts


@pytest.mark.parametrize("i", [-1e3, -1.0, -1e-6, 1e-6, 1.0, 1e3])
def test_overpotential_inverts_the_current(i):
    reaction = ButlerVolmer(ConstantExchange(0.7))
    eta = overpotential(i, 0.7, HOST)
    np.testing.assert_allclose(reaction.current(state(mu=0.0, V=eta)), i, rtol=1e-10, atol=1e-15)


def test_residual_in_mu_and_voltage():
    reaction = ButlerVolmer(BazantExchange(0.16), V0=3.422)
    s = state()
    i = reaction.current(s)
    by_mu = jax.grad(lambda mu: reaction.density(state(mu=mu), s, s, s))(2e3)
    by_V = jax.grad(lambda V: reaction.density(state(V=V), s, s, s))(3.3)
    np.testing.assert_allclose(by_mu, 2.0 * i / F, rtol=1e-12)
    np.testing.assert_allclose(by_V, 2.0 * i, rtol=1e-12)


def test_exchange_currents():
    a, s = np.exp(2e3 / RT), state()
    np.testing.assert_allclose(BazantExchange(0.16, a_l=2.0)(s), 0.16 * np.sqrt(2 * a) * 0.6, rtol=1e-12)
    np.testing.assert_allclose(SymmetricExchange(0.16)(s), 0.16 * np.sqrt(0.24), rtol=1e-12)
    np.testing.assert_allclose(TransitionStateExchange(0.16, 0.3)(s), 0.16 * a**0.3 * 0.24, rtol=1e-12)


@pytest.mark.parametrize("c", [0.0, 1.0, -0.1, 1.1])
@pytest.mark.parametrize("law", [SymmetricExchange(1.0), BazantExchange(1.0), TransitionStateExchange(1.0)])
def test_exchange_is_finite_at_the_ends(law, c):
    assert np.isfinite(law(state(c)))
    assert np.isfinite(jax.grad(lambda c: law(state(c)))(c))


def test_no_overflow_far_from_equilibrium():
    reaction = ButlerVolmer(ConstantExchange(1.0))
    for V in (-50.0, 50.0):
        assert np.isfinite(reaction.current(state(V=V)))
        assert np.isfinite(reaction.density(*[state(V=V)] * 4))


def test_thickness_acts_through_two_faces():
    s = state()
    on_face = ButlerVolmer(ConstantExchange(1.0)).density(s, s, s, s)
    on_cells = ButlerVolmer(ConstantExchange(1.0), thickness="20 nm").density(s, s, s, s)
    np.testing.assert_allclose(on_cells, on_face * 2 / 20e-9, rtol=1e-12)


def test_wetting():
    wetting = Wetting([0.1, -0.2, 0.3], on="surface")
    s = state(0.4)
    np.testing.assert_allclose(wetting.density(s, s, s, s), 0.1 - 0.2 * 0.4 + 0.3 * 0.16, rtol=1e-12)
    assert wetting.on == "surface"
    assert [psi.name for psi in wetting.stored()] == ["surface"]


def test_messages():
    with pytest.raises(ConfigError, match="strictly between 0 and 1"):
        ButlerVolmer(ConstantExchange(1.0), alpha=1.0)
    with pytest.raises(ConfigError, match="k0 = -1.0 A/m\\^2 must not be negative"):
        BazantExchange(-1.0)
    with pytest.raises(ConfigError, match="thickness"):
        ButlerVolmer(ConstantExchange(1.0), thickness=0.0)


@pytest.mark.parametrize(
    ("potential", "unit"),
    [
        (ButlerVolmer(BazantExchange(0.16), V0=3.4), "J/m^2"),
        (ButlerVolmer(SymmetricExchange(0.16), V0=3.4, thickness=20e-9), "J/m^3"),
        (ButlerVolmer(TransitionStateExchange(0.16), V0=3.4), "J/m^2"),
        (Wetting([0.1, 0.2]), "J/m^2"),
    ],
)
def test_scales_change_no_si_value(potential, unit):
    scales = Scales.natural(40e-9, 3.0, HOST)
    value = potential.density(*[state()] * 4)
    hat = state(0.4, 2e3 / scales.of("J/mol"), 3.3 / scales.of("V"), scales.apply(HOST), 2.0 / scales.time)
    np.testing.assert_allclose(scales.apply(potential).density(*[hat] * 4) * scales.of(unit), value, rtol=1e-12)


def stretched(H, n=(0.6, 0.0, 0.8)):
    H = jnp.asarray(H)
    values = {"H": Tensor(*(H[i, j] for i in range(3) for j in range(3))), "normal": Vector(*n)}
    return Local(values, HOST, Vector(), 0.0, 1.0)


def test_surface_stress_is_tau_in_the_plane_of_the_face():
    """d psi/d eps = tau (I - n n) at no strain, small or finite."""
    n = np.array([0.6, 0.0, 0.8])
    for finite in (False, True):
        density = SurfaceStress("2 N/m", finite=finite, on="s").density
        pull = jax.grad(lambda H, density=density: density(*[stretched(H)] * 4))(jnp.zeros((3, 3)))
        np.testing.assert_allclose(pull, 2.0 * (np.eye(3) - np.outer(n, n)), atol=1e-14)


def test_surface_stress_at_finite_strain_is_that_of_the_area():
    F = np.eye(3) + np.random.default_rng(0).normal(0.0, 0.3, (3, 3))
    a, b = np.array([0.8, 0.0, -0.6]), np.array([0.0, 1.0, 0.0])  # span the face
    s = stretched(F - np.eye(3))
    value = SurfaceStress(2.0, finite=True).density(s, s, s, s)
    np.testing.assert_allclose(value, 2.0 * (np.linalg.norm(np.cross(F @ a, F @ b)) - 1), rtol=1e-12)
