"""Meshes: points, cells of one type, and named sets of cells, facets and points."""

import difflib
import functools
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from chemomech.errors import ChemomechError, MeshError, UnitError

LENGTHS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10}

DIM = {"triangle": 2, "triangle6": 2, "quad": 2, "tetra": 3, "tetra10": 3, "hexahedron": 3}
ORDER = {"triangle": 1, "triangle6": 2, "quad": 1, "tetra": 1, "tetra10": 2, "hexahedron": 1}
NODES = {"triangle": 3, "triangle6": 6, "quad": 4, "tetra": 4, "tetra10": 10, "hexahedron": 8}
CORNERS = {"triangle": 3, "triangle6": 3, "quad": 4, "tetra": 4, "tetra10": 4, "hexahedron": 8}
FACET_TYPE = {
    "triangle": "line",
    "triangle6": "line3",
    "quad": "line",
    "tetra": "triangle",
    "tetra10": "triangle6",
    "hexahedron": "quad",
}
PLURAL = {
    "triangle": "triangles",
    "triangle6": "quadratic triangles",
    "quad": "quads",
    "tetra": "tetrahedra",
    "tetra10": "quadratic tetrahedra",
    "hexahedron": "hexahedra",
}

# Local nodes of each facet, corners first. Edges of 2-D cells run counter-clockwise, so the outward normal of
# (a, b) is (dy, -dx); the right-hand normal of the corners of a 3-D facet points outward.
FACETS = {
    "triangle": ((0, 1), (1, 2), (2, 0)),
    "triangle6": ((0, 1, 3), (1, 2, 4), (2, 0, 5)),
    "quad": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetra": ((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)),
    "tetra10": ((0, 2, 1, 6, 5, 4), (0, 1, 3, 4, 8, 7), (1, 2, 3, 5, 9, 8), (0, 3, 2, 7, 9, 6)),
    "hexahedron": ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)),
}

# Edges in the order of the mid nodes of second-order cells (meshio, VTK).
_TRIANGLE_EDGES = ((0, 1), (1, 2), (2, 0))
_TETRA_EDGES = ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3))
EDGES = {
    "triangle": _TRIANGLE_EDGES,
    "triangle6": _TRIANGLE_EDGES,
    "quad": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetra": _TETRA_EDGES,
    "tetra10": _TETRA_EDGES,
    "hexahedron": (*((i, (i + 1) % 4) for i in range(4)), *((i + 4, (i + 1) % 4 + 4) for i in range(4)))
    + tuple((i, i + 4) for i in range(4)),
}

# A corner and its neighbours such that the edge vectors have a positive determinant in a well-oriented cell.
_TETRA_FRAME = ((0, 1, 2, 3),)
_FRAMES = {
    "triangle": ((0, 1, 2),),
    "triangle6": ((0, 1, 2),),
    "quad": tuple((i, (i + 1) % 4, (i - 1) % 4) for i in range(4)),
    "tetra": _TETRA_FRAME,
    "tetra10": _TETRA_FRAME,
    "hexahedron": tuple((i, (i + 1) % 4, (i - 1) % 4, i + 4) for i in range(4))
    + tuple((i + 4, (i - 1) % 4 + 4, (i + 1) % 4 + 4, i) for i in range(4)),
}

# Simplices that cover a cell, with their weight. The two triangulations of a quad (the two five-tetrahedra splits
# of a hexahedron) are averaged, which is exact for bilinear edges and faces.
SPLITS = {
    **{name: (_FRAMES[name], 1.0) for name in ("triangle", "triangle6", "tetra", "tetra10")},
    "quad": (_FRAMES["quad"], 0.5),
    "hexahedron": (_FRAMES["hexahedron"] + ((0, 2, 7, 5), (1, 3, 4, 6)), 0.5),
}

# Node order of the mirrored cell.
_MIRROR = {
    "triangle": (0, 2, 1),
    "triangle6": (0, 2, 1, 5, 4, 3),
    "quad": (0, 3, 2, 1),
    "tetra": (0, 2, 1, 3),
    "tetra10": (0, 2, 1, 3, 6, 5, 4, 7, 9, 8),
    "hexahedron": (0, 3, 2, 1, 4, 7, 6, 5),
}


class FacetSet(eqx.Module):
    """Facets, each given by a parent cell and its local number there (a row of `FACETS`)."""

    cells: Int[np.ndarray, " f"]
    local: Int[np.ndarray, " f"]

    def __len__(self) -> int:
        return len(self.cells)


