"""From pointwise densities to residual and tangent. Knows no physics: a density is a function of point values.

The tangent is split as A + dt B + varying: constants are assembled once per run, only varying entries at every
Newton iteration, from as few forward derivatives as the structure allows (`structure.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_matrix

from .connectivity import graph, ranked
from .constraints import Lift
from .domain import Domain, over_points
from .mesh import Mesh
from .structure import FIXED, STATE, STEP, Entry, classify, colour

Point = Any  # (fields, scalars): fields[f][0 value, 1.. gradient], scalars[s]
Density = Callable[..., Any]  # density(now, frozen, rate, prev, x, normal, t, dt, parameters) -> scalar


class Border(eqx.Module):
    """The tangent's global-scalar rows and columns."""

    column: Float[Array, "m reduced"]  # dR_nodal / ds
    row: Float[Array, "m reduced"]  # dR_s / d nodal
    corner: Float[Array, "m m"]


class Tangent(eqx.Module):
    """Values of the sparse nodal tangent and its border; `csr` is the matrix that a host solver sees."""

    data: Float[Array, " nnz"]
    border: Border
    pattern: Pattern
    balance: tuple[Any, Any] | None = None  # (trial, test): directions in which a solve must leave no residual

    def csr(self) -> csr_matrix:
        """The nodal block as a SciPy matrix (values shared, not copied, on the CPU)."""
        p = self.pattern
        return csr_matrix((np.asarray(self.data), p.indices, p.indptr), shape=(p.size, p.size))


class Pattern(eqx.Module):
    """Sparsity from connectivity: where each element entry of each pair of components goes."""

    indptr: Int[np.ndarray, " rows"]
    indices: Int[np.ndarray, " nnz"]
    node_pair: Int[Array, "k k cells"]
    slot: dict[tuple[int, int], Int[Array, " pairs"]]
    size: int = eqx.field(static=True)

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return len(self.indices)


def build_pattern(mesh: Mesh, lift: Lift, pairs: list[tuple[int, int]]) -> Pattern:
    """The CSR pattern of the reduced nodal tangent for the coupled component pairs."""
    n, size = len(mesh.points), lift.size
    nodes = graph(mesh.cells.T, n)
    row_node, column_node = nodes.rows, nodes.indices
    index = np.asarray(lift.index, dtype=np.int64)
    table, parts, count = {}, [], 0
    for chunk in _apart(pairs, index.reshape(-1, n), size):  # rows of one field at a time: a fifth of the memory
        rows = np.stack([index[i * n + row_node] for i, _ in chunk])
        columns = np.stack([index[j * n + column_node] for _, j in chunk])
        valid = (rows < size) & (columns < size)
        kept, where = ranked(rows[valid] * size + columns[valid])
        slots = np.full(rows.shape, np.iinfo(np.int32).max, np.int32)
        slots[valid] = count + where
        table |= dict(zip(chunk, slots, strict=True))
        parts.append(kept)
        count += len(kept)
    rows, columns = np.divmod(np.concatenate([np.zeros(0, np.int64), *parts]), size)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=size))]).astype(np.int32)
    table = {pair: jnp.asarray(np.minimum(slots, count)) for pair, slots in table.items()}  # count: not there
    return Pattern(indptr, columns.astype(np.int32), jnp.asarray(nodes.entry), table, size)


def _apart(pairs, index, size) -> list[list[tuple[int, int]]]:
    """The pairs in groups whose reduced rows follow one another: by row field, unless fields are tied together."""
    groups: list[list[tuple[int, int]]] = []
    last = -1
    for i in sorted({i for i, _ in pairs}):
        free = index[i][index[i] < size]
        own = [pair for pair in pairs if pair[0] == i]
        if groups and free.min(initial=size) <= last:
            groups[-1] += own
        else:
            groups.append(own)
        last = max(last, free.max(initial=-1))
    return groups


