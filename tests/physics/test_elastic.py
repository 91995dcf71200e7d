import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.density import Host, Local, PerCell
from chemomech.errors import ConfigError
from chemomech.physics import BowedVegard, LinearElastic, RegularSolution, Vegard, stiffness
from chemomech.physics.plane_stress import Relaxed
from chemomech.tensors import Tensor, Vector
from chemomech.units import Scales

jax.config.update("jax_enable_x64", True)
HOST = Host(c_max=2.29e4)
E, NU, ETA = 60e9, 0.3, 0.0167
G, LAM = E / (2 * (1 + NU)), E * NU / ((1 + NU) * (1 - 2 * NU))
H = np.random.default_rng(1).normal(size=(3, 3)) * 1e-2
ORTHOTROPIC = [f"{v} GPa" for v in (175.9, 153.6, 135.0, 38.8, 47.5, 55.6, 29.6, 54.0, 19.6)]


def state(H, c=None, host=HOST):
    H = jnp.asarray(H)
    values = {"H": Tensor(*(H[i, j] for i in range(3) for j in range(3)))}
    return Local(values if c is None else {**values, "c": c}, host, Vector(), 0.0, 1.0)


def stress(psi, H, c=None):
    return jax.grad(lambda H: psi(state(H, c)))(jnp.asarray(H))


def test_isotropic_stress():
    psi = LinearElastic.isotropic(E, NU, Vegard(ETA, c_ref=0.2))
    elastic = (H + H.T) / 2 - ETA * 0.4 * np.eye(3)
    expected = LAM * np.trace(elastic) * np.eye(3) + 2 * G * elastic
    np.testing.assert_allclose(stress(psi, H, 0.6), expected, rtol=1e-12)
    mu = jax.grad(lambda c: psi(state(H, c)))(0.6) / HOST.c_max
    omega = 3 * ETA / HOST.c_max
    np.testing.assert_allclose(mu, -omega * np.trace(expected) / 3, rtol=1e-12)


def test_stiffness_in_c_adds_its_term_to_the_potential():
    psi = LinearElastic.isotropic(E, NU, Vegard(ETA), C_lithiated=stiffness.isotropic(2 * E, NU))
    c, elastic = 0.6, (H + H.T) / 2 - ETA * 0.6 * np.eye(3)
    sigma = (1 + c) * (LAM * np.trace(elastic) * np.eye(3) + 2 * G * elastic)
    np.testing.assert_allclose(stress(psi, H, c), sigma, rtol=1e-12)
    bare = 0.5 * np.sum(sigma * elastic) / (1 + c)  # dC/dc = C
    mu = jax.grad(lambda c: psi(state(H, c)))(c)
    np.testing.assert_allclose(mu, -ETA * np.trace(sigma) + bare, rtol=1e-12)


def test_bowed_misfit_and_stiffness_in_c_both_count_in_the_potential():
    """mu = -sigma : d eps0/dc + 1/2 eps : dC/dc : eps, with d eps0/dc = a + b (1 - 2c)."""
    a, b, c = np.array([0.05, 0.03, -0.02]), np.array([0.02, -0.01, 0.04]), 0.3
    soft = stiffness.orthotropic(*ORTHOTROPIC)
    psi = LinearElastic(soft, BowedVegard(a, b), C_lithiated=0.6 * soft)
    elastic = (H + H.T) / 2 - np.diag(a * c + b * c * (1 - c))
    bare = stress(LinearElastic(soft), elastic)
    mu = jax.grad(lambda c: psi(state(H, c)))(c)
    expected = -(1 - 0.4 * c) * np.diag(bare) @ (a + b * (1 - 2 * c)) - 0.4 * 0.5 * np.sum(bare * elastic)
    np.testing.assert_allclose(mu, expected, rtol=1e-12)


def test_works_without_composition():
    psi = LinearElastic.isotropic(G="2 GPa", K="5 GPa", prestrain=0.01)
    np.testing.assert_allclose(psi(state(0.01 * np.eye(3))), 0, atol=1e-6)
    np.testing.assert_allclose(psi(state(np.zeros((3, 3)))), 0.5 * 5e9 * 0.03**2, rtol=1e-12)


def test_orthotropic_entries():
    C = stiffness.orthotropic(*ORTHOTROPIC) / 1e9
    np.testing.assert_allclose(np.diag(C), [175.9, 153.6, 135.0, 38.8, 47.5, 55.6])
    assert (C[0, 1], C[0, 2], C[1, 2]) == pytest.approx((29.6, 54.0, 19.6))
    psi = LinearElastic.orthotropic(*ORTHOTROPIC)
    sigma = stress(psi, H)
    np.testing.assert_allclose(sigma[1, 2], 38.8e9 * (H[1, 2] + H[2, 1]), rtol=1e-12)
    np.testing.assert_allclose(sigma[0, 2], 47.5e9 * (H[0, 2] + H[2, 0]), rtol=1e-12)
    np.testing.assert_allclose(stiffness.full(C[np.triu_indices(6)]), C)