class Mesh(eqx.Module):
    """Points [m] and cells of one type with named sets; node order as in meshio and VTK.

    A facet set holds each facet once: a boundary facet with its only parent cell, an internal facet with the
    lowest-numbered of its two. Build with `Mesh.build` or `Mesh.read`, which check the mesh.
    """

    points: Float[np.ndarray, "n dim"]
    cells: Int[np.ndarray, "m k"]
    cell_type: str = eqx.field(static=True)
    cell_sets: dict[str, Int[np.ndarray, "..."]] = eqx.field(default_factory=dict)
    facet_sets: dict[str, FacetSet] = eqx.field(default_factory=dict)
    cell_data: dict[str, np.ndarray] = eqx.field(default_factory=dict)
    point_sets: dict[str, Int[np.ndarray, "..."]] = eqx.field(default_factory=dict)

    @staticmethod
    def build(
        points,
        cells,
        cell_type: str,
        cell_sets: Mapping | None = None,
        facet_sets: Mapping | None = None,
        cell_data: Mapping | None = None,
        point_sets: Mapping | None = None,
    ) -> "Mesh":
        """Checked mesh from arrays; a facet set is a `FacetSet` or an array of the corner nodes of its facets.

        Raises:
            MeshError: the mesh is broken (see `check`).
        """
        draft = _draft(points, cells, cell_type, "Mesh.build")
        return _finish(draft, cell_sets, facet_sets, cell_data, point_sets, "Mesh.build")

    @staticmethod
    def read(path: str | PathLike, scale: float | str = 1.0) -> "Mesh":
        """Checked mesh from a gmsh .msh (4.1), a .vtu or a .npz file.

        Physical groups become cell sets (top dimension), facet sets (one less) and point sets (lower). In a .vtu
        file the integer cell array "set:NAME" marks the cell set NAME. A .npz file holds points, cells and,
        optionally, cell_type. Unused nodes are dropped; a mesh with all cells inverted is mirrored back.

        Args:
            path: the file.
            scale: length of one unit of the file's coordinates, as a number [m] or a name such as "nm".

        Raises:
            MeshError: the file cannot be read or holds a broken mesh.
            UnitError: `scale` names an unknown unit.
        """
        factor, path = _metres(scale), Path(path)
        raw = _load(path)
        draft = _draft(np.asarray(raw["points"], float) * factor, raw["cells"], raw["cell_type"], str(path))
        draft, number = _drop_unused(draft)
        facet_sets = {name: number[nodes] for name, nodes in raw["facet_sets"].items()}
        point_sets = {name: number[nodes] for name, nodes in raw["point_sets"].items()}
        return _finish(_orient(draft), raw["cell_sets"], facet_sets, raw["cell_data"], point_sets, str(path))

    def moved(self, points: Float[np.ndarray, "n dim"]) -> "Mesh":
        """The same cells with their nodes elsewhere [m].

        Raises:
            MeshError: coordinates are not finite, or a cell is turned inside out.
        """
        mesh = eqx.tree_at(lambda mesh: mesh.points, self, np.asarray(points, float))
        _run(mesh, "moved mesh", (_check_finite, _check_jacobian))
        return mesh

    @property
    def dim(self) -> int:
        """Space dimension, 2 or 3."""
        return DIM[self.cell_type]

    @property
    def order(self) -> int:
        """Polynomial order of the cells, 1 or 2."""
        return ORDER[self.cell_type]

    @functools.cached_property
    def boundary(self) -> FacetSet:
        """All facets with exactly one parent cell."""
        return boundary_facets(self)

    def facets(self, name: str = "boundary") -> FacetSet:
        """Facet set `name`; "boundary" is the whole boundary unless the mesh names its own.

        Raises:
            MeshError: there is no such facet set.
        """
        if name in self.facet_sets:
            return self.facet_sets[name]
        if name == "boundary":
            return self.boundary
        raise MeshError(_unknown("facet set", name, [*self.facet_sets, "boundary"]))

    def cells_of(self, name: str | None = None) -> Int[np.ndarray, "..."]:
        """Cells of cell set `name`, or all cells.

        Raises:
            MeshError: there is no such cell set.
        """
        if name is None:
            return np.arange(len(self.cells), dtype=np.int32)
        if name in self.cell_sets:
            return self.cell_sets[name]
        raise MeshError(_unknown("cell set", name, list(self.cell_sets)))

    def nodes_of(self, name: str) -> Int[np.ndarray, "..."]:
        """Sorted nodes on the facet set, cell set or point set `name`, looked for in this order.

        Raises:
            MeshError: there is no such set.
        """
        if name in self.facet_sets or (name == "boundary" and name not in {*self.cell_sets, *self.point_sets}):
            return np.unique(facet_nodes(self, self.facets(name)))
        if name in self.cell_sets:
            return np.unique(self.cells[self.cell_sets[name]])
        if name in self.point_sets:
            return np.unique(self.point_sets[name])
        known = [*self.facet_sets, *self.cell_sets, *self.point_sets, "boundary"]
        raise MeshError(_unknown("facet, cell or point set", name, known))

    def cell_measures(self) -> Float[np.ndarray, " m"]:
        """Area [m^2] or volume [m^3] of each cell; mid nodes of curved cells are not counted."""
        frames, weight = SPLITS[self.cell_type]
        return _determinants(self, frames).sum(axis=1) * (weight / (2 if self.dim == 2 else 6))

    def corner_edges(self, points: Float[np.ndarray, "n dim"] | None = None) -> Float[np.ndarray, "m corners dim dim"]:
        """Edge vectors that leave a corner of each cell, one a row, right-handed [m]: simplices have one such corner.

        Args:
            points: coordinates of the nodes; default: those of the mesh [m].
        """
        nodes = (self.points if points is None else points)[self.cells[:, np.array(_FRAMES[self.cell_type])]]
        return nodes[:, :, 1:] - nodes[:, :, :1]

    def mean_ratios(self, points: Float[np.ndarray, "n dim"] | None = None) -> Float[np.ndarray, "m corners"]:
        """Quality of each cell, at each corner of quads and hexahedra: 1 if equilateral, at most 0 if inverted.

            d det(J)^(2/d) / |J|^2,      J of the map from an equilateral cell, a square or a cube

        Quadratic cells are measured by their corners.

        Args:
            points: coordinates of the nodes; default: those of the mesh [m].
        """
        ideal = {
            2: [[1, 0], [0.5, 3**0.5 / 2]],
            3: [[1, 0, 0], [0.5, 3**0.5 / 2, 0], [0.5, 3**0.5 / 6, (2 / 3) ** 0.5]],
        }
        J = self.corner_edges(points)
        if self.cell_type not in ("quad", "hexahedron"):
            J = np.linalg.inv(ideal[self.dim]) @ J
        det = np.linalg.det(J)
        return self.dim * np.sign(det) * np.abs(det) ** (2 / self.dim) / np.sum(J**2, axis=(-2, -1))

    def measure(self, name: str | None = None) -> float:
        """Total area [m^2] or volume [m^3] of the cell set `name`, or of the mesh."""
        return float(self.cell_measures()[self.cells_of(name)].sum())

    def edge_lengths(self) -> tuple[float, float, float]:
        """Smallest, mean and largest edge length [m]."""
        first, last = _unique_edges(self)[0].T
        lengths = np.linalg.norm(self.points[last] - self.points[first], axis=1)
        return float(lengths.min()), float(lengths.mean()), float(lengths.max())

    def centroids(self) -> Float[np.ndarray, "m dim"]:
        """Mean of the corners of each cell [m]."""
        return self.points[self.cells[:, : CORNERS[self.cell_type]]].mean(axis=1)

    def __repr__(self) -> str:
        if not isinstance(self.points, np.ndarray):
            return f"Mesh({self.cell_type}, leaves replaced)"
        return _summary(self)