class Term(eqx.Module):
    """One density on one domain, with what the walk over its jaxpr found."""

    density: Density = eqx.field(static=True)
    domain: Domain
    entries: tuple[tuple[tuple[int, int], Entry], ...] = eqx.field(static=True)
    groups: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @classmethod
    def analyse(cls, density: Density, domain: Domain, parameters: Any, fields: int, scalars: int) -> Term:
        """Classify the pointwise tangent of a density, given its parameters at one point."""
        entries = classify_density(density, domain, parameters, fields, scalars)
        return cls(density, domain, tuple(entries.items()), tuple(map(tuple, colour(entries))))

    @property
    def varying(self) -> list[tuple[int, int]]:
        """The (row, column) entries that change with the state."""
        return [key for key, kind in self.entries if kind is Entry.VARYING]


def _flat(point: Point) -> list[Any]:
    return [v for field in point[0] for v in field] + list(point[1])


def _point(values: list[Any], fields: int, dim: int) -> Point:
    width = dim + 1
    return [values[f * width : (f + 1) * width] for f in range(fields)], values[fields * width :]


def _gradient(density, fields, dim, now, frozen, rate, prev, *rest):
    def total(values):
        return jnp.sum(density(_point(values, fields, dim), frozen, rate, prev, *rest))

    return jax.grad(total)(now)


def _columns(density, fields, dim, groups, now, rate, prev, *rest):
    """d(pointwise gradient)/d(values), both slots, one forward derivative for each group of columns."""

    def gradient(values):
        return _gradient(density, fields, dim, values, _point(values, fields, dim), rate, prev, *rest)

    out = []
    for group in groups:

        def along(moved, group=group):
            values = list(now)
            for q, v in zip(group, moved, strict=True):
                values[q] = v
            return gradient(values)

        moved = [now[q] for q in group]
        out.append(jax.jvp(along, (moved,), ([jnp.ones_like(v) for v in moved],))[1])
    return out


