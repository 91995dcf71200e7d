"""Gradients by prescribed boundary values, through a run that separates under a pull, and of a static state."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import rectangle

SIDE = 6
SIZES = {1: 0.005, 2: 0.03}  # of the longest step of a Taylor test, by constraint


def pulled(*constraints) -> cm.Problem:
    """A separating square whose left edge is held; number 1 of its constraints pulls at the right one."""
    energies = [
        cm.RegularSolution(chi=3.0), cm.GradientEnergy(1.6e-3),
        cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5)),
    ]  # fmt: skip
    return cm.Problem.build(
        rectangle(1.0, 1.0, SIDE, SIDE), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(energies), cm.Storage(), cm.Diffusion(1.0)],
        constraints=[cm.Fixed("u", on="left"), cm.Fixed("u.x", on="right", value=0.01), *constraints],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("linear", [cm.HostDirect(), cm.Krylov()], ids=lambda linear: type(linear).__name__)
@pytest.mark.parametrize("which", [1, 2], ids=["displacement", "composition"])
def test_a_run_by_its_boundary_values(linear, which):
    """A value of each node's own on the right edge: orders 2 and 3, errors up to 1e-7, both directions of travel."""
    problem = pulled(cm.Fixed("c", on="right", value=0.45))
    state = problem.state(c=lambda x: 0.45 + 0.05 * np.cos(3 * x[:, 0]) * np.cos(5 * x[:, 1]))
    newton = cm.Newton(linear=linear, test=cm.UpdateTest(1e-10))

    def run(values, steps=None):
        return cm.simulate(
            problem.with_fixed(which, values), state, cm.Closed(until={"time": 0.03}), newton=newton, frames=0,
            replay=steps,
        )  # fmt: skip

    rng = np.random.default_rng(0)
    centre, size = {1: (0.01, 0.01), 2: (0.45, 0.1)}[which]
    values = jnp.asarray(centre + 0.2 * size * rng.uniform(-1, 1, SIDE + 1))
    direction = jnp.asarray(size * rng.uniform(-1, 1, SIDE + 1))
    steps = run(values).steps

    def value(values):
        found = run(values, steps)
        return found.free_energy[-1] + 10.0 * jnp.mean(found.final.c**3) + jnp.mean(found.final.u**2)

    slope, curved = jax.jvp(jax.grad(value), (values,), (direction,))
    found = cm.taylor_test(value, values, slope, direction=direction, hessian=curved, size=SIZES[which])
    print(found)
    assert found.error < 1e-7
    assert found.orders[1] >= 1.95
    assert found.orders[2] >= 2.9
    assert float(jax.jvp(value, (values,), (slope,))[1]) == pytest.approx(float(slope @ slope), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("linear", [cm.HostDirect(), cm.Krylov()], ids=lambda linear: type(linear).__name__)
def test_a_run_by_the_constants_of_its_facets(linear):
    """Exchange currents of two sides, what wets a third, the surface stress of the fourth: order 2 by each alone."""
    energies = [
        cm.RegularSolution(chi=2.5), cm.GradientEnergy(1e-2),
        cm.LinearElastic.isotropic(100.0, 0.3, cm.Vegard(0.02, c_ref=0.2)),
    ]  # fmt: skip
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, SIDE, SIDE), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored(energies), cm.Storage(), cm.Diffusion(1.0),
            cm.ButlerVolmer(cm.SymmetricExchange(1.0), V0=0.0, on="left"),
            cm.ButlerVolmer(cm.SymmetricExchange(0.2), V0=0.0, on="right"),
            cm.Wetting([0.01, -0.01], on="top"), cm.SurfaceStress(0.5, on="bottom"),
        ],
    )  # fmt: skip
    newton, C = cm.Newton(linear=linear, test=cm.UpdateTest(1e-10)), 3600.0
    protocol = cm.Protocol([cm.Discharge(c_rate=C, until={"soc": 0.4}), cm.Rest(until={"time": 0.1})])
    places = {
        "left": lambda p: p.potentials[3].exchange.k0, "right": lambda p: p.potentials[4].exchange.k0,
        "wetting": lambda p: p.potentials[5].psi.gamma, "surface stress": lambda p: p.potentials[6].psi.tau,
    }  # fmt: skip
    base = {name: jnp.asarray(place(problem), float) for name, place in places.items()}

    def run(given, steps=None):
        changed = eqx.tree_at(lambda p: [place(p) for place in places.values()], problem, [given[k] for k in places])
        state = problem.state(c=lambda x: 0.2 + 0.05 * x[:, 1])
        return cm.simulate(changed, state, protocol, newton=newton, frames=0, replay=steps)

    first = run(base)

    def value(given):
        found = run(given, first.steps)
        return found.free_energy[-1] + jnp.sum(found.voltage) + found.time[-1] + 10.0 * jnp.mean(found.final.c**3)

    slope = jax.grad(value)(base)
    still = jax.tree.map(jnp.zeros_like, base)
    for name, number in base.items():
        direction = still | {name: 0.1 * number}
        assert abs(float(jnp.sum(slope[name] * direction[name]))) > 1e-5, name
        found = cm.taylor_test(value, base, slope, direction=direction, size=0.1, levels=2)
        print(name, found)
        assert found.error < 1e-7, name
        assert found.orders[1] >= 1.95, name


