"""What drawn architectures share: refusals, the planes around them, matched sides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from chemomech.errors import ChemomechError, MeshError
from chemomech.geometry.session import FLAT, on_plane

PLANES = (("xmin", "xmax"), ("ymin", "ymax"), ("zmin", "zmax"))
CUT = "the sides of the cell are cut differently and cannot be matched. Try: other lengths."


@contextmanager
def drawing(source: str) -> Iterator[None]:
    """Failures of OCC's boolean operations inside are those of the geometry.

    Raises:
        MeshError: OCC fails.
    """
    try:
        yield
    except ChemomechError:
        raise
    except Exception as error:  # gmsh raises bare Exception
        raise MeshError(f"{source}: the shapes cannot be cut: {error}. Try: slightly other lengths.") from error


def require_at_least(source: str, least: int, **counts: int) -> None:
    """Accept whole numbers from `least` on.

    Raises:
        MeshError: one is smaller or no whole number.
    """
    for name, value in counts.items():
        if int(value) != value or value < least:
            raise MeshError(f"{source}: {name} is {value}. Try: a whole number from {least} on.")


def planes(gmsh: Any, dim: int, low: tuple, high: tuple, size: float) -> dict[str, list[int]]:
    """Facet entities in each plane of a box, named xmin, xmax and so on."""
    found = {}
    for axis, ends in enumerate(zip(low, high)):
        for name, value in zip(PLANES[axis], ends):
            found[name] = on_plane(gmsh, dim - 1, axis, value, size)
        if set.intersection(*(set(found[name]) for name in PLANES[axis])):
            raise MeshError(f"{gmsh.model.getCurrent()}: the shape is too thin for its length. Try: a thicker one.")
    return found


def match(gmsh: Any, dim: int, axis: int, low: list[int], high: list[int], length: float) -> None:
    """The mesh of the facet entities `high` is that of `low`, moved by `length` along an axis.

    Raises:
        MeshError: the two sides differ, or one is empty.
    """

    source = gmsh.model.getCurrent()
    if not low or not high:
        raise MeshError(f"{source}: a side of the cell has no facets to be matched. Try: lengths that differ less.")

    def place(tag: int, shift: float) -> np.ndarray:
        box = np.array(gmsh.model.getBoundingBox(dim - 1, tag)).reshape(2, 3)
        centre = np.array(gmsh.model.occ.getCenterOfMass(dim - 1, tag))
        return np.delete(np.concatenate([box, centre[None]]), axis, axis=1) + shift

    wanted = [place(tag, 0.0) for tag in low]
    order = []
    for tag in high:
        distance = [np.abs(place(tag, 0.0) - other).max() for other in wanted]
        order.append(int(np.argmin(distance)) if distance else -1)
        if not distance or min(distance) > FLAT * length:
            raise MeshError(f"{source}: {CUT}")
    if sorted(order) != list(range(len(low))):
        raise MeshError(f"{source}: {CUT}")
    move = np.eye(4)
    move[axis, 3] = length
    gmsh.model.mesh.setPeriodic(dim - 1, high, [low[k] for k in order], move.ravel().tolist())


def skin(gmsh: Any, dim: int, bodies: list[int]) -> tuple[list[int], list[int]]:
    """Facet entities of bodies: those of one body, and those that two share."""
    tags = [
        abs(tag) for body in bodies for _, tag in gmsh.model.getBoundary([(dim, body)], oriented=False, combined=False)
    ]
    unique, counts = np.unique(tags, return_counts=True)
    return unique[counts == 1].tolist(), unique[counts > 1].tolist()
