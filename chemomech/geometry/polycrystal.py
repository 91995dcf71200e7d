"""Polycrystals: secondary particles of Voronoi grains."""

from os import PathLike
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from chemomech.errors import ChemomechError, MeshError
from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, refine, sizes
from chemomech.geometry.session import Length, group, lengths, mesh_model, require_one_of, session, unit_of
from chemomech.geometry.sides import drawing, require_at_least, skin

SHAPES = ("ball", "box", "disk")
SAMPLES = 200  # points a grain, by which its centroid is estimated
TRIES = 20  # sets of points, of which the one with the longest shortest edge is taken: short ones make poor elements
SAME = 1e-7  # of the particle's size: closer corners of grains are one corner


def polycrystal(
    size: Length,
    grains: int,
    h: Length,
    shape: str = "ball",
    seed: int = 0,
    relax: int = 2,
    boundary_h: Length | None = None,
    save: str | PathLike | None = None,
) -> Mesh:
    """Grains of a particle centred at the origin: tetrahedra of a ball or cube, triangles of a disk.

    Grains are the Voronoi cells of random points; of twenty sets the one without short edges is taken. Cell sets
    grain_1, grain_2, ...; the same number is the cell data "grain"; facet sets surface and, between two grains,
    grain_boundary.

    Args:
        size: diameter, or edge of the cube [m].
        grains: their number.
        h: edge length to aim at [m].
        shape: "ball", "box" (a cube) or "disk".
        seed: number of the random points; the same number gives the same grains.
        relax: how often each point moves to the centroid of its grain (Lloyd): more gives more even grains.
        boundary_h: edge length to aim at on grain boundaries [m]; `h` if not given.
        save: file for the .msh, in the unit `unit_of(size)`.

    Raises:
        ChemomechError: gmsh or pyvoro2 cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, there are no grains, an element size is too large, or gmsh fails.
    """
    (size,) = lengths("polycrystal", size=size)
    inside, near = sizes("polycrystal", h, boundary_h, size, "boundary_h")
    require_at_least("polycrystal", 1, grains=grains)
    require_at_least("polycrystal", 0, seed=seed, relax=relax)
    require_one_of("polycrystal", SHAPES, shape=shape)
    unit, dim = unit_of(size), 2 if shape == "disk" else 3
    length, coarse, fine = in_unit(unit, size, inside, near)
    random = np.random.default_rng(seed)
    tried = (_voronoi(_points(random, shape, grains, relax)) for _ in range(TRIES if grains > 1 else 1))
    cells = max(tried, key=lambda found: _shortest(shape, found))
    with session("polycrystal") as gmsh:
        with drawing("polycrystal"):
            parts = _draw(gmsh, shape, cells, length)
        if not all(parts):
            raise MeshError("polycrystal: a grain has been lost. Try: another seed, or more relaxation.")
        for k, tags in enumerate(parts, 1):
            group(gmsh, dim, f"grain_{k}", tags)
            if dim == 2:
                _face_up(gmsh, tags)
        outer, inner = skin(gmsh, dim, [tag for tags in parts for tag in tags])
        group(gmsh, dim - 1, "surface", outer)
        if inner:
            group(gmsh, dim - 1, "grain_boundary", inner)
        refine(gmsh, [(dim - 1, inner, fine)], coarse)
        mesh = mesh_model(gmsh, dim, coarse, unit, save)
    grain = np.zeros(len(mesh.cells), np.int32)
    for k in range(1, grains + 1):
        grain[mesh.cells_of(f"grain_{k}")] = k
    return eqx.tree_at(lambda m: m.cell_data, mesh, {**mesh.cell_data, "grain": grain})


def load_pyvoro2() -> Any:
    """The pyvoro2 module.

    Raises:
        ChemomechError: it is not installed.
    """
    try:
        import pyvoro2
    except ImportError as error:
        raise ChemomechError(f'Grains need pyvoro2: {error}. Try: pip install "chemomech[grains]".') from error
    return pyvoro2


def _inside(shape: str, points: Float[np.ndarray, "n dim"]) -> np.ndarray:
    return np.ones(len(points), bool) if shape == "box" else (points**2).sum(axis=1) < 0.25


def _drawn(random: np.random.Generator, shape: str, count: int) -> Float[np.ndarray, "count dim"]:
    """Points spread evenly in the particle of size 1."""
    dim, found = 2 if shape == "disk" else 3, []
    while sum(map(len, found)) < count:
        points = random.random((2 * count, dim)) - 0.5
        found.append(points[_inside(shape, points)])
    return np.concatenate(found)[:count]


def _points(random: np.random.Generator, shape: str, grains: int, relax: int) -> Float[np.ndarray, "grains dim"]:
    points = _drawn(random, shape, grains)
    sample = _drawn(random, shape, SAMPLES * grains) if relax else points
    for _ in range(relax):
        nearest = cKDTree(points).query(sample)[1]
        weight = np.bincount(nearest, minlength=grains)
        sums = np.stack([np.bincount(nearest, column, minlength=grains) for column in sample.T], axis=1)
        points = np.where(weight[:, None] > 0, sums / np.maximum(weight, 1)[:, None], points)
    return points