# Sets and facets


def boundary_facets(mesh: Mesh) -> FacetSet:
    """All facets of a mesh with exactly one parent cell."""
    _, first, counts = np.unique(_facet_keys(mesh), return_index=True, return_counts=True)
    return _facet_set(mesh, first[counts == 1])


def facet_nodes(mesh: Mesh, facets: FacetSet) -> Int[np.ndarray, "f kf"]:
    """Nodes of each facet in the order of `FACETS`."""
    table = np.array(FACETS[mesh.cell_type])
    return mesh.cells[facets.cells[:, None], table[facets.local]]


def match_facets(mesh: Mesh, nodes: Int[np.ndarray, "f kc"], name: str = "facets") -> FacetSet:
    """Facets of the mesh with the given nodes (corners first).

    Raises:
        MeshError: some nodes are not those of a facet.
    """
    corners = _facet_corners(mesh.cell_type)
    nodes = np.asarray(nodes)
    if nodes.ndim != 2 or nodes.shape[1] < corners:
        raise MeshError(
            f"Facet set '{name}' has shape {nodes.shape}; the facets of a {mesh.cell_type} have {corners} corners. "
            f"Try: give an array of shape (facets, {corners})."
        )
    together = _keys(np.concatenate([_facet_corner_nodes(mesh), nodes[:, :corners]]), len(mesh.points))
    own, wanted = np.split(together, [len(together) - len(nodes)])
    keys, first = np.unique(own, return_index=True)
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    lost = np.flatnonzero(keys[place] != wanted)
    if lost.size:
        raise MeshError(
            f"Facet set '{name}': {lost.size} of {len(nodes)} facets belong to no cell, the first with nodes "
            f"{nodes[lost[0]].tolist()}. Try: give it only facets of meshed cells, all in one conforming mesh."
        )
    return _facet_set(mesh, np.unique(first[place]))


def _facet_set(mesh: Mesh, flat: Int[np.ndarray, " f"]) -> FacetSet:
    cells, local = np.divmod(np.sort(flat), len(FACETS[mesh.cell_type]))
    return FacetSet(cells.astype(np.int32), local.astype(np.int32))


def _facet_corners(cell_type: str) -> int:
    return 4 if cell_type == "hexahedron" else DIM[cell_type]


def _facet_keys(mesh: Mesh) -> Int[np.ndarray, " mf"]:
    """One number per facet of every cell, cell by cell, equal for equal corners."""
    return _keys(_facet_corner_nodes(mesh), len(mesh.points))


def _facet_corner_nodes(mesh: Mesh) -> Int[np.ndarray, "mf kc"]:
    """Corner nodes of the facets of every cell, cell by cell."""
    corners = _facet_corners(mesh.cell_type)
    table = np.array(FACETS[mesh.cell_type])[:, :corners]
    return mesh.cells[:, table].reshape(-1, corners)


def _keys(nodes: Int[np.ndarray, "f kc"], n: int) -> Int[np.ndarray, " f"]:
    """Equal numbers for equal corners; comparable only within one call."""
    # Three nodes suffice for a quadrilateral: two facets of a sound mesh never share three corners.
    key, *others = np.sort(nodes, axis=1)[:, :3].T.astype(np.int64)
    for column in others:
        if key.max(initial=0) >= np.iinfo(np.int64).max // n - 1:  # three numbers of over two million nodes
            _, key = np.unique(key, return_inverse=True)
        key = key * n + column
    return key


def _unique_edges(mesh: Mesh) -> tuple[Int[np.ndarray, "e 2"], Int[np.ndarray, "m ke"]]:
    """Edges (sorted corner pairs) and the edges of each cell in the order of `EDGES`."""
    pairs = np.sort(mesh.cells[:, np.array(EDGES[mesh.cell_type])], axis=2).reshape(-1, 2).astype(np.int64)
    keys, inverse = np.unique(pairs[:, 0] * len(mesh.points) + pairs[:, 1], return_inverse=True)
    return np.stack(np.divmod(keys, len(mesh.points)), axis=1), inverse.reshape(len(mesh.cells), -1)


