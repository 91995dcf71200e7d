"""An edge dislocation as an eigenstrain: its stress in a body, and the lithium that gathers around it.

Lithium in the stress of a line, its own stress included, without regular-solution term:
ln(c/(1-c)) + B/(R T c_max) (c - c0) = ln(c0/(1-c0)) + Omega sigma_h/(R T), B = 2 E eta^2/(1-nu).
A flux driven through that body sees, where it is small, a conductor of c(1-c), with c at rest.
"""

import equinox as eqx
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

import chemomech as cm
from chemomech.analysis.stress import whole_mesh
from chemomech.fem.mesh import rectangle
from chemomech.problem import stress_at_points
from chemomech.tensors import Vector

G, NU, B = 36e9, 0.3, 0.58e-9
E, CORE = 2 * G * (1 + NU), 2 * B
OMEGA, C_MAX, C0 = 3.497e-6, 2.29e4, 0.1
ETA, HOST = OMEGA * C_MAX / 3, cm.Host(c_max=C_MAX)
MODULUS, RT = 2 * E * ETA**2 / (1 - NU), float(HOST.RT)
EDGE = cm.Dislocations([[0.0, 0.0]], [[B, 0.0]], CORE)
AROUND = cm.SurroundingStress(EDGE, G, NU, on="boundary")


class Reservoir(cm.AbstractPotential):
    """density = -mu c_max c: lithium at a given chemical potential."""

    mu: float = cm.param("J/mol")
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now, frozen, rate, prev):
        return -self.mu * now.host.c_max * now.c


def hydrostatic(x, lines=EDGE):
    """Of the line or lines in an infinite body [Pa]."""
    found = lines.stress(Vector(*x, 0.0), G, NU)
    return np.asarray(found.xx + found.yy + found.zz) / 3


def filling(stress, modulus=MODULUS):
    """c where the line's hydrostatic stress is given."""

    def excess(c):
        return np.log(c / (1 - c)) + modulus / (RT * C_MAX) * (c - C0) - np.log(C0 / (1 - C0)) - OMEGA * stress / RT

    return brentq(excess, 1e-9, 1 - 1e-9)


def test_the_most_lithium_by_the_closed_form():
    """With and without the stress of the lithium itself."""
    peak = hydrostatic(np.array([0.0, -0.7501 * CORE]))
    assert filling(peak, 0.0) == pytest.approx(0.851, abs=1e-3)
    assert filling(peak) == pytest.approx(0.554, abs=1e-3)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_stress_of_an_edge():
    """Means over cells of a quarter of the core, two cores and more from the line and one from the faces: 3 %."""
    R = 6 * CORE
    problem = cm.Problem.build(
        rectangle(2 * R, 2 * R, 48, 48, "quad", origin=(-R, -R)), host=HOST,
        potentials=[cm.Stored(cm.Strained(cm.LinearElastic.isotropic(E, NU), EDGE)), AROUND],
    )  # fmt: skip
    state = cm.solve_static(problem)
    stress = np.asarray(stress_at_points(problem, problem.pack(state))).mean(1) * problem.scales.of("Pa")
    x = np.asarray(whole_mesh(problem).x).mean(1) * problem.scales.length
    found, expected = stress[:3].sum(0) / 3, hydrostatic(x)
    seen = (np.hypot(*x) >= 2 * CORE) & (np.abs(x).max(0) < 5 * CORE)
    strong = seen & (np.abs(expected) > 0.1 * np.abs(expected).max())
    np.testing.assert_allclose(found[strong], expected[strong], rtol=0.03)
    np.testing.assert_allclose(found[seen], expected[seen], atol=0.005 * np.abs(expected).max())


@pytest.mark.slow
def test_lithium_around_an_edge():
    """c within 2 % of its largest value everywhere; the opposite line has the mirror image: poor where it was rich."""
    mesh = rectangle(2.0, 2.0, 64, 64, "quad", origin=(-1.0, -1.0))
    mesh = mesh.moved(20 * CORE * np.sinh(2.6 * mesh.points) / np.sinh(2.6))
    assert np.diff(np.unique(mesh.points[:, 0].round(15))).min() < CORE / 4
    swelling = cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=C0))
    line = cm.Strained([swelling, cm.RegularSolution(chi=0.0)], EDGE)
    problem = cm.Problem.build(
        mesh, host=HOST, potentials=[cm.Stored(line), Reservoir(RT * np.log(C0 / (1 - C0))), AROUND]
    )  # fmt: skip
    newton = cm.Newton(linear=cm.HostDirect(), max_iterations=60)
    state = cm.solve_static(problem, problem.state(c=C0), newton)
    expected = np.array([filling(v) for v in hydrostatic(mesh.points.T)])
    peak = expected.max()
    assert state.c.max() == pytest.approx(peak, rel=0.02)
    inner = np.hypot(*mesh.points.T) < 15 * CORE
    assert np.abs(state.c - expected)[inner].max() < 0.02 * peak
    places = lambda p: (p.potentials[0].psi.strain.burgers, p.potentials[2].dislocations.burgers)  # noqa: E731
    other = eqx.tree_at(places, problem, tuple(-v for v in places(problem)))
    opposite = cm.solve_static(other, other.state(c=C0), newton)
    rich = np.argmax(state.c)
    assert opposite.c[rich] < 0.1 * C0
    mirror = np.lexsort(mesh.points.round(15).T), np.lexsort((mesh.points * [1, -1]).round(15).T)
    np.testing.assert_allclose(opposite.c[mirror[1]], state.c[mirror[0]], atol=1e-5)


