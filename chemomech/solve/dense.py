"""Small dense systems, for NumPy and for JAX; of a batch that `vmap` makes, on the CPU, one after the other.

XLA's CPU runtime spreads a batch of LAPACK calls over its threads and waits for them in one of these threads: with two
threads, two batches at the same time wait for each other for ever (seen with jaxlib 0.10.2 on two cores). No reverse
derivative is taken through these: a solve is differentiated as a whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float


def one_by_one(on_host: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The function, which `vmap` makes a loop on the CPU and a batch elsewhere; for NumPy's arrays one of NumPy's."""

    def made(function):
        looped = jax.custom_batching.sequential_vmap(function)

        @functools.wraps(function)
        def call(*args):
            if not any(isinstance(a, jax.Array) for a in args):
                return on_host(*args)
            return jax.lax.platform_dependent(*args, cpu=looped, default=function)

        return call

    return made


@one_by_one(np.linalg.inv)
def inv(A: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """A^-1"""
    return jnp.linalg.inv(A)


@one_by_one(np.linalg.solve)
def solve(A: Float[Array, "n n"], b: Float[Array, " n"]) -> Float[Array, " n"]:
    """A^-1 b"""
    return jnp.linalg.solve(A, b)


@one_by_one(np.linalg.eigh)
def eigh(A: Float[Array, "n n"]) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Eigenvalues of a symmetric matrix, in ascending order, and its eigenvectors as columns."""
    return tuple(jnp.linalg.eigh(A))


@one_by_one(scipy.linalg.solve_triangular)
def solve_triangular(R: Float[Array, "n n"], b: Float[Array, " n"]) -> Float[Array, " n"]:
    """R^-1 b of an upper triangular matrix."""
    return jax.scipy.linalg.solve_triangular(R, b)
