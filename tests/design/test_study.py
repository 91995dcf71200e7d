"""Studies: numbers by their path, goals, limits, the gradient of a whole study, an optimum that is known."""

import jax
import numpy as np
import pytest

import chemomech as cm
from chemomech import design
from chemomech.errors import ConfigError
from chemomech.fem.mesh import rectangle

jax.config.update("jax_enable_x64", True)
C = 3600.0  # of the one-hour current: one filling per unit of time


@pytest.fixture(scope="module")
def experiment():
    """A square that is filled through its rim in two steps."""
    elastic = cm.LinearElastic.isotropic(50.0, 0.3, cm.Vegard(0.02, c_ref=0.2))
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 4, 4), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored([cm.RegularSolution(chi=1.0), elastic]), cm.Storage(), cm.Diffusion(1.0),
            cm.ButlerVolmer(cm.SymmetricExchange(1.0), V0=0.0, on="boundary"),
        ],
    )  # fmt: skip
    steps = [cm.Discharge(c_rate=rate * C, until={"time": 0.05}) for rate in (2.0, 6.0)]
    return design.Experiment(problem, problem.state(c=0.2), cm.Protocol(steps))


PATHS = {
    "potentials.0.psi.0.chi": 1.0, "potentials.0.psi.parts.1.eigenstrain.strain.0": 0.02, "host.T": 1.0,
    "protocol.1.c_rate": 6 * C, "protocol.0.until.time": 0.05, "potentials.0.psi.1.C.3.3": 50.0 / 2.6,
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_number_is_read_and_replaced(experiment, path):
    number = design.Number(path, -1.0, 1e6)
    assert number.initial(experiment)[0] == pytest.approx(PATHS[path])
    other = number.put(experiment, np.array([7.0]))
    assert number.initial(other)[0] == 7.0
    rest = [p for p in PATHS if p.replace("parts.", "") != path.replace("parts.", "")]
    assert all(design.Number(p, -1.0, 1e6).initial(other)[0] == pytest.approx(PATHS[p]) for p in rest)


def test_one_value_at_several_paths(experiment):
    both = design.Number(["potentials.0.psi.1.eigenstrain.strain.0", "potentials.0.psi.1.eigenstrain.strain.1"], 0, 1)
    moved = both.put(experiment, np.array([0.5]))
    np.testing.assert_allclose(moved.problem.potentials[0].psi.parts[1].eigenstrain.strain, [0.5, 0.5, 0.02, 0, 0, 0])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("protocol.0.c_rte", 'Did you mean "c_rate"'),
        ("potentials.9.D", "no `9` in `potentials`. It has: 0, 1, 2, 3"),
        ("mesh.points", "It has: host, potentials, kinematics, protocol"),
        ("protocol.0.until.voltage", "It has: time"),
        ("potentials.0.psi.1.C", r"an array of shape \(6, 6\): add an entry"),
        ("potentials.0.psi.1.C.6.0", "no entry of an array"),
        ("potentials.0.psi", "is no number, but Sum"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(experiment, path, message):
    with pytest.raises(ConfigError, match=message):
        design.Number(path, 0.0, 1.0).initial(experiment)


def test_bounds_are_numbers_or_quantities():
    number = design.Number("host.T", "20 degC", "0.4 kK")
    np.testing.assert_allclose([*number.lower, *number.upper], [293.15, 400.0])
    shape = design.Shape(design.Wire(rectangle(1.0, 5.0, 2, 8)), ["0.4 m", "-1 / m"], ["1 m", "1 / km"])
    np.testing.assert_allclose([*shape.lower, *shape.upper], [0.4, -1.0, 1.0, 1e-3])
    with pytest.raises(cm.UnitError, match=r"host\.T: a bound"):
        design.Number("host.T", "20 parsnips", 400.0)


def test_bounds_are_intervals(experiment):
    with pytest.raises(ConfigError, match="below the upper one"):
        design.Number("host.T", 2.0, 1.0)
    with pytest.raises(ConfigError, match="2 numbers: give one bound for all, or 2"):
        design.Shape(design.Wire(rectangle(1.0, 5.0, 2, 8)), [0.0, 0.0, 0.0], 1.0)
    with pytest.raises(ConfigError, match="`lower`, `upper` or both"):
        design.Limit(design.Column("soc"))
    with pytest.raises(ConfigError, match="at least one variable"):
        design.Study(experiment, [], design.Column("soc"))
    outside = design.Study(experiment, [design.Number("host.T", 2.0, 3.0)], design.Column("soc"))
    with pytest.raises(ConfigError, match=r"host\.T starts from 1, outside its bounds 2 to 3"):
        outside.initial  # noqa: B018
    with pytest.raises(ConfigError, match='when = "always"'):
        design.Column("soc", "always")


def study(experiment, objective, **options):
    rates = [design.Number(f"protocol.{k}.c_rate", C, 8 * C) for k in (0, 1)]
    width = design.Shape(design.Thickness(experiment.problem.mesh), 0.8, 1.25)
    newton = {"newton": cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))}
    return design.Study(experiment, [*rates, width], objective, options=newton, **options)


