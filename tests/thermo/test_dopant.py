"""Dopants: the ratios of a known change, and gaps that follow from changed parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clocks import seconds
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import coherency, dopant, phase_diagram

HOST = cm.Host(c_max=2.3e4)
RT, F = 8.31446261815324 * 298.15, 96485.33212331
SPINEL = cm.RegularSolution(omega=2.4 * RT) + cm.LinearElastic.isotropic(100e9, 0.3, cm.Vegard(0.015))


@pytest.mark.slow
@pytest.mark.parametrize(("misfit", "ratio"), [(0.006, 0.16), (0.007, 0.22)])
def test_coherency_falls_with_the_square_of_the_misfit(misfit, ratio):
    """1.5 % without magnesium, 0.6 % and 0.7 % with it on two sites: 78 to 84 % less coherency energy."""
    magnesium = dopant.Dopant(misfit=misfit / 0.015 - 1)
    before, after = (dopant.response(SPINEL, HOST, magnesium, x) for x in (0.0, 1.0))
    assert float(before.coherency) == pytest.approx(2 * 100e9 * 0.015**2 / 0.7, rel=1e-9)
    assert float(after.coherency / before.coherency) == pytest.approx((misfit / 0.015) ** 2, rel=1e-9)
    assert float(after.coherency / before.coherency) == pytest.approx(ratio, abs=3e-3)
    assert float(after.low) == pytest.approx(float(before.low), rel=1e-9)  # stress-free phases do not know of it
    chi = 2.4 - float(before.coherency) / (2 * RT * 2.3e4)
    coherent = phase_diagram.gaps(cm.RegularSolution(chi=chi), HOST)
    assert float(before.coherent_low) == pytest.approx(float(coherent.low[0]), rel=1e-7)
    assert after.coherent_high - after.coherent_low > before.coherent_high - before.coherent_low


def test_a_table_of_lattice_constants_replaces_the_misfit():
    table = cm.TabulatedEigenstrain([0.0, 0.5, 1.0], [0.0, 0.003, 0.006])
    k = coherency.curvatures(dopant.with_misfit(SPINEL, table).terms()[1], 0.5, HOST)
    assert float(coherency.softest_normal(k).modulus) == pytest.approx(2 * 100e9 * 0.006**2 / 0.7, rel=1e-9)
    with pytest.raises(cm.ConfigError, match="has a stress-free strain"):
        dopant.with_misfit(cm.RegularSolution(chi=3.0), table)


@pytest.mark.slow
def test_interaction_narrows_the_gap_and_tilt_moves_the_plateau():
    """omega 2.4 -> 2.2 R T narrows the gap to that of chi = 2.2 and lowers the barrier; -0.1 eV raises V by 0.1 V."""
    both = dopant.Dopant(interaction=-0.2 * RT, tilt=-0.1 * F)
    found = dopant.responses(SPINEL, HOST, both, jnp.array([0.0, 1.0, 2.5]))
    assert float(found.low[1]) == pytest.approx(0.24853, abs=6e-6)
    assert float(found.barrier[1]) / (RT * 2.3e4) == pytest.approx(0.00669, abs=6e-6)
    assert float(found.mu[0] - found.mu[1]) / F == pytest.approx(0.1, rel=1e-9)
    assert float(found.high[2] - found.low[2]) == float(found.barrier[2]) == 0.0  # no gap is left


@pytest.mark.slow
def test_a_lower_barrier_of_diffusion():
    """50 meV make it 7.0 times faster at 298 K."""
    faster = dopant.response(SPINEL, cm.Host(c_max=2.3e4, T=298.0), dopant.Dopant(activation=-0.05 * F), 1.0)
    assert float(faster.diffusivity) == pytest.approx(7.0, abs=0.02)


def test_gaps_are_counted_from_nought():
    with pytest.raises(cm.ConfigError, match="counted from 0"):
        dopant.response(SPINEL, HOST, dopant.Dopant(), 0.0, gap=-1)


def test_pillars_cost_sites():
    fewer = dopant.doped_host(HOST, dopant.Dopant(sites=-1.0), 0.1)
    assert float(fewer.c_max) == pytest.approx(0.9 * 2.3e4)


@pytest.mark.slow
def test_a_map_of_two_changes():
    """misfit by interaction, in one batch."""

    def width(misfit, interaction):
        found = dopant.response(SPINEL, HOST, dopant.Dopant(interaction=interaction, misfit=misfit), 1.0)
        return found.coherent_high - found.coherent_low

    misfits, interactions = jnp.linspace(-0.6, -0.4, 3), jnp.array([-0.1 * RT, 0.0])
    widths = np.asarray(jax.vmap(lambda m: jax.vmap(lambda i: width(m, i))(interactions))(misfits))
    assert (np.diff(widths, axis=0) < 0).all()  # more misfit, narrower
    assert (np.diff(widths, axis=1) > 0).all()  # more interaction, wider


@pytest.mark.slow
def test_ten_thousand_dopants():
    """Two phase diagrams, a barrier and a softest normal each: 0.8 s; on a busy processor, whose clock counts waiting
    for memory too, within 1.5.

    Of an isotropic body the coherency energy is 2 M times the square of the misfit, at every amount.
    """
    mixed = dopant.Dopant(-0.1 * RT, 0.01 * F, -0.3, -0.02 * F, -0.1)
    run, x = jax.jit(jax.vmap(lambda x: dopant.response(SPINEL, HOST, mixed, x))), jnp.linspace(0.0, 1.0, 10_000)
    assert seconds(run, [x + shift for shift in (0.0, 1e-6, 2e-6, 3e-6)]) < 1.5
    found = run(x)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(found))
    np.testing.assert_allclose(found.coherency, 2 * 100e9 * (0.015 * (1 - 0.3 * x)) ** 2 / 0.7, rtol=1e-9)


@pytest.mark.slow
def test_gradients():
    def found(x):
        return dopant.response(SPINEL, HOST, dopant.Dopant(-0.1 * RT, 0.01 * F, -0.3, -0.02 * F, -0.1), x)

    check_gradient(found, 0.5)
