"""Label images: one mesh for each particle, and what a composition map says of it."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ..analysis.morphology import Fractions
from ..errors import MeshError
from ..fem.mesh import Mesh
from ..geometry.session import Length, lengths
from .maps import Map
from .meshing import Mesher, check_mesh, mesh_of


class Particle(NamedTuple):
    """One particle of a label image; what is counted is counted in pixels."""

    label: int
    mesh: Mesh  # in the coordinates of the whole image
    c: Float[np.ndarray, " n"] | None  # at the nodes [1]; None without a map, as the next two
    soc: float | None
    fractions: Fractions | None
    area: float  # [m^2]


def particles(
    labels: Int[np.ndarray, "rows columns"], pixel: Length, h: Length,
    values: Float[np.ndarray, "rows columns"] | None = None, binodal: tuple[float, float] = (0.5, 0.5),
    smooth: Length | None = None, order: int = 1, least: int = 30, mesher: Mesher | None = None,
) -> list[Particle]:  # fmt: skip
    """A mesh of each particle, with composition, state of charge and phases where there is a map.

    Of a label that has several pieces the largest is taken. A particle that cannot be meshed, such as one too small for
    h, is left out with a warning that names its label.

    Args:
        labels: a whole number for each pixel, the uppermost row first; 0 is the background.
        pixel: side of a pixel [m].
        h: edge length to aim at [m].
        values: composition map of the same size [1].
        binodal: compositions that bound the phases; default: poor below one half, rich above.
        smooth: of the outlines, see `outlines`; default: one pixel [m].
        order: 1 or 2, of the triangles.
        least: smaller particles are left out [pixels].
        mesher: default: gmsh if it can be loaded.

    Raises:
        MeshError: map and labels have different sizes, or labels are no whole numbers from 0 on.
    """
    from scipy.ndimage import find_objects, label

    (side,) = lengths("particles", pixel=pixel)
    labels = _whole(labels)
    check_mesh(order, mesher)
    known = np.zeros(labels.shape) if values is None else np.asarray(values, float)
    if known.shape != labels.shape:
        raise MeshError(f"The map has {known.shape} pixels, the labels {labels.shape}. Try: pictures of the same size.")
    out = []
    for k, place in enumerate(find_objects(labels), start=1):
        if place is None:
            continue
        pieces = label((labels[place] == k) & np.isfinite(known[place]))[0]
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max(initial=0) < max(least, 1):
            continue
        map = Map(known[place], side, pieces == 1 + np.argmax(sizes))
        try:
            mesh, c = mesh_of(map, h, smooth, order, mesher)
        except MeshError as error:
            warnings.warn(f"Particle {k} of the label image is left out: {error}", stacklevel=2)
            continue
        corner = side * np.array([place[1].start, labels.shape[0] - place[0].stop])
        mesh = mesh.moved(mesh.points + corner)
        if values is None:
            out.append(Particle(k, mesh, None, None, None, map.area))
        else:
            out.append(Particle(k, mesh, c, map.soc, _phases(map, binodal), map.area))
    return out


def _whole(labels: Any) -> Int[np.ndarray, "rows columns"]:
    found = np.asarray(labels)
    if found.ndim != 2 or found.dtype.kind not in "biu":
        raise MeshError(
            f"Labels are whole numbers in rows and columns, but these are {found.dtype} of shape {found.shape}. "
            "Try: labels.astype(int), of one picture."
        )
    if found.min(initial=0) < 0:
        raise MeshError(f"A label is {found.min()}. Try: 0 for the background, and numbers above it for particles.")
    return found.astype(int)


def _phases(map: Map, binodal: tuple[float, float]) -> Fractions:
    c, (low, high) = map.values[map.inside], binodal
    poor, rich = float(np.mean(c < low)), float(np.mean(c >= high))
    return Fractions(poor, 1.0 - poor - rich, rich)
