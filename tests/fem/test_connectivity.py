"""Patterns from connectivity: the same as sorting every pair of every cell, tied nodes and tied fields included."""

import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.fem.assembly import build_pattern
from chemomech.fem.connectivity import graph, ranked
from chemomech.fem.constraints import Lift
from chemomech.fem.mesh import box, elevate, rectangle

MESHES = {
    "triangles": rectangle(1.0, 1.0, 4, 3),
    "quadratic tetrahedra": elevate(box(1.0, 1.0, 1.0, 2, 2, 1)),
    "hexahedra": box(1.0, 1.0, 1.0, 2, 2, 2, "hexahedron"),
}


def plain(cells, n):
    """All pairs of all cells, sorted."""
    keys = cells[:, None, :].astype(np.int64) * n + cells[None]
    unique, inverse = np.unique(keys, return_inverse=True)
    return *np.divmod(unique, n), inverse.reshape(keys.shape)


@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("tied", [False, True])
def test_graph_is_that_of_all_pairs(name, tied):
    """Rows, columns and entries; with nodes 0, 1 and 2 tied, some cells hold a node twice."""
    mesh = MESHES[name]
    node = np.maximum(np.arange(len(mesh.points)) - 2, 0) if tied else np.arange(len(mesh.points))
    cells, n = node[mesh.cells.T], node.max() + 1
    found = graph(cells, n)
    rows, columns, entry = plain(cells, n)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.indices, columns)
    np.testing.assert_array_equal(found.entry, entry)


def lifts(n):
    """Three fields on n nodes: free, some held, last node tied to the first, and a field tied to another."""
    free = np.arange(3 * n)
    held = np.where(free % n == 2, 3 * n, free)
    tied = np.where(free % n == n - 1, free - n + 1, free)
    across = np.where(free // n == 2, free - n, free)
    for root in (free, held, tied, across):
        leaders = np.unique(root[root < 3 * n])
        index = np.where(root < 3 * n, np.searchsorted(leaders, root), len(leaders))
        yield Lift(jnp.asarray(index), jnp.zeros(3 * n), len(leaders))


@pytest.mark.parametrize("case", range(4))
def test_pattern_holds_every_coupled_pair_once(case):
    """Each slot points to the entry of its reduced row and column, and every entry belongs to a slot."""
    mesh = MESHES["triangles"]
    n = len(mesh.points)
    lift = list(lifts(n))[case]
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)]
    pattern = build_pattern(mesh, lift, pairs)
    index, (rows, columns, _) = np.asarray(lift.index), plain(mesh.cells.T, n)
    of_entry = np.repeat(np.arange(lift.size), np.diff(pattern.indptr)), pattern.indices
    used = np.zeros(pattern.nnz, bool)
    for i, j in pairs:
        slot = np.asarray(pattern.slot[i, j])
        r, c = index[i * n + rows], index[j * n + columns]
        there = (r < lift.size) & (c < lift.size)
        np.testing.assert_array_equal(slot[~there], pattern.nnz)
        np.testing.assert_array_equal(of_entry[0][slot[there]], r[there])
        np.testing.assert_array_equal(of_entry[1][slot[there]], c[there])
        used[slot[there]] = True
    assert used.all()
    assert np.all(np.diff(of_entry[0].astype(np.int64) * lift.size + of_entry[1]) > 0)


def test_ranked_is_unique_with_its_inverse():
    """For keys in any order."""
    keys = np.random.default_rng(0).integers(0, 50, 300)
    for mine, numpys in zip(ranked(keys), np.unique(keys, return_inverse=True), strict=True):
        np.testing.assert_array_equal(mine, numpys)
