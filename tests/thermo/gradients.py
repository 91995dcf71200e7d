"""Derivatives by JAX against central differences of fourth order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


def quickly(function):
    """Compiled with little optimisation: of programs that run a few times, compiling is all that takes time."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def differences(f, x, step=1e-3):
    """df/dx of a function of one number, by four values around x."""
    h = step * max(abs(x), 1.0)
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def check_gradient(f, x, step=1e-3, tolerance=1e-8):
    """Forward and reverse mode of every number that f returns agree with differences, and none is NaN.

    The tolerance is relative to the largest of the value over x and the derivative.
    """

    def flat(x):
        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(eqx.filter(f(x), eqx.is_inexact_array))])

    @quickly  # one program for values and derivatives
    def along(x):
        return jax.jvp(flat, (x,), (jnp.ones_like(x),))

    values, forward = (np.asarray(v) for v in along(jnp.asarray(x, float)))
    expected = np.asarray(differences(lambda x: along(jnp.asarray(x, float))[0], x, step))
    size, x = np.abs(values) / max(abs(x), 1.0), jnp.asarray(x, float)
    scale = np.maximum(np.abs(expected), size)
    sizes = np.maximum(np.abs(forward), 1e-5 * np.where(scale > 0, scale, 1.0))  # what vanishes is round-off
    weights = np.random.default_rng(0).uniform(0.5, 1.5, len(forward)) / sizes
    backward = float(quickly(jax.grad(lambda x: weights @ flat(x)))(x))  # all at once: one program, not one a row
    assert np.isfinite(forward).all()
    np.testing.assert_allclose((forward - expected) / np.where(scale > 0, scale, 1.0), 0.0, atol=tolerance)
    np.testing.assert_allclose(backward, weights @ forward, rtol=0.0, atol=1e-9 * np.sum(weights * sizes))
