"""Coherency energy of LiFePO4 and the growth of small composition waves in a coherent, anisotropic crystal.

Cahn, Acta Metall. 9 (1961) 795; Khachaturyan, Theory of Structural Transformations in Solids (1983); constants as in
Cogswell, Bazant, ACS Nano 6 (2012) 2215.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import chemomech as cm
from chemomech.fem.mesh import elevate, rectangle
from chemomech.thermo.coherency import coherency_modulus, curvatures, softest_normal
from chemomech.thermo.stability import critical_current_at, growth_rate, potential

LFP = cm.materials.load("LiFePO4")
ELASTIC = LFP.energy.terms()[2]
SIDE, D, C0 = 60e-9, 1e-18, 0.5


def modulus(n):
    return float(coherency_modulus(ELASTIC, n, LFP.host))


@pytest.mark.parametrize(("n", "value"), [((1, 0, 0), 0.2185), ((0, 1, 0), 0.4042), ((0, 0, 1), 0.6875)])
def test_coherency_modulus_along_the_axes(n, value):
    assert modulus(n) / 1e9 == pytest.approx(value, rel=5e-3)


def test_softest_normal():
    found = softest_normal(curvatures(ELASTIC, 0.5, LFP.host))
    assert float(found.modulus) / 1e9 == pytest.approx(0.1903, rel=5e-3)
    assert np.rad2deg(np.arctan2(*np.abs(found.normal)[::-2])) == pytest.approx(27.5, abs=0.1)


def test_full_clamping():
    C, e0 = np.asarray(ELASTIC.C), np.array([0.0517, 0.0359, -0.0186, 0, 0, 0])
    assert e0 @ C @ e0 / 1e9 == pytest.approx(0.6947, rel=5e-3)


def expected_rate(k):
    """s = -D c(1-c) k^2 [1/(c(1-c)) - 2 omega/RT + (B(n) + kappa k^2)/(RT c_max)]"""
    RT, size = 8.31446261815324 * 298.0, float(np.hypot(*k))
    rho = RT * 22904.0
    bracket = 1 / (C0 * (1 - C0)) - 2 * 11177.0 / RT + (modulus((k[0], 0.0, k[1])) + 5.0148e-10 * size**2) / rho
    return -D * C0 * (1 - C0) * size**2 * bracket


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_growth_of_waves_in_three_directions():
    """Periodic cell with free mean strain: c = 1/2 + 1e-5 cos(k.x); BDF2 steps of 0.05/s, 2 % on each rate."""
    mesh = elevate(rectangle(SIDE, SIDE, 20, 20))
    problem = cm.Problem.build(
        mesh, host=LFP.host, kinematics=cm.GeneralisedPlaneStrain(mean_strain=("zz", "xx", "yy", "xy")),
        potentials=[cm.Stored(cm.Oriented(LFP.energy, axes={"a": "x", "c": "y"})), cm.Storage(), cm.Diffusion(D)],
        constraints=[cm.Periodic("x"), cm.Periodic("y")],
    )  # fmt: skip
    evolution, bdf2 = cm.Evolution(problem), cm.BDF2()
    for wave in ((1, 0), (1, 1), (2, 1)):
        k = 2 * np.pi / SIDE * np.array(wave)
        shape = np.cos(mesh.points @ k)
        s = expected_rate(k)
        diffusion = (cm.Diffusion(D),)
        psi = cm.Oriented(LFP.energy, axes={"a": "x", "c": "y"})
        assert growth_rate(psi, diffusion, LFP.host, C0, 0.0, jnp.array([*k, 0.0])) == pytest.approx(s, rel=1e-3)
        dt, states, amplitude = 0.05 / abs(s), [evolution.start(problem.state(c=C0 + 1e-5 * shape))], []
        for previous in (None, dt, dt, dt):
            result = evolution.step(bdf2.formula(dt, previous), states, states[0], 0.0, problem.drive())
            assert result.converged
            states = [result.x, *states]
            amplitude.append(shape @ (evolution.concentration(result.x) - C0))
        assert np.log(amplitude[-1] / amplitude[-2]) / dt == pytest.approx(s, rel=0.02), wave


def test_classic_growth_rate_without_elasticity():
    """Double well of height 5 between 0.3 and 0.7, kappa 2, mobility 5: s = -5 k^2 (2 k^2 - 0.8), at most 0.4."""
    psi = cm.DoubleWell(5.0, 0.3, 0.7) + cm.GradientEnergy(2.0)
    diffusion = (cm.Diffusion(M=5.0),)
    host = cm.Host.dimensionless()
    rate = lambda k: float(growth_rate(psi, diffusion, host, C0, 0.0, jnp.array([k, 0.0, 0.0])))  # noqa: E731
    assert rate(np.sqrt(0.2)) == pytest.approx(0.4, rel=1e-9)
    assert rate(2 * np.pi / 9.934588) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("coherent", "published"), [(False, 1.340), (True, None)])
def test_critical_current(coherent, published):
    """The current at which a uniform filling of the platelet becomes stable at c = 1/2 is that of the closed form.

    Bai, Cogswell, Bazant, Nano Lett. 11 (2011) 4890; Cogswell, Bazant, ACS Nano 6 (2012) 2215.
    """
    psi = LFP.energy if coherent else LFP.energy.terms()[0]
    angle = np.deg2rad(27.5)
    wave = jnp.array([np.cos(angle), 0.0, np.sin(angle)]) * 1e3  # long enough for the gradient energy not to matter
    reaction = cm.ButlerVolmer(cm.BazantExchange(0.16), V0=3.422, thickness=20e-9)
    mu = float(potential(psi, LFP.host, C0))

    def rate(i):
        return float(growth_rate(psi, (reaction,), LFP.host, C0, 3.422 - mu / 96485.33212331 + overpotential(i), wave))

    def overpotential(i):
        return -2 * float(LFP.host.RT) / 96485.33212331 * np.arcsinh(i / 2)  # in units of i0

    B = modulus((np.cos(angle), 0, np.sin(angle))) if coherent else 0.0
    chemical, i0 = LFP.energy.terms()[0], 0.16 * 0.5
    exact = float(critical_current_at(chemical, cm.BazantExchange(0.16), LFP.host, C0, B)) / i0
    assert brentq(rate, 0.01, 5.0) == pytest.approx(exact, rel=1e-3)
    if published:
        assert exact == pytest.approx(published, rel=2e-3)


def test_modulus_of_a_bowed_misfit():
    """B = 2 E eps0'(c)^2 / (1 - nu) of an isotropic body, whatever the course of eps0."""
    psi, host = cm.LinearElastic.isotropic(60e9, 0.3, cm.BowedVegard(0.02, 0.01)), cm.Host(c_max=2.29e4)
    for c in (0.1, 0.3, 0.5, 0.8):
        slope = 0.02 + 0.01 * (1 - 2 * c)
        exact = 2 * 60e9 * slope**2 / 0.7
        assert float(coherency_modulus(psi, (1, 2, 3), host, c)) == pytest.approx(exact, rel=1e-9)
    assert float(coherency_modulus(psi, (1, 0, 0), host, 0.5)) == pytest.approx(68.57e6, rel=1e-3)
