"""What a composition looks like: phases, domains, stripes, and how a particle fills.

Functions of a mesh and nodal values; between nodes the values are linear. No solver is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..errors import ChemomechError
from ..fem.mesh import Mesh, periodic_pairs
from ..fem.pieces import Pieces, cell_pieces, facet_pieces, share_above

Weight = Callable[[np.ndarray], np.ndarray] | None
Name = Literal["uniform", "core-shell", "intercalation wave", "mixed"]

UNIFORM = 0.2  # contrast of composition below which nothing has separated
SHELL = 0.95  # part of the perimeter that a shell covers
WAVE = (0.25, 0.6)  # part of the perimeter that is rich behind one front, at half filling


class Fractions(NamedTuple):
    """Parts of a body by composition [1]; they add up to one."""

    poor: float
    between: float
    rich: float


class Morphology(NamedTuple):
    """How a particle is filled, and by what it was judged."""

    name: Name
    soc: float  # mean composition [1]
    perimeter: float  # rich part of the perimeter [1]
    domains: int  # connected rich domains
    contrast: float  # largest less least composition [1]
    core: float  # composition at the node nearest to the centroid [1]


def mean(mesh: Mesh, c: Float[np.ndarray, " n"], on: str | None = None, weight: Weight = None) -> float:
    """Volume mean of a nodal field, over a cell set or all cells.

    Args:
        mesh: the body.
        c: nodal values.
        on: cell set; None: all cells.
        weight: thickness as a function of the points, such as the radius of a body of revolution; None: the same.
    """
    pieces = cell_pieces(mesh, mesh.cells_of(on))
    return float(np.average(np.asarray(c)[pieces.nodes].mean(axis=1), weights=_weights(mesh, pieces, weight)))


def fraction_above(
    mesh: Mesh, c: Float[np.ndarray, " n"], level: float = 0.5, on: str | None = None, weight: Weight = None
) -> float:  # fmt: skip
    """Part of the volume where c exceeds a level [1]; exact where c is linear on triangles or tetrahedra.

    Args:
        mesh: the body.
        c: nodal values.
        level: of c.
        on: cell set; None: all cells.
        weight: thickness as a function of the points, taken at the middle of each piece of a cell; None: the same.
    """
    return _fraction(mesh, cell_pieces(mesh, mesh.cells_of(on)), c, level, weight)


def phase_fractions(
    mesh: Mesh, c: Float[np.ndarray, " n"], binodal: tuple[float, float], on: str | None = None, weight: Weight = None
) -> Fractions:  # fmt: skip
    """Parts of the volume below, between and above two compositions [1].

    Args:
        mesh: the body.
        c: nodal values.
        binodal: the two, such as those of a gap, or some way into it to leave room for overshoots.
        on: cell set; None: all cells.
        weight: as of `fraction_above`.

    Raises:
        ChemomechError: the compositions are not in ascending order.
    """
    low, high = binodal
    if not low <= high:
        raise ChemomechError(f"phase_fractions: the compositions {low:g} and {high:g} are not in ascending order.")
    above_low, above_high = (fraction_above(mesh, c, level, on, weight) for level in (low, high))
    return Fractions(1.0 - above_low, above_low - above_high, above_high)


def perimeter_fraction(
    mesh: Mesh, c: Float[np.ndarray, " n"], on: str = "boundary", level: float = 0.5, weight: Weight = None
) -> float:  # fmt: skip
    """Part of a facet set where c exceeds a level [1]; exact where c is linear on lines or triangles.

    Args:
        mesh: the body.
        c: nodal values.
        on: facet set, such as the face that reacts.
        level: of c.
        weight: as of `fraction_above`.
    """
    return _fraction(mesh, facet_pieces(mesh, mesh.facets(on)), c, level, weight)


def domains(
    mesh: Mesh, c: Float[np.ndarray, " n"], level: float = 0.5, periodic: Sequence[Literal["x", "y", "z"]] = (),
    least: float = 0.0,
) -> int:  # fmt: skip
    """Number of connected domains of nodes where c exceeds a level; a domain of the other phase is one of -c, -level.

    Args:
        mesh: the body.
        c: nodal values.
        level: of c.
        periodic: axes along which the body goes on at its other side.
        least: smaller domains do not count: part of the volume, each node with its share of the cells around [1].

    Raises:
        MeshError: the faces of a periodic axis do not match.
    """
    pieces, above = cell_pieces(mesh), np.asarray(c) > level
    pairs = [_pairs(pieces.nodes)]
    pairs += [np.stack(periodic_pairs(mesh, "xyz".index(axis)), axis=1) for axis in periodic]
    label = _components(np.concatenate(pairs), above)
    share = np.bincount(
        pieces.nodes.ravel(), np.repeat(pieces.measure, pieces.nodes.shape[1]), minlength=len(mesh.points)
    )
    sizes = np.bincount(label[above], share[above]) / share.sum()
    return int(np.sum((sizes > 0) & (sizes >= least)))


def stripes(mesh: Mesh, c: Float[np.ndarray, " n"], on: str, level: float = 0.5) -> int:
    """Number of rich segments along a facet set: of an edge in two dimensions, patches of a face in three.

    A segment ends where a node does not exceed the level. A closed line has no end to count a segment twice at.

    Args:
        mesh: the body.
        c: nodal values.
        on: facet set.
        level: of c.
    """
    nodes, facets = np.unique(facet_pieces(mesh, mesh.facets(on)).nodes, return_inverse=True)
    above = np.asarray(c)[nodes] > level
    label = _components(_pairs(facets.reshape(-1, mesh.dim)), above)
    return len(np.unique(label[above]))


def segments(values: Float[np.ndarray, " n"], level: float = 0.5, closed: bool = False) -> int:
    """Number of stretches of a line of values that exceed a level.

    Args:
        values: along the line, such as a row of an image.
        level: of the values.
        closed: whether the last value comes before the first.
    """
    above = np.asarray(values) > level
    rises = int(np.sum(above[1:] & ~above[:-1]))
    first = bool(above[0] and not (closed and above[-1])) if len(above) else False
    return max(rises + first, int(above.all())) if len(above) else 0


class Orientation(NamedTuple):
    """Which way composition changes: by the tensor T = integral of grad c (x) grad c dV."""

    normal: Float[np.ndarray, " dim"]  # unit vector across the stripes, its largest component positive
    angle: float  # of the normal against x, in (-pi/2, pi/2] [rad]; a solid's: of its part in the xy plane
    coherence: float  # (t1 - t2)/(t1 + t2) of the two largest eigenvalues: 1 flat fronts, 0 none preferred


def orientation(mesh: Mesh, c: Float[np.ndarray, " n"], on: str | None = None, weight: Weight = None) -> Orientation:
    """Direction of stripes, and how much of the gradient agrees with it.

    Args:
        mesh: the body.
        c: nodal values.
        on: cell set; None: all cells.
        weight: as of `fraction_above`.

    Raises:
        ChemomechError: c is the same everywhere.
    """
    pieces = cell_pieces(mesh, mesh.cells_of(on))
    corners, values = mesh.points[pieces.nodes], np.asarray(c, float)[pieces.nodes]
    edges, rises = corners[:, 1:] - corners[:, :1], values[:, 1:] - values[:, :1]
    gradient = np.linalg.solve(edges, rises[..., None])[..., 0] * np.ptp(mesh.points, axis=0).max()
    tensor = np.einsum("p,pi,pj->ij", _weights(mesh, pieces, weight), gradient, gradient)
    sizes, vectors = np.linalg.eigh(tensor)
    if not sizes[-1] > 0:
        raise ChemomechError("orientation: the composition is the same everywhere, so that nothing has a direction.")
    normal = vectors[:, -1] * np.sign(vectors[np.argmax(np.abs(vectors[:, -1])), -1])
    angle = float(np.arctan2(normal[1], normal[0]))
    angle = angle - np.pi * np.ceil(angle / np.pi - 0.5)
    return Orientation(normal, angle, float((sizes[-1] - sizes[-2]) / (sizes[-1] + sizes[-2])))


def classify(
    mesh: Mesh, c: Float[np.ndarray, " n"], on: str = "boundary", level: float = 0.5, least: float = 0.0,
    weight: Weight = None,
) -> Morphology:  # fmt: skip
    """How a particle is filled; meant for states near half filling.

        uniform               contrast below 0.2
        core-shell            the perimeter rich for 95 % or more around a poor core, or poor so around a rich one
        intercalation wave    one rich domain, behind a front that leaves 25 to 60 % of the perimeter rich
        mixed                 the rest: several fronts, or one that has run round most of the perimeter

    At half filling a quarter circle from the corner of a square leaves 0.40 of the perimeter rich, a flat front across
    it 0.50. At other fillings a front has another share, and the numbers are to be looked at rather than the name.

    Args:
        mesh: the particle.
        c: nodal values.
        on: facet set that counts as its perimeter, such as the face that reacts.
        level: between rich and poor.
        least: smallest domain that counts, part of the volume [1].
        weight: as of `fraction_above`.
    """
    c = np.asarray(c, float)
    soc, perimeter = mean(mesh, c, weight=weight), perimeter_fraction(mesh, c, on, level, weight)
    count, contrast = domains(mesh, c, level, least=least), float(np.ptp(c))
    pieces = cell_pieces(mesh)
    centroid = np.average(mesh.points[pieces.nodes].mean(axis=1), axis=0, weights=pieces.measure)
    core = float(c[np.argmin(np.linalg.norm(mesh.points - centroid, axis=1))])
    if contrast < UNIFORM:
        name = "uniform"
    elif (perimeter >= SHELL and core < level) or (perimeter <= 1.0 - SHELL and core > level):
        name = "core-shell"
    elif count == 1 and WAVE[0] <= perimeter <= WAVE[1]:
        name = "intercalation wave"
    else:
        name = "mixed"
    return Morphology(name, soc, perimeter, count, contrast, core)


def _weights(mesh: Mesh, pieces: Pieces, weight: Weight) -> Float[np.ndarray, " p"]:
    if weight is None:
        return pieces.measure
    return pieces.measure * np.asarray(weight(mesh.points[pieces.nodes].mean(axis=1)), float)


def _fraction(mesh: Mesh, pieces: Pieces, c: Float[np.ndarray, " n"], level: float, weight: Weight) -> float:
    return float(np.average(share_above(np.asarray(c)[pieces.nodes], level), weights=_weights(mesh, pieces, weight)))


def _pairs(simplices: Int[np.ndarray, "p k"]) -> Int[np.ndarray, "e 2"]:
    """Each two nodes that share a simplex."""
    a, b = np.triu_indices(simplices.shape[1], 1)
    return np.stack([simplices[:, a].ravel(), simplices[:, b].ravel()], axis=1)


def _components(pairs: Int[np.ndarray, "e 2"], above: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Number of the connected part of each node, along pairs that are both above."""
    a, b = pairs[above[pairs].all(axis=1)].T
    n = len(above)
    return connected_components(coo_matrix((np.ones(len(a), bool), (a, b)), shape=(n, n)), directed=False)[1]
