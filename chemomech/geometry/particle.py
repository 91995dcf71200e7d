"""Round particles: whole, a part between planes of symmetry, hollow, or an axisymmetric section."""

from collections.abc import Sequence
from functools import partial
from math import pi
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, name_body, on_planes, planes_of_symmetry, refine, sizes
from chemomech.geometry.session import Length, lengths, mesh_model, on_plane, session, unit_of

EXPONENTS = (1.0, 20.0)  # of a superellipsoid: below it is no longer convex, above it is a box with unresolved edges


def sphere_octant(
    radius: Length, h: Length, surface_h: Length | None = None, save: str | PathLike | None = None
) -> Mesh:
    """Tetrahedra of the octant x, y, z >= 0; facet sets surface, xmin, ymin, zmin; cell set particle.

    Args:
        radius: radius [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        save: file for the .msh, in the unit `unit_of(radius)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, surface_h is larger than h, or gmsh fails.
    """
    (radius,) = lengths("sphere_octant", radius=radius)
    return _solid("sphere_octant", (radius, radius, radius), h, surface_h, "octant", save)


def ellipsoid(
    a: Length,
    b: Length,
    c: Length,
    h: Length,
    surface_h: Length | None = None,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of (x/a)^2 + (y/b)^2 + (z/c)^2 <= 1; facet sets surface and planes of symmetry; cell set particle.

    Args:
        a: half-axis along x [m].
        b: half-axis along y [m].
        c: half-axis along z [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        part: whole, half (z >= 0; facet set zmin), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit `unit_of(max(a, b, c))`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, there is no such part, or gmsh fails.
    """
    axes = lengths("ellipsoid", a=a, b=b, c=c)
    return _solid("ellipsoid", axes, h, surface_h, part, save)


def superellipsoid(
    a: Length,
    b: Length,
    c: Length,
    exponents: float | Sequence[float],
    h: Length,
    surface_h: Length | None = None,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of |x/a|^p + |y/b|^q + |z/c|^r <= 1; facet sets surface and planes of symmetry; cell set particle.

    Nodes of an ellipsoid's surface are moved along (x/a, y/b, z/c) onto it, and the inside is filled.

    Args:
        a: half-axis along x [m].
        b: half-axis along y [m].
        c: half-axis along z [m].
        exponents: p, q, r, or one number for all, from 1 (octahedron) over 2 (ellipsoid) to 20 (nearly a box).
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        part: whole, half (z >= 0; facet set zmin), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit `unit_of(max(a, b, c))`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, an exponent is out of range, there is no such
            part, or gmsh fails.
    """
    axes = lengths("superellipsoid", a=a, b=b, c=c)
    powers = np.broadcast_to(np.asarray(exponents, float), 3) if np.size(exponents) in (1, 3) else np.full(3, np.nan)
    if not np.all((powers >= EXPONENTS[0]) & (powers <= EXPONENTS[1])):
        raise MeshError(f"superellipsoid: exponents are {exponents}. Try: one or three numbers from 1 to 20.")
    return _solid("superellipsoid", axes, h, surface_h, part, save, powers)


def hollow_sphere(
    outer: Length,
    inner: Length,
    h: Length,
    surface_h: Length | None = None,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of inner <= |x| <= outer; facet sets outer, inner and planes of symmetry; cell set particle.

    Args:
        outer: outer radius [m].
        inner: inner radius [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on both surfaces [m], growing to `h` between; `h` if not given.
        part: whole, half (z >= 0; facet set zmin), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit `unit_of(outer)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, the inner radius is not smaller than the outer one, h is too coarse for
            both surfaces to be round and apart, there is no such part, or gmsh fails.
    """
    outer, inner, inside, near = _shell("hollow_sphere", outer, inner, h, surface_h)
    names, unit = planes_of_symmetry("hollow_sphere", part), unit_of(outer)
    R, r, size, fine = in_unit(unit, outer, inner, inside, near)
    with session("hollow_sphere") as gmsh:
        occ = gmsh.model.occ
        (body,), _ = occ.cut([(3, _ball(occ, R, part))], [(3, _ball(occ, r, part))])
        occ.synchronize()
        _name_shell(gmsh, 3, body[1], on_planes(gmsh, 3, names, R), R, r, size, fine)
        return mesh_model(gmsh, 3, size, unit, save)


def hollow_section(
    outer: Length, inner: Length, h: Length, surface_h: Length | None = None, save: str | PathLike | None = None
) -> Mesh:
    """Triangles of the quarter section r, z >= 0 of a hollow sphere; coordinates x = r, y = z.

    Facet sets outer, inner, axis (r = 0) and midplane (z = 0); cell set particle.

    Args:
        outer: outer radius [m].
        inner: inner radius [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on both surfaces [m], growing to `h` between; `h` if not given.
        save: file for the .msh, in the unit `unit_of(outer)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, the inner radius is not smaller than the outer one, h is too coarse for
            both surfaces to be round and apart, or gmsh fails.
    """
    outer, inner, inside, near = _shell("hollow_section", outer, inner, h, surface_h)
    unit = unit_of(outer)
    R, r, size, fine = in_unit(unit, outer, inner, inside, near)
    with session("hollow_section") as gmsh:
        occ = gmsh.model.occ
        centre = occ.addPoint(0, 0, 0)
        ends = [occ.addPoint(*at, 0) for at in ((r, 0), (R, 0), (0, R), (0, r))]
        curves = [occ.addLine(ends[0], ends[1]), occ.addCircleArc(ends[1], centre, ends[2])]
        curves += [occ.addLine(ends[2], ends[3]), occ.addCircleArc(ends[3], centre, ends[0])]
        face = occ.addPlaneSurface([occ.addCurveLoop(curves)])
        occ.remove([(0, centre)])
        occ.synchronize()
        _name_shell(gmsh, 2, face, _axis_and_midplane(gmsh, R), R, r, size, fine)
        return mesh_model(gmsh, 2, size, unit, save)


def ellipsoid_section(
    a: Length, b: Length, h: Length, surface_h: Length | None = None, save: str | PathLike | None = None
) -> Mesh:
    """Triangles of the quarter section r, z >= 0 of an ellipsoid of revolution; coordinates x = r, y = z.

    Facet sets surface, axis (r = 0) and midplane (z = 0); cell set particle.

    Args:
        a: radius [m].
        b: half-axis along the axis of revolution [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        save: file for the .msh, in the unit `unit_of(max(a, b))`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, or gmsh fails.
    """
    a, b = lengths("ellipsoid_section", a=a, b=b)
    inside, near = sizes("ellipsoid_section", h, surface_h, 2 * min(a, b))
    unit = unit_of(max(a, b))
    r, z, size, fine = in_unit(unit, a, b, inside, near)
    with session("ellipsoid_section") as gmsh:
        face = _quarter(gmsh.model.occ, r, z)
        gmsh.model.occ.synchronize()
        surface = name_body(gmsh, 2, "particle", [face], _axis_and_midplane(gmsh, max(r, z)))
        refine(gmsh, [(1, surface, fine)], size)
        return mesh_model(gmsh, 2, size, unit, save)


def disk(radius: Length, h: Length, surface_h: Length | None = None, save: str | PathLike | None = None) -> Mesh:
    """Triangles of a disk centred at the origin; facet set surface; cell set particle.

    Args:
        radius: radius [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        save: file for the .msh, in the unit `unit_of(radius)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, or gmsh fails.
    """
    (radius,) = lengths("disk", radius=radius)
    inside, near = sizes("disk", h, surface_h, 2 * radius)
    unit = unit_of(radius)
    r, size, fine = in_unit(unit, radius, inside, near)
    with session("disk") as gmsh:
        body = gmsh.model.occ.addDisk(0, 0, 0, r, r)
        gmsh.model.occ.synchronize()
        refine(gmsh, [(1, name_body(gmsh, 2, "particle", [body], {}), fine)], size)
        return mesh_model(gmsh, 2, size, unit, save)


def ball(radius: Length, h: Length, surface_h: Length | None = None, save: str | PathLike | None = None) -> Mesh:
    """Tetrahedra of a ball centred at the origin; facet set surface; cell set particle.

    Args:
        radius: radius [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the surface [m], growing to `h` inside; `h` if not given.
        save: file for the .msh, in the unit `unit_of(radius)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, or gmsh fails.
    """
    (radius,) = lengths("ball", radius=radius)
    return _solid("ball", (radius, radius, radius), h, surface_h, "whole", save)


def _solid(
    source: str,
    axes: Sequence[float],
    h: Length,
    surface_h: Length | None,
    part: str,
    save: str | PathLike | None,
    powers: Float[np.ndarray, " 3"] | None = None,
) -> Mesh:
    """An ellipsoid [m], or the superellipsoid of these exponents."""
    inside, near = sizes(source, h, surface_h, 2 * min(axes))
    names, unit = planes_of_symmetry(source, part), unit_of(max(axes))
    a, b, c, size, fine = in_unit(unit, *axes, inside, near)
    outside = None
    if powers is not None:
        stretch = max(1.0, float(_stretch(np.ones((1, 3)), powers)[0]))  # the largest is near the diagonal
        size, fine = size / stretch, fine / stretch
        outside = partial(_carried, half=np.array([a, b, c]), powers=powers)

    with session(source) as gmsh:
        occ = gmsh.model.occ
        largest = max(a, b, c)
        body = _ball(occ, largest, part, _pole(a, b, c))
        if not a == b == c:
            occ.dilate([(3, body)], 0, 0, 0, a / largest, b / largest, c / largest)
        occ.synchronize()
        surface = name_body(gmsh, 3, "particle", [body], on_planes(gmsh, 3, names, largest))
        refine(gmsh, [(2, surface, fine)], size)
        return mesh_model(gmsh, 3, size, unit, save, outside)


def _carried(
    points: Float[np.ndarray, "n 3"], half: Float[np.ndarray, " 3"], powers: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "n 3"]:
    """Points of an ellipsoid of these half-axes, moved onto the superellipsoid."""
    return points * _stretch(points / half, powers)[:, None]


def _stretch(at: Float[np.ndarray, "n 3"], powers: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " n"]:
    """s such that sum |s x_i|^p_i = 1 for the directions x of some points."""
    distance = np.linalg.norm(at, axis=1)
    x = np.abs(at) / np.where(distance > 0, distance, 1.0)[:, None]
    low, high = np.full(len(at), 0.5), np.full(len(at), 2.0)
    for _ in range(60):  # bisection: round-off of the interval
        middle = (low + high) / 2
        beyond = ((middle[:, None] * x) ** powers).sum(axis=1) > 1
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return np.where(distance > 0, high, 1.0)


# Of a sphere with poles along x, y, z: lowest latitude, first longitude and how far it goes round for each part.
_ROUND = {
    "half": ((-pi / 2, 0, pi), (-pi / 2, -pi / 2, pi), (0, 0, 2 * pi)),
    "quarter": ((-pi / 2, 0, pi / 2), (0, -pi / 2, pi), (0, 0, pi)),
    "octant": ((0, 0, pi / 2),) * 3,
    "whole": ((-pi / 2, 0, 2 * pi),) * 3,
}


def _pole(a: float, b: float, c: float) -> int:
    """The axis around which an ellipsoid is roundest: gmsh fails on some whose equator is long and thin."""
    flatness = [max(x, y) / min(x, y) for x, y in ((b, c), (a, c), (a, b))]
    return min((2, 1, 0), key=lambda k: flatness[k])


def _ball(occ: Any, r: float, part: str, pole: int = 2) -> int:
    south, first, turn = _ROUND[part][pole]
    body = occ.addSphere(0, 0, 0, r, angle1=south, angle2=pi / 2, angle3=turn)
    if first:
        occ.rotate([(3, body)], 0, 0, 0, 0, 0, 1, first)
    if pole != 2:  # x, y, z become y, z, x or z, x, y
        occ.rotate([(3, body)], 0, 0, 0, 1, 1, 1, (pole + 1) * 2 * pi / 3)
    return body


def _shell(source: str, outer: Length, inner: Length, h: Length, surface_h: Length | None) -> tuple[float, ...]:
    """Radii and element sizes [m] that make a shell."""
    outer, inner = lengths(source, outer=outer, inner=inner)
    if inner >= outer:
        raise MeshError(f"{source}: inner is {inner:g} m, outer {outer:g} m. Try: an inner radius below the outer one.")
    inside, near = sizes(source, h, surface_h, 2 * outer)
    # The outer surface's flat facets dip below it by a third of h^2 / R, of edges up to 1.5 h.
    coarsest = min(((outer - inner) * outer) ** 0.5, 1.5 * inner)
    if near > coarsest:
        raise MeshError(
            f"{source}: elements of {near:g} m are too coarse for an inner sphere of {inner:g} m, {outer - inner:g} m "
            f"below the outer one. Try: h or surface_h up to {coarsest:.3g} m."
        )
    return outer, inner, inside, near


def _name_shell(gmsh: Any, dim: int, body: int, planes: dict, R: float, r: float, size: float, fine: float) -> None:
    skin = gmsh.model.getBoundary([(dim, body)], oriented=False)
    cut = {tag for tags in planes.values() for tag in tags}
    reach = {tag: max(map(abs, gmsh.model.getBoundingBox(dim - 1, tag))) for _, tag in skin if tag not in cut}
    inner = [tag for tag, far in reach.items() if far < (R + r) / 2]
    outer = name_body(gmsh, dim, "particle", [body], {**planes, "inner": inner}, rest="outer")
    refine(gmsh, [(dim - 1, [*inner, *outer], fine)], size)


def _quarter(occ: Any, r: float, z: float) -> int:
    centre, start, end = occ.addPoint(0, 0, 0), occ.addPoint(r, 0, 0), occ.addPoint(0, r, 0)
    curves = [occ.addLine(centre, start), occ.addCircleArc(start, centre, end), occ.addLine(end, centre)]
    face = occ.addPlaneSurface([occ.addCurveLoop(curves)])
    if r != z:
        occ.dilate([(2, face)], 0, 0, 0, 1, z / r, 1)
        occ.remove([(0, centre)])
    return face


def _axis_and_midplane(gmsh: Any, size: float) -> dict[str, list[int]]:
    return {name: on_plane(gmsh, 1, axis, 0.0, size) for axis, name in enumerate(("axis", "midplane"))}
