"""A plane strip, optionally with finer cells at its boundary and with ends that match."""

from os import PathLike

from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, name_body, refine, sizes
from chemomech.geometry.session import Length, lengths, mesh_model, on_plane, session, unit_of
from chemomech.geometry.sides import match


def strip(
    length: Length,
    height: Length,
    h: Length,
    surface_h: Length | None = None,
    periodic: bool = False,
    save: str | PathLike | None = None,
) -> Mesh:
    """Triangles of 0 <= x <= length, 0 <= y <= height; facet sets left, right, bottom, top; cell set strip.

    Unstructured: for rows of equal cells see `chemomech.fem.mesh.rectangle`.

    Args:
        length: extent along x [m].
        height: extent along y [m].
        h: edge length to aim at [m].
        surface_h: edge length to aim at on the boundary, or with `periodic` on bottom and top [m]; `h` if not given.
        periodic: the nodes of left and right are each other's images.
        save: file for the .msh, in the unit `unit_of(max(length, height))`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, h is larger than the body, or gmsh fails.
    """
    length, height = lengths("strip", length=length, height=height)
    inside, near = sizes("strip", h, surface_h, min(length, height))
    unit = unit_of(max(length, height))
    x, y, size, fine = in_unit(unit, length, height, inside, near)
    with session("strip") as gmsh:
        face = gmsh.model.occ.addRectangle(0, 0, 0, x, y)
        gmsh.model.occ.synchronize()
        places = {"left": (0, 0.0), "right": (0, x), "bottom": (1, 0.0), "top": (1, y)}
        sets = {name: on_plane(gmsh, 1, axis, at, min(x, y)) for name, (axis, at) in places.items()}
        name_body(gmsh, 2, "strip", [face], sets)
        if periodic:
            match(gmsh, 2, 0, sets["left"], sets["right"], x)
        edges = [tag for name, tags in sets.items() if not periodic or name in ("bottom", "top") for tag in tags]
        refine(gmsh, [(1, edges, fine)], size)
        return mesh_model(gmsh, 2, size, unit, save)
