"""The Cahn-Hilliard and elastic coefficients of a problem's tangent, read off its pointwise entries.

Nothing here knows the physics: mobility, reaction rate, curvature and gradient energy are second derivatives of the
incremental potential with respect to mu, grad mu, c and grad c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_matrix

from .fem import assembly
from .fem.blocks import Blocks, build_blocks
from .fem.domain import over_points
from .fem.slices import across, over_slices
from .fem.structure import Entry
from .problem import Drive, Problem, driven, expand, per_domain, restrict
from .solve.fields import FieldTangent, Scalars
from .solve.root_matching import Coefficients
from .solve.scalar_hierarchy import directions
from .tensors import inverse_form
from .thermo import coherency

SAMPLE = 400  # cells on which the softest plane wave is looked for
RELIEVED = 0.9  # of that relief, what a finite body finds
Key = tuple[int, int]
Pair = tuple[str, str]


class Steady(NamedTuple):
    """What does not change with the state; the sums are over the cells around each node."""

    constant: Float[Array, "7 n"]
    rated: Float[Array, "7 n"]  # of what is proportional to dt
    sites: Float[Array, " n"]
    relief: Float[Array, ""]  # what the strain of the softest plane wave takes off the curvature


class FieldParts:
    """Blocks, constant parts and nodal coefficients of one problem's tangents, all as JAX arrays.

    Args:
        problem: what is solved.
        constants: the parts A and B of its tangent A + dt B + varying.
        call: calls a compiled kernel with the problem in front.
    """

    def __init__(self, problem: Problem, constants: Any, call: Callable):
        self.problem, self.constants, self._call = problem, constants, call
        self.blocks: Blocks = build_blocks(problem.mesh, problem.fields, problem.lift, problem.pattern)
        self._place, self._zero = places(problem, self.blocks), jnp.zeros(len(self.blocks.indices))
        self._groups = groups(self.blocks)
        self._steady: Steady | None = None
        self._parts: dict[Pair, tuple[Any, Any]] = {}
        self._varies = frozenset(changing_pairs(problem))

    def tangent(self, x, given, drive: Drive, balance: Any) -> FieldTangent:
        """The tangent at x, block by block; `given` is (rate, prev, t, dt), scaled."""
        dt, acts = given[-1], (drive.prescribed, drive.value)
        borders = [part[1] for part in self.constants]
        pairs, border, sums = self._call(varying, borders, self._place, self._zero, x, *given, *acts)
        return FieldTangent(
            self.blocks, self.problem.lift.size, border, balance, self._varies,
            lambda pair: self._values(pair, pairs, dt),
            self._scalars,
            lambda: self._call(coefficients, sums, self._start(), self._groups, dt),
        )  # fmt: skip

    def _values(self, pair: Pair, varying, dt):
        """One pair's values on the pattern of a scalar."""
        if pair not in self._parts:
            slot = self.blocks.slot.get(pair)
            parts = [] if slot is None else [_at(part[0], slot) for part in self.constants]
            self._parts[pair] = tuple(part if jnp.any(part) else None for part in parts) or (None, None)
        return _added(*self._parts[pair], varying.get(pair), dt)

    def _start(self) -> Steady:
        if self._steady is None:
            self._steady = made = self._call(steady, *self._reference(), normals(self.problem))
            return made
        return self._steady

    def _reference(self):
        """A half-filled state at rest: what is taken as constant must not depend on where a run began."""
        state = self.problem.pack(self.problem.uniform(0.5))
        return self._call(restrict, state), state, state, 0.0

    def _scalars(self) -> Scalars:
        """The scalar matrices at the reference state."""
        b = self.blocks
        data = self._call(scalar_matrices, *self._reference(), self._place, self._zero)
        mass, stiffness, gradient, diffusion, mean = (
            csr_matrix((np.asarray(v), b.indices, b.indptr), shape=(b.size, b.size)) for v in data
        )
        relief = relief_of(self.problem, self._start())
        return Scalars(mass, stiffness, gradient, directions(stiffness, diffusion, mean), relief)


