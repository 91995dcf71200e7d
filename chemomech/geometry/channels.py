"""Slabs with straight channels from face to face, as in carbonised wood or freeze-cast electrodes."""

from math import sqrt
from os import PathLike
from typing import Any

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, refine, sizes
from chemomech.geometry.session import Length, group, lengths, mesh_model, require_one_of, session, unit_of
from chemomech.geometry.sides import (
    drawing,
    match,
    planes,
    require_at_least,
    skin,
)

WALL = 1e-3  # of the pitch: thinner walls are no geometry


def channels(
    pitch: Length,
    radius: Length,
    thickness: Length,
    h: Length,
    radius_top: Length | None = None,
    array: str = "square",
    cells_x: int = 1,
    cells_y: int = 1,
    channel_h: Length | None = None,
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of a slab 0 <= z <= thickness around channels along z; opposite sides have matching nodes.

    A square cell (pitch x pitch) has its channel in the middle, a hexagonal one (pitch x sqrt(3) pitch) one in the
    middle and one at its corners. Cell set solid; facet sets channels, base, top, xmin, xmax, ymin, ymax.

    Args:
        pitch: distance of neighbouring axes [m].
        radius: radius of the channels at z = 0 [m].
        thickness: height of the slab [m].
        h: edge length to aim at [m].
        radius_top: radius at z = thickness [m], the channel being a cone; `radius` if not given.
        array: "square" or "hexagonal".
        cells_x: number of cells along x.
        cells_y: number of cells along y.
        channel_h: edge length to aim at on the channels [m]; `h` if not given.
        save: file for the .msh, in the unit `unit_of` the slab's largest side.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, channels meet, an element size is too large, or gmsh fails.
    """
    pitch, radius, thickness, radius_top = lengths(
        "channels",
        pitch=pitch,
        radius=radius,
        thickness=thickness,
        radius_top=radius if radius_top is None else radius_top,
    )
    require_at_least("channels", 1, cells_x=cells_x, cells_y=cells_y)
    require_one_of("channels", ("square", "hexagonal"), array=array)
    if max(radius, radius_top) > (0.5 - WALL) * pitch:
        raise MeshError(
            f"channels: a radius of {max(radius, radius_top):g} m leaves no wall at a pitch of {pitch:g} m. "
            "Try: less than half."
        )
    inside, near = sizes("channels", h, channel_h, pitch, "channel_h")
    cell = (pitch, pitch if array == "square" else sqrt(3) * pitch)
    sides = (cells_x * cell[0], cells_y * cell[1], thickness)
    unit = unit_of(max(sides))
    box = tuple(in_unit(unit, *sides))
    low, high, size, fine = in_unit(unit, radius, radius_top, inside, near)
    with session("channels") as gmsh:
        with drawing("channels"):
            body = _draw(gmsh, box, _axes(array, cells_x, cells_y, box), (low, high))
        named = _name(gmsh, box, body)
        for axis, name in enumerate("xy"):
            match(gmsh, 3, axis, named[f"{name}min"], named[f"{name}max"], box[axis])
        refine(gmsh, [(2, named["channels"], fine)], size)
        return mesh_model(gmsh, 3, size, unit, save)


def _axes(array: str, cells_x: int, cells_y: int, box: tuple) -> list[tuple[float, float]]:
    side_x, side_y = box[0] / cells_x, box[1] / cells_y
    middles = [((i + 0.5) * side_x, (j + 0.5) * side_y) for i in range(cells_x) for j in range(cells_y)]
    if array == "square":
        return middles
    return middles + [(i * side_x, j * side_y) for i in range(cells_x + 1) for j in range(cells_y + 1)]


def _draw(gmsh: Any, box: tuple, axes: list[tuple[float, float]], radii: tuple[float, float]) -> int:
    occ = gmsh.model.occ
    if radii[0] == radii[1]:
        holes = [(3, occ.addCylinder(x, y, 0, 0, 0, box[2], radii[0])) for x, y in axes]
    else:
        holes = [(3, occ.addCone(x, y, 0, 0, 0, box[2], *radii)) for x, y in axes]
    pieces, _ = occ.cut([(3, occ.addBox(0, 0, 0, *box))], holes)
    occ.synchronize()
    return pieces[0][1]


def _name(gmsh: Any, box: tuple, body: int) -> dict[str, list[int]]:
    group(gmsh, 3, "solid", [body])
    named = planes(gmsh, 3, (0.0, 0.0, 0.0), box, min(box))
    named["base"], named["top"] = named.pop("zmin"), named.pop("zmax")
    flat = {tag for tags in named.values() for tag in tags}
    named["channels"] = [tag for tag in skin(gmsh, 3, [body])[0] if tag not in flat]
    for name, tags in named.items():
        group(gmsh, 2, name, tags)
    return named
