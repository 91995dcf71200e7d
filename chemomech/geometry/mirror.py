"""The whole of a body from a part of it between planes of symmetry."""

import numpy as np

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh, facet_nodes

FLAT = 1e-6  # of the body: how far the nodes of a plane may be from it
_SWAPPED = {"triangle": (1, 0, 2), "tetra": (1, 0, 2, 3)}  # node order of a mirrored cell


def mirrored(mesh: Mesh, *planes: str) -> Mesh:
    """The mesh and its images in planes of symmetry, one plane after the other; sets take in their images.

    The facet sets of the planes are gone. Data of cells are copied.

    Args:
        mesh: triangles or tetrahedra.
        planes: facet sets, each in a plane.

    Raises:
        MeshError: the cells are of another type, there is no such set, it lies in no plane, or the mesh goes on beyond.
    """
    if mesh.cell_type not in _SWAPPED:
        raise MeshError(f"A mesh of {mesh.cell_type} cannot be mirrored. Try: linear triangles or tetrahedra.")
    for name in planes:
        mesh = _doubled(mesh, name)
    return mesh


def _doubled(mesh: Mesh, plane: str) -> Mesh:
    on, size = mesh.nodes_of(plane), float(np.ptp(mesh.points, axis=0).max())
    middle = mesh.points[on].mean(axis=0)
    normal = np.linalg.svd(mesh.points[on] - middle)[2][-1]
    height = (mesh.points - middle) @ normal
    if np.abs(height[on]).max() > FLAT * size:
        raise MeshError(f"The facet set '{plane}' lies in no plane: the mesh cannot be mirrored there.")
    if height.min() < -FLAT * size and height.max() > FLAT * size:
        raise MeshError(f"The mesh lies on both sides of '{plane}': it cannot be mirrored there. Try: a part of it.")
    n, m = len(mesh.points), len(mesh.cells)
    moving = np.setdiff1d(np.arange(n), on)
    image = np.arange(n)
    image[moving] = n + np.arange(len(moving))
    points = np.concatenate([mesh.points, mesh.points[moving] - 2 * height[moving, None] * normal])
    cells = np.concatenate([mesh.cells, image[mesh.cells][:, _SWAPPED[mesh.cell_type]]])
    corners = {name: facet_nodes(mesh, facets) for name, facets in mesh.facet_sets.items() if name != plane}
    return Mesh.build(
        points, cells, mesh.cell_type,
        {name: np.concatenate([ids, ids + m]) for name, ids in mesh.cell_sets.items()},
        {name: np.concatenate([nodes, image[nodes]]) for name, nodes in corners.items()},
        {name: np.concatenate([values, values]) for name, values in mesh.cell_data.items()},
        {name: np.concatenate([ids, image[ids]]) for name, ids in mesh.point_sets.items()},
    )  # fmt: skip
