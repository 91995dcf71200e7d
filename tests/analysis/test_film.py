"""Curvature and film force: Stoney against two layers, and both against computed bodies."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.analysis import film, points, relief
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import elevate, rectangle

H_F, H_S, LENGTH = 0.25, 1.0, 8.0
E_F, NU_F, E_S, NU_S, MISFIT = 50e9, 0.25, 100e9, 0.3, 0.01
UM = 1e-6


def test_stoney_both_ways():
    force = film.film_force("0.01 1/m", "170 GPa", 0.28, "500 um")
    assert force == pytest.approx(170e9 * 0.25e-6 / (6 * 0.72) * 0.01)
    assert film.stoney_curvature(force, 170e9, 0.28, 500e-6) == pytest.approx(0.01)
    curvatures = np.array([0.0, -0.02])
    np.testing.assert_allclose(film.film_force(curvatures, 170e9, 0.28, 500e-6), [0.0, -2 * force])


@pytest.mark.parametrize("m", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("mh", [0.005, 1e-5])
def test_thin_limit_of_two_layers(m, mh):
    """Within 3 % of Stoney where (h_f/h_s)(M_f/M_s) is 0.005, and ever closer below."""
    h_s, M_s, nu = 500e-6, 100e9 / 0.7, 0.3
    h_f = mh / m * h_s
    exact = film.two_layer_curvature(h_f, h_s, m * M_s, M_s, MISFIT)
    stoney = film.stoney_curvature(m * M_s * MISFIT * h_f, 100e9, nu, h_s)
    assert exact == pytest.approx(stoney, rel=0.03 if mh == 0.005 else 1e-4)


def test_two_layers_balance_forces_and_moments():
    """Strain a + k z, stress M (a + k z) in the substrate and M_f (a + k z + e) in the film: two linear equations."""
    h_f, h_s, M_f, M_s = 0.3, 1.1, 5.0, 2.0
    bottom, middle, top = 0.0, h_s, h_s + h_f
    moments = [M_s * (middle**n - bottom**n) / n + M_f * (top**n - middle**n) / n for n in (1, 2, 3)]
    force, moment = (M_f * MISFIT * (top**n - middle**n) / n for n in (1, 2))
    _, slope = np.linalg.solve([moments[:2], moments[1:]], [-force, -moment])
    # the upper side shortens: d2u/dx2 is minus the slope of the strain
    assert film.two_layer_curvature(h_f, h_s, M_f, M_s, MISFIT) == pytest.approx(-slope, rel=1e-12)


@pytest.fixture(scope="module")
def bent():
    """Half of a bilayer strip in plane strain, free but for its symmetry; the film shrinks with lithium."""
    mesh = rectangle(LENGTH * UM, (H_S + H_F) * UM, 16, 5)
    x, y = mesh.centroids().T
    level = np.flatnonzero(np.isclose(mesh.points[:, 1], H_S * UM) & (mesh.points[:, 0] < LENGTH / 2 * UM * 1.001))
    line = level[np.argsort(mesh.points[level, 0])]
    upper = y > H_S * UM
    sets = {
        "film": np.flatnonzero(upper), "substrate": np.flatnonzero(~upper),
        "inner": np.flatnonzero(upper & (x < LENGTH / 2 * UM)),
    }  # fmt: skip
    facets = {**mesh.facet_sets, "interface": np.stack([line[:-1], line[1:]], axis=1)}
    mesh = elevate(cm.Mesh.build(mesh.points, mesh.cells, mesh.cell_type, sets, facets))
    swelling = cm.Vegard(-MISFIT)
    problem = cm.Problem.build(
        mesh, host=cm.Host(c_max="20 kmol/m^3"), kinematics=cm.PlaneStrain(thickness="3 um"),
        potentials=[
            cm.Stored(cm.LinearElastic.isotropic(E_F, NU_F, swelling), on="film"),
            cm.Stored(cm.LinearElastic.isotropic(E_S, NU_S), on="substrate"),
        ],
        constraints=[cm.Fixed("c", value=1.0), cm.Fixed("u.x", on="left")],
    )  # fmt: skip
    return problem, cm.solve_static(problem)


def test_curvature_and_force_of_a_computed_bilayer(bent):
    problem, state = bent
    M_f, M_s = E_F / (1 - NU_F**2), E_S / (1 - NU_S**2)
    exact = film.two_layer_curvature(H_F * UM, H_S * UM, M_f, M_s, (1 + NU_F) * MISFIT)
    within = (0.0, 0.75 * LENGTH * UM)
    for face in ("top", "bottom"):
        (found,) = film.face_curvature(problem.mesh, state.u, face, "y", within).ravel()
        assert found == pytest.approx(exact, rel=5e-3)
    force = film.stress_thickness(problem, state, "interface", "inner")
    balanced = exact * (M_s * H_S**3 + M_f * H_F**3) / (6 * (H_S + H_F)) * UM**2
    assert force == pytest.approx(balanced, rel=5e-3)


def test_areas_and_volumes_have_the_thickness(bent):
    problem, _ = bent
    assert film.interface_area(problem, "interface") == pytest.approx(LENGTH / 2 * 3 * UM**2)
    volumes = points.volumes(problem)
    assert volumes.sum() == pytest.approx(LENGTH * (H_S + H_F) * 3 * UM**3)
    assert volumes[points.inside(problem, "film")].sum() == pytest.approx(LENGTH * H_F * 3 * UM**3)
    x = points.positions(problem)
    assert volumes @ x[:, 0] / volumes.sum() == pytest.approx(LENGTH / 2 * UM)
    np.testing.assert_allclose(points.values(problem, problem.mesh.points[:, 0] ** 2), x[:, 0] ** 2, rtol=1e-10)


def test_relief_of_a_bent_film(bent):
    """Bending takes part of the misfit stress off the film; a function of the points names the same region."""
    problem, state = bent
    planar = relief.planar_stress(E_F, NU_F, MISFIT)
    assert planar == pytest.approx(E_F / (1 - NU_F) * MISFIT)
    by_set = relief.stress_relief(problem, state, planar, "inner")
    place = lambda x: (x[:, 1] > H_S * UM) & (x[:, 0] < LENGTH / 2 * UM)  # noqa: E731
    assert relief.stress_relief(problem, state, planar, place) == pytest.approx(by_set, rel=1e-12)
    assert 0.5 < by_set < 0.9
    with pytest.raises(ChemomechError, match="No quadrature point"):
        relief.stress_relief(problem, state, planar, lambda x: x[:, 0] > 1.0)
    with pytest.raises(ChemomechError, match="positive"):
        relief.stress_relief(problem, state, 0.0)


@pytest.mark.slow
def test_mean_stress_of_a_held_film_follows_the_mean_composition():
    """Stripes or not: with one stiffness the force is M eta (c_ref - <c>) h, and uniform stress relieves nothing."""
    mesh = rectangle(1e-6, 0.2e-6, 40, 8, "quad")
    problem = cm.Problem.build(
        mesh, host=cm.Host(c_max="20 kmol/m^3"),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(E_F, NU_F, cm.Vegard(MISFIT)))],
        constraints=[cm.Fixed("c", value=0.5), cm.Fixed("u", on="bottom"), cm.Periodic("x")],
    )  # fmt: skip
    planar = relief.planar_stress(E_F, NU_F, MISFIT, 0.5)
    for c in (0.5, lambda x: 0.5 + 0.5 * np.cos(4e6 * np.pi * x[:, 0])):
        held = problem.with_fixed(0, c)
        state = cm.solve_static(held)
        force = film.stress_thickness(held, state, "bottom")
        assert force == pytest.approx(-planar * 0.2e-6, rel=1e-9)
        if c == 0.5:
            assert relief.stress_relief(held, state, planar) == pytest.approx(1.0, rel=1e-9)


def test_curvatures_of_a_face_in_space():
    mesh = cm.fem.mesh.box(1.0, 1.0, 0.1, 4, 4, 1)
    x, y, _ = mesh.points.T
    u = np.stack([0 * x, 0 * x, 0.3 + 0.1 * y + 0.5 * 2e-3 * x**2 - 3e-3 * x * y], axis=1)
    np.testing.assert_allclose(film.face_curvature(mesh, u, "zmax", "z"), [[2e-3, -3e-3], [-3e-3, 0]], atol=1e-14)
    with pytest.raises(ChemomechError, match="tell no curvature"):
        film.face_curvature(mesh, u, "zmax", "z", within=(0.0, 0.1))


def test_percentiles():
    values, weights = np.array([3.0, 1.0, 2.0, 9.0]), np.array([1.0, 1.0, 2.0, 0.0])
    np.testing.assert_allclose(relief.percentiles(values, weights, [0, 12.5, 50, 87.5, 100]), [1, 1, 2, 3, 3])
    even = np.linspace(0, 1, 1001)
    assert relief.percentiles(even, np.ones(1001), 25) == pytest.approx(0.25, abs=1e-3)
    assert relief.percentiles(even, even, 25) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ChemomechError, match="outside"):
        relief.percentiles(values, weights, 101)
