"""Steps of a protocol that stand for several."""

import jax
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ConfigError, UnitError
from chemomech.fem.mesh import rectangle


def test_a_staircase_is_a_hold_for_each_stair():
    """The last at the voltage that it stops at, all of them as long as the rate says."""
    down = cm.Protocol([cm.Staircase("3.5 V", 3.4, "0.1 mV/s", "30 mV"), cm.Rest(until={"time": 60.0})])
    assert [step.kind for step in down.steps] == ["hold"] * 4 + ["rest"]
    np.testing.assert_allclose([step.voltage for step in down.steps[:4]], [3.475, 3.45, 3.425, 3.4])
    np.testing.assert_allclose([step.stops["time"] for step in down.steps[:4]], 250.0)
    up = cm.Protocol([cm.Staircase(3.0, 3.1, rate=1e-3)])
    assert len(up.steps) == 20
    assert sum(step.stops["time"] for step in up.steps) == pytest.approx(100.0)
    assert up.steps[-1].voltage == pytest.approx(3.1)


def test_impossible_stairs_are_refused():
    with pytest.raises(ConfigError, match="start and stop are both 3 V. Use Hold"):
        cm.Staircase(3.0, 3.0, rate=1e-3)
    with pytest.raises(ConfigError, match="Staircase.rate = -0.001 must be positive"):
        cm.Staircase(3.0, 3.1, rate=-1e-3)
    with pytest.raises(ConfigError, match="Staircase.rise = 0 must be positive"):
        cm.Staircase(3.0, 3.1, rate=1e-3, rise=0.0)
    with pytest.raises(ConfigError, match="Staircase.stop = nan is not finite"):
        cm.Staircase(3.0, np.nan, rate=1e-3)
    with pytest.raises(ConfigError, match="makes more than 10000 stairs. Make `rise` larger"):
        cm.Staircase(3.0, 3.1, rate=1e-3, rise=1e-6)
    with pytest.raises(UnitError, match="Staircase.rate"):
        cm.Staircase(3.0, 3.1, rate="1 mV")
    with pytest.raises(ConfigError, match="differentiate by their voltages"):
        jax.grad(lambda V: cm.Protocol([cm.Staircase(3.0, V, rate=1e-3)]).steps[-1].voltage)(3.1)
    with pytest.raises(ConfigError, match="more than 10000 stairs"):
        cm.Staircase(3.0, 3.1, rate=1e-3, rise=1e-320)


@pytest.mark.parametrize("whole", [lambda step: step, lambda step: cm.Protocol([step])], ids=["alone", "protocol"])
def test_nothing_is_differentiated_by_a_staircase_as_an_argument(whole):
    """JAX replaces the numbers of the finished step: a run must not take them for those of its first stair."""
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 1, 1), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=1.0)), cm.Storage(), cm.Diffusion(1.0),
            cm.ButlerVolmer(cm.SymmetricExchange(1.0), V0=0.0, on="left"),
        ],
    )  # fmt: skip

    def charged(step):
        return cm.simulate(problem, problem.uniform(0.3), whole(step), frames=0).soc[-1]

    stairs = cm.Staircase(0.5, 0.3, rate=1.0, rise=0.1)
    assert 0 < charged(stairs) < 1
    with pytest.raises(ConfigError, match="differentiate by their voltages"):
        jax.grad(charged)(stairs)


def test_a_protocol_consists_of_steps():
    assert cm.Protocol(cm.Rest(until={"time": 1.0})).steps == (cm.Rest(until={"time": 1.0}),)
    for wrong in ([1.0], ["Rest"], [cm.Protocol([cm.Rest(until={"time": 1.0})])]):
        with pytest.raises(ConfigError, match="A protocol consists of steps, such as Discharge or Hold, not of"):
            cm.Protocol(wrong)
