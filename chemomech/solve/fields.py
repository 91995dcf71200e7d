"""The nodal tangent block by block: c, mu and u, each on the pattern of a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.sparse import bsr_matrix, csr_matrix

from .root_matching import Coefficients

Vector = Float[np.ndarray, " N"]
Pair = tuple[str, str]


class Scalars(NamedTuple):
    """Constant matrices on the pattern of a scalar, with the site density in the mass and the stiffness."""

    mass: csr_matrix
    stiffness: csr_matrix  # unit coefficient
    gradient: csr_matrix  # of the gradient energy


class FieldTangent(NamedTuple):
    """What a solver that knows the fields sees of a tangent; the calls are evaluated when needed."""

    blocks: Any  # `fem.blocks.Blocks`
    size: int  # of the nodal block
    border: Any
    balance: Any  # (trial, test): directions in which a solve must leave no residual
    varies: frozenset[Pair]  # pairs of components whose entries change with the state
    values: Callable[[Pair], Any]  # on the pattern of a scalar, or None
    scalars: Callable[[], Scalars]
    coefficients: Callable[[], Coefficients]


class Assembler:
    """Makes the matrices of a tangent; what does not change is kept from the first one."""

    def __init__(self, tangent: FieldTangent):
        b = self.blocks = tangent.blocks
        self.size, self.dim = tangent.size, b.u.shape[1]
        self.free_c, self.free_mu, self.free_u = (v < tangent.size for v in (b.c, b.mu, b.u))
        self.has_c, self.has_mu, self.has_u = (bool(v.any()) for v in (self.free_c, self.free_mu, self.free_u))
        self.displacement = b.u.ravel()
        self.names = [f"u.{a}" for a in "xyz"[: self.dim]]
        self.rows = np.repeat(np.arange(b.size, dtype=np.int32), np.diff(b.indptr))
        self.diagonal = np.flatnonzero(self.rows == b.indices)
        self._kept: dict[str, Any] = {}

    def matrix(self, data: Vector) -> csr_matrix:
        """A scalar's matrix."""
        b = self.blocks
        return csr_matrix((data, b.indices, b.indptr), shape=(b.size, b.size))

    def held(self, data: Vector, free) -> csr_matrix:
        """The same with ones for prescribed nodes."""
        if not free.all():
            data = data * (free[self.rows] & free[self.blocks.indices])
            data[self.diagonal[~free]] = 1.0
        return self.matrix(data)

    def elastic(self, tangent: FieldTangent) -> bsr_matrix | None:
        """The elastic block, node by node."""
        return self._keep("elastic", tangent, self.names, self.names, self._elastic)

    def force(self, tangent: FieldTangent) -> bsr_matrix | None:
        """Rows of u, columns of c."""
        return self._keep("force", tangent, self.names, ["c"], self._blocks)

    def strain(self, tangent: FieldTangent) -> bsr_matrix | None:
        """Rows of c, columns of u."""
        return self._keep("strain", tangent, ["c"], self.names, self._blocks)

    def _keep(self, key, tangent, rows, columns, make):
        varies = any((i, j) in tangent.varies for i in rows for j in columns)
        if varies or key not in self._kept:
            self._kept[key] = make(tangent, rows, columns)
        return self._kept[key]

    def _blocks(self, tangent, rows, columns) -> bsr_matrix | None:
        b = self.blocks
        table = [[tangent.values((i, j)) for j in columns] for i in rows]
        if all(v is None for row in table for v in row):
            return None
        zero = np.zeros(len(b.indices))
        data = np.stack([np.stack([zero if v is None else v for v in row], -1) for row in table], -2)
        return bsr_matrix((data, b.indices, b.indptr), shape=(b.size * len(rows), b.size * len(columns)))

    def _elastic(self, tangent, rows, columns) -> bsr_matrix | None:
        """With a diagonal of usual size where the displacement is prescribed."""
        made, free = self._blocks(tangent, rows, columns), self.free_u
        if made is None or free.all():
            return made
        made.data *= free[self.rows][:, :, None] & free[self.blocks.indices][:, None, :]
        nodes, parts = np.nonzero(~free)
        made.data[self.diagonal[nodes], parts, parts] = np.abs(made.data[self.diagonal]).max()
        return made


class FieldOperator:
    """The nodal tangent as a matrix: `A @ x`, `A.T @ x`, `A.shape`."""

    def __init__(self, made: Assembler, tangent: FieldTangent):
        self.made = made
        self.shape = (tangent.size, tangent.size)
        pairs = [(i, j) for i in ("c", "mu") for j in ("c", "mu")]
        values = {pair: tangent.values(pair) for pair in pairs}
        self.scalars = {pair: made.matrix(v) for pair, v in values.items() if v is not None}
        self.elastic, self.force, self.strain = made.elastic(tangent), made.force(tangent), made.strain(tangent)
        others = [(i, j) for i in ("mu", *made.names) for j in ("mu", *made.names) if ("mu" in (i, j)) and i != j]
        self.others = {pair: made.matrix(v) for pair in others if (v := tangent.values(pair)) is not None}

    def __matmul__(self, x: Vector) -> Vector:
        return self._apply(x, False)

    @property
    def T(self) -> Transposed:
        """The transpose."""
        return Transposed(self)

    def _apply(self, x: Vector, transpose: bool) -> Vector:
        made, b = self.made, self.made.blocks
        ends = np.append(x, 0.0)
        parts = {"c": ends[b.c], "mu": ends[b.mu], "u": ends[made.displacement]}
        out = {name: np.zeros_like(v) for name, v in parts.items()}
        for (i, j), A in self.scalars.items():
            if transpose:
                out[j] += A.T @ parts[i]
            else:
                out[i] += A @ parts[j]
        for (i, j), A in (("u", "u"), self.elastic), (("u", "c"), self.force), (("c", "u"), self.strain):
            if A is not None and transpose:
                out[j] += A.T @ parts[i]
            elif A is not None:
                out[i] += A @ parts[j]
        for (i, j), A in self.others.items():
            (to, a), (of, d) = self._component(j if transpose else i), self._component(i if transpose else j)
            out[to][a] += (A.T if transpose else A) @ parts[of][d]
        result = np.empty(self.shape[0] + 1)
        result[b.c], result[b.mu], result[made.displacement] = out["c"], out["mu"], out["u"]
        return result[:-1]

    def _component(self, name: str) -> tuple[str, slice]:
        """The part that a component belongs to, and where it lies there."""
        if name in ("c", "mu"):
            return name, slice(None)
        return "u", slice(self.made.names.index(name), None, self.made.dim)


class Transposed(NamedTuple):
    """The transpose of a field operator."""

    operator: FieldOperator

    def __matmul__(self, x: Vector) -> Vector:
        return self.operator._apply(x, True)