@pytest.mark.slow
def test_the_gradient_of_currents_and_shape(experiment):
    made = study(experiment, design.PeakStress("principal", 8), limits=[design.Limit(design.Column("soc"), 0.5, 0.7)])
    assert made.names == ("protocol.0.c_rate", "protocol.1.c_rate", "thickness")
    found = made.check(made.initial)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95
    values, jacobian = made.evaluate(made.initial)
    assert jacobian.shape == (2, 3)
    assert values[1] == pytest.approx(0.6)
    np.testing.assert_allclose(jacobian[1] * [C, C, 1.0], [0.05, 0.05, 0.0], atol=1e-9)


def test_starts_lie_within_the_bounds_and_begin_with_the_initial_design(experiment):
    made = study(experiment, design.Column("soc"))
    starts = made.starts(4, seed=1)
    np.testing.assert_array_equal(starts[0], made.initial)
    assert all(np.all((s >= made.lower) & (s <= made.upper)) for s in starts)
    assert len({tuple(s) for s in starts}) == 4


@pytest.mark.slow
@pytest.mark.parametrize("maximise", [False, True])
def test_an_optimum_that_is_known(experiment, maximise):
    """The last state of charge is linear in the currents: with a limit on their mean, its bounds are the answer."""
    limits = [design.Limit(design.Column("soc", "mean"), 0.3, 0.35)]
    rates = [design.Number(f"protocol.{k}.c_rate", C, 5 * C) for k in (0, 1)]
    options = {"newton": cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))}
    start = design.Experiment(
        experiment.problem, experiment.state,
        cm.Protocol([cm.Discharge(c_rate=2 * C, until={"time": 0.05}) for _ in range(2)]),
    )  # fmt: skip
    made = design.Study(start, rates, design.Column("soc"), limits, maximise=maximise, options=options)
    found = made.optimise(tolerance=1e-8)
    # mean over both steps: 0.2 + 0.0375 a + 0.0125 b; end: 0.2 + 0.05 (a + b), currents a, b of 1 to 5
    a, b = ((0.15 - 0.0125 * 5) / 0.0375, 5.0) if maximise else ((0.1 - 0.0125) / 0.0375, 1.0)
    np.testing.assert_allclose(found.x / C, [a, b], rtol=2e-2)
    assert found.value == pytest.approx(0.2 + 0.05 * (a + b), rel=1e-3)