def bar(pull=0.0) -> cm.Problem:
    """Held on the left, pulled at the right by constraint 1."""
    return cm.Problem.build(
        rectangle(2.0, 1.0, 4, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.LinearElastic.isotropic(300.0, 0.3)])],
        constraints=[cm.Fixed("u.x", on="left"), cm.Fixed("u.x", on="right", value=pull), cm.Fixed("u.y", on="bottom")],
    )  # fmt: skip


def test_a_stretched_bar():
    """Plane strain with a free upper face: energy in closed form; displacements are linear in the pull."""
    problem = bar()
    pull = 0.02
    solved = problem.with_fixed(1, pull)
    state = cm.solve_static(solved, solved.state())
    right = solved.mesh.nodes_of("right")
    np.testing.assert_allclose(state.u[right, 0], pull, rtol=1e-12)
    modulus = 300.0 / (1 - 0.3**2)  # of a free upper face
    evolution = cm.Evolution(solved)
    assert sum(evolution.measures(evolution.start(state)).energies.values()) == pytest.approx(
        0.5 * modulus * (pull / 2.0) ** 2 * 2.0, rel=1e-10
    )

    def mean_height(pull):
        moved = problem.with_fixed(1, pull)
        return jnp.mean(cm.solve_static(moved, moved.state()).u[:, 1])

    assert float(jax.grad(mean_height)(pull)) == pytest.approx(float(mean_height(pull)) / pull, rel=1e-10)


def test_values_come_as_text_or_functions_too_and_are_remembered():
    problem = pulled().with_fixed(1, "2 m")
    assert problem.constraints[1].value == "2 m"
    other = pulled().with_fixed(1, lambda x: 2.0 + 0.0 * x[:, 1])
    np.testing.assert_array_equal(other.lift.offset, problem.lift.offset)
    again = pulled().with_fixed(1, jnp.full(SIDE + 1, 2.0))
    np.testing.assert_array_equal(again.lift.offset, problem.lift.offset)
    assert again.constraints[1].value == [2.0] * (SIDE + 1)
    np.testing.assert_array_equal(np.asarray(problem.lift.offset).reshape(len(problem.fields), -1).max(), 2.0)


def test_values_of_each_node_are_no_part_of_the_gradient_of_a_problem():
    """They are read when it is built: the gradient by all else of it is not refused on their account."""
    problem = bar(np.linspace(0.01, 0.02, 3))
    slope = eqx.filter_grad(lambda p: jnp.sum(cm.solve_static(p, p.state()).u ** 2))(problem)
    assert np.linalg.norm(slope.mesh.points) > 0
    assert slope.constraints[1].value == [None] * 3


def test_what_cannot_be_changed_says_so():
    problem = pulled(cm.Tied("u.y", on="right"), cm.Fixed("u.x", on="right", value=0.01))
    with pytest.raises(ChemomechError, match="constraint 2 is no Fixed. Use one of"):
        problem.with_fixed(2, 0.1)
    with pytest.raises(ChemomechError, match="Constraints 1 and 3 hold some of the same nodes"):
        problem.with_fixed(1, 0.1)
    with pytest.raises(ChemomechError, match="3 values for 7 nodes"):
        pulled().with_fixed(1, np.ones(3))
