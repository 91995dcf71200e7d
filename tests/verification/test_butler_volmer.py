"""Voltage of a uniform particle under a given current: V = V0 - mu/F + eta with the inverse of Butler-Volmer.

At alpha = 1/2 the current i = -2 i0 sinh(F eta/2RT) has the inverse eta = -(2RT/F) asinh(i/2 i0); Bazant,
Acc. Chem. Res. 46 (2013) 1144, for the exchange current.
"""

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import rectangle

HOST, CHI, V0, SIDE = cm.Host(c_max=2.29e4), 1.5, 3.4, 60e-9
RT, F = 8.31446261815324 * 298.15, 96485.33212331


def voltage(c, i, i0):
    mu = RT * (np.log(c / (1 - c)) + CHI * (1 - 2 * c))
    return V0 - mu / F - 2 * RT / F * np.arcsinh(i / (2 * i0(c, mu)))


def particle(exchange, **where):
    reaction = cm.ButlerVolmer(exchange, V0=V0, **where)
    return cm.Problem.build(
        rectangle(SIDE, SIDE, 2, 2), host=HOST, kinematics=cm.PlaneStrain(thickness=20e-9),
        potentials=[cm.Stored(cm.RegularSolution(chi=CHI)), cm.Storage(), cm.Diffusion(1e-12), reaction],
    )  # fmt: skip


CASES = [
    (cm.BazantExchange(0.16), lambda c, mu: 0.16 * np.exp(mu / (2 * RT)) * (1 - c)),
    (cm.SymmetricExchange(0.3), lambda c, mu: 0.3 * np.sqrt(c * (1 - c))),
]


@pytest.mark.slow
@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize(("exchange", "i0"), CASES[:1])
def test_depth_averaged_reaction(exchange, i0):
    """Every recorded point of a discharge, a rest and a charge; the reaction acts on both faces of the platelet."""
    steps = [cm.Discharge(2.0, until={"time": 60}), cm.Rest(until={"time": 5}), cm.Charge(20.0, until={"time": 30})]
    solution = cm.simulate(
        particle(exchange, thickness=20e-9), particle(exchange, thickness=20e-9).uniform(0.3), cm.Protocol(steps),
        control=cm.ErrorControl(tol=1e-2, start=1e-2), frames=1,
    )  # fmt: skip
    density = solution.current / (2 * SIDE**2)
    expected = voltage(solution.soc, density, i0)
    assert len(solution.time) > 5
    np.testing.assert_allclose(solution.voltage, expected, rtol=0, atol=1e-10)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize(("exchange", "i0"), CASES)
def test_reaction_on_the_rim(exchange, i0):
    """At the first instant the composition is still uniform, so every facet carries the same current density."""
    problem = particle(exchange, on="boundary")
    solution = cm.simulate(
        problem, problem.uniform(0.3), cm.Discharge(1.0, until={"time": 1e-3}), control=cm.ErrorControl(dt_start=1e-3)
    )
    density = solution.current[0] / (4 * SIDE * 20e-9)
    assert density > 0
    assert solution.voltage[0] == pytest.approx(voltage(0.3, density, i0), abs=1e-9)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_faces_of_unlike_rates_under_one_current():
    """Each face has its own rate and one is blocked: they share the current, the voltage is that of their sum."""
    rates = {"left": 0.0, "right": 0.3, "top": 0.9}
    problem = cm.Problem.build(
        rectangle(SIDE, SIDE, 2, 2), host=HOST, kinematics=cm.PlaneStrain(thickness=20e-9),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=CHI)), cm.Storage(), cm.Diffusion(1e-12),
            *(cm.ButlerVolmer(cm.SymmetricExchange(k0), V0=V0, on=face) for face, k0 in rates.items()),
        ],
    )  # fmt: skip
    solution = cm.simulate(
        problem, problem.uniform(0.3), cm.Discharge(1.0, until={"time": 1e-3}), control=cm.ErrorControl(dt_start=1e-3)
    )
    density, mean = solution.current[0] / (3 * SIDE * 20e-9), np.mean([*rates.values()]) * np.sqrt(0.3 * 0.7)
    assert solution.voltage[0] == pytest.approx(voltage(0.3, density, lambda c, mu: mean), abs=1e-9)
