"""Twofold axes of a lattice, which relate the variants of a product."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .lattice import CENTRINGS, Lattice
from .spectral import unit
from .sublattices import changes_of_basis, reduced

AXES = 9  # a cubic lattice has nine twofold axes, every other one fewer


@functools.cache
def _half_turns() -> tuple[np.ndarray, np.ndarray]:
    """All half turns in reduced bases, W W = I and tr W = -1, and their axes: W + I = axis (x) plane."""
    table = changes_of_basis()
    turns = table[(np.abs(table @ table - np.eye(3)).max(axis=(1, 2)) < 0.5) & (np.trace(table, axis1=1, axis2=2) < 0)]
    shifted = turns + np.eye(3)
    column = np.abs(shifted).max(axis=1).argmax(axis=1)
    axes = shifted[np.arange(len(turns)), :, column]
    return turns, axes / np.gcd.reduce(np.rint(axes).astype(int), axis=1)[:, None]


def twofold_axes(lattice: Lattice, tolerance: float = 1e-4) -> tuple[Float[Array, "9 3"], Bool[Array, "9"]]:
    """Directions, in terms of the cell's vectors, of the axes about which half a turn keeps the lattice.

    These are the axes of the lattice; a crystal may have fewer. Of one lattice (`jax.vmap` takes batches).

    Args:
        lattice: the parent.
        tolerance: how far, relatively, lengths and angles may be from the symmetric ones.

    Returns:
        nine rows, those beyond the last axis zero, and which of them are axes.
    """
    cell = jnp.asarray(CENTRINGS[lattice.centring])
    primitive = jax.lax.stop_gradient(jnp.where(lattice.valid, lattice.basis, jnp.eye(3))) @ cell
    G, T = reduced(primitive.T @ primitive)
    turns, axes = (jnp.asarray(a) for a in _half_turns())
    size = jnp.sqrt(jnp.diagonal(G))
    change = jnp.abs(jnp.swapaxes(turns, -1, -2) @ G @ turns - G) / (size[:, None] * size[None, :])
    kept = lattice.valid & (jnp.max(change, axis=(-1, -2)) < 2.0 * tolerance)
    order = jnp.argsort(~kept, stable=True)[:AXES]
    found = kept[order]
    directions = jnp.where(found[:, None], axes[order] @ (cell @ T).T, 0.0)
    return directions, found


def directions(lattice: Lattice, axes: Float[Array, "k 3"]) -> Float[Array, "k 3"]:
    """Unit vectors along axes that are given in terms of the cell's vectors; zero stays zero."""
    # Scaled, because the square of a length in metres times a tiny cotangent would come near underflow.
    basis = lattice.basis / jnp.max(lattice.lengths)
    return jax.vmap(lambda axis: unit(basis @ axis))(axes)