def _voronoi(points: Float[np.ndarray, "grains dim"]) -> list[tuple[np.ndarray, list[list[int]]]]:
    """Corners and facets (by corners, in order around) of each cell in a box of twice the particle's size."""
    library = load_pyvoro2()
    dim = points.shape[1]
    kind = library if dim == 3 else library.planar
    found = kind.compute(points, domain=kind.Box(bounds=((-1.0, 1.0),) * dim), output="cells")
    facets = "faces" if dim == 3 else "edges"
    cells = sorted(found, key=lambda cell: cell["id"])
    return [(np.array(cell["vertices"]), [facet["vertices"] for facet in cell[facets]]) for cell in cells]


def _shortest(shape: str, cells: list[tuple[np.ndarray, list[list[int]]]]) -> float:
    """Shortest edge inside the particle, or distance of a corner from its surface where that is shorter."""
    least = np.inf
    for corners, facets in cells:
        depth = 0.5 - (np.abs(corners).max(axis=1) if shape == "box" else np.linalg.norm(corners, axis=1))
        rings = [np.array(facet) for facet in facets]
        first, last = np.concatenate(rings), np.concatenate([np.roll(ring, -1) for ring in rings])
        inside = np.maximum(depth[first], depth[last]) > 0
        edges = np.linalg.norm(corners[first] - corners[last], axis=1)[inside]
        least = min(least, edges.min(initial=np.inf), np.abs(depth).min())
    return float(least)


def _draw(gmsh: Any, shape: str, cells: list, length: float) -> list[list[int]]:
    """Entities of each grain."""
    occ, dim = gmsh.model.occ, 2 if shape == "disk" else 3
    corners, number = _corners([vertices for vertices, _ in cells])
    points = [occ.addPoint(*(length * corner), *(0.0,) * (3 - dim)) for corner in corners]
    lines, faces, bodies = {}, {}, []

    def line(p: int, q: int) -> int:
        key = (min(p, q), max(p, q))
        if key not in lines:
            lines[key] = occ.addLine(points[key[0]], points[key[1]])
        return lines[key]

    def face(around: list[int]) -> int:
        key = frozenset(around)
        if key not in faces:
            loop = occ.addCurveLoop([line(p, q) for p, q in zip(around, around[1:] + around[:1])])
            faces[key] = occ.addPlaneSurface([loop])
        return faces[key]

    for (_, facets), own in zip(cells, number):
        rings = [_distinct([int(own[k]) for k in facet]) for facet in facets]
        if dim == 2:
            bodies.append((2, face(_around([ring for ring in rings if len(ring) == 2]))))
        else:
            shell = [face(ring) for ring in rings if len(ring) > 2]
            bodies.append((3, occ.addVolume([occ.addSurfaceLoop(shell)])))
    half = length / 2
    whole = {
        "ball": lambda: occ.addSphere(0, 0, 0, half),
        "box": lambda: occ.addBox(-half, -half, -half, length, length, length),
        "disk": lambda: occ.addDisk(0, 0, 0, half, half),
    }[shape]()
    made, parts = occ.fragment([(dim, whole)], bodies)
    kept = {tag for _, tag in parts[0]}
    occ.remove([(d, tag) for d, tag in made if d == dim and tag not in kept], recursive=True)
    occ.synchronize()
    return [[tag for _, tag in part if tag in kept] for part in parts[1:]]


def _face_up(gmsh: Any, faces: list[int]) -> None:
    """Triangles run counter-clockwise, whichever way OCC has turned the faces."""
    for tag in faces:
        low, high = gmsh.model.getParametrizationBounds(2, tag)
        middle = [(a + b) / 2 for a, b in zip(low, high)]
        gmsh.model.mesh.setReverse(2, tag, gmsh.model.getNormal(tag, middle)[2] < 0)


def _distinct(ring: list[int]) -> list[int]:
    """Corners of a facet without those that follow themselves."""
    return [corner for corner, before in zip(ring, ring[-1:] + ring[:-1]) if corner != before]


def _around(sides: list[list[int]]) -> list[int]:
    """Corners of a polygon in order, from its sides in any order."""
    ring, left = list(sides[0]), sides[1:]
    while len(ring) <= len(left):
        following = next(side for side in left if ring[-1] in side and ring[-2] not in side)
        ring.append(following[0] if following[1] == ring[-1] else following[1])
    return ring


def _corners(vertices: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All corners, each once, and their numbers for each cell."""
    every = np.concatenate(vertices)
    first = np.array([min(near) for near in cKDTree(every).query_ball_point(every, SAME)])
    used, number = np.unique(first, return_inverse=True)
    return every[used], np.split(number, np.cumsum([len(v) for v in vertices])[:-1])
