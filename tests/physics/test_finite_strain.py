"""Energies of finite strain at one point: rotations, swelling, the limit of small strain, the chemical potential."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.density import Local
from chemomech.errors import ConfigError
from chemomech.physics import stiffness
from chemomech.physics.plane_stress import Relaxed
from chemomech.tensors import Tensor, Vector
from chemomech.units import Scales

jax.config.update("jax_enable_x64", True)
HOST = cm.Host(c_max=2.95e5)
E, NU, OMEGA = 50e9, 0.22, 1.0e-5
ORTHOTROPIC = [v * 1e9 for v in (175.9, 153.6, 135.0, 38.8, 47.5, 55.6, 29.6, 54.0, 19.6)]
VOLUME = cm.VolumeSwelling.from_partial_molar_volume(OMEGA, HOST.c_max, 0.1)
STRETCH = cm.LogarithmicSwelling(cm.BowedVegard([0.3, 0.1, -0.05], [[0.0, 0.2, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.1]]))
ENERGIES = [
    cm.NeoHookean(E, NU, swelling=VOLUME, E_lithiated=0.4 * E),
    cm.Hencky(cm.LinearElastic(stiffness.orthotropic(*ORTHOTROPIC)), swelling=STRETCH),
]
F = np.eye(3) + np.random.default_rng(5).normal(0.0, 0.1, (3, 3))
Q = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]
Q = Q * np.linalg.det(Q)


def state(F, c=0.6, host=HOST, **values):
    H = jnp.asarray(F) - jnp.eye(3)
    return Local(
        {"c": c, "H": Tensor(*(H[i, j] for i in range(3) for j in range(3))), **values}, host, Vector(), 0.0, 2.0
    )


def piola(psi, F, c=0.6):
    return jax.grad(lambda F: psi(state(F, c)))(jnp.asarray(F))


@pytest.mark.parametrize("psi", ENERGIES)
def test_no_rotation_of_the_deformed_body_changes_the_energy(psi):
    P = piola(psi, F)
    np.testing.assert_allclose(psi(state(Q @ F)), psi(state(F)), rtol=1e-12)
    np.testing.assert_allclose(piola(psi, Q @ F), Q @ P, rtol=0, atol=1e-11 * np.abs(P).max())
    stress = P @ F.T
    np.testing.assert_allclose(stress, stress.T, rtol=0, atol=1e-11 * np.abs(stress).max())


@pytest.mark.parametrize("psi", ENERGIES)
@pytest.mark.parametrize("c", [0.0, 1.0])
def test_free_swelling_has_no_energy_and_no_stress(psi, c):
    """Neither has a swollen body that is turned."""
    Fc = np.array(psi.swelling(c).rows())
    np.testing.assert_allclose(np.linalg.det(Fc), psi.swelling.volume(c), rtol=1e-13)
    np.testing.assert_allclose(psi.swelling.inverse(c).rows(), np.linalg.inv(Fc), rtol=0, atol=1e-13)
    assert abs(psi(state(Q @ Fc, c))) < 1e-12 * E
    assert np.abs(piola(psi, Q @ Fc, c)).max() < 1e-12 * E


@pytest.mark.parametrize(
    ("psi", "C"),
    [
        (cm.NeoHookean(E, NU), stiffness.isotropic(E, NU)),
        (cm.Hencky.isotropic(E, NU), stiffness.isotropic(E, NU)),
        (cm.Hencky(cm.LinearElastic(stiffness.orthotropic(*ORTHOTROPIC))), stiffness.orthotropic(*ORTHOTROPIC)),
    ],
)
def test_limit_of_small_strain(psi, C):
    """With swelling too, the stress of a strain of 1e-8 is that of linear elasticity to 1e-6."""
    H = 1e-8 * np.random.default_rng(7).normal(size=(3, 3))
    linear, small = cm.LinearElastic(C, cm.Vegard(1e-8)), type(psi)(*_first(psi), swelling=cm.VolumeSwelling(3e-8))
    expected = piola(linear, np.eye(3) + H)
    np.testing.assert_allclose(piola(small, np.eye(3) + H), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def _first(psi):
    return (psi.psi,) if isinstance(psi, cm.Hencky) else (psi.E, psi.nu)


def test_logarithmic_strain_of_a_bar():
    """Hencky in uniaxial strain: P = (lambda + 2 G) ln(stretch) / stretch; neo-Hookean: its own closed form."""
    G, lam = E / (2 * (1 + NU)), E * NU / ((1 + NU) * (1 - 2 * NU))
    for a in (0.4, 2.5):
        bar = np.diag([a, 1.0, 1.0])
        np.testing.assert_allclose(
            piola(cm.Hencky.isotropic(E, NU), bar)[0, 0], (lam + 2 * G) * np.log(a) / a, rtol=1e-11
        )
        expected = G * (a - 1 / a) + 0.5 * lam * (a - 1 / a)
        np.testing.assert_allclose(piola(cm.NeoHookean(E, NU), bar)[0, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("make", [cm.NeoHookean, cm.Hencky.isotropic])
def test_chemical_potential_of_isotropic_swelling(make):
    """mu_el = Omega [W - tr(M_e)/3], Mandel's M_e = F_e^T dW/dF_e, at a fixed deformation gradient."""
    psi, c = make(E, NU, swelling=VOLUME), 0.6
    mu = jax.grad(lambda c: psi(state(F, c)))(c) / HOST.c_max
    Fe = F / (1 + OMEGA * HOST.c_max * (c - 0.1)) ** (1 / 3)
    bare = make(E, NU)
    mandel = Fe.T @ np.asarray(piola(bare, Fe))
    np.testing.assert_allclose(mu, OMEGA * (bare(state(Fe)) - np.trace(mandel) / 3), rtol=1e-11)


