"""Wires and rods: round or rectangular, straight or bent, and the axisymmetric section of a round one."""

from math import pi
from os import PathLike
from typing import Any

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, name_body, on_planes, planes_of_symmetry, refine, sizes
from chemomech.geometry.session import Length, lengths, mesh_model, on_plane, session, unit_of
from chemomech.geometry.sides import match


def rod(
    radius: Length,
    length: Length,
    h: Length,
    surface_h: Length | None = None,
    periodic: bool = False,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of a round rod along z, centred at the origin; facet sets side, start, end; cell set wire.

    Args:
        radius: radius [m].
        length: length [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the boundary, or with `periodic` on the side [m]; `h` if not given.
        periodic: the nodes of both ends are each other's images.
        part: whole, half (z >= 0; facet set zmin instead of start), quarter (y too; ymin) or octant (x too; xmin).
        save: file for the .msh, in the unit of the largest extent.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, there is no such part or it is periodic, or
            gmsh fails.
    """
    radius, length = lengths("rod", radius=radius, length=length)
    return _wire("rod", (2 * radius, 2 * radius), length, h, surface_h, True, None, periodic, part, save)


def nanowire(
    width: Length,
    length: Length,
    h: Length,
    height: Length | None = None,
    section: str = "round",
    bend_radius: Length | None = None,
    surface_h: Length | None = None,
    periodic: bool = False,
    part: str = "whole",
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of a wire, centred at the origin, along z there; facet sets side, start, end; cell set wire.

    A bent wire follows a circle in the plane y = 0 around x = -bend_radius; its length is that of its middle line.

    Args:
        width: extent along x [m].
        length: length [m].
        h: edge length to aim at [m].
        height: extent along y [m]; `width` if not given.
        section: round (an ellipse) or rectangular.
        bend_radius: radius of the middle line [m]; straight if not given.
        surface_h: edge length to aim at on the boundary, or with `periodic` on the side [m]; `h` if not given.
        periodic: the nodes of both ends of a straight wire are each other's images.
        part: whole, half (z >= 0; facet set zmin instead of start), quarter (y too; ymin) or, of a straight wire,
            octant (x too; xmin).
        save: file for the .msh, in the unit of the largest extent.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, the wire is bent into itself, it is periodic
            but bent or a part, there is no such section or part, or gmsh fails.
    """
    width, length = lengths("nanowire", width=width, length=length)
    (height,) = lengths("nanowire", height=width if height is None else height)
    bend = None if bend_radius is None else lengths("nanowire", bend_radius=bend_radius)[0]
    if section not in ("round", "rectangular"):
        raise MeshError(f'nanowire: section is "{section}". Try: round or rectangular.')
    across, is_round = (width, height), section == "round"
    return _wire("nanowire", across, length, h, surface_h, is_round, bend, periodic, part, save)


def rod_section(
    radius: Length, length: Length, h: Length, surface_h: Length | None = None, save: str | PathLike | None = None
) -> Mesh:
    """Triangles of the quarter section r, z >= 0 of a round rod; coordinates x = r, y = z.

    Facet sets side, end (z = length / 2), axis (r = 0) and midplane (z = 0); cell set wire.

    Args:
        radius: radius [m].
        length: whole length [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on side and end [m], growing to `h` inside; `h` if not given.
        save: file for the .msh, in the unit of the larger side.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, or gmsh fails.
    """
    radius, length = lengths("rod_section", radius=radius, length=length)
    inside, near = sizes("rod_section", h, surface_h, min(2 * radius, length))
    unit = unit_of(max(radius, length / 2))
    r, z, size, fine = in_unit(unit, radius, length / 2, inside, near)
    with session("rod_section") as gmsh:
        face = gmsh.model.occ.addRectangle(0, 0, 0, r, z)
        gmsh.model.occ.synchronize()
        places = {"axis": (0, 0.0), "midplane": (1, 0.0), "end": (1, z)}
        sets = {name: on_plane(gmsh, 1, axis, at, min(r, z)) for name, (axis, at) in places.items()}
        side = name_body(gmsh, 2, "wire", [face], sets, rest="side")
        refine(gmsh, [(1, side + sets["end"], fine)], size)
        return mesh_model(gmsh, 2, size, unit, save)


def _wire(
    source: str,
    across: tuple[float, float],
    length: float,
    h: Length,
    surface_h: Length | None,
    is_round: bool,
    bend: float | None,
    periodic: bool,
    part: str,
    save: str | PathLike | None,
) -> Mesh:
    inside, near = sizes(source, h, surface_h, min(*across, length))
    names = planes_of_symmetry(source, part, ("whole", "half", "quarter") + (() if bend else ("octant",)))
    _check_bend(source, across[0], length, bend)
    if periodic and (bend or names):
        raise MeshError(f"{source}: only a whole, straight wire is periodic. Try: leave out periodic, bend or part.")
    unit = unit_of(max(*across, length))
    w, d, size, fine, long = in_unit(unit, *across, inside, near, length)
    turned = bend and in_unit(unit, bend)[0]
    with session(source) as gmsh:
        occ = gmsh.model.occ
        start = _section(occ, w, d, is_round, names)
        body, end = _swept(occ, start, long, turned, whole=not names)
        occ.synchronize()
        sets = on_planes(gmsh, 3, tuple(name for name in names if name != "zmin"), min(w, d))
        sets |= {"zmin" if names else "start": [start], "end": [end]}
        side = name_body(gmsh, 3, "wire", [body], sets, rest="side")
        if periodic:
            match(gmsh, 3, 2, [start], [end], long)
        reacting = side if periodic else [*side, end, *sets.get("start", [])]
        refine(gmsh, [(2, reacting, fine)], size)
        return mesh_model(gmsh, 3, size, unit, save)


def _check_bend(source: str, width: float, length: float, bend: float | None) -> None:
    if bend is None:
        return
    if bend <= width / 2:
        raise MeshError(
            f"{source}: bend_radius is {bend:g} m, not more than half the width, {width / 2:g} m. Try: a larger one."
        )
    if length >= 2 * pi * bend:
        raise MeshError(
            f"{source}: length is {length:g} m, but a full turn with this bend_radius {2 * pi * bend:g} m. "
            "Try: a shorter wire."
        )


def _section(occ: Any, w: float, d: float, is_round: bool, names: tuple[str, ...]) -> int:
    """The cross-section in the plane z = 0, or the part of it between planes of symmetry."""
    if not is_round:
        low = [0.0 if name in names else -extent / 2 for name, extent in (("xmin", w), ("ymin", d))]
        return occ.addRectangle(*low, 0, w / 2 - low[0], d / 2 - low[1])
    face = occ.addDisk(0, 0, 0, max(w, d) / 2, min(w, d) / 2)
    if w < d:
        occ.rotate([(2, face)], 0, 0, 0, 0, 0, 1, pi / 2)
    cuts = [name for name in names if name != "zmin"]
    if not cuts:
        return face
    low = [0.0 if name in cuts else -extent for name, extent in (("xmin", w), ("ymin", d))]
    window = occ.addRectangle(*low, 0, w - low[0], d - low[1])
    ((_, face),), _ = occ.intersect([(2, face)], [(2, window)])
    return face


def _swept(occ: Any, start: int, long: float, bend: float | None, whole: bool) -> tuple[int, int]:
    """The body that the section sweeps, and its end; from z = 0 on, or from minus half of the length."""
    back, run = (long / 2, long) if whole else (0.0, long / 2)
    if bend is None:
        occ.translate([(2, start)], 0, 0, -back)
        made = occ.extrude([(2, start)], 0, 0, run)
    else:
        # Around y through (-bend, 0, 0): a negative angle leads from z = 0 upwards.
        occ.rotate([(2, start)], -bend, 0, 0, 0, 1, 0, back / bend)
        made = occ.revolve([(2, start)], -bend, 0, 0, 0, 1, 0, -run / bend)
    return next(tag for dim, tag in made if dim == 3), made[0][1]
