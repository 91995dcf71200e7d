"""A LiFePO4 platelet at C/10, 1 C and 20 C: onset of separation, its suppression, stripes, charge, hysteresis.

Source of the reaction law and the parameters: Cogswell and Bazant, ACS Nano 6 (2012) 2215, arXiv:1110.3877; Bai,
Cogswell and Bazant, Nano Lett. 11 (2011) 4890, arXiv:1108.2326.
"""

import jax
import numpy as np
import pytest
from platelet import charge_error, leading_wave, noisy, onset, problem, ranges, stripe_normal

import chemomech as cm
from chemomech.thermo.coherency import coherency_modulus
from chemomech.thermo.stability import c_rate, driven_growth

pytestmark = pytest.mark.slow


def discharge(p, rate, to, state=None, **control):
    """One discharge from x = 0.02, or from a given state."""
    step = cm.Discharge(c_rate=rate, until={"soc": to})
    return cm.simulate(p, state or p.uniform(0.02), step, control=cm.ErrorControl(**control), keep=False)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
def test_onset_is_converged_in_time_and_phases_are_full():
    """At C/10 phases appear at mean c between 0.25 and 0.30, whatever the step; the range then exceeds 0.7."""
    p = problem()
    coarse = discharge(p, 0.1, 0.34)
    fine = discharge(p, 0.1, 0.34, tol=1e-3, instability=0.15, start=5e-5)
    assert 0.25 < onset(coarse) < 0.30
    assert abs(onset(coarse) - onset(fine)) < 0.01
    assert ranges(coarse).max() > 0.7
    assert charge_error(p, coarse) < 1e-10


@pytest.mark.repetition("rate")
@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize(("rate", "to"), [(1.0, 0.6), (0.1, 0.5)])
def test_slow_insertion_separates(rate, to):
    """From c = 0.22 with noise 0.02 and uniform k0, C/10 and 1 C separate."""
    p = problem(variation=0)
    assert ranges(discharge(p, rate, to, noisy(p, 0.22, 0.02))).max() > 0.7


@pytest.mark.usefixtures("linear")
def test_fast_insertion_suppresses_separation():
    """At 20 C, above the critical current, the range falls monotonically and is below 0.05 at x = 0.6."""
    p = problem(variation=0)
    r = ranges(discharge(p, 20.0, 0.6, noisy(p, 0.22, 0.02), dt_start=0.01))
    assert np.all(np.diff(r) < 1e-9)
    assert r[-1] < 0.05


@pytest.mark.repetition("rate")
@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize("rate", [1.0, 0.1, 20.0])
def test_amplitude_of_a_wave_follows_linear_theory(rate):
    """amplitude = exp(int (s/I) dc), s = I dln(i0)/dc - sqrt(i0^2 + I^2/4)(mu' + B/(RT c_max) + l^2 k^2), to 5 %."""
    p = problem(cells=14, variation=0, periodic=True, order=2)
    start = p.state(c=lambda x: 0.35 + 1e-5 * np.cos(2 * np.pi * x[:, 0] / 60e-9))
    sol = discharge(p, rate, 0.60, start, tol=1e-4, instability=0.06, start=1e-5, dt_max=4e-3 * 3600 / rate)
    amplitude = ranges(sol) / 2
    expected = predicted_amplitude(p, rate, sol.soc)
    small = (amplitude < 1e-2) & (np.arange(len(amplitude)) > 0)
    assert small.sum() > 20
    np.testing.assert_allclose(amplitude[small] / amplitude[0], expected[small], rtol=0.05)


def predicted_amplitude(p, rate, soc):
    """exp of the integral of s/I, from the same densities without a mesh."""
    lfp = cm.materials.load("LiFePO4")
    chemical, _, elastic = lfp.energy.terms()
    stiffness = float(coherency_modulus(elastic, [1.0, 0.0, 0.0], lfp.host)) + 5.0148e-10 * (2 * np.pi / 60e-9) ** 2
    c = np.linspace(soc[0], soc[-1], 20001)
    I = rate / float(c_rate(1.0, lfp.host, 10e-9))
    s = np.array(jax.vmap(lambda c: driven_growth(chemical, lfp.exchange, lfp.host, c, I, stiffness))(c))
    exponent = np.concatenate([[0.0], np.cumsum(0.5 * (s[1:] + s[:-1]) / I * np.diff(c))])
    return np.exp(np.interp(soc, c, exponent))


@pytest.mark.repetition("seed")
@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stripe_normal(seed):
    """At x = 0.6 the mean stripe normal lies at 27.5 +- 10 degrees from a, the direction of least B."""
    p = problem(seed=seed)
    sol = discharge(p, 0.1, 0.6)
    assert abs(stripe_normal(p, sol.final.c) - 27.5) < 10
    assert 0.25 < onset(sol) < 0.30


def relaxed(p, seed=0):
    """Long open-circuit evolution of a noisy half-filled periodic square."""
    return cm.simulate(p, noisy(p, 0.5, 0.02, seed), cm.Rest(until={"time": "60 h"}), keep=False)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
def test_wave_vector_in_a_periodic_square():
    """The box quantises angles: the final wave vector is (2, +-1), 26.57 degrees from a."""
    p = problem(cells=40, side=70e-9, variation=0, periodic=True)
    h, k = leading_wave(p, relaxed(p).final.c)
    assert (abs(h), abs(k)) == (2, 1)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
def test_stripes_follow_the_crystal():
    """With the crystal turned by the softest normal, the stripe normal lies along x."""
    p = problem(cells=40, variation=0, periodic=True, angle=np.radians(-27.5))
    h, k = leading_wave(p, relaxed(p).final.c)
    assert k == 0
    assert h >= 1


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
def test_hysteresis_is_not_the_overpotential_alone():
    """The largest voltage gap between discharge and charge at C/20 is at least 0.75 of that at C/10."""
    p = problem(cells=30)
    gaps = [voltage_gap(p, rate) for rate in (0.05, 0.1)]
    assert gaps[0] >= 0.75 * gaps[1]


def voltage_gap(p, rate):
    """Largest charge minus discharge voltage at equal x [V]."""
    cycle = cm.Protocol([
        cm.Discharge(c_rate=rate, until={"soc": 0.95}),
        cm.Rest(until={"time": "1 h"}),
        cm.Charge(c_rate=rate, until={"soc": 0.05}),
    ])  # fmt: skip
    sol = cm.simulate(p, p.uniform(0.02), cycle, keep=False)
    assert charge_error(p, sol) < 1e-10  # across the current jumps and the rest too
    x = np.linspace(0.06, 0.94, 200)
    down, up = ((sol.segment == k) & (sol.dt > 0) for k in (0, 2))
    charge = np.interp(x, sol.soc[up][::-1], sol.voltage[up][::-1])
    return float((charge - np.interp(x, sol.soc[down], sol.voltage[down])).max())
