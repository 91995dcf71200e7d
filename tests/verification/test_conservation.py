"""Lithium is conserved to round-off through jumps of the current, and a closed system only loses energy."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import rectangle

HOST = cm.Host(c_max=2.29e4)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_inserted_lithium_equals_the_charge():
    """BDF2 across two current jumps, a rest and a voltage hold; the sum of the stepper's own currents is exact."""
    mesh = rectangle(60e-9, 20e-9, 12, 2)
    psi = cm.RegularSolution(chi=2.5) + cm.GradientEnergy("1e-13 J*m^2/mol")
    problem = cm.Problem.build(
        mesh, host=HOST, kinematics=cm.PlaneStrain(thickness=1e-9),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(1e-15),
                    cm.ButlerVolmer(cm.BazantExchange(0.16), V0=3.4, on="left")],
    )  # fmt: skip
    steps = [
        cm.Discharge(1.0, until={"soc": 0.3}), cm.Rest(until={"time": 20}), cm.Discharge(5.0, until={"soc": 0.5}),
        cm.Charge(2.0, until={"soc": 0.4}), cm.Hold(3.45, until={"time": 20}),
    ]  # fmt: skip
    solution = cm.simulate(
        problem, problem.uniform(0.1), cm.Protocol(steps), control=cm.ErrorControl(tol=5e-3), frames=1
    )
    sites = 2.29e4 * 60e-9 * 20e-9 * 1e-9
    inserted = (solution.soc - solution.soc[0]) * sites * 96485.33212331
    assert solution.endings == ["soc", "time", "soc", "soc", "time"]
    np.testing.assert_allclose(inserted, solution.charge, rtol=0, atol=1e-10 * np.abs(solution.charge).max())


@pytest.mark.usefixtures("linear")
def test_closed_system_loses_energy_and_keeps_its_lithium():
    """Also where cells are taken in chunks."""
    rng = np.random.default_rng(0)
    mesh = rectangle(8.0, 8.0, 16, 16)
    psi = cm.RegularSolution(chi=3.0) + cm.GradientEnergy(1.0)
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    state = problem.state(c=0.4 + 0.05 * rng.normal(size=len(mesh.points)))
    control, until = cm.ErrorControl(tol=1e-2), {"time": 60.0}
    solution = cm.simulate(problem, state, cm.Closed(until=until), control=control, frames=1, budget="100 kB")
    assert np.diff(solution.free_energy).max() <= 1e-10 * np.ptp(solution.free_energy)
    assert np.abs(solution.soc - solution.soc[0]).max() < 1e-10
    assert np.ptp(solution.final.c) > 0.5