def relief_of(problem: Problem, fixed: Steady) -> float:
    """What the strain of the softest plane wave takes off the curvature, over R T."""
    return float(fixed.relief) / float(problem.scales.apply(problem.host).RT)


def places(problem: Problem, blocks: Blocks) -> Int[Array, " pairs"]:
    """The scalar entry of each pair of nodes."""
    node_pair = np.asarray(problem.pattern.node_pair)
    place = np.zeros(node_pair.max() + 1, np.int32)
    place[node_pair] = blocks.entry
    return jnp.asarray(place)


@jax.jit
def _at(data, slot):
    """Values at some places; zero at their number."""
    return jnp.append(data, 0.0)[slot]


@jax.jit
def _added(constant, rated, varying, dt):
    terms = [constant, None if rated is None else dt * rated, varying]
    present = [v for v in terms if v is not None]
    return sum(present[1:], present[0]) if present else None


def groups(blocks: Blocks) -> tuple[Any, Any]:
    """The group of each node and a zero for each group."""
    return jnp.asarray(blocks.node), jnp.zeros(blocks.size)


def changing_pairs(problem: Problem) -> set[Pair]:
    """Pairs of components whose entries change with the state or the length of the step."""
    names, width = problem.fields, problem.mesh.dim + 1
    kinds = (Entry.VARYING, Entry.DT)
    keys = [key for term in problem.terms for key, kind in term.entries if kind in kinds]
    return {(names[p // width], names[q // width]) for p, q in keys if max(p, q) < width * len(names)}


class _Keys(NamedTuple):
    """Which pointwise entries are what: (row, column) of values and gradients of c and mu."""

    mobility: tuple[Key, ...]
    reaction: tuple[Key, ...]
    curvature: tuple[Key, ...]
    kappa: tuple[Key, ...]
    storage: tuple[Key, ...]

    @property
    def sites(self) -> Key:
        """Minus the site density; the transposed entry has the derivative of the reaction too."""
        return self.curvature[0][0], self.reaction[0][0]

    def weighted(self) -> list[tuple[tuple[Key, ...], float, bool]]:
        """Keys, their factor (means over the directions, all positive), and whether they are meant on facets."""
        share = 1.0 / len(self.mobility)
        return [
            (self.mobility, -share, False), (self.reaction, -1.0, False), (self.curvature, 1.0, False),
            (self.kappa, share, False), (self.storage, -1.0, False),
            (self.reaction, -1.0, True), (self.storage, -1.0, True),
        ]  # fmt: skip


def _keys(problem: Problem) -> _Keys:
    width = problem.terms[0].domain.dim + 1
    c, mu = (problem.fields.index(name) * width for name in ("c", "mu"))
    diagonal = [tuple((k + a, k + a) for a in range(1, width)) for k in (c, mu)]
    return _Keys(diagonal[1], ((mu, mu),), ((c, c),), diagonal[0], ((mu, c),))


def _cells(problem: Problem):
    """Terms on cells, with their parameters."""
    pairs = zip(problem.terms, problem.parameters(), strict=True)
    return [(term, params) for term, params in pairs if not _on_facets(term)]


def _on_facets(term) -> bool:
    return term.domain.normal is not None


def _nodes(problem: Problem) -> int:
    return problem.lift.index.shape[0] // len(problem.fields)


def _places(problem: Problem, domain, place):
    """Where each pair of nodes of a domain's cells lies in a scalar's matrix."""
    return domain.apart(lambda: place[problem.pattern.node_pair[:, :, domain.cell]])


def _add(out, share: float, domain, values):
    """Squared shape functions times point values, added to sums at the nodes."""
    weighted = share * domain.weight * jnp.broadcast_to(values, domain.weight.shape)
    for a in range(domain.nodes.shape[0]):
        out = out.at[domain.nodes[a]].add(over_points(weighted, domain.N[:, a] ** 2))
    return out


# --- kernels --------------------------------------------------------------------------------------------------------


def varying(problem: Problem, constants, place, zero, x, rate, prev, t, dt, prescribed, value):
    """What changes with the state: values of each pair of components on the pattern of a scalar, and nodal sums.

    Between them, the border with its constant parts.
    """
    now, names, width = expand(problem, x), problem.fields, problem.terms[0].domain.dim + 1
    keys = _keys(problem).weighted() if {"c", "mu"} <= set(names) else []

    def add(part, total):
        pairs, border, sums = dict(total[0]), total[1], list(total[2])
        for term, params in zip(part.terms, part.parameters(), strict=True):
            entries = assembly.columns(term, params, now, rate, prev, t, dt)
            here = _places(part, term.domain, place)
            for (i, j), values in assembly.by_pair(entries, width, len(names)).items():
                pair = names[i], names[j]
                pairs[pair] = assembly.scattered(pairs[pair], values, term.domain, here)
            border = assembly.bordered(border, entries, term.domain, problem.lift, len(names))
            for k, (wanted, share, facets) in enumerate(keys):
                found = [entries[key] for key in wanted if key in entries]
                if found and facets == _on_facets(term):
                    sums[k] = _add(sums[k], share, term.domain, sum(found))
        return pairs, border, tuple(sums)

    found = (assembly.by_pair(dict.fromkeys(term.varying), width, len(names)) for term in problem.terms)
    pairs = {(names[i], names[j]): zero for table in found for i, j in table}
    border = assembly.no_border(problem.lift.size, len(now[1]))
    pairs, border, sums = over_slices(problem, add, (pairs, border, (jnp.zeros(_nodes(problem)),) * 7))
    return (
        pairs,
        driven(assembly.combine(constants[0], constants[1], border, dt), Drive(prescribed, value)),
        jnp.stack(sums),
    )


def coefficients(problem: Problem, varying, fixed: Steady, groups, dt) -> Coefficients:
    """Nodal coefficients of the Cahn-Hilliard block; `groups` says where each node goes."""
    number, zero = groups
    sums = (*(fixed.constant + dt * fixed.rated + varying), fixed.sites)
    *total, sites = (zero.at[number].add(row) for row in sums)
    mobility, reaction, curvature, kappa, storage, facets, facet_storage = (row / sites for row in total)
    mobility, reaction, kappa, facets = (jnp.maximum(v, 0.0) for v in (mobility, reaction, kappa, facets))
    curvature = curvature - RELIEVED * fixed.relief
    return Coefficients(mobility, reaction, curvature, kappa, fixed.relief, storage, facets, facet_storage)


def steady(problem: Problem, x, rate, prev, t, normals) -> Steady:
    """What does not change with the state."""
    relief = _relief(problem, x, rate, prev, t, normals) if "u.x" in problem.fields else jnp.zeros(())
    return Steady(*_constant_sums(problem, x, rate, prev, t), relief)


def _constant_sums(problem: Problem, x, rate, prev, t):
    """Nodal sums of constant entries, of those proportional to dt at dt = 1, and of the site density."""
    keys, now, one = _keys(problem), expand(problem, x), jnp.ones(())

    def add(part, total):
        out, sites = {kind: list(total[0][k]) for k, kind in enumerate((Entry.CONSTANT, Entry.DT))}, total[1]
        for term, params in zip(part.terms, part.parameters(), strict=True):
            kinds = dict(term.entries)
            entry = assembly.entries(term, params, now, rate, prev, t, one)
            for k, (wanted, share, facets) in enumerate(keys.weighted()):
                for key in wanted:
                    if kinds.get(key) in out and facets == _on_facets(term):
                        sums = out[kinds[key]]
                        sums[k] = _add(sums[k], share, term.domain, entry(*key))
            if keys.sites in kinds and not _on_facets(term):
                sites = _add(sites, -1.0, term.domain, entry(*keys.sites))
        return (tuple(out[Entry.CONSTANT]), tuple(out[Entry.DT])), sites

    nothing = (jnp.zeros(_nodes(problem)),) * 7
    (constant, rated), sites = over_slices(problem, add, ((nothing, nothing), nothing[0]))
    return jnp.stack(constant), jnp.stack(rated), sites


def scalar_matrices(problem: Problem, x, rate, prev, t, place, zero):
    """Values of the mass, stiffness and gradient-energy matrices on the pattern of a scalar.

    And of diffusion, minus what d2psi/dgrad mu^2 gives, with its tensor and with the tensor's mean for each direction.
    """
    keys, now, one = _keys(problem), expand(problem, x), jnp.ones(())
    c, mu = (key[0][0] for key in (keys.curvature, keys.reaction))

    def add(part, total):
        mass, stiffness, gradient, diffusion, mean = total
        for term, params in _cells(part):
            kinds, axes = dict(term.entries), range(1, term.domain.dim + 1)
            entry = assembly.entries(term, params, now, rate, prev, t, one)
            here = _places(part, term.domain, place)
            mobility, curved = (
                {(a, b): sign * entry(k + a, k + b) for a in axes for b in axes if (k + a, k + b) in kinds}
                for k, sign in ((mu, -1.0), (c, 1.0))
            )
            if keys.sites in kinds:
                sites = -entry(*keys.sites)
                mass = assembly.scattered(mass, {(0, 0): sites}, term.domain, here)
                stiffness = assembly.scattered(stiffness, {(a, a): sites for a in axes}, term.domain, here)
            if curved:
                gradient = assembly.scattered(gradient, curved, term.domain, here)
            if mobility:
                alike = sum(mobility.get((a, a), 0.0) for a in axes) / len(axes)
                diffusion = assembly.scattered(diffusion, mobility, term.domain, here)
                mean = assembly.scattered(mean, {(a, a): alike for a in axes}, term.domain, here)
        return mass, stiffness, gradient, diffusion, mean

    return over_slices(problem, add, (zero,) * 5)


def _relief(problem: Problem, x, rate, prev, t, normals) -> Float[Array, ""]:
    """The most that a plane wave's strain takes off d2psi/dc2: (s n).(n C n)^-1 (s n), s = d2psi/dc dH, per site."""
    width, dim = problem.terms[0].domain.dim + 1, problem.terms[0].domain.dim
    c = problem.fields.index("c") * width
    u = [problem.fields.index(f"u.{a}") * width for a in "xyz"[:dim]]
    raw, most = problem.scales.apply((problem.potentials, problem.host, problem.kinematics)), jnp.zeros(())
    for whole, member in zip(problem.terms, problem.members, strict=True):
        kinds = dict(whole.entries)
        if whole.domain.normal is not None or not any((u[0] + 1, c) == key for key in kinds):
            continue
        term = eqx.tree_at(lambda term: term.domain, whole, _thinned(whole.domain))
        params = per_domain(raw, member, term.domain)
        value = assembly.entries(term, params, expand(problem, x), rate, prev, t, jnp.ones(()))
        s = jnp.stack([jnp.stack([value(c, u[i] + a) for a in range(1, width)]) for i in range(dim)])
        C = jnp.stack([
            jnp.stack([jnp.stack([jnp.stack([value(u[i] + a, u[j] + b) for b in range(1, width)]) for j in range(dim)])
                       for a in range(1, width)]) for i in range(dim)
        ])  # fmt: skip
        force = jnp.einsum("ia...,na->in...", s, normals)
        acoustic = jnp.einsum("iajb...,na,nb->ijn...", C, normals, normals)
        found = inverse_form(acoustic, force)
        sites = -value(c, problem.fields.index("mu") * width)
        counted = (sites > 0) & (term.domain.weight > 0)  # a part of a mesh is padded with cells of weight zero
        most = jnp.maximum(most, jnp.max(jnp.where(counted, found / jnp.where(counted, sites, 1.0), 0.0)))
    return across(problem, most, "max")


def _thinned(domain):
    """A sample of the cells of a domain."""
    every = max(1, domain.nodes.shape[1] // SAMPLE)
    return jax.tree.map(lambda v: v[..., ::every] if v.shape[-1] > 1 else v, domain)


def normals(problem: Problem) -> Float[np.ndarray, "k dim"]:
    """Directions in which the softest plane wave is looked for."""
    dim = problem.terms[0].domain.dim
    return coherency.normals(dim, 61 if dim == 2 else 25)[:, :dim]
