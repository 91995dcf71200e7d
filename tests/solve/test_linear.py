"""The law of the linear solvers: solve inverts what init saw, its transpose too, with a fresh or an older factor."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, eye, random

from chemomech.errors import SolveError
from chemomech.fem.assembly import Border
from chemomech.solve.direct import HostDirect
from chemomech.solve.factor import installed
from chemomech.solve.gmres import fgmres


class Tangent:
    """A matrix with a border of two dense rows and columns."""

    balance = None

    def __init__(self, seed=0, n=200, change=0.0):
        rng = np.random.default_rng(seed)
        base = random(n, n, density=0.03, random_state=1) + 3 * eye(n) + change * random(n, n, 0.03, random_state=2)
        self.matrix = csr_matrix((base + 1e-30 * base.T).tocsr())
        self.matrix.sort_indices()
        self.border = Border(rng.normal(size=(2, n)), rng.normal(size=(2, n)), np.array([[0.0, 1.0], [0.5, -2.0]]))

    def csr(self):
        return self.matrix

    def dense(self):
        b = self.border
        return np.block([[self.matrix.toarray(), b.column.T], [b.row, b.corner]])


@pytest.mark.parametrize("backend", installed())
@pytest.mark.parametrize("transpose", [False, True])
def test_solve_inverts(backend, transpose):
    """Against a dense inverse, fresh."""
    t, solver = Tangent(), HostDirect(backend)
    b = np.random.default_rng(3).normal(size=202)
    x, stats, _ = solver.solve(solver.init(t), b, rtol=1e-12, transpose=transpose)
    K = t.dense().T if transpose else t.dense()
    np.testing.assert_allclose(K @ x, b, atol=1e-9)
    assert stats.factorised


@pytest.mark.parametrize("backend", installed())
def test_older_factor_serves_and_transposes(backend):
    """<K^-1 b, y> = <b, K^-T y> although the factor belongs to an earlier matrix."""
    solver, new = HostDirect(backend, reuse=30), Tangent(change=0.02)
    rng = np.random.default_rng(4)
    b, y = rng.normal(size=(2, 202))
    state = solver.init(new, solver.init(Tangent(change=1e-30)))
    x, stats, state = solver.solve(state, b, rtol=1e-12)
    z, _, _ = solver.solve(state, y, rtol=1e-12, transpose=True)
    assert not stats.factorised
    assert x @ y == pytest.approx(b @ z, rel=1e-9)


def test_balance_leaves_no_residual_in_its_directions():
    """However loose the tolerance."""
    t, solver = Tangent(change=0.3), HostDirect(reuse=30)
    t.balance = tuple(np.zeros((1, 202)) for _ in range(2))
    t.balance[0][0, :50] = t.balance[1][0, 50:100] = 1.0
    state = solver.init(t, solver.init(Tangent(change=1e-30)))
    b = np.ones(202)
    x, _, _ = solver.solve(state, b, rtol=1e-2)
    assert abs(t.balance[1][0] @ (t.dense() @ x - b)) < 1e-10


def test_voltage_without_effect_is_reported():
    """A zero border is a singular system, said in words."""
    t = Tangent()
    t.border = Border(*(np.zeros_like(v) for v in (t.border.column, t.border.row, t.border.corner)))
    solver = HostDirect()
    with pytest.raises(SolveError, match="exchange current"):
        solver.solve(solver.init(t), np.ones(202))


def test_gmres_reduces_the_true_residual():
    """Right preconditioning: the reported residual is that of the system."""
    t = Tangent()
    K, b = t.dense(), np.ones(202)
    x, its, reached = fgmres(lambda v: K @ v, lambda v: v / 3.0, b, rtol=1e-8, max_iterations=150)
    assert np.linalg.norm(K @ x - b) / np.linalg.norm(b) == pytest.approx(reached, rel=1e-3, abs=1e-9)
    assert its < 150
