"""Softest changes of composition of a stationary state, against closed forms."""

import numpy as np
import pytest
from scipy.sparse.linalg import ArpackError

import chemomech as cm
from chemomech import modes
from chemomech.fem.mesh import elevate, rectangle

HOST = cm.Host(c_max=2.29e4)
RT = 8.31446261815324 * 298.15
CHI, KAPPA = 2.5, 2.29e-13  # kappa in J m^2/mol, over RT the square of the interface length
LENGTH = 40e-9
ENERGY = cm.RegularSolution(chi=CHI) + cm.GradientEnergy(f"{KAPPA} J*m^2/mol")


def bar(mean, length=LENGTH):
    return cm.Problem.build(
        elevate(rectangle(length, length / 20, 20, 1)), host=HOST, potentials=[cm.Stored(ENERGY), cm.Amount(mean)]
    )


def curvature(c, k):
    """psi'' of the regular solution and the energy of gradients [J/mol]"""
    return RT * (1 / (c * (1 - c)) - 2 * CHI) + KAPPA * k**2


def test_waves_of_a_bar():
    problem = bar(0.4)
    found = cm.softest_modes(problem, problem.uniform(0.4), 3)
    waves = np.pi / LENGTH * np.arange(1, 4)
    np.testing.assert_allclose(found.curvature, curvature(0.4, waves), rtol=1e-4, atol=1e-4 * RT)
    wave = np.cos(waves[0] * problem.mesh.points[:, 0])
    np.testing.assert_allclose(np.abs(found.shape[0]), np.abs(wave), atol=1e-3)


@pytest.mark.parametrize(("factor", "unstable"), [(0.98, 0), (1.02, 1), (2.02, 2)])
def test_a_bar_is_unstable_beyond_half_a_wave(factor, unstable):
    critical = np.pi * np.sqrt(KAPPA / RT / (2 * CHI - 4))
    problem = bar(0.5, factor * critical)
    assert cm.unstable_modes(problem, problem.uniform(0.5)) == unstable


def test_without_given_content_a_uniform_change_counts_too():
    problem = cm.Problem.build(rectangle(LENGTH, LENGTH / 20, 10, 1), host=HOST, potentials=[cm.Stored(ENERGY)])
    found = cm.softest_modes(problem, problem.uniform(0.5))
    assert found.curvature[0] == pytest.approx(curvature(0.5, 0.0), rel=1e-6)
    np.testing.assert_allclose(found.shape[0], 1.0, rtol=1e-6)


def test_phases_that_have_separated_are_stable():
    problem = bar(0.5)
    start = problem.state(c=lambda x: 0.5 - 0.3 * np.cos(np.pi * x[:, 0] / LENGTH))
    apart = cm.solve_equilibrium(problem, start)
    assert np.ptp(apart.c) > 0.3
    assert cm.unstable_modes(problem, apart) == 0
    assert cm.unstable_modes(problem, problem.uniform(0.5)) == 1


@pytest.mark.slow
def test_coherency_stiffens_waves_of_a_periodic_crystal():
    """Cahn, Acta Metall. 9 (1961) 795: E eta^2 2/(1 - nu) more for every wave, with the mean strain free."""
    E, nu, eta = 60e9, 0.3, 0.05 / 3
    elastic = cm.LinearElastic.isotropic(E, nu, cm.Vegard(eta, c_ref=0.5))
    problem = cm.Problem.build(
        elevate(rectangle(LENGTH, LENGTH, 6, 6)), host=HOST, potentials=[cm.Stored(ENERGY + elastic), cm.Amount(0.5)],
        kinematics=cm.PlaneStrain(mean_strain=("xx", "yy", "xy")),
        constraints=[cm.Periodic("x"), cm.Periodic("y")],
    )  # fmt: skip
    found = cm.softest_modes(problem, problem.uniform(0.5), 4)  # sine and cosine along both axes
    expected = curvature(0.5, 2 * np.pi / LENGTH) + 2 * E * eta**2 / (1 - nu) / 2.29e4
    np.testing.assert_allclose(found.curvature, expected, rtol=3e-3)


@pytest.mark.slow
def test_a_given_bend_does_not_change():
    """Modes of a clamped strip are the same with the bend as a scalar that is given."""
    energy = ENERGY + cm.LinearElastic.isotropic(60e9, 0.3, cm.Vegard(0.05 / 3, c_ref=0.5))
    found = []
    for bending in (None, cm.Bending(curvature=1e5, axial=0.0, neutral=LENGTH / 8)):
        problem = cm.Problem.build(
            rectangle(LENGTH, LENGTH / 4, 8, 2), host=HOST, potentials=[cm.Stored(energy), cm.Amount(0.5)],
            kinematics=cm.PlaneStrain(bending=bending), constraints=[cm.Fixed("u", on=s) for s in ("left", "right")],
        )  # fmt: skip
        found.append(cm.softest_modes(problem, problem.uniform(0.5), 2).curvature)
        assert cm.unstable_modes(problem, problem.uniform(0.5)) == np.sum(found[-1] < 0)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-8)


def test_what_has_a_voltage_or_no_composition_is_refused():
    rates = [cm.Stored(ENERGY), cm.Storage(), cm.Diffusion("1e-14 m^2/s", mobility=cm.UniformMobility())]
    running = cm.Problem.build(rectangle(LENGTH, LENGTH, 2, 2), host=HOST, potentials=rates)
    with pytest.raises(cm.ConfigError, match="leave out Storage"):
        cm.softest_modes(running, running.uniform(0.5))
    held = cm.Problem.build(
        rectangle(LENGTH, LENGTH, 2, 2), host=HOST, potentials=[cm.Stored(ENERGY)],
        constraints=[cm.Fixed("c", on=None, value=0.5)],
    )  # fmt: skip
    with pytest.raises(cm.ConfigError, match="cannot change"):
        cm.unstable_modes(held, held.uniform(0.5))


def test_curvatures_do_not_depend_on_scales():
    mesh = rectangle(LENGTH, LENGTH, 2, 2)
    stored = [cm.Stored(ENERGY), cm.Amount(0.4)]
    found = [
        cm.softest_modes(p, p.uniform(0.4)).curvature[0]
        for p in (cm.Problem.build(mesh, host=HOST, potentials=stored, scales=s) for s in (None, cm.Scales.unit()))
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-8)
    problem = cm.Problem.build(mesh, host=HOST, potentials=stored)
    with pytest.raises(cm.ConfigError, match="Ask for fewer"):
        cm.softest_modes(problem, problem.uniform(0.4), 8)


def test_waves_that_cost_the_same(monkeypatch):
    """Without gradient energy all curvatures are one; where Lanczos gives up, a block of vectors finds them."""

    def broken(*_, **__):
        raise ArpackError(-9999)

    mesh = rectangle(LENGTH, LENGTH / 4, 8, 2)
    stored = [cm.Stored(cm.RegularSolution(chi=CHI)), cm.Amount(0.4)]
    flat, waves = cm.Problem.build(mesh, host=HOST, potentials=stored), bar(0.4)
    plain = cm.softest_modes(waves, waves.uniform(0.4), 2)
    monkeypatch.setattr(modes, "eigsh", broken)
    found = cm.softest_modes(flat, flat.uniform(0.4), 3)
    np.testing.assert_allclose(found.curvature, curvature(0.4, 0.0), rtol=1e-8)
    np.testing.assert_allclose(cm.softest_modes(waves, waves.uniform(0.4), 2).curvature, plain.curvature, rtol=1e-7)
