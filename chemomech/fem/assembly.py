"""From pointwise densities to residual and tangent. Knows no physics: a density is a function of point values.

The tangent is split as A + dt B + varying: constants are assembled once per run, only varying entries at every
Newton iteration, from as few forward derivatives as the structure allows (`structure.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

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
from .structure import FIXED, STATE, STEP, Entry, classify_columns, colour

Point = Any  # (fields, scalars): fields[f][0 value, 1.. gradient], scalars[s]
T = TypeVar("T")
Residual = tuple[tuple[Float[Array, " n"], ...], Float[Array, " m"]]  # by field, and of the global scalars
Density = Callable[..., Any]  # density(now, frozen, rate, prev, x, normal, t, dt, parameters) -> scalar


class Border(eqx.Module):
    """The tangent's global-scalar rows and columns."""

    column: Float[Array, "m reduced"]  # dR_nodal / ds
    row: Float[Array, "m reduced"]  # dR_s / d nodal
    corner: Float[Array, "m m"]


Values = tuple[Array, Border]  # of the nodal pattern, and what borders it


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


# traced once, not in every kernel that uses them; inlined: of the calls nothing is left for XLA
@functools.partial(jax.jit, static_argnums=(0, 1, 2), inline=True)
def _gradient(density, fields, dim, now, frozen, rate, prev, *rest):
    def total(values):
        return jnp.sum(density(_point(values, fields, dim), frozen, rate, prev, *rest))

    return jax.grad(total)(now)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3), inline=True)
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

    def derivative(moved, now, *rest):
        return jax.jvp(lambda values: gradient(values, *rest), (now,), (moved,))[1]

    arguments = (values, point, point, one, one, x, normal, parameters)
    kinds = classify_columns(derivative, count, arguments, (STATE, STATE, STATE, STATE, STEP, FIXED, FIXED, FIXED))
    return {(p, q): kind for q, column in enumerate(kinds) for p, kind in enumerate(column) if kind is not Entry.ZERO}


def evaluate(term: Term, Z, scalars) -> Point:
    """Field values and gradients at the points of a term's domain."""
    shape = term.domain.weight.shape
    return term.domain.at_points(Z), [jnp.broadcast_to(s, shape) for s in scalars]


def _evaluated(term: Term, states) -> list[Point]:
    """The same of several states in one go: what is derived by the shape functions is then added up once."""
    shape, fields = term.domain.weight.shape, len(states[0][0])
    values = term.domain.at_points(jnp.concatenate([Z for Z, _ in states]))
    return [
        (values[k * fields : (k + 1) * fields], [jnp.broadcast_to(s, shape) for s in scalars])
        for k, (_, scalars) in enumerate(states)
    ]


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


def directional(terms, parameters, now, moved, rate, prev, t, dt) -> Float[Array, ""]:
    """Derivative of the potential with respect to `now` along `moved`, at frozen = now, summed over all domains."""
    total = jnp.zeros(())
    for term, params in zip(terms, parameters, strict=True):
        fields, dim = len(now[0]), term.domain.dim
        here, *old, along = _evaluated(term, (now, rate, prev, moved))
        context = _context(term)

        def density(values, term=term, params=params, here=here, old=old, context=context):
            return term.density(_point(values, fields, dim), here, *old, *context, t, dt, params)  # noqa: B023

        slope = jax.jvp(density, (_flat(here),), (_flat(along),))[1]
        total = total + jnp.sum(term.domain.weight * slope)
    return total


# Everything below adds the contributions of some terms to sums that it is given, so that a whole can be taken slice by
# slice (`slices.py`); physics at points and sums over nodes are kept apart.


def residual(terms, parameters, now, rate, prev, t, dt, total: Residual) -> Residual:
    """The residual of all nodal values and scalars, at frozen = now."""
    nodal, scalar = total
    for term, params in zip(terms, parameters, strict=True):
        values = term.domain.apart(functools.partial(_slopes, term, params, now, rate, prev, t, dt))
        by_field, by_scalar = _point(values, len(now[0]), term.domain.dim)
        nodal = tuple(term.domain.gathered(slope, row) for slope, row in zip(by_field, nodal, strict=True))
        if by_scalar:
            scalar = scalar + jnp.stack([jnp.sum(g) for g in by_scalar])
    return nodal, scalar


