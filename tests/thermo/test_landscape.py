"""Energies of composition alone: against closed forms, up to the ends of their domain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import coherency, interface, landscape, stability, voltage

ONE = cm.Host.dimensionless()


def test_closed_forms():
    psi, c = cm.RegularSolution(chi=2.5), 0.3
    mixing = c * np.log(c) + (1 - c) * np.log(1 - c) + 2.5 * c * (1 - c)
    assert float(landscape.energy(psi, ONE, c)) == pytest.approx(mixing, rel=1e-14)
    assert float(landscape.potential(psi, ONE, c)) == pytest.approx(np.log(c / (1 - c)) + 2.5 * (1 - 2 * c), rel=1e-13)
    assert float(landscape.curvature(psi, ONE, c)) == pytest.approx(1 / (c * (1 - c)) - 5.0, rel=1e-13)


@pytest.mark.parametrize("psi", [cm.RegularSolution(chi=2.5), cm.RedlichKister([2.5, 0.4])])
def test_at_the_ends_of_an_open_domain(psi):
    """mu = RT ln(c/(1-c)) + ... has no bound, nor has its slope; derivatives by parameters are finite there."""
    for c, mu in ((0.0, -np.inf), (1.0, np.inf), (-0.1, -np.inf), (1.1, np.inf)):
        assert float(landscape.potential(psi, ONE, c)) == mu
        assert float(landscape.curvature(psi, ONE, c)) == np.inf
        assert float(coherency.curvatures(psi, c, ONE).cc) == np.inf
        assert float(stability.potential(psi, ONE, c)) == mu
        assert float(voltage.homogeneous(psi, ONE, c)) == -mu
        assert np.isinf(float(interface.critical_sizes(psi, ONE, 1.0, c).sphere))
        slope = jax.grad(lambda x, c=c: landscape.potential(cm.RegularSolution(chi=x), ONE, c))(2.5)
        assert np.isfinite(float(slope))
    assert float(landscape.potential(psi, ONE, 1e-12)) == pytest.approx(np.log(1e-12), rel=0.2)


def test_energies_without_an_entropy_have_no_ends():
    psi = cm.DoubleWell(1.0)
    assert float(landscape.curvature(psi, ONE, 0.0)) == pytest.approx(2.0, rel=1e-14)
    assert float(landscape.potential(psi, ONE, 1.0)) == pytest.approx(0.0, abs=1e-14)


def test_what_has_a_limit_at_an_end_and_what_has_none():
    """D c(1-c) f'' tends to D; a filling driven from c = 0 has no rate of growth, and says so."""
    psi, exchange = cm.RegularSolution(chi=2.5), cm.BazantExchange(1.0)
    for c in (0.0, 1.0):
        assert float(stability.chemical_diffusivity(psi, ONE, c, 0.7)) == pytest.approx(0.7, rel=1e-6)
        for asked in (
            lambda c: stability.driven_growth(psi, exchange, ONE, c, 0.1),
            lambda c: stability.critical_current_at(psi, exchange, ONE, c=c),
            lambda c: stability.linearise(psi, (cm.Diffusion(1.0),), ONE, c, 0.0),
        ):
            with pytest.raises(cm.ConfigError, match=f"c = {c} does not lie between 0 and 1"):
                asked(c)
            assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.jit(asked)(c)))


def test_gradients():
    def all_three(x):
        psi = cm.RedlichKister(jnp.stack([2.5 * x, 0.4 * x]), mu0=0.3 * x)
        return [f(psi, ONE, 0.3 * x) for f in (landscape.energy, landscape.potential, landscape.curvature)]

    check_gradient(all_three, 1.0)