def _unknown(kind: str, name: str, known: list[str]) -> str:
    known = sorted(set(known))
    close = difflib.get_close_matches(str(name), known, n=1)
    listing = ", ".join(known) if known else "none"
    hint = f"'{close[0]}'" if close else "one of these, or name a physical group in the mesh file"
    return f"The mesh has no {kind} '{name}'; it has: {listing}. Try: {hint}."


# Building


def _draft(points, cells, cell_type: str, source: str) -> Mesh:
    """Mesh without sets whose arrays are safe to index."""
    cells = np.asarray(cells)
    if cells.size and not np.issubdtype(cells.dtype, np.integer):
        raise MeshError(f"{source}: the cells have dtype {cells.dtype}. Try: give integer node numbers from 0.")
    if cells.size and max(-int(cells.min()), int(cells.max())) > np.iinfo(np.int32).max:
        raise MeshError(f"{source}: a cell has node {cells.max()}, beyond 32 bits. Try: number the nodes from 0.")
    draft = Mesh(np.array(points, dtype=np.float64), cells.astype(np.int32), cell_type)
    _run(draft, source, _SAFE)
    return draft


def _finish(draft: Mesh, cell_sets, facet_sets, cell_data, point_sets, source: str) -> Mesh:
    def facet_set(name, facets):
        return facets if isinstance(facets, FacetSet) else match_facets(draft, facets, name)

    mesh = Mesh(
        draft.points,
        draft.cells,
        draft.cell_type,
        {name: _indices_of(ids) for name, ids in (cell_sets or {}).items()},
        {name: facet_set(name, facets) for name, facets in (facet_sets or {}).items() if len(facets)},
        {name: np.asarray(values) for name, values in (cell_data or {}).items()},
        {name: _indices_of(ids) for name, ids in (point_sets or {}).items()},
    )
    empty = [name for name, facets in (facet_sets or {}).items() if not len(facets)]
    if empty:
        raise MeshError(f"{source}: {_empty('facet set', empty[0])}")
    check(mesh, source)
    return mesh


def _indices_of(ids) -> Int[np.ndarray, "..."]:
    return np.unique(np.asarray(ids, dtype=np.int32))


def _drop_unused(mesh: Mesh) -> tuple[Mesh, Int[np.ndarray, " n"]]:
    """Mesh of the used nodes, and the new number of each old node (-1 where dropped)."""
    used = np.zeros(len(mesh.points), bool)
    used[mesh.cells] = True
    number = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
    return Mesh(mesh.points[used], number[mesh.cells], mesh.cell_type), number


def _orient(mesh: Mesh) -> Mesh:
    """The mesh with its cells mirrored if all of them are inverted."""
    if (_determinants(mesh, _FRAMES[mesh.cell_type]) < 0).all():
        return Mesh(mesh.points, mesh.cells[:, _MIRROR[mesh.cell_type]], mesh.cell_type)
    return mesh


def _determinants(mesh: Mesh, frames) -> Float[np.ndarray, "m c"]:
    nodes = mesh.points[mesh.cells[:, np.array(frames)]]
    return np.linalg.det(nodes[:, :, 1:] - nodes[:, :, :1])


# Checks: each returns what is wrong, where and what to try, or None


def check(mesh: Mesh, source: str = "mesh") -> None:
    """Accept a sound mesh.

    Raises:
        MeshError: coordinates that are not finite, node numbers out of range, repeated, duplicate or unused nodes,
            empty sets, inverted or degenerate cells, overlapping cells, misplaced mid nodes.
    """
    _run(mesh, source, (*_SAFE, *_SOUND))


def _run(mesh: Mesh, source: str, tests) -> None:
    for test in tests:
        problem = test(mesh)
        if problem:
            raise MeshError(f"{source}: {problem}")


def _check_shapes(mesh: Mesh) -> str | None:
    kind = mesh.cell_type
    if kind not in DIM:
        return f"unknown cell type '{kind}'. Try: one of {', '.join(DIM)}."
    if mesh.points.ndim != 2 or mesh.points.shape[1] != DIM[kind]:
        return (
            f"the points have shape {mesh.points.shape}, but {PLURAL[kind]} live in {DIM[kind]}-D. "
            f"Try: give points of shape (n, {DIM[kind]})."
        )
    if not mesh.cells.size:
        return f"there are no cells (shape {mesh.cells.shape}). Try: mesh the geometry and save its top dimension."
    if mesh.cells.ndim != 2 or mesh.cells.shape[1] != NODES[kind]:
        return (
            f"the cells have shape {mesh.cells.shape}, but a {kind} has {NODES[kind]} nodes. "
            f"Try: give cells of shape (m, {NODES[kind]}) or another cell type."
        )
    return None


def _check_finite(mesh: Mesh) -> str | None:
    bad = np.flatnonzero(~np.isfinite(mesh.points).all(axis=1))
    if not bad.size:
        return None
    return (
        f"{bad.size} nodes have coordinates that are not finite, the first is node {bad[0]} at "
        f"{mesh.points[bad[0]].tolist()}. Try: mesh again, or check the arrays for NaN."
    )


def _check_range(mesh: Mesh) -> str | None:
    bad = np.flatnonzero(((mesh.cells < 0) | (mesh.cells >= len(mesh.points))).any(axis=1))
    if not bad.size:
        return None
    return (
        f"cell {bad[0]} has nodes {mesh.cells[bad[0]].tolist()}, but nodes run from 0 to {len(mesh.points) - 1}. "
        "Try: number the nodes from 0, and give all the points."
    )


