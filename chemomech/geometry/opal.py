"""Inverse opals: what is left between close-packed pores (100 layers of the fcc lattice)."""

from math import pi, sqrt
from os import PathLike
from typing import Any

import numpy as np

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh
from chemomech.geometry.parts import in_unit, refine, sizes
from chemomech.geometry.session import Length, group, lengths, mesh_model, on_plane, require_one_of, session, unit_of
from chemomech.geometry.sides import (
    PLANES,
    drawing,
    match,
    planes,
    require_at_least,
    skin,
)

TOUCH = 1 / sqrt(8)  # radius of pores that touch their neighbours, in lattice parameters
APART = 1 / sqrt(6)  # radius at which the necks between three neighbours vanish
THIN = 1e-3  # of the lattice parameter: thinner walls and smaller windows are no geometry
ROUND = 12  # edges around a window between two pores
SIDES = ("periodic", "mirror", "ribbon", "island")


def inverse_opal(
    a: Length,
    radius: Length,
    h: Length,
    layers: int = 1,
    sides: str = "periodic",
    cells_x: int = 1,
    cells_y: int = 1,
    open_top: bool = False,
    open_base: bool = False,
    substrate: Length | None = None,
    pore_h: Length | None = None,
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of the solid around fcc pores, on a flat base z = 0; one layer is a monolayer.

    The lowest pores have their centres at z = a / sqrt(8), where pores that touch one another touch the base, or at
    z = 0 (`open_base`: what stands on the base are the necks between them); layers lie a / 2 apart. Pores overlap for a
    radius above a / sqrt(8) = 0.3536 a, with windows between them (and in the base and the closed top); at a / sqrt(6)
    = 0.408 a the solid falls apart. Cell sets opal and, with a substrate, substrate; facet sets pores, base (lowest
    face), top, and the sides xmin, xmax, ymin, ymax; interface, and bare where pores open to the substrate.

    Args:
        a: lattice parameter of the pores [m].
        radius: their radius [m].
        h: edge length to aim at [m].
        layers: number of layers of pores.
        sides: "periodic" (cells of side a, nodes of opposite sides equal up to a translation), "mirror" (cells of side
            a / 2, all sides planes of symmetry: one is a quarter of the period), "ribbon" (periodic along x, free
            along y) or "island" (free).
        cells_x: number of cells along x.
        cells_y: number of cells along y.
        open_top: whether the solid ends at the middle of the uppermost pores instead of a / sqrt(8) above.
        open_base: whether it begins at the middle of the lowest pores instead of a / sqrt(8) below.
        substrate: height of a substrate below the base [m].
        pore_h: edge length to aim at on the pores [m]; `h` if not given.
        save: file for the .msh, in the unit `unit_of` the longest side.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, pores just touch, the solid falls apart, or gmsh fails.
    """
    a, radius = lengths("inverse_opal", a=a, radius=radius)
    below = 0.0 if substrate is None else lengths("inverse_opal", substrate=substrate)[0]
    require_at_least("inverse_opal", 1, layers=layers, cells_x=cells_x, cells_y=cells_y)
    require_one_of("inverse_opal", SIDES, sides=sides)
    _require_solid(radius / a)
    ends = (open_top, open_base)
    if layers == 1 and all(ends):
        raise MeshError("inverse_opal: one layer that is open at top and base has no height. Try: layers = 2.")
    period = a / 2 if sides == "mirror" else a
    unit = unit_of(period * max(cells_x, cells_y))
    inside, near = sizes("inverse_opal", h, pore_h, period, "pore_h")
    box = tuple(in_unit(unit, period * cells_x, period * cells_y, height(a, layers, *ends)))
    pitch, pore, ground_height, size, fine = in_unit(unit, a, radius, below, inside, near)
    centres = _centres(pitch, pore, layers, box, open_base)
    with session("inverse_opal") as gmsh:
        with drawing("inverse_opal"):
            opal, ground = _draw(gmsh, box, ground_height, centres, pore)
        named = _name(gmsh, box, ground_height, opal, ground)
        repeats = {"periodic": 2, "ribbon": 1}.get(sides, 0)
        pairs = [(named[low], named[high]) for low, high in PLANES[:repeats]]
        _require_one_piece(gmsh, opal, [] if ground else named["base"], pairs)
        for axis, (low, high) in enumerate(pairs):
            match(gmsh, 3, axis, low, high, box[axis])
        places = [(2, named["pores"], fine)]
        if radius > TOUCH * a:
            window = sqrt(pore**2 - (TOUCH * pitch) ** 2)
            rims = [tag for _, tag in gmsh.model.getBoundary([(2, p) for p in named["pores"]], combined=False)]
            short = [abs(tag) for tag in rims if _is_window(gmsh, abs(tag), 3 * window)]
            places.append((1, sorted(set(short)), 2 * pi * window / ROUND))
        refine(gmsh, places, size)
        return mesh_model(gmsh, 3, size, unit, save)


def height(a: float, layers: int, open_top: bool = False, open_base: bool = False) -> float:
    """Height of the opal [m]."""
    return a * ((layers - 1) / 2 + TOUCH * (2 - open_top - open_base))


def solid_volume(a: float, r: float, layers: int, open_top: bool = False, open_base: bool = False) -> float:
    """Volume of the solid in one period a x a [m^3]: the box without the spheres, lenses counted once.

    Args:
        a: lattice parameter [m].
        r: radius of the pores [m], below a / sqrt(6): no three overlap.
        layers: number of layers.
        open_top, open_base: whether the uppermost and the lowest pores are cut through their middle.
    """
    d = 2 * TOUCH * a
    sphere, cap = 4 / 3 * pi * r**3, _cap(r, TOUCH * a)
    lens = 2 * _cap(r, d / 2)
    cuts = open_top + open_base
    whole = layers - cuts / 2
    pores = 2 * (whole * sphere - (2 - cuts) * cap)
    lenses = 4 * whole + 8 * (layers - 1)  # in a layer, and between layers
    return a**2 * height(a, layers, open_top, open_base) - pores + lenses * lens


def _cap(r: float, distance: float) -> float:
    """Volume of a sphere beyond a plane at a distance from its centre."""
    t = max(r - distance, 0.0)
    return pi * t**2 * (3 * r - t) / 3


def _require_solid(ratio: float) -> None:
    if ratio >= APART - THIN:
        raise MeshError(
            f"inverse_opal: radius is {ratio:.4g} a: the solid falls apart at {APART:.4g} a, where the necks between "
            "three pores vanish. Try: smaller pores."
        )
    if abs(ratio - TOUCH) < THIN:
        raise MeshError(
            f"inverse_opal: radius is {ratio:.4g} a: pores just touch, walls or windows are thinner than {THIN:g} a. "
            f"Try: radius below {TOUCH - THIN:.4g} a or above {TOUCH + THIN:.4g} a."
        )


def _centres(
    a: float, r: float, layers: int, box: tuple[float, float, float], open_base: bool = False
) -> list[tuple[float, float, float]]:
    """Centres of the pores that reach into the box."""
    counts = [int(np.ceil(2 * side / a)) for side in box[:2]]
    found = []
    for k in range(layers):
        for i in range(-1, counts[0] + 2):
            for j in range(-1, counts[1] + 2):
                x, y = i * a / 2, j * a / 2
                if (i + j + k) % 2 == 0 and -r < x < box[0] + r and -r < y < box[1] + r:
                    found.append((x, y, a * (k / 2 + (0 if open_base else TOUCH))))
    return found


def _draw(gmsh: Any, box: tuple, below: float, centres: list, r: float) -> tuple[list[int], list[int]]:
    occ = gmsh.model.occ
    pores = [(3, occ.addSphere(*centre, r)) for centre in centres]
    pieces, _ = occ.cut([(3, occ.addBox(0, 0, 0, *box))], pores)
    ground = []
    if below:
        ground = [(3, occ.addBox(0, 0, -below, box[0], box[1], below))]
        _, parts = occ.fragment(pieces, ground)
        pieces, ground = [part for parts_of in parts[: len(pieces)] for part in parts_of], parts[-1]
    occ.synchronize()
    return [tag for _, tag in pieces], [tag for _, tag in ground]


def _name(gmsh: Any, box: tuple, below: float, opal: list[int], ground: list[int]) -> dict[str, list[int]]:
    group(gmsh, 3, "opal", opal)
    outer, inner = skin(gmsh, 3, [*opal, *ground])
    named = planes(gmsh, 3, (0.0, 0.0, -below), box, min(box))
    named["base"], named["top"] = named.pop("zmin"), named.pop("zmax")
    if ground:
        group(gmsh, 3, "substrate", ground)
        named["interface"] = inner
        level = on_plane(gmsh, 2, 2, 0.0, min(box))
        named["bare"] = [tag for tag in level if tag in outer]
    flat = {tag for tags in named.values() for tag in tags}
    named["pores"] = [tag for tag in outer if tag not in flat]
    for name, tags in named.items():
        if tags or name not in ("interface", "bare"):
            group(gmsh, 2, name, tags)
    return named


def _is_window(gmsh: Any, curve: int, width: float) -> bool:
    """Whether a curve is (part of) a circle no wider than the windows between pores."""
    box = np.array(gmsh.model.getBoundingBox(1, curve)).reshape(2, 3)
    return gmsh.model.getType(1, curve) != "Line" and float(np.ptp(box, axis=0).max()) < width


def _require_one_piece(gmsh: Any, opal: list[int], base: list[int], pairs: list) -> None:
    """Pieces must hang together, through the sides where these repeat; through the substrate does not count."""
    if len(opal) == 1:
        return
    of = {
        abs(tag): body
        for body in opal
        for _, tag in gmsh.model.getBoundary([(3, body)], oriented=False, combined=False)
    }
    root = {body: body for body in opal}

    def find(body: int) -> int:
        return body if root[body] == body else find(root[body])

    for axis, (low, high) in enumerate(pairs):
        place = {tag: np.delete(gmsh.model.occ.getCenterOfMass(2, tag), axis) for tag in (*low, *high)}
        for tag in high:
            other = min(low, key=lambda near: np.abs(place[near] - place[tag]).max())
            if tag in of and other in of:
                root[find(of[tag])] = find(of[other])
    loose = len({find(body) for body in opal})
    if loose > 1:
        raise MeshError(
            f"inverse_opal: the solid consists of {loose} pieces that do not hang together. Try: smaller pores, more "
            "cells, or other sides."
        )
