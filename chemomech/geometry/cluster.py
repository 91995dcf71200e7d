"""Several round particles: chains and random packings, apart or with necks."""

from itertools import combinations
from math import sqrt
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from chemomech.errors import MeshError
from chemomech.fem.mesh import LENGTHS, Mesh
from chemomech.geometry.parts import DIGITS, in_unit, refine, sizes
from chemomech.geometry.session import Length, group, lengths, mesh_model, session, unit_of
from chemomech.geometry.sides import drawing, require_at_least, skin

TRIES = 20000  # places tried for a particle before a packing is refused
WIDEST, NARROWEST = 0.95, 0.02  # radius of a neck in radii of the smaller particle
GAP = 0.05  # of the mean radius: what disjoint particles keep between them
ROUND = 10  # edges around a neck
COARSEST = 0.5  # edge length on a sphere in its radii: coarser ones lose the sphere


def particle_chain(
    radius: Length,
    neck: Length,
    h: Length,
    count: int = 2,
    last_radius: Length | None = None,
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of spheres in a row along x, the first around the origin, grown together at flat necks.

    Cell sets particle_1, particle_2, ...; facet sets surface and, between two particles, neck.

    Args:
        radius: radius of the spheres [m].
        neck: radius of the circle in which neighbours meet [m].
        h: edge length to aim at [m], on a sphere at most half its radius.
        count: number of spheres.
        last_radius: radius of the last sphere [m], those between changing evenly; `radius` if not given.
        save: file for the .msh, in the unit `unit_of` twice the largest radius.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, a neck is too wide or narrow, three spheres overlap, or gmsh fails.
    """
    radius, neck, h, last = lengths(
        "particle_chain", radius=radius, neck=neck, h=h, last_radius=radius if last_radius is None else last_radius
    )
    require_at_least("particle_chain", 2, count=count)
    radii = np.linspace(radius, last, count)
    _require_neck("particle_chain", neck, radii)
    centres = np.zeros((count, 3))
    centres[1:, 0] = np.cumsum([_apart(*pair, neck) for pair in zip(radii, radii[1:])])
    return _meshed("particle_chain", centres, radii, h, save)


def packing(
    side: Length,
    radius: Length,
    count: int,
    h: Length,
    spread: float = 0.0,
    neck: Length | None = None,
    seed: int = 0,
    save: str | PathLike | None = None,
) -> Mesh:
    """Tetrahedra of spheres at random places in the box 0 <= x, y, z <= side.

    Radii are log-normal, the largest sphere is placed first. Without a neck spheres are apart; with one each grows
    on one of those before, so that all hang together as a tree. Sets as of `particle_chain`.

    Args:
        side: side of the box [m].
        radius: median radius [m].
        count: number of spheres.
        h: edge length to aim at [m], on a sphere at most half its radius.
        spread: standard deviation of the logarithm of the radii.
        neck: radius of the necks [m].
        seed: number of the random places; the same number gives the same packing.
        save: file for the .msh, in the unit `unit_of` twice the largest radius.

    Raises:
        ChemomechError: gmsh cannot be loaded.
        UnitError: a length is given in another unit.
        MeshError: a length is not positive, a neck is too wide or narrow, the spheres find no place, or gmsh fails.
    """
    side, radius, h = lengths("packing", side=side, radius=radius, h=h)
    require_at_least("packing", 1, count=count)
    require_at_least("packing", 0, seed=seed)
    if not 0 <= spread < 1:
        raise MeshError(f"packing: spread is {spread}. Try: 0 (equal spheres) or less than 1.")
    random = np.random.default_rng(seed)
    radii = np.sort(radius * np.exp(spread * random.standard_normal(count)))[::-1]
    if neck is not None:
        (neck,) = lengths("packing", neck=neck)
        _require_neck("packing", neck, radii)
    return _meshed("packing", _placed(random, side, radii, neck, GAP * radius), radii, h, save)


def _apart(a: float, b: float, neck: float) -> float:
    """Distance of the centres of spheres that meet in a circle."""
    return sqrt(a**2 - neck**2) + sqrt(b**2 - neck**2)


def _require_neck(source: str, neck: float, radii: Float[np.ndarray, " n"]) -> None:
    low, high = NARROWEST * radii.max(), WIDEST * radii.min()
    if not low <= neck <= high:
        raise MeshError(f"{source}: a neck of {neck:g} m. Try: {low:.3g} m to {high:.3g} m for these radii.")


def _placed(
    random: np.random.Generator, side: float, radii: Float[np.ndarray, " n"], neck: float | None, gap: float
) -> Float[np.ndarray, "n 3"]:
    """Centres of spheres in a box, one after the other."""
    centres = np.empty((0, 3))
    for k, r in enumerate(radii):
        if 2 * r > side:
            raise MeshError(f"packing: a sphere of radius {r:.3g} m does not fit in a box of {side:g} m.")
        for _ in range(TRIES):
            place, touched = r + (side - 2 * r) * random.random(3), -1
            if k and neck is not None:
                touched = int(random.integers(k))
                direction = random.standard_normal(3)
                place = centres[touched] + _apart(radii[touched], r, neck) * direction / np.linalg.norm(direction)
            distance = np.linalg.norm(centres - place, axis=1) - radii[:k] - r
            free = distance[np.arange(k) != touched] >= gap
            if free.all() and place.min() >= r and place.max() <= side - r:
                centres = np.vstack([centres, place])
                break
        else:
            raise MeshError(
                f"packing: {k} of {len(radii)} spheres have found a place in a box of {side:g} m. Try: a larger box, "
                "fewer or smaller spheres, or another seed."
            )
    return centres


def _meshed(
    source: str,
    centres: Float[np.ndarray, "n 3"],
    radii: Float[np.ndarray, " n"],
    h: float,
    save: str | PathLike | None,
) -> Mesh:
    unit = unit_of(2 * float(radii.max()))
    inside, _ = sizes(source, h, None, 2 * float(radii.max()))  # smaller spheres get smaller cells below
    (size,) = in_unit(unit, inside)
    spheres = (np.round(centres / LENGTHS[unit], DIGITS), np.round(radii / LENGTHS[unit], DIGITS))
    necks = _necks(source, *spheres)
    with session(source) as gmsh:
        with drawing(source):
            bodies = _draw(gmsh, *spheres, necks)
        for k, body in enumerate(bodies, 1):
            group(gmsh, 3, f"particle_{k}", [body])
        outer, inner = skin(gmsh, 3, bodies)
        group(gmsh, 2, "surface", outer)
        if inner:
            group(gmsh, 2, "neck", inner)
        if len(inner) != len(necks):
            raise MeshError(f"{source}: {len(necks)} necks became {len(inner)}. Try: slightly other lengths.")
        rims = {tag: [abs(c) for _, c in gmsh.model.getBoundary([(2, tag)], oriented=False)] for tag in inner}
        places = [(1, curves, _around(gmsh, curves) / ROUND) for curves in rims.values()]
        for body, r in zip(bodies, spheres[1]):
            faces = {tag for _, tag in gmsh.model.getBoundary([(3, body)], oriented=False)}
            places.append((2, sorted(faces - set(inner)), COARSEST * r))
        refine(gmsh, places, size)
        return mesh_model(gmsh, 3, size, unit, save)


def _around(gmsh: Any, curves: list[int]) -> float:
    return sum(gmsh.model.occ.getMass(1, curve) for curve in curves)


def _necks(source: str, centres: Float[np.ndarray, "n 3"], radii: Float[np.ndarray, " n"]) -> dict:
    """For each pair that overlaps, the distance of their plane from the first centre."""
    found, points = {}, {}
    for i, j in combinations(range(len(radii)), 2):
        d = float(np.linalg.norm(centres[j] - centres[i]))
        if d < radii[i] + radii[j]:
            found[i, j] = (d**2 + radii[i] ** 2 - radii[j] ** 2) / (2 * d)
            for k, other, t in ((i, j, found[i, j]), (j, i, d - found[i, j])):
                points.setdefault(k, []).append(((centres[other] - centres[k]) / d, t / radii[k]))
    for at in points.values():
        for (one, s), (two, t) in combinations(at, 2):  # caps that meet on their sphere
            if np.arccos(np.clip(one @ two, -1, 1)) < np.arccos(np.clip(s, -1, 1)) + np.arccos(np.clip(t, -1, 1)):
                raise MeshError(f"{source}: three spheres overlap. Try: narrower necks, or more even radii.")
    return found


def _draw(gmsh: Any, centres: Float[np.ndarray, "n 3"], radii: Float[np.ndarray, " n"], necks: dict) -> list[int]:
    """Spheres cut at the planes of their necks, whose discs neighbours share."""
    occ = gmsh.model.occ
    beyond: dict[int, list] = {}
    for (i, j), t in necks.items():
        along = (centres[j] - centres[i]) / np.linalg.norm(centres[j] - centres[i])
        plane = centres[i] + t * along
        for k, way in ((i, along), (j, -along)):
            beyond.setdefault(k, []).append((3, occ.addCylinder(*plane, *(4 * radii[k] * way), 2 * radii[k])))
    balls = []
    for k, (centre, r) in enumerate(zip(centres, radii)):
        ball = [(3, occ.addSphere(*centre, r))]
        balls.append((occ.cut(ball, beyond[k])[0] if k in beyond else ball)[0])
    if necks:
        _, parts = occ.fragment(balls[:1], balls[1:])
        balls = [part[0] for part in parts]
    occ.synchronize()
    return [tag for _, tag in balls]
