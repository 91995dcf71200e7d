"""Energies of composition alone: against closed forms, up to the ends of their domain."""

import jax.numpy as jnp
import numpy as np
import pytest
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import landscape

ONE = cm.Host.dimensionless()


def test_closed_forms():
    psi, c = cm.RegularSolution(chi=2.5), 0.3
    mixing = c * np.log(c) + (1 - c) * np.log(1 - c) + 2.5 * c * (1 - c)
    assert float(landscape.energy(psi, ONE, c)) == pytest.approx(mixing, rel=1e-14)
    assert float(landscape.potential(psi, ONE, c)) == pytest.approx(np.log(c / (1 - c)) + 2.5 * (1 - 2 * c), rel=1e-13)
    assert float(landscape.curvature(psi, ONE, c)) == pytest.approx(1 / (c * (1 - c)) - 5.0, rel=1e-13)


def test_gradients():
    def all_three(x):
        psi = cm.RedlichKister(jnp.stack([2.5 * x, 0.4 * x]), mu0=0.3 * x)
        return [f(psi, ONE, 0.3 * x) for f in (landscape.energy, landscape.potential, landscape.curvature)]

    check_gradient(all_three, 1.0)