def test_cubic_with_isotropic_constants():
    np.testing.assert_allclose(stiffness.cubic(LAM + 2 * G, LAM, G), stiffness.isotropic(E, NU), rtol=1e-12)
    np.testing.assert_allclose(stiffness.isotropic(G=G, K=LAM + 2 * G / 3), stiffness.isotropic(E, NU), rtol=1e-12)


def test_modulus_may_vary_by_cell_or_be_traced():
    C = stiffness.isotropic(PerCell(np.array([E, 2 * E])), NU)
    np.testing.assert_allclose(C.values[1], stiffness.isotropic(2 * E, NU))
    slope = jax.grad(lambda E: LinearElastic.isotropic(E, NU)(state(H)))(E)
    np.testing.assert_allclose(slope * E, LinearElastic.isotropic(E, NU)(state(H)), rtol=1e-12)


def test_messages():
    bad = stiffness.cubic(1e9, 2e9, 1e9)
    with pytest.raises(ConfigError, match=r"not positive definite: its smallest eigenvalue is -1e\+09 Pa"):
        LinearElastic(bad)
    with pytest.raises(ConfigError, match="C_lithiated"):
        LinearElastic(stiffness.isotropic(E, NU), C_lithiated=bad)
    skew = stiffness.isotropic(E, NU)
    skew[0, 1] *= 2
    with pytest.raises(ConfigError, match="not symmetric"):
        LinearElastic(skew)
    with pytest.raises(ConfigError, match="E = -1.0 Pa must be positive"):
        LinearElastic.isotropic(-1.0, NU)
    with pytest.raises(ConfigError, match="nu = 0.5"):
        LinearElastic.isotropic(E, 0.5)
    with pytest.raises(ConfigError, match="E and nu, or G and K"):
        LinearElastic.isotropic(E)


def test_plane_stress_modulus_and_traction():
    psi = Relaxed(LinearElastic.isotropic(E, NU, Vegard(ETA)))
    flat = np.diag([0.01, 0.02, 0.0])
    sigma = stress(psi, flat, 0.5)
    e = ETA * 0.5
    np.testing.assert_allclose(sigma[0, 0], E / (1 - NU**2) * ((0.01 - e) + NU * (0.02 - e)), rtol=1e-10)
    np.testing.assert_allclose(sigma[2], 0, atol=1e-3)


def test_plane_stress_anisotropic_traction_vanishes():
    A = np.random.default_rng(2).normal(size=(6, 6))
    inner = LinearElastic((A @ A.T + np.eye(6)) * 1e10, Vegard([0.05, 0.03, -0.02]))
    psi = Relaxed(inner)
    flat = np.array([[0.01, 0.003, 0], [-0.002, 0.02, 0], [0, 0, 0.0]])
    relaxed = np.array(psi.relaxed(state(flat, 0.4)).H.rows())
    sigma = stress(inner, relaxed, 0.4)
    np.testing.assert_allclose(sigma[2] / np.abs(sigma).max(), 0, atol=1e-12)
    np.testing.assert_allclose(stress(psi, flat, 0.4)[:2, :2], sigma[:2, :2], rtol=1e-9)


def test_plane_stress_reports_parts_at_the_relaxed_strain_of_the_whole():
    psi = Relaxed(RegularSolution(chi=3.0) + LinearElastic.isotropic(E, NU, Vegard(ETA)))
    s = state(np.diag([0.01, 0.0, 0.0]), 0.4)
    assert [term.name for term in psi.terms()] == ["chemical", "elastic"]
    np.testing.assert_allclose(sum(term(s) for term in psi.terms()), psi(s), rtol=1e-14)
    assert psi.terms()[0].domain == (0.0, 1.0)


@pytest.mark.parametrize("wrap", [lambda psi: psi, Relaxed])
def test_scales_change_no_si_value(wrap):
    psi = wrap(LinearElastic.orthotropic(*ORTHOTROPIC, Vegard([0.05, 0.03, -0.02]), prestrain=0.001))
    scales = Scales.natural(40e-9, 3.0, HOST)
    scaled = scales.apply(psi)(state(H, 0.3, scales.apply(HOST)))
    np.testing.assert_allclose(scaled * scales.energy_density, psi(state(H, 0.3)), rtol=1e-10)
