"""The field-block preconditioner: two scalar cycles for c and mu, one elastic cycle for u."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from ..errors import SolveError
from .elastic_hierarchy import ElasticHierarchy, ScaledCycle
from .fields import FieldOperator, FieldTangent, Pair, Space
from .multigrid import Multigrid
from .operators import choose, namespace, pytree, repeat, replaced
from .root_matching import Coefficients, roots, shifted
from .scalar_hierarchy import ScalarHierarchy, Values, between

Vector = Float[Array, " N"]


@pytree
class Hierarchies:
    """What is made once for a mesh and its material, and kept while Newton and time go on."""

    space: Space
    kept: dict[Pair, Any]  # values of the blocks that never change
    mass: Float[Array, " nnz"] | None
    gradient: Float[Array, " nnz"] | None
    lumped: Float[Array, " n"] | None
    scalar: ScalarHierarchy | None
    elastic: ScaledCycle | None
    weights: Vector  # of the residual's nodal rows
    balance: Any
    changing: tuple[Pair, ...] = eqx.field(static=True)  # the other blocks
    dtype: str = eqx.field(static=True)

    @classmethod
    def of(cls, tangent: FieldTangent, dtype: str) -> Hierarchies:
        """Set up on the host.

        Raises:
            SolveError: there is a composition without a chemical potential.
        """
        space, b = Space.of(tangent), tangent.blocks
        pairs = [(i, j) for i in space.unknowns for j in space.unknowns]
        blocks = {pair: block for pair in pairs if (block := space.block(_on_host(tangent), pair)) is not None}
        changing = tuple(pair for pair in blocks if _changes(space, tangent, pair))
        kept = {pair: block for pair, block in blocks.items() if pair not in changing}
        weights, scalars, scalar, elastic = np.ones(space.size + 1), None, None, None
        if "c" in space.unknowns:
            if "mu" not in space.unknowns:
                raise SolveError(
                    "Krylov knows c only together with mu; this problem has no chemical potential field. "
                    'Use linear = {kind = "HostDirect"}.'
                )
            scalars = tangent.scalars()
            scalar = ScalarHierarchy.of(space.pattern, scalars.stiffness, scalars.mass, b.vertices, dtype)
            weights[b.c] = weights[b.mu] = 1.0 / np.sqrt(scalars.mass.data[space.pattern.diagonal])
        if "u" in space.unknowns:
            A = space.pattern.matrix(supported(space, blocks["u", "u"]))
            elastic = ElasticHierarchy(A.tocsr(), b.near_null, b.vertices, dtype).refresh(A.tocsr())
            weights[b.u.ravel()] = 1.0 / np.sqrt(A.diagonal())
        mass, gradient = (scalars.mass.data, scalars.gradient.data) if scalars else (None, None)
        lumped = np.asarray(abs(scalars.mass).sum(1)).ravel() if scalars else None
        weights = weights[: space.size]
        return cls(
            space, kept, mass, gradient, lumped, scalar, elastic, weights, tangent.balance, changing, dtype
        )  # fmt: skip

    def memory(self) -> Memory | None:
        """Nothing learnt yet."""
        if self.scalar is None:
            return None
        return Memory(np.zeros(self.space.pattern.shape[0]), self.scalar.blank(), np.array(False))


class Memory(NamedTuple):
    """What is learnt from one tangent for the next."""

    mode: Vector  # the softest composition wave
    earlier: Values  # of c's matrix
    known: Any  # is it worth anything?


class Refreshed(NamedTuple):
    """What goes with one tangent: values of the blocks that change, of both scalar solves, and nodal coefficients."""

    blocks: dict[Pair, Any]
    mu: Values | None
    c: Values | None
    gamma: Vector | None
    slope: Vector | None


def refresh(
    made: Hierarchies, blocks: dict[Pair, Any], k: Coefficients | None, memory: Memory | None
) -> tuple[Refreshed, Memory | None]:
    """The preconditioner of a tangent from its changing blocks and its coefficients, and what is learnt from it."""
    if made.scalar is None or k is None or memory is None:
        return Refreshed(blocks, None, None, None, None), memory
    space, p, M = made.space, made.space.pattern, made.mass
    xp, diffusion = namespace(M), {**made.kept, **blocks}["mu", "mu"]
    g, gamma = roots(k, xp)
    shifted_by, own = (between(v, p.rows, p.indices) for v in (xp.maximum(gamma + k.reaction, 0.0), k.reaction))
    reacting = M * (shifted_by - own)
    H1 = space.held("mu", reacting - diffusion)
    faces = xp.maximum(p.matrix(H1 - reacting) @ xp.ones_like(g), 0.0)
    mass = xp.maximum(faces / made.lumped + gamma, 1e-12 * xp.max(xp.abs(gamma)))
    lowest, mode, known = _lowest(made, k, memory)
    g2 = shifted(g, k.curvature, lowest, xp)
    H2 = space.held("c", made.gradient + M * between(g2, p.rows, p.indices))
    mu, c = made.scalar.values(H1, k.mobility, mass), made.scalar.values(H2, k.kappa, g2)
    return Refreshed(blocks, mu, c, gamma, g2 - k.curvature), Memory(mode, c, known)


def operator(made: Hierarchies, new: Refreshed) -> FieldOperator:
    """The nodal block of the tangent."""
    pattern = made.space.pattern
    return FieldOperator(made.space, {pair: pattern.matrix(v) for pair, v in {**made.kept, **new.blocks}.items()})


@pytree
class FieldSplit:
    """An approximate inverse of the nodal tangent: c and mu by two scalar cycles, then u."""

    space: Space
    mu_cycle: Multigrid | None
    c_cycle: Multigrid | None
    gamma: Vector | None
    slope: Vector | None
    mass: Any
    elastic_cycle: ScaledCycle | None
    force: Any  # rows of u, columns of c
    dtype: str = eqx.field(static=True)
    transposed: bool = eqx.field(static=True, default=False)

    @classmethod
    def of(cls, made: Hierarchies, new: Refreshed) -> FieldSplit:
        """The preconditioner of a tangent."""
        pattern, force = made.space.pattern, {**made.kept, **new.blocks}.get(("u", "c"))
        cycles = mass = None, None
        if made.scalar is not None:
            cycles, mass = (made.scalar.cycle(new.mu), made.scalar.cycle(new.c)), pattern.matrix(made.mass)
        force = None if force is None else pattern.matrix(force)
        return cls(made.space, *cycles, new.gamma, new.slope, mass, made.elastic, force, made.dtype)

    @property
    def T(self) -> FieldSplit:
        """The transpose."""
        force = None if self.force is None else self.force.T
        return dataclasses.replace(self, force=force, transposed=not self.transposed)

    def __call__(self, b: Vector) -> Vector:
        """About K^-1 b, or K^-T b."""
        parts = self.space.split(b)
        return self.space.join(parts | (self._transposed(**parts) if self.transposed else self._forward(**parts)))

    def _forward(self, c=None, mu=None, u=None) -> dict[str, Vector]:
        out = {}
        if c is not None:
            z = self._cycled("mu", self.mu_cycle, -(mu + self.gamma * c))
            out["c"] = self._cycled("c", self.c_cycle, self.mass @ z + c)
            out["mu"] = z - self.slope * out["c"]
        if u is not None:
            out["u"] = self._cycled("u", self.elastic_cycle, u if self.force is None else u - self.force @ out["c"])
        return out

    def _transposed(self, c=None, mu=None, u=None) -> dict[str, Vector]:
        out = {} if u is None else {"u": self._cycled("u", self.elastic_cycle, u)}
        if c is not None:
            r = c - self.slope * mu
            h = self._cycled("c", self.c_cycle, r if self.force is None else r - self.force @ out["u"])
            z = self._cycled("mu", self.mu_cycle, mu + self.mass @ h)
            out |= {"c": h - self.gamma * z, "mu": -z}
        return out

    def _cycled(self, part: str, cycle: Any, b: Vector) -> Vector:
        """One cycle in its own precision, on free values."""
        x = cycle(self.space.masked(part, b).astype(self.dtype)).astype(b.dtype)
        return self.space.masked(part, x)


def _on_host(tangent: FieldTangent):
    return lambda pair: None if (v := tangent.values(pair)) is None else np.asarray(v)


def _changes(space: Space, tangent: FieldTangent, pair: Pair) -> bool:
    rows, columns = (space.components(part) for part in pair)
    return any((i, j) in tangent.varies for i in rows for j in columns)


def supported(space: Space, data):
    """The elastic block with a diagonal of usual size where the displacement is prescribed."""
    if space.free["u"] is None:
        return data
    nodes, parts = np.nonzero(~space.free["u"].reshape(-1, space.dim))
    diagonal = space.pattern.diagonal
    return replaced(data, (diagonal[nodes], parts, parts), np.abs(data[diagonal]).max())


def _lowest(made: Hierarchies, k: Coefficients, memory: Memory):
    """Least eigenvalue of kappa K + f M against M, by a few steps of LOBPCG with c's earlier cycle; its vector."""
    f, p, M = k.curvature, made.space.pattern, made.mass
    xp = namespace(f)

    def first():
        w = xp.maximum(f, 0.1 * -xp.min(f))
        start = xp.maximum(-f, 0.0) * (1.0 + 0.1 * xp.cos(37.0 * xp.arange(len(f))))
        return start, made.scalar.values(made.gradient + M * between(w, p.rows, p.indices), k.kappa, w)

    def estimate():
        A = p.matrix(made.gradient + 0.5 * M * (f[p.rows] + f[p.indices]))
        x, earlier = choose(memory.known, lambda: (memory.mode, memory.earlier), first)
        cycle = made.scalar.cycle(earlier)
        value, mode = lowest_eigenpair(
            A, p.matrix(M), lambda r: cycle(r.astype(made.dtype)).astype(r.dtype), x, xp.where(memory.known, 2, 8)
        )
        return value, mode, xp.ones_like(memory.known)

    return choose(xp.min(f) < 0.0, estimate, lambda: (xp.zeros(()), memory.mode, memory.known))


