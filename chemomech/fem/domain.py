"""Quadrature points over cells or facets: one table of shape functions, gradients and weights for both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero
from jaxtyping import Array, Float, Int

from . import elements
from .mesh import FacetSet, Mesh

T = TypeVar("T")


class Domain(eqx.Module):
    """Quadrature over a set of cells, or over facets seen from their parent cells.

    Axes: q quadrature points, k nodes of the (parent) cell, e elements; q or e may be 1 where nothing varies.
    A facet carries the shape functions and gradients of its parent, so facet densities see full gradients.
    """

    nodes: Int[Array, "k e"]
    cell: Int[Array, " e"]  # (parent) cell numbers
    N: Float[Array, "q k e"]
    dN: Float[Array, "q k dim e"]
    weight: Float[Array, "q e"]
    x: Float[Array, "dim q e"]
    normal: Float[Array, "dim q e"] | None
    backward: bool = eqx.field(static=True, default=False)  # is `at_points` to be differentiated in reverse?

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.x.shape[0]

    def window(self, k: Int[Array, ""], count: int) -> Domain:
        """The k-th of `count` windows of equal size; the last ones have weight zero where an earlier one has been."""
        cells = self.cell.shape[0]
        size = -(-cells // count)
        start = jnp.minimum(k * size, cells - size)
        fresh = start + jnp.arange(size) >= k * size

        def cut(v):
            return jax.lax.dynamic_slice_in_dim(v, start, size, axis=-1) if v.shape[-1] == cells else v

        part = jax.tree.map(cut, self)
        return eqx.tree_at(lambda domain: domain.weight, part, jnp.where(fresh, part.weight, 0.0))

    @functools.partial(jax.jit, inline=True)
    def at_points(self, Z: Float[Array, "fields n"]) -> list[list[Float[Array, "q e"]]]:
        """Value and gradient components of each nodal field: [field][0 value, 1.. d/dx, d/dy, d/dz]."""
        return _read_backward(self, Z) if self.backward else _read(self, Z)[0]

    def gathered(self, slopes: list[Any], out: Float[Array, " n"]) -> Float[Array, " n"]:
        """The transpose of `at_points` for one field: weighted slopes at the points, added to sums at the nodes.

        Args:
            slopes: (q, e) by the field's value and by each component of its gradient; None: it vanishes.
            out: sums to add to.
        """
        known = [(self.trial(d), g) for d, g in enumerate(slopes) if g is not None]
        summed = [(shape, over_points(g) if shape.shape[0] == 1 else g) for shape, g in known]
        for a in range(self.nodes.shape[0] if summed else 0):
            share = jnp.zeros(())
            for shape, g in summed:
                share = share + (g * shape[0, a] if g.ndim == 1 else over_points(g, shape[:, a]))
            out = out.at[self.nodes[a]].add(share)
        return out

    def apart(self, make: Callable[[], T]) -> T:
        """make(), compiled apart from its uses: XLA would fuse them and evaluate it anew for each one.

        On the CPU, jaxlib 0.10 drops barriers before it fuses; a branch, taken on a condition that only we know, stays.
        """
        if jax.default_backend() != "cpu":
            return jax.lax.optimization_barrier(make())
        zeros = jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), jax.eval_shape(make))
        return jax.lax.cond(self.cell[0] >= 0, make, lambda: zeros)

    def trial(self, derivative: int) -> Float[Array, "q k e"]:
        """Shape functions (0) or one of their gradient components (1, 2, 3)."""
        return self.N if derivative == 0 else self.dN[:, :, derivative - 1]


def _read(domain: Domain, Z: Float[Array, "fields n"]) -> tuple[list[list[Array]], list[list[Array]]]:
    """What `at_points` gives, and the values at each cell's nodes."""
    k, constant = domain.nodes.shape[0], domain.dN.shape[0] == 1
    # once for all: each cut has a derivative of full size
    N, dN = ([v[:, a] for a in range(k)] for v in (domain.N, domain.dN))

    def gradients(local):
        return [sum(dN[a][:, d] * local[a] for a in range(k)) for d in range(domain.dim)]

    def gather():  # one-dimensional gathers: XLA's other kinds are slow
        locals_ = [[z[domain.nodes[a]] for a in range(k)] for z in Z]
        return [(local, gradients(local) if constant else []) for local in locals_]

    out, gathered = [], domain.apart(gather)
    for local, gradient in gathered:
        value = sum(N[a] * local[a] for a in range(k))
        whole = (value, *(gradient or gradients(local)))
        out.append([jnp.broadcast_to(g, domain.weight.shape) for g in whole])
    return out, [local for local, _ in gathered]


@jax.custom_vjp
def _read_backward(domain: Domain, Z: Float[Array, "fields n"]) -> list[list[Array]]:
    """The same with a reverse pass of its own: that of JAX sums over the points in XLA's way (see `over_points`)."""
    return _read(domain, Z)[0]


def _read_ahead(domain: Domain, Z: Any):
    domain, Z = jax.tree.map(lambda v: v.value, (domain, Z), is_leaf=lambda v: isinstance(v, CustomVJPPrimal))
    out, local = _read(domain, Z)
    return out, (domain, local, Z)


