"""Uniform filling under a current: when it is lost, by how much differences grow, and the groups of diffusion.

Bai, Cogswell, Bazant, Nano Lett. 11 (2011) 4890; Cogswell, Bazant, ACS Nano 6 (2012) 2215.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clocks import seconds
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import landscape, phase_diagram, stability
from chemomech.thermo.relaxed import Stiffening

ONE = cm.Host.dimensionless()
HOST = cm.Host(c_max=1.3793e28 / 6.02214076e23, T=298.0, gas_constant=1.381e-23 * 6.02214076e23)
LFP = cm.RegularSolution(omega=1.8560e-20 * 6.02214076e23)
B = 0.1916e9
CONSTANT, SYMMETRIC, BAZANT = cm.ConstantExchange(1.0), cm.SymmetricExchange(1.0), cm.BazantExchange(1.0)


def regular(chi):
    return cm.RegularSolution(chi=chi)


@pytest.mark.parametrize(("coherent", "current"), [(False, 1.340), (True, 0.609)])
def test_critical_current_half_full(coherent, current):
    """In units of i0 at c = 1/2: 2 sinh(x/2), tanh(x/2) = |g|/(|g| + 2/(1-c))."""
    found = stability.critical_current_at(LFP, BAZANT, HOST, 0.5, B if coherent else 0.0)
    i0 = 0.5  # k0 (1 - c) exp(mu/2RT) with mu = 0
    assert float(found) / i0 == pytest.approx(current, abs=5e-4)


# chi, B/(R T c_max), critical current over k0, where
CRITICAL = [(2.5, 0.0, 0.257, 0.40), (2.82, 0.0, 0.438, None), (3.0, 0.0, 0.550, None), (4.51, 0.0, 1.952, 0.22),
            (4.51, 3.374, 0.575, 0.33)]  # fmt: skip


@pytest.mark.parametrize(("chi", "stiffness", "current", "where"), CRITICAL)
def test_critical_current(chi, stiffness, current, where):
    found, c = stability.critical_current(regular(chi), BAZANT, ONE, stiffness)
    assert float(found) == pytest.approx(current, rel=1e-2)
    if where:
        assert float(c) == pytest.approx(where, abs=6e-3)
    s = stability.driven_growth(regular(chi), BAZANT, ONE, c, found, stiffness)
    assert float(s) == pytest.approx(0.0, abs=1e-9)
    assert float(stability.driven_growth(regular(chi), BAZANT, ONE, c, 1.01 * found, stiffness)) < 0


def test_critical_rates_of_a_platelet():
    """20 nm thick, both faces, k0 = 0.16 A/m^2: 15 C with coherency strain, 51 C without; five times less at 100 nm."""
    exchange = cm.BazantExchange("0.16 A/m^2")
    for stiffness, rate, thick in ((B, 15.0, 3.0), (0.0, 51.0, 10.0)):
        i = stability.critical_current(LFP, exchange, HOST, stiffness)[0]
        assert float(stability.c_rate(i, HOST, 10e-9)) == pytest.approx(rate, abs=0.5)
        assert float(stability.c_rate(i, HOST, 50e-9)) == pytest.approx(thick, abs=0.25)
        if stiffness:
            assert float(i) == pytest.approx(0.092, rel=1e-2)


@pytest.mark.parametrize(
    ("exchange", "direction"), [(BAZANT, -1), (CONSTANT, 1), (CONSTANT, -1), (SYMMETRIC, 1), (SYMMETRIC, -1)]
)
def test_no_current_is_enough(exchange, direction):
    assert np.isinf(float(stability.critical_current(regular(2.5), exchange, ONE, 0.0, direction)[0]))


def test_a_stable_material_needs_no_current():
    assert float(stability.critical_current(regular(1.5), BAZANT, ONE)[0]) == 0.0
    assert float(stability.critical_current(LFP, BAZANT, HOST, 10 * B)[0]) == 0.0


# i/k0, then G of E25 at chi 2.5 and 3, E23 at chi 3, E22 at chi 4.51 inserting and extracting
AMPLIFICATION = [
    (0.01, 31.1, 83.0, 39.9, 176.0, 183.0),
    (0.1, 3.12, 8.31, 4.05, 15.1, 22.3),
    (1.0, 0.35, 0.93, 0.96, 0.37, 6.8),
]


@pytest.mark.parametrize(("i", "constant", "steeper", "symmetric", "inserted", "extracted"), AMPLIFICATION)
def test_amplification(i, constant, steeper, symmetric, inserted, extracted):
    found = [
        stability.amplification(psi, exchange, ONE, current)
        for psi, exchange, current in (
            (regular(2.5), CONSTANT, i), (regular(3.0), CONSTANT, i), (regular(3.0), SYMMETRIC, i),
            (regular(4.51), BAZANT, i), (regular(4.51), BAZANT, -i),
        )
    ]  # fmt: skip
    np.testing.assert_allclose(np.array(found), [constant, steeper, symmetric, inserted, extracted], rtol=1e-2)


def test_amplification_at_large_currents():
    large = stability.amplification
    assert float(large(regular(2.5), CONSTANT, ONE, 10.0)) == pytest.approx(0.16, abs=6e-3)
    assert float(large(regular(3.0), CONSTANT, ONE, 10.0)) == pytest.approx(0.42, abs=6e-3)
    assert float(large(regular(3.0), SYMMETRIC, ONE, 10.0)) == pytest.approx(2 - np.log(3), rel=2e-3)
    assert float(large(regular(4.51), BAZANT, ONE, 4.0)) == 0.0
    assert float(large(regular(4.51), BAZANT, ONE, -4.0)) == pytest.approx(5.9, abs=0.06)


@pytest.mark.parametrize(("exchange", "i"), [(BAZANT, 0.3), (BAZANT, -0.02), (SYMMETRIC, 0.7), (SYMMETRIC, 2.0)])
def test_amplification_by_a_fine_sum(exchange, i):
    """Two hundred thousand midpoints: one interval inside, and one that reaches an end of the domain."""
    c = (jnp.arange(200_000) + 0.5) / 200_000
    s = jax.vmap(lambda c: stability.driven_growth(regular(3.0), exchange, ONE, c, i))(c)
    expected = float(jnp.mean(jnp.maximum(s, 0.0))) / abs(i)
    assert float(stability.amplification(regular(3.0), exchange, ONE, i)) == pytest.approx(expected, rel=1e-7)


def test_amplification_without_bound():
    """A current that vanishes with c: s/i grows like 1/(2c), whose integral from c = 0 has no bound."""
    assert np.isinf(float(stability.amplification(regular(3.0), cm.TransitionStateExchange(1.0), ONE, 0.3)))
    assert np.isfinite(float(stability.amplification(regular(3.0), cm.TransitionStateExchange(1.0), ONE, -0.3)))


@pytest.mark.slow
def test_ten_thousand_interactions_in_a_second():
    """Amplification exponents and critical currents; 0.4 s of a quiet processor."""

    def both(chi):
        return stability.amplification(regular(chi), BAZANT, ONE, 0.3), stability.critical_current(
            regular(chi), BAZANT, ONE, 0.1
        )

    run, chi = jax.jit(jax.vmap(both)), jnp.linspace(2.1, 6.0, 10_000)
    assert seconds(run, [chi + shift for shift in (0.0, 1e-6, 2e-6, 3e-6)]) < 1.0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(run(chi)))


@pytest.mark.parametrize("exchange", [CONSTANT, SYMMETRIC, BAZANT, cm.TransitionStateExchange(1.0)])
def test_growth_is_that_of_the_depth_averaged_reaction(exchange):
    """`growth_rate` differentiates the incremental potential of a platelet, `driven_growth` its reaction."""
    c, i, thickness = 0.37, 0.4, 2.0
    psi = regular(2.7) + cm.GradientEnergy(1.0)
    mu = float(landscape.potential(psi, ONE, c))
    reaction = cm.ButlerVolmer(exchange, thickness=thickness)
    i0 = float(stability._exchange(exchange, ONE, jnp.asarray(c), mu))
    V = float(cm.overpotential(i, i0, ONE)) - mu
    wave = jnp.array([0.3, 0.0, 0.0])
    rate = stability.growth_rate(psi, (reaction,), ONE, c, V, wave)
    s = stability.driven_growth(psi, exchange, ONE, c, i, 0.09)
    assert float(rate) == pytest.approx(float(s) * 2 / thickness, rel=1e-9)
    # and both are i dln(i0)/dc - sqrt(i0^2 + i^2/4) g
    g = 1 / (c * (1 - c)) - 2 * 2.7 + 0.09
    slope = {
        "ConstantExchange": 0.0, "SymmetricExchange": (1 - 2 * c) / (2 * c * (1 - c)),
        "BazantExchange": -1 / (1 - c) + g / 2, "TransitionStateExchange": 1 / c - 1 / (1 - c) + g / 2,
    }[type(exchange).__name__]  # fmt: skip
    assert float(s) == pytest.approx(i * slope - np.sqrt(i0**2 + i**2 / 4) * g, rel=1e-9)


def test_groups_of_diffusion():
    """A sphere of radius 100 nm at two fluxes a thousand times apart, chi = 2.5, l = 9.6 nm, D = 1e-16 m^2/s."""
    host = cm.Host(c_max=1.85e4)
    kappa = (9.6e-9) ** 2 * host.RT * host.c_max
    for flux, expected in ((1e-7, 187.0), (1e-4, 0.187)):
        group = stability.separation_group(regular(2.5), host, flux, 100e-9 / 3, 1e-16, kappa)
        assert float(group) == pytest.approx(expected, rel=1e-2)
    # Pi = flux width/(c_max D_chem(c_b)(c_s - c_b)), written out
    b, s = 0.14479411, 0.27639320
    speed = 1.85e4 * 1e-16 * (1 - 5 * b * (1 - b)) * (s - b)
    group = stability.morphology_group(regular(2.5), host, 1e-5, 1e-7, 1e-16)
    assert float(group) == pytest.approx(1e-12 / speed, rel=1e-6)
    assert np.isinf(float(stability.morphology_group(regular(1.5), host, 1e-5, 1e-7, 1e-16)))
    assert float(stability.separation_group(regular(1.5), host, 1e-5, 1e-7, 1e-16, kappa)) == 0.0


def test_mean_field_and_stiffness_are_one():
    """A stiffness moves the spinodal as the mean-field energy does: there the critical current vanishes."""
    c = phase_diagram.spinodals(LFP + Stiffening(B), HOST).low[0]
    assert float(stability.critical_current_at(LFP, BAZANT, HOST, c - 1e-6, B)) == 0.0
    assert float(stability.critical_current_at(LFP, BAZANT, HOST, c + 1e-3, B)) > 0.0


@pytest.mark.parametrize(
    ("exchange", "direction", "limit"), [(BAZANT, -1, 4.0), (SYMMETRIC, 1, 1.5), (CONSTANT, 1, 0.5)]
)
def test_growth_at_endless_current(exchange, direction, limit):
    """The largest s/|i| at chi = 2.5 tends to a limit: no current suppresses these."""
    i = 1e4 * direction
    s = jax.vmap(lambda c: stability.driven_growth(regular(2.5), exchange, ONE, c, i))(
        jnp.linspace(0.0005, 0.9995, 2001)
    )
    assert float(s.max()) / 1e4 == pytest.approx(limit, rel=1e-3)


def test_numbers_that_mean_nothing_are_refused():
    """NaN would be a critical current of 0: stable at rest."""
    nan = float("nan")
    for asked, name in (
        (lambda: stability.critical_current(regular(3.0), BAZANT, ONE, nan), "stiffness is NaN"),
        (lambda: stability.critical_current_at(regular(3.0), BAZANT, ONE, 0.4, stiffness=nan), "stiffness is NaN"),
        (lambda: stability.amplification(regular(3.0), BAZANT, ONE, nan), "i is NaN"),
        (lambda: stability.critical_current(regular(nan), BAZANT, ONE), "A parameter of the energy is NaN"),
    ):
        with pytest.raises(cm.ConfigError, match=name):
            asked()


def test_amplification_at_rest():
    """Endless where a difference grows, none where it does not."""
    assert np.isinf(float(stability.amplification(regular(3.0), BAZANT, ONE, 0.0)))
    assert float(stability.amplification(regular(1.5), BAZANT, ONE, 0.0)) == 0.0


def test_a_direction_is_one_or_the_other():
    with pytest.raises(cm.ConfigError, match="direction = 2"):
        stability.critical_current(regular(2.5), BAZANT, ONE, 0.0, 2)


def test_another_charge_transfer_coefficient_is_refused():
    with pytest.raises(cm.ConfigError, match="alpha = 0.4: the closed form"):
        stability.driven_growth(regular(3.0), cm.BazantExchange(1.0, alpha=0.4), ONE, 0.5, 0.1)


@pytest.mark.slow
def test_texts_with_units():
    psi, exchange, host = regular(2.5), cm.BazantExchange("0.1 A/m^2"), cm.Host(c_max=1.85e4)
    psi_x, kinetics, wave = psi + cm.GradientEnergy(1e-10), (cm.Diffusion(1e-16),), [1e8, 0.0, 0.0]
    pairs = [
        (stability.driven_growth(psi, exchange, host, 0.4, "0.02 mA/cm^2", "3 MPa"),
         stability.driven_growth(psi, exchange, host, 0.4, 0.2, 3e6)),
        (stability.critical_current_at(psi, exchange, host, 0.4, stiffness="3 MJ/m^3"),
         stability.critical_current_at(psi, exchange, host, 0.4, 3e6)),
        (stability.amplification(psi, exchange, host, "0.2 A/m^2", count=50),
         stability.amplification(psi, exchange, host, 0.2, count=50)),
        (stability.c_rate("1 A/m^2", host, "10 nm"), stability.c_rate(1.0, host, 1e-8)),
        (stability.chemical_diffusivity(psi, host, 0.1, "1e-12 cm^2/s"),
         stability.chemical_diffusivity(psi, host, 0.1, 1e-16)),
        (stability.morphology_group(psi, host, "1e-5 mol/(m^2*s)", "100 nm", "1e-16 m^2/s"),
         stability.morphology_group(psi, host, 1e-5, 1e-7, 1e-16)),
        (stability.separation_group(psi, host, 1e-5, "33 nm", 1e-16, "1e-9 J/m"),
         stability.separation_group(psi, host, 1e-5, 33e-9, 1e-16, 1e-9)),
        (stability.growth_rate(psi_x, kinetics, host, 0.4, "10 mV", ["1e8 1/m", 0.0, 0.0]),
         stability.growth_rate(psi_x, kinetics, host, 0.4, 0.01, jnp.asarray(wave))),
        (stability.wave_numbers("1e6 1/m", "0.1 1/nm", 3)[-1], 1e8),
    ]  # fmt: skip
    np.testing.assert_allclose([float(a) for a, _ in pairs], [float(b) for _, b in pairs], rtol=1e-9)
    with pytest.raises(cm.UnitError, match='stiffness = "3 nm" has dimension'):
        stability.critical_current(psi, exchange, host, "3 nm")


@pytest.mark.slow
def test_gradients():
    check_gradient(lambda chi: stability.driven_growth(regular(chi), BAZANT, ONE, 0.4, 0.3, 0.1), 3.0)
    check_gradient(lambda chi: stability.critical_current(regular(chi), BAZANT, ONE, 0.1), 3.0)
    check_gradient(lambda chi: stability.critical_current_at(regular(chi), BAZANT, ONE, 0.4, 0.1), 3.0)
    check_gradient(lambda i: stability.amplification(regular(3.0), CONSTANT, ONE, i), 0.3)
    for exchange in (SYMMETRIC, BAZANT):  # s vanishes elsewhere when chi moves
        check_gradient(lambda chi, law=exchange: stability.amplification(regular(chi), law, ONE, 0.3), 3.0)
    check_gradient(lambda chi: stability.separation_group(regular(chi), ONE, 1.0, 1.0, 1.0, 1.0), 3.0)
    check_gradient(lambda chi: stability.morphology_group(regular(chi), ONE, 1.0, 1.0, 1.0), 3.0)
    check_gradient(lambda chi: stability.chemical_diffusivity(regular(chi), ONE, 0.1, 1.0), 3.0)
    check_gradient(lambda i: stability.c_rate(i, HOST, 1e-8), 0.3)


@pytest.mark.slow
def test_gradient_of_a_growth_rate():
    """Of a stressed, reacting, diffusing wave by its composition."""
    psi = regular(3.0) + cm.GradientEnergy(1e-10) + cm.LinearElastic.isotropic(1e11, 0.3, cm.BowedVegard(0.01, 0.003))
    kinetics, wave = (cm.ButlerVolmer(BAZANT, thickness=1e-8), cm.Diffusion(1e-16)), jnp.array([1e8, 2e8, 0.0])
    check_gradient(lambda c: stability.growth_rate(psi, kinetics, HOST, c, 0.01, wave), 0.4)
    check_gradient(lambda c: stability.potential(psi, HOST, c), 0.4)


@pytest.mark.slow
def test_gradient_of_the_fastest_growth():
    """By the composition, of waves of two normals and three lengths under reaction and diffusion."""
    psi = regular(3.0) + cm.GradientEnergy(1.0) + cm.LinearElastic.isotropic(3.0, 0.3, cm.Vegard([0.3, 0.1, 0.0]))
    kinetics = (cm.ButlerVolmer(BAZANT, thickness=1.0), cm.Diffusion(0.7))
    normals, sizes = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), jnp.array([0.2, 0.6, 1.4])
    check_gradient(lambda c: stability.fastest_growth(psi, kinetics, ONE, c, 0.1, normals, sizes), 0.4)