def _slopes(term: Term, params, now, rate, prev, t, dt) -> list[Float[Array, "q e"]]:
    """Weighted derivatives of a density with respect to the values at points."""
    here, weight = [evaluate(term, *state) for state in (now, rate, prev)], term.domain.weight
    gradient = _gradient(
        term.density, len(now[0]), term.domain.dim, _flat(here[0]), *here, *_context(term), t, dt, params
    )
    return [jnp.broadcast_to(weight * g, weight.shape) for g in gradient]


def columns(term: Term, params, now, rate, prev, t, dt) -> dict[tuple[int, int], Float[Array, "q e"]]:
    """The varying entries (row, column) of a term's pointwise tangent, both slots differentiated."""

    def make():
        here = [evaluate(term, *state) for state in (now, rate, prev)]
        made = _columns(
            term.density, len(now[0]), term.domain.dim, term.groups, _flat(here[0]), here[1], here[2],
            *_context(term), t, dt, params,
        )  # fmt: skip
        where = {q: k for k, group in enumerate(term.groups) for q in group}
        return [jnp.broadcast_to(made[where[q]][p], term.domain.weight.shape) for p, q in term.varying]

    return dict(zip(term.varying, term.domain.apart(make), strict=True))


def entries(term: Term, parameters, now, rate, prev, t, dt) -> Callable[[int, int], Float[Array, "q e"]]:
    """A function that gives one entry (row, column) of a term's pointwise tangent."""
    here = [evaluate(term, *state) for state in (now, rate, prev)]
    kinds, shape = dict(term.entries), term.domain.weight.shape
    groups = colour(kinds, tuple(Entry))
    where = {q: k for k, group in enumerate(groups) for q in group}

    @functools.cache
    def columns_of(k: int):
        return _columns(
            term.density, len(now[0]), term.domain.dim, (tuple(groups[k]),), _flat(here[0]), here[1], here[2],
            *_context(term), t, dt, parameters,
        )[0]  # fmt: skip

    def entry(p: int, q: int):
        return jnp.broadcast_to(columns_of(where[q])[p], shape) if (p, q) in kinds else jnp.zeros(shape)

    return entry


def scattered(data: Float[Array, " nnz"], values, domain: Domain, place: Int[Array, "k k e"]) -> Array:
    """Element matrices of one scalar added up: values[a, b] between derivatives a and b (0: the value itself)."""
    rows: dict[int, list[tuple[Array, Array]]] = {}
    for (a, b), D in values.items():
        rows.setdefault(a, []).append((domain.weight * D, domain.trial(b)))
    block = sum(_tested(domain, a, terms) for a, terms in rows.items())
    return data.at[place].add(block, mode="drop")


def varying(terms, parameters, pattern: Pattern, lift: Lift, now, rate, prev, t, dt, total: Values) -> Values:
    """The part of the tangent that changes with the state."""
    for term, params in zip(terms, parameters, strict=True):
        entries = columns(term, params, now, rate, prev, t, dt)
        total = _scatter(total, entries, term.domain, pattern, lift, len(now[0]))
    return total


def constant(terms, parameters, pattern: Pattern, lift: Lift, now, total: tuple[Values, Values]):
    """The constant parts A and B of the tangent A + dt B + varying."""
    out = dict(zip((Entry.CONSTANT, Entry.DT), total, strict=True))
    one = jnp.ones(())
    for term, params in zip(terms, parameters, strict=True):
        keys = {key: kind for key, kind in term.entries if kind in out}
        state = evaluate(term, *now)
        groups = colour(dict(term.entries), tuple(out))
        columns = _columns(
            term.density, len(now[0]), term.domain.dim, tuple(map(tuple, groups)), _flat(state), state, state,
            *_context(term), one, one, params,
        )  # fmt: skip
        where = {q: k for k, group in enumerate(groups) for q in group}
        for kind in out:
            values = {(p, q): columns[where[q]][p] for (p, q), k in keys.items() if k is kind}
            out[kind] = _scatter(out[kind], values, term.domain, pattern, lift, len(now[0]))
    return out[Entry.CONSTANT], out[Entry.DT]


