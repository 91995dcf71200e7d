"""Roots against closed forms, their derivatives against differences, and what they do where there is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradients import check_gradient

from chemomech.thermo import roots


def test_a_bracketed_root_and_its_derivative():
    assert float(roots.bracketed(lambda x: x**3 - 2.0, 0.0, 2.0)) == pytest.approx(2 ** (1 / 3), rel=1e-15)
    check_gradient(lambda a: roots.bracketed(lambda x: x**3 + x - a, 0.0, 2.0), 1.7)


def test_without_a_change_of_sign_the_end_nearer_to_one_is_returned():
    assert float(roots.bracketed(lambda x: x + 1.0, 0.0, 2.0)) == 0.0
    assert float(roots.bracketed(lambda x: x - 3.0, 0.0, 2.0)) == 2.0


def test_two_equations():
    """x y = a, x + y = 3."""

    def found(a):
        f = lambda x: jnp.stack([x[0] * x[1] - a, x[0] + x[1] - 3.0])  # noqa: E731
        return roots.newton(f, jnp.array([0.6, 2.4]), jnp.zeros(2), jnp.array([1.5, 3.5]))

    np.testing.assert_allclose(found(2.0), [1.0, 2.0], rtol=1e-14)
    check_gradient(found, 1.9)


def test_a_degenerate_root_moves_nowhere():
    """x + y = a alone: finite slopes, none along the line of roots."""

    def found(a):
        f = lambda x: jnp.stack([x[0] + x[1] - a, 2.0 * (x[0] + x[1] - a)])  # noqa: E731
        return roots.newton(f, jnp.zeros(2), -jnp.ones(2), jnp.ones(2))

    np.testing.assert_allclose(jax.jacfwd(found)(0.4), [0.5, 0.5], rtol=1e-12)


def test_linear_algebra():
    def found(a):
        regular = roots.least_squares(jnp.array([[2.0, 1.0], [0.3, 1.5]]) * a, jnp.array([1.0, 2.0]) + a)
        return regular, roots.divide(1.0 + a, a**2), roots.linearised(lambda x: jnp.sum(x**3) * a, jnp.ones(2) * a)

    check_gradient(found, 1.3)
    assert float(roots.divide(1.0, jnp.zeros(()))) == 0.0