@pytest.mark.slow
def test_a_stationary_state_without_a_protocol():
    """mu = R T (ln(c/(1-c)) + chi (1 - 2 c)) of a solid solution, by chi and by the mean composition."""
    chi, mean = 1.5, 0.3
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 2, 2), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=chi), cm.GradientEnergy(0.1)]), cm.Amount(mean)],
    )  # fmt: skip
    numbers = [design.Number("potentials.0.psi.0.chi", 0.5, 1.9), design.Number("potentials.1.mean", 0.1, 0.4)]
    newton = {"newton": cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))}
    limits = [design.Limit(design.Segregated("end"), upper=0.1), design.Limit(design.Column("soc"), upper=0.4)]
    made = design.Study(
        design.Experiment(problem, problem.uniform(mean)), numbers, design.Column("mu_mean"), limits, options=newton
    )
    values, jacobian = made.evaluate(made.initial)
    exact = np.log(mean / (1 - mean)) + chi * (1 - 2 * mean)
    np.testing.assert_allclose(values, [exact, 0.0, mean], atol=1e-9)
    np.testing.assert_allclose(jacobian[0], [1 - 2 * mean, 1 / (mean * (1 - mean)) - 2 * chi], rtol=1e-8)
    assert made.check(made.initial).error < 1e-7
    with pytest.raises(ConfigError, match=r"no `protocol` in an experiment\. It has: host, potentials, kinematics\.$"):
        design.Number("protocol.0.c_rate", 0.0, 1.0).initial(made.experiment)
    aimed = design.Study(made.experiment, numbers[1:], design.Target(design.Column("mu_mean"), -0.15, 1e-3))
    assert aimed.optimise(tolerance=1e-12).value < 1.0


def test_what_an_optimum_leaves_open(experiment):
    made = study(experiment, design.Column("soc"), limits=[design.Limit(design.PeakStress(), upper=2.0)])
    first = design.Evaluation(made.initial, np.array([0.6, 3.0]), np.zeros((2, 3)))
    missed = design.Optimum(np.array([C, 2 * C, 1.25]), 0.5, np.array([0.5, 2.5]), (first,), "")
    assert made.open(missed) == (
        "PeakStress is 2.5 and misses its limits -inf to 2",
        "protocol.0.c_rate stands at its lower bound 3600", "thickness stands at its upper bound 1.25",
    )  # fmt: skip
    met = missed._replace(x=np.array([2 * C, 2 * C, 1.0]), values=np.array([0.5, 2.0001]))
    assert made.open(met) == ()


def test_goals_of_a_run():
    solution = cm.Solution(
        {"time": np.array([0, 1, 3.0]), "soc": np.array([0.1, 0.2, 0.6]), "charge": np.array([0, 1, 5.0]),
         "voltage": np.array([3.0, 3.1, 3.3])}, [], None, [],
    )  # fmt: skip
    assert float(design.Column("soc")(solution)) == 0.6
    assert float(design.Column("soc", "mean")(solution)) == pytest.approx((0.15 + 2 * 0.4) / 3)
    assert float(design.Column("soc", "peak")(solution)) == pytest.approx(0.6, rel=0.1)
    halved = solution._replace(
        history={name: np.interp(np.linspace(0, 3, 61), [0, 1, 3.0], v) for name, v in solution.history.items()}
    )
    peaks = [float(design.Column("voltage", "peak")(s)) for s in (solution, halved)]
    assert peaks[0] == pytest.approx(peaks[1], rel=0.01)  # rows do not count, time does
    assert float(design.Capacity()(solution)) == 5.0
    assert float(design.Target(design.Column("soc"), 0.5, 0.2)(solution)) == pytest.approx(0.25)
    with pytest.raises(ConfigError, match="missed by a positive number"):
        design.Target(design.Column("soc"), 0.5, 0.0)
    assert float(design.TimeToSoc(0.4)(solution)) == pytest.approx(2.0)
    assert float(design.VoltageCurve(3.1, soc=[0.2])(solution)) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(cm.ChemomechError, match="no column 'stress'"):
        design.Column("stress")(solution)
    with pytest.raises(ConfigError, match="Cannot read the movie"):
        design.Movie("nowhere.npz")(solution)
