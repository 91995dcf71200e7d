"""How the nodes inside a mesh follow those on its boundary, and smooth fields on a boundary: linear, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.custom_derivatives import linear_call
from jaxtyping import Array, Float, Int
from scipy.sparse.linalg import splu

from ..errors import MeshError
from ..fem.domain import Domain, over_cells, over_facets
from ..fem.mesh import Mesh


class HarmonicMotion:
    """Displacements of all nodes from those of a surface: div((1/v) grad d) = 0, v the volume of a cell.

    Small cells are stiff, so that those near a refined surface move along with it.

    Args:
        mesh: as it was before it moved.
        surface: the facets that are moved.
        sliding: planes of symmetry, normal to an axis: nodes stay in them.

    Called with the displacements of the nodes `surface` [m]. The rest of the boundary takes part as the inside does.

    Raises:
        MeshError: there is no such set, or one of `sliding` is no plane normal to an axis.
    """

    surface: Int[np.ndarray, " b"]

    def __init__(self, mesh: Mesh, surface: str = "boundary", sliding: tuple[str, ...] = ()):
        self.names = (surface, tuple(sliding))
        self.surface, n = mesh.nodes_of(surface), len(mesh.points)
        planes = [(name, plane_axis(mesh, name)) for name in sliding]
        K = _stiffness(_scaled(mesh), n).tocsr()
        held = [
            np.unique(np.concatenate([self.surface, *(mesh.nodes_of(name) for name, k in planes if k == axis)]))
            for axis in range(mesh.dim)
        ]
        inner = [np.setdiff1d(np.arange(n), nodes) for nodes in held]
        solves = [splu(K[nodes][:, nodes].tocsc()).solve if len(nodes) else lambda b: b for nodes in inner]
        across = [K[nodes][:, self.surface] for nodes in inner]
        staying = [np.isin(self.surface, mesh.nodes_of(name)) for name, _ in planes]

        def kept_in_planes(moved):
            moved = moved.copy()
            for (_, axis), nodes in zip(planes, staying, strict=True):
                moved[nodes, axis] = 0.0
            return moved

        def onto_all(moved):
            out, moved = np.zeros((n, mesh.dim)), kept_in_planes(moved)
            out[self.surface] = moved
            for axis, nodes in enumerate(inner):
                out[nodes, axis] = -solves[axis](across[axis] @ moved[:, axis])
            return out

        def onto_surface(pull):
            pulled = [
                A.T @ solve(pull[nodes, k])
                for k, (A, solve, nodes) in enumerate(zip(across, solves, inner, strict=True))
            ]
            return kept_in_planes(pull[self.surface] - np.stack(pulled, axis=1))

        self._extended = _linear(onto_all, onto_surface, n, len(self.surface))

    def __call__(self, moved: Float[Array, "b dim"]) -> Float[Array, "n dim"]:
        """Of all nodes [m]."""
        return self._extended(moved)


def plane_axis(mesh: Mesh, name: str) -> int:
    """The axis that a facet set is normal to.

    Raises:
        MeshError: it is no plane normal to an axis.
    """
    spread = np.ptp(mesh.points[mesh.nodes_of(name)], axis=0)
    axis = int(np.argmin(spread))
    if spread[axis] > 1e-6 * np.ptp(mesh.points, axis=0).max():
        raise MeshError(f"The facets '{name}' are no plane normal to an axis: nodes cannot slide in it.")
    return axis


class HelmholtzFilter:
    """Smooth fields on a surface: f - l^2 div grad f = p on it; what its gradient by p is, is smoothed as well.

    Args:
        mesh: whose surface.
        length: l, over which p is smoothed [m].
        surface: which facets.

    Called with values at the nodes `surface`.
    """

    surface: Int[np.ndarray, " b"]

    def __init__(self, mesh: Mesh, length: float, surface: str = "boundary"):
        self.length = length
        self.surface = keep = mesh.nodes_of(surface)
        n = len(mesh.points)
        domain = over_facets(mesh, jnp.asarray(mesh.points), mesh.facets(surface), 2 * mesh.order)
        mass = _pairs(domain, np.asarray(domain.N)[:, :, None], n)
        stiffness = _pairs(domain, _tangential(domain), n)
        M, K = (A.tocsr()[keep][:, keep] for A in (mass, stiffness))
        solve = splu((M + length**2 * K).tocsc()).solve

        def smooth(p):
            return solve(np.ascontiguousarray(M @ p))

        def turned(p):
            return M @ solve(np.ascontiguousarray(p))

        self._smoothed = _linear(smooth, turned, len(keep), len(keep))

    def __call__(self, values: Float[Array, " b"]) -> Float[Array, " b"]:
        """The smooth field."""
        return self._smoothed(values[:, None])[:, 0]


def _linear(forward: Callable, backward: Callable, rows: int, columns: int) -> Callable:
    """A linear map by SciPy that JAX differentiates; `backward` is its transpose."""

    def hosted(function, size):
        def call(_, x):
            shape = jax.ShapeDtypeStruct((size, x.shape[1]), x.dtype)
            return jax.pure_callback(lambda v: np.asarray(function(np.asarray(v, float)), v.dtype), shape, x)

        return call

    there, back = hosted(forward, rows), hosted(backward, columns)
    return lambda x: linear_call(there, back, (), jnp.asarray(x))


def _scaled(mesh: Mesh) -> Domain:
    size = np.ptp(mesh.points, axis=0).max()
    return over_cells(mesh, jnp.asarray(mesh.points / size), np.arange(len(mesh.cells)), 2 * mesh.order)


def _stiffness(domain: Domain, n: int) -> sp.coo_matrix:
    """Integral of grad N_a . grad N_b / v over the cells."""
    return _pairs(domain, np.asarray(domain.dN), n, 1.0 / np.sum(np.asarray(domain.weight), axis=0))


def _tangential(domain: Domain) -> Float[np.ndarray, "q k dim f"]:
    """Gradients of the shape functions along the facets."""
    slope, normal = np.asarray(domain.dN), np.moveaxis(np.asarray(domain.normal), 0, 1)[:, None]
    return slope - normal * np.sum(normal * slope, axis=2, keepdims=True)


def _pairs(domain: Domain, factors: Float[np.ndarray, "q k i e"], n: int, scale: Any = 1.0) -> sp.coo_matrix:
    """Sum over i and the points of weight factors_a factors_b, node by node."""
    weight, nodes = np.asarray(domain.weight) * scale, np.asarray(domain.nodes)
    factors = np.broadcast_to(factors, (len(weight), *factors.shape[1:3], weight.shape[1]))
    values = np.einsum("qe,qaie,qbie->abe", weight, factors, factors)
    rows, columns = np.broadcast_arrays(nodes[:, None], nodes[None])
    return sp.coo_matrix((values.ravel(), (rows.ravel(), columns.ravel())), shape=(n, n))
