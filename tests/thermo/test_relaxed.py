"""Bodies in one number: derivatives of the relaxed energies by load, held strain, normal, modulus and misfit."""

import jax.numpy as jnp
import pytest
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import dopant, landscape
from chemomech.thermo.relaxed import Free, Layer, Stiffening

ONE = cm.Host.dimensionless()
BOWED = cm.LinearElastic.isotropic(3.0, 0.3, cm.BowedVegard([0.1, 0.05, -0.02], 0.03))


def test_a_load_works_on_the_misfit():
    """-stress : eps0 - stress : S : stress/2 of an isotropic body, c = 1."""
    loaded = landscape.energy(Free(BOWED, [0.2, 0.0, 0.0]), ONE, 1.0)
    assert float(loaded) == pytest.approx(-0.2 * 0.1 - 0.2**2 / (2 * 3.0), rel=1e-12)


@pytest.mark.parametrize(
    "body",
    [
        lambda x: Free(BOWED, 0.3 * x),
        lambda x: Layer(BOWED, jnp.stack([0.3 + x, 0.2 + 0 * x, x]), 0.05 * x),
        lambda x: Stiffening(1.3 * x, 0.2 * x),
        lambda x: Layer(dopant.with_misfit(BOWED, cm.Vegard(0.1 * x))),
    ],
    ids=["Free", "Layer", "Stiffening", "with_misfit"],
)
def test_gradients(body):
    check_gradient(lambda x: landscape.energy(body(x), ONE, 0.4), 1.0)


@pytest.mark.parametrize("kind", [Free, Layer])
def test_finite_strain_is_refused(kind):
    with pytest.raises(cm.ConfigError, match="finite strain"):
        kind(cm.RegularSolution(chi=3.0) + cm.NeoHookean("1 GPa", 0.3))
