"""Diffusion-induced stress of round and flat bodies against closed forms.

Christensen, Newman, J. Solid State Electrochem. 10 (2006) 293; Cheng, Verbrugge, J. Power Sources 190 (2009) 453;
Timoshenko, Goodier, Theory of Elasticity, on thermal stress. All stresses are in units of Omega E / (1 - nu), lengths
in units of the radius or half thickness, and the composition is that of a body whose surface is suddenly held at one.
"""

from pathlib import Path

import bodies
import numpy as np
import pytest
from scipy.special import j0, j1, jn_zeros

import chemomech as cm
from chemomech.fem.mesh import box, elevate, rectangle
from chemomech.physics.kinematics import PlaneStress

NU, OMEGA = 0.3, 0.06
UNIT = OMEGA / (1 - NU)
K = np.arange(1, 101)[:, None]
SIGN = (-1.0) ** K


def sphere(r, tau=0.05742):
    """c, sigma_r and sigma_t at radius r; the largest sigma_r(0) is at this tau."""
    decay = np.exp(-((K * np.pi) ** 2) * tau)
    r = np.maximum(r, 1e-9)
    phase = K * np.pi * r
    c = 1 + 2 / (np.pi * r) * (SIGN / K * decay * np.sin(phase)).sum(0)
    inner = SIGN / K * decay * (np.sin(phase) - phase * np.cos(phase)) / (K * np.pi) ** 2
    mean = 1 + 6 / (np.pi * r**3) * inner.sum(0)
    whole = 1 - 6 * (decay / (K * np.pi) ** 2).sum()
    return c, 2 / 9 * (whole - mean), (2 * whole + mean - 3 * c) / 9


def cylinder(r, tau=0.076074):
    """c, sigma_r, sigma_t and sigma_z of a long cylinder with free ends at its largest sigma_z(0)."""
    a = jn_zeros(0, 60)[:, None]
    decay = np.exp(-(a**2) * tau)
    r = np.maximum(r, 1e-9)
    c = 1 - 2 * (j0(a * r) / (a * j1(a)) * decay).sum(0)
    mean = 1 - 4 * (j1(a * r) / (r * a**2 * j1(a)) * decay).sum(0)
    whole = 1 - 4 * (decay / a**2).sum()
    return c, (whole - mean) / 6, (whole + mean - 2 * c) / 6, (whole - c) / 3


def plate(x, tau=0.116065):
    """c and sigma_y = sigma_z at distance x from the mid-plane of a plate with free edges."""
    a = (K - 0.5) * np.pi
    decay = np.exp(-(a**2) * tau)
    c = 1 + 2 * (SIGN * np.cos(a * x) * decay / a).sum(0)
    return c, (1 - 2 * (decay / a**2).sum() - c) / 3


def solve(mesh, c, kinematics, constraints, c_ref=0.0, E=1.0):
    psi = cm.LinearElastic.isotropic(E, NU, cm.Vegard(OMEGA / 3, c_ref=c_ref))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales(float(np.ptp(mesh.points[:, 0])), 1.0, E, 1.0, 1.0, 1.0),
        potentials=[cm.Stored(psi)], kinematics=kinematics, constraints=[cm.Fixed("c", value=c), *constraints],
    )  # fmt: skip
    stress, x = bodies.stress_and_position(problem, cm.solve_static(problem))
    return stress / (UNIT * E), x


def planes(*names):
    return [cm.Fixed(f"u.{name[0]}", on=name) for name in names]


def in_frame(stress, directions):
    """Normal stress along given unit directions (dim, points)."""
    full = stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3, -1)[: len(directions), : len(directions)]
    return np.einsum("ijp,ip,jp->p", full, directions, directions)


def check(found, expected, rtol=5e-3):
    assert np.abs(found - expected).max() < rtol * np.abs(expected).max()


