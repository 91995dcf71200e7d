"""Gradients where a run has its difficulties: rejected steps, compositions next to 0 and 1."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import rectangle
from chemomech.run import Run

jax.config.update("jax_enable_x64", True)
NEWTON = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))


def body(chi):
    elastic = cm.LinearElastic.isotropic(100.0, 0.3, cm.Vegard(0.03, c_ref=0.5))
    return cm.Problem.build(
        rectangle(1.0, 1.0, 5, 5), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored([cm.RegularSolution(chi=chi), cm.GradientEnergy(0.01), elastic]), cm.Storage(), cm.Diffusion(1.0),
        ],
    )  # fmt: skip


def checked(problem, c, control, time):
    """A Taylor test of the last energy and the spread, by chi, misfit and the start."""
    state, protocol = problem.state(c=c), cm.Closed(until={"time": time})
    first = cm.simulate(problem, state, protocol, newton=NEWTON, control=control, frames=0)

    def value(arguments):
        potentials, c = arguments
        made = eqx.tree_at(lambda p: p.potentials, problem, potentials)
        run = cm.simulate(made, state.replace(c=c), protocol, newton=NEWTON, frames=0, replay=first.steps)
        return run.free_energy[-1] + jnp.sum((run.final.c - 0.5) ** 4)

    arguments = (problem.potentials, jnp.asarray(state.c))
    slopes = eqx.filter_grad(value)(arguments)
    assert all(np.all(np.isfinite(v)) for v in jax.tree.leaves(slopes))
    rng = np.random.default_rng(0)
    within = np.minimum(state.c, 1 - state.c)  # so that no composition leaves (0, 1)
    numbers = jax.tree.map(lambda v: rng.uniform(-1, 1, v.shape) * v, eqx.filter(problem.potentials, eqx.is_array))
    direction = (numbers, rng.uniform(-1, 1, within.shape) * within)
    return cm.taylor_test(value, arguments, slopes, direction=direction, size=1e-3)


@pytest.mark.slow
def test_rejected_steps_leave_no_trace(monkeypatch):
    """A tolerance that the second step, as long as the first, cannot meet."""
    tried = []
    attempt = Run._try
    monkeypatch.setattr(Run, "_try", lambda self, *args, **options: tried.append(1) or attempt(self, *args, **options))
    control = cm.ErrorControl(dt_start=2e-3, tol=1e-4)
    state = lambda x: 0.5 + 0.1 * np.cos(3 * x[:, 0]) * np.cos(5 * x[:, 1])  # noqa: E731
    problem = body(3.0)
    run = cm.simulate(problem, problem.state(c=state), cm.Closed(until={"time": 0.02}), newton=NEWTON, control=control)
    assert len(tried) > sum(not step.settling for step in run.steps)
    found = checked(problem, state, control, 0.02)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95, found


@pytest.mark.slow
def test_next_to_empty_and_full():
    """Compositions from 1e-5 to 1 - 1e-5: logarithms, and a mobility that all but vanishes."""
    problem = body(3.0)
    side = problem.mesh.points[:, 0]
    c = 1e-5 + (1 - 2e-5) * (side - side.min()) / np.ptp(side)
    found = checked(problem, c, cm.ErrorControl(dt_start=1e-6), 1e-3)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95, found
