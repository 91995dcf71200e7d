"""What the models share: parts cut along planes of symmetry, names of a body and its boundary, finer cells outside."""

from math import ceil
from typing import Any

import numpy as np

from chemomech.errors import MeshError
from chemomech.fem.mesh import LENGTHS
from chemomech.geometry.session import Length, group, lengths, on_plane, require_one_of

PARTS = {"whole": (), "half": ("zmin",), "quarter": ("ymin", "zmin"), "octant": ("xmin", "ymin", "zmin")}
AXES = {"xmin": 0, "ymin": 1, "zmin": 2}
GROWTH = 0.3  # increase of the element size per distance from where it is fine
DIGITS = 11  # after the point, in the unit of a model: gmsh amplifies the round-off that tells 6 nm from 6e-9 m
COARSEST = 0.75  # of the body's smallest extent: gmsh finds no cells in some that are coarser
SAMPLES = {1: 1000, 2: 300}  # points at most for the distance from a curve, and along each side of a surface


def planes_of_symmetry(source: str, part: str, known: tuple[str, ...] = tuple(PARTS)) -> tuple[str, ...]:
    """Names of the planes x, y or z = 0 that cut a part: a half (z >= 0), a quarter (y, z >= 0) or an octant.

    Raises:
        MeshError: there is no such part.
    """
    require_one_of(source, known, part=part)
    return PARTS[part]


def sizes(source: str, h: Length, fine: Length | None, extent: float, name: str = "surface_h") -> tuple[float, float]:
    """Element sizes inside and at the surface [m] of a body whose smallest extent is given [m].

    Args:
        source: the geometry.
        h: size inside.
        fine: size at the surface; `h` if not given.
        extent: what `h` must be smaller than.
        name: what the geometry calls `fine`.

    Raises:
        UnitError: a text is no length.
        MeshError: one is not positive, coarser than the body, or finer inside than outside.
    """
    inside, near = lengths(source, **{"h": h, name: h if fine is None else fine})
    if inside > COARSEST * extent:
        raise MeshError(
            f"{source}: h is {inside:g} m, but the body is only {extent:g} m across. "
            f"Try: h up to {COARSEST * extent:.3g} m."
        )
    if near > inside:
        raise MeshError(f"{source}: {name} is {near:g} m, larger than h, {inside:g} m. Try: a smaller one, or none.")
    return inside, near


def in_unit(unit: str, *values: float) -> list[float]:
    """Lengths [m] in the unit of a model, without their round-off."""
    return [round(value / LENGTHS[unit], DIGITS) for value in values]


def on_planes(gmsh: Any, dim: int, names: tuple[str, ...], size: float) -> dict[str, list[int]]:
    """Entities of the boundary in each of the planes of symmetry of a body of this size."""
    return {name: on_plane(gmsh, dim - 1, AXES[name], 0.0, size) for name in names}


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


def refine(gmsh: Any, places: list[tuple[int, list[int], float]], far: float) -> None:
    """Element sizes that grow from those asked for on curves and surfaces to `far`, in the unit of the model.

    Args:
        gmsh: the module, within a session.
        places: dimension of entities (1 or 2), the entities, the size on them.
        far: the size elsewhere.
    """
    fields, made = gmsh.model.mesh.field, []
    for dim, tags, near in places:
        if not tags or near >= far:
            continue
        listed = {1: "CurvesList", 2: "SurfacesList"}[dim]
        boxes = np.array([gmsh.model.getBoundingBox(dim, tag) for tag in tags])
        points = ceil(3 * (boxes[:, 3:] - boxes[:, :3]).max() / near)
        values = {"SizeMin": near, "SizeMax": far, "DistMin": near / 2, "DistMax": near / 2 + (far - near) / GROWTH}
        distance = _field(gmsh, "Distance", listed, tags, {"Sampling": min(max(points, 20), SAMPLES[dim])})
        made.append(_field(gmsh, "Threshold", "", [], {"InField": distance, **values}))
        made.append(_field(gmsh, "Constant", listed, tags, {"VIn": near, "VOut": far}))  # also between its points
    if made:
        fields.setAsBackgroundMesh(_field(gmsh, "Min", "FieldsList", made, {}))
        gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)


def _field(gmsh: Any, kind: str, listed: str, tags: list[int], values: dict[str, float]) -> int:
    fields = gmsh.model.mesh.field
    made = fields.add(kind)
    if listed:
        fields.setNumbers(made, listed, tags)
    for name, value in values.items():
        fields.setNumber(made, name, value)
    return made
