"""Steps of a protocol that stand for several."""

import jax
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ConfigError, UnitError


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
    with pytest.raises(ConfigError, match="makes 100000 stairs; more than 10000 are refused. Make `rise` larger"):
        cm.Staircase(3.0, 3.1, rate=1e-3, rise=1e-6)
    with pytest.raises(UnitError, match="Staircase.rate"):
        cm.Staircase(3.0, 3.1, rate="1 mV")
    with pytest.raises(ConfigError, match="differentiate by their voltages"):
        jax.grad(lambda V: cm.Protocol([cm.Staircase(3.0, V, rate=1e-3)]).steps[-1].voltage)(3.1)
