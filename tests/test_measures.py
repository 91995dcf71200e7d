"""What is measured on a state, against what it is."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import elevate, rectangle
from chemomech.kernels import _room, share
from chemomech.measures import content, measures, smooth

DIMENSIONLESS = {"host": cm.Host.dimensionless(), "scales": cm.Scales.unit()}


class Leak(cm.AbstractPotential):
    """A current that grows with a voltage which another term brings in."""

    on: str | None = None

    def density(self, now, frozen, rate, prev):
        return -now.dt * 1e-3 * now.V**2


def test_current_is_the_voltage_row_of_the_residual():
    """Whichever terms hold the voltage."""
    lfp = cm.materials.load("LiFePO4")
    reaction = cm.ButlerVolmer(cm.BazantExchange(0.16), V0="3.422 V", thickness="20 nm")
    energy = lfp.energy.terms()[0] + lfp.energy.terms()[1]
    for others in ([], [Leak()]):
        problem = cm.Problem.build(
            rectangle(40e-9, 40e-9, 4, 4),
            host=lfp.host,
            potentials=[cm.Stored(energy), reaction, cm.Storage(), *others],
        )
        evolution = cm.Evolution(problem)
        state = problem.state(c=0.3, V=0.05, mu=1e3)
        x = evolution.start(state)
        old, drive = evolution.expand(x), problem.drive()
        row = evolution.residual(x, (old, old, 0.0, 1.0), drive)[-1]
        assert evolution.current(x) == pytest.approx(float(row) * problem.scales.of("A"), rel=1e-12)
        assert evolution.measures(x).current == pytest.approx(evolution.current(x), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("overlapping", [False, True])
def test_largest_stress_of_a_compressed_body_is_not_that_of_padding(overlapping):
    """Parts of 4 and 5 cells, filled up to the same size, under compression everywhere."""
    mesh = rectangle(1.0, 1.0, 3, 3)
    left = np.flatnonzero(mesh.centroids()[:, 0] < 0.5)
    mesh = cm.Mesh.build(mesh.points, mesh.cells, mesh.cell_type, cell_sets={"left": left})
    soft = cm.LinearElastic.isotropic(E=100.0, nu=0.3)
    stored = [cm.Stored(soft), *([cm.Stored(soft, on="left")] if overlapping else [])]
    problem = cm.Problem.build(mesh, potentials=stored, **DIMENSIONLESS)
    state = problem.state(u=lambda x: -0.01 * x)
    evolution = cm.Evolution(problem)
    x, whole = evolution.start(state), problem.kernel()
    expected = float(measures(whole, x)["principal"])
    assert expected < -1.0
    part = np.arange(len(mesh.cells)) % 4
    found = [float(measures(share(whole, part == k, _room(whole, part)), x)["principal"]) for k in range(4)]
    assert max(found) == pytest.approx(expected, rel=1e-12)


def test_a_body_without_lithium_holds_none():
    """Elasticity alone."""
    problem = cm.Problem.build(
        elevate(rectangle(1.0, 1.0, 2, 2)), potentials=[cm.Stored(cm.LinearElastic.isotropic(100.0, 0.3))],
        **DIMENSIONLESS,
    )  # fmt: skip
    evolution = cm.Evolution(problem)
    x = evolution.start(problem.state(u=lambda x: 0.01 * x))
    assert evolution.mass(x) == 0.0
    found = evolution.measures(x)
    assert (found.mean, found.c_min, found.c_max, found.current) == (0.0, 0.0, 0.0, 0.0)
    assert found.energies["elastic"] > 0.0
    assert float(content(problem.kernel(), evolution.expand(x)[0])) == 0.0


def test_the_differentiable_columns_follow_from_the_measures():
    """They are not evaluated twice: what is recorded is what is differentiated."""
    lfp = cm.materials.load("LiFePO4")
    reaction = cm.ButlerVolmer(cm.BazantExchange(0.16), V0="3.422 V", thickness="20 nm")
    potentials = [cm.Stored(lfp.energy.terms()[0] + lfp.energy.terms()[1]), reaction, cm.Storage()]
    cell = cm.Problem.build(rectangle(40e-9, 40e-9, 4, 4), host=lfp.host, potentials=potentials)
    energies = [cm.Stored([cm.RegularSolution(chi=3.0), cm.GradientEnergy(1e-2)]), cm.Amount(0.4)]
    closed = cm.Problem.build(rectangle(1.0, 1.0, 3, 3), potentials=energies, **DIMENSIONLESS)
    for problem, state in [(cell, cell.state(c=0.3, V=3.45, mu=1e3)), (closed, closed.state(c=0.3, mu_mean=0.7))]:
        evolution = cm.Evolution(problem)
        x = evolution.start(state)
        wanted = evolution.evaluate(smooth, x)
        found = evolution.smooth(x, evolution.measures(x))
        assert found == pytest.approx({name: float(v) for name, v in wanted.items()}, rel=1e-13)
