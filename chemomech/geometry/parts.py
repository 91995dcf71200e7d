"""What the models share: parts cut along planes of symmetry, names of a body and its boundary, finer cells outside."""

from math import ceil
from typing import Any

from chemomech.errors import MeshError
from chemomech.fem.mesh import LENGTHS
from chemomech.geometry.session import Length, group, lengths, on_plane

PARTS = {"whole": (), "half": ("zmin",), "quarter": ("ymin", "zmin"), "octant": ("xmin", "ymin", "zmin")}
AXES = {"xmin": 0, "ymin": 1, "zmin": 2}
GROWTH = 0.3  # increase of the element size per distance from the surface
DIGITS = 11  # after the point, in the unit of a model: gmsh amplifies the round-off that tells 6 nm from 6e-9 m
COARSEST = 0.75  # of the body's smallest extent: gmsh finds no cells in some that are coarser
FLAT = 1e-4  # of the body: how far a face may be from the plane that it lies in


def planes_of_symmetry(source: str, part: str, known: tuple[str, ...] = tuple(PARTS)) -> tuple[str, ...]:
    """Names of the planes x, y or z = 0 that cut a part: a half (z >= 0), a quarter (y, z >= 0) or an octant.

    Raises:
        MeshError: there is no such part.
    """
    if part not in known:
        raise MeshError(f'{source}: part is "{part}". Try: one of {", ".join(known)}.')
    return PARTS[part]


def sizes(source: str, h: Length, surface_h: Length | None, extent: float) -> tuple[float, float]:
    """Element sizes inside and at the surface [m] of a body whose smallest extent is given [m].

    Raises:
        UnitError: a text is no length.
        MeshError: one is not positive, coarser than the body, or finer inside than outside.
    """
    inside, near = lengths(source, h=h, surface_h=h if surface_h is None else surface_h)
    if inside > COARSEST * extent:
        raise MeshError(
            f"{source}: h is {inside:g} m, but the body is only {extent:g} m across. "
            f"Try: h up to {COARSEST * extent:.3g} m."
        )
    if near > inside:
        raise MeshError(f"{source}: surface_h is {near:g} m, larger than h, {inside:g} m. Try: a smaller one, or none.")
    return inside, near


def in_unit(unit: str, *values: float) -> list[float]:
    """Lengths [m] in the unit of a model, without their round-off."""
    return [round(value / LENGTHS[unit], DIGITS) for value in values]


def on_planes(gmsh: Any, dim: int, names: tuple[str, ...], size: float) -> dict[str, list[int]]:
    """Entities of the boundary in each of the planes of symmetry of a body of this size."""
    return {name: on_plane(gmsh, dim - 1, AXES[name], 0.0, FLAT * size) for name in names}


def name_body(
    gmsh: Any, dim: int, name: str, bodies: list[int], sets: dict[str, list[int]], rest: str = "surface"
) -> list[int]:
    """Name the body, the given sets of its boundary, and the rest of it; the entities of the rest."""
    group(gmsh, dim, name, bodies)
    for key, tags in sets.items():
        group(gmsh, dim - 1, key, tags)
    named = {tag for tags in sets.values() for tag in tags}
    skin = gmsh.model.getBoundary([(dim, body) for body in bodies], oriented=False)
    left = [tag for _, tag in skin if tag not in named]
    if left:
        group(gmsh, dim - 1, rest, left)
    return left


def refine(gmsh: Any, dim: int, tags: list[int], inside: float, near: float, extent: float) -> None:
    """Size field growing from `near` on the entities of the boundary to `inside`, in the unit of the model.

    Args:
        gmsh: the module, within a session.
        dim: space dimension of the cells.
        tags: entities of the boundary.
        inside: size far from them.
        near: size on them.
        extent: size of the body, for how many points stand for a curve or surface.
    """
    if near >= inside:
        return
    gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)
    fields = gmsh.model.mesh.field
    distance = fields.add("Distance")
    fields.setNumbers(distance, "CurvesList" if dim == 2 else "SurfacesList", tags)
    fields.setNumber(distance, "Sampling", min(max(ceil(3 * extent / near), 20), 100 if dim == 3 else 1000))
    growing = fields.add("Threshold")
    values = {"InField": distance, "SizeMin": near, "SizeMax": inside, "DistMin": near / 2}
    for name, value in {**values, "DistMax": near / 2 + (inside - near) / GROWTH}.items():
        fields.setNumber(growing, name, value)
    fields.setAsBackgroundMesh(growing)
