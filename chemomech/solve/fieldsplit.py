"""The field-block preconditioner: two scalar cycles for c and mu, one elastic cycle for u."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from ..errors import SolveError
from .elastic_hierarchy import ElasticHierarchy, ScaledCycle
from .fields import FieldOperator, FieldTangent, Pair, Space
from .inner_iterations import conjugate_gradients, lowest_eigenpair
from .multigrid import Multigrid
from .operators import choose, devices_of, gaxpy, namespace, on_device, pytree, replaced
from .root_matching import LEAST, Coefficients, on_facets, roots, shifted
from .scalar_hierarchy import ScalarHierarchy, Values, anisotropy, between

Vector = Float[Array, " N"]
ANISOTROPIC = 0.7  # difference of diffusion from an isotropic one, from which mu has aggregates of its own
FAINT = 1e-6  # of an isotropic diffusion, by which lines that nothing else couples are put together at last
ACROSS = 0.1  # of such a mobility, for the roots: of the many waves across, which hardly move, they take fewer for fast
CHANGED = 0.25  # of the stiffness, from which a new elastic cycle pays
STRONG = 4.0  # relief of the curvature by strain, over R T, from which a second sweep may be needed
LONG = 4.0  # a step, over the growth time of a wave that relief alone would drive, from which it saves iterations
ROOTS = 0.7, 3.5  # of what two sweeps leave, as a polynomial in eigenvalues of a sweep times the matrix: less than one
# of each part with an eigenvalue below 4.2; the largest seen is 3.9


class ElasticSource:
    """Makes elastic cycles on one set of aggregates, on the host.

    A kept prolongation with the Galerkin product redone serves a changed stiffness as well as new aggregates do.
    """

    def __init__(self, hierarchy: ElasticHierarchy, space: Space):
        self.hierarchy, self.space = hierarchy, space

    def differs(self, old, new) -> bool:
        """Whether a diagonal block has changed by more than a quarter."""
        old, new = (v[self.space.pattern.diagonal] for v in (old, new))
        size = np.linalg.norm(old, axis=(1, 2))
        return bool(np.any(np.linalg.norm(new - old, axis=(1, 2)) > CHANGED * size))

    def cycle(self, data) -> ScaledCycle:
        """The cycle of these values of the elastic block."""
        return self.hierarchy.refresh(self.space.pattern.scipy(supported(self.space, data)).tocsr())


@pytree
class Hierarchies:
    """What is made once for a mesh and its material, and kept while Newton and time go on."""

    space: Space
    kept: dict[Pair, Any]  # values of the blocks that never change
    mass: Float[Array, " nnz"] | None
    gradient: Float[Array, " nnz"] | None
    lumped: Float[Array, " n"] | None
    scalar: ScalarHierarchy | None
    directed: ScalarHierarchy | None  # of mu, where diffusion knows directions
    elastic: ScaledCycle | None
    weights: Vector  # of the residual's nodal rows, without facets
    balance: Any
    stiffness: Any  # values for which the elastic cycle was made, where they change
    changing: tuple[Pair, ...] = eqx.field(static=True)  # the other blocks
    strong: bool = eqx.field(static=True)  # is the relief of the curvature by strain?
    dtype: str = eqx.field(static=True)
    source: ElasticSource | None = eqx.field(static=True)

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
        weights, scalars, scalar, directed, elastic, source = np.ones(space.size + 1), None, None, None, None, None
        if "c" in space.unknowns:
            if "mu" not in space.unknowns:
                raise SolveError(
                    "Krylov knows c only together with mu; this problem has no chemical potential field. "
                    'Use linear = {kind = "HostDirect"}.'
                )
            scalars = tangent.scalars()
            K, D, rest = scalars.stiffness, scalars.diffusion, (scalars.mass, b.vertices, dtype)
            scalar = ScalarHierarchy.of(space.pattern, K, *rest)
            if anisotropy(K, D) > ANISOTROPIC:
                directed = ScalarHierarchy.of(space.pattern, D + FAINT * K, *rest, directed=True)
            weights[b.c] = weights[b.mu] = 1.0 / np.sqrt(scalars.mass.data[space.pattern.diagonal])
        if "u" in space.unknowns:
            A = space.pattern.scipy(supported(space, blocks["u", "u"]))
            hierarchy = ElasticHierarchy(A.tocsr(), b.near_null, b.vertices, dtype)
            source, elastic = ElasticSource(hierarchy, space), hierarchy.refresh(A.tocsr())
            weights[b.u.ravel()] = 1.0 / np.sqrt(A.diagonal())
        mass, gradient = (scalars.mass.data, scalars.gradient.data) if scalars else (None, None)
        lumped = np.asarray(abs(scalars.mass).sum(1)).ravel() if scalars else None
        strong = "u" in space.unknowns and scalars is not None and scalars.relief > STRONG
        weights, steady = weights[: space.size], ("u", "u") not in changing
        stiffness, source = (None, None) if steady else (blocks["u", "u"], source)
        return cls(
            space, kept, mass, gradient, lumped, scalar, directed, elastic, weights, tangent.balance, stiffness,
            changing, strong, dtype, source,
        )  # fmt: skip

    @property
    def of_mu(self) -> ScalarHierarchy | None:
        """The coarse levels of mu."""
        return self.scalar if self.directed is None else self.directed

    def renewed(self, blocks: dict[Pair, Any]) -> Hierarchies:
        """With an elastic cycle of the present stiffness, where that has changed by more than a quarter."""
        if self.source is None:
            return self
        old, new = (np.asarray(v) for v in (self.stiffness, blocks["u", "u"]))
        if not self.source.differs(old, new):
            return self
        elastic, stiffness = self.source.cycle(new), new
        if isinstance(self.weights, jax.Array):
            elastic, stiffness = on_device((elastic, stiffness), devices_of(self.weights))
        return dataclasses.replace(self, elastic=elastic, stiffness=stiffness)

    def memory(self) -> Memory | None:
        """Nothing learnt yet."""
        if self.scalar is None:
            return None
        zero = np.zeros(self.space.pattern.shape[0])
        return Memory(zero, zero, Scaled(zero, self.scalar.blank()), np.array(False))


class Scaled(NamedTuple):
    """Values of D A D on all levels, for a matrix A and a diagonal D."""

    diagonal: Vector
    values: Values


class Memory(NamedTuple):
    """What is learnt from one tangent for the next."""

    mode: Vector  # the softest composition wave
    landscape: Vector  # of c's matrix
    earlier: Scaled  # that matrix
    known: Any  # is it worth anything?


class Refreshed(NamedTuple):
    """What goes with one tangent: values of the blocks that change, of both scalar solves, and nodal coefficients."""

    blocks: dict[Pair, Any]
    mu: Values | None
    c: Scaled | None
    gamma: Vector | None
    slope: Vector | None
    weights: Vector  # of the residual's nodal rows
    again: Any = False  # does a second sweep pay?


def refresh(
    made: Hierarchies, blocks: dict[Pair, Any], k: Coefficients | None, memory: Memory | None
) -> tuple[Refreshed, Memory | None]:
    """The preconditioner of a tangent from its changing blocks and its coefficients, and what is learnt from it."""
    if made.scalar is None or k is None or memory is None:
        return Refreshed(blocks, None, None, None, None, made.weights), memory
    space, p, M = made.space, made.space.pattern, made.mass
    xp, diffusion = namespace(M), {**made.kept, **blocks}["mu", "mu"]
    g, gamma = roots(k if made.directed is None else k._replace(mobility=ACROSS * k.mobility), xp)
    i, j = p.rows, p.indices
    reacting = M * (between(xp.maximum(gamma + k.reaction, 0.0), i, j) - between(k.reaction, i, j))
    H1 = space.held("mu", reacting - diffusion)
    faces = xp.maximum(p.matrix(H1 - reacting) @ xp.ones_like(g), 0.0)
    mass = xp.maximum(faces / made.lumped + gamma, 1e-12 * xp.max(xp.abs(gamma)))
    lowest, mode, known = _lowest(made, k, memory)
    g2 = shifted(g, k.curvature, lowest, xp)
    slope = on_facets(g2 - k.curvature, k, gamma, H1[p.diagonal] / M[p.diagonal], xp)
    g2 = k.curvature + slope
    H2 = space.held("c", made.gradient + 0.5 * M * (g2[i] + g2[j]))
    mu, (c, landscape) = made.of_mu.values(H1, k.mobility, mass), _scaled(made, H2, k.kappa, g2, memory)
    again = made.strong and _growth(k) > LONG
    return Refreshed(blocks, mu, c, gamma, slope, _weights(made, k), again), Memory(mode, landscape, c, known)


def _weights(made: Hierarchies, k: Coefficients) -> Vector:
    """Of the residual's nodal rows: where facets exchange more than a node stores, what is left counts less.

    A balance that is missed by r moves mu by r over mass and exchange. Weighed by the mass alone, GMRES takes as many
    iterations more as make good for the ratio of the two, with eigenvalues as close together as without a reaction.
    """
    parts = made.space.split(namespace(k.kappa).ones_like(made.weights))
    return made.weights * made.space.join(parts | {"mu": parts["mu"] / namespace(k.kappa).sqrt(1.0 + k.facets)})


def _growth(k: Coefficients) -> Any:
    """dt times the growth rate of the fastest wave that relief alone would drive: by diffusion, or by the reaction."""
    xp = namespace(k.kappa)
    return k.relief * xp.max(xp.maximum(0.25 * k.relief * k.mobility / xp.maximum(k.kappa, LEAST), k.reaction))


def operator(made: Hierarchies, new: Refreshed) -> FieldOperator:
    """The nodal block of the tangent."""
    pattern = made.space.pattern
    return FieldOperator(made.space, {pair: pattern.matrix(v) for pair, v in {**made.kept, **new.blocks}.items()})


@pytree
class FieldSplit:
    """An approximate inverse of the nodal tangent: c and mu by two scalar cycles, then u; in one sweep or two.

    c's matrix holds one relief by strain for waves of all directions. Where strain is strong and anisotropic, that is
    wrong for some by as much as the curvature itself; in long steps a second sweep, of what the first left, mends it.
    """

    space: Space
    mu_cycle: Multigrid | None
    c_cycle: ScaledMultigrid | None
    gamma: Vector | None
    slope: Vector | None
    mass: Any
    elastic_cycle: ScaledCycle | None
    force: Any  # rows of u, columns of c
    matrix: FieldOperator | None  # where there may be a second sweep
    again: Any  # whether there is one
    dtype: str = eqx.field(static=True)
    transposed: bool = eqx.field(static=True, default=False)

    @classmethod
    def of(cls, made: Hierarchies, new: Refreshed, matrix: FieldOperator) -> FieldSplit:
        """The preconditioner of a tangent, whose nodal block is the matrix."""
        cycles, mass = (None, None), None
        if made.scalar is not None:
            cycles, mass = (made.of_mu.cycle(new.mu), _cycle(made, new.c)), made.space.pattern.matrix(made.mass)
        force, whole = matrix.blocks.get(("u", "c")), matrix if made.strong else None
        return cls(made.space, *cycles, new.gamma, new.slope, mass, made.elastic, force, whole, new.again, made.dtype)

    @property
    def T(self) -> FieldSplit:
        """The transpose."""
        force, matrix = (None if A is None else A.T for A in (self.force, self.matrix))
        return dataclasses.replace(self, force=force, matrix=matrix, transposed=not self.transposed)

    def __call__(self, b: Vector) -> Vector:
        """About K^-1 b, or K^-T b."""
        x = self._swept(b)
        return x if self.matrix is None else choose(self.again, lambda: self._swept_again(b, x / ROOTS[0]), lambda: x)

    def _swept_again(self, b: Vector, x: Vector) -> Vector:
        return x + self._swept(b - self.matrix @ x) / ROOTS[1]

    def _swept(self, b: Vector) -> Vector:
        parts = self.space.split(b)
        return self.space.join(parts | (self._transposed(**parts) if self.transposed else self._forward(**parts)))

    def _forward(self, c=None, mu=None, u=None) -> dict[str, Vector]:
        out = {}
        if c is not None:
            z = self._cycled("mu", self.mu_cycle, -(mu + self.gamma * c))
            out["c"] = self._cycled("c", self.c_cycle, gaxpy(self.mass, z, c))
            out["mu"] = z - self.slope * out["c"]
        if u is not None:
            out["u"] = self._cycled(
                "u", self.elastic_cycle, u if self.force is None else gaxpy(self.force, out["c"], u, -1.0)
            )
        return out

    def _transposed(self, c=None, mu=None, u=None) -> dict[str, Vector]:
        out = {} if u is None else {"u": self._cycled("u", self.elastic_cycle, u)}
        if c is not None:
            r = c - self.slope * mu
            h = self._cycled("c", self.c_cycle, r if self.force is None else gaxpy(self.force, out["u"], r, -1.0))
            z = self._cycled("mu", self.mu_cycle, gaxpy(self.mass, h, mu))
            out |= {"c": h - self.gamma * z, "mu": -z}
        return out

    def _cycled(self, part: str, cycle: Any, b: Vector) -> Vector:
        """One cycle in its own precision, on free values."""
        x = cycle(self.space.masked(part, b).astype(self.dtype, copy=False)).astype(b.dtype, copy=False)
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


class ScaledMultigrid(NamedTuple):
    """An approximate inverse of A by a cycle of D A D."""

    diagonal: Vector
    cycle: Multigrid

    def __call__(self, b: Vector) -> Vector:
        """The approximate solution of A x = b."""
        d = self.diagonal.astype(b.dtype, copy=False)
        return d * self.cycle(d * b)


def _cycle(made: Hierarchies, scaled: Scaled) -> ScaledMultigrid:
    return ScaledMultigrid(scaled.diagonal, made.scalar.cycle(scaled.values))


def _inside(made: Hierarchies, cycle: Any):
    """A cycle in its own precision."""
    return lambda r: cycle(r.astype(made.dtype, copy=False)).astype(r.dtype, copy=False)


def _scaled(made: Hierarchies, H, kappa: Vector, w: Vector, memory: Memory) -> tuple[Scaled, Vector]:
    """c's matrix H = kappa K + w M; where w < 0, scaled by its landscape v, the solution of H v = M 1.

    The soft waves of an interface are v times something smooth (Filoche and Mayboroda, doi:10.1073/pnas.1120432109),
    and D H D = v^2 kappa K + v M up to discretisation: a matrix without a negative part, which coarse levels can hold.
    """
    p, xp = made.space.pattern, namespace(H)

    def first():
        return xp.zeros_like(w), Scaled(xp.ones_like(w), made.scalar.values(H, kappa, w))

    def landscape():
        A = p.matrix(H)
        v, before = choose(memory.known, lambda: (memory.landscape, memory.earlier), first)
        v = conjugate_gradients(A, made.lumped, v, _inside(made, _cycle(made, before)), xp.where(memory.known, 2, 3))
        v = xp.maximum(v, 0.5 / xp.max(xp.abs(w)))
        mass = xp.maximum(v * (A @ v) / made.lumped, 1e-3 * v)
        return Scaled(v, made.scalar.values(H * v[p.rows] * v[p.indices], kappa * v**2, mass)), v

    def plain():
        return Scaled(xp.ones_like(w), made.scalar.values(H, kappa, w)), 1.0 / xp.maximum(w, 1e-3 * xp.max(w))

    return choose(xp.min(w) < 0.0, landscape, plain)


def _lowest(made: Hierarchies, k: Coefficients, memory: Memory):
    """Least eigenvalue of kappa K + f M against M, by a few steps of LOBPCG with c's earlier cycle; its vector."""
    f, p, M = k.curvature, made.space.pattern, made.mass
    xp = namespace(f)

    def first():
        w = xp.maximum(f, 0.1 * -xp.min(f))
        start = xp.maximum(-f, 0.0) * (1.0 + 0.1 * xp.cos(37.0 * xp.arange(len(f))))
        values = made.scalar.values(made.gradient + M * between(w, p.rows, p.indices), k.kappa, w)
        return start, Scaled(xp.ones_like(f), values)

    def estimate():
        A = p.matrix(made.gradient + 0.5 * M * (f[p.rows] + f[p.indices]))
        x, earlier = choose(memory.known, lambda: (memory.mode, memory.earlier), first)
        steps = xp.where(memory.known, 2, 8)
        value, mode = lowest_eigenpair(A, p.matrix(M), _inside(made, _cycle(made, earlier)), x, steps)
        return value, mode, xp.ones_like(memory.known)

    return choose(xp.min(f) < 0.0, estimate, lambda: (xp.zeros(()), memory.mode, xp.zeros_like(memory.known)))
