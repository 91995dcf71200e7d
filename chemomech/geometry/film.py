"""Films: alone or on a substrate, in section or in space, periodic or with edges."""

from os import PathLike
from typing import Any

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, refine, sizes
from chemomech.geometry.session import Length, group, lengths, mesh_model, on_plane, session, unit_of
from chemomech.geometry.sides import drawing, match, planes, skin


def film(
    length: Length,
    thickness: Length,
    h: Length,
    width: Length | None = None,
    substrate: Length | None = None,
    overhang: Length | None = None,
    film_h: Length | None = None,
    periodic: bool = False,
    save: str | PathLike | None = None,
) -> Mesh:
    """A film, its lower face in the plane of height 0 and its middle at x = 0 (and y = 0).

    Triangles of the section x, y (height) without a width, tetrahedra with one. Cell sets film and, where there is
    one, substrate. Facet sets: top (upper face of the film), base (lowest face), sides (all lateral faces), of which
    xmin, xmax (ymin, ymax) are those in the outermost planes; interface between film and substrate; bare, the upper
    face of a substrate that the film leaves free.

    Args:
        length: length of the film along x [m].
        thickness: height of the film [m].
        h: edge length to aim at [m].
        width: length of the film along y [m].
        substrate: height of the substrate [m].
        overhang: length by which the substrate is longer than the film on every side [m].
        film_h: edge length to aim at in the film [m], growing to `h` below.
        periodic: whether the nodes on opposite outermost faces are equal up to a translation.
        save: file for the .msh, in the unit `unit_of` the substrate's length.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, an overhang has no substrate, an element size is too large, or gmsh fails.
    """
    if substrate is None and overhang is not None:
        raise MeshError("film: an overhang is that of a substrate. Try: give the height of the substrate.")
    length, thickness = lengths("film", length=length, thickness=thickness)
    free = {"width": width, "substrate": substrate, "overhang": overhang}
    given = {name: value for name, value in free.items() if value is not None}
    extra = dict(zip(given, lengths("film", **given)))
    inside, near = sizes("film", h, film_h, min(length, extra.get("width", length)), "film_h")
    over = extra.get("overhang", 0.0)
    unit = unit_of(length + 2 * over)
    along = in_unit(unit, length, *([extra["width"]] if "width" in extra else []))
    up, below, over, size, fine = in_unit(unit, thickness, extra.get("substrate", 0.0), over, inside, near)
    dim = len(along) + 1
    with session("film") as gmsh:
        with drawing("film"):
            bodies = _draw(gmsh, along, up, below, over)
        box = [side / 2 + over for side in along]
        _name(gmsh, dim, bodies, box, (-below, 0.0, up), periodic)
        surfaces = [tag for _, tag in gmsh.model.getBoundary([(dim, bodies["film"])], oriented=False)]
        refine(gmsh, [(dim - 1, surfaces, fine)], size)
        return mesh_model(gmsh, dim, size if below else fine, unit, save)


def _draw(gmsh: Any, along: list[float], up: float, below: float, over: float) -> dict[str, int]:
    occ, dim = gmsh.model.occ, len(along) + 1

    def block(extra: float, low: float, height: float) -> int:
        corner, sides = [-side / 2 - extra for side in along], [side + 2 * extra for side in along]
        if dim == 2:
            return occ.addRectangle(corner[0], low, 0, sides[0], height)
        return occ.addBox(*corner, low, *sides, height)

    bodies = {"film": block(0.0, 0.0, up)}
    if below:
        bodies["substrate"] = block(over, -below, below)
        _, parts = occ.fragment([(dim, bodies["film"])], [(dim, bodies["substrate"])])
        bodies = {name: part[0][1] for name, part in zip(bodies, parts)}
    occ.synchronize()
    return bodies


def _name(gmsh: Any, dim: int, bodies: dict[str, int], half: list[float], heights: tuple, periodic: bool) -> None:
    for name, body in bodies.items():
        group(gmsh, dim, name, [body])
    bottom, middle, up = heights
    thinnest = min(up, *half)
    low, high = [-x for x in half], half
    outer, inner = skin(gmsh, dim, list(bodies.values()))
    flat = planes(gmsh, dim, (*low, bottom), (*high, up), thinnest)
    level = ("ymin", "ymax") if dim == 2 else ("zmin", "zmax")
    base, top = (flat.pop(name) for name in level)
    at_middle = on_plane(gmsh, dim - 1, dim - 1, middle, thinnest) if bottom < middle else []
    bare = [tag for tag in at_middle if tag in outer]
    sides = [tag for tag in outer if tag not in {*base, *top, *bare}]
    for name, tags in {"top": top, "base": base, "sides": sides, "interface": inner, "bare": bare, **flat}.items():
        if tags or name not in ("interface", "bare"):
            group(gmsh, dim - 1, name, tags)
    if periodic:
        for axis, name in enumerate("xyz"[: dim - 1]):
            match(gmsh, dim, axis, flat[f"{name}min"], flat[f"{name}max"], 2 * half[axis])
