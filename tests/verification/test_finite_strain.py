"""Bodies at finite strain: affine boundaries, free swelling, a sphere with a profile of composition, a run.

The sphere's reference is its radial equation dP_R/dR + 2 (P_R - P_T)/R = 0, solved by collocation with the
neo-Hookean stress written out; see Bower, Guduru, Sethuraman, J. Mech. Phys. Solids 59 (2011) 804.
"""

import bodies
import equinox as eqx
import jax
import numpy as np
import pytest
from scipy.integrate import solve_bvp

import chemomech as cm
from chemomech.fem.mesh import rectangle

NU, TIGHT = 0.3, cm.Newton(test=cm.UpdateTest(1e-11), max_iterations=40)
G, LAM = 1 / (2 * (1 + NU)), NU / ((1 + NU) * (1 - 2 * NU))
BOTH = pytest.mark.parametrize("make", [cm.NeoHookean, cm.Hencky.isotropic])


def body(mesh, psi, *constraints, c=1.0, kinematics=None):
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored(psi)],
        kinematics=kinematics, constraints=[cm.Fixed("c", value=c), *constraints],
    )  # fmt: skip


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_affine_boundary_gives_uniform_deformation():
    """The displacement inside is the same affine map, and the stress is alike everywhere."""
    mesh, A = rectangle(1, 1, 3, 3), np.array([[0.4, 0.3], [-0.2, -0.25]])
    moved = mesh.points @ A.T
    sides = [cm.Fixed(f"u.{a}", on="boundary", value=lambda x, k=k: x @ A[k]) for k, a in enumerate("xy")]
    problem = body(mesh, cm.NeoHookean(1.0, NU, swelling=cm.VolumeSwelling(0.5)), *sides)
    inside = 0.03 * np.sin(np.pi * mesh.points[:, :1]) * np.sin(np.pi * mesh.points[:, 1:])
    state = cm.solve_static(problem, problem.state(c=1.0, u=moved + inside), newton=TIGHT)
    np.testing.assert_allclose(state.u, moved, rtol=0, atol=1e-10)
    stress, _ = bodies.stress_and_position(problem, state)
    assert np.ptp(stress, axis=1).max() < 1e-9


@pytest.mark.repetition("make")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@BOTH
def test_free_swelling_by_300_percent_has_no_stress(make):
    problem = body(
        rectangle(1, 1, 2, 2), make(1.0, NU, swelling=cm.VolumeSwelling(3.0)), kinematics=cm.GeneralisedPlaneStrain()
    )
    state = cm.solve_static(problem, newton=TIGHT)
    stress, _ = bodies.stress_and_position(problem, state)
    assert np.abs(stress).max() < 1e-10
    assert state.strain_zz == pytest.approx(4 ** (1 / 3) - 1, abs=1e-10)
    assert np.ptp(state.u[:, 0]) == pytest.approx(4 ** (1 / 3) - 1, abs=1e-10)


def profile(R):
    return 0.1 + 0.9 * R**2