def test_chemical_potential_with_a_stiffness_that_changes():
    """A further J_c dW/dc."""
    psi, c = ENERGIES[0], 0.6
    J = float(VOLUME.volume(c))
    fixed = cm.NeoHookean(E * (1 - 0.6 * c), NU, swelling=VOLUME)
    more = J * cm.NeoHookean(1.0, NU)(state(F / J ** (1 / 3))) * -0.6 * E
    slope = jax.grad(lambda c: psi(state(F, c)))(c)
    np.testing.assert_allclose(slope, jax.grad(lambda c: fixed(state(F, c)))(c) + more, rtol=1e-11)


@pytest.mark.parametrize("psi", ENERGIES)
def test_a_body_turned_inside_out_has_no_energy(psi):
    assert np.isnan(psi(state(np.diag([-0.1, 1.0, 1.0]))))
    assert np.all(np.isnan(np.diag(piola(psi, np.diag([-0.1, 1.0, 1.0])))))


def test_crystal_axes_turn_the_reference_body():
    R = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))[0]
    R = R * np.linalg.det(R)
    turned = cm.Oriented(ENERGIES[1], rotation=R)
    assert turned.finite
    np.testing.assert_allclose(turned(state(F)), ENERGIES[1](state(R.T @ F @ R)), rtol=1e-11)


@pytest.mark.parametrize("psi", ENERGIES)
def test_scales_change_no_si_value(psi):
    scales = Scales.natural(40e-9, 3.0, HOST)
    scaled = scales.apply(psi)(state(F, 0.6, scales.apply(HOST)))
    np.testing.assert_allclose(scaled * scales.energy_density, psi(state(F)), rtol=1e-12)


@pytest.mark.parametrize("psi", ENERGIES)
def test_gradients_by_their_numbers(psi):
    """Second order along a line through all parameters, swelling's included."""
    value = jax.jit(lambda psi: psi(state(F)))
    assert cm.taylor_test(value, psi, jax.grad(value)(psi), size=1e-2).orders[1] == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("D", [1e-14, [[3e-14, 1e-14, 0.0], [1e-14, 2e-14, 0.0], [0.0, 0.0, 1e-14]]])
def test_diffusion_in_the_deformed_body(D):
    """J_R = -M U^-1 D U^-1 Grad mu, no matter how the body is turned, and no force on it."""
    potential, D = (
        cm.Diffusion(D, cm.UniformMobility(), finite=True),
        np.asarray(D) * np.eye(3) if np.ndim(D) == 0 else np.asarray(D),
    )
    g = np.array([1e9, -2e9, 5e8])

    def density(g, F, frozen):
        now = state(F, grad_mu=Vector(*g))
        return potential.density(now, state(frozen), now, now)

    w, V = np.linalg.eigh(F.T @ F)
    inverse = V @ np.diag(w**-0.5) @ V.T
    expected = -HOST.c_max / HOST.RT * inverse @ D @ inverse @ g
    for turned in (F, Q @ F):
        flux = jax.grad(density)(jnp.asarray(g), turned, turned) / 2.0
        np.testing.assert_allclose(flux, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert not np.any(jax.grad(density, argnums=1)(g, jnp.asarray(F), F))


def test_messages():
    with pytest.raises(ConfigError, match="leaves -0.2 of the reference volume"):
        cm.VolumeSwelling(-1.2)
    with pytest.raises(ConfigError, match="NeoHookean.nu = 0.5"):
        cm.NeoHookean(E, 0.5)
    with pytest.raises(ConfigError, match="has an eigenstrain"):
        cm.Hencky(cm.LinearElastic.isotropic(E, NU, cm.Vegard(0.1)))
    with pytest.raises(ConfigError, match="PlaneStress minimises"):
        cm.PlaneStress().relaxed(cm.RegularSolution(chi=1.0) + ENERGIES[0])
    assert isinstance(cm.PlaneStress().relaxed(cm.LinearElastic.isotropic(E, NU)), Relaxed)
