"""Which steps are too long for the waves of a state: against the growth rate of a uniform one."""

import numpy as np
import pytest

import chemomech as cm
from benchmarks.fast_waves import outgrown
from chemomech.fem.mesh import rectangle


@pytest.mark.parametrize(("dt", "too_long"), [(0.4, False), (0.7, True), (20.0, True), (3e3, True)])
def test_a_uniform_state_that_reacts(dt, too_long):
    """At equilibrium with the cell, in the spinodal: its uniform wave grows fastest, with s = -r f''."""
    exchange = cm.SymmetricExchange(1.0)
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 6, 6), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored([cm.RegularSolution(chi=3.0), cm.GradientEnergy(1e-3)]), cm.Storage(),
            cm.ButlerVolmer(exchange, V0=0.0, thickness=1.0),
        ],
    )  # fmt: skip
    evolution = cm.Evolution(problem, cm.Newton(linear=cm.Krylov()))
    x = evolution.start(problem.state(c=0.5, mu=0.0, V=0.0))
    now, drive = evolution.expand(x), problem.drive(V=("value", 0.0))
    tangent = evolution.tangent(x, (now, now, 0.0, 1.0), drive)
    rate = 2.0 * float(np.mean(tangent.coefficients().reaction))  # f'' = 1/(c (1 - c)) - 2 chi = -2
    assert outgrown(problem, x, tangent, dt / rate, 2.0 * rate, drive) is too_long