def radial(change):
    """Position r and Piola stress P_R of the sphere as functions of R, and what follows from them."""

    def stretches(R, r, P):  # of the lattice by swelling, elastic ones along and around, and the hoop stress
        grown = (1 + change * profile(R)) ** (1 / 3)
        b = r / R / grown
        p, q = G + 0.5 * LAM * b**4, G + 0.5 * LAM
        y = P / grown**2
        a = (y + np.sqrt(y**2 + 4 * p * q)) / (2 * p)  # of p a - q/a = y
        return grown, a, b, grown**2 * (G * (b - 1 / b) + 0.5 * LAM * (a**2 * b**3 - 1 / b))

    def slopes(R, y):
        grown, a, b, hoop = stretches(R, *y)
        return np.array([a * grown, -2 * (y[1] - hoop) / R])

    def ends(inner, outer):
        return np.array([inner[0] - R[0] * slopes(R[:1], inner[:, None])[0, 0], outer[1]])

    R = np.linspace(1e-3, 1, 200)
    start = np.array([R * (1 + change * profile(R).mean()) ** (1 / 3), 0 * R])
    found = solve_bvp(slopes, ends, R, start, tol=1e-8, max_nodes=100000)
    assert found.success

    def cauchy(R):
        y = found.sol(R)
        grown, a, b, hoop = stretches(R, *y)
        return y[0], y[1] / (b * grown) ** 2, hoop / (a * b * grown**2)

    return cauchy


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_sphere_with_a_profile_of_composition():
    """Displacement, radial and hoop Cauchy stress within 0.5 %, swollen by 10 % inside and 100 % outside."""
    mesh = bodies.quarter_disc(20)
    problem = body(
        mesh, cm.NeoHookean(1.0, NU, swelling=cm.VolumeSwelling(1.0)), cm.Fixed("u.x", on="xmin"),
        cm.Fixed("u.y", on="ymin"), c=lambda x: profile(np.linalg.norm(x, axis=1)), kinematics=cm.Axisymmetric(),
    )  # fmt: skip
    state = cm.solve_static(problem, newton=TIGHT)
    reference = radial(1.0)
    R = np.maximum(np.linalg.norm(mesh.points, axis=1), 1e-3)
    np.testing.assert_allclose(np.linalg.norm(mesh.points + state.u, axis=1), reference(R)[0], rtol=0, atol=5e-3)
    outer = R > 1 - 1e-9
    radius = np.linalg.norm((mesh.points + state.u)[outer], axis=1)
    np.testing.assert_allclose(radius, reference(np.ones(1))[0][0], rtol=1e-3)
    stress, x = bodies.stress_and_position(problem, state)
    R = np.linalg.norm(x, axis=0)
    n = x / R
    found = stress[0] * n[0] ** 2 + stress[1] * n[1] ** 2 + 2 * stress[5] * n[0] * n[1]
    _, along, around = reference(R)
    for ours, theirs in ((found, along), (stress[2], around)):
        assert np.abs(ours - theirs).max() < 5e-3 * np.abs(theirs).max()


def run(problem, newton=TIGHT, **options):
    start = problem.state(c=lambda x: 0.4 + 0.2 * np.cos(np.pi * x[:, 0] / x[:, 0].max()))
    return cm.simulate(
        problem, start, cm.Closed(until={"time": 0.05}), newton=newton,
        control=cm.ErrorControl(dt_start=1e-2, dt_max=1e-2), **options,
    )  # fmt: skip


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_diffusion_along_a_stretched_body():
    """Through a bar drawn out by 60 %, lithium moves as through a longer bar at rest."""
    pull, mesh = 1.6, bodies.strip(1.0, 8, cell_type="triangle")
    drawn = [cm.Fixed("u.x", on="boundary", value=lambda x: (pull - 1) * x[:, 0]), cm.Fixed("u.y", on="boundary")]
    stored = cm.Stored(cm.RegularSolution(chi=0.5) + cm.NeoHookean(10.0, NU))
    longer = cm.Mesh.build(mesh.points * [pull, 1.0], mesh.cells, mesh.cell_type)
    found = []
    rest = [cm.Fixed("u.x", on="boundary", value=lambda x: 0 * x[:, 0]), cm.Fixed("u.y", on="boundary")]
    for body, held in ((mesh, drawn), (longer, rest)):
        problem = cm.Problem.build(
            body, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), constraints=held,
            potentials=[stored, cm.Storage(), cm.Diffusion(1.0, finite=True)],
        )  # fmt: skip
        found.append(run(problem).final.c)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-9)
    assert np.ptp(found[0]) < 0.35


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_gradient_through_a_run():
    """Of the last energy, by stiffness, swelling, diffusivity and its activation by strain; lithium is kept."""
    mobility = cm.ActivatedMobility(barrier=0.5, by_strain=[2.0, -1.0, 0.5])
    problem = cm.Problem.build(
        rectangle(1, 1, 2, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=1.0) + cm.NeoHookean(5.0, NU, swelling=cm.VolumeSwelling(1.0))),
            cm.Storage(), cm.Diffusion(1.0, mobility, finite=True), cm.SurfaceStress(0.3, finite=True, on="right"),
        ],
        constraints=[cm.Fixed("u", on="left")],
    )  # fmt: skip
    solution = run(problem)
    np.testing.assert_allclose(solution.soc, solution.soc[0], rtol=1e-12)

    def last(potentials):
        changed = eqx.tree_at(lambda p: p.potentials, problem, potentials)
        return run(changed, replay=solution.steps).free_energy[-1]

    gradient = eqx.filter_grad(last)(problem.potentials)
    assert all(np.all(np.asarray(g) != 0) for g in jax.tree.leaves(gradient[-1]))
    found = cm.taylor_test(last, problem.potentials, gradient, size=2e-2, levels=3)
    assert found.orders[1] == pytest.approx(2, abs=0.1)
    assert found.error < 1e-6
