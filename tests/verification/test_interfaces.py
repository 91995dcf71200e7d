"""Energy and width of flat interfaces in equilibrium.

Cahn, Hilliard, J. Chem. Phys. 28 (1958) 258: gamma = R T c_max l * integral of sqrt(2 dg) dc, l^2 = kappa/(R T c_max);
Cogswell, Bazant, ACS Nano 6 (2012) 2215 for the coherent interface of LiFePO4.
"""

import bodies
import numpy as np
import pytest

import chemomech as cm
from chemomech.thermo import landscape
from chemomech.thermo.coherency import coherent, curvatures, softest_normal
from chemomech.thermo.interface import flat, gradient_coefficient


def interface(problem, profile, area):
    """Interfacial energy per area, and width = (c2 - c1)/max|c'|, of the equilibrium near a profile of x."""
    state = cm.solve_equilibrium(problem, problem.state(c=lambda p: profile(p[:, 0])))
    x = problem.mesh.points[:, 0]
    ends = state.c[np.argmin(x)], state.c[np.argmax(x)]
    uniform = [bodies.energy(problem, state.replace(c=np.full_like(state.c, v))) for v in ends]
    length = np.ptp(x)
    slope = np.abs(bodies.at_points(problem, state.c)[1]).max() / problem.scales.length
    return state, (bodies.energy(problem, state) - np.mean(uniform)) / area, (ends[1] - ends[0]) / slope, length


@pytest.mark.parametrize("chi", [2.2, 2.5, 2.82, 3.0, 4.0, 4.51])
def test_regular_solution(chi):
    """Against the same energy without a mesh, whose values are those of the closed forms (tests/thermo)."""
    mesh = bodies.strip(16.0 if chi > 2.4 else 32.0, 64, 1.0)
    exact = flat(cm.RegularSolution(chi=chi), cm.Host.dimensionless(), 1.0)
    binodal, gamma, width = float(exact.low), float(exact.energy), float(exact.width)
    psi = cm.RegularSolution(chi=chi) + cm.GradientEnergy(1.0)
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored(psi), cm.Amount(0.5)]
    )
    profile = lambda x: 0.5 + (0.5 - binodal) * np.tanh((x - np.ptp(mesh.points[:, 0]) / 2) / width)  # noqa: E731
    state, energy, w, _ = interface(problem, profile, 1.0)
    assert state.c.min() == pytest.approx(binodal, rel=0.01)
    assert energy == pytest.approx(gamma, rel=0.01)
    assert w == pytest.approx(width, rel=0.01)


@pytest.mark.slow
def test_coherent_laminate_of_lithium_iron_phosphate():
    """Crystal turned so that x is the softest normal, 27.5 deg from a to c; transverse strains are uniform and free."""
    lfp = cm.materials.load("LiFePO4")
    length, height = 60e-9, 1e-9
    psi = cm.Oriented(lfp.energy, axes={"a": "x", "c": "y"}, angle=-np.deg2rad(27.5))
    problem = cm.Problem.build(
        bodies.strip(length, 80, height), host=lfp.host, potentials=[cm.Stored(psi), cm.Amount(0.5)],
        kinematics=cm.GeneralisedPlaneStrain(mean_strain=("zz", "yy")), constraints=[cm.Periodic("y")],
    )  # fmt: skip
    profile = lambda x: 0.5 + 0.41 * np.tanh((x - length / 2) / 3e-9)  # noqa: E731
    state = cm.solve_equilibrium(problem, problem.state(c=lambda p: profile(p[:, 0])))
    softest = softest_normal(curvatures(lfp.energy.terms()[2], 0.5, lfp.host)).normal
    layer = coherent(lfp.energy, softest, lfp.host)
    exact = flat(layer, lfp.host, gradient_coefficient(lfp.energy, lfp.host, softest))
    assert state.c.min() == pytest.approx(float(exact.low), rel=0.01)
    assert state.c.max() == pytest.approx(float(exact.high), rel=0.001)
    gamma = bodies.energy(problem, state) / height - float(landscape.energy(layer, lfp.host, state.c.min())) * length
    assert gamma == pytest.approx(float(exact.energy), rel=0.01)
    assert gamma == pytest.approx(39.93e-3, rel=0.01)
    slope = np.abs(bodies.at_points(problem, state.c)[1]).max() / problem.scales.length
    assert np.ptp(state.c) / slope == pytest.approx(float(exact.width), rel=0.01)
