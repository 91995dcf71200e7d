"""How good the cells of a mesh are."""

from math import nan

import numpy as np
from equinox import Module

from chemomech.fem.mesh import CORNERS, EDGES, Mesh


class Quality(Module):
    """Mean ratios and angles of cells, by their corners; no angles (NaN) of quads and hexahedra.

    Args:
        least: smallest mean ratio: 1 equilateral, 0 flat.
        mean: mean of the mean ratios.
        smallest_angle: between two sides, or dihedral [rad].
        largest_angle: between two sides, or dihedral [rad].
        edge_ratio: longest over shortest edge, of the worst cell.
    """

    least: float
    mean: float
    smallest_angle: float
    largest_angle: float
    edge_ratio: float


def quality_of(mesh: Mesh) -> Quality:
    """Quality of the cells of a mesh."""
    corners = CORNERS[mesh.cell_type]
    ratios = mesh.mean_ratios()
    edges = mesh.points[mesh.cells[:, np.array(EDGES[mesh.cell_type])]]
    lengths = np.linalg.norm(edges[:, :, 1] - edges[:, :, 0], axis=2)
    spread = float((lengths.max(axis=1) / lengths.min(axis=1)).max())
    if corners != mesh.dim + 1:
        return Quality(float(ratios.min()), float(ratios.mean()), nan, nan, spread)
    inner = np.swapaxes(np.linalg.inv(mesh.corner_edges()[:, 0]), 1, 2)  # gradients of the barycentric coordinates
    normals = np.concatenate([-inner.sum(axis=1, keepdims=True), inner], axis=1)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    a, b = np.triu_indices(corners, 1)
    angles = np.arccos(np.clip(-np.einsum("cij,cij->ci", normals[:, a], normals[:, b]), -1, 1))
    return Quality(float(ratios.min()), float(ratios.mean()), float(angles.min()), float(angles.max()), spread)
