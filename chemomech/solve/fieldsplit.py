"""The field-block preconditioner: two scalar cycles for c and mu, one elastic cycle for u."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix

from ..errors import SolveError
from .elastic_hierarchy import ElasticHierarchy
from .fields import Assembler, FieldTangent
from .multigrid import Multigrid
from .root_matching import Coefficients, roots, shifted
from .scalar_hierarchy import ScalarHierarchy, between

Vector = Float[np.ndarray, " N"]


class Hierarchies:
    """What is made once for a mesh and its material, and kept while Newton and time go on."""

    def __init__(self, tangent: FieldTangent, dtype: Any):
        self.assembler, self.dtype = Assembler(tangent), np.dtype(dtype)
        b = tangent.blocks
        if self.assembler.has_c and not self.assembler.has_mu:
            raise SolveError(
                "Krylov knows c only together with mu; this problem has no chemical potential field. "
                'Use linear = {kind = "HostDirect"}.'
            )
        if self.assembler.has_c:
            self.scalars = tangent.scalars()
            self.hierarchy = ScalarHierarchy(self.scalars.stiffness, self.scalars.mass, b.vertices, dtype)
            self.lumped = np.asarray(abs(self.scalars.mass).sum(1)).ravel()
        if self.assembler.has_u:
            A = csr_matrix(self.assembler.elastic(tangent))
            self.elastic_size = A.diagonal()
            self.elastic_hierarchy = ElasticHierarchy(A, b.near_null, b.vertices, dtype)
            self.elastic_cycle = self.elastic_hierarchy.refresh(A)
        self.mode: Vector | None = None  # the softest composition wave
        self.earlier: Multigrid | None = None  # c's cycle of an earlier tangent

    def forget(self) -> None:
        """Drop what was learnt from earlier states."""
        self.mode = self.earlier = None


class FieldSplit:
    """An approximate inverse of the nodal tangent: c and mu by two scalar cycles, then u.

    Args:
        made: hierarchies, whose softest wave is brought up to date.
        tangent: the tangent to invert.
    """

    def __init__(self, made: Hierarchies, tangent: FieldTangent):
        self.made, self.size = made, tangent.size
        a, b = made.assembler, tangent.blocks
        if a.has_c:
            k: Coefficients = tangent.coefficients()
            M, L = made.scalars.mass, made.scalars.gradient
            g, self.gamma = roots(k, np)
            i, j = a.rows, b.indices
            reacting = M.data * (between(np.maximum(self.gamma + k.reaction, 0.0), i, j) - between(k.reaction, i, j))
            H1 = a.held(reacting - tangent.values(("mu", "mu")), a.free_mu)
            one = np.ones(b.size)
            faces = np.maximum(H1 @ one - a.matrix(reacting) @ one, 0.0)
            mass = np.maximum(faces / made.lumped + self.gamma, 1e-12 * np.abs(self.gamma).max())
            self.mu_cycle = made.hierarchy.refresh(H1, k.mobility, mass)
            g2 = shifted(g, k.curvature, self._lowest(k), np)
            H2 = a.held(L.data + M.data * between(g2, i, j), a.free_c)
            self.c_cycle = made.earlier = made.hierarchy.refresh(H2, k.kappa, g2)
            self.slope, self.mass = g2 - k.curvature, M
        self._free_u = a.free_u.ravel()
        self.force = a.force(tangent) if a.has_c and a.has_u else None

    def solve(self, b: Vector, *, transpose: bool = False) -> Vector:
        """About K^-1 b, or K^-T b."""
        a, blocks, ends = self.made.assembler, self.made.assembler.blocks, np.append(b, 0.0)
        out = np.empty(self.size + 1)
        c, mu, u = ends[blocks.c], ends[blocks.mu], ends[a.displacement]
        if a.has_u and (transpose or not a.has_c):
            u = self._elastic(u)
        if a.has_c and transpose:
            r = c - self.slope * mu
            if self.force is not None:
                r = r - self.force.T @ u
            h = self._cycled(self.c_cycle, r * a.free_c) * a.free_c
            z = self._cycled(self.mu_cycle, (mu + self.mass @ h) * a.free_mu) * a.free_mu
            c, mu = h - self.gamma * z, -z
        elif a.has_c:
            z = self._cycled(self.mu_cycle, -(mu + self.gamma * c) * a.free_mu) * a.free_mu
            c = self._cycled(self.c_cycle, (self.mass @ z + c) * a.free_c) * a.free_c
            mu = z - self.slope * c
            if a.has_u:
                u = self._elastic(u if self.force is None else u - self.force @ c)
        out[blocks.c], out[blocks.mu], out[a.displacement] = c, mu, u
        return out[: self.size]

    def _cycled(self, cycle: Any, b: Vector) -> Vector:
        return cycle(b.astype(self.made.dtype)).astype(float)

    def _elastic(self, b: Vector) -> Vector:
        return self._cycled(self.made.elastic_cycle, b * self._free_u) * self._free_u

    def _lowest(self, k: Coefficients) -> float:
        """Least eigenvalue of kappa K + f M against M, by a few steps of LOBPCG with c's earlier cycle."""
        made, f = self.made, k.curvature
        if f.min() >= 0.0:
            return 0.0
        i, j = made.assembler.rows, made.assembler.blocks.indices
        M, A = (
            made.scalars.mass,
            made.assembler.matrix(made.scalars.gradient.data + 0.5 * made.scalars.mass.data * (f[i] + f[j])),
        )
        steps, x = 2, made.mode
        if x is None or made.earlier is None:
            steps, x = 8, np.maximum(-f, 0.0) * (1.0 + 0.1 * np.cos(37.0 * np.arange(len(f))))
            w = np.maximum(f, 0.1 * -f.min())
            H = made.assembler.matrix(made.scalars.gradient.data + M.data * between(w, i, j))
            made.earlier = made.hierarchy.refresh(H, k.kappa, w)
        precondition = lambda r: self._cycled(made.earlier, r)  # noqa: E731
        value, made.mode = lowest_eigenpair(A, M, precondition, x, steps)
        return value


def lowest_eigenpair(A: Any, M: Any, precondition: Any, x: Vector, steps: int) -> tuple[float, Vector]:
    """A few steps of LOBPCG with one vector for A x = lambda M x; one product with each matrix a step."""
    v = _normalised(np.stack([x, A @ x, M @ x]))  # rows: vector, A times it, M times it
    p, value = None, float(v[0] @ v[1])
    for _ in range(steps):
        w = precondition(v[1] - value * v[2])
        basis = [v, _normalised(np.stack([w, A @ w, M @ w])), *([] if p is None else [_normalised(p)])]
        a, m = (np.array([[left[0] @ right[k] for right in basis] for left in basis]) for k in (1, 2))
        size, directions = np.linalg.eigh(0.5 * (m + m.T))
        kept = directions[:, size > 1e-10] / np.sqrt(size[size > 1e-10])
        values, vectors = np.linalg.eigh(kept.T @ (0.5 * (a + a.T)) @ kept)
        y = kept @ vectors[:, 0]
        p = sum(y[k] * basis[k] for k in range(1, len(basis)))
        v, value = _normalised(y[0] * v + p), float(values[0])
    return value, v[0]


def _normalised(v):
    return v / max(np.sqrt(v[0] @ v[2]), 1e-300)
