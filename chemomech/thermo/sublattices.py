"""Integer matrices: sublattices of an index, changes of basis, and reduced bases.

A change of basis is judged by traces tr(M^T G' M G^-1), which are linear in products of entries of M: a whole table
of matrices is judged for many lattices at once by one product of matrices.
"""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SHORTER = 1e-9  # a vector is exchanged only for one that is shorter by this part, so that round-off decides nothing


@functools.cache
def sublattices(index: int) -> np.ndarray:
    """Bases H of all sublattices of an index, one each, in Hermite's normal form (k, 3, 3), columns are vectors."""
    found = []
    for a, b in itertools.product(range(1, index + 1), repeat=2):
        if index % (a * b) == 0:
            c = index // (a * b)
            for x, y, z in itertools.product(range(b), range(c), range(c)):
                found.append([[a, 0, 0], [x, b, 0], [y, z, c]])
    return np.array(found, dtype=float)


@functools.cache
def changes_of_basis() -> np.ndarray:
    """All matrices of determinant one with entries -1, 0, 1, fewest entries first, the identity the first of all.

    Reduced bases of two lattices that differ by a moderate strain are related by one of these 3480.
    """
    entries = np.array(list(itertools.product((-1, 0, 1), repeat=9)), dtype=float).reshape(-1, 3, 3)
    proper = entries[np.abs(np.linalg.det(entries) - 1.0) < 0.5]
    order = np.lexsort((-np.trace(proper, axis1=1, axis2=2), np.abs(proper).sum(axis=(1, 2))))
    return proper[order]


def adjugate(A):
    """adj A = det(A) A^-1, exact for integers; NumPy or JAX, any leading axes."""
    xp = jnp if isinstance(A, jax.Array) else np
    r = [A[..., i, :] for i in range(3)]
    return xp.stack([xp.cross(r[1], r[2]), xp.cross(r[2], r[0]), xp.cross(r[0], r[1])], axis=-1)


def pair_features(M: np.ndarray) -> np.ndarray:
    """phi(M), with tr(M^T P M Q) = phi(M) . (six(P) x six(Q)) for symmetric P and Q; (k, 3, 3) -> (k, 36)."""
    products = np.einsum("kai,kbj->kabij", M, M)
    return np.stack([_doubled(products, p, q) for p in _SIX for q in _SIX], axis=-1)


_SIX = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def _doubled(products: np.ndarray, p: tuple[int, int], q: tuple[int, int]) -> np.ndarray:
    orders = {(a, i) for a in (p, p[::-1]) for i in (q, q[::-1])}
    return np.sum([products[:, a, b, i, j] for (a, b), (i, j) in orders], axis=0)


def six(A: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 6"]:
    """The components xx, yy, zz, yz, xz, xy of a symmetric matrix."""
    return jnp.stack([A[..., i, j] for i, j in _SIX], axis=-1)


@functools.cache
def _moves() -> np.ndarray:
    """Add to one vector of a basis any combination, with -1, 0, 1, of the others."""
    found = []
    for i in range(3):
        for x, y in itertools.product((-1, 0, 1), repeat=2):
            if x or y:
                move = np.eye(3)
                move[[j for j in range(3) if j != i], i] = x, y
                found.append(move)
    return np.array(found)


def reduced(G: Float[Array, "*batch 3 3"]) -> tuple[Float[Array, "*batch 3 3"], Float[Array, "*batch 3 3"]]:
    """A reduced basis of each lattice: its metric T^T G T, and T, of whole numbers and determinant one.

    No vector can be shortened by adding others to it (Minkowski's conditions); at most 60 exchanges.
    """
    moves = jnp.asarray(_moves())
    features = jnp.asarray(pair_features(_moves())).reshape(len(moves), 6, 6)[:, :, :3].sum(-1)  # Q = identity

    def shortened(state):
        G, T, _, count = state
        sizes = six(G) @ features.T
        now = jnp.trace(G, axis1=-2, axis2=-1)
        best = jnp.argmin(sizes, axis=-1)
        better = jnp.min(sizes, axis=-1) < now * (1.0 - SHORTER)
        move = jnp.where(better[..., None, None], moves[best], jnp.eye(3))
        return jnp.swapaxes(move, -1, -2) @ G @ move, T @ move, jnp.any(better), count + 1

    start = (G, jnp.broadcast_to(jnp.eye(3), G.shape), jnp.asarray(True), 0)
    G, T, _, _ = jax.lax.while_loop(lambda s: s[2] & (s[3] < 60), shortened, start)
    return G, T
