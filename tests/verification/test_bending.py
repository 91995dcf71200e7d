"""Strips and wires bent, stretched and twisted by global scalars: moments, two-layer curvature, torsion."""

import bodies
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import box, elevate, rectangle

E, NU = 100e9, 0.3
WIDTH, HEIGHT, FILM = 40e-9, 20e-9, 5e-9
DEPTH = 10e-9


def strip(bending, film=1.0, misfit=0.0) -> cm.Problem:
    """Periodic along x, in plane strain: below its film of another stiffness, which would be longer by a misfit."""
    mesh = elevate(rectangle(WIDTH, HEIGHT, 2, 4))
    top = (mesh.centroids()[:, 1] > HEIGHT - FILM)[:, None]
    C = np.asarray(cm.LinearElastic.isotropic(E * (1 - NU**2), NU).C)  # E of a strip that is free above and below
    layers = cm.LinearElastic(cm.PerCell(np.where(top[:, None], film * C, C)))
    strain = cm.PerCell(np.where(top, [misfit, 0, 0, 0, 0, 0], np.zeros(6)))
    return cm.Problem.build(
        mesh, host=cm.Host(c_max=2.29e4), potentials=[cm.Stored(cm.Strained(layers, strain))],
        kinematics=cm.PlaneStrain(thickness=DEPTH, bending=bending), constraints=[cm.Periodic("x")],
    )  # fmt: skip


def two_layers(E_film, E_substrate):
    """Bending stiffness per depth, and curvature by a misfit of one: Timoshenko, J. Opt. Soc. Am. 11 (1925) 233."""
    f, s, m, n = FILM, HEIGHT - FILM, E_film, E_substrate
    stiff = m**2 * f**4 + 4 * m * n * f**3 * s + 6 * m * n * f**2 * s**2 + 4 * m * n * f * s**3 + n**2 * s**4
    return stiff / (12 * (m * f + n * s)), -6 * m * n * f * s * (f + s) / stiff


