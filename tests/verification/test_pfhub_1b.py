"""PFHub benchmark 1b: spinodal decomposition in a square without flux.

Jokisaari et al., Comput. Mater. Sci. 126 (2017) 139, and github.com/usnistgov/pfhub. The energies are those of a
spectral calculation (cosine transform, second-order backward differences, dt = 0.02), within 1 % of published uploads.
"""

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import elevate, rectangle


def initial(p):
    x, y = p.T
    return 0.5 + 0.01 * (
        np.cos(0.105 * x) * np.cos(0.11 * y)
        + (np.cos(0.13 * x) * np.cos(0.087 * y)) ** 2
        + np.cos(0.025 * x - 0.15 * y) * np.cos(0.07 * x - 0.02 * y)
    )


def problem(n):
    psi = cm.DoubleWell(5.0, 0.3, 0.7) + cm.GradientEnergy(2.0)
    return cm.Problem.build(
        elevate(rectangle(200.0, 200.0, n, n)), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(M=5.0)],
    )  # fmt: skip


@pytest.mark.slow
def test_initial_free_energy():
    """F = 319.043276, of which 0.070631 is gradient energy."""
    p = problem(50)
    energy = p.energy(p.state(c=initial))
    assert sum(energy.values()) == pytest.approx(319.043276, abs=2e-3)
    assert energy["gradient"] == pytest.approx(0.070631, abs=2e-4)


@pytest.mark.repetition
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_free_energy_in_time():
    p = problem(50)
    solution = cm.simulate(
        p, p.state(c=initial), cm.Closed(until={"time": 200.0}),
        control=cm.ErrorControl(tol=2e-3, dt_start=0.01), frames=1,
    )  # fmt: skip
    assert np.diff(solution.free_energy).max() <= 1e-9
    times = [20.0, 50.0, 100.0, 200.0]
    found = np.interp(times, solution.time, solution.free_energy)
    np.testing.assert_allclose(found, [209.42, 166.68, 129.89, 111.45], rtol=0.01)
