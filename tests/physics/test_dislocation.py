"""Dislocations with a core: their stress is in equilibrium, and with the eigenstrain gives a compatible strain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from chemomech.errors import ConfigError
from chemomech.physics import Dislocations
from chemomech.tensors import Vector

jax.config.update("jax_enable_x64", True)
G, NU, CORE = 1.3, 0.3, 0.7
POINTS = np.random.default_rng(0).uniform(-3, 3, (8, 2))


def components(tensor):
    return jnp.stack(
        [jnp.asarray(v, float) for v in (tensor.xx, tensor.yy, tensor.zz, tensor.yz, tensor.xz, tensor.xy)]
    )


def at(p):
    return Vector(p[0], p[1], 0.0)


def test_equilibrium_and_compatibility():
    """Of all components, for glide, climb and screw at once and a cut at an angle, by differentiation."""
    lines = Dislocations([[0.1, -0.2]], [[0.3, -0.5, 0.7]], CORE, 0.6)

    def stress(p):
        return components(lines.stress(at(p), G, NU))

    def strain(p):
        s = stress(p)
        elastic = (1 + NU) * s - NU * (s[0] + s[1] + s[2]) * jnp.array([1, 1, 1, 0, 0, 0])
        return elastic / (2 * G * (1 + NU)) + components(lines(at(p)))

    @jax.jit
    @jax.vmap
    def all_of(p):
        return jax.jacfwd(stress)(p), jax.hessian(strain)(p), jax.jacfwd(strain)(p), strain(p)

    slope, bent, turned, strains = all_of(POINTS)
    size, steepest = np.abs(slope).max(), np.abs(bent).max()
    for row in ((0, 5), (5, 1), (4, 3)):
        assert np.abs(slope[:, row[0], 0] + slope[:, row[1], 1]).max() < 1e-14 * size
    assert np.abs(bent[:, 0, 1, 1] + bent[:, 1, 0, 0] - 2 * bent[:, 5, 0, 1]).max() < 1e-14 * steepest
    assert np.abs(turned[:, 4, 1] - turned[:, 3, 0]).max() < 1e-14
    assert np.abs(strains[:, 2]).max() < 1e-14  # plane strain


def test_published_trace():
    """sigma_xx + sigma_yy = -(G b y/(pi (1-nu) rho^2)) (1 + a^2/rho^2), and its largest value."""
    edge = Dislocations([[0.0, 0.0]], [[0.5, 0.0]], CORE)
    x, y = POINTS.T
    found, rho2 = edge.stress(Vector(x, y, 0.0), G, NU), x**2 + y**2 + CORE**2
    np.testing.assert_allclose(found.xx + found.yy, -G * 0.5 * y / (np.pi * (1 - NU) * rho2) * (1 + CORE**2 / rho2))
    np.testing.assert_allclose(found.zz, NU * (found.xx + found.yy))
    y = -CORE * np.linspace(0.5, 1.0, 501)
    peak = edge.stress(Vector(0.0, y, 0.0), G, NU)
    hydrostatic = (peak.xx + peak.yy + peak.zz) / 3
    assert hydrostatic.max() == pytest.approx(0.787 * (1 + NU) * G * 0.5 / (3 * np.pi * (1 - NU) * CORE), rel=1e-3)
    assert y[np.argmax(hydrostatic)] == pytest.approx(-0.75 * CORE, rel=0.01)


@pytest.mark.parametrize("cut", [None, 2.0])
def test_slip_is_spread_along_and_across_the_cut(cut):
    """The closed form against the integral, and the whole slip across the cut far from its ends."""
    edge = Dislocations([[0.0, 0.0]], [[1.0, 0.0]], CORE, cut=cut)
    for x, y in POINTS[:3]:
        start = -np.inf if cut is None else -cut
        spread = quad(lambda s: 2 * CORE**4 / (np.pi * ((x - s) ** 2 + y**2 + CORE**2) ** 3), start, 0.0)[0]  # noqa: B023
        assert float(2 * edge(Vector(x, y, 0.0)).xy) == pytest.approx(spread, rel=1e-9)
    if cut is None:
        assert quad(lambda y: float(2 * edge(Vector(-50.0, y, 0.0)).xy), -np.inf, np.inf)[0] == pytest.approx(1.0, 1e-4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="core = 0.0 m must be positive"):
        Dislocations([[0.0, 0.0]], [[1.0, 0.0]], 0.0)
    with pytest.raises(ConfigError, match="one row"):
        Dislocations([0.0, 0.0], [[1.0, 0.0]], 1.0)
