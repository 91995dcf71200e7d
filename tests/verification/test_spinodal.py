"""When elastic misfit suppresses phase separation: LiMn2O4-like constants, volume change of 1, 5 and 20 %.

Cahn, Acta Metall. 9 (1961) 795: in a periodic crystal misfit replaces chi by chi - E eta^2/((1-nu) R T c_max). The case
is that of Santos et al., Chem. Sci. 14 (2023) 458, figure 2, with chi = 3, E = 60 GPa and nu = 0.3.
"""

import functools
from pathlib import Path

import bodies
import numpy as np
import pytest
from scipy.optimize import brentq

import chemomech as cm
from chemomech import config
from chemomech.fem.mesh import elevate, rectangle
from chemomech.thermo.phase_diagram import gaps

CHI, E, NU, D = 3.0, 60e9, 0.3, 1e-14
HOST = cm.Host(c_max=2.29e4)
RHO = 8.31446261815324 * 298.15 * 2.29e4
L = np.sqrt(1e-13 * 2.29e4 / RHO)  # interface length [m]
CONFIGS = Path(__file__).parents[2] / "configs"


def energy(volume_change):
    chemical = cm.RegularSolution(chi=CHI) + cm.GradientEnergy("1e-13 J*m^2/mol")
    return chemical + cm.LinearElastic.isotropic(E, NU, cm.Vegard(volume_change / 3, c_ref=0.5))


def misfit(volume_change):
    """E eta^2/((1-nu) R T c_max)"""
    return E * (volume_change / 3) ** 2 / ((1 - NU) * RHO)


@functools.cache
def cell(volume_change):
    """A periodic square of 20 interface lengths with free mean strain."""
    return cm.Evolution(cm.Problem.build(
        elevate(rectangle(20 * L, 20 * L, 10, 10)), host=HOST,
        kinematics=cm.PlaneStrain(mean_strain=("xx", "yy", "xy")),
        potentials=[cm.Stored(energy(volume_change)), cm.Storage(), cm.Diffusion(D)],
        constraints=[cm.Periodic("x"), cm.Periodic("y")],
    ))  # fmt: skip


def growth(volume_change, wave):
    """Growth rate of a wave from its amplitudes around a backward Euler step, a1 = a0/(1 - s dt).

    A step before it lets the nodal cosine settle into the discrete mode.
    """
    evolution, dt = cell(volume_change), 0.1 / abs(expected(0.05, wave))
    k = 2 * np.pi / (20 * L) * np.array(wave)
    shape = np.cos(evolution.problem.mesh.points @ k)
    x, amplitude = evolution.start(evolution.problem.state(c=0.5 + 1e-5 * shape)), []
    for _ in range(2):
        result = evolution.backward_euler(x, dt)
        assert result.converged
        x = result.x
        amplitude.append(shape @ (evolution.concentration(x) - 0.5))
    return (1 - amplitude[0] / amplitude[1]) / dt


def expected(volume_change, wave):
    k2 = (2 * np.pi / (20 * L)) ** 2 * np.dot(wave, wave)
    return -D / 4 * k2 * (4 - 2 * CHI + 2 * misfit(volume_change) + k2 * L**2)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("wave", [(1, 0), (1, 1)])
def test_growth_rate(wave):
    assert growth(0.05, wave) == pytest.approx(expected(0.05, wave), rel=0.02)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_threshold_of_misfit():
    """The rate of the longest wave is linear in the misfit squared and vanishes at chi_eff = 2 + (2 pi l/L)^2/2."""
    rates = growth(0.05, (1, 0)), growth(0.10, (1, 0))
    square = 0.05**2 + (0.10**2 - 0.05**2) * rates[0] / (rates[0] - rates[1])
    critical = np.sqrt(square)
    exact = 3 * np.sqrt((CHI - 2 - (2 * np.pi / 20) ** 2 / 2) * RHO * (1 - NU) / E)
    assert critical == pytest.approx(exact, rel=0.01)
    assert critical == pytest.approx(0.0772 * (1 - 0.025), rel=0.01)  # an infinite crystal has 7.72 %
    assert abs(growth(critical, (1, 0))) < 1e-3 * abs(rates[0])


@pytest.mark.slow
@pytest.mark.parametrize(("volume_change", "plateau"), [(0.01, 0.0723), (0.05, 0.1277)])
def test_coherent_phases(volume_change, plateau):
    """Compositions of the two phases, and the jump of tangential stress E eta dc/(1-nu) across their interface."""
    problem = cm.Problem.build(
        bodies.strip(40 * L, 100, L), host=HOST, kinematics=cm.PlaneStrain(mean_strain="yy"),
        potentials=[cm.Stored(energy(volume_change)), cm.Amount(0.5)], constraints=[cm.Periodic("y")],
    )  # fmt: skip
    guess = problem.state(c=lambda p: 0.5 + (0.5 - plateau) * np.tanh((p[:, 0] - 20 * L) / (2 * L)))
    state = cm.solve_equilibrium(problem, guess)
    assert state.c.min() == pytest.approx(plateau, abs=5e-4)
    assert state.c.max() == pytest.approx(1 - plateau, abs=5e-4)
    stress, x = bodies.stress_and_position(problem, state)
    left, right = x[0] < 5 * L, x[0] > 35 * L
    jump = E * volume_change / 3 * np.ptp(state.c) / (1 - NU)
    for component in (1, 2):
        found = stress[component][left].mean() - stress[component][right].mean()
        assert found == pytest.approx(jump, rel=0.02)


