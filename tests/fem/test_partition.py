"""Parts of a mesh: balanced, and compact."""

import numpy as np
import pytest

from chemomech.fem.mesh import box, elevate, rectangle
from chemomech.fem.partition import adjacency, bisected, partition


def shared_nodes(mesh, part):
    """Number of nodes that more than one part has."""
    owners = [set(np.unique(mesh.cells[part == k])) for k in np.unique(part)]
    return sum(map(len, owners)) - len(set.union(*owners))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_bisection_balances_and_cuts_across(count):
    """Sizes within one cell for powers of two, a few otherwise; on a long strip the cuts are short."""
    mesh = rectangle(16.0, 1.0, 64, 4)
    part = bisected(mesh.centroids(), count)
    sizes = np.bincount(part)
    assert len(sizes) == count
    assert np.ptp(sizes) <= 2
    assert shared_nodes(mesh, part) <= 10 * (count - 1)


def test_partition_covers_all_parts():
    """Whichever method is installed."""
    mesh = box(1.0, 1.0, 1.0, 4, 4, 4)
    sizes = np.bincount(partition(mesh, 4), minlength=4)
    assert sizes.min() > 0.9 * len(mesh.cells) / 4


@pytest.mark.parametrize("mesh", [rectangle(1.0, 1.0, 3, 3), elevate(box(1.0, 1.0, 1.0, 2, 2, 2))])
def test_neighbours_share_a_facet(mesh):
    """Symmetric, no cell its own neighbour, as many vertices in common as a facet has."""
    starts, neighbours = adjacency(mesh)
    here = np.repeat(np.arange(len(mesh.cells)), np.diff(starts))
    assert set(zip(here, neighbours, strict=True)) == set(zip(neighbours, here, strict=True))
    corners = mesh.cells[:, : mesh.dim + 1]
    assert all(len(set(corners[a]) & set(corners[b])) == mesh.dim for a, b in zip(here, neighbours, strict=True))
    inner = (mesh.dim + 1) * len(mesh.cells) - len(here)
    assert 0 < inner < len(here)
