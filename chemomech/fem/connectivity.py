"""Which nodes share a cell, as a sparse pattern, and where each pair of nodes of a cell lies in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee


class Graph(NamedTuple):
    """CSR pattern of the pairs of nodes that share a cell, each node with itself included."""

    indptr: Int[np.ndarray, " rows"]
    indices: Int[np.ndarray, " nnz"]
    entry: Int[np.ndarray, "k k cells"]  # of each pair of nodes of a cell

    @property
    def rows(self) -> Int[np.ndarray, " nnz"]:
        """Row of each entry."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))


def graph(cells: Int[np.ndarray, "k cells"], n: int) -> Graph:
    """The pattern of cells on nodes 0 to n - 1; two nodes of a cell may be the same (tied) one.

    Only pairs of ascending nodes are sorted, the rest follows by symmetry: sorting is what takes the time.
    """
    k = len(cells)
    a, b = np.triu_indices(k, 1)
    ascending = cells[a] <= cells[b]
    keys = np.minimum(cells[a], cells[b]).astype(np.int64) * n + np.maximum(cells[a], cells[b])
    diagonal = np.arange(n, dtype=np.int64) * (n + 1)
    pairs, number = ranked(np.concatenate([keys.ravel(), diagonal]))
    low, high = np.divmod(pairs, n)
    strict = np.flatnonzero(low < high)
    rows, columns = np.concatenate([low, high[strict]]), np.concatenate([high, low[strict]])
    pattern = csr_matrix((np.arange(len(rows), dtype=np.int32), (rows, columns)), shape=(n, n))
    pattern.sort_indices()
    place = np.empty(len(rows), np.int32)
    np.put(place, pattern.data, np.arange(len(rows), dtype=np.int32))
    mirror = place[: len(pairs)].copy()
    mirror[strict] = place[len(pairs) :]
    above, inside = number[: keys.size].reshape(keys.shape), number[keys.size :]
    entry = np.empty((k, *cells.shape), np.int32)
    entry[a, b] = np.where(ascending, place[above], mirror[above])
    entry[b, a] = np.where(ascending, mirror[above], place[above])
    entry[range(k), range(k)] = place[inside][cells]
    return Graph(pattern.indptr.astype(np.int32), pattern.indices.astype(np.int32), entry)


def near(cells: Int[np.ndarray, "k cells"], n: int) -> Int[np.ndarray, " n"]:
    """The nodes 0 to n - 1 in an order in which neighbours lie close together (reverse Cuthill-McKee).

    Products with the matrix of a large mesh then find most of a vector in the cache.
    """
    k = len(cells)
    a, b = np.nonzero(~np.eye(k, dtype=bool))
    beside = csr_matrix((np.ones(len(a) * cells.shape[1], bool), (cells[a].ravel(), cells[b].ravel())), shape=(n, n))
    return reverse_cuthill_mckee(beside, symmetric_mode=True)


def ranked(keys: Int[np.ndarray, " k"]) -> tuple[Int[np.ndarray, " distinct"], Int[np.ndarray, " k"]]:
    """Distinct keys in ascending order, and the number of each key among them.

    As numpy.unique with its inverse, but with a sort that is quick where long runs are in order already.
    """
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    first = np.ones(len(keys), bool)
    first[1:] = ascending[1:] != ascending[:-1]
    number = np.empty(len(keys), np.int64)
    number[order] = np.cumsum(first) - 1
    return ascending[first], number
