"""Triangles inside an outline, by gmsh or, without it, by Delaunay's triangulation of a lattice of points."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from ..errors import ChemomechError, ConfigError, MeshError
from ..fem.mesh import Mesh, elevate
from ..geometry.remesh import filled
from ..geometry.session import Length, lengths, load_gmsh
from .maps import Map
from .outline import Loop, body, encloses, outlines, resampled

Mesher = Literal["gmsh", "delaunay"]
HOLE = 4.0  # of the square of an edge: smaller holes are filled
CLOSE = 0.6  # of an edge: points of the lattice keep this distance from the outline


def mesh_of(
    map: Map, h: Length, smooth: Length | None = None, order: int = 1, mesher: Mesher | None = None
) -> tuple[Mesh, Float[np.ndarray, " n"]]:  # fmt: skip
    """Mesh of the largest body of a map, and the composition at its nodes, averaged over the size of an element.

    Holes of less than 4 h^2 are filled.

    Args:
        map: which pixels lie inside, and their composition.
        h: edge length to aim at [m].
        smooth: of the outline, see `outlines`; default: one pixel [m].
        order: 1 or 2, of the triangles.
        mesher: default: gmsh if it can be loaded.

    Raises:
        MeshError: the body has no outline, or h is too large for it.
        ConfigError: another order or mesher.
    """
    check_mesh(order, mesher)
    (h,) = lengths("mesh_of", h=h)
    width = None if smooth is None else lengths("mesh_of", smooth=smooth)[0]
    mesh = mesh_outline(body(outlines(map.inside, map.pixel, width), HOLE * h**2), h, order, mesher)
    return mesh, map.averaged(h / order)(mesh.points)


def mesh_outline(loops: list[Loop], h: Length, order: int = 1, mesher: Mesher | None = None) -> Mesh:
    """Triangles inside an outline; facet sets surface, and holes if there are some; cell set particle.

    Args:
        loops: the outline, then its holes [m].
        h: edge length to aim at [m].
        order: 1 or 2, of the triangles.
        mesher: default: gmsh if it can be loaded.

    Raises:
        MeshError: h is too large for the outline, or the triangles do not fill it.
        ConfigError: another order or mesher.
    """
    check_mesh(order, mesher)
    (h,) = lengths("mesh_outline", h=h)
    loops = [resampled(loop, h) for loop in loops]
    points, edges = np.concatenate(loops), _edges(loops)
    points, cells = filled(points, edges, 2) if _with_gmsh(mesher) else _delaunay(loops, points, h)
    outer = len(loops[0])
    sets = {"surface": edges[:outer], **({"holes": edges[outer:]} if len(loops) > 1 else {})}
    mesh = Mesh.build(points, cells, "triangle", {"particle": np.arange(len(cells))}, sets)
    if len(mesh.boundary) != len(edges):
        raise MeshError(f"Triangles of {h:.3g} m do not fill the outline. Try: a smaller h, or a smoother outline.")
    return mesh if order == 1 else elevate(mesh)


def check_mesh(order: int, mesher: Mesher | None) -> None:
    """Whether there are such triangles, and such a mesher.

    Raises:
        ConfigError: there are not.
    """
    if order not in (1, 2):
        raise ConfigError(f"order = {order!r}: triangles are linear or quadratic. Use 1 or 2.")
    if mesher not in (None, *get_args(Mesher)):
        raise ConfigError(f"mesher = {mesher!r} is unknown. Use {', '.join(get_args(Mesher))}, or None for either.")


def _with_gmsh(mesher: Mesher | None) -> bool:
    if mesher is not None:
        return mesher == "gmsh"
    try:
        load_gmsh()
    except ChemomechError:
        return False
    return True


def _edges(loops: list[Loop]) -> Int[np.ndarray, "e 2"]:
    """Ends of the edges of closed lines whose points are numbered one line after the other."""
    first = np.cumsum([0, *map(len, loops)])[:-1]
    numbers = [start + np.arange(len(loop)) for start, loop in zip(first, loops)]
    return np.concatenate([np.stack([number, np.roll(number, -1)], axis=1) for number in numbers])


def _delaunay(
    loops: list[Loop], points: Float[np.ndarray, "b 2"], h: float
) -> tuple[Float[np.ndarray, "n 2"], Int[np.ndarray, "m 3"]]:
    """Points of the outline and of a triangular lattice inside it, and the triangles between them that lie inside."""
    from scipy.spatial import Delaunay, cKDTree

    low, high = points.min(axis=0), points.max(axis=0)
    rows, columns = (np.ceil((high - low) / (h * np.array([1.0, np.sqrt(0.75)]))).astype(int) + 1)[::-1]
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    lattice = low + h * np.stack([(j + 0.5 * (i % 2)).ravel(), np.sqrt(0.75) * i.ravel()], axis=1)
    lattice = lattice[encloses(loops, lattice)]
    lattice = lattice[cKDTree(points).query(lattice)[0] > CLOSE * h]
    every = np.concatenate([points, lattice])
    cells = Delaunay(every).simplices
    a, b, c = every[cells].transpose(1, 0, 2)
    twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    cells = np.where(twice[:, None] < 0, cells[:, ::-1], cells)
    kept = encloses(loops, every[cells].mean(axis=1)) & (np.abs(twice) > 1e-9 * h**2)
    return every, cells[kept]