def _read_back(kept: Any, slopes: list[list[Any]]):
    domain, local, Z = kept
    known = [[None if isinstance(g, SymbolicZero) else g for g in row] for row in slopes]
    known = domain.apart(lambda: known)
    rows = jnp.stack([domain.gathered(row, jnp.zeros_like(z)) for row, z in zip(known, Z, strict=True)])
    N, dN = _by_shape(domain, 0, known, local), [_by_shape(domain, 1 + d, known, local) for d in range(domain.dim)]
    N = N if domain.N.shape[-1] > 1 else jnp.sum(N, axis=-1, keepdims=True)
    return dataclasses.replace(jax.tree.map(lambda _: None, domain), N=N, dN=jnp.stack(dN, axis=2)), rows


def _by_shape(domain: Domain, derivative: int, slopes: list[list[Any]], local: list[list[Array]]) -> Array:
    """Derivatives by shape functions (0) or one of their gradient components."""
    shape = domain.trial(derivative).shape
    pairs = [(row[derivative], values) for row, values in zip(slopes, local, strict=True)]
    pairs = [([over_points(g)] if shape[0] == 1 else g, values) for g, values in pairs if g is not None]
    if not pairs:
        return jnp.zeros(shape)
    points, nodes = range(shape[0]), range(shape[1])
    found = domain.apart(lambda: [[sum(g[q] * values[a] for g, values in pairs) for a in nodes] for q in points])
    return jnp.stack([jnp.stack(row) for row in found])


_read_backward.defvjp(_read_ahead, _read_back, symbolic_zeros=True)


def over_points(values: Float[Array, "q e"], factor: Float[Array, "q *k e"] | None = None) -> Float[Array, "*k e"]:
    """Sum over the quadrature points, written out: XLA's own reduction of a leading axis is six times slower."""
    parts = [values[q] if factor is None else values[q] * factor[q] for q in range(values.shape[0])]
    return sum(parts[1:], parts[0])


def over_cells(mesh: Mesh, points: Float[Array, "n dim"], cells: Int[np.ndarray, " e"], degree: int) -> Domain:
    """Quadrature over some cells of a mesh, at the given node coordinates."""
    xi, w = elements.quadrature(mesh.cell_type, degree)
    N, dN = elements.tabulate(mesh.cell_type, xi)
    if mesh.cell_type in ("triangle", "tetra"):
        dN = dN[:1]
    nodes = jnp.asarray(mesh.cells[cells].T)
    x, _, det, gradient = _geometry(points, nodes, N, dN)
    N = jnp.asarray(N)[:, :, None]
    return Domain(nodes, jnp.asarray(cells), N, gradient, jnp.asarray(w)[:, None] * det, x, None)


def over_facets(mesh: Mesh, points: Float[Array, "n dim"], facets: FacetSet, degree: int) -> Domain:
    """Quadrature over facets, with the shape functions of their parent cells."""
    count = len(elements.FACETS[mesh.cell_type])
    rules = [elements.facet_points(mesh.cell_type, local, degree) for local in range(count)]
    tables = [elements.tabulate(mesh.cell_type, xi) for xi, _, _ in rules]
    pick = np.asarray(facets.local)
    N = np.moveaxis(np.stack([t[0] for t in tables])[pick], 0, -1)
    dN = np.moveaxis(np.stack([t[1] for t in tables])[pick], 0, -1)
    tangent = np.moveaxis(np.stack([r[2] for r in rules])[pick], 0, -1)
    w = np.moveaxis(np.stack([r[1] for r in rules])[pick], 0, -1)
    nodes = jnp.asarray(mesh.cells[facets.cells].T)
    x, J, _, gradient = _geometry(points, nodes, N, dN)
    area, normal = _surface(jnp.einsum("ijqe,qjse->isqe", J, tangent), jnp.mean(points[nodes], 0).T, x)
    return Domain(nodes, jnp.asarray(facets.cells), jnp.asarray(N), gradient, jnp.asarray(w) * area, x, normal)


@jax.jit
def _geometry(points, nodes, N, dN):
    """Positions, Jacobians, their determinants, and gradients of the shape functions."""
    x, J = _map(points, nodes, N, dN)
    return x, J, *_invert(J, dN)


def _map(points, nodes, N, dN):
    local = points[nodes]  # (k, e, dim)
    subN = "qke" if N.ndim == 3 else "qk"
    subD = "qkje" if dN.ndim == 4 else "qkj"
    return jnp.einsum(f"{subN},kei->iqe", N, local), jnp.einsum(f"{subD},kei->ijqe", dN, local)


def _invert(J, dN):
    dim = J.shape[0]
    if dim == 2:
        det = J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
        inverse = jnp.stack([jnp.stack([J[1, 1], -J[0, 1]]), jnp.stack([-J[1, 0], J[0, 0]])]) / det
    else:
        rows = jnp.stack([jnp.cross(J[:, 1], J[:, 2], axis=0), jnp.cross(J[:, 2], J[:, 0], axis=0),
                          jnp.cross(J[:, 0], J[:, 1], axis=0)])  # fmt: skip
        det = jnp.sum(J[:, 0] * rows[0], axis=0)
        inverse = rows / det
    sub = "qkje" if dN.ndim == 4 else "qkj"
    return det, jnp.einsum(f"{sub},jiqe->qkie", dN, inverse)


@jax.jit
def _surface(tangents, centre, x):
    if tangents.shape[0] == 2:
        t = tangents[:, 0]
        raw = jnp.stack([t[1], -t[0]])
    else:
        raw = jnp.cross(tangents[:, 0], tangents[:, 1], axis=0)
    area = jnp.sqrt(jnp.sum(raw**2, axis=0))
    outward = jnp.sign(jnp.sum(raw * (x - centre[:, None, :]), axis=0))
    return area, raw / area * outward