def no_residual(fields: int, n: int, m: int) -> Residual:
    """Zeros to add to."""
    return tuple(jnp.zeros(n) for _ in range(fields)), jnp.zeros(m)


def no_border(size: int, m: int) -> Border:
    """Zeros to add to."""
    return Border(jnp.zeros((m, size)), jnp.zeros((m, size)), jnp.zeros((m, m)))


def no_values(pattern: Pattern, m: int) -> Values:
    """Zeros to add to."""
    return jnp.zeros(pattern.nnz), no_border(pattern.size, m)


def _scatter(total: Values, values, domain: Domain, pattern: Pattern, lift: Lift, fields: int) -> Values:
    data, width = total[0], domain.dim + 1
    pair = domain.apart(lambda: pattern.node_pair[:, :, domain.cell])
    for (i, j), entries in by_pair(values, width, fields).items():
        data = scattered(data, entries, domain, pattern.slot[i, j][pair])
    return data, bordered(total[1], values, domain, lift, fields)


def by_pair(values, width: int, fields: int) -> dict[tuple[int, int], dict[tuple[int, int], Array]]:
    """Entries between nodal values, by the two fields and then by their derivatives."""
    out: dict[tuple[int, int], dict[tuple[int, int], Array]] = {}
    for (p, q), D in values.items():
        if max(p, q) < fields * width:
            out.setdefault((p // width, q // width), {})[p % width, q % width] = D
    return out


def bordered(border: Border, values, domain: Domain, lift: Lift, fields: int) -> Border:
    """The entries with a global scalar, added up."""
    width, n = domain.dim + 1, len(lift.index) // fields
    nodal = fields * width
    column, row, corner = border.column, border.row, border.corner
    for (p, q), D in values.items():
        if max(p, q) < nodal:
            continue
        weighted = domain.weight * jnp.broadcast_to(D, domain.weight.shape)
        if p < nodal:
            column = _collect(column, q - nodal, weighted, p, domain, lift.index, n)
        elif q < nodal:
            row = _collect(row, p - nodal, weighted, q, domain, lift.index, n)
        else:
            corner = corner.at[p - nodal, q - nodal].add(jnp.sum(weighted))
    return Border(column, row, corner)


def _tested(domain: Domain, a: int, terms) -> Float[Array, "k k e"]:
    """sum_q T_a (sum_b w_q D_q T_b): the trial side is added up first, before the product of all pairs of nodes."""
    test = domain.trial(a)
    if test.shape[0] == 1:  # constant over the cell: it leaves the sum over the points
        total = sum(over_points(wD) * T[0] if T.shape[0] == 1 else over_points(wD, T) for wD, T in terms)
        return test[0][:, None] * total[None]
    trial = [sum(wD[q] * T[q % T.shape[0]] for wD, T in terms) for q in range(test.shape[0])]
    return over_points(test[:, :, None], [v[None] for v in trial])


def _collect(rows, k: int, weighted, p: int, domain: Domain, index, n: int):
    field, derivative = divmod(p, domain.dim + 1)
    shape = domain.trial(derivative)
    local = over_points(weighted) * shape[0] if shape.shape[0] == 1 else over_points(weighted, shape)
    where = index[field * n + domain.nodes]
    return rows.at[k, where].add(jnp.broadcast_to(local, where.shape), mode="drop")


def combine(A: T, B: T, C: T, dt) -> T:
    """A + dt B + C."""
    return jax.tree.map(lambda a, b, c: a + dt * b + c, A, B, C)