def _check_repeated(mesh: Mesh) -> str | None:
    ordered = np.sort(mesh.cells, axis=1)
    bad = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if not bad.size:
        return None
    return (
        f"cell {bad[0]} repeats a node: {mesh.cells[bad[0]].tolist()} ({bad.size} such cells). "
        "Try: mesh again without collapsed cells."
    )


def _check_unused(mesh: Mesh) -> str | None:
    unused = np.setdiff1d(np.arange(len(mesh.points)), mesh.cells)
    if not unused.size:
        return None
    return (
        f"{unused.size} nodes belong to no cell, the first is node {unused[0]} at {_place(mesh, unused[0])}. "
        "Try: remove them (Mesh.read does so for files)."
    )


def _check_duplicates(mesh: Mesh) -> str | None:
    radius = 1e-9 * float(np.linalg.norm(np.ptp(mesh.points, axis=0)))
    pairs = cKDTree(mesh.points).query_pairs(radius, output_type="ndarray")
    if not len(pairs):
        return None
    first, last = sorted(pairs[0].tolist())
    return (
        f"nodes {first} and {last} are both at {_place(mesh, first)} ({len(pairs)} such pairs). "
        "Try: merge duplicate nodes (gmsh: Coherence Mesh, or fragment the geometry before meshing)."
    )


def _check_sets(mesh: Mesh) -> str | None:
    for name, ids in mesh.cell_sets.items():
        problem = _check_set("cell set", name, ids, len(mesh.cells))
        if problem:
            return problem
    for name, facets in mesh.facet_sets.items():
        problem = _check_set("facet set", name, facets.cells, len(mesh.cells))
        problem = problem or _check_set("facet set", name, facets.local, len(FACETS[mesh.cell_type]))
        if problem:
            return problem
    for name, ids in mesh.point_sets.items():
        problem = _check_set("point set", name, ids, len(mesh.points))
        if problem:
            return problem
    return None


def _check_set(kind: str, name: str, ids: np.ndarray, size: int) -> str | None:
    if not len(ids):
        return _empty(kind, name)
    if ids.min() < 0 or ids.max() >= size:
        return (
            f"{kind} '{name}' has index {ids.min() if ids.min() < 0 else ids.max()}, outside 0 to {size - 1}. "
            "Try: number from 0, and give sets of this mesh."
        )
    return None


def _empty(kind: str, name: str) -> str:
    return f"{kind} '{name}' is empty. Try: assign meshed entities to it, or remove the group."


def _check_data(mesh: Mesh) -> str | None:
    for name, values in mesh.cell_data.items():
        if values.shape[:1] != (len(mesh.cells),):
            return (
                f"cell data '{name}' has shape {values.shape} for {len(mesh.cells)} cells. Try: give one row per cell."
            )
    return None


def _check_jacobian(mesh: Mesh) -> str | None:
    frames = np.array(_FRAMES[mesh.cell_type])
    nodes = mesh.points[mesh.cells[:, frames]]
    sides = nodes[:, :, 1:] - nodes[:, :, :1]
    jacobian = np.linalg.det(sides)
    scale = np.linalg.norm(sides, axis=3).prod(axis=2)
    bad = np.flatnonzero((jacobian <= 1e-10 * scale).any(axis=1))
    if not bad.size:
        return None
    cell = bad[0]
    kind = "degenerate" if jacobian[cell].min() > -1e-10 * scale[cell].max() else "inverted"
    return (
        f"cell {cell} centred at {_place(mesh, mesh.centroids()[cell])} is {kind}: its corner Jacobian is "
        f"{jacobian[cell].min():.3g} m^{mesh.dim} ({bad.size} of {len(mesh.cells)} cells). Try: mesh again, or order "
        "the nodes counter-clockwise (2-D) or right-handed (3-D); Mesh.read reorients a mesh whose cells are all "
        "inverted, but not one where only some are."
    )


def _check_mids(mesh: Mesh) -> str | None:
    if mesh.order == 1:
        return None
    corners = CORNERS[mesh.cell_type]
    ends = mesh.points[mesh.cells[:, np.array(EDGES[mesh.cell_type])]]
    offset = np.linalg.norm(mesh.points[mesh.cells[:, corners:]] - ends.mean(axis=2), axis=2)
    length = np.linalg.norm(ends[:, :, 1] - ends[:, :, 0], axis=2)
    cells, edges = np.nonzero(offset > 0.25 * length)
    if not cells.size:
        return None
    node = mesh.cells[cells[0], corners + edges[0]]
    return (
        f"mid node {node} of cell {cells[0]} at {_place(mesh, node)} is {offset[cells[0], edges[0]]:.3g} m off the "
        f"middle of its edge, more than a quarter of its length ({cells.size} such). "
        "Try: the node order of meshio and VTK, or a finer mesh of the curved boundary."
    )


def _check_overlap(mesh: Mesh) -> str | None:
    _, first, counts = np.unique(_facet_keys(mesh), return_index=True, return_counts=True)
    bad = first[counts > 2]
    if not bad.size:
        return None
    cell = int(bad[0]) // len(FACETS[mesh.cell_type])
    return (
        f"a facet of cell {cell} centred at {_place(mesh, mesh.centroids()[cell])} is shared by more than two cells "
        f"({bad.size} such facets). Try: remove cells listed twice and overlapping volumes."
    )


