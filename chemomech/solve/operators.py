"""Sparse matrices of two kinds behind `A @ x` and `A.T`: those of `host_matrix.py`, and ELL tables of JAX arrays.

The code of cycles, preconditioner and field operator is the same for both; what differs is here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, dataclass_transform

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh as Devices
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int
from scipy.sparse import bsr_matrix, csr_matrix

from .host_matrix import HostMatrix, Transposed

BUCKETS = 4  # of equal row width, at most
LAUNCH = 2000  # entries of padding that cost as much as one bucket more
UNROLLED = 96  # products of a row written out one by one: on the CPU 16 times faster than XLA's reduction
SHORT = 2000  # rows for which that is not worth its compile time


@dataclass_transform(frozen_default=True, field_specifiers=(eqx.field,))
def pytree(cls: type) -> type:
    """A frozen dataclass as a pytree, `eqx.field(static=True)` too: an `eqx.Module` whose methods cost no wrapping.

    Where a method is called hundreds of times a step on small arrays, that wrapping was a fifth of the time.
    """
    return jax.tree_util.register_dataclass(dataclasses.dataclass(frozen=True)(cls))


class Pattern:
    """Sparsity of a matrix of node blocks on the host; `matrix` gives it values in the order of the entries."""

    def __init__(self, indptr: Int[np.ndarray, " rows"], indices: Int[np.ndarray, " nnz"], columns: int):
        self.indptr, self.indices, self.shape = indptr, indices, (len(indptr) - 1, columns)

    @classmethod
    def of(cls, A: Any) -> Pattern:
        """The pattern of a SciPy matrix."""
        columns = A.shape[1] if A.format == "csr" else A.shape[1] // A.blocksize[1]
        return cls(A.indptr, A.indices, columns)

    @functools.cached_property
    def rows(self) -> Int[np.ndarray, " nnz"]:
        """Row of each entry."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int32), np.diff(self.indptr))

    @functools.cached_property
    def diagonal(self) -> Int[np.ndarray, " n"]:
        """Where the diagonal lies among the entries."""
        return np.flatnonzero(self.rows == self.indices)

    def matrix(self, data: Float[np.ndarray, " nnz *block"]) -> HostMatrix:
        """The matrix of these values, ready for products."""
        return HostMatrix(self.scipy(data))

    def scipy(self, data: Float[np.ndarray, " nnz *block"]) -> Any:
        """The same in CSR, or BSR where an entry is a block."""
        if data.ndim == 1:
            return csr_matrix((data, self.indices, self.indptr), shape=self.shape)
        shape = tuple(n * size for n, size in zip(self.shape, data.shape[1:], strict=True))
        return bsr_matrix((data, self.indices, self.indptr), shape=shape)

    def dense(self, data: Float[np.ndarray, " nnz"]) -> Float[np.ndarray, "n n"]:
        """The same as a dense array."""
        return self.scipy(data).toarray()


