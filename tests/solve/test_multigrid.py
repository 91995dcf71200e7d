"""The smoothing polynomial and the cycle."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import Chebyshev as Series
from scipy.sparse import csr_matrix, diags_array

from chemomech.solve.host_matrix import HostMatrix
from chemomech.solve.multigrid import Chebyshev, Level, Multigrid, _smooth, aggregation
from chemomech.solve.operators import on_device


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize(("lmax", "ratio"), [(1.0, 8.0), (3.7, 4.0), (1e-3, 30.0)])
def test_error_of_the_smoother_is_a_chebyshev_polynomial(degree, lmax, ratio):
    """1 - t p(t) = T(s(t)) / T(s(0)), where s maps [lmax/ratio, lmax] onto [-1, 1]"""
    t = np.linspace(0.0, lmax, 50)
    p = np.polynomial.Polynomial(Chebyshev.on(lmax, degree, ratio).coefficients)
    T, centre, half = Series.basis(degree), 0.5 * lmax * (1 + 1 / ratio), 0.5 * lmax * (1 - 1 / ratio)
    np.testing.assert_allclose(1 - t * p(t), T((t - centre) / half) / T(-centre / half), atol=1e-11)


@pytest.mark.parametrize("on", ["host", "device"])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_smoother_is_the_polynomial_of_the_matrix(degree, scaled, on):
    """p(D^-1 A) D^-1 r, in powers of the dense matrix"""
    rng = np.random.default_rng(degree)
    A, D = sample(60), rng.uniform(0.5, 2.0, 60) if scaled else np.ones(60)
    level = Level(HostMatrix(A), D if scaled else None, Chebyshev.on(3.0, degree), None, None)
    r, T = rng.normal(size=60), D[:, None] * A.toarray()
    p = sum(c * np.linalg.matrix_power(T, k) for k, c in enumerate(level.smoother.coefficients))
    made = on_device(level) if on == "device" else level
    np.testing.assert_allclose(_smooth(made, jnp.asarray(r) if on == "device" else r), p @ (D * r), atol=1e-12)


def sample(n: int) -> csr_matrix:
    """A Laplace matrix with uneven rows."""
    d = diags_array(uneven(n))
    return csr_matrix(d @ diags_array([2.1, -1.0, -1.0], offsets=[0, 1, -1], shape=(n, n)).tocsr() @ d)


def uneven(n: int):
    return np.exp(np.cos(np.arange(n)))


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("twice", [0, 1, 9])
def test_a_cycle_is_symmetric_and_close_to_the_inverse(scaled, twice):
    """No eigenvalue of the cycle times the matrix is beyond 1, or small."""
    n = 400
    A = sample(n)
    cycle = multigrid(A, scaled, twice)
    C = np.stack([cycle(e) for e in np.eye(n)], 1)
    np.testing.assert_allclose(C, C.T, atol=1e-10 * np.abs(C).max())
    values = np.linalg.eigvals(C @ A.toarray()).real
    assert len(cycle.levels) > 1
    assert values.max() < 1 + 1e-10
    assert values.min() > (0.15 if scaled else 0.02)


def multigrid(A: csr_matrix, scaled: bool, twice: int) -> Multigrid:
    """A cycle on aggregates down to twenty rows."""
    n = A.shape[0]
    levels, B = [], A
    for P in aggregation(A, (1.0 / uneven(n))[:, None], 20):
        D = 1.0 / B.diagonal() if scaled else None
        top = np.linalg.eigvals(B.toarray() * (D[:, None] if scaled else 1.0)).real.max()
        levels.append(Level(HostMatrix(B), D, Chebyshev.on(1.02 * top), HostMatrix(P), HostMatrix(P.T.tocsr())))
        B = csr_matrix(P.T @ B @ P)
    return Multigrid(tuple(levels), np.linalg.inv(B.toarray()), twice)


@pytest.mark.parametrize(
    ("twice", "visits"), [(0, [1, 1, 1, 1]), (1, [1, 2, 2, 2]), (2, [1, 2, 4, 4]), (9, [1, 2, 4, 4])]
)
def test_so_many_coarse_levels_are_visited_twice(twice, visits):
    """The coarsest is exact: its second visit would find nothing left."""
    cycle, met = multigrid(sample(400), True, twice), []

    class Counted(Multigrid):
        def _cycle(self, b, k):
            met.append(k)
            return super()._cycle(b, k)

    Counted(cycle.levels, cycle.coarsest, twice)(np.ones(400))
    assert len(cycle.levels) == 3
    assert np.bincount(met).tolist() == visits
