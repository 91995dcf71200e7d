"""Elimination of global scalars from a bordered matrix."""

import numpy as np
import pytest

from chemomech.solve.border import Border, Bordered, Elimination

N = 40


def tied(strength: float) -> Bordered:
    """Nodal values that a strong reaction ties to one scalar: rows and columns of r (x_i + V) beside smooth parts."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(N, N))
    A = A @ A.T / N + np.eye(N) + strength * np.diag(np.ones(N))
    column, row = strength + rng.normal(size=(2, 1, N))
    return Bordered(A, Border(column, row, np.array([[strength * N + 1.0]])))


def dense(system: Bordered) -> np.ndarray:
    b = system.border
    return np.block([[system.matrix, b.column.T], [b.row, b.corner]])


@pytest.mark.parametrize("along", [None, np.ones((1, N)), np.stack([np.ones(N), np.arange(N)])])
@pytest.mark.parametrize("transpose", [False, True])
def test_exact_inverse_of_the_nodal_block_gives_that_of_the_whole(along, transpose):
    system = tied(100.0).T if transpose else tied(100.0)
    made = Elimination.of(lambda r: np.linalg.solve(system.matrix, r), system.border, system.matrix, along)
    r = np.random.default_rng(1).normal(size=N + 1)
    np.testing.assert_allclose(made(r), np.linalg.solve(dense(system), r), rtol=1e-9)


def test_an_approximate_inverse_errs_little_where_nodal_values_move_with_the_scalar():
    """The scalar's part of the solution, at an inverse that is 5 % off: its Schur complement is 1 out of 4000."""
    system, r = tied(100.0), np.random.default_rng(1).normal(size=N + 1)
    exact = np.linalg.solve(dense(system), r)[-1]
    rough = lambda r: np.linalg.solve(system.matrix, r) * (1.0 + 0.05 * np.cos(np.arange(N)))  # noqa: E731
    plain, shifted = (
        abs(Elimination.of(rough, system.border, system.matrix, along)(r)[-1] - exact) / abs(exact)
        for along in (None, np.ones((1, N)))
    )
    assert shifted < 0.2
    assert plain > 3 * shifted