_SAFE = (_check_shapes, _check_finite, _check_range, _check_repeated)
_SOUND = (
    _check_unused,
    _check_duplicates,
    _check_sets,
    _check_data,
    _check_jacobian,
    _check_mids,
    _check_overlap,
)


# Words


def _unit(length: float) -> str:
    """Unit in which a length [m] reads well."""
    return next((unit for unit in ("m", "mm", "um") if length >= 0.1 * LENGTHS[unit]), "nm")


def _place(mesh: Mesh, point) -> str:
    """A node or a position in words."""
    position = mesh.points[point] if np.ndim(point) == 0 else point
    unit = _unit(float(np.ptp(mesh.points, axis=0).max()))
    return "(" + ", ".join(f"{x / LENGTHS[unit]:.4g}" for x in position) + f") {unit}"


def _summary(mesh: Mesh) -> str:
    smallest, mean, largest = mesh.edge_lengths()
    unit = _unit(mean)
    size = LENGTHS[unit]
    parts = [
        f"{mesh.dim}-D",
        f"{_spaced(len(mesh.points))} nodes",
        f"{_spaced(len(mesh.cells))} {PLURAL[mesh.cell_type]}",
        f"h {smallest / size:.3g} to {largest / size:.3g} {unit} (mean {mean / size:.3g})",
        f"{'area' if mesh.dim == 2 else 'volume'} {mesh.measure() / size**mesh.dim:.6g} {unit}^{mesh.dim}",
    ]
    facets = {**mesh.facet_sets, "boundary": mesh.facets("boundary")}
    sets = [("cells", mesh.cell_sets), ("facets", facets), ("points", mesh.point_sets)]
    listed = [f"{kind}: {_sizes(group)}" for kind, group in sets if group]
    return f"Mesh({', '.join(parts)}; {'; '.join(listed)})"


def _sizes(sets: Mapping) -> str:
    return ", ".join(f"{name} ({len(members)})" for name, members in sets.items())


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


# Reading


def _metres(scale: float | str) -> float:
    if not isinstance(scale, str):
        return float(scale)
    if scale not in LENGTHS:
        raise UnitError(f"Unknown length unit '{scale}' of a mesh. Try: {', '.join(LENGTHS)}, or a number in metres.")
    return LENGTHS[scale]


def _load(path: Path) -> dict[str, Any]:
    readers = {".msh": _load_gmsh, ".vtu": _load_vtu, ".npz": _load_npz}
    if not path.is_file():
        raise MeshError(f"Mesh file {path} does not exist. Try: check the path; it is relative to {Path.cwd()}.")
    if path.suffix.lower() not in readers:
        raise MeshError(f"Mesh file {path} has unknown type '{path.suffix}'. Try: {', '.join(readers)}.")
    try:
        return readers[path.suffix.lower()](path)
    except ChemomechError:
        raise
    except Exception as error:  # readers of foreign formats fail in many ways on damaged files
        reason = (str(error) or type(error).__name__).rstrip(".")
        hint = "write it again (gmsh: Mesh.MshFileVersion = 4.1)"
        if "gmsh:physical" in reason:
            hint = "give every saved entity a physical group, or save only those that have one (Mesh.SaveAll = 0)"
        raise MeshError(f"Cannot read mesh file {path}: {reason}. Try: {hint}.") from error


def _load_gmsh(path: Path) -> dict[str, Any]:
    import meshio

    _check_names(path)
    raw = meshio.gmsh.read(str(path))
    points, cell_type = _flatten(raw.points, raw.cells, path)
    sets: tuple[dict, dict, dict] = ({}, {}, {})
    for name, (_, dim) in raw.field_data.items():
        if name not in raw.cell_sets:
            raise MeshError(f"{path}: group '{name}' cannot be read. Try: save with Mesh.MshFileVersion = 4.1.")
        codim = min(DIM[cell_type] - dim, 2)
        sets[codim][name] = _group(raw, name, cell_type, codim, path)
    return {
        "points": points,
        "cells": _merge(raw.cells, cell_type),
        "cell_type": cell_type,
        "cell_sets": sets[0],
        "facet_sets": sets[1],
        "point_sets": sets[2],
        "cell_data": _merge_data(raw, cell_type),
    }


def _check_names(path: Path) -> None:
    # meshio keeps one group per name and drops the others without a word.
    section = path.read_bytes().partition(b"$PhysicalNames")[2].partition(b"$EndPhysicalNames")[0]
    names = [line.split('"')[1] for line in section.decode().splitlines() if '"' in line]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise MeshError(f"{path}: the name '{twice[0]}' belongs to several groups. Try: a name of its own for each.")


def _group(raw, name: str, cell_type: str, codim: int, path: Path) -> Int[np.ndarray, "..."]:
    """Cells (codim 0), corner nodes of facets (1) or nodes (2) of a physical group, over all its entities."""
    if codim < 0:
        raise MeshError(f"{path}: group '{name}' has volumes in a plane mesh. Try: remove it, or mesh in 3-D.")
    blocks, chosen, offset = [], [], 0
    for block, ids in zip(raw.cells, raw.cell_sets[name]):
        ids = np.asarray(ids, dtype=np.int64)
        blocks += [block.data[ids]] if len(ids) else []
        if block.type == cell_type:
            chosen.append(ids + offset)
            offset += len(block.data)
    if codim == 0:
        return np.concatenate(chosen)
    if codim == 2:
        return np.unique(np.concatenate([block.ravel() for block in blocks])) if blocks else np.zeros(0, np.int64)
    corners = _facet_corners(cell_type)
    return np.concatenate([block[:, :corners] for block in blocks]) if blocks else np.zeros((0, corners), np.int64)


