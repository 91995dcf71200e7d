"""Orders of convergence with manufactured solutions, whose sources JAX differentiates from the exact fields.

Roache, J. Fluids Eng. 124 (2002) 4. Periodic unit square, dimensionless double well, gradient energy, c(1-c) mobility.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.domain import over_cells
from chemomech.fem.mesh import elevate, rectangle

HEIGHT, KAPPA, E, NU, MISFIT = 1.0, 0.05, 2.0, 0.3, 0.2
G, LAM = E / (2 * (1 + NU)), E * NU / ((1 + NU) * (1 - 2 * NU))
TAU = 2 * np.pi


def exact(x, y, t):
    """Composition."""
    return 0.5 + 0.2 * jnp.sin(TAU * x + 0.5 * t) * jnp.cos(TAU * y) * jnp.cos(3.0 * t)


def displacement(x, y, t):
    return 0.05 * jnp.sin(TAU * x) * jnp.cos(TAU * y + t), 0.03 * jnp.cos(TAU * x - t) * jnp.sin(TAU * y)


def along(f, i):
    """Partial derivative of f(x, y, t) in argument i, entry by entry."""

    def derivative(*args):
        return jax.jvp(lambda v: f(*args[:i], v, *args[i + 1 :]), (args[i],), (jnp.ones_like(args[i]),))[1]

    return derivative


def stress(elastic):
    """xx, yy, zz, xy of the exact state in plane strain."""
    if not elastic:
        return [lambda *a: 0.0 * a[0]] * 4
    u, v = (lambda *a: displacement(*a)[0]), (lambda *a: displacement(*a)[1])

    def components(*a):
        e0 = MISFIT * (exact(*a) - 0.5)
        xx, yy, xy = along(u, 0)(*a) - e0, along(v, 1)(*a) - e0, 0.5 * (along(u, 1)(*a) + along(v, 0)(*a))
        trace = LAM * (xx + yy - e0)
        return trace + 2 * G * xx, trace + 2 * G * yy, trace - 2 * G * e0, 2 * G * xy

    return [lambda *a, k=k: components(*a)[k] for k in range(4)]


def potential(elastic):
    s = stress(elastic)

    def mu(*a):
        c = exact(*a)
        chemical = 2 * HEIGHT * c * (1 - c) * (1 - 2 * c)
        laplacian = along(along(exact, 0), 0)(*a) + along(along(exact, 1), 1)(*a)
        return chemical - KAPPA * laplacian - MISFIT * (s[0](*a) + s[1](*a) + s[2](*a))

    return mu


def sources(elastic):
    """What must be added per time and volume: lithium, and force in x and y."""
    mu, s = potential(elastic), stress(elastic)
    flux = [lambda *a, i=i: -exact(*a) * (1 - exact(*a)) * along(mu, i)(*a) for i in range(2)]
    lithium = lambda *a: along(exact, 2)(*a) + along(flux[0], 0)(*a) + along(flux[1], 1)(*a)  # noqa: E731
    force = [
        lambda *a: -along(s[0], 0)(*a) - along(s[3], 1)(*a),
        lambda *a: -along(s[3], 0)(*a) - along(s[1], 1)(*a),
    ]
    return lithium, force


class Source(cm.AbstractPotential):
    """Density dt S mu - b.u: lithium and force added at given rates; a steady source holds the fields of t = 0."""

    on: str | None = eqx.field(static=True, default=None)
    elastic: bool = eqx.field(static=True, default=False)
    steady: bool = eqx.field(static=True, default=False)

    def density(self, now, frozen, rate, prev):
        lithium, force = sources(self.elastic)
        one = jnp.ones_like(now.x.x)
        at = now.x.x, now.x.y, 0.0 * one if self.steady else now.t * one
        supply = lithium(*at) - along(exact, 2)(*at) if self.steady else lithium(*at)
        total = now.dt * supply * now.mu
        return total - force[0](*at) * now.u.x - force[1](*at) * now.u.y if self.elastic else total


def evolution(n, order, elastic, steady):
    mesh = rectangle(1, 1, n, n)
    psi = cm.DoubleWell(HEIGHT) + cm.GradientEnergy(KAPPA)
    if elastic:
        psi += cm.LinearElastic.isotropic(E, NU, cm.Vegard(MISFIT, c_ref=0.5))
    problem = cm.Problem.build(
        mesh if order == 1 else elevate(mesh), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(1.0), Source(elastic=elastic, steady=steady)],
        constraints=[cm.Periodic("x"), cm.Periodic("y")],
    )  # fmt: skip
    return cm.Evolution(problem)


def start(evo, t):
    return evo.start(evo.problem.state(c=lambda p: np.asarray(exact(p[:, 0], p[:, 1], t))))


def error(evo, x):
    """L2 norm of c minus the exact composition at t = 0."""
    mesh = evo.problem.mesh
    cells = over_cells(mesh, jnp.asarray(mesh.points), np.arange(len(mesh.cells)), 6)
    c = cells.at_points(evo.expand(x)[0][:1])[0][0]
    return float(jnp.sqrt(jnp.sum(cells.weight * (c - exact(*cells.x, 0.0 * c)) ** 2)))


def space_order(order, elastic, counts):
    """One backward Euler step, so long that it ends in the steady state, on two meshes."""
    errors = []
    for n in counts:
        evo = evolution(n, order, elastic, steady=True)
        result = evo.backward_euler(start(evo, 0.0), 1e4)
        assert result.converged, result.reason
        errors.append(error(evo, result.x))
    return np.log(errors[0] / errors[1]) / np.log(counts[1] / counts[0])


def final(evo, steps, stepper):
    """Nodal composition after given step lengths from t = 0."""
    states, previous, t = [start(evo, 0.0)], None, 0.0
    for dt in steps:
        t += dt
        result = evo.step(stepper.formula(dt, previous), states, states[0], t, evo.problem.drive())
        assert result.converged, result.reason
        states, previous = [result.x, *states][:2], dt
    return evo.concentration(states[0])


def time_order(evo, pattern, stepper):
    """From three runs on one mesh, with twice as many repeats of half a pattern of steps each time, up to t = 0.4."""
    c = []
    for repeats in (10, 20, 40):
        steps = np.tile(pattern, repeats)
        c.append(final(evo, 0.4 * steps / steps.sum(), stepper))
    return np.log2(np.linalg.norm(c[1] - c[0]) / np.linalg.norm(c[2] - c[1]))


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize(("order", "counts", "least"), [(1, (24, 48), 1.9), (2, (6, 12), 2.9)])
def test_order_in_space_cahn_hilliard(order, counts, least):
    assert space_order(order, False, counts) >= least


@pytest.mark.repetition("order")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize(("order", "counts", "least"), [(1, (24, 48), 1.9), (2, (8, 16), 2.9)])
def test_order_in_space_cahn_hilliard_elasticity(order, counts, least):
    assert space_order(order, True, counts) >= least


@pytest.mark.repetition("elastic")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("elastic", [True, False])
def test_order_in_time(elastic):
    evo = evolution(6, 1, elastic, steady=False)
    assert time_order(evo, [1.0], cm.BackwardEuler()) >= 0.9
    assert time_order(evo, [1.0], cm.BDF2()) >= 1.9
    assert time_order(evo, [1.0, 0.5], cm.BDF2()) >= 1.9