@pytest.mark.slow
@pytest.mark.usefixtures("linear")
def test_a_film_and_a_moment_bend_a_substrate():
    """Free length, curvature under a moment: the two-layer formula, and what the moment adds to it."""
    stiffness, by_misfit = two_layers(3 * E, E)
    moment = 0.2 * stiffness * DEPTH * by_misfit * 0.01
    problem = strip(cm.Bending(curvature=cm.Load(moment), neutral=HEIGHT / 2), film=3.0, misfit=0.01)
    state = cm.solve_static(problem)
    assert state.curvature == pytest.approx(1.2 * 0.01 * by_misfit, rel=1e-7)
    assert float(cm.Reaction("curvature")(problem, state)) / moment == pytest.approx(1.0, rel=1e-6)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_given_curvature_and_loaded_length():
    """M = E I kappa, F = E A axial, and the stress at every point."""
    inertia, kappa, force = HEIGHT**3 / 12 * DEPTH, 1e5, 2e-9
    problem = strip(cm.Bending(curvature=kappa, axial=cm.Load(force), neutral=HEIGHT / 2))
    state = cm.solve_static(problem)
    stress, x = bodies.stress_and_position(problem, state)
    expected = force / (HEIGHT * DEPTH) - E * kappa * (x[1] - HEIGHT / 2)
    np.testing.assert_allclose(stress[0], expected, atol=1e-6 * np.abs(expected).max())
    assert np.abs(stress[[1, 5]]).max() < 1e-6 * np.abs(stress[0]).max()
    assert state.axial == pytest.approx(force / (E * HEIGHT * DEPTH), rel=1e-7)
    assert float(cm.Reaction("axial")(problem, state)) / force == pytest.approx(1.0, rel=1e-6)
    assert float(cm.Reaction("curvature")(problem, state)) / (E * inertia * kappa) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_square_wire():
    """Bending about one axis and torsion together, in one slice: E I kappa, and 0.14058 G twist a^4 of Saint-Venant."""
    side, kappa, twist, G = 1e-8, 1e5, 2e5, E / (2 * (1 + NU))
    wire = cm.WireBending(curvature_x=kappa, twist=twist, centre=[side / 2, side / 2])
    problem = cm.Problem.build(
        elevate(box(side, side, side / 4, 4, 4, 1)), host=cm.Host(c_max=2.29e4), kinematics=cm.Solid(bending=wire),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(E, NU))], constraints=[cm.Periodic("z")],
    )  # fmt: skip
    state = cm.solve_static(problem)
    assert abs(state.axial) < 1e-6 * kappa * side
    bent, turned = (float(cm.Reaction(name)(problem, state)) for name in ("curvature_x", "twist"))
    assert bent / (E * side**4 / 12 * kappa) == pytest.approx(1.0, rel=1e-6)
    assert 0.0 < turned / (0.14058 * G * twist * side**4) - 1.0 < 5e-3  # stiffer than the body, as elements are


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_clamped_beam_bent_by_its_ends():
    """Ends that turn by theta = L/rho, as functions of the points: the strain of the bend between them."""
    rho, turn = 2e-7, cm.Course(["0 s", "1 s"], [0.0, 1.0])

    def along(p):
        return -(p[:, 0] - WIDTH / 2) / rho * (p[:, 1] - HEIGHT / 2)

    def across(p):
        return ((p[:, 0] - WIDTH / 2) ** 2 + NU * (p[:, 1] - HEIGHT / 2) ** 2) / (2 * rho)

    def end(side):
        return [cm.Fixed(u, on=side, value=f, course=turn) for u, f in (("u.x", along), ("u.y", across))]

    problem = cm.Problem.build(
        elevate(rectangle(WIDTH, HEIGHT, 4, 2)), host=cm.Host(c_max=2.29e4), kinematics=cm.PlaneStress(),
        potentials=[cm.Stored(cm.LinearElastic.isotropic(E, NU))], constraints=[*end("left"), *end("right")],
    )  # fmt: skip
    for part, time in ((1.0, "1 s"), (0.25, "250 ms")):
        stress, x = bodies.stress_and_position(problem, cm.solve_static(problem, time=time))
        np.testing.assert_allclose(stress[0], -part * E / rho * (x[1] - HEIGHT / 2), atol=1e-6 * E / rho * HEIGHT)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_run_by_curvature_misfit_traction_and_boundary_values():
    """Of the course of each alone, through a run that separates: order 2, and both directions of travel of all."""
    times = [0.0, 0.01, 0.03]
    problem = cm.Problem.build(
        rectangle(2.0, 1.0, 6, 3), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        kinematics=cm.PlaneStrain(bending=cm.Bending(cm.Course(times, [0.0, 0.02, 0.01]), axial=0.001, neutral=0.5)),
        potentials=[
            cm.Stored(cm.Strained(
                [cm.RegularSolution(chi=2.5), cm.GradientEnergy(1e-2),
                 cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5))], [0.002, 0.001, 0.0],
            )),
            cm.Storage(), cm.Diffusion(1.0), cm.Traction(cm.Course(times, [[0, 0], [0.1, 0.5], [0, 0.2]]), on="top"),
        ],
        constraints=[cm.Periodic("x"), cm.Fixed("u.x", on="top", value=cm.Course(times, [0.0, 0.01, 0.005])),
                     cm.Fixed("u", on="bottom")],
    )  # fmt: skip
    state = problem.state(c=lambda x: 0.5 + 0.1 * np.cos(np.pi * x[:, 0]) * np.cos(2 * x[:, 1]))
    observe = {"moment": cm.Reaction("curvature"), "force": cm.Reaction("fixed_1")}
    base = {
        "axial": jnp.asarray(0.001), "curvature": jnp.asarray([0.0, 0.02, 0.01]),
        "misfit": jnp.asarray([0.002, 0.001, 0.0, 0, 0, 0]), "traction": jnp.asarray([[0, 0], [0.1, 0.5], [0, 0.2]]),
        "held": jnp.asarray([0.0, 0.01, 0.005]),
    }  # fmt: skip

    def changed(given):
        places = lambda p: (  # noqa: E731
            p.kinematics.bending.axial, p.kinematics.bending.curvature.values, p.potentials[0].psi.strain,
            p.potentials[3].vector.values,
        )  # fmt: skip
        made = eqx.tree_at(places, problem, tuple(given[k] for k in ("axial", "curvature", "misfit", "traction")))
        return made.with_fixed(1, cm.Course(times, given["held"]))

    def run(given, steps=None):
        return cm.simulate(
            changed(given), state, cm.Closed(until={"time": 0.05}), newton=cm.Newton(test=cm.UpdateTest(1e-10)),
            frames=0, replay=steps, observe=observe,
        )  # fmt: skip

    first = run(base)
    assert np.isin(times, first.time).all()
    assert first.final.curvature == pytest.approx(0.01, rel=1e-12)
    np.testing.assert_allclose(first.final.u[problem.mesh.nodes_of("top"), 0], 0.005, rtol=1e-12)

    def value(given):
        found = run(given, first.steps)
        return found.free_energy[-1] + jnp.sum(found.moment**2) + jnp.sum(found.force**2) + jnp.mean(found.final.c**3)

    rng = np.random.default_rng(0)
    sizes = {"axial": 0.01, "curvature": 0.02, "misfit": 0.01, "traction": 1.0, "held": 0.01}
    direction = {k: jnp.asarray(sizes[k] * rng.uniform(-1, 1, np.shape(v))) for k, v in base.items()}
    slope, still = jax.grad(value)(base), jax.tree.map(jnp.zeros_like, base)
    for name, way in direction.items():
        assert abs(float(jnp.sum(slope[name] * way))) > 1e-4, name
        found = cm.taylor_test(value, base, slope, direction=still | {name: way}, size=0.2, levels=2)
        print(name, found)
        assert found.error < 1e-7, name
        assert found.orders[1] >= 1.95, name
    ahead = float(jax.jvp(value, (base,), (direction,))[1])
    assert ahead == pytest.approx(float(sum(jnp.sum(slope[k] * direction[k]) for k in base)), rel=1e-7)
