"""Formulas with tensors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.tensors import Sym, Tensor, inverse_form

jax.config.update("jax_enable_x64", True)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_inverse_form(size):
    """b . A^-1 b"""
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(4, size, size)), rng.normal(size=(4, size))
    A = A @ A.swapaxes(1, 2) + np.eye(size)
    expected = [v @ np.linalg.solve(m, v) for m, v in zip(A, b, strict=True)]
    np.testing.assert_allclose(inverse_form(A.transpose(1, 2, 0), b.T), expected, rtol=1e-12)


STRETCHES = [
    (1.0, 1.0, 1.0),
    (0.3, 0.3, 0.3),
    (3.0, 3.0, 3.0),
    (0.3, 3.0, 3.0),
    (0.3, 0.3, 3.0),
    (0.3, 0.9, 3.0),
    (1.2, 0.8, 1.0),
]
TURN = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]


def sym(a):
    """The components of a matrix."""
    return Sym(*(a[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))))


def matrix(a):
    return jnp.stack([jnp.stack([jnp.asarray(v, float) for v in row]) for row in a.rows()])


def along(function):
    """Value and two derivatives along a direction, compiled once for all tensors."""

    def three(C, V):
        def value(e):
            return matrix(function(sym(C + e * V)))

        def both(e):
            return jax.jvp(value, (e,), (1.0,))

        (value0, slope), (_, curvature) = jax.jvp(both, (0.0,), (1.0,))
        return value0, slope, curvature

    return jax.jit(three)


log_along, exp_log_along = along(lambda a: a.log), along(lambda a: a.log.exp)


def differences(stretches):
    """First and second divided differences of the logarithm at squared stretches, with those of equal ones."""
    x = np.asarray(stretches) ** 2

    def first(a, b):
        return 1 / a if a == b else (np.log(a) - np.log(b)) / (a - b)

    def second(a, b, c):
        a, b, c = sorted((a, b, c))
        if a == c:
            return -0.5 / a**2
        return (first(a, b) - first(b, c)) / (a - c)

    return np.array([[first(a, b) for b in x] for a in x]), np.array(
        [[[second(a, b, c) for c in x] for b in x] for a in x]
    )


@pytest.mark.parametrize("stretches", STRETCHES)
def test_logarithm_and_its_two_derivatives(stretches):
    """By Daleckii and Krein, in the frame of the eigenvectors; also where eigenvalues are equal."""
    C = TURN @ np.diag(np.square(stretches)) @ TURN.T
    V = np.random.default_rng(2).normal(size=(3, 3))
    V = V + V.T
    value, slope, curvature = log_along(C, V)
    first, second = differences(stretches)
    v = TURN.T @ V @ TURN
    np.testing.assert_allclose(value, TURN @ np.diag(2 * np.log(stretches)) @ TURN.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(TURN.T @ slope @ TURN, first * v, rtol=0, atol=1e-10 * np.abs(first * v).max())
    expected = 2 * np.einsum("ikj,ik,kj->ij", second, v, v)
    np.testing.assert_allclose(TURN.T @ curvature @ TURN, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("stretches", STRETCHES[:5])
def test_exponential_undoes_the_logarithm(stretches):
    """Values, and the first two derivatives: those of the identity."""
    C = TURN @ np.diag(np.square(stretches)) @ TURN.T
    V = TURN @ np.array([[1.0, 0.4, 0.2], [0.4, -0.5, 0.3], [0.2, 0.3, 0.2]]) @ TURN.T
    value, slope, curvature = exp_log_along(C, V)
    np.testing.assert_allclose(value, C, rtol=0, atol=1e-11 * np.abs(C).max())
    np.testing.assert_allclose(slope, V, rtol=0, atol=1e-10)
    np.testing.assert_allclose(curvature, 0, rtol=0, atol=1e-7)


def test_determinants_and_inverses():
    rng = np.random.default_rng(3)
    A, B = rng.normal(size=(3, 3)), np.diag([1.0, 2.0, 3.0]) + 0.1
    F = Tensor(*A.ravel())
    np.testing.assert_allclose(F.det, np.linalg.det(A), rtol=1e-12)
    np.testing.assert_allclose(F.cofactor.rows(), np.linalg.det(A) * np.linalg.inv(A).T, rtol=1e-12)
    np.testing.assert_allclose(sym(B).inverse.rows(), np.linalg.inv(B), rtol=1e-12)
    np.testing.assert_allclose(sym(B).square.rows(), B @ B, rtol=1e-12)
    assert Tensor(1.5, 0.2, 0.0, 0.1, 1.1, 0.0, 0.0, 0.0, 1.0).cofactor.xz == 0.0  # an exact zero stays one
