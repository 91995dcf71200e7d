"""A wire that is bent: lithium goes to the side in tension, a bend overrides the pattern of its domains.

The strip of configs/bent_wire.toml, 6 h x h in plane stress, chi = 3, E = 60 GPa, volume change 5 %, interface length
l = sqrt(kappa/RT). The bend is imposed by a global scalar; the displacement on top of it vanishes at both ends,
which are clamped to the bend that way. Means over seeds and more interface lengths: benchmarks/bent_wire.py.
"""

import bodies
import numpy as np
import pytest

import chemomech as cm
from benchmarks import bent_wire
from chemomech.analysis import points, von_mises
from chemomech.fem.mesh import elevate, rectangle
from chemomech.images import stressed

H, CHI, MEAN = bent_wire.H, 3.0, bent_wire.MEAN
HOST = cm.Host(c_max=2.29e4)
RT, RHO = float(HOST.RT), float(HOST.RT) * 2.29e4
E, NU, ETA = 60e9, 0.3, 0.05 / 3


# --- what the strip resists least -----------------------------------------------------------------------------------


def softest(ratio, across):
    """Least curvature over RT of the straight uniform strip, of changes that are odd across it or of any."""
    mesh = elevate(rectangle(6 * H, H, 36, 6))
    energy = cm.RegularSolution(chi=CHI) + cm.GradientEnergy(kappa_molar=RT * (ratio * H) ** 2)
    elastic = cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=MEAN))
    problem = cm.Problem.build(
        mesh, host=HOST, potentials=[cm.Stored(energy + elastic), cm.Amount(MEAN)],
        constraints=[cm.Fixed("u", on="left"), cm.Fixed("u", on="right")],
        kinematics=cm.PlaneStress(bending=cm.Bending(curvature=0.0, axial=0.0, neutral=H / 2)),
    )  # fmt: skip
    found = cm.softest_modes(problem, problem.uniform(MEAN), 16 if across else 1)
    odd = [np.dot(s[mesh.nodes_of("top")], s[mesh.nodes_of("bottom")]) < 0 for s in found.shape]
    return found.curvature[odd.index(True) if across else 0] / RT


def vanishes(low, high, across):
    """l/h at which the least curvature vanishes: it is nearly linear in l^2."""
    a, b = (softest(ratio, across) for ratio in (low, high))
    assert a < 0 < b
    return np.sqrt(low**2 - a * (high**2 - low**2) / (b - a))


@pytest.mark.slow
def test_when_the_straight_strip_becomes_unstable():
    """Along it at l/h = 2.565, across it at 0.404; half a wave has sqrt(2 chi_eff - 1/(c(1-c)))/pi, times L/h along.

    chi_eff is chi along the strip, which stretches freely, and chi - E eta^2/(2 R T c_max) across it, where the bend is
    held. Half a wave across that alternates along the strip is relieved by local bends: it grows a little earlier. That
    is why the ends matter: periodic ones give 0.408 across, and an end that may move sideways 0.424.
    """
    limit = lambda chi: np.sqrt(2 * chi - 1 / (MEAN * (1 - MEAN))) / np.pi  # noqa: E731
    along, across = vanishes(2.5, 2.62, False), vanishes(0.39, 0.42, True)
    assert along == pytest.approx(2.565, rel=2e-3)
    assert across == pytest.approx(0.404, rel=0.01)
    assert along == pytest.approx(6 * limit(CHI), rel=0.01)
    assert limit(CHI - E * ETA**2 / (2 * RHO)) < across < limit(CHI)


# --- separation under a bend ----------------------------------------------------------------------------------------


def run(bend, ratio, turned=False):
    """From noise to 5 h^2/D on one mesh; turned: from the same noise turned by 180 degrees."""
    simulation = bent_wire.wire(bend, ratio, cells=12 * ratio)
    c = simulation.state.c[::-1] if turned else simulation.state.c
    return cm.simulate(simulation.problem, simulation.state.replace(c=c), simulation.protocol, frames=0)