def _load_vtu(path: Path) -> dict[str, Any]:
    import meshio

    raw = meshio.vtu.read(str(path))
    points, cell_type = _flatten(raw.points, raw.cells, path)
    data = _merge_data(raw, cell_type)
    marks = {name.removeprefix("set:"): values for name, values in data.items() if name.startswith("set:")}
    return {
        "points": points,
        "cells": _merge(raw.cells, cell_type),
        "cell_type": cell_type,
        "cell_sets": {name: np.flatnonzero(values) for name, values in marks.items()},
        "facet_sets": {},
        "point_sets": {},
        "cell_data": {name: values for name, values in data.items() if not name.startswith("set:")},
    }


def _load_npz(path: Path) -> dict[str, Any]:
    empty: dict[str, dict] = {"cell_sets": {}, "facet_sets": {}, "point_sets": {}, "cell_data": {}}
    with np.load(path, allow_pickle=False) as data:
        missing = {"points", "cells"} - set(data.files)
        if missing:
            raise MeshError(f"{path}: array '{min(missing)}' is missing. Try: save both 'points' and 'cells'.")
        points, cells = data["points"], data["cells"]
        if "cell_type" in data.files:
            return {"points": points, "cells": cells, "cell_type": str(data["cell_type"]), **empty}
    kinds = [kind for kind in DIM if (DIM[kind], NODES[kind]) == (points.shape[-1], cells.shape[-1])]
    if not kinds:
        raise MeshError(
            f"{path}: points of shape {points.shape} and cells of shape {cells.shape} fit no cell type. "
            f"Try: add the array 'cell_type', one of {', '.join(DIM)}."
        )
    return {"points": points, "cells": cells, "cell_type": kinds[0], **empty}


def _flatten(points, blocks, path: Path) -> tuple[Float[np.ndarray, "n dim"], str]:
    """Points in 2-D where all z are equal, and the type of the cells of that dimension."""
    points = np.asarray(points, float)
    plane = points.shape[1] == 2 or np.ptp(points[:, 2]) <= 1e-12 * np.ptp(points, axis=0).max()
    dim = 2 if plane else 3
    found = sorted({block.type for block in blocks if block.dim == dim and len(block.data)})
    if not found:
        others = ", ".join(sorted({block.type for block in blocks})) or "nothing"
        hint = "a surface in 3-D is not supported; mesh the volume" if dim == 3 else "mesh the surface"
        raise MeshError(f"{path}: no {dim}-D cells, only {others}. Try: {hint}, and save its physical group.")
    if len(found) > 1 or found[0] not in DIM:
        raise MeshError(f"{path}: cells of type {', '.join(found)}. Try: a mesh of one type among {', '.join(DIM)}.")
    return points[:, :dim], found[0]


def _merge(blocks, cell_type: str) -> Int[np.ndarray, "m k"]:
    return np.concatenate([block.data for block in blocks if block.type == cell_type])


def _merge_data(raw, cell_type: str) -> dict[str, np.ndarray]:
    """Cell arrays over the blocks of one type; gmsh keeps its entity numbers to itself."""
    chosen = [i for i, block in enumerate(raw.cells) if block.type == cell_type]
    names = [name for name in raw.cell_data if not name.startswith("gmsh:")]
    return {name: np.concatenate([raw.cell_data[name][i] for i in chosen]) for name in names}


# Making


def rectangle(
    lx: float,
    ly: float,
    nx: int,
    ny: int,
    cell_type: str = "triangle",
    diagonal: str = "right",
    origin: tuple[float, float] = (0.0, 0.0),
) -> Mesh:
    """Structured mesh of a rectangle with facet sets left, right, bottom and top.

    Args:
        lx, ly: side lengths [m].
        nx, ny: number of divisions.
        cell_type: "triangle" or "quad".
        diagonal: "right" (two triangles per division) or "crossed" (four).
        origin: lower left corner [m].

    Raises:
        MeshError: an argument is out of range.
    """
    _check_divisions((lx, ly), (nx, ny), "rectangle")
    points, corners = _grid((lx, ly), (nx, ny), origin)
    a, b, d, c = corners.T  # x varies fastest; a, b, c, d run counter-clockwise
    if cell_type == "quad":
        cells = np.stack([a, b, c, d], axis=1)
    elif (cell_type, diagonal) == ("triangle", "right"):
        cells = np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3)
    elif (cell_type, diagonal) == ("triangle", "crossed"):
        e = len(points) + np.arange(len(a))
        points = np.concatenate([points, points[corners].mean(axis=1)])
        cells = np.stack([a, b, e, b, c, e, c, d, e, d, a, e], axis=1).reshape(-1, 3)
    else:
        raise MeshError(
            f"rectangle: no cells '{cell_type}' with diagonal '{diagonal}'. "
            "Try: cell_type 'triangle' or 'quad', diagonal 'right' or 'crossed'."
        )
    return _with_sides(Mesh(points, cells.astype(np.int32), cell_type), ("left", "right", "bottom", "top"))


