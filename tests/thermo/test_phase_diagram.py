"""Phase diagrams of regular solutions to the digits of their closed forms, of several wells, and without a gap."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clocks import seconds
from gradients import check_gradient
from wells import ThreeWells

import chemomech as cm
from chemomech.thermo import landscape, phase_diagram, voltage

HOST, ONE = cm.Host(c_max=2.29e4), cm.Host.dimensionless()
RT, F = 8.31446261815324 * 298.15, 96485.33212331

# chi, binodal, spinodal, mu(c_s) - mu(1 - c_s) [RT] and [mV], g(1/2) - g(c_b)
TABLE = [
    (2.2, 0.24853, 0.34924, "0.0819", "2.10", 0.00669),
    (2.5, 0.14479, 0.27639, "0.3112", "8.00", 0.03585),
    (2.82, 0.09019, 0.23038, "0.6290", "16.2", 0.08343),
    (3.0, 0.07072, 0.21132, "0.8302", "21.3", 0.11519),
    (4.0, 0.02125, 0.14645, "2.131", "54.8", 0.32652),
    (4.51, 0.01212, 0.12699, "2.873", "73.8", 0.44588),
]


def regular(chi):
    return cm.RegularSolution(chi=chi)


@pytest.mark.parametrize(("chi", "binodal", "spinodal", "loop", "millivolt", "barrier"), TABLE)
def test_regular_solution(chi, binodal, spinodal, loop, millivolt, barrier):
    psi = regular(chi)
    gaps, unstable = phase_diagram.gaps(psi, HOST), phase_diagram.spinodals(psi, HOST)
    assert int(gaps.found) == int(unstable.found) == 1
    assert float(gaps.low[0]) == pytest.approx(binodal, abs=6e-6)
    assert float(gaps.high[0]) == pytest.approx(1 - binodal, abs=6e-6)
    assert float(unstable.low[0]) == pytest.approx(spinodal, abs=6e-6)
    gap = float(voltage.hysteresis(psi, HOST)[0])
    for value, digits in ((gap / RT * F, loop), (1e3 * gap, millivolt)):
        assert f"{value:.{len(digits.split('.')[1])}f}" == digits
    height = float(phase_diagram.transition(psi, HOST).forward) / (RT * 2.29e4)
    assert height == pytest.approx(barrier, abs=6e-6)


@pytest.mark.parametrize(
    ("chi", "binodal", "spinodal", "mu"),
    [(2.5, 0.14479411, 0.27639320, 0.15561034), (3.0, 0.07072018, 0.21132487, 0.41509291),
     (4.0, 0.02124799, 0.14644661, 1.06567995), (4.51, 0.01212036, 0.12699162, 1.43671153)],
)  # fmt: skip
def test_regular_solution_to_eight_digits(chi, binodal, spinodal, mu):
    psi = regular(chi)
    assert float(phase_diagram.gaps(psi, ONE).low[0]) == pytest.approx(binodal, abs=6e-9)
    c = phase_diagram.spinodals(psi, ONE).low[0]
    assert float(c) == pytest.approx(spinodal, abs=6e-9)
    assert float(landscape.potential(psi, ONE, c)) == pytest.approx(mu, abs=6e-9)


@pytest.mark.parametrize("chi", [2.001, 2.01, 8.0, 16.0, 25.0, 30.0])
def test_both_conditions_hold_to_round_off(chi):
    """Next to the critical point and where phases are nearly pure: equal slopes, and the chord has that slope."""
    gaps = phase_diagram.gaps(regular(chi), ONE)
    low, high = gaps.low[0], gaps.high[0]
    assert int(gaps.found) == 1
    assert float(low + high) == pytest.approx(1.0, abs=1e-9)
    # mu = 0 of a symmetric energy; for a chord of no slope it says  ln(c/(1-c)) = -chi(1-2c)
    assert float(jnp.log(low / (1 - low)) + chi * (1 - 2 * low)) == pytest.approx(0.0, abs=1e-9)


def test_a_tilt_moves_the_tangent_and_not_the_phases():
    tilted = cm.RedlichKister([3.0 * RT], mu0=-3.4 * F)
    gaps = phase_diagram.gaps(tilted, HOST)
    assert float(gaps.low[0]) == pytest.approx(0.07072018, abs=1e-8)
    assert float(voltage.plateaus(gaps, HOST)[0]) == pytest.approx(3.4, abs=1e-12)


def test_an_asymmetric_energy():
    """Redlich-Kister of two terms: the conditions of a common tangent, written out."""
    psi = cm.RedlichKister([2.6, 0.5])

    def f(c):
        return c * np.log(c) + (1 - c) * np.log(1 - c) + c * (1 - c) * (2.6 + 0.5 * (1 - 2 * c))

    gaps = phase_diagram.gaps(psi, ONE)
    a, b, mu = float(gaps.low[0]), float(gaps.high[0]), float(gaps.mu[0])
    h = 1e-6
    for c in (a, b):
        assert (f(c + h) - f(c - h)) / (2 * h) == pytest.approx(mu, abs=1e-8)
    assert (f(b) - f(a)) / (b - a) == pytest.approx(mu, abs=1e-12)
    assert a + b != pytest.approx(1.0, abs=1e-2)


def test_three_wells_have_two_gaps():
    """Lowered middle well: the two tangents are mirror images; the spinodals lie inside them."""
    psi = ThreeWells(100.0, -0.02)
    gaps, unstable = phase_diagram.gaps(psi, ONE), phase_diagram.spinodals(psi, ONE)
    assert int(gaps.found) == 2
    assert list(np.asarray(gaps.exists)) == [True, True, False, False]
    assert float(gaps.low[0] + gaps.high[1]) == pytest.approx(1.0, abs=1e-10)
    assert float(gaps.mu[0] + gaps.mu[1]) == pytest.approx(0.0, abs=1e-10)
    assert float(gaps.mu[0]) == pytest.approx(-0.04, rel=0.02)
    for k in range(2):
        assert gaps.low[k] < unstable.low[k] < unstable.high[k] < gaps.high[k]
    steps = phase_diagram.stable_potential(psi, ONE, gaps, jnp.array(0.25))
    assert float(steps) == float(gaps.mu[0])


def walked(c, f):
    """Edges of the lower hull that skip points, by a walk that drops what lies above."""
    noise, kept = 4 * np.finfo(float).eps * np.abs(f).max(), []
    f = f - (f[0] + (f[-1] - f[0]) / (c[-1] - c[0]) * (c - c[0]))
    for k in range(len(c)):
        while len(kept) > 1:
            i, j = kept[-2:]
            if f[j] - f[i] - (c[j] - c[i]) / (c[k] - c[i]) * (f[k] - f[i]) < -noise:
                break
            kept.pop()
        kept.append(k)
    return [(i, j) for i, j in itertools.pairwise(kept) if j > i + 1]


@pytest.mark.parametrize("kind", ["smooth", "noise", "rough", "straight pieces", "corner and flat"])
def test_edges_of_the_hull_against_a_walk(kind):
    c, rng = np.linspace(0.0, 1.0, 401), np.random.default_rng(0)
    draw = {
        "smooth": lambda: np.polynomial.Polynomial(rng.normal(size=8))(2 * c - 1),
        "noise": lambda: rng.normal(size=401),
        "rough": lambda: np.cumsum(np.cumsum(rng.normal(size=401))) / 401**2,
        "straight pieces": lambda: np.interp(c, np.linspace(0, 1, 9), rng.normal(size=9)),
        "corner and flat": lambda: np.maximum(0.3 * np.abs(c - rng.uniform()), 0.1 * rng.uniform()),
    }[kind]
    energies = np.array([draw() for _ in range(100)])
    first, last, found = jax.jit(jax.vmap(lambda f: phase_diagram.chords(jnp.asarray(c), f, 30)))(energies)
    for f, i, j, count in zip(energies, *map(np.asarray, (first, last, found)), strict=True):
        expected = walked(c, f)
        assert count == len(expected)
        assert list(zip(i[:count], j[:count], strict=True)) == expected[:30]


def test_a_raised_middle_well_is_not_stable():
    """One tangent from end to end passes below it, although there are two unstable intervals."""
    psi = ThreeWells(100.0, 0.02)
    gaps = phase_diagram.gaps(psi, ONE)
    assert int(gaps.found) == 1
    assert float(gaps.high[0]) == pytest.approx(1 - float(gaps.low[0]), abs=1e-10)
    assert int(phase_diagram.spinodals(psi, ONE).found) == 2
    path = phase_diagram.transition(psi, ONE)
    assert float(path.driving) == pytest.approx(0.0, abs=1e-12)
    c = np.linspace(0.0, 1.0, 100001)
    heights = 100.0 * (c * (c - 0.5) * (c - 1)) ** 2 + 0.02 * (1 - 4 * (c - 0.5) ** 2)
    touching = float(landscape.energy(psi, ONE, gaps.low[0]))
    assert float(path.forward) == pytest.approx(heights.max() - touching, rel=1e-7)
    assert float(phase_diagram.barrier(psi, ONE, gaps)) == pytest.approx(float(path.forward), rel=1e-9)


def test_three_wells_of_equal_depth():
    """Degenerate: the end phases are found whether the middle well counts as a phase or not."""
    gaps = phase_diagram.gaps(ThreeWells(100.0, 0.0), ONE)
    count = int(gaps.found)
    assert count in (1, 2)
    assert float(gaps.low[0]) == pytest.approx(0.0, abs=1e-7)
    assert float(gaps.high[count - 1]) == pytest.approx(1.0, abs=1e-7)
    assert np.isfinite(np.asarray(gaps.mu)).all()


def test_more_gaps_than_are_kept_are_counted():
    gaps = phase_diagram.gaps(ThreeWells(100.0, -0.02), ONE, most=1)
    assert int(gaps.found) == 2
    assert gaps.low.shape == (1,)


def test_a_flat_voltage_is_one_plateau():
    gaps = phase_diagram.gaps(cm.TabulatedOCV([0.1, 0.5, 0.9], [3.4, 3.4, 3.4]), HOST)
    assert int(gaps.found) == 1
    assert (float(gaps.low[0]), float(gaps.high[0])) == (0.1, 0.9)
    assert float(voltage.plateaus(gaps, HOST)[0]) == pytest.approx(3.4, rel=1e-12)


def test_a_table_of_a_regular_solution_has_its_gap():
    """The spline of -mu/F through 400 points; table ends are not taken for phases."""
    c = np.linspace(0.02, 0.98, 400)
    psi = cm.TabulatedOCV(c, -RT / F * (np.log(c / (1 - c)) + 2.5 * (1 - 2 * c)))
    gaps, unstable = phase_diagram.gaps(psi, HOST), phase_diagram.spinodals(psi, HOST)
    assert int(gaps.found) == int(unstable.found) == 1
    assert float(gaps.low[0]) == pytest.approx(0.14479411, abs=1e-6)
    assert float(unstable.low[0]) == pytest.approx(0.27639320, abs=1e-4)


def test_a_phase_at_the_end_of_the_span_touches_without_being_tangent():
    """-c^2 + c^4 on (0, 1): from c = 0, where the slope is 0, to where mu = f/c, c^2 = 1/3 ... and mu < 0."""

    class Quartic(cm.AbstractFreeEnergy):
        def __call__(self, s):
            return s.c**3 * 0 - s.c + (s.c - 0.25) ** 3

    gaps = phase_diagram.gaps(Quartic(), ONE, span=(0.0, 1.0))
    assert float(gaps.low[0]) == 0.0
    b = float(gaps.high[0])  # (b - 1/4)^3 + 1/64 = 3 b (b - 1/4)^2  has the root 3/8
    assert b == pytest.approx(0.375, abs=1e-10)
    assert float(gaps.mu[0]) == pytest.approx(-1 + 3 * 0.125**2, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("chi", [-1.0, 0.0, 1.5, 2.0])
def test_no_gap(chi):
    """A gap of no width where one would open; never NaN, with finite derivatives."""
    gaps, unstable = phase_diagram.gaps(regular(chi), HOST), phase_diagram.spinodals(regular(chi), HOST)
    assert int(gaps.found) == int(unstable.found) == 0
    assert not bool(gaps.exists.any())
    for end in (gaps.low, gaps.high, unstable.low, unstable.high):
        assert float(end[0]) == pytest.approx(0.5, abs=0.003)
    path = phase_diagram.transition(regular(chi), HOST)
    assert float(path.forward) == float(path.backward) == float(path.driving) == 0.0
    assert float(phase_diagram.barrier(regular(chi), HOST, gaps)) == 0.0

    def found(x):
        known = phase_diagram.gaps(regular(x), HOST)
        return phase_diagram.transition(regular(x), HOST), phase_diagram.barrier(regular(x), HOST, known)

    slopes = jax.jacrev(found)(chi)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_stability_margin_is_that_of_the_middle():
    for chi in (0.5, 2.5):
        assert float(phase_diagram.stability_margin(regular(chi), HOST)) == pytest.approx(4 - 2 * chi, abs=1e-12)
    assert float(phase_diagram.critical_composition(cm.RedlichKister([2.6, 0.5]), ONE)) != pytest.approx(0.5, abs=0.02)


def test_gap_against_temperature():
    """omega = 2.5 R T at 298.15 K: T_c = omega/2R; at each T the gap of chi = omega/RT."""
    omega, R = 2.5 * RT, 8.31446261815324
    psi = cm.RegularSolution(omega=omega)
    T, found = phase_diagram.critical_temperature(psi, HOST)
    assert bool(found)
    assert float(T) == pytest.approx(omega / (2 * R), rel=1e-9)
    gaps = phase_diagram.gaps_at(psi, HOST, [250.0, 298.15, 380.0])
    assert gaps.low.shape == (3, 4)
    for k, t in enumerate((250.0, 298.15)):
        expected = phase_diagram.gaps(regular(omega / (R * t)), ONE).low[0]
        assert float(gaps.low[k, 0]) == pytest.approx(float(expected), rel=1e-9)
    assert not bool(gaps.exists[2, 0])
    assert not bool(phase_diagram.critical_temperature(psi, HOST, 400.0, 500.0)[1])


@pytest.mark.parametrize(("share", "barrier", "reverse"), [(0.0, 1.0, 1.0), (0.25, 0.643, 1.41), (0.5, 0.347, 1.88),
                                                           (0.75, 0.122, 2.41), (1.0, 0.0, 3.01)])  # fmt: skip
def test_barrier_under_a_tilt(share, barrier, reverse):
    """In units of the barrier at coexistence, for tilts in units of the one at which the poor phase is lost."""
    psi, lost = regular(2.5), 0.15561034
    none = float(phase_diagram.transition(psi, ONE).forward)
    path = phase_diagram.transition(psi, ONE, share * lost)
    assert none == pytest.approx(0.03585, abs=6e-6)
    assert float(path.forward) / none == pytest.approx(barrier, abs=6e-4)
    assert float(path.backward) / none == pytest.approx(reverse, abs=6e-3)
    assert float(path.driving) == pytest.approx(float(path.backward - path.forward), abs=1e-15)


def test_beyond_the_spinodal_a_well_is_lost():
    path = phase_diagram.transition(regular(2.5), ONE, 0.2)
    assert float(path.low) == float(path.saddle) == pytest.approx(0.27639320, abs=1e-8)
    assert float(path.forward) == 0.0
    assert float(path.driving) > 0


def test_envelope():
    """Below the energy inside the gap, the same outside, convex everywhere."""
    psi, c = regular(3.0), np.linspace(0.005, 0.995, 199)
    gaps = phase_diagram.gaps(psi, ONE)
    stable = np.array(jax.vmap(lambda x: phase_diagram.envelope(psi, ONE, gaps, x))(c))
    own = np.array(jax.vmap(lambda x: landscape.energy(psi, ONE, x))(c))
    inside = (c > 0.0708) & (c < 0.9292)
    assert (stable[inside] < own[inside]).all()
    np.testing.assert_array_equal(stable[~inside], own[~inside])
    assert np.diff(stable, 2).min() > -1e-14
    assert float(phase_diagram.envelope(psi, ONE, gaps, 0.5)) == pytest.approx(float(own[99]) - 0.11519417, abs=1e-8)


def lopsided(b):
    return cm.RedlichKister(jnp.stack([b, 0.3 * b]))


@pytest.mark.slow
@pytest.mark.parametrize("x", [2.3, 3.0, 4.51])
def test_gradients(x):
    def phases(b):
        gaps = phase_diagram.gaps(lopsided(b), ONE, most=1)
        return gaps, phase_diagram.barrier(lopsided(b), ONE, gaps)

    check_gradient(phases, x)
    check_gradient(lambda b: phase_diagram.spinodals(lopsided(b), ONE, most=1), x)
    check_gradient(lambda b: phase_diagram.transition(lopsided(b), ONE, 0.02), x)
    check_gradient(lambda b: phase_diagram.stability_margin(lopsided(b), ONE), x)


@pytest.mark.slow
def test_gradients_of_voltages_and_of_closing():
    def curves(b):
        psi, gaps = lopsided(b), phase_diagram.gaps(lopsided(b), ONE, most=1)
        inside, outside = 0.5 + 0 * b, 0.01 + 0 * b
        values = [phase_diagram.envelope(psi, ONE, gaps, c) for c in (inside, outside)]
        values += [voltage.open_circuit(psi, ONE, gaps, c, 3.4) for c in (inside, outside)]
        return values, voltage.plateaus(gaps, ONE, 3.4), voltage.hysteresis(psi, ONE)[:1]

    check_gradient(curves, 3.0)
    check_gradient(
        lambda b: phase_diagram.critical_composition(cm.RedlichKister(jnp.stack([2.5 + 0 * b, b])), ONE), 0.2
    )
    check_gradient(lambda w: phase_diagram.critical_temperature(cm.RegularSolution(omega=w), HOST)[0], 7200.0)


@pytest.mark.slow
def test_gradients_by_the_reservoir():
    psi = cm.RedlichKister([3.0, 0.9])
    check_gradient(lambda mu: phase_diagram.transition_at(psi, ONE, mu), 0.1)


@pytest.mark.slow
def test_second_derivatives():
    def low(chi):
        return phase_diagram.gaps(regular(chi), ONE, most=1).low[0]

    check_gradient(jax.grad(low), 3.0)


def test_an_energy_with_strain_needs_a_body():
    psi = cm.materials.load("LiFePO4").energy
    with pytest.raises(cm.ConfigError, match="A density reads `H`.*Free.psi. for a stress-free one, Layer"):
        phase_diagram.gaps(psi, HOST)


def test_numbers_that_mean_nothing_are_refused():
    for energy in (regular(float("nan")), cm.RedlichKister([3.0, np.nan])):
        for asked in (phase_diagram.gaps, phase_diagram.spinodals, phase_diagram.stability_margin):
            with pytest.raises(cm.ConfigError, match="A parameter of the energy is NaN"):
                asked(energy, ONE)
    with pytest.raises(cm.ConfigError, match="three compositions"):
        phase_diagram.gaps(regular(3.0), ONE, count=2)
    for T, message in (([300.0, -5.0], "must be positive"), ([0.0], "must be positive"), ("300 K", "a row of")):
        with pytest.raises(cm.ConfigError, match=message):
            phase_diagram.gaps_at(regular(3.0), HOST, T)


def test_texts_with_units():
    psi = regular(2.5)
    known = phase_diagram.gaps(psi, HOST)
    for given, number in (
        (phase_diagram.transition(psi, HOST, "0.1 kJ/mol"), phase_diagram.transition(psi, HOST, 100.0)),
        (phase_diagram.transition_at(psi, HOST, "0.1 kJ/mol"), phase_diagram.transition_at(psi, HOST, 100.0)),
        (voltage.plateaus(known, HOST, "3400 mV"), voltage.plateaus(known, HOST, 3.4)),
        (voltage.homogeneous(psi, HOST, 0.3, "3400 mV"), voltage.homogeneous(psi, HOST, 0.3, 3.4)),
        (phase_diagram.critical_temperature(cm.RegularSolution(omega=6e3), HOST, "200 K", "600 K"),
         phase_diagram.critical_temperature(cm.RegularSolution(omega=6e3), HOST, 200.0, 600.0)),
    ):  # fmt: skip
        for a, b in zip(jax.tree.leaves(given), jax.tree.leaves(number), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    with pytest.raises(cm.UnitError, match='tilt = "1 V" has dimension'):
        phase_diagram.transition(psi, HOST, "1 V")


def test_a_tilt_that_is_no_number():
    known = phase_diagram.gaps(regular(2.5), HOST)
    for asked, name in (
        (lambda bad: phase_diagram.transition(regular(2.5), HOST, bad), "tilt"),
        (lambda bad: phase_diagram.transition_at(regular(2.5), HOST, bad), "mu"),
        (lambda bad: phase_diagram.transition_of(regular(2.5), HOST, known, bad), "mu"),
    ):
        for bad in (float("nan"), jnp.array(jnp.nan), np.float64("nan")):
            with pytest.raises(cm.ConfigError, match=f"{name} is NaN"):
                asked(bad)


def test_a_span_is_ordered_and_a_gap_exists():
    with pytest.raises(cm.ConfigError, match="smaller composition comes first"):
        phase_diagram.gaps(regular(3.0), HOST, span=(1.0, 0.0))
    with pytest.raises(cm.ConfigError, match="counted from 0 to 3"):
        phase_diagram.transition(regular(3.0), HOST, gap=4)
    with pytest.raises(cm.ConfigError, match="counted from 0 to 0"):
        phase_diagram.barrier(regular(3.0), HOST, phase_diagram.gaps(regular(3.0), HOST, most=1), gap=-1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [
        lambda chi: phase_diagram.gaps(regular(chi), HOST, most=1),
        lambda chi: phase_diagram.gaps(regular(chi), HOST),
        lambda chi: phase_diagram.transition(regular(chi), HOST, 50.0),
        lambda chi: phase_diagram.critical_temperature(cm.RegularSolution(omega=chi * RT), HOST),
    ],
    ids=["gaps", "all gaps", "transition", "critical_temperature"],
)
def test_ten_thousand_sets_in_a_second(function):
    """0.2 to 0.5 s of a quiet processor."""
    run, chi = jax.jit(jax.vmap(function)), jnp.linspace(1.5, 6.0, 10_000)
    assert seconds(run, [chi + shift for shift in (0.0, 1e-3, 2e-3, 3e-3)]) < 1.0
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(run(chi)))


@pytest.mark.slow
def test_gradients_by_temperature():
    psi = cm.RegularSolution(omega=3 * RT)
    check_gradient(lambda T: phase_diagram.gaps_at(psi, HOST, jnp.stack([T]), most=1).low, 300.0)
    check_gradient(lambda T: voltage.homogeneous(psi, phase_diagram.at_temperature(HOST, T), 0.3, 3.4), 300.0)