def test_published_maxima():
    """The series used here give the maxima that the closed forms are known for."""
    origin = np.array([0.0])
    assert sphere(np.array([1e-3]))[1] == pytest.approx(0.128525, abs=2e-6)
    assert cylinder(np.array([1e-3]))[1] == pytest.approx(0.078532, abs=2e-6)
    assert cylinder(np.array([1e-3]))[3] == pytest.approx(0.157065, abs=2e-6)
    assert plate(origin)[1] == pytest.approx(0.102848, abs=2e-6)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_sphere_in_three_dimensions():
    mesh = bodies.octant(9)
    stress, x = solve(mesh, lambda p: sphere(np.linalg.norm(p, axis=1))[0], cm.Solid(), planes("xmin", "ymin", "zmin"))
    centre_and_surface(stress, x)


def centre_and_surface(stress, r):
    """Stress averaged over directions in a small ball around the centre and in the outermost layer, within 0.5 %."""
    distance = np.linalg.norm(r, axis=0)
    _, radial, tangential = sphere(distance)
    found = in_frame(stress, r / distance)
    hoop = (stress[:3].sum(0) - found) / 2
    inner, outer = distance < 0.15, distance > 0.97
    assert found[inner].mean() == pytest.approx(radial[inner].mean(), rel=5e-3)
    assert hoop[inner].mean() == pytest.approx(tangential[inner].mean(), rel=5e-3)
    assert hoop[outer].mean() == pytest.approx(tangential[outer].mean(), rel=5e-3)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_sphere_axisymmetric():
    mesh = bodies.quarter_disc(28)
    stress, x = solve(mesh, lambda p: sphere(np.linalg.norm(p, axis=1))[0], cm.Axisymmetric(), planes("xmin", "ymin"))
    r = np.linalg.norm(x, axis=0)
    _, radial, tangential = sphere(r)
    check(in_frame(stress, x / r), radial)
    check(stress[2], tangential)  # zz is the hoop


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_cylinder_in_generalised_plane_strain():
    mesh = bodies.quarter_disc(28)
    c = lambda p: cylinder(np.linalg.norm(p, axis=1))[0]  # noqa: E731
    stress, x = solve(mesh, c, cm.GeneralisedPlaneStrain(), planes("xmin", "ymin"))
    r = np.linalg.norm(x, axis=0)
    _, radial, hoop, axial = cylinder(r)
    check(in_frame(stress, x / r), radial)
    check(stress[0] + stress[1] - in_frame(stress, x / r), hoop)
    check(stress[2], axial)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_cylinder_axisymmetric_with_free_axial_strain():
    mesh = bodies.strip(1.0, 40)
    sides = [cm.Fixed("u.x", on="left"), cm.Fixed("u.y", on="bottom"), cm.Fixed("u.y", on="top")]
    stress, x = solve(mesh, lambda p: cylinder(p[:, 0])[0], cm.Axisymmetric(mean_strain="yy"), sides)
    _, radial, hoop, axial = cylinder(x[0])
    for found, expected in zip(stress[[0, 2, 1]], (radial, hoop, axial), strict=True):
        check(found, expected)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_thin_disc_in_plane_stress():
    """sigma_r = (Omega E/6) [mean(1) - mean(r)], with the mean over the disc inside r."""
    mesh = bodies.quarter_disc(28)
    c = lambda p: cylinder(np.linalg.norm(p, axis=1))[0]  # noqa: E731
    stress, x = solve(mesh, c, PlaneStress(), planes("xmin", "ymin"))
    r = np.linalg.norm(x, axis=0)
    _, radial, hoop, _ = cylinder(r)
    check(in_frame(stress, x / r), (1 - NU) * radial)
    check(stress[0] + stress[1] - in_frame(stress, x / r), (1 - NU) * hoop)


@pytest.mark.slow
@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize("cell_type", [pytest.param("triangle6", marks=pytest.mark.slow), "quad"])
def test_plate_in_two_dimensions(cell_type):
    mesh = bodies.strip(1.0, 20 if cell_type == "triangle6" else 200, cell_type=cell_type)
    kinematics = cm.GeneralisedPlaneStrain(mean_strain=("zz", "yy"))
    stress, x = solve(mesh, lambda p: plate(p[:, 0])[0], kinematics, [cm.Fixed("u.x", on="left"), cm.Periodic("y")])
    for component in (1, 2):
        check(stress[component], plate(x[0])[1])