@pytest.mark.slow
def test_stress_jump_in_plane_stress():
    """Across a flat interface the one tangential stress in the plane jumps by E eta dc."""
    problem = cm.Problem.build(
        bodies.strip(40 * L, 100, L), host=HOST, kinematics=cm.PlaneStress(mean_strain="yy"),
        potentials=[cm.Stored(energy(0.05)), cm.Amount(0.5)], constraints=[cm.Periodic("y")],
    )  # fmt: skip
    state = cm.solve_equilibrium(problem, problem.state(c=lambda p: 0.5 + 0.38 * np.tanh((p[:, 0] - 20 * L) / (2 * L))))
    stress, x = bodies.stress_and_position(problem, state)
    jump = stress[1][x[0] < 5 * L].mean() - stress[1][x[0] > 35 * L].mean()
    assert np.ptp(state.c) > 0.7
    assert jump == pytest.approx(E * 0.05 / 3 * np.ptp(state.c), rel=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("linear")
def test_large_misfit_keeps_a_solid_solution():
    """At 20 % every wave decays at the rate of theory."""
    for wave in ((1, 0), (1, 1)):
        assert growth(0.20, wave) == pytest.approx(expected(0.20, wave), rel=0.02)
        assert expected(0.20, wave) < 0


@pytest.mark.repetition("percent", "seed")
@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])  # the configs themselves start from the first: tests/test_configs.py
@pytest.mark.parametrize(("percent", "plateau"), [(5, 0.1277), (1, 0.0723), (20, None)])
def test_from_noise(percent, plateau, seed):
    """Noise of 0.01 ends in lamellae of the exact composition or in a solid solution; energy falls, mass stays."""
    tree = config.read(CONFIGS / f"spinodal_{percent}pct.toml")
    tree["initial"]["seed"] = seed
    tree["mesh"] |= {"nx": 48, "ny": 48}
    tree["newton"] = {"test": {"kind": "UpdateTest", "tol": 1e-11}}  # energies are compared to 1e-9 of their range
    solution = config.build(tree, CONFIGS / "spinodal.toml").run()
    # BDF2 is not strictly dissipative: near rest, at large steps, it overshoots by its own error
    assert np.diff(solution.free_energy).max() <= 1e-6 * np.ptp(solution.free_energy)
    assert np.abs(solution.soc - solution.soc[0]).max() < 1e-10
    c = solution.final.c
    if plateau is None:
        assert np.ptp(c) < 1e-3
        return
    # while the interfaces still sharpen, their harmonics count as shorter waves
    formed = [state.c for _, state in solution.frames if np.ptp(state.c) > 0.95 * np.ptp(c)]
    sizes = [domain_size(square(c)) for c in formed]
    assert min(b / a for a, b in zip(sizes, sizes[1:], strict=False)) > 0.999
    # noise may end in one lamella of each phase or in two, whose overlapping interfaces no force moves
    count = lamellae(square(c))
    trough = lamella_trough(CHI - misfit(percent / 100), 20.0 / count)
    assert c.min() == pytest.approx(trough, abs=0.005)
    assert c.max() == pytest.approx(1 - trough, abs=0.005)
    if count == 1:
        assert trough == pytest.approx(plateau, abs=1e-3)


def square(c):
    """Nodal values of the 48 x 48 periodic square as an array."""
    return c.reshape(49, 49)[:-1, :-1]


def domain_size(c):
    """Mean wavelength of a periodic square, weighted by the power of each wave [sides]."""
    power = np.abs(np.fft.fft2(c - c.mean())) ** 2
    n = np.fft.fftfreq(len(c)) * len(c)
    return power.sum() / (power * np.hypot(n[:, None], n)).sum()


def lamellae(c):
    """Wave number of the strongest Fourier component of a periodic square, in waves a side."""
    power = np.abs(np.fft.fft2(c - c.mean()))
    n = np.unravel_index(power.argmax(), power.shape)
    return np.hypot(*(min(k, len(c) - k) for k in n))


def lamella_trough(chi, period):
    """Least c of the stationary wave of a period [sqrt(kappa/RT)] at mean 1/2: kappa c'^2/2 = f(c) - f(c_min)."""

    def f(c):
        return c * np.log(c) + (1 - c) * np.log(1 - c) + chi * c * (1 - c)

    binodal = float(gaps(cm.RegularSolution(chi=chi), cm.Host.dimensionless()).low[0])

    def half_period(above):
        """2 int dc/c' from c_min to 1/2, with c = c_min + above sinh^2 w to resolve the flat trough."""
        low, top = binodal + above, np.arcsinh(np.sqrt((0.5 - binodal - above) / above))
        w = (np.arange(400) + 0.5) * top / 400
        c = low + above * np.sinh(w) ** 2
        return np.sum(2 * above * np.sinh(2 * w) / np.sqrt(2 * (f(c) - f(low)))) * top / 400

    if half_period(1e-6) < period / 2:  # interfaces too far apart to feel each other
        return binodal
    return binodal + brentq(lambda above: half_period(above) - period / 2, 1e-6, 0.1)
