"""Round particles: whole, an octant, or an axisymmetric section."""

from math import pi
from os import PathLike

from chemomech.fem.mesh import LENGTHS, Mesh
from chemomech.geometry.session import Length, group, lengths, mesh_model, on_plane, session, unit_of


def sphere_octant(radius: Length, h: Length, save: str | PathLike | None = None) -> Mesh:
    """Tetrahedra of the octant x, y, z >= 0; facet sets surface, xmin, ymin, zmin; cell set particle.

    Args:
        radius: radius [m].
        h: edge length to aim at [m].
        save: file for the .msh, in the unit `unit_of(radius)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, or gmsh fails.
    """
    radius, h = lengths("sphere_octant", radius=radius, h=h)
    unit = unit_of(radius)
    r, size = radius / LENGTHS[unit], h / LENGTHS[unit]
    with session() as gmsh:
        volume = gmsh.model.occ.addSphere(0, 0, 0, r, angle1=0, angle2=pi / 2, angle3=pi / 2)
        gmsh.model.occ.synchronize()
        _name(gmsh, 3, [volume], {name: on_plane(gmsh, 2, i, 0.0, 1e-4 * r) for i, name in enumerate(_PLANES)})
        return mesh_model(gmsh, 3, size, unit, save)


_PLANES = ("xmin", "ymin", "zmin")


def ellipsoid_section(a: Length, b: Length, h: Length, save: str | PathLike | None = None) -> Mesh:
    """Triangles of the quarter section r, z >= 0 of an ellipsoid of revolution; coordinates x = r, y = z.

    Facet sets surface, axis (r = 0) and midplane (z = 0); cell set particle.

    Args:
        a: radius [m].
        b: half-axis along the axis of revolution [m].
        h: edge length to aim at [m].
        save: file for the .msh, in the unit `unit_of(max(a, b))`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, or gmsh fails.
    """
    a, b, h = lengths("ellipsoid_section", a=a, b=b, h=h)
    unit = unit_of(max(a, b))
    r, z, size = (value / LENGTHS[unit] for value in (a, b, h))
    with session() as gmsh:
        face = _quarter(gmsh.model.occ, r, z)
        gmsh.model.occ.synchronize()
        tolerance = 1e-4 * max(r, z)
        planes = {"axis": on_plane(gmsh, 1, 0, 0.0, tolerance), "midplane": on_plane(gmsh, 1, 1, 0.0, tolerance)}
        _name(gmsh, 2, [face], planes)
        return mesh_model(gmsh, 2, size, unit, save)


def disk(radius: Length, h: Length, save: str | PathLike | None = None) -> Mesh:
    """Triangles of a disk centred at the origin; facet set surface; cell set particle.

    Args:
        radius: radius [m].
        h: edge length to aim at [m].
        save: file for the .msh, in the unit `unit_of(radius)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, or gmsh fails.
    """
    return _whole("disk", 2, radius, h, save)


def ball(radius: Length, h: Length, save: str | PathLike | None = None) -> Mesh:
    """Tetrahedra of a ball centred at the origin; facet set surface; cell set particle.

    Args:
        radius: radius [m].
        h: edge length to aim at [m].
        save: file for the .msh, in the unit `unit_of(radius)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, or gmsh fails.
    """
    return _whole("ball", 3, radius, h, save)


def _whole(source: str, dim: int, radius: Length, h: Length, save: str | PathLike | None) -> Mesh:
    radius, h = lengths(source, radius=radius, h=h)
    unit = unit_of(radius)
    r, size = radius / LENGTHS[unit], h / LENGTHS[unit]
    with session() as gmsh:
        occ = gmsh.model.occ
        body = occ.addDisk(0, 0, 0, r, r) if dim == 2 else occ.addSphere(0, 0, 0, r)
        occ.synchronize()
        _name(gmsh, dim, [body], {})
        return mesh_model(gmsh, dim, size, unit, save)


def _quarter(occ, r: float, z: float) -> int:
    centre, start, end = occ.addPoint(0, 0, 0), occ.addPoint(r, 0, 0), occ.addPoint(0, r, 0)
    curves = [occ.addLine(centre, start), occ.addCircleArc(start, centre, end), occ.addLine(end, centre)]
    face = occ.addPlaneSurface([occ.addCurveLoop(curves)])
    if r != z:
        occ.dilate([(2, face)], 0, 0, 0, 1, z / r, 1)
        occ.remove([(0, centre)])
    return face


def _name(gmsh, dim: int, bodies: list[int], planes: dict[str, list[int]]) -> None:
    """Name the body, its planes of symmetry, and the rest of its boundary "surface"."""
    group(gmsh, dim, "particle", bodies)
    for name, tags in planes.items():
        group(gmsh, dim - 1, name, tags)
    cut = {tag for tags in planes.values() for tag in tags}
    skin = gmsh.model.getBoundary([(dim, body) for body in bodies], oriented=False)
    group(gmsh, dim - 1, "surface", [tag for _, tag in skin if tag not in cut])