@pytest.mark.repetition("cell_type")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("cell_type", ["tetra10", "hexahedron"])
def test_plate_in_three_dimensions(cell_type):
    n = 20 if cell_type == "tetra10" else 200
    mesh = box(1.0, 1 / n, 1 / n, n, 1, 1, "hexahedron" if cell_type == "hexahedron" else "tetra")
    mesh = elevate(mesh) if cell_type == "tetra10" else mesh
    sides = [cm.Fixed("u.x", on="xmin"), cm.Periodic("y"), cm.Periodic("z")]
    stress, x = solve(mesh, lambda p: plate(p[:, 0])[0], cm.Solid(mean_strain=("yy", "zz")), sides)
    for component in (1, 2):
        check(stress[component], plate(x[0])[1])


@pytest.mark.repetition("mesh")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("mesh", [bodies.octant(2), bodies.quarter_disc(4), rectangle(1, 2, 3, 4, "quad")])
def test_uniform_swelling_of_a_free_body_is_stress_free(mesh):
    kinematics = cm.Solid() if mesh.dim == 3 else cm.GeneralisedPlaneStrain()
    stress, _ = solve(mesh, 0.7, kinematics, [])
    assert np.abs(stress).max() < 1e-10


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_film_on_a_rigid_substrate():
    """Biaxial stress -(Omega E/3(1-nu)) (c - c_ref) in a uniform film held at its base."""
    mesh = rectangle(1.0, 0.2, 5, 2)
    stress, _ = solve(mesh, 0.7, cm.PlaneStrain(), [cm.Fixed("u", on="bottom"), cm.Periodic("x")], c_ref=0.2)
    np.testing.assert_allclose(stress[[0, 2]], -0.5 / 3, rtol=1e-10)
    assert np.abs(stress[[1, 3, 4, 5]]).max() < 1e-10


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_committed_octant_in_si():
    """The spinel particle's own mesh with straight quadratic cells, of radius 5 um and 10 GPa."""
    mesh = elevate(cm.Mesh.read(Path(__file__).parents[2] / "meshes" / "lmo_octant.msh", "um"))
    R = 5e-6
    c = lambda p: sphere(np.linalg.norm(p, axis=1) / R)[0]  # noqa: E731
    stress, x = solve(mesh, c, cm.Solid(), planes("xmin", "ymin", "zmin"), E=10e9)
    centre_and_surface(stress, x / R)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_core_and_swollen_shell():
    """A sharp front at a radius: core (2/3)(1 - r^3), surface hoop -r^3, shell side of the front -(1 + 2 r^3)/3."""
    misfit, front, mesh = 0.01, 0.6, bodies.quarter_disc(40)
    distance = np.linalg.norm(mesh.points[mesh.cells[:, :3]].mean(1), axis=1)
    sets = {"core": np.flatnonzero(distance < front), "shell": np.flatnonzero(distance > front)}
    points = {name: np.unique(mesh.nodes_of(name)) for name in ("xmin", "ymin")}
    mesh = cm.Mesh.build(mesh.points, mesh.cells, mesh.cell_type, cell_sets=sets, point_sets=points)
    stored = [
        cm.Stored(cm.LinearElastic.isotropic(1.0, NU, cm.Vegard(eta)), on=name)
        for name, eta in (("core", 0.0), ("shell", misfit))
    ]
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=stored, kinematics=cm.Axisymmetric(),
        constraints=[cm.Fixed("c", value=1.0), *planes("xmin", "ymin")],
    )  # fmt: skip
    stress, x = bodies.stress_and_position(problem, cm.solve_static(problem))
    stress, r = stress * (1 - NU) / misfit, np.linalg.norm(x, axis=0)
    inside = r < 0.8 * front
    core, hoop = 2 / 3 * (1 - front**3), -(1 / 3) * (2 * front**3 + (front / np.maximum(r, front)) ** 3)
    check(stress[2][inside], np.full(inside.sum(), core))
    check(in_frame(stress, x / r)[inside], np.full(inside.sum(), core))
    check(stress[2][r > front], hoop[r > front])
