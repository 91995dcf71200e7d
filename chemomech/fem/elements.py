"""Reference elements: shape functions, quadrature rules, and how facets sit in their parent cell."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from jaxtyping import Float
from scipy.special import roots_jacobi

from .mesh import DIM, EDGES, FACETS, ORDER

DEFAULT_DEGREE = {"triangle": 2, "triangle6": 4, "quad": 3, "tetra": 2, "tetra10": 5, "hexahedron": 3}
_CORNERS = {
    "quad": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "hexahedron": (
        (-1, -1, -1), (1, -1, -1), (1, 1, -1), (-1, 1, -1), (-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1),
    ),
}  # fmt: skip


def tabulate(
    cell_type: str, xi: Float[np.ndarray, "q dim"]
) -> tuple[Float[np.ndarray, "q k"], Float[np.ndarray, "q k dim"]]:
    """Shape functions and their reference gradients at reference points."""
    if cell_type in _CORNERS:
        return _tensor_product(np.array(_CORNERS[cell_type], float), xi)
    dim = DIM[cell_type]
    lam = np.concatenate([1 - xi.sum(1, keepdims=True), xi], axis=1)
    dlam = np.concatenate([-np.ones((1, dim)), np.eye(dim)])
    if ORDER[cell_type] == 1:
        return lam, np.broadcast_to(dlam, (len(xi), dim + 1, dim)).copy()
    vertex = lam * (2 * lam - 1)
    dvertex = (4 * lam - 1)[:, :, None] * dlam
    i, j = np.array(EDGES[cell_type]).T
    edge = 4 * lam[:, i] * lam[:, j]
    dedge = 4 * (lam[:, i, None] * dlam[j] + lam[:, j, None] * dlam[i])
    return np.concatenate([vertex, edge], 1), np.concatenate([dvertex, dedge], 1)


def _tensor_product(corners, xi):
    factors = 0.5 * (1 + corners[None] * xi[:, None, :])
    value = factors.prod(-1)
    gradient = np.empty((*value.shape, xi.shape[1]))
    for d in range(xi.shape[1]):
        others = np.delete(factors, d, axis=-1).prod(-1)
        gradient[..., d] = 0.5 * corners[:, d] * others
    return value, gradient


def quadrature(shape: str, degree: int) -> tuple[Float[np.ndarray, "q dim"], Float[np.ndarray, " q"]]:
    """Points and weights on a reference cell that integrate polynomials of the given degree exactly.

    The degree-2 rules of triangle and tetrahedron have interior points; no rule has a negative weight.
    """
    if shape in ("line", "quad", "hexahedron"):
        x, w = np.polynomial.legendre.leggauss(degree // 2 + 1)
        dim = {"line": 1, "quad": 2, "hexahedron": 3}[shape]
        points = np.array(list(itertools.product(x, repeat=dim)))
        return points, np.array([np.prod(ws) for ws in itertools.product(w, repeat=dim)])
    dim = 2 if shape.startswith("triangle") else 3
    for available, orbits in _SYMMETRIC[dim]:
        if degree <= available:
            return _expand(orbits, dim)
    return _conical(dim, degree)


_SYMMETRIC = {  # (degree, orbits of (weight, barycentric point)); Strang-Fix, Dunavant, Walkington
    2: (
        (1, ((1.0, (1 / 3, 1 / 3, 1 / 3)),)),
        (2, ((1 / 3, (2 / 3, 1 / 6, 1 / 6)),)),
        (
            4,
            (
                (0.223381589678011, (0.108103018168070, 0.445948490915965, 0.445948490915965)),
                (0.109951743655322, (0.816847572980459, 0.091576213509771, 0.091576213509771)),
            ),
        ),
        (
            5,
            (
                (0.225, (1 / 3, 1 / 3, 1 / 3)),
                (0.132394152788506, (0.059715871789770, 0.470142064105115, 0.470142064105115)),
                (0.125939180544827, (0.797426985353087, 0.101286507323456, 0.101286507323456)),
            ),
        ),
    ),
    3: (
        (1, ((1.0, (0.25, 0.25, 0.25, 0.25)),)),
        (2, ((0.25, (0.58541019662496852, 0.13819660112501048, 0.13819660112501048, 0.13819660112501048)),)),
        (
            5,
            (
                (0.1126879257180162, (0.0673422422100983, 0.3108859192633005, 0.3108859192633005, 0.3108859192633005)),
                (0.0734930431163619, (0.7217942490673264, 0.0927352503108912, 0.0927352503108912, 0.0927352503108912)),
                (0.0425460207770812, (0.4544962958743506, 0.4544962958743506, 0.0455037041256494, 0.0455037041256494)),
            ),
        ),
    ),
}


def _expand(orbits, dim):
    points, weights = [], []
    for weight, bary in orbits:
        members = sorted(set(itertools.permutations(bary)))
        points += [m[1:] for m in members]
        weights += [weight] * len(members)
    weights = np.array(weights)
    return np.array(points), weights / weights.sum() / (2 if dim == 2 else 6)


def _conical(dim, degree):
    n = degree // 2 + 1
    rules = [roots_jacobi(n, k, 0) for k in range(dim - 1, -1, -1)]
    points, weights = [], []
    for picks in itertools.product(range(n), repeat=dim):
        t = [(rules[d][0][p] + 1) / 2 for d, p in enumerate(picks)]
        weight = np.prod([rules[d][1][p] / 2 ** (dim - d) for d, p in enumerate(picks)])
        left, point = 1.0, []
        for value in t:
            point.append(left * value)
            left *= 1 - value
        points.append(point)
        weights.append(weight)
    return np.array(points), np.array(weights)


@functools.cache
def vertices(cell_type: str) -> Float[np.ndarray, "corners dim"]:
    """Reference coordinates of the corners."""
    if cell_type in _CORNERS:
        return np.array(_CORNERS[cell_type], float)
    dim = DIM[cell_type]
    return np.concatenate([np.zeros((1, dim)), np.eye(dim)])


def facet_points(
    cell_type: str, local: int, degree: int
) -> tuple[Float[np.ndarray, "q dim"], Float[np.ndarray, " q"], Float[np.ndarray, "q dim tangents"]]:
    """Quadrature on one facet of a cell: parent reference points, weights, and reference tangents dxi/ds."""
    dim = DIM[cell_type]
    shape = "line" if dim == 2 else ("quad" if cell_type == "hexahedron" else "triangle")
    corners = vertices(cell_type)[list(FACETS[cell_type][local][: {"line": 2, "triangle": 3, "quad": 4}[shape]])]
    s, w = quadrature(shape, degree)
    if shape == "line":
        N = np.concatenate([(1 - s) / 2, (1 + s) / 2], axis=1)
        dN = np.broadcast_to(np.array([[-0.5], [0.5]]), (len(s), 2, 1))
    else:
        N, dN = tabulate(shape, s)
    return N @ corners, w, np.einsum("qks,kd->qds", dN, corners)
