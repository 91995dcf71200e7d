"""Crystals bounded by lattice planes: Wulff shapes, given distances of the planes, and platelets.

A lattice is (a, b, c) or (a, b, c, alpha, beta, gamma), or has a `basis` whose columns are its vectors, such as
`chemomech.thermo.Lattice`; a lies along x and b in the plane of x and y. A plane is named by its indices, "010", "1-10"
or "1 0 -12", and stands for all that the symmetry of the lattice makes equivalent to it.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from math import pi
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from chemomech.errors import MeshError
from chemomech.fem.mesh import LENGTHS, Mesh
from chemomech.geometry.parts import AXES, DIGITS, in_unit, name_body, planes_of_symmetry, refine, sizes
from chemomech.geometry.session import Length, lengths, mesh_model, session, unit_of
from chemomech.units import parse

EQUAL = 1e-6  # relatively: lattice parameters that count as equal, and corners that count as one


def wulff(
    gammas: Mapping[str, float | str],
    lattice: Sequence[Length],
    size: Length,
    h: Length,
    surface_h: Length | None = None,
    equivalents: bool = True,
    each: bool = False,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of the equilibrium shape of a crystal: x . n <= s gamma(n) for all given planes.

    Facet sets are named by the planes, such as "010"; those that the shape does not show are missing. Cell set
    particle.

    Args:
        gammas: surface energy of each plane, as numbers or as text such as "0.64 J/m^2"; their ratios count.
        lattice: a, b, c and, unless all are right, the angles alpha, beta, gamma; or a lattice of `chemomech.thermo`.
        size: diameter of the sphere of the same volume [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        equivalents: each plane stands for all that the symmetry of the lattice makes equivalent.
        each: every facet is a set of its own, named by its indices, such as "0-10".
        part: whole, half (z >= 0; facet set zmin), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit of the largest extent.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a quantity is given in another unit.
        MeshError: the planes enclose no body, an energy or length is not positive, a name is no plane, h is larger
            than the body, the part is not cut along planes of symmetry, or gmsh fails.
    """
    energies = {key: _energy(key, gamma) for key, gamma in _mapping("wulff", "gammas", gammas).items()}
    (size,) = lengths("wulff", size=size)
    planes = _planes("wulff", energies, _basis("wulff", lattice), equivalents, each)
    planes = planes.scaled((pi / 6 * size**3 / _enclosed("wulff", planes).volume) ** (1 / 3))
    return _crystal("wulff", planes, h, surface_h, part, save)