class Table(eqx.Module):
    """A pattern on the device: rows sorted into a few buckets of equal width."""

    columns: tuple[Int[Array, "width rows"], ...]
    entries: tuple[Int[Array, "width rows"], ...]  # which value stands there; their number: a zero
    turned: tuple[Int[Array, "width rows"], ...] | None  # the same for the transpose, in patterns that have their own
    place: Int[Array, " rows"]  # of each row in the buckets one after the other
    rows: Int[Array, " nnz"]
    indices: Int[Array, " nnz"]
    diagonal: Int[Array, " n"]
    shape: tuple[int, int] = eqx.field(static=True)

    @classmethod
    def of(cls, pattern: Pattern, *, turned: bool = True, devices: Devices | None = None) -> Table:
        """The table of a host pattern, with a second one for transposes unless they are not wanted.

        On several devices each has its share of the rows of every bucket, and XLA does the rest: a product is taken
        row by row where the rows are, and put together on all.
        """
        parts = 1 if devices is None else devices.size
        counts, nnz = np.diff(pattern.indptr), len(pattern.indices)
        sizes = np.maximum(counts, 1)
        widths = _widths(sizes)
        buckets = [np.flatnonzero((sizes > low) & (sizes <= high)) for low, high in widths]
        columns, entries, start = [], [], 0
        place = np.empty(len(counts), np.int32)
        for rows, (_, width) in zip(buckets, widths, strict=True):
            place[rows] = start + np.arange(len(rows))
            rows, real = _padded(rows, parts)
            start += len(rows)
            k = np.arange(width)[:, None]
            inside = (k < counts[rows]) & real
            entry = np.where(inside, pattern.indptr[rows] + k, nnz)
            entries.append(entry.astype(np.int32))
            columns.append(np.where(inside, np.append(pattern.indices, 0)[entry], 0).astype(np.int32))
        mirror = _mirrored(pattern) if turned else None
        tables = [columns, entries]
        if mirror is not None:
            tables.append([np.append(mirror, nnz)[entry].astype(np.int32) for entry in entries])
        first, second, *third = (tuple(put(t, devices, split=True) for t in v) for v in tables)
        place, rows, indices, diagonal = (
            put(v, devices) for v in (place, pattern.rows, pattern.indices, pattern.diagonal)
        )
        return cls(first, second, third[0] if third else None, place, rows, indices, diagonal, pattern.shape)

    def matrix(self, data: Float[Array, " nnz *block"]) -> Ell:
        """The matrix of these values, by one gather."""
        return Ell(self, _gathered(data, self.entries), _gathered(data, self.turned) if self.turned else None)

    def dense(self, data: Float[Array, " nnz"]) -> Float[Array, "n n"]:
        """The same as a dense array."""
        return jnp.zeros(self.shape, data.dtype).at[self.rows, self.indices].set(data)


class Ell(eqx.Module):
    """Values in a table; blocks lie with their own axes first. What of `turned` is not used costs nothing in a jit."""

    table: Table
    values: tuple[Float[Array, "*block width rows"], ...]
    turned: tuple[Float[Array, "*block width rows"], ...] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        block = self.values[0].shape[:-2] or (1, 1)
        return self.table.shape[0] * block[0], self.table.shape[1] * block[1]

    def __matmul__(self, x: Float[Array, " columns"]) -> Float[Array, " rows"]:
        if self.values[0].ndim == 2:
            parts = [_products(v[None, None], c, x[None]) for v, c in zip(self.values, self.table.columns, strict=True)]
            return jnp.concatenate(parts, 1)[0, self.table.place]
        X = x.reshape(self.table.shape[1], -1).T
        parts = [_products(v, c, X) for v, c in zip(self.values, self.table.columns, strict=True)]
        return jnp.concatenate(parts, 1)[:, self.table.place].T.ravel()

    @property
    def T(self) -> Ell:
        """The transpose, in a pattern that is its own transpose."""
        if self.turned is None:
            raise ValueError("this pattern is not its own transpose")
        turn = [tuple(jnp.swapaxes(v, 0, 1) if v.ndim == 4 else v for v in part) for part in (self.values, self.turned)]
        return Ell(self.table, turn[1], turn[0])


def _gathered(data, tables):
    """Values of each bucket, (*block, width, rows)."""
    padded = jnp.concatenate([data, jnp.zeros_like(data[:1])])
    return tuple(jnp.moveaxis(padded[entry], (0, 1), (-2, -1)) for entry in tables)


def _products(values: Float[Array, "a b width rows"], columns: Int[Array, "width rows"], x: Float[Array, "b n"]):
    """Rows of one bucket times x, (a, rows)."""
    if columns.shape[0] * x.shape[0] > UNROLLED or columns.shape[1] < SHORT:
        return jnp.sum(values * x[:, columns], (1, 2))
    terms = [values[:, b, k] * x[b][columns[k]] for k in range(columns.shape[0]) for b in range(x.shape[0])]
    return sum(terms[1:], terms[0])


def _widths(counts) -> list[tuple[int, int]]:
    """(more than, at most) of each bucket: the least padding, with a price on every bucket."""
    distinct, many = np.unique(counts, return_counts=True)
    best: dict[int, tuple[float, list]] = {0: (0.0, [])}
    for _ in range(BUCKETS):
        known = dict(best)
        for first, (price, cuts) in known.items():
            for last in range(first + 1, len(distinct) + 1):
                total = price + LAUNCH + float(distinct[last - 1]) * many[first:last].sum()
                if last not in best or total < best[last][0]:
                    low = int(distinct[first - 1]) if first else -1
                    best[last] = (total, [*cuts, (low, int(distinct[last - 1]))])
    return best[len(distinct)][1]


