"""Tractions, pressures and moving boundaries in time, and stress that is there from the beginning."""

import bodies
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import elevate, rectangle

E, NU = 300.0, 0.3
PEAK = cm.Course([0.0, 1e-4, 2e-4], [0.0, 1.0, 0.0])  # over before a step that only diffusion limits has ended


def bar(potentials=(), constraints=(), kinematics=None) -> cm.Problem:
    """Held on the left, free above."""
    return cm.Problem.build(
        rectangle(2.0, 1.0, 3, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(), kinematics=kinematics,
        potentials=[cm.Stored(cm.LinearElastic.isotropic(E, NU)), cm.Stored(cm.RegularSolution(chi=0.0)),
                    cm.Storage(), cm.Diffusion(1.0), *potentials],
        constraints=[cm.Fixed("u.x", on="left"), cm.Fixed("u.y", on="bottom"), *constraints],
    )  # fmt: skip


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_pulse_is_not_stepped_over():
    """Of a traction on a bar, 1/E (1 - nu^2) long; and of the same displacement given, whose force is the traction."""
    modulus = E / (1 - NU**2)
    pull = cm.Traction(cm.Course(PEAK.times, np.outer(PEAK.values, [1.0, 0.0])), on="right")
    held = cm.Fixed("u.x", on="right", value=cm.Course(PEAK.times, 2.0 / modulus * np.asarray(PEAK.values)))
    for given, observe in ((([pull], []), {}), (([], [held]), {"force": cm.Reaction("fixed_2")})):
        problem = bar(*given)
        right = problem.mesh.nodes_of("right")
        observe |= {"end": lambda problem, state, right=right: state.u[right, 0].mean()}
        solution = cm.simulate(problem, problem.state(c=0.5), cm.Closed(until={"time": 1.0}), observe=observe)
        assert np.isin([1e-4, 2e-4], solution.time).all()
        share = np.interp(solution.time, PEAK.times, PEAK.values)
        np.testing.assert_allclose(solution.end, 2.0 / modulus * share, atol=1e-8)
        if "force" in observe:
            np.testing.assert_allclose(solution.force, share, atol=1e-6)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_hollow_sphere_under_pressure():
    """Lame: sigma_r = p (1 - (b/r)^3)/((b/a)^3 - 1) with a pressure inside, within 0.5 %."""
    inside = cm.Course([0.0, 2.0], [0.0, 2.0])
    flat = elevate(rectangle(1.0, 1.0, 20, 14))
    radius, angle = 1.0 + flat.points[:, 0], np.pi / 2 * flat.points[:, 1]
    mesh = flat.moved(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), kinematics=cm.Axisymmetric(),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(E, NU)), cm.Pressure(inside, on="left")],
        constraints=[cm.Fixed("u.x", on="top"), cm.Fixed("u.y", on="bottom")],
    )  # fmt: skip
    stress, x = bodies.stress_and_position(problem, cm.solve_static(problem, time=1.0))
    r = np.hypot(*x)
    radial = (stress[0] * x[0] ** 2 + stress[1] * x[1] ** 2 + 2 * stress[5] * x[0] * x[1]) / r**2
    np.testing.assert_allclose(radial, (1 - (2 / r) ** 3) / 7, atol=5e-3)
    np.testing.assert_allclose(stress[2], (1 + 0.5 * (2 / r) ** 3) / 7, atol=5e-3)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_film_on_a_rigid_substrate():
    """Its in-plane strain is given by the substrate: sigma = E/(1 - nu) misfit in the plane, none across."""
    misfit = 0.01
    given = {"xx": misfit, "zz": cm.Course(["0 s", "1 h"], [misfit, 2 * misfit])}
    problem = cm.Problem.build(
        rectangle(1.0, 0.2, 2, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(E, NU))],
        kinematics=cm.PlaneStrain(mean_strain=("xx", "zz"), given=given),
        constraints=[cm.Fixed("u.y", on="bottom"), cm.Periodic("x")],
    )  # fmt: skip
    for time, zz in (("0 s", misfit), ("30 min", 1.5 * misfit)):
        stress, _ = bodies.stress_and_position(problem, cm.solve_static(problem, time=time))
        np.testing.assert_allclose(stress[0], E / (1 - NU**2) * (misfit + NU * zz), rtol=1e-9)
        np.testing.assert_allclose(stress[2], E / (1 - NU**2) * (zz + NU * misfit), rtol=1e-9)
        assert np.abs(stress[[1, 3, 4, 5]]).max() < 1e-9


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_residual_stress_in_equilibrium_displaces_nothing():
    """sigma_xx(y) without resultant in a strip between smooth walls; it acts on lithium: c follows its trace."""
    mesh = rectangle(2.0, 1.0, 2, 4, "quad")
    height = mesh.centroids()[:, 1] - 0.5
    stress = np.zeros((len(height), 6))
    stress[:, 0] = 3.0 * height
    psi = cm.LinearElastic.isotropic(E, NU, prestress=cm.PerCell(stress))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored(psi)],
        constraints=[cm.Fixed("u.x", on="left"), cm.Fixed("u.x", on="right"), cm.Fixed("u.y", on="bottom")],
    )  # fmt: skip
    state = cm.solve_static(problem)
    found, x = bodies.stress_and_position(problem, state)
    assert np.abs(state.u).max() < 1e-12
    np.testing.assert_allclose(np.sort(found[0]), np.sort(np.repeat(stress[:, 0], found.shape[1] // len(height))))


def test_what_clashes_is_refused():
    course = cm.Course([0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ChemomechError, match=r"u.x at node 0 follows a Course and is prescribed by another"):
        bar([], [cm.Fixed("u.x", on="left", value=course)])
    with pytest.raises(ChemomechError, match="value and course are both a Course"):
        cm.Fixed("u.x", on="left", value=course, course=course)
    problem = bar([], [cm.Fixed("u.x", on="right", value=course)])
    with pytest.raises(ChemomechError, match="constraint 2 follows a Course"):
        problem.with_fixed(2, 0.1)
    with pytest.raises(ChemomechError, match="'force' is no global scalar of the problem; it has fixed_2"):
        cm.Reaction("force")(problem, problem.state())