def polyhedron(
    distances: Mapping[str, Length],
    lattice: Sequence[Length],
    h: Length,
    surface_h: Length | None = None,
    equivalents: bool = True,
    each: bool = False,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of the crystal x . n <= distance(n) for all given planes.

    Facet sets are named by the planes, such as "010"; those that lie outside are missing. Cell set particle.

    Args:
        distances: of each plane from the centre [m].
        lattice: a, b, c and, unless all are right, the angles alpha, beta, gamma; or a lattice of `chemomech.thermo`.
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        equivalents: each plane stands for all that the symmetry of the lattice makes equivalent.
        each: every facet is a set of its own, named by its indices, such as "0-10".
        part: whole, half (z >= 0; facet set zmin), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit of the largest extent.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a quantity is given in another unit.
        MeshError: the planes enclose no body, a length is not positive, a name is no plane, h is larger than the
            body, the part is not cut along planes of symmetry, or gmsh fails.
    """
    given = _mapping("polyhedron", "distances", distances)
    values = dict(zip(given, lengths("polyhedron", **{str(key): value for key, value in given.items()})))
    planes = _planes("polyhedron", values, _basis("polyhedron", lattice), equivalents, each)
    return _crystal("polyhedron", planes, h, surface_h, part, save)


def crystal_platelet(
    thickness: Length,
    diameter: Length,
    sides: Mapping[str, float],
    lattice: Sequence[Length],
    h: Length,
    normal: str = "010",
    surface_h: Length | None = None,
    each: bool = False,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of a platelet between two planes, with sides normal to them; facet sets by plane; cell set particle.

    Args:
        thickness: distance of its two faces [m].
        diameter: that of the circle of the same area as a face [m].
        sides: distance of each plane of the rim from the centre; their ratios count.
        lattice: a, b, c and, unless all are right, the angles alpha, beta, gamma; or a lattice of `chemomech.thermo`.
        h: edge length to aim at [m].
        normal: plane of the two faces.
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        each: every facet is a set of its own, named by its indices, such as "0-10".
        part: whole, half (z >= 0; facet set zmin), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit of the largest extent.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: the sides enclose nothing or are not normal to the faces, a length is not positive, a name is no
            plane, h is larger than the body, the part is not cut along planes of symmetry, or gmsh fails.
    """
    source = "crystal_platelet"
    thickness, diameter = lengths(source, thickness=thickness, diameter=diameter)
    basis = _basis(source, lattice)
    ratios = {key: _energy(key, value) for key, value in _mapping(source, "sides", sides).items()}
    rim = _planes(source, ratios, basis, True, each)
    top = _indices(source, normal)
    pair = _planes(source, {normal: thickness / 2}, basis, False, each, (top, -top))
    slanted = np.abs(rim.normals @ pair.normals[0]) > EQUAL
    if slanted.any():
        name = rim.names[int(np.argmax(slanted))]
        raise MeshError(
            f'{source}: side "{name}" is not normal to the faces "{normal}". Try: planes of their zone, or polyhedron.'
        )
    unit = pair.scaled(1 / (thickness / 2))  # two thick, so that its volume is twice the area of a face
    wide = (pi / 4 * diameter**2 / (_enclosed(source, rim.joined(unit)).volume / 2)) ** 0.5
    return _crystal(source, rim.scaled(wide).joined(pair), h, surface_h, part, save)


# Planes


class _Planes:
    """Half-spaces x . normal <= distance, and the names of their facets."""

    def __init__(self, names: list[str], normals: Float[np.ndarray, "p 3"], distances: Float[np.ndarray, " p"]):
        self.names, self.normals, self.distances = names, normals, distances

    def scaled(self, factor: float) -> "_Planes":
        return _Planes(self.names, self.normals, self.distances * factor)

    def joined(self, other: "_Planes") -> "_Planes":
        distances = np.concatenate([self.distances, other.distances])
        return _Planes(self.names + other.names, np.concatenate([self.normals, other.normals]), distances)

    def cut(self, cuts: tuple[str, ...]) -> "_Planes":
        """With the half-spaces x, y or z >= 0."""
        return self.joined(_Planes(list(cuts), -np.eye(3)[[AXES[name] for name in cuts]], np.zeros(len(cuts))))

    def mirrored(self, axis: int) -> bool:
        """Whether every plane has its mirror image in the plane normal to an axis."""
        image = self.normals * np.where(np.arange(3) == axis, -1.0, 1.0)
        same = np.abs(image[:, None] - self.normals).max(axis=2) < EQUAL
        close = np.abs(self.distances[:, None] - self.distances) < EQUAL * self.distances.max()
        return bool((same & close).any(axis=1).all())


def _planes(
    source: str,
    values: Mapping[str, float],
    basis: Float[np.ndarray, "3 3"],
    equivalents: bool,
    each: bool,
    given: Sequence[Int[np.ndarray, " 3"]] | None = None,
) -> _Planes:
    """The planes of some names, or of the indices given for one name, with their distances from the centre."""
    names, rows, distances = [], [], []
    seen: dict[tuple[int, ...], str] = {}
    operations = _symmetries(basis) if equivalents else [np.eye(3, dtype=int)]
    for key, value in values.items():
        hkl = _indices(source, key)
        family = given or np.unique([hkl @ operation for operation in operations], axis=0)
        for plane in family:
            reduced = tuple((plane // np.gcd.reduce(plane)).tolist())
            if reduced in seen:
                raise MeshError(f'{source}: "{key}" and "{seen[reduced]}" are the same plane. Try: give it once.')
            seen[reduced] = str(key)
            names.append(_name(plane if each else hkl))
            rows.append(plane)
            distances.append(value)
    normals = np.array(rows) @ np.linalg.inv(basis)
    return _Planes(names, normals / np.linalg.norm(normals, axis=1, keepdims=True), np.array(distances, float))


def _symmetries(basis: Float[np.ndarray, "3 3"]) -> Int[np.ndarray, "g 3 3"]:
    """Integer matrices that leave the metric of a lattice as it is: M^T G M = G."""
    G = basis.T @ basis
    columns = np.array(list(product((-1, 0, 1), repeat=3)))
    square = np.einsum("ni,ij,nj->n", columns, G, columns)
    fits = [columns[np.abs(square - G[k, k]) < EQUAL * G[k, k]] for k in range(3)]
    M = np.array([np.stack(choice, axis=1) for choice in product(*fits)])
    change = np.abs(np.swapaxes(M, 1, 2) @ G @ M - G).max(axis=(1, 2))
    return M[change < 2 * EQUAL * G.max()]


def _indices(source: str, key: Any) -> Int[np.ndarray, " 3"]:
    text = key if isinstance(key, str) else " ".join(map(str, np.atleast_1d(key)))
    inner = text.strip().strip("(){}[]").replace(",", " ").strip()
    found = inner.split() if " " in inner else re.findall(r"-?\d", inner)
    if len(found) != 3 or "".join(found) != inner.replace(" ", "") or not all(re.fullmatch(r"-?\d+", v) for v in found):
        raise MeshError(f'{source}: "{key}" is no lattice plane. Try: three whole numbers, such as "010" or "1 0 -12".')
    hkl = np.array([int(value) for value in found])
    if not hkl.any():
        raise MeshError(f'{source}: the plane "{key}" has no normal. Try: three whole numbers that are not all zero.')
    return hkl


def _name(hkl: Int[np.ndarray, " 3"]) -> str:
    return ("" if np.abs(hkl).max() < 10 else " ").join(map(str, hkl))


def _mapping(source: str, name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise MeshError(f'{source}: {name} is {given!r}. Try: a value for each plane, such as {{"010": 1.0}}.')
    return given


def _energy(key: Any, value: float | str) -> float:
    number = float(parse(value, "J/m^2", name=f'"{key}"'))
    if not 0 < number < np.inf:
        raise MeshError(f'The value of plane "{key}" is {number:g}. Try: a positive number.')
    return number


def _basis(source: str, lattice: Any) -> Float[np.ndarray, "3 3"]:
    """Lattice vectors as columns, over the length of the first."""
    if hasattr(lattice, "basis"):
        basis = np.asarray(lattice.basis, float)
        return basis / np.linalg.norm(basis[:, 0])
    if isinstance(lattice, str) or np.size(lattice) not in (3, 6):
        raise MeshError(f"{source}: lattice is {lattice!r}. Try: three lengths, or three lengths and three angles.")
    a, b, c = lengths(source, **{f"lattice[{k}]": value for k, value in enumerate(lattice[:3])})
    angles = [float(parse(value, "rad", name=f"{source}: lattice[{k + 3}]")) for k, value in enumerate(lattice[3:])]
    cos, sine = (np.cos(angles), np.sin(angles[2])) if angles else (np.zeros(3), 1.0)
    across = (cos[0] - cos[1] * cos[2]) / sine if sine else np.nan
    up = 1 - cos[1] ** 2 - across**2
    if not up > EQUAL:
        raise MeshError(f"{source}: no cell has the angles {angles} rad. Try: angles that close one.")
    return np.array([[1, cos[2], cos[1]], [0, sine, across], [0, 0, up**0.5]]) * np.array([a, b, c]) / a


# Bodies


class _Body:
    """A convex polyhedron: corners, and for each of its planes the corners around the facet (none if it has none)."""

    def __init__(self, corners: Float[np.ndarray, "v 3"], rings: list[list[int]]):
        self.corners, self.rings = corners, rings
        fans = [(r[0], r[k], r[k + 1]) for r in rings for k in range(1, len(r) - 1)]
        at = corners[np.array(fans)] - corners.mean(axis=0)
        self.volume = float(np.linalg.det(at).sum() / 6)


def _enclosed(source: str, planes: _Planes) -> _Body:
    from scipy.spatial import HalfspaceIntersection, QhullError

    size = float(np.median(planes.distances[planes.distances > 0]))
    open_body = MeshError(f"{source}: the planes enclose no body. Try: more of them, on all sides of the centre.")
    if not _surround(planes.normals):
        raise open_body
    cuts = planes.normals[planes.distances == 0]
    inside = -0.1 * planes.distances.max() * cuts.sum(axis=0)
    inside *= min(1.0, 0.5 * min(planes.distances[planes.distances > 0] / (1e-300 + np.linalg.norm(inside))))
    half_spaces = np.column_stack([planes.normals, -planes.distances]) / np.array([1, 1, 1, size])
    try:
        found = HalfspaceIntersection(half_spaces, inside / size).intersections
    except (QhullError, ValueError):
        raise open_body from None
    corners = _merged(found)
    near = np.abs(corners @ planes.normals.T - planes.distances / size) < 10 * EQUAL * np.abs(corners).max()
    rings = [_ring(corners, np.flatnonzero(on), normal) for on, normal in zip(near.T, planes.normals)]
    return _Body(corners * size, rings)


def _surround(normals: Float[np.ndarray, "p 3"]) -> bool:
    """Whether the normals point to all sides, so that no direction leads outwards for ever."""
    from scipy.optimize import linprog

    if np.linalg.matrix_rank(normals, tol=EQUAL) < 3:
        return False
    balance = linprog(np.ones(len(normals)), A_eq=normals.T, b_eq=np.zeros(3), bounds=(1, None))
    return balance.status == 0


def _merged(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "v 3"]:
    """One point for all that round-off keeps apart."""
    from scipy.cluster.hierarchy import fcluster, linkage

    of = fcluster(linkage(points), EQUAL * np.abs(points).max(), "distance")
    _, first = np.unique(of, return_index=True)
    kept = points[np.sort(first)]
    return kept[np.lexsort(np.round(kept / np.abs(kept).max(), 6).T)]


def _ring(corners: Float[np.ndarray, "v 3"], on: Int[np.ndarray, " f"], normal: Float[np.ndarray, " 3"]) -> list[int]:
    """Corners of a facet, counter-clockwise seen from outside; none where the plane only touches the body."""
    if len(on) < 3:
        return []
    at = corners[on] - corners[on].mean(axis=0)
    right = at[0] / np.linalg.norm(at[0])
    ring = on[np.argsort(np.arctan2(at @ np.cross(normal, right), at @ right))].tolist()
    first = ring.index(min(ring))  # round-off must not choose where it begins
    return ring[first:] + ring[:first]


def _crystal(
    source: str, planes: _Planes, h: Length, surface_h: Length | None, part: str, save: str | PathLike | None
) -> Mesh:
    cuts = planes_of_symmetry(source, part)
    for name in cuts:
        if not planes.mirrored(AXES[name]):
            raise MeshError(f'{source}: the crystal has no mirror plane {name[0]} = 0 for a {part}. Try: part "whole".')
    whole = _enclosed(source, planes)
    shown = planes.distances[[bool(ring) for ring in whole.rings]]
    inside, near = sizes(source, h, surface_h, 2 * float(shown.min()))
    body = _enclosed(source, planes.cut(cuts)) if cuts else whole
    extent = float(np.ptp(whole.corners, axis=0).max())
    unit = unit_of(extent)
    size, fine = in_unit(unit, inside, near)
    corners = np.round(body.corners / LENGTHS[unit], DIGITS)
    with session(source) as gmsh:
        solid, faces = _drawn(gmsh.model.geo, corners, body.rings)
        gmsh.model.geo.synchronize()
        sets: dict[str, list[int]] = {}
        for name, face in zip([*planes.names, *cuts], faces):
            if face is not None:
                sets.setdefault(name, []).append(face)
        name_body(gmsh, 3, "particle", [solid], sets)
        surface = [face for name, tags in sets.items() if name not in cuts for face in tags]
        refine(gmsh, [(2, surface, fine)], size)
        return mesh_model(gmsh, 3, size, unit, save)


def _drawn(geo: Any, corners: Float[np.ndarray, "v 3"], rings: list[list[int]]) -> tuple[int, list[int | None]]:
    """The solid, and the face of each ring."""
    points = [geo.addPoint(*corner) for corner in corners]
    lines: dict[tuple[int, int], int] = {}
    faces: list[int | None] = []
    for ring in rings:
        loop = []
        for a, b in zip(ring, ring[1:] + ring[:1]):
            if (a, b) not in lines:
                lines[a, b] = geo.addLine(points[a], points[b])
                lines[b, a] = -lines[a, b]
            loop.append(lines[a, b])
        faces.append(geo.addPlaneSurface([geo.addCurveLoop(loop)]) if loop else None)
    return geo.addVolume([geo.addSurfaceLoop([face for face in faces if face is not None])]), faces