def conducted(conductivity):
    """Potential in a square between one and zero at its left and right sides, by finite volumes around its nodes."""
    n = len(conductivity)
    number, share = np.arange(n * n).reshape(n, n), np.where(np.arange(n) % (n - 1) == 0, 0.5, 1.0)
    entries = []
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        between = 0.5 * (conductivity[a] + conductivity[b])
        between = between * (share[:, None] if between.shape[0] == n else share)
        i, j, g = number[a].ravel(), number[b].ravel(), between.ravel()
        entries += [(i, i, g), (j, j, g), (i, j, -g), (j, i, -g)]
    i, j, g = (np.concatenate(v) for v in zip(*entries, strict=True))
    A, out = coo_array((g, (i, j)), shape=(n * n, n * n)).tocsc(), np.zeros(n * n)
    free = number[:, 1:-1].ravel()
    out[number[:, 0]] = 1.0
    out[free] = spsolve(A[free][:, free], -(A @ out)[free])
    return out.reshape(n, n)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_flux_past_a_dipole():
    """It goes by the stretched sides: twice what it is in a body without lines, and a tenth on the compressed ones."""
    R, apart, n = 8 * CORE, 3 * CORE, 65
    dipole = cm.Dislocations([[-apart, 0.0], [apart, 0.0]], [[B, 0.0], [-B, 0.0]], CORE)
    swelling = cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=C0))
    mu, drop = RT * np.log(C0 / (1 - C0)), 0.02 * RT
    problem = cm.Problem.build(
        rectangle(2 * R, 2 * R, n - 1, n - 1, "quad", origin=(-R, -R)), host=HOST,
        potentials=[
            cm.Stored(cm.Strained([swelling, cm.RegularSolution(chi=0.0)], dipole)), cm.Storage(),
            cm.Diffusion("1e-16 m^2/s"), cm.SurroundingStress(dipole, G, NU, on="boundary"),
        ],
        constraints=[
            cm.Fixed("mu", on="left", value=mu + drop / 2), cm.Fixed("mu", on="right", value=mu - drop / 2)
        ],
    )  # fmt: skip
    end = cm.simulate(problem, problem.state(c=C0), cm.Closed(until={"time": 30 * R**2 / 1e-16})).final
    order = np.lexsort(problem.mesh.points.T)
    x, y = (v[order].reshape(n, n) for v in problem.mesh.points.T)
    c, slope = (np.asarray(v)[order].reshape(n, n) for v in (end.c, (end.mu - mu) / drop + 0.5))
    rest = np.array([filling(v) for v in hydrostatic(np.stack([x.ravel(), y.ravel()]), dipole)]).reshape(n, n)
    expected = conducted(rest * (1 - rest))
    assert np.abs(expected - (0.5 - x / (2 * R))).max() > 0.09
    assert np.abs(slope - expected).max() < 0.02

    def flux(c, potential):
        """Along x between nodes, over that of a body without lines."""
        mean = 0.5 * (c[:, 1:] * (1 - c[:, 1:]) + c[:, :-1] * (1 - c[:, :-1]))
        return -mean * np.diff(potential) * (n - 1) / (C0 * (1 - C0))

    found, wanted = flux(c, slope), flux(rest, expected)
    passing = found[1:-1].sum(0) + 0.5 * (found[0] + found[-1])
    assert np.ptp(passing) < 0.005 * passing.mean()
    outside = np.hypot(np.abs(x[:, 1:]) - apart, y[:, 1:]) > CORE
    assert np.abs(found - wanted)[outside].max() < 0.05 * wanted.max()
    line = np.argmin(np.abs(x[0] - apart))  # its extra half plane points down: it stretches what is above
    above, below = (np.argmin(np.abs(y[:, 0] - v * CORE)) for v in (1.0, -1.0))
    assert found[above, line] > 1.8
    assert found[below, line] < 0.15
