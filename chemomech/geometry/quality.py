"""How good the cells of a mesh are."""

import numpy as np
from equinox import Module

from chemomech.errors import MeshError
from chemomech.fem.mesh import CORNERS, Mesh


class Quality(Module):
    """Mean ratios and angles of triangles or tetrahedra, by their corners.

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
    """Quality of triangles or tetrahedra.

    Raises:
        MeshError: the cells are quads or hexahedra.
    """
    corners = CORNERS[mesh.cell_type]
    if corners != mesh.dim + 1:
        raise MeshError(f"quality_of: no angles of a {mesh.cell_type}. Try: triangles or tetrahedra.")
    ratios = mesh.mean_ratios()
    inner = np.swapaxes(np.linalg.inv(mesh.corner_edges()[:, 0]), 1, 2)  # gradients of the barycentric coordinates
    normals = np.concatenate([-inner.sum(axis=1, keepdims=True), inner], axis=1)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    a, b = np.triu_indices(corners, 1)
    angles = np.arccos(np.clip(-np.einsum("cij,cij->ci", normals[:, a], normals[:, b]), -1, 1))
    at = mesh.points[mesh.cells[:, :corners]]
    edges = np.linalg.norm(at[:, a] - at[:, b], axis=2)
    return Quality(
        float(ratios.min()), float(ratios.mean()), float(angles.min()), float(angles.max()),
        float((edges.max(axis=1) / edges.min(axis=1)).max()),
    )  # fmt: skip
