"""Lattice correspondence of two phases: which vectors of one become which of the other, by least strain."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..errors import ConfigError
from .lattice import CENTRINGS, Lattice
from .spectral import determinant, eigensystem, inverse, square_root
from .sublattices import adjugate, changes_of_basis, pair_features, reduced, six, sublattices

TIE = 1e-9  # strains that differ by less, relatively, are equal: the first of the table is taken
COLUMNS = 1024  # pairs of sublattices judged at once


class Correspondence(eqx.Module):
    """Which lattice vectors become which.

    matrix: M with (parent vector j) -> sum_i (product vector i) M_ij, for the vectors of the cells; fractions where
    cells are centred or sublattices taken. distance: see `strain_distance` [1]. indices: of the sublattices of the
    primitive parent and product lattices that are mapped onto each other.
    """

    matrix: Float[Array, "*batch 3 3"]
    distance: Float[Array, "*batch"]
    indices: Int[Array, "*batch 2"]


def correspondence(
    parent: Lattice, product: Lattice, *, max_index: int = 2, indices: Sequence[tuple[int, int]] | None = None
) -> Correspondence:
    """The lattice correspondence of least strain, over sublattices of both lattices.

    Every sublattice of index p of the parent is mapped onto every one of index q of the product, both in reduced bases,
    by all matrices of `changes_of_basis`; the least `strain_distance` wins, and among equals the smaller index. The
    choice is one of whole numbers, so no derivative passes through it: give the matrix to `transformation`, which is
    differentiable. Rows that a change of volume alone puts further than what is found already are left out.

    Args:
        parent: one lattice or a batch; a single one goes with a batch of the other.
        product: likewise.
        max_index: all p and q up to this, without a common divisor.
        indices: pairs (p, q) instead, such as those that keep the number of formula units.

    Raises:
        ConfigError: an index is not positive.

    Source: searches over sublattices: arXiv:1501.05064; optimal correspondences exist: doi:10.1098/rspa.2015.0865.
    """
    pairs = _index_pairs(max_index, indices)
    shape = jnp.broadcast_shapes(parent.lengths.shape, product.lengths.shape)[:-1]
    bases, valid = _rows(parent, product, shape)
    traced = any(isinstance(b, jax.core.Tracer) for b in bases)
    if not traced:
        bases, valid = [np.asarray(b) for b in bases], np.asarray(valid)
    found = _nothing(len(valid))
    for p, q in pairs:
        search = functools.partial(_search, p=p, q=q, centrings=(parent.centring, product.centring))
        if traced:
            found = _better(found, search(bases[0], bases[1], valid))
        else:
            found = _searched_where_promising(
                found, search, bases, valid, _least_distances(bases, parent, product, p, q)
            )
    return jax.tree.map(lambda a: jnp.asarray(a.reshape((*shape, *a.shape[1:]))), found)


@eqx.filter_jit
def _rows(parent: Lattice, product: Lattice, shape: tuple[int, ...]):
    """Vectors of the cells of each pair, and which pairs are of two lattices."""
    bases = [jnp.broadcast_to(lattice.basis, (*shape, 3, 3)).reshape(-1, 3, 3) for lattice in (parent, product)]
    valid = jnp.broadcast_to(parent.valid & product.valid, shape).reshape(-1)
    return [jax.lax.stop_gradient(b) for b in bases], valid


def _index_pairs(max_index: int, indices: Sequence[tuple[int, int]] | None) -> list[tuple[int, int]]:
    if indices is None:
        every = [(p, q) for p in range(1, max_index + 1) for q in range(1, max_index + 1) if math.gcd(p, q) == 1]
    else:
        every = [(int(p), int(q)) for p, q in indices]
    if not every or min(min(pair) for pair in every) < 1:
        raise ConfigError(f"Sublattices have indices {every or max_index}. Try: whole numbers from 1, such as 2.")
    return sorted(every, key=lambda pair: (pair[0] * pair[1], pair))


def strain_distance(F: Float[Array, "3 3"]) -> Float[Array, ""]:
    """How far a deformation is from a rotation: d^2 = 1/4 sum_i (lambda_i - 1/lambda_i)^2 [1]

    = 1/4 (tr C + tr C^-1 - 6), with C = F^T F: for small strains the norm of the logarithmic strain; the same for F and
    F^-1, so the way back has the correspondence of the way there; without bound as a stretch goes to zero.
    """
    C = F.T @ F
    square = 0.25 * (jnp.trace(C) + jnp.trace(inverse(C)) - 6.0)
    positive = square > 0
    root = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
    return jnp.where(determinant(C) > 0, root, jnp.inf)


def _nothing(count: int) -> Correspondence:
    """In NumPy, whose operations are not compiled: searches of concrete lattices are put together outside JAX."""
    matrix = np.broadcast_to(np.eye(3), (count, 3, 3))
    return Correspondence(matrix, np.full(count, np.inf), np.ones((count, 2), int))


def _better(old: Correspondence, new: Correspondence) -> Correspondence:
    wins = new.distance < old.distance * (1.0 - TIE)
    xp = jnp if isinstance(wins, jax.Array) else np
    return jax.tree.map(lambda a, b: xp.where(wins.reshape(-1, *[1] * (a.ndim - 1)), b, a), old, new)


def _least_distances(bases, parent: Lattice, product: Lattice, p: int, q: int) -> Float[np.ndarray, " n"]:
    """The distance that a change of volume alone costs: sqrt(3) sinh(|ln J| / 3)."""
    sizes = [np.linalg.det(CENTRINGS[lattice.centring]) for lattice in (parent, product)]
    volumes = [np.abs(np.linalg.det(b)) * size for b, size in zip(bases, sizes, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.abs(np.log(q * volumes[1] / (p * volumes[0])))
    return np.sqrt(3.0) * np.sinh(np.minimum(np.nan_to_num(logs, nan=np.inf), 100.0) / 3.0)


def _searched_where_promising(found, search, bases, valid, least) -> Correspondence:
    rows = np.flatnonzero(valid & (least < found.distance))
    if len(rows) == 0:
        return found
    padded = np.resize(rows, 1 << (len(rows) - 1).bit_length())  # few sizes, so few programs
    new = search(*(b[padded] for b in bases), valid[padded])
    every = jax.tree.map(np.copy, _nothing(len(valid)))
    for leaf, values in zip(jax.tree.leaves(every), jax.tree.leaves(new), strict=True):
        leaf[rows] = np.asarray(values)[: len(rows)]
    return _better(found, every)


@eqx.filter_jit
def _search(parents, products, valid, *, p: int, q: int, centrings: tuple[str, str]) -> Correspondence:
    """The best of one pair of indices, rows in groups that keep memory small."""
    group = 1 << max(0, (COLUMNS // (len(sublattices(p)) * len(sublattices(q)))).bit_length() - 1)
    one = functools.partial(_searched, p=p, q=q, centrings=centrings)
    return jax.lax.map(lambda row: one(*row), (parents, products, valid), batch_size=min(group, len(valid)))


def _searched(parent, product, valid, p: int, q: int, centrings: tuple[str, str]) -> Correspondence:
    cells = [CENTRINGS[c] for c in centrings]
    bases = [jnp.where(valid, b, jnp.eye(3)) @ cell for b, cell in zip((parent, product), cells, strict=True)]
    A, B = sublattices(p), sublattices(q)
    GA, TA = reduced(_metrics(bases[0] @ A))
    GB, TB = reduced(_metrics(bases[1] @ B))
    there, back = _outer(six(GB), six(_inverse(GA))), _outer(six(_inverse(GB)), six(GA))
    table, features = changes_of_basis(), _table_features()
    squares = 0.25 * (jnp.concatenate([there, back], axis=-1).reshape(-1, 72) @ features.T).ravel() - 1.5
    least = jnp.maximum(jnp.min(squares), 0.0)
    best = jnp.argmax(squares <= least * (1.0 + TIE) + 1e-13)  # the first of equals
    pair, change = best // len(table), best % len(table)
    s, t = pair // len(B), pair % len(B)
    whole = jnp.asarray(B)[t] @ TB[t] @ jnp.asarray(table)[change] @ adjugate(TA[s]) @ jnp.asarray(adjugate(A))[s]
    distance = jnp.where(valid, jnp.sqrt(least), jnp.inf)
    return Correspondence(_between_cells(whole, p, cells), distance, jnp.asarray([p, q]))


def _between_cells(whole: Float[Array, "3 3"], p: int, cells: list[np.ndarray]) -> Float[Array, "3 3"]:
    """P' (whole / p) P^-1 with one division, so that fractions are correctly rounded."""
    scale, scale_ = (6 if np.abs(6 * c % 1).max() < 1e-9 else 1 for c in cells)
    start, end = np.rint(scale * cells[0]), np.rint(scale_ * cells[1])
    numerator = jnp.round(jnp.asarray(end) @ whole @ np.rint(adjugate(start))) * scale
    return numerator / (scale_ * p * round(np.linalg.det(start)))


