"""Square platelet seen from above, optionally refined towards its edges."""

from os import PathLike

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh, facet_nodes
from chemomech.geometry.parts import in_unit
from chemomech.geometry.session import Length, group, lengths, mesh_model, on_plane, session, unit_of

GROWTH = 0.2  # increase of the element size per distance from the edge
START, TRIES = 0.84, 40  # gmsh meets a size only on average: its longest edge is about 1.2 times longer


def platelet(side: Length, h: Length, edge_h: Length | None = None, save: str | PathLike | None = None) -> Mesh:
    """Triangle mesh of a square centred at the origin; facet sets left, right, bottom, top; cell set platelet.

    Args:
        side: side length [m].
        h: largest edge length [m].
        edge_h: largest edge length on the boundary [m], growing to `h` inside; `h` if not given.
        save: file for the .msh, in the unit `unit_of(side)`.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, or gmsh fails.
    """
    side, h, edge_h = lengths("platelet", side=side, h=h, edge_h=h if edge_h is None else edge_h)
    unit = unit_of(side)
    length, inside, edge = in_unit(unit, side, h, edge_h)
    with session("platelet") as gmsh:
        _draw(gmsh, length)
        for i in range(TRIES):
            factor = START * 0.99**i
            if edge < inside:
                _grade(gmsh, length / 2, factor * inside, factor * edge)
            mesh = mesh_model(gmsh, 2, factor * inside, unit, save)
            if mesh.edge_lengths()[2] <= h and _boundary_length(mesh) <= edge_h * (1 + 1e-9):
                return mesh
    raise MeshError(f"platelet: gmsh found no mesh with edges up to {h} m and {edge_h} m. Try: a larger edge_h.")


def _draw(gmsh, length: float) -> None:
    half = length / 2
    face = gmsh.model.occ.addRectangle(-half, -half, 0, length, length)
    gmsh.model.occ.synchronize()
    group(gmsh, 2, "platelet", [face])
    for name, axis, value in (("left", 0, -half), ("right", 0, half), ("bottom", 1, -half), ("top", 1, half)):
        group(gmsh, 1, name, on_plane(gmsh, 1, axis, value, length))


def _grade(gmsh, half: float, inside: float, edge: float) -> None:
    """Size field growing from `edge` on the boundary to `inside`."""
    width = (inside - edge) / GROWTH
    gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)
    values = {"VIn": inside, "VOut": edge, "Thickness": width, "ZMin": -1, "ZMax": 1}
    for axis in "XY":
        values |= {f"{axis}Min": width - half, f"{axis}Max": half - width}
    field = gmsh.model.mesh.field.add("Box")
    for name, value in values.items():
        gmsh.model.mesh.field.setNumber(field, name, value)
    gmsh.model.mesh.field.setAsBackgroundMesh(field)


def _boundary_length(mesh: Mesh) -> float:
    ends = mesh.points[facet_nodes(mesh, mesh.boundary)]
    return float(((ends[:, 1] - ends[:, 0]) ** 2).sum(axis=1).max() ** 0.5)
