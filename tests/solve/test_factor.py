import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from chemomech.errors import SolveError
from chemomech.solve.factor import SuperLU


def solved(A, transpose=False):
    lu, b = SuperLU(), np.random.default_rng(1).normal(size=A.shape[0])
    lu.update(A)
    M = A.T if transpose else A
    return np.linalg.norm(M @ lu.solve(b, transpose=transpose) - b) / np.linalg.norm(b)


@pytest.mark.parametrize("transpose", [False, True])
def test_superlu_inverts_a_matrix_and_its_transpose(transpose):
    rng = np.random.default_rng(0)
    A = csr_matrix(random_array((200, 200), density=0.03, rng=rng) + 4.0 * csr_matrix(np.eye(200)))
    assert solved(A, transpose) < 1e-12


@pytest.mark.parametrize("pivot", [0.0, 1e-20])
def test_superlu_pivots_where_the_diagonal_is_no_pivot(pivot):
    assert solved(csr_matrix(np.array([[pivot, 1.0, 0.0], [1.0, 0.0, 2.0], [0.0, 3.0, 1.0]]))) < 1e-12


def test_superlu_names_a_singular_matrix():
    with pytest.raises(SolveError, match="singular"):
        SuperLU().update(csr_matrix(np.array([[1.0, 1.0], [1.0, 1.0]])))
