"""Objectives: closed forms on made-up histories, and their gradient through a run."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech import design
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import rectangle

jax.config.update("jax_enable_x64", True)


def history(**columns) -> cm.Solution:
    return cm.Solution({name: np.asarray(v, float) for name, v in columns.items()}, [], None, [])


CYCLE = history(time=[0, 1, 2, 3, 4], soc=[0, 0.5, 1, 0.5, 0], voltage=[3, 3, 3, 4, 4], charge=[0, 5, 10, 5, 0])
CHARGE = history(time=[0, 1, 3], soc=[1.0, 0.6, 0.1], voltage=[3.0, 3.4, 3.9], maps=[[0, 0], [1, 2], [3, 6]])


def test_hysteresis_area_and_charge():
    assert float(design.hysteresis_area(CYCLE)) == pytest.approx(abs(3 * 10 - 3.5 * 5 - 4 * 5))
    assert float(design.charge_passed(CYCLE)) == 0.0
    assert float(design.charge_passed(history(charge=[0, -3.0]))) == 3.0


def test_time_to_soc():
    assert float(design.time_to_soc(CYCLE, 0.25)) == pytest.approx(0.5)
    assert float(design.time_to_soc(CHARGE, 0.35)) == pytest.approx(2.0)
    with pytest.raises(ChemomechError, match=r"never passes soc = 1\.2: it stays within 0 and 1"):
        design.time_to_soc(CYCLE, 1.2)


@pytest.mark.parametrize("last", [0.5, 0.5 - 1e-12, 0.5 + 1e-12])
def test_time_to_where_a_stop_event_ended(last):
    """To the event's tolerance, whether the run rests there or ends."""
    for rest in ([], [last]):
        run = history(time=np.arange(3.0 + len(rest)), soc=[0.0, 0.25, last, *rest])
        assert float(design.time_to_soc(run, 0.5)) == pytest.approx(2.0)


def test_a_misfit_that_vanishes_has_a_gradient():
    def misfit(voltage):
        run = CHARGE._replace(history={"time": CHARGE.time, "voltage": voltage, "maps": voltage[:, None]})
        found = design.movie_misfit(run, [1.0], [[3.4]])
        return found + design.voltage_misfit(run, [3.4], time=[1.0])

    np.testing.assert_array_equal(jax.grad(misfit)(jnp.asarray(CHARGE.voltage)), 0.0)


def test_voltage_misfit():
    curve = {"soc": [0.8, 0.35], "voltage": [3.2, 3.65]}
    assert float(design.voltage_misfit(CHARGE, **curve)) == pytest.approx(0.0, abs=1e-12)
    assert float(design.voltage_misfit(CHARGE, [3.1, 3.4], time=[0.5, 1.0])) == pytest.approx(np.sqrt(0.5 * 0.1**2))
    with pytest.raises(ChemomechError, match="over `soc` or over `time`"):
        design.voltage_misfit(CHARGE, [3.0])
    with pytest.raises(ChemomechError, match="covers time from 0 to 3"):
        design.voltage_misfit(CHARGE, [3.0], time=[4.0])
    with pytest.raises(ChemomechError, match="back and forth in soc"):
        design.voltage_misfit(CYCLE, [3.0], soc=[0.5])


def test_movie_misfit():
    assert float(design.movie_misfit(CHARGE, [0.5, 2.0], [[0.5, 1.0], [2.0, 4.0]])) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ChemomechError, match=r"shape \(1, 3\), the column 'maps' \(1, 2\)"):
        design.movie_misfit(CHARGE, [0.5], [[1, 2, 3]])


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_segregation_of_two_halves(share):
    """c = 1 on a share of a line, 0 on the rest, but for one cell between them."""
    n = 200
    problem = cm.Problem.build(
        rectangle(1.0, 1.0 / n, n, 1), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=2.5)]), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    index = design.Segregation()
    state = problem.state(c=lambda x: (x[:, 0] < share).astype(float))
    assert float(index(problem, state)) == pytest.approx(1, abs=0.02)
    assert float(index(problem, problem.state(c=share))) == pytest.approx(0, abs=1e-12)


@pytest.fixture(scope="module")
def body():
    elastic = cm.LinearElastic.isotropic(100.0, 0.3, cm.Vegard(0.05, c_ref=0.5))
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 4, 4), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=3.0), cm.GradientEnergy(0.02), elastic]), cm.Storage(),
                    cm.Diffusion(1.0)],
    )  # fmt: skip
    return problem, problem.state(c=lambda x: 0.5 + 0.1 * np.cos(3 * x[:, 0]) + 0.02 * x[:, 1])


@pytest.mark.slow
def test_gradient_of_objectives_through_a_run(body):
    problem, state = body
    observe = {
        "peak": design.StressPeak("principal", 8), "segregation": design.Segregation(),
        "maps": lambda problem, state: state.c,
    }  # fmt: skip
    newton = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))
    protocol = cm.Closed(until={"time": 0.02})
    steps = cm.simulate(problem, state, protocol, newton=newton, frames=0).steps
    maps = 0.5 + 0.1 * np.random.default_rng(0).normal(size=(2, len(state.c)))

    def judged(problem, replay=None):
        s = cm.simulate(problem, state, protocol, newton=newton, frames=0, observe=observe, replay=replay)
        out = design.smooth_maximum(s.peak, 8) + s.segregation[-1] + design.movie_misfit(s, [0.005, 0.013], maps)
        return out

    parameters, fixed = eqx.partition(problem.potentials, eqx.is_inexact_array_like)

    def of(parameters):
        potentials = eqx.combine(parameters, fixed)
        return judged(eqx.tree_at(lambda p: p.potentials, problem, potentials), steps)

    parameters = jax.tree.map(lambda v: jnp.asarray(v, float), parameters)
    found = cm.taylor_test(of, parameters, jax.grad(of)(parameters), size=1e-3)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95, found
