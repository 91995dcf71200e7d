"""Eigensystems, square roots and inverses of 3 x 3 matrices, and their derivatives where eigenvalues meet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.thermo.spectral import cofactor, determinant, eigensystem, inverse, safe_sqrt, square_root, unit

RNG = np.random.default_rng(3)


def turned(values, rng=RNG):
    """A symmetric matrix with these eigenvalues in a random orientation."""
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return Q @ np.diag(values) @ Q.T


def difference(f, A, dA, h=1e-3):
    """Central difference along dA, the error in h^2 removed."""
    first, second = (np.asarray(f(A + s * dA) - f(A - s * dA)) / (2 * s) for s in (h, h / 2))
    return (4 * second - first) / 3


@pytest.mark.parametrize("values", [(0.7, 1.1, 1.9), (1, 1, 1), (1, 1, 2), (0.5, 2, 2), (-3, 0, 1e-9), (0, 0, 0)])
def test_eigensystem_rebuilds_the_matrix(values):
    A = turned(values)
    found, V = eigensystem(jnp.asarray(A))
    np.testing.assert_allclose(found, np.sort(values), atol=1e-14)
    np.testing.assert_allclose((V * found) @ V.T, A, atol=1e-14)
    np.testing.assert_allclose(V.T @ V, np.eye(3), atol=1e-14)


def test_eigensystem_of_a_batch_is_lapacks():
    A = RNG.normal(size=(500, 3, 3))
    A = A + A.transpose(0, 2, 1)
    np.testing.assert_allclose(jax.vmap(eigensystem)(A)[0], np.linalg.eigvalsh(A), atol=1e-13)


def test_derivatives_of_distinct_eigenvalues_and_vectors():
    A, dA = turned((0.7, 1.1, 1.9)), RNG.normal(size=(3, 3))
    dA = dA + dA.T
    slopes, turns = jax.jvp(eigensystem, (A,), (dA,))[1]
    np.testing.assert_allclose(slopes, difference(lambda B: eigensystem(B)[0], A, dA), atol=1e-9)
    np.testing.assert_allclose(turns, difference(lambda B: eigensystem(B)[1], A, dA), atol=1e-8)


@pytest.mark.parametrize("values", [(1.0, 1.0, 1.3), (0.8, 1.3, 1.3)])
def test_derivative_of_two_equal_eigenvalues_is_the_limit_of_central_differences(values):
    A, dA = turned(values), RNG.normal(size=(3, 3))
    dA = dA + dA.T
    slopes = jax.jvp(eigensystem, (A,), (dA,))[1][0]
    first, second = (
        np.asarray(eigensystem(A + s * dA)[0] - eigensystem(A - s * dA)[0]) / (2 * s) for s in (1e-4, 5e-5)
    )
    np.testing.assert_allclose(slopes, 2 * second - first, atol=1e-7)  # sorted branches differ in h^2, so in h here


def test_derivative_of_three_equal_eigenvalues_is_their_mean():
    dA = RNG.normal(size=(3, 3))
    np.testing.assert_allclose(jax.jvp(eigensystem, (jnp.eye(3),), (dA,))[1][0], np.trace(dA) / 3, rtol=1e-14)


@pytest.mark.parametrize("values", [(0.7, 1.1, 1.9), (1.0, 1.0, 1.3), (1.0, 1.0, 1.0)])
def test_square_root_and_two_derivatives(values):
    U, dC = turned(values), RNG.normal(size=(3, 3))
    C, dC = U @ U, 0.1 * (dC + dC.T)
    np.testing.assert_allclose(square_root(C), U, atol=1e-14)

    def slope(C):
        return jax.jvp(square_root, (C,), (dC,))[1]

    np.testing.assert_allclose(slope(C), difference(square_root, C, dC), atol=1e-9)
    np.testing.assert_allclose(jax.jvp(slope, (C,), (dC,))[1], difference(slope, C, dC), atol=1e-9)


def test_inverse_of_a_singular_matrix_is_zero_and_its_gradient_finite():
    flat = jnp.asarray([[1.0, 2, 3], [2, 4, 6], [0, 0, 1]])
    assert determinant(flat) == 0
    np.testing.assert_array_equal(inverse(flat), 0.0)
    assert np.isfinite(jax.grad(lambda A: jnp.sum(inverse(A)))(flat)).all()
    A = RNG.normal(size=(3, 3))
    np.testing.assert_allclose(inverse(A), np.linalg.inv(A), rtol=1e-12)
    np.testing.assert_allclose(cofactor(A), np.linalg.inv(A).T * np.linalg.det(A), rtol=1e-12)


def test_roots_and_directions_of_zero_are_zero_with_finite_slopes():
    assert safe_sqrt(jnp.zeros(())) == 0
    assert jax.grad(safe_sqrt)(-1.0) == 0
    np.testing.assert_array_equal(unit(jnp.zeros(3)), 0.0)
    assert np.isfinite(jax.jacfwd(unit)(jnp.zeros(3))).all()
