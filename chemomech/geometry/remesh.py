"""The same body with new cells inside: the boundary, its nodes and its sets stay as they are."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from chemomech.errors import MeshError
from chemomech.fem.mesh import LENGTHS, Mesh, elevate, facet_nodes
from chemomech.geometry.session import session, unit_of

KNOWN = ("triangle", "triangle6", "tetra", "tetra10")
EXACT = 1e-9  # of the body's size: how closely nodes of the boundary are found again


def remeshed(mesh: Mesh) -> Mesh:
    """New triangles or tetrahedra in the boundary of a mesh, as large as its facets are; facet sets keep their facets.

    Cell sets that hold all cells are kept. Curved sides of quadratic cells on the boundary stay curved.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        MeshError: the cells are of another type, a cell set is only a part of the body, or gmsh fails.
    """
    if mesh.cell_type not in KNOWN:
        raise MeshError(f"A mesh of {mesh.cell_type} cannot be remeshed. Try: triangles or tetrahedra.")
    parts = [name for name, cells in mesh.cell_sets.items() if len(cells) != len(mesh.cells)]
    if parts:
        raise MeshError(f"The cell sets {', '.join(parts)} are parts of the body: their interfaces would be lost.")
    flat = facet_nodes(mesh, mesh.boundary)[:, : mesh.dim]  # corners
    used, facets = np.unique(flat, return_inverse=True)
    points, cells = filled(mesh.points[used], facets.reshape(flat.shape), mesh.dim)
    names = {
        name: facet_nodes(mesh, mesh.facets(name))[:, : mesh.dim] for name in mesh.facet_sets if name != "boundary"
    }
    new_of = np.full(len(mesh.points), -1)
    new_of[used] = np.arange(len(used))
    _require_on_boundary(names, new_of)
    sets = {name: new_of[nodes] for name, nodes in names.items()}
    whole = {name: np.arange(len(cells)) for name in mesh.cell_sets}
    made = Mesh.build(points, cells, {2: "triangle", 3: "tetra"}[mesh.dim], whole, sets)
    return made if mesh.order == 1 else _curved(elevate(made), mesh, used)


def _require_on_boundary(names: dict[str, Int[np.ndarray, "f k"]], new_of: Int[np.ndarray, " n"]) -> None:
    inside = [name for name, nodes in names.items() if np.any(new_of[nodes] < 0)]
    if inside:
        raise MeshError(f"The facet sets {', '.join(inside)} lie inside the body: they would be lost.")


def filled(
    points: Float[np.ndarray, "b dim"], facets: Int[np.ndarray, "f k"], dim: int
) -> tuple[Float[np.ndarray, "n dim"], Int[np.ndarray, "m c"]]:
    """Cells inside a closed boundary; its points come first, in their order."""
    size = float(np.ptp(points, axis=0).max())
    scale = LENGTHS[unit_of(size)]
    space = np.zeros((len(points), 3))
    space[:, :dim] = points / scale
    with session("remeshed") as gmsh:
        try:
            (_plane if dim == 2 else _volume)(gmsh, space, facets)
            gmsh.model.mesh.generate(dim)
            tags, flat, _ = gmsh.model.mesh.getNodes()
            kind = gmsh.model.mesh.getElementType("Triangle" if dim == 2 else "Tetrahedron", 1)
            cells = gmsh.model.mesh.getElementsByType(kind)[1].reshape(-1, dim + 1)
        except Exception as error:  # gmsh raises bare Exception
            raise MeshError(f"gmsh cannot fill the boundary: {error}. Try: smaller changes of the shape.") from error
    return _ordered(space, dim, tags, flat.reshape(-1, 3), cells, scale)


def _plane(gmsh: Any, points: Float[np.ndarray, "b 3"], edges: Int[np.ndarray, "f 2"]) -> None:
    """One straight curve an edge, of one element."""
    geo = gmsh.model.geo
    corners = [geo.addPoint(*point) for point in points]
    curves = [geo.addLine(corners[a], corners[b]) for a, b in edges]
    lines = _loops(edges)
    loops = [geo.addCurveLoop([curves[k] for k in line], reorient=True) for line, _ in lines]
    outer = int(np.argmax([abs(_area(points[nodes])) for _, nodes in lines]))
    geo.addPlaneSurface([loops[outer], *(loop for k, loop in enumerate(loops) if k != outer)])
    geo.synchronize()
    for curve in curves:
        gmsh.model.mesh.setTransfiniteCurve(curve, 2)


def _volume(gmsh: Any, points: Float[np.ndarray, "b 3"], triangles: Int[np.ndarray, "f 3"]) -> None:
    """The triangles as they are, and the room inside."""
    surface = gmsh.model.addDiscreteEntity(2)
    gmsh.model.mesh.addNodes(2, surface, list(range(1, len(points) + 1)), points.ravel())
    gmsh.model.mesh.addElementsByType(surface, 2, [], (triangles + 1).ravel())
    gmsh.model.geo.addVolume([gmsh.model.geo.addSurfaceLoop([surface])])
    gmsh.model.geo.synchronize()


def _loops(edges: Int[np.ndarray, "f 2"]) -> list[tuple[list[int], list[int]]]:
    """The edges of each closed line, one after the other, and its nodes."""
    at: dict[int, list[int]] = {}
    for k, edge in enumerate(edges):
        for node in edge:
            at.setdefault(int(node), []).append(k)
    left, loops = set(range(len(edges))), []
    while left:
        k, loop, nodes = min(left), [], []
        node = int(edges[k][0])
        while k is not None:
            left.remove(k)
            loop.append(k)
            nodes.append(node)
            a, b = edges[k]
            node = int(b if a == node else a)
            k = next((following for following in at[node] if following in left), None)
        loops.append((loop, nodes))
    return loops


def _area(points: Float[np.ndarray, "b 3"]) -> float:
    x, y = points[:, 0], points[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def _ordered(space, dim: int, tags, found, cells, scale: float):
    """Numbered such that the points of the boundary are the first ones, exactly where they were."""
    from scipy.spatial import cKDTree

    used, cells = np.unique(cells, return_inverse=True)
    place = np.empty(int(tags.max()) + 1, int)
    place[tags.astype(int)] = np.arange(len(tags))
    at = found[place[used.astype(int)]]
    distance, boundary = cKDTree(at).query(space)
    if len(np.unique(boundary)) != len(space) or distance.max() > EXACT * np.ptp(space, axis=0).max():
        raise MeshError("gmsh has not kept the nodes of the boundary. Try: smaller changes of the shape.")
    inner = np.setdiff1d(np.arange(len(at)), boundary)
    number = np.empty(len(at), int)
    number[np.concatenate([boundary, inner])] = np.arange(len(at))
    points = np.concatenate([space, at[inner]])[:, :dim] * scale
    return points, number[cells.reshape(-1, dim + 1)]


def _curved(made: Mesh, mesh: Mesh, used: Int[np.ndarray, " b"]) -> Mesh:
    """The middle nodes of the boundary where they were, each between the same two corners."""
    new_of = np.full(len(mesh.points), -1)
    new_of[used] = np.arange(len(used))
    old = {(min(ends), max(ends)): middle for *ends, middle in _sides(mesh, new_of).tolist()}
    points = made.points.copy()
    for *ends, middle in _sides(made, np.arange(len(made.points))).tolist():
        points[middle] = mesh.points[old[min(ends), max(ends)]]
    return made.moved(points)


def _sides(mesh: Mesh, number: Int[np.ndarray, " n"]) -> Int[np.ndarray, "s 3"]:
    """Of quadratic facets on the boundary: two corners by their number, and the node between them."""
    nodes, corners = facet_nodes(mesh, mesh.boundary), mesh.dim
    pairs = [(0, 1)] if corners == 2 else [(0, 1), (1, 2), (2, 0)]
    rows = [[number[nodes[:, a]], number[nodes[:, b]], nodes[:, corners + k]] for k, (a, b) in enumerate(pairs)]
    return np.concatenate([np.stack(row, axis=1) for row in rows])
