"""Below a critical size a particle does not separate into phases: a neutral sphere, chi = 2.5, without strain.

The softest change of a uniform sphere is the dipole j_1(k r) cos(theta), k R = 2.0816 (the first zero of j_1'), so that
it separates if 1/(c(1-c)) < 2 chi - (2.0816 l/R)^2 with l^2 = kappa/RT. Constants give a critical diameter of 40 nm, as
in Santos et al., Chem. Sci. 14 (2023) 458, figure 4I.
"""

import functools

import numpy as np
import pytest
from scipy.optimize import brentq

import chemomech as cm
from chemomech.fem.mesh import Mesh, elevate

CHI, KAPPA, DIPOLE = 2.5, 2.29e-13, 2.0815760
HOST = cm.Host(c_max=2.29e4)
RT = 8.31446261815324 * 298.15


def section(divisions):
    """Half disk of radius 1, x >= 0 the distance from the axis: a square of quads, each cut in two, pressed round."""
    steps = np.linspace(-1, 1, 2 * divisions + 1)
    x, y = (v.ravel() for v in np.meshgrid(steps[divisions:], steps, indexing="ij"))
    norm = np.hypot(x, y)
    points = np.stack([x, y], axis=1) * (np.maximum(np.abs(x), np.abs(y)) / np.where(norm > 0, norm, 1.0))[:, None]
    a = np.arange(len(x)).reshape(divisions + 1, -1)
    corners = [a[:-1, :-1], a[1:, :-1], a[1:, 1:], a[:-1, 1:]]
    p, q, r, s = (v.ravel() for v in corners)
    rising = (x[p] + x[q]) * (y[p] + y[s]) > 0  # the diagonal towards the corner of the square
    one = np.where(rising[:, None], np.stack([p, q, r], 1), np.stack([p, q, s], 1))
    two = np.where(rising[:, None], np.stack([p, r, s], 1), np.stack([q, r, s], 1))
    return elevate(Mesh.build(points, np.concatenate([one, two]), "triangle"))


@functools.cache
def sphere(diameter, mean=0.5, divisions=8):
    mesh = section(divisions)
    energy = cm.RegularSolution(chi=CHI) + cm.GradientEnergy(f"{KAPPA} J*m^2/mol")
    return cm.Problem.build(
        mesh.moved(mesh.points * diameter / 2), host=HOST, kinematics=cm.Axisymmetric(),
        potentials=[cm.Stored(energy), cm.Amount(mean)],
    )  # fmt: skip


def separated(diameter, mean=0.5):
    """Largest less smallest composition of the equilibrium that a dipole of amplitude 0.3 leads to."""
    problem = sphere(diameter, mean)
    share = min(0.3, 0.9 * mean, 0.9 * (1 - mean))
    state = cm.solve_equilibrium(problem, problem.state(c=lambda x: mean + share * x[:, 1] / (diameter / 2)))
    return np.ptp(state.c)


@pytest.mark.slow
@pytest.mark.parametrize(("diameter", "contrast"), [(50e-9, 0.608), (44e-9, 0.462), (42e-9, 0.349), (41e-9, 0.254)])
def test_contrast_of_two_phases(diameter, contrast):
    assert separated(diameter) == pytest.approx(contrast, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("diameter", "mean"), [(39e-9, 0.5), (30e-9, 0.2), (30e-9, 0.35), (30e-9, 0.5), (30e-9, 0.65)])
def test_a_small_sphere_stays_uniform(diameter, mean):
    assert separated(diameter, mean) < 1e-3


def softest(diameter, mean):
    problem = sphere(diameter, mean)
    return float(cm.softest_modes(problem, problem.uniform(mean)).curvature[0])


@pytest.mark.slow
def test_critical_diameter():
    """The same for a start from phases and for an infinitesimal wave: here the wave."""
    assert brentq(lambda d: softest(d, 0.5), 38e-9, 42e-9, xtol=1e-11) == pytest.approx(40.0e-9, abs=0.1e-9)


def test_curvature_of_the_dipole():
    problem = sphere(44e-9, 0.4)
    found = cm.softest_modes(problem, problem.uniform(0.4), 2).curvature
    assert found[0] / RT == pytest.approx(1 / 0.24 - 2 * CHI + KAPPA / RT * (DIPOLE / 22e-9) ** 2, abs=3e-3)
    assert found[1] / RT > 0.5  # the next wave is far away: a radial one would need R twice as large


@pytest.mark.slow
@pytest.mark.parametrize(("diameter", "limit"), [(60e-9, 0.325), (50e-9, 0.356), (44e-9, 0.398), (42e-9, 0.425)])
def test_from_where_on_a_uniform_sphere_is_unstable(diameter, limit):
    assert softest(diameter, limit - 0.005) > 0 > softest(diameter, limit + 0.005)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_smaller_sphere_fills_first():
    """At the same current per area 3/R of the sites fill in a unit of time."""
    taken = []
    for diameter in (20e-9, 30e-9):
        made, reaction = sphere(diameter), cm.ButlerVolmer(cm.ConstantExchange("1 A/m^2"), on="boundary")
        problem = cm.Problem.build(
            made.mesh, host=HOST, kinematics=cm.Axisymmetric(),
            potentials=[made.potentials[0], cm.Storage(), cm.Diffusion("1e-14 m^2/s"), reaction],
        )  # fmt: skip
        current = 0.1 * np.pi * diameter**2
        run = cm.simulate(problem, problem.uniform(0.1), cm.Discharge(current=current, until={"soc": 0.6}))
        taken.append(run.time[-1])
    assert taken[1] / taken[0] == pytest.approx(1.5, rel=0.01)
