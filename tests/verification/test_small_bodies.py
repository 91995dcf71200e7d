"""Pressure of a curved surface under surface stress, and the stress between two crystals of unlike orientation.

A sphere of radius R whose surface pulls with tau is under p = 2 tau/R; Cammarata, Prog. Surf. Sci. 46 (1994) 1.
"""

import bodies
import numpy as np
import pytest

import chemomech as cm
from chemomech.physics import stiffness

TIGHT = cm.Newton(test=cm.UpdateTest(1e-11), max_iterations=40)
HOST, OMEGA, TAU = cm.Host(c_max=2.29e4), 3.497e-6, 1.0
BALL = bodies.quarter_disc(6)
MISFIT = cm.Vegard.from_partial_molar_volume(OMEGA, HOST.c_max, 0.5)
GROWTH = cm.VolumeSwelling.from_partial_molar_volume(OMEGA, HOST.c_max, 0.5)
SMALL, FINITE = cm.LinearElastic.isotropic("10 GPa", 0.3, MISFIT), cm.NeoHookean("10 GPa", 0.3, swelling=GROWTH)


def ball(R, elastic, tau, *terms, constraints=()):
    mesh = cm.Mesh.build(
        R * BALL.points, BALL.cells, BALL.cell_type, point_sets=BALL.point_sets, facet_sets=BALL.facet_sets
    )
    return cm.Problem.build(
        mesh, host=HOST, kinematics=cm.Axisymmetric(),
        potentials=[cm.Stored(cm.RegularSolution(chi=1.0) + elastic), *terms,
                    cm.SurfaceStress(tau, finite=elastic.finite, on="rim")],
        constraints=[cm.Fixed("u.x", on="xmin"), cm.Fixed("u.y", on="ymin"), *constraints],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("R", "shift"), [(10e-9, -7.2e-3), (100e-9, -0.72e-3)])
def test_surface_stress_lowers_the_voltage_of_a_small_sphere(R, shift):
    """dV = -Omega 2 tau/(F R), the hoop strain of the surface included."""
    potential = []
    for tau in (0.0, TAU):
        problem = ball(R, SMALL, tau, cm.Amount(0.5))
        potential.append(cm.solve_equilibrium(problem, problem.uniform(0.5), TIGHT).mu_mean)
    found = -np.diff(potential)[0] / HOST.faraday
    assert found == pytest.approx(-OMEGA * 2 * TAU / (HOST.faraday * R), rel=1e-4)
    assert found == pytest.approx(shift, rel=1e-2)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_pressure_under_surface_stress_at_finite_strain():
    """2 tau/r with the radius r that the pressure leaves, neo-Hookean to all orders; the surface shrinks by 3 %."""
    R, tau = 10e-9, 5.0
    problem = ball(R, FINITE, tau, constraints=[cm.Fixed("c", value=0.5)])
    state = cm.solve_static(problem, newton=TIGHT)
    stress, _ = bodies.stress_and_position(problem, state)
    r = np.linalg.norm(problem.mesh.points + state.u, axis=1).max()
    assert r < 0.98 * R
    np.testing.assert_allclose(stress[:3].mean(axis=1), -2 * tau / r, rtol=1e-3)


def rotated(C, angle):
    """A stiffness in Voigt's order, turned about z, as a full tensor."""
    V = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    R = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return np.einsum("ia,jb,kc,ld,abcd->ijkl", R, R, R, R, C[V[:, :, None, None], V[None, None]]), R


def laminate(C, misfit, angles, shares):
    """Stress of layers with normal x and common strains yy and zz: no force on any of their faces, nor in sum."""
    free, layers = [(0, 0), (0, 1)], [(1, 1), (2, 2)]
    condensed = []
    for angle in angles:
        tensor, R = rotated(C, angle)
        eigen = R @ np.diag(misfit) @ R.T

        def stress(e, tensor=tensor, eigen=eigen):  # e: xx, xy, yy, zz
            strain = np.array([[e[0], e[1], 0], [e[1], e[2], 0], [0, 0, e[3]]])
            return np.einsum("ijkl,kl->ij", tensor, strain - eigen)

        pick = lambda s: np.array([s[k] for k in (*free, *layers)])  # noqa: E731
        K = np.array([pick(stress(e)) - pick(stress(np.zeros(4))) for e in np.eye(4)]).T
        s0 = pick(stress(np.zeros(4)))
        soft = np.linalg.inv(K[:2, :2])
        condensed.append((K[2:, 2:] - K[2:, :2] @ soft @ K[:2, 2:], s0[2:] - K[2:, :2] @ soft @ s0[:2]))
    common = -np.linalg.solve(
        sum(f * A for f, (A, _) in zip(shares, condensed, strict=True)),
        sum(f * s for f, (_, s) in zip(shares, condensed, strict=True)),
    )
    return [A @ common + s for A, s in condensed]


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_bicrystal():
    """Two layers of one crystal, each turned by its own angle, swell against each other: `Oriented` with `PerCell`."""
    mesh, share, angles = bodies.strip(1.0, 10, cell_type="triangle"), 0.3, np.array([0.5, -0.9])
    left = mesh.centroids()[:, 0] < share
    C = stiffness.orthotropic(*[v * 1e-1 for v in (17.59, 15.36, 13.50, 3.88, 4.75, 5.56, 2.96, 5.40, 1.96)])
    misfit = np.array([0.05, 0.03, -0.02])
    crystals = cm.Oriented(
        cm.LinearElastic(C, cm.Vegard(misfit)), angle=cm.PerCell(np.where(left, angles[0], angles[1]))
    )
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored(crystals)],
        kinematics=cm.GeneralisedPlaneStrain(mean_strain=("zz", "yy")),
        constraints=[cm.Fixed("c", value=0.7), cm.Fixed("u.x", on="left"), cm.Periodic("y")],
    )  # fmt: skip
    stress, x = bodies.stress_and_position(problem, cm.solve_static(problem, newton=TIGHT))
    expected = laminate(C, 0.7 * misfit, angles, (share, 1 - share))
    for k, inside in enumerate((x[0] < share, x[0] > share)):
        np.testing.assert_allclose(stress[[1, 2]][:, inside].T, np.tile(expected[k], (inside.sum(), 1)), rtol=1e-8)
    assert np.abs(stress[[0, 5]]).max() < 1e-9
    assert np.abs(expected[0]).max() > 1e-3
