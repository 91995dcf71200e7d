"""What a shape is judged by: volume, area, sphericity, aspect ratio, and how far lithium has to go.

Each is a function of a mesh and, where it matters, of the facet set that reacts; cells and facets count as flat, by
their corners. Plane meshes have an area for their volume and a length for their area, both per thickness. A part
between planes of symmetry is first made whole: `mirrored(mesh, "xmin", "ymin", "zmin")`.
"""

from math import pi

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from chemomech.errors import MeshError
from chemomech.fem.mesh import CORNERS, Mesh, facet_nodes
from chemomech.units import parse

REACTING = ("surface", "pores", "channels", "side", "outer")  # facet sets of geometries, of which each has one at most


def reacting(mesh: Mesh) -> str:
    """The facet set of a geometry that reacts, by its name; the whole boundary where none is named so."""
    named = next((name for name in REACTING if name in mesh.facet_sets), "boundary")
    return "top" if named == "boundary" and {"top", "base"} <= set(mesh.facet_sets) else named  # of a film


def symmetric(mesh: Mesh) -> tuple[str, ...]:
    """Facet sets of a geometry's planes of symmetry: xmin, ymin, zmin, where there is no opposite side."""
    sets = mesh.facet_sets
    return tuple(f"{axis}min" for axis in "xyz" if f"{axis}min" in sets and f"{axis}max" not in sets)


def described(
    mesh: Mesh, surface: str = "boundary", density: float | str | None = None, ends: bool = True
) -> dict[str, float]:
    """All of them, by name and unit: area per mass only with a density [kg/m^3], aspect ratio only of simplices.

    Of an axisymmetric section, which has a facet set "axis", its plane area tells nothing: the diffusion length alone.

    Args:
        mesh: the body.
        surface: the facet set that reacts.
        density: mass density of the body [kg/m^3].
        ends: whether the body ends at its boundary; a cell of a larger one has no sphericity and no aspect ratio.

    Raises:
        UnitError: the density is given in another unit.
        MeshError: there is no such facet set, or the density is not positive.
    """
    if "axis" in mesh.facet_sets:
        return {"diffusion length [m]": diffusion_length(mesh, surface)}
    whole, skin = ("volume [m^3]", "area [m^2]") if mesh.dim == 3 else ("area [m^2]", "circumference [m]")
    found = {whole: volume(mesh), skin: area(mesh, surface)}
    if density is not None:
        found["area per mass [m^2/kg]"] = area_per_mass(mesh, density, surface)
    if ends:
        found["sphericity [-]" if mesh.dim == 3 else "circularity [-]"] = sphericity(mesh)
    if ends and _are_simplices(mesh):
        found["aspect ratio [-]"] = aspect_ratio(mesh)
    return {**found, "diffusion length [m]": diffusion_length(mesh, surface)}


def volume(mesh: Mesh) -> float:
    """Volume [m^3], of a plane mesh area [m^2]."""
    return mesh.measure()


def area(mesh: Mesh, surface: str = "boundary") -> float:
    """Area of a facet set [m^2], of a plane mesh length [m].

    Raises:
        MeshError: there is no such facet set.
    """
    return float(_measures(_pieces(mesh, surface)).sum())


def area_per_mass(mesh: Mesh, density: float | str, surface: str = "boundary") -> float:
    """A / (rho V) of a facet set [m^2/kg].

    Args:
        mesh: the body.
        density: mass density of the body [kg/m^3].
        surface: the facet set.

    Raises:
        UnitError: the density is given in another unit.
        MeshError: there is no such facet set, or the density is not positive.
    """
    rho = float(parse(density, "kg/m^3", name="density"))
    if not 0 < rho < np.inf:
        raise MeshError(f'area_per_mass: the density is {rho:g} kg/m^3. Try: a positive one, such as "3600 kg/m^3".')
    return area(mesh, surface) / (rho * volume(mesh))


def sphericity(mesh: Mesh) -> float:
    """Area of the sphere of the same volume over that of the boundary [-]; of a plane mesh, circumferences."""
    whole, skin = volume(mesh), area(mesh)
    return (pi ** (1 / 3) * (6 * whole) ** (2 / 3) if mesh.dim == 3 else 2 * (pi * whole) ** 0.5) / skin


