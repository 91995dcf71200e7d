"""Elastic energy of a traction-free square over that of an infinite body, at a given composition.

A free body is softer than the infinite one, so a coherency bound fails near surfaces. nu = 0.3, unit square, c_ref =
mean composition; in plane strain over (E eta^2/(1-nu)) int (c - mean)^2, in plane stress over (1/2) E eta^2 int
(c - mean)^2. Waves have reference values by an independent finite-element calculation with bilinear cells. Sharp steps
have an exact reference: with Airy's function, phi = d phi/dn = 0 on the edges, the energy in plane stress is the part
of c that is orthogonal to every harmonic function, and the ratio in plane strain is (1+nu)/2 of that plus (1-nu)/2.
(Bilinear cells with the step smeared over one cell give 0.143 and 0.152 for the half/half step with 40 and 80 cells a
side; 0.164 is exact.)
"""

import bodies
import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import elevate, rectangle
from chemomech.physics.kinematics import PlaneStress

NU, ETA, N = 0.3, 0.01, 128
PLANE_STRAIN = cm.PlaneStrain(), 2 / (1 - NU)
PLANE_STRESS = PlaneStress(), 1.0


def ratio(mesh, elastic, c, kinematics, B, constraints=()):
    """Stored energy over B/2 eta^2 times the variance of c, where c is constant on each cell or nodal."""
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored(elastic)],
        kinematics=kinematics, constraints=constraints,
    )  # fmt: skip
    return bodies.energy(problem, cm.solve_static(problem)) / (0.5 * B * ETA**2 * c)


def smooth(c, mean, variance, kinematics, B, n=16):
    """Nodal composition on quadratic cells."""
    elastic = cm.LinearElastic.isotropic(1.0, NU, cm.Vegard(ETA, c_ref=mean))
    return ratio(elevate(rectangle(1, 1, n, n)), elastic, variance, kinematics, B, [cm.Fixed("c", value=c)])


def sharp(inside, kinematics, B, n=N):
    """Composition 0 or 1 on each cell, as a prestrain; every division of the square has two cells."""
    mesh = rectangle(1, 1, n, n)
    x, y = (rectangle(1, 1, n, n, "quad").centroids() - 0.5).T
    c = np.repeat(inside(x, y).astype(float), 2)
    c -= c.mean()
    strain = cm.PerCell(ETA * c[:, None] * np.array([1.0, 1, 1, 0, 0, 0]))
    elastic = cm.LinearElastic.isotropic(1.0, NU, prestrain=strain)
    return ratio(mesh, elastic, np.mean(c**2), kinematics, B)


@pytest.mark.repetition("waves")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize(("waves", "value"), [(1, 0.355), (2, 0.534), (4, 0.777)])
def test_waves_in_plane_strain(waves, value):
    found = smooth(lambda p: np.cos(waves * np.pi * p[:, 0]), 0.0, 0.5, *PLANE_STRAIN)
    assert found == pytest.approx(value, rel=0.03)


@pytest.mark.repetition("waves")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize(("waves", "value"), [(1, 0.008), (2, 0.283), (4, 0.656)])
def test_waves_in_plane_stress(waves, value):
    """The first ratio is known to its last digit only."""
    found = smooth(lambda p: np.cos(waves * np.pi * p[:, 0]), 0.0, 0.5, *PLANE_STRESS)
    assert found == pytest.approx(value, rel=0.03, abs=5e-4)


@pytest.mark.usefixtures("linear")
def test_linear_composition():
    """Bending relieves all but the strain along z: (1-nu)/2 in plane strain, nothing in plane stress."""
    assert smooth(lambda p: p[:, 0], 0.5, 1 / 12, *PLANE_STRAIN, n=4) == pytest.approx((1 - NU) / 2, rel=1e-9)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_linear_composition_in_plane_stress():
    assert smooth(lambda p: p[:, 0], 0.5, 1 / 12, *PLANE_STRESS, n=4) < 1e-10


STEPS = {
    "half": lambda x, y: x < 0,
    "quarter disc at a corner": lambda x, y: np.hypot(x + 0.5, y + 0.5) < 0.5,
    "disc": lambda x, y: np.hypot(x, y) < 0.2,
    "rim": lambda x, y: np.maximum(np.abs(x), np.abs(y)) > 0.5 - 0.146,
}


def beyond_harmonic(c, degree=40, n=200):
    """Share of the variance of c(x, y) on the unit square that no harmonic polynomial of that degree takes."""
    x, y = np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5] * 2, indexing="ij")
    powers = ((x + 1j * y).ravel()[:, None] / 0.75) ** np.arange(degree + 1)
    basis = np.linalg.qr(np.concatenate([powers.real, powers.imag[:, 1:]], axis=1))[0]
    values = c(x, y).astype(float).ravel()
    values -= values.mean()
    return 1 - np.sum((basis.T @ values) ** 2) / np.sum(values**2)


def test_harmonic_share_of_a_wave():
    """The exact reference agrees with the independent finite elements where c is smooth."""
    for waves, value in ((2, 0.283), (4, 0.656)):
        assert beyond_harmonic(lambda x, y, w=waves: np.cos(w * np.pi * (x + 0.5))) == pytest.approx(value, rel=0.01)


FINITE_ELEMENTS = {  # plane strain, and plane stress where bilinear cells resolve the step
    "half": (0.45, None), "quarter disc at a corner": (0.460, None), "disc": (0.993, 0.986), "rim": (0.959, 0.933),
}  # fmt: skip


@pytest.mark.repetition("name")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_steps(name):
    exact, (strain, stress) = beyond_harmonic(STEPS[name]), FINITE_ELEMENTS[name]
    in_stress, in_strain = sharp(STEPS[name], *PLANE_STRESS), sharp(STEPS[name], *PLANE_STRAIN)
    assert in_stress == pytest.approx(exact, rel=0.03)
    assert in_strain == pytest.approx(((1 + NU) * exact + 1 - NU) / 2, rel=0.02)
    assert in_strain == pytest.approx(strain, rel=0.03)
    if stress is not None:
        assert in_stress == pytest.approx(stress, rel=0.03)