def edges(solution):
    """Tension and compression."""
    found = bent_wire.edges(rectangle(6 * H, H, 72, 12), np.asarray(solution.final.c))
    return found["tension"], found["compression"]


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_bend_overrides_the_pattern():
    """0.4 % at l/h = 0.2: one layer along the edge in tension; a curvature of the other sign takes the other edge."""
    bent = run(0.004, 0.2)
    tension, compression = edges(bent)
    assert (tension["segments"], compression["segments"]) == (1, 0)
    assert tension["mean"] == pytest.approx(0.90, abs=0.01)
    assert compression["mean"] == pytest.approx(0.08, abs=0.01)
    assert np.diff(bent.free_energy).max() < 1e-6 * np.ptp(bent.free_energy)
    assert np.abs(bent.soc - MEAN).max() < 1e-10
    other = run(-0.004, 0.2, turned=True)
    np.testing.assert_allclose(other.final.c[::-1], bent.final.c, atol=1e-4)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_wide_interfaces_take_up_less_of_a_bend():
    """At 1 % the difference between the edges falls with l/h; lithium collects on the side in tension."""
    difference = []
    for ratio in (0.2, 0.3, 0.45):
        tension, compression = edges(run(0.01, ratio))
        assert (tension["segments"] == 1) or ratio > 0.4  # there it may part in two
        assert compression["segments"] == 0
        difference.append(tension["mean"] - compression["mean"])
    assert difference == pytest.approx([0.86, 0.76, 0.41], abs=0.06)


# --- lithiation -----------------------------------------------------------------------------------------------------


def lead(bend):
    """How far a front that enters by one end is ahead on the lower edge [h], half way along a strip of 3 h."""
    energy = cm.RegularSolution(chi=CHI) + cm.GradientEnergy(kappa_molar=RT * (0.2 * H) ** 2)
    elastic = cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=MEAN))
    mesh = rectangle(3 * H, H, 18, 6, diagonal="crossed")
    problem = cm.Problem.build(
        mesh, host=HOST, constraints=[cm.Fixed("u", on="left"), cm.Fixed("u.x", on="right")],
        kinematics=cm.PlaneStress(bending=cm.Bending(curvature=2 * bend / H, neutral=H / 2)),
        potentials=[cm.Stored(energy + elastic), cm.Storage(), cm.Diffusion(bent_wire.D),
                    cm.ButlerVolmer(cm.ConstantExchange("10 A/m^2"), on="left")],
    )  # fmt: skip
    start = problem.state(c=lambda x: 0.5 - 0.41 * np.tanh((x[:, 0] - 0.8 * H) / (0.4 * H)))
    current = 96485.33 * 2.29e4 * 3 * H**2 / (300 * H**2 / bent_wire.D)  # fills it in 300 h^2/D
    found = cm.simulate(problem, start, cm.Discharge(current=current, until={"soc": 0.5}), frames=0)
    place = {}
    for edge in ("bottom", "top"):
        nodes = mesh.nodes_of(edge)
        nodes = nodes[np.argsort(mesh.points[nodes, 0])]
        place[edge] = np.interp(-0.5, -np.asarray(found.final.c)[nodes], mesh.points[nodes, 0]) / H
    return place["bottom"] - place["top"]


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_a_front_leads_on_the_side_in_tension():
    """By as much as the wire is bent; the other sign of the curvature swaps the sides."""
    found = {bend: lead(bend) for bend in (0.0005, 0.001, -0.001)}
    assert found[0.001] > 0.03
    assert found[-0.001] == pytest.approx(-found[0.001], rel=1e-6)
    assert found[0.0005] == pytest.approx(found[0.001] / 2, rel=0.01)


# --- stress ---------------------------------------------------------------------------------------------------------


V2O5 = {"E": 100e9, "strain": np.array([-0.0229, 0.0114, 0.135]), "jump": 0.6}


@pytest.mark.slow
def test_stress_of_a_flat_front_in_vanadium_oxide():
    """Half of the jump of the stresses E (eps_s + nu eps_t)/(1 - nu^2) along it: 4.0 GPa across a or b, 0.73 c."""
    mesh, crystal = bodies.strip(20e-9, 20), cm.LinearElastic.isotropic(V2O5["E"], NU, cm.Vegard(V2O5["strain"]))
    c = 0.5 - np.sign(np.round(mesh.points[:, 0] * 1e9 - 10.0, 6)) * V2O5["jump"] / 2
    for first, value in enumerate((4.0, 4.0, 0.73)):
        turned = np.roll(np.eye(3), first, axis=1)  # columns: the crystal axes, the first of them along x
        problem, state = stressed(
            mesh, c, cm.Oriented(crystal, rotation=turned), cm.GeneralisedPlaneStrain(mean_strain=("zz", "yy")),
            [cm.Periodic("y")],
        )  # fmt: skip
        s, t = np.delete(np.roll(V2O5["strain"], -first), 0) * V2O5["jump"] / 2
        stress = V2O5["E"] / (1 - NU**2) * np.array([s + NU * t, t + NU * s])
        expected = np.sqrt(stress @ stress - stress.prod())
        assert expected / 1e9 == pytest.approx(value, abs=0.05)
        away = np.abs(points.positions(problem)[:, 0] - 10e-9) > 6.5e-9
        np.testing.assert_allclose(von_mises(points.stresses(problem, state))[away], expected, rtol=1e-6)