def box(
    lx: float,
    ly: float,
    lz: float,
    nx: int,
    ny: int,
    nz: int,
    cell_type: str = "tetra",
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Mesh:
    """Structured mesh of a box with facet sets xmin, xmax, ymin, ymax, zmin and zmax.

    Args:
        lx, ly, lz: side lengths [m].
        nx, ny, nz: number of divisions.
        cell_type: "tetra" (six per division, opposite faces match) or "hexahedron".
        origin: corner of smallest coordinates [m].

    Raises:
        MeshError: an argument is out of range.
    """
    _check_divisions((lx, ly, lz), (nx, ny, nz), "box")
    points, corners = _grid((lx, ly, lz), (nx, ny, nz), origin)
    if cell_type == "hexahedron":
        cells = corners[:, [0, 1, 3, 2, 4, 5, 7, 6]]
    elif cell_type == "tetra":
        # One tetrahedron per path of axis steps from corner 0 to corner 7 (Kuhn), odd permutations mirrored.
        paths = [(0, 1, 3, 7), (0, 5, 1, 7), (0, 3, 2, 7), (0, 2, 6, 7), (0, 4, 5, 7), (0, 6, 4, 7)]
        cells = corners[:, np.array(paths)].reshape(-1, 4)
    else:
        raise MeshError(f"box: no cells '{cell_type}'. Try: cell_type 'tetra' or 'hexahedron'.")
    names = ("xmin", "xmax", "ymin", "ymax", "zmin", "zmax")
    return _with_sides(Mesh(points, cells.astype(np.int32), cell_type), names)


def _check_divisions(lengths, counts, source: str) -> None:
    if min(lengths) <= 0 or min(counts) < 1:
        raise MeshError(
            f"{source}: lengths {lengths} m with {counts} divisions. Try: positive lengths, at least one division."
        )


def _grid(lengths, counts, origin) -> tuple[Float[np.ndarray, "n dim"], Int[np.ndarray, "m c"]]:
    """Grid points, x fastest, and the corners of each division in the same order."""
    axes = [start + np.linspace(0.0, length, count + 1) for start, length, count in zip(origin, lengths, counts)]
    points = np.stack([grid.ravel() for grid in np.meshgrid(*axes[::-1], indexing="ij")][::-1], axis=1)
    number = np.arange(len(points)).reshape([count + 1 for count in counts[::-1]])
    shifts = np.ndindex(*(2,) * len(counts))
    parts = [number[tuple(slice(s, s + n) for s, n in zip(shift, counts[::-1]))].ravel() for shift in shifts]
    return points, np.stack(parts, axis=1)


def _with_sides(mesh: Mesh, names: tuple[str, ...]) -> Mesh:
    """The checked mesh with the facet sets of its bounding box, given as (min, max) per axis."""
    nodes = facet_nodes(mesh, mesh.boundary)
    sets = {}
    for i, name in enumerate(names):
        x = mesh.points[:, i // 2]
        on = (x == (x.max() if i % 2 else x.min()))[nodes].all(axis=1)
        sets[name] = FacetSet(mesh.boundary.cells[on], mesh.boundary.local[on])
    return Mesh.build(mesh.points, mesh.cells, mesh.cell_type, facet_sets=sets)


def elevate(mesh: Mesh) -> Mesh:
    """Second-order mesh of the same straight-sided cells; a second-order mesh is returned as it is.

    Raises:
        MeshError: the cells are neither triangles nor tetrahedra.
    """
    if mesh.order == 2:
        return mesh
    kinds = {"triangle": "triangle6", "tetra": "tetra10"}
    if mesh.cell_type not in kinds:
        raise MeshError(f"elevate: no second-order {mesh.cell_type}. Try: a mesh of {' or '.join(kinds)}.")
    edges, of_cell = _unique_edges(mesh)
    points = np.concatenate([mesh.points, mesh.points[edges].mean(axis=1)])
    cells = np.concatenate([mesh.cells, len(mesh.points) + of_cell], axis=1).astype(np.int32)
    return Mesh(points, cells, kinds[mesh.cell_type], mesh.cell_sets, mesh.facet_sets, mesh.cell_data, mesh.point_sets)


def periodic_pairs(mesh: Mesh, axis: int) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """Nodes on the face of largest coordinate `axis` and, in the same order, their images on the smallest.

    Returns:
        (slave, master): node numbers on the largest and on the smallest face.

    Raises:
        MeshError: the two faces do not carry matching nodes.
    """
    if not 0 <= axis < mesh.dim:
        raise MeshError(f"periodic_pairs: axis {axis} of a {mesh.dim}-D mesh. Try: 0 to {mesh.dim - 1}.")
    tolerance = 1e-6 * float(np.ptp(mesh.points, axis=0).max())
    x = mesh.points[:, axis]
    slave = np.flatnonzero(x > x.max() - tolerance)
    master = np.flatnonzero(x < x.min() + tolerance)
    across = np.delete(mesh.points, axis, axis=1)
    distance, place = cKDTree(across[master]).query(across[slave])
    if len(slave) != len(master) or distance.max() > tolerance or len(np.unique(place)) != len(place):
        worst = int(np.argmax(distance))
        raise MeshError(
            f"Faces of axis {axis} do not match: {len(slave)} nodes on the largest, {len(master)} on the smallest; "
            f"node {slave[worst]} at {_place(mesh, slave[worst])} is {distance[worst]:.3g} m off the nearest image. "
            "Try: mesh both faces alike (gmsh: Periodic Curve or Periodic Surface)."
        )
    return slave.astype(np.int32), master[place].astype(np.int32)