def classify_density(density, domain, parameters, fields, scalars) -> dict[tuple[int, int], Entry]:
    """Class of every entry (row, column) of the pointwise tangent that is not identically zero."""
    dim, count = domain.dim, fields * (domain.dim + 1) + scalars
    one = jnp.asarray(0.5)
    values = [one] * count
    point = _point(values, fields, dim)
    x = [one] * dim
    normal = None if domain.normal is None else [one] * dim

    def gradient(now, rate, prev, t, dt, x, normal, parameters):
        frozen = _point(now, fields, dim)
        return _gradient(density, fields, dim, now, frozen, rate, prev, x, normal, t, dt, parameters)

    arguments = (values, point, point, one, one, x, normal, parameters)
    traced = jax.make_jaxpr(gradient)(*arguments)  # the physics is traced once, its columns are cheap

    def columns(now, *rest):
        others = jax.tree.leaves(rest)

        def column(q):
            moved = lambda v: jax.core.eval_jaxpr(traced.jaxpr, traced.consts, *now[:q], v, *now[q + 1 :], *others)  # noqa: E731
            return jax.jvp(moved, (now[q],), (jnp.ones_like(now[q]),))[1]

        return [v for q in range(count) for v in column(q)]

    kinds = classify(columns, arguments, (STATE, STATE, STATE, STATE, STEP, FIXED, FIXED, FIXED))
    table = {(k % count, k // count): kind for k, kind in enumerate(kinds)}
    return {key: kind for key, kind in table.items() if kind is not Entry.ZERO}


def evaluate(term: Term, Z, scalars) -> Point:
    """Field values and gradients at the points of a term's domain."""
    shape = term.domain.weight.shape
    return term.domain.at_points(Z), [jnp.broadcast_to(s, shape) for s in scalars]


def _context(term: Term):
    domain = term.domain
    normal = None if domain.normal is None else list(domain.normal)
    return list(domain.x), normal


def potential(terms, parameters, now, frozen, rate, prev, t, dt) -> Float[Array, ""]:
    """The incremental potential summed over all domains; each state is (Z, scalars)."""
    total = jnp.zeros(())
    for term, params in zip(terms, parameters, strict=True):
        states = [evaluate(term, *state) for state in (now, frozen, rate, prev)]
        x, normal = _context(term)
        total = total + jnp.sum(term.domain.weight * term.density(*states, x, normal, t, dt, params))
    return total


# Residual and tangent come in two halves, physics at points and sums over nodes, to be compiled apart: in one piece
# XLA fuses them and evaluates the physics anew for every node, or pair of nodes, of an element.


def slopes(terms, parameters, now, rate, prev, t, dt) -> list[list[Float[Array, "q e"]]]:
    """Weighted derivatives of each density with respect to the values at points, at frozen = now."""
    out = []
    for term, params in zip(terms, parameters, strict=True):
        here = [evaluate(term, *state) for state in (now, rate, prev)]
        gradient = _gradient(
            term.density, len(now[0]), term.domain.dim, _flat(here[0]), here[0], here[1], here[2],
            *_context(term), t, dt, params,
        )  # fmt: skip
        out.append([jnp.broadcast_to(term.domain.weight * g, term.domain.weight.shape) for g in gradient])
    return out


def residual(terms, at_points, fields: int, n: int, m: int) -> tuple[Float[Array, "fields n"], Float[Array, " m"]]:
    """The residual of all nodal values and scalars, from the slopes at points."""
    nodal, scalar = jnp.zeros((fields, n)), jnp.zeros(m)
    for term, values in zip(terms, at_points, strict=True):
        by_field, by_scalar = _point(values, fields, term.domain.dim)
        nodal = nodal + jnp.stack([term.domain.gathered(slope, n) for slope in by_field])
        if by_scalar:
            scalar = scalar + jnp.stack([jnp.sum(g) for g in by_scalar])
    return nodal, scalar


def columns(terms, parameters, now, rate, prev, t, dt) -> list[list[Float[Array, "q e"]]]:
    """The varying entries of each term's pointwise tangent, in the order of its `varying`."""
    out = []
    for term, params in zip(terms, parameters, strict=True):
        here = [evaluate(term, *state) for state in (now, rate, prev)]
        made = _columns(
            term.density, len(now[0]), term.domain.dim, term.groups, _flat(here[0]), here[1], here[2],
            *_context(term), t, dt, params,
        )  # fmt: skip
        where = {q: k for k, group in enumerate(term.groups) for q in group}
        out.append([jnp.broadcast_to(made[where[q]][p], term.domain.weight.shape) for p, q in term.varying])
    return out


def entries(term: Term, parameters, now, rate, prev, t, dt) -> Callable[[int, int], Float[Array, "q e"]]:
    """A function that gives one entry (row, column) of a term's pointwise tangent."""
    here = [evaluate(term, *state) for state in (now, rate, prev)]

    @functools.cache
    def column(q: int):
        return _columns(
            term.density, len(now[0]), term.domain.dim, ((q,),), _flat(here[0]), here[1], here[2],
            *_context(term), t, dt, parameters,
        )[0]  # fmt: skip

    return lambda p, q: jnp.broadcast_to(column(q)[p], term.domain.weight.shape)


def scattered(data: Float[Array, " nnz"], values, domain: Domain, place: Int[Array, "k k cells"]) -> Array:
    """Element matrices of one scalar added up: values[a, b] between derivatives a and b (0: the value itself)."""
    block = sum(_contract(domain.weight * D, domain.trial(a), domain.trial(b)) for (a, b), D in values.items())
    return data.at[place[:, :, domain.cell]].add(block)


def varying(terms, at_points, pattern: Pattern, lift: Lift, fields: int, m: int) -> tuple[Array, Border]:
    """The part of the tangent that changes with the state, from its entries at points."""
    out = _empty(pattern, m)
    for term, values in zip(terms, at_points, strict=True):
        entries = dict(zip(term.varying, values, strict=True))
        out = _scatter(out, entries, term.domain, pattern, lift, fields)
    return out


def constant(terms, parameters, pattern: Pattern, lift: Lift, now) -> tuple[tuple[Array, Border], tuple[Array, Border]]:
    """The constant parts A and B of the tangent A + dt B + varying."""
    out = {Entry.CONSTANT: _empty(pattern, len(now[1])), Entry.DT: _empty(pattern, len(now[1]))}
    one = jnp.ones(())
    for term, params in zip(terms, parameters, strict=True):
        keys = {key: kind for key, kind in term.entries if kind in out}
        state = evaluate(term, *now)
        groups = colour(dict(term.entries), tuple(out))
        columns = _columns(
            term.density, len(now[0]), term.domain.dim, groups, _flat(state), state, state,
            *_context(term), one, one, params,
        )  # fmt: skip
        where = {q: k for k, group in enumerate(groups) for q in group}
        for kind in out:
            values = {(p, q): columns[where[q]][p] for (p, q), k in keys.items() if k is kind}
            out[kind] = _scatter(out[kind], values, term.domain, pattern, lift, len(now[0]))
    return out[Entry.CONSTANT], out[Entry.DT]


def _empty(pattern: Pattern, m: int) -> tuple[Array, Border]:
    border = Border(jnp.zeros((m, pattern.size)), jnp.zeros((m, pattern.size)), jnp.zeros((m, m)))
    return jnp.zeros(pattern.nnz), border


def _scatter(out, values, domain: Domain, pattern: Pattern, lift: Lift, fields: int):
    data, border = out
    width, n = domain.dim + 1, len(lift.index) // fields
    nodal = fields * width
    blocks: dict[tuple[int, int], Any] = {}
    for (p, q), D in values.items():
        weighted = domain.weight * jnp.broadcast_to(D, domain.weight.shape)
        if p < nodal and q < nodal:
            (i, a), (j, b) = divmod(p, width), divmod(q, width)
            block = _contract(weighted, domain.trial(a), domain.trial(b))
            blocks[i, j] = blocks[i, j] + block if (i, j) in blocks else block
        elif p < nodal:
            i, a = divmod(p, width)
            column = _collect(weighted, domain.trial(a), lift.index[i * n + domain.nodes], pattern.size)
            border = eqx.tree_at(lambda b: b.column, border, border.column.at[q - nodal].add(column))
        elif q < nodal:
            j, b = divmod(q, width)
            row = _collect(weighted, domain.trial(b), lift.index[j * n + domain.nodes], pattern.size)
            border = eqx.tree_at(lambda b: b.row, border, border.row.at[p - nodal].add(row))
        else:
            corner = border.corner.at[p - nodal, q - nodal].add(jnp.sum(weighted))
            border = eqx.tree_at(lambda b: b.corner, border, corner)
    for pair, block in blocks.items():
        data = data.at[pattern.slot[pair][pattern.node_pair[:, :, domain.cell]]].add(block, mode="drop")
    return data, border


def _contract(weighted, test, trial):
    """sum_q w_q D_q T_a T_b -> (a, b, e); quantities constant over the cell leave the sum first."""
    if test.shape[0] == 1 and trial.shape[0] == 1:
        return over_points(weighted) * test[0][:, None] * trial[0][None]
    if test.shape[0] == 1:
        return test[0][:, None] * over_points(weighted, trial)[None]
    if trial.shape[0] == 1:
        return over_points(weighted, test)[:, None] * trial[0][None]
    return sum(weighted[q] * (test[q][:, None] * trial[q][None]) for q in range(test.shape[0]))


def _collect(weighted, shape, index, size):
    local = over_points(weighted) * shape[0] if shape.shape[0] == 1 else over_points(weighted, shape)
    return jnp.zeros(size + 1).at[index].add(jnp.broadcast_to(local, index.shape))[:-1]


def combine(A: tuple[Array, Border], B: tuple[Array, Border], C: tuple[Array, Border], dt) -> tuple[Array, Border]:
    """A + dt B + C."""
    return jax.tree.map(lambda a, b, c: a + dt * b + c, A, B, C)
