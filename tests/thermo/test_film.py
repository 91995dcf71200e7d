"""Strained films against the closed forms of an isotropic one.

f = R T c_max g(c) + M (strain - eta c - b c(1-c))^2 with M = E/(1 - nu): swelling lowers chi by M eta^2/(R T c_max),
strain tilts, and only bowing or a stiffness that depends on c lets strain move chi.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clocks import seconds
from gradients import check_gradient
from wells import ThreeWells

import chemomech as cm
from chemomech.thermo import coherency, film, landscape, phase_diagram, voltage

HOST = cm.Host(c_max=1.853e4)
RHO, F = 8.31446261815324 * 298.15 * 1.853e4, 96485.33212331
NU = 0.3


def isotropic(M=100e9, eta=0.005, bowing=0.0, chi=2.5, softening=None):
    lithiated = None if softening is None else cm.LinearElastic.isotropic(M * (1 - NU) * softening, NU).C
    swelling = cm.BowedVegard(eta, bowing)
    return cm.RegularSolution(chi=chi) + cm.LinearElastic.isotropic(M * (1 - NU), NU, swelling, C_lithiated=lithiated)


def test_energy_and_stress():
    """At one point, bowed and with a modulus that halves: M(c) (strain - eps0)^2 and 2 M ... per direction."""
    c, strain = 0.3, 0.004
    psi = isotropic(bowing=0.002, softening=0.5)
    M, free = 100e9 * (1 - 0.5 * c), strain - 0.005 * c - 0.002 * c * (1 - c)
    mixing = c * np.log(c) + (1 - c) * np.log(1 - c) + 2.5 * c * (1 - c)
    assert float(landscape.energy(film.film(psi, strain), HOST, c)) == pytest.approx(
        RHO * mixing + M * free**2, rel=1e-9
    )
    np.testing.assert_allclose(film.stress(psi, HOST, c, strain), M * free * np.array([1, 1, 0, 0, 0, 0]), atol=1e-3)
    surface = film.energies(psi, HOST, jnp.array([0.1, c]), jnp.array([0.0, strain, 0.01]))
    assert surface.shape == (3, 2)
    assert float(surface[1, 1]) == pytest.approx(RHO * mixing + M * free**2, rel=1e-9)


def test_what_means_nothing_is_refused():
    with pytest.raises(cm.ConfigError, match="parameter of the energy is NaN"):
        film.stress(isotropic(eta=np.nan), HOST, 0.5, 0.0)
    with pytest.raises(cm.ConfigError, match="counted from 0"):
        film.barriers_against_strain(isotropic(), HOST, [0.0, 0.01], gap=-1)


@pytest.mark.slow
@pytest.mark.parametrize(("M", "critical"), [(100e9, 0.0152), (50e9, 0.0214), (150e9, 0.0124)])
def test_misfit_that_closes_the_gap(M, critical):
    """eta = sqrt((chi - 2) R T c_max/M), and chi_film."""
    margin = lambda eta: phase_diagram.stability_margin(film.film(isotropic(M, eta), 0.0), HOST)  # noqa: E731
    eta, found = phase_diagram.closing(margin, 0.001, 0.05)
    assert bool(found)
    assert float(eta) == pytest.approx(critical, abs=6e-5)
    assert float(eta) == pytest.approx(np.sqrt(0.5 * RHO / M), rel=1e-9)
    chi = coherency.effective_interaction(film.film(isotropic(M, 0.01), 0.0), HOST)
    assert float(chi) == pytest.approx(2.5 - M * 0.01**2 / RHO, rel=1e-9)


def test_bowing_lets_strain_move_chi():
    """d chi = -2 M b strain/(R T c_max): -0.25 for M = 100 GPa, b = 0.0057, 1 %."""
    chis = [coherency.effective_interaction(film.film(isotropic(eta=0.0, bowing=0.0057), e), HOST) for e in (0.0, 0.01)]
    assert -2 * 100e9 * 0.0057 * 0.01 / RHO == pytest.approx(-0.25, rel=1e-2)
    # the bowing's own square adds (1 - 2c)^2, which vanishes where the curvature is least
    assert float(chis[1] - chis[0]) == pytest.approx(-2 * 100e9 * 0.0057 * 0.01 / RHO, rel=1e-2)


@pytest.mark.slow
def test_strain_that_closes_the_gap():
    """Without swelling 4 - 2 chi + (4 M b strain - M b^2)/(R T c_max) = 0 at c = 1/2; without bowing there is none."""
    strain, found = film.closing_strain(isotropic(eta=0.0, bowing=0.01), HOST, 0.0, 0.05)
    assert bool(found)
    assert float(strain) == pytest.approx((RHO + 100e9 * 0.01**2) / (4 * 100e9 * 0.01), rel=1e-9)
    assert not bool(film.closing_strain(isotropic(), HOST, -0.05, 0.05)[1])


@pytest.mark.slow
def test_strain_trades_one_barrier_for_the_other():
    """A linear misfit tilts by 2 M eta strain: the barriers are those of the regular solution under this tilt."""
    psi, tilt = isotropic(), 2 * 100e9 * 0.005 * 0.001 / 1.853e4
    chi = 2.5 - 100e9 * 0.005**2 / RHO
    plain = phase_diagram.transition(cm.RegularSolution(chi=chi), HOST, tilt)
    strained = film.barriers_against_strain(psi, HOST, jnp.array([0.0, 0.001]))
    assert float(strained.forward[1]) == pytest.approx(float(plain.forward), rel=1e-7)
    assert float(strained.backward[1]) == pytest.approx(float(plain.backward), rel=1e-7)
    assert strained.forward[1] < strained.forward[0] < strained.backward[1]
    # with bowing tension lowers both
    bowed = film.barriers_against_strain(isotropic(eta=0.0, bowing=0.005), HOST, jnp.array([0.0, 0.005]))
    assert bowed.forward[1] < bowed.forward[0]
    assert bowed.backward[1] < bowed.backward[0]


@pytest.mark.slow
def test_gaps_against_strain():
    gaps = film.gaps_against_strain(isotropic(eta=0.0, bowing=0.01), HOST, jnp.array([0.0, 0.005, 0.02]))
    assert gaps.low.shape == (3, 4)
    assert list(np.asarray(gaps.exists[:, 0])) == [True, True, False]
    assert gaps.width[1, 0] < gaps.width[0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["strain", "bowing"])
def test_ten_thousand_films_in_a_second(by):
    """Gaps of bowed films; 0.4 s of a quiet processor."""

    def gaps(x):
        psi = isotropic(eta=0.002, bowing=0.01 if by == "strain" else x)
        return phase_diagram.gaps(film.film(psi, x if by == "strain" else 0.002), HOST, most=1)

    run, x = jax.jit(jax.vmap(gaps)), jnp.linspace(0.0, 0.01, 10_000)
    assert seconds(run, [x + shift for shift in (0.0, 1e-6, 2e-6, 3e-6)]) < 1.0
    found = run(x)
    assert np.isfinite(np.asarray(found.low)).all()
    assert bool(found.exists.all())
    np.testing.assert_allclose(found.low[1:, 0], found.low[:-1, 0], atol=1e-4)  # no film jumps out of the row


@pytest.mark.slow
def test_voltage_per_strain():
    """2 M eta/(F c_max), the stress of a unit strain times the in-plane swelling."""
    found = film.voltage_per_strain(isotropic(), HOST, 0.002)
    assert float(found[0]) == pytest.approx(2 * 100e9 * 0.005 / (F * 1.853e4), rel=1e-9)


@pytest.mark.filterwarnings("ignore::chemomech.materials.UnverifiedWarning")
def test_voltage_per_stress():
    """eps0/(F c_max) of vanadium pentoxide: uniaxial a, biaxial ab, along c [V/Pa]; hydrostatic of LiMn2O4."""
    vanadate = cm.materials.load("LixV2O5")
    found = np.asarray(film.voltage_per_stress(vanadate.energy, vanadate.host)[0])
    np.testing.assert_allclose(found[:3], np.array([-0.0229, 0.0114, 0.135]) / (F * 1.853e4), rtol=1e-8)
    assert 1e12 * found[0] == pytest.approx(-12.8, abs=0.06)  # mV/GPa
    assert 1e12 * (found[0] + found[1]) == pytest.approx(-6.4, abs=0.06)
    assert 1e12 * found[2] == pytest.approx(75.5, abs=0.06)
    assert 2e12 * found[0] == pytest.approx(-25.6, abs=0.06)
    assert 2e12 * (found[0] + found[1]) == pytest.approx(-12.9, abs=0.06)
    spinel = cm.materials.load("LiMn2O4")
    hydrostatic = np.asarray(film.voltage_per_stress(spinel.energy, spinel.host)[0])[:3].sum()
    assert 1e11 * hydrostatic == pytest.approx(3.62, abs=0.006)  # mV per 100 MPa


@pytest.mark.parametrize(
    ("stress", "strains", "shift"), [(2e9, -0.036, -40e-3), (1.5e9, -0.048, -40e-3), (2e9, -0.027, -30e-3)]
)
def test_shrinkage_that_a_voltage_needs(stress, strains, shift):
    """Biaxial tension and the sum of both in-plane misfits: 40 mV, and 2.03 V to 2.00 V."""
    psi = cm.RegularSolution(chi=2.5) + cm.LinearElastic.isotropic(
        100e9, NU, cm.Vegard([0.4 * strains, 0.6 * strains, 0.0])
    )
    slopes = film.voltage_per_stress(psi, HOST)[0]
    assert stress * float(slopes[0] + slopes[1]) == pytest.approx(shift, rel=1e-2)


def test_several_plateaus_move_together():
    """Two plateaus of a film whose swelling is linear shift by the same voltage."""
    wells = ThreeWells(100 * RHO, -0.02 * RHO)
    psi = wells + cm.LinearElastic.isotropic(1e9, NU, cm.Vegard(-0.004))
    before = phase_diagram.gaps(film.film(psi, 0.0), HOST)
    after = phase_diagram.gaps(film.film(psi, 0.01), HOST)
    assert int(before.found) == int(after.found) == 2
    shift = np.asarray(voltage.plateaus(after, HOST) - voltage.plateaus(before, HOST))[:2]
    np.testing.assert_allclose(shift, 2 * (1e9 / (1 - NU)) * -0.004 * 0.01 / (F * 1.853e4), rtol=1e-6)


@pytest.mark.slow
def test_gradients():
    bowed = lambda b: isotropic(bowing=0.01 * b)  # noqa: E731
    check_gradient(lambda b: phase_diagram.gaps(film.film(bowed(b), 0.002), HOST, most=1).low, 0.5)
    check_gradient(lambda b: film.closing_strain(bowed(b), HOST, 0.0, 0.08)[0], 0.7)
    check_gradient(lambda b: film.stress(bowed(b), HOST, 0.3, 0.002)[:2] / 1e6, 0.5)
    check_gradient(lambda b: film.voltage_per_strain(bowed(b), HOST, 0.002)[:1], 0.5)


@pytest.mark.slow
def test_gradient_of_voltage_per_stress():
    bowed = lambda b: isotropic(bowing=0.01 * b)  # noqa: E731
    check_gradient(lambda b: film.voltage_per_stress(bowed(b), HOST)[0, :3] * 1e9, 0.5)


@pytest.mark.slow
def test_gradient_of_barriers():
    bowed = lambda b: isotropic(bowing=0.01 * b)  # noqa: E731
    check_gradient(lambda b: film.barriers_against_strain(bowed(b), HOST, jnp.array([0.001])), 0.5)


@pytest.mark.slow
def test_gradients_by_strain():
    bowed = isotropic(bowing=0.002, softening=0.6)
    check_gradient(lambda e: film.energies(bowed, HOST, jnp.array([0.2, 0.6]), jnp.stack([0.01 * e])) / 1e6, 0.5)
    check_gradient(lambda e: film.gaps_against_strain(bowed, HOST, jnp.stack([0.01 * e])).low[:, 0], 0.5)