def _mirrored(pattern: Pattern):
    """Position of each entry's mirror image; None where the pattern is not its own transpose."""
    n, columns = pattern.shape
    if n != columns:
        return None
    key = pattern.rows.astype(np.int64) * n + pattern.indices
    mirror = pattern.indices.astype(np.int64) * n + pattern.rows
    order = np.argsort(key)
    place = np.searchsorted(key, mirror, sorter=order).clip(max=len(key) - 1)
    found = order[place]
    return found if np.array_equal(key[found], mirror) else None


def _padded(rows: Int[np.ndarray, " rows"], parts: int) -> tuple[Int[np.ndarray, " more"], Any]:
    """The rows of a bucket, and which of them are real: some are added so that all devices have as many."""
    more = -len(rows) % parts
    return np.append(rows, rows[:1].repeat(more)), np.arange(len(rows) + more) < len(rows)


def devices_of(v: Any) -> Devices | None:
    """The devices that an array lies on, where they are several."""
    sharding = getattr(v, "sharding", None)
    devices = sharding.mesh if isinstance(sharding, NamedSharding) else None
    return devices if isinstance(devices, Devices) and devices.size > 1 else None


def put(v: Any, devices: Devices | None, *, split: bool = False) -> Array:
    """A host array on one device, or on several: split along its last axis, or the same on all."""
    if devices is None:
        return jnp.asarray(v)
    v = np.asarray(v)
    spec = PartitionSpec(*[None] * (v.ndim - 1), *devices.axis_names) if split else PartitionSpec()
    return jax.make_array_from_callback(v.shape, NamedSharding(devices, spec), lambda index: v[index])


def everywhere(v: Any, devices: Devices | None) -> Any:
    """The same on all devices, from where its parts are."""
    if devices is None:
        return v
    return jax.jit(lambda v: v, out_shardings=NamedSharding(devices, PartitionSpec()))(v)


def on_device(tree: Any, devices: Devices | None = None) -> Any:
    """The same with JAX arrays and tables in place of NumPy arrays, patterns and host matrices."""
    tables: dict[int, Table] = {}

    def moved(leaf):
        if isinstance(leaf, Pattern):
            if id(leaf) not in tables:
                tables[id(leaf)] = Table.of(leaf, devices=devices)
            return tables[id(leaf)]
        if isinstance(leaf, HostMatrix):
            table = Table.of(Pattern.of(leaf.scipy), turned=False, devices=devices)
            return table.matrix(put(leaf.scipy.data, devices))
        return put(leaf, devices) if isinstance(leaf, np.ndarray) else leaf

    return jax.tree.map(moved, tree, is_leaf=lambda v: isinstance(v, (Pattern, HostMatrix)))


# --- what NumPy and JAX write differently ---------------------------------------------------------------------------


def gaxpy(A: Any, x: Any, y: Any, factor: float = 1.0) -> Any:
    """y + factor A x (the name is BLAS's, generalised): by MKL without an array for A x."""
    return A.product(x, factor=factor, onto=y) if isinstance(A, (HostMatrix, Transposed)) else y + factor * (A @ x)


def namespace(v: Any) -> Any:
    """NumPy or jax.numpy, as the array is."""
    return jnp if isinstance(v, jax.Array) else np


def replaced(v: Any, where: Any, values: Any) -> Any:
    """A copy of v with other values at some places."""
    if isinstance(v, jax.Array):
        return v.at[where].set(values)
    v = np.array(v)
    v[where] = values
    return v


def choose(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """yes() or no(), of which the other is not evaluated."""
    if isinstance(condition, jax.Array):
        return jax.lax.cond(condition, yes, no)
    return yes() if condition else no()


def repeat(count: Any, body: Callable[[Any], Any], carry: Any) -> Any:
    """body applied to the carry that many times."""
    if isinstance(count, jax.Array):
        return jax.lax.fori_loop(0, count, lambda _, v: body(v), carry)
    for _ in range(int(count)):
        carry = body(carry)
    return carry


def mapped(function: Callable[[Any], Any], rows: Any) -> Any:
    """function of each row, stacked; on a device compiled once for all of them."""
    return jax.lax.map(function, rows) if isinstance(rows, jax.Array) else np.stack([function(v) for v in rows])