def lowest_eigenpair(A: Any, M: Any, precondition: Any, x: Vector, steps: Any) -> tuple[Any, Vector]:
    """A few steps of LOBPCG with one vector for A x = lambda M x; one product with each matrix a step."""
    xp = namespace(x)

    def step(carry):
        value, v, p = carry
        w = precondition(v[1] - value * v[2])
        basis = [v, _normalised(xp.stack([w, A @ w, M @ w])), _normalised(p)]
        a, m = (xp.array([[left[0] @ right[k] for right in basis] for left in basis]) for k in (1, 2))
        size, directions = xp.linalg.eigh(0.5 * (m + m.T))
        good = size > 1e-10
        kept = directions * xp.where(good, 1.0 / xp.sqrt(xp.where(good, size, 1.0)), 0.0)
        small = kept.T @ (0.5 * (a + a.T)) @ kept
        values, vectors = xp.linalg.eigh(small + xp.diag(xp.where(good, 0.0, 1.0 + 2.0 * xp.sum(xp.abs(small)))))
        y = kept @ vectors[:, 0]
        p = y[1] * basis[1] + y[2] * basis[2]
        return values[0], _normalised(y[0] * v + p), p

    v = _normalised(xp.stack([x, A @ x, M @ x]))  # rows: vector, A times it, M times it
    value, v, _ = repeat(steps, step, (v[0] @ v[1], v, xp.zeros_like(v)))
    return value, v[0]


def _normalised(v):
    xp = namespace(v)
    return v / xp.maximum(xp.sqrt(v[0] @ v[2]), 1e-300)
