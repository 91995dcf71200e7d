"""Parts of a mesh for several devices: about equal numbers of cells, few nodes shared."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from .mesh import FACETS, Mesh


def partition(mesh: Mesh, count: int) -> Int[np.ndarray, " cells"]:
    """Part of each cell: by METIS on the graph of neighbours where pymetis is installed, else by bisection."""
    try:
        import pymetis
    except ImportError:
        return bisected(mesh.centroids(), count)
    starts, neighbours = adjacency(mesh)
    part = np.asarray(pymetis.part_graph(count, xadj=starts, adjncy=neighbours)[1])
    return part if len(np.unique(part)) == count else bisected(mesh.centroids(), count)  # METIS may leave one empty


def bisected(x: Float[np.ndarray, "cells dim"], count: int) -> Int[np.ndarray, " cells"]:
    """Recursive coordinate bisection: across the longest side, in proportion to the parts on either side."""
    out = np.zeros(len(x), int)
    if count > 1:
        less = count // 2
        order = np.argsort(x[:, np.ptp(x, axis=0).argmax()], kind="stable")
        low, high = np.split(order, [len(x) * less // count])
        out[low] = bisected(x[low], less)
        out[high] = less + bisected(x[high], count - less)
    return out


def adjacency(mesh: Mesh) -> tuple[Int[np.ndarray, " cells1"], Int[np.ndarray, " pairs"]]:
    """Cells that share a facet with each cell: where its neighbours start, and all neighbours."""
    facets = np.sort(np.stack([mesh.cells[:, list(local)] for local in FACETS[mesh.cell_type]], 1), axis=-1)
    count = facets.shape[1]
    _, name = np.unique(facets.reshape(-1, facets.shape[-1]), axis=0, return_inverse=True)
    order = np.argsort(name.ravel(), kind="stable")
    twin = name.ravel()[order][1:] == name.ravel()[order][:-1]
    a, b = order[:-1][twin] // count, order[1:][twin] // count
    here, there = np.concatenate([a, b]), np.concatenate([b, a])
    starts = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=len(mesh.cells)))])
    return starts, there[np.argsort(here, kind="stable")]