@functools.cache
def _table_features() -> np.ndarray:
    table = changes_of_basis()
    return np.concatenate([pair_features(table), pair_features(np.swapaxes(adjugate(table), -1, -2))], axis=-1)


def _metrics(bases: Float[Array, "k 3 3"]) -> Float[Array, "k 3 3"]:
    return jnp.swapaxes(bases, -1, -2) @ bases


def _inverse(G: Float[Array, "k 3 3"]) -> Float[Array, "k 3 3"]:
    return jax.vmap(inverse)(G)


def _outer(a: Float[Array, "t 6"], b: Float[Array, "s 6"]) -> Float[Array, "s t 36"]:
    return (a[None, :, :, None] * b[:, None, None, :]).reshape(len(b), len(a), 36)


class Transformation(eqx.Module):
    """What a lattice correspondence does to the parent.

    F: deformation gradient, U: its stretch, both in the parent's axes. stretches: lambda_1 <= lambda_2 <= lambda_3.
    """

    F: Float[Array, "3 3"]
    U: Float[Array, "3 3"]
    stretches: Float[Array, "3"]

    @property
    def volume_ratio(self) -> Float[Array, ""]:
        """det U, volume of the product over that of the parent [1]."""
        return determinant(self.U)

    @property
    def strain(self) -> Float[Array, "3 3"]:
        """U - I, the misfit strain of the transformation [1]."""
        return self.U - jnp.eye(3)


def transformation(parent: Lattice, product: Lattice, matrix: Float[Array, "3 3"]) -> Transformation:
    """F = E' M E^-1, with E and E' the vectors of the cells as columns, and its stretch U = sqrt(F^T F).

    Differentiable by both lattices; of one pair (`jax.vmap` takes batches).

    Args:
        parent: lattice before.
        product: lattice after.
        matrix: from `correspondence`.
    """
    F = product.basis @ jax.lax.stop_gradient(matrix) @ inverse(parent.basis)
    U = square_root(F.T @ F)
    return Transformation(F, U, eigensystem(U)[0])
