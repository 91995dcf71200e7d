"""Roots that can be differentiated: found by safeguarded iterations, differentiated as implicit functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Float[Array, ""]
TINY = 1e-12  # of a slope that counts as none
CLOSE = 1e-10  # Newton step, relative or of unknowns of size one, that is the last: the next would be its square


def divide(a: Number, b: Number) -> Number:
    """a / b, and 0 where b is 0: a degenerate root moves nowhere."""
    zero = b == 0
    return jnp.where(zero, 0.0, a / jnp.where(zero, 1.0, b))


def linearised(f: Callable, x: Float[Array, " n"]) -> tuple[Any, Any]:
    """f(x), and its derivatives along the axes in front, in one program: the parts of f are not written out again."""
    along = jax.vmap(lambda e: jax.jvp(f, (x,), (e,)), out_axes=(None, 0))
    return along(jnp.eye(len(x)))


def bracketed(f: Callable[[Number], Number], low: Number, high: Number, iterations: int = 50) -> Number:
    """The root of f between low and high, by Newton steps that bisect where they would leave the bracket.

    Without a change of sign: the end where f is nearer to one. Derivatives are those of the implicit function.

    Args:
        f: what vanishes; closes over parameters.
        low, high: the bracket.
        iterations: Newton steps and bisections at most; of a batch the slowest root counts.
    """
    low, high = jnp.asarray(low, dtype=float), jnp.asarray(high, dtype=float)
    ends = jax.lax.stop_gradient((low, high))

    def solve(f, x):
        def step(state):  # the first two look at the ends, so that f is written out once
            k, (left, right), (at_low, at_high), x, _ = state
            value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))
            at_low, at_high = jnp.where(k == 0, value, at_low), jnp.where(k == 1, value, at_high)
            below = value * jnp.sign(at_high - at_low) < 0
            inner = jnp.where(below, x, left), jnp.where(below, right, x)
            left, right = (jnp.where(k < 2, end, moved) for end, moved in zip((left, right), inner, strict=True))
            newton = x - divide(value, slope)
            inside = (newton > left) & (newton < right) & (slope != 0) & (k >= 2)
            close = (slope != 0) & (jnp.abs(newton - x) <= CLOSE * jnp.abs(x))  # round-off may point out of the bracket
            newton = jnp.clip(newton, left, right)
            x = jnp.where((value == 0) & (k >= 2), x, jnp.where(inside | close, newton, 0.5 * (left + right)))
            settled = jnp.where(k >= 2, (value == 0) | close, (k == 1) & (at_low * at_high >= 0))
            return k + 1, (left, right), (at_low, at_high), jnp.where(k == 0, ends[1], x), settled

        def unsettled(state):
            k, *_, settled = state
            return (k < 2 + iterations) & ~settled

        start = 0, ends, (jnp.zeros_like(x), jnp.zeros_like(x)), ends[0], jnp.array(False)
        _, _, at, x, _ = jax.lax.while_loop(unsettled, step, start)
        return x, at

    def solve_tangent(g, y):
        return divide(y, g(jnp.ones_like(y)))

    middle = 0.5 * (ends[0] + ends[1])
    found, (at_low, at_high) = jax.lax.custom_root(f, middle, solve, solve_tangent, has_aux=True)
    nearer = jnp.where(jnp.abs(at_low) <= jnp.abs(at_high), low, high)
    return jnp.where((at_low * at_high < 0), found, nearer)


def newton(
    f: Callable[[Float[Array, "2"]], Float[Array, "2"]],
    x: Float[Array, "2"],
    lower: Float[Array, "2"],
    upper: Float[Array, "2"],
    iterations: int = 12,
) -> Float[Array, "2"]:
    """The root of two equations next to x, by Newton steps none of which goes more than half-way to a bound.

    Derivatives are those of the implicit function; along a direction in which f does not change they are 0.

    Args:
        f: what vanishes, of size one; closes over parameters.
        x: start, of size one.
        lower, upper: bounds of every unknown.
        iterations: Newton steps at most; of a batch the slowest root counts.
    """
    x, lower, upper = jax.lax.stop_gradient((x, lower, upper))

    def solve(f, x):
        def step(state):
            k, x, _ = state
            value, slopes = linearised(f, x)
            to = jnp.clip(x - least_squares(slopes.T, value), 0.5 * (x + lower), 0.5 * (x + upper))
            return k + 1, to, jnp.max(jnp.abs(to - x)) <= CLOSE

        return jax.lax.while_loop(lambda state: (state[0] < iterations) & ~state[2], step, (0, x, jnp.array(False)))[1]

    return jax.lax.custom_root(f, x, solve, lambda g, y: least_squares(jax.jacfwd(g)(jnp.zeros_like(y)), y))


def least_squares(A: Float[Array, "2 2"], b: Float[Array, "2"]) -> Float[Array, "2"]:
    """x of A x = b; 0 along the null direction of a singular A. Columns below 1e-12 count as zero."""
    # columns are scaled first, so that singular means parallel and not merely small
    size = jnp.sqrt(jnp.sum(A**2, axis=0))
    size = jnp.where(size > TINY, size, 0.0)
    B = jnp.where(size > 0, A / jnp.where(size > 0, size, 1.0), 0.0)
    det = B[0, 0] * B[1, 1] - B[0, 1] * B[1, 0]
    regular = jnp.abs(det) > TINY
    safe = jnp.where(regular, det, 1.0)
    solved = jnp.stack([B[1, 1] * b[0] - B[0, 1] * b[1], B[0, 0] * b[1] - B[1, 0] * b[0]]) / safe
    total = jnp.sum(B**2)
    lone = (B.T @ b) / jnp.where(total > 0, total, 1.0)  # of a matrix of rank one
    return divide(jnp.where(regular, solved, lone), size)
