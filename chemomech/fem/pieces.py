"""Straight simplices that cover cells and facets: what is measured between nodes is measured on them."""

from __future__ import annotations

from math import factorial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .mesh import FACET_TYPE, SPLITS, FacetSet, Mesh, facet_nodes

# Straight pieces of second-order cells and facets, by local nodes.
SECOND_ORDER = {
    "line3": ((0, 2), (2, 1)),
    "triangle6": ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
    "tetra10": (
        (0, 4, 6, 7), (4, 1, 5, 8), (6, 5, 2, 9), (7, 8, 9, 3),
        (4, 5, 6, 8), (4, 6, 7, 8), (6, 9, 7, 8), (5, 9, 6, 8),
    ),
}  # fmt: skip

# Of all, and how much of the sum of their measures counts (see `SPLITS`).
PIECES = {"line": (((0, 1),), 1.0), **SPLITS, **{name: (rows, 1.0) for name, rows in SECOND_ORDER.items()}}


class Pieces(NamedTuple):
    """Simplices, each with the part of the whole that it stands for."""

    nodes: Int[np.ndarray, "p k"]
    measure: Float[np.ndarray, " p"]  # [m], [m^2] or [m^3]
    parent: Int[np.ndarray, " p"]  # number of the cell or facet among those asked for


def cell_pieces(mesh: Mesh, cells: Int[np.ndarray, " e"] | None = None) -> Pieces:
    """Triangles or tetrahedra that cover some cells, or all of them."""
    return _pieces(mesh, mesh.cells if cells is None else mesh.cells[cells], mesh.cell_type)


def facet_pieces(mesh: Mesh, facets: FacetSet) -> Pieces:
    """Lines or triangles that cover facets."""
    return _pieces(mesh, facet_nodes(mesh, facets), FACET_TYPE[mesh.cell_type])


def _pieces(mesh: Mesh, nodes: Int[np.ndarray, "e k"], kind: str) -> Pieces:
    rows, weight = PIECES[kind]
    simplices = nodes[:, np.array(rows)].reshape(-1, len(rows[0]))
    corners = mesh.points[simplices]
    edges = corners[:, 1:] - corners[:, :1]
    size = edges.shape[1]
    measure = np.sqrt(np.linalg.det(edges @ edges.transpose(0, 2, 1)).clip(min=0.0)) / factorial(size)
    return Pieces(simplices, weight * measure, np.repeat(np.arange(len(nodes)), len(rows)))


def share_above(values: Float[np.ndarray, "p k"], level: float) -> Float[np.ndarray, " p"]:
    """The part of each simplex where a field, linear between its corners, exceeds a level [1]; exact.

    A simplex whose corners are all at the level counts half.
    """
    v = np.sort(np.asarray(values, float), axis=1) - level
    corners = v.shape[1]
    below = (v < 0).sum(axis=1)
    out = np.where(below == 0, 1.0, 0.0)
    for count in range(1, corners):
        rows = below == count
        out[rows] = _cut(v[rows], count)
    out[np.all(v == 0, axis=1)] = 0.5
    return out


def _cut(v: Float[np.ndarray, "p k"], below: int) -> Float[np.ndarray, " p"]:
    """Of simplices whose first corners, in ascending order, lie below zero."""

    def part(i, j):  # of the edge from corner i up to corner j, on the side of i
        return -v[:, i] / (v[:, j] - v[:, i])

    corners = v.shape[1]
    if below == 1:
        return 1.0 - np.prod([part(0, j) for j in range(1, corners)], axis=0)
    if below == corners - 1:
        return np.prod([1.0 - part(i, below) for i in range(below)], axis=0)
    p, q, r, s = part(0, 2), part(0, 3), part(1, 2), part(1, 3)  # a wedge of three tetrahedra
    return 1.0 - (p * q + p * s * (1.0 - q) + (1.0 - p) * r * s)