def aspect_ratio(mesh: Mesh) -> float:
    """Square root of the largest over the smallest principal second moment of the volume [-].

    For an ellipsoid, or a box, this is its longest over its shortest axis.

    Raises:
        MeshError: the cells are quads or hexahedra.
    """
    if not _are_simplices(mesh):
        raise MeshError(f"aspect_ratio: no moments of a {mesh.cell_type}. Try: triangles or tetrahedra.")
    weights, d = mesh.cell_measures(), mesh.dim
    at = mesh.points[mesh.cells[:, : d + 1]] - weights @ mesh.centroids() / weights.sum()
    total = at.sum(axis=1)
    second = np.einsum("c,cki,ckj->ij", weights, at, at) + np.einsum("c,ci,cj->ij", weights, total, total)
    values = np.linalg.eigvalsh(second)
    return float((values[-1] / values[0]) ** 0.5)


def diffusion_length(mesh: Mesh, surface: str = "boundary") -> float:
    """Largest distance of a node from a facet set, in a straight line [m].

    How far lithium has to go at most, where the line to the nearest facet stays inside the body.

    Raises:
        MeshError: there is no such facet set.
    """
    pieces = _pieces(mesh, surface)
    centres = pieces.mean(axis=1)
    reach = float(np.linalg.norm(pieces - centres[:, None], axis=2).max())
    tree, nearest = cKDTree(centres), cKDTree(pieces.reshape(-1, mesh.dim))
    bound, _ = nearest.query(mesh.points)
    largest = 0.0
    for node in np.argsort(-bound):  # a node is at most as far from the facets as from their corners
        if bound[node] <= largest:
            break
        candidates = tree.query_ball_point(mesh.points[node], bound[node] + reach)
        largest = max(largest, float(_distances(mesh.points[node], pieces[candidates]).min()))
    return largest


def _are_simplices(mesh: Mesh) -> bool:
    return CORNERS[mesh.cell_type] == mesh.dim + 1


def _pieces(mesh: Mesh, surface: str) -> Float[np.ndarray, "f d d"]:
    """Corners of the facets of a set, quads cut into two triangles."""
    corners = 4 if mesh.cell_type == "hexahedron" else mesh.dim
    nodes = facet_nodes(mesh, mesh.facets(surface))[:, :corners]
    if corners == 4:
        nodes = nodes[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    return mesh.points[nodes]


def _measures(pieces: Float[np.ndarray, "f d d"]) -> Float[np.ndarray, " f"]:
    edges = pieces[:, 1:] - pieces[:, :1]
    gram = edges @ np.swapaxes(edges, 1, 2)
    return np.sqrt(np.maximum(np.linalg.det(gram), 0)) / (pieces.shape[1] - 1)


def _distances(point: Float[np.ndarray, " d"], pieces: Float[np.ndarray, "f d d"]) -> Float[np.ndarray, " f"]:
    """Distances of a point from line segments or triangles."""
    if pieces.shape[1] == 2:
        along = pieces[:, 1] - pieces[:, 0]
        place = np.einsum("fi,fi->f", point - pieces[:, 0], along) / np.einsum("fi,fi->f", along, along)
        return np.linalg.norm(pieces[:, 0] + np.clip(place, 0, 1)[:, None] * along - point, axis=1)
    edges = pieces[:, 1:] - pieces[:, :1]
    at = np.linalg.pinv(np.swapaxes(edges, 1, 2)) @ (point - pieces[:, 0])[:, :, None]
    s, t = at[:, 0, 0], at[:, 1, 0]
    foot = pieces[:, 0] + np.einsum("fk,fki->fi", at[:, :, 0], edges)
    rims = [_distances(point, pieces[:, [a, b]]) for a, b in ((0, 1), (1, 2), (2, 0))]
    within = (s >= 0) & (t >= 0) & (s + t <= 1)
    return np.where(within, np.linalg.norm(foot - point, axis=1), np.min(rims, axis=0))
