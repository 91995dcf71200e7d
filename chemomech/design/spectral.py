"""Sums of powers of the positive eigenvalues of symmetric tensors, smooth where eigenvalues meet."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

CLOSE = 1e-6  # eigenvalues of a smaller relative distance count as equal in second derivatives


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def tensile_power(p: int, tensor: Float[Array, "... 3 3"]) -> Float[Array, "..."]:
    """sum_i max(lambda_i, 0)^p, lambda_i the eigenvalues.

    Its derivative p sum_i max(lambda_i, 0)^(p-1) n_i n_i needs no differences of eigenvalues: it is finite where they
    are equal.
    """
    return jnp.sum(_positive(jnp.linalg.eigvalsh(tensor)) ** p, axis=-1)


@tensile_power.defjvp
def _tensile_power(p, primals, tangents):
    (tensor,), (change,) = primals, tangents
    return tensile_power(p, tensor), p * jnp.sum(positive_power(p - 1, tensor) * change, axis=(-2, -1))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def positive_power(n: int, tensor: Float[Array, "... 3 3"]) -> Float[Array, "... 3 3"]:
    """sum_i max(lambda_i, 0)^n n_i n_i, with the eigenvectors n_i."""
    values, vectors = jnp.linalg.eigh(tensor)
    return _composed(vectors, _positive(values)[..., None, :] ** n * jnp.eye(3))


@positive_power.defjvp
def _positive_power(n, primals, tangents):
    """Divided differences of the eigenvalues' power (Daleckii and Krein)."""
    (tensor,), (change,) = primals, tangents
    values, vectors = jnp.linalg.eigh(tensor)
    rotated = jnp.swapaxes(vectors, -1, -2) @ change @ vectors
    a, b = values[..., :, None], values[..., None, :]
    equal = jnp.abs(a - b) <= CLOSE * (jnp.abs(a) + jnp.abs(b))
    between = (_positive(a) ** n - _positive(b) ** n) / jnp.where(equal, 1.0, a - b)
    slopes = jnp.where(equal, n * _positive(0.5 * (a + b)) ** (n - 1), between)
    here = _composed(vectors, _positive(values)[..., None, :] ** n * jnp.eye(3))
    return here, _composed(vectors, slopes * rotated)


def _positive(values):
    return jnp.maximum(values, 0.0)


def _composed(vectors, inner):
    return vectors @ inner @ jnp.swapaxes(vectors, -1, -2)
