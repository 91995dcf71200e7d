"""The nodal tangent block by block: c, mu and u, each on the pattern of a scalar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_matrix

from .operators import Pattern, gaxpy, namespace, pytree
from .root_matching import Coefficients

Vector = Float[Array, " N"]
Pair = tuple[str, str]


class Scalars(NamedTuple):
    """Constant matrices on the pattern of a scalar, with the site density in the mass and the stiffness."""

    mass: csr_matrix
    stiffness: csr_matrix  # unit coefficient
    gradient: csr_matrix  # of the gradient energy
    diffusion: csr_matrix  # stiffness of the mobility's directions
    relief: float  # what the strain of the softest plane wave takes off the curvature, over R T


class FieldTangent(NamedTuple):
    """What a solver that knows the fields sees of a tangent; the calls are evaluated when needed."""

    blocks: Any  # `fem.blocks.Blocks`
    size: int  # of the nodal block
    border: Any
    balance: Any  # (trial, test): directions in which a solve must leave no residual
    varies: frozenset[Pair]  # pairs of components whose entries change with the state or the step
    values: Callable[[Pair], Any]  # on the pattern of a scalar, or None
    scalars: Callable[[], Scalars]
    coefficients: Callable[[], Coefficients]


@pytree
class Space:
    """Where c, mu and u lie among the unknowns, and the pattern of every block; prescribed values read as zero."""

    pattern: Any
    unknowns: dict[str, Int[Array, " part"]]  # of each part that is not prescribed everywhere
    position: Int[Array, " N"]  # of each unknown in the parts one after the other
    free: dict[str, Any]  # which entries of a part are not prescribed; None: all
    dim: int = eqx.field(static=True)

    @classmethod
    def of(cls, tangent: FieldTangent) -> Space:
        """On the host."""
        b, size = tangent.blocks, tangent.size
        known = {"c": b.c, "mu": b.mu, "u": b.u.ravel()}
        unknowns = {name: v for name, v in known.items() if np.any(v < size)}
        free = {name: None if np.all(v < size) else v < size for name, v in unknowns.items()}
        stacked = np.concatenate([unknowns[name] for name in sorted(unknowns)])
        position = np.empty(size + 1, np.int64)
        position[stacked] = np.arange(len(stacked))
        return cls(Pattern(b.indptr, b.indices, b.size), unknowns, position[:size], free, b.u.shape[1])

    @property
    def size(self) -> int:
        """Number of nodal unknowns."""
        return len(self.position)

    def components(self, part: str) -> list[str]:
        """Names of the components of a part."""
        return [f"u.{a}" for a in "xyz"[: self.dim]] if part == "u" else [part]

    def split(self, x: Vector) -> dict[str, Vector]:
        """The parts of a vector of unknowns."""
        xp = namespace(x)
        ends = xp.concatenate([x, xp.zeros(1)])
        return {name: ends[where] for name, where in self.unknowns.items()}

    def join(self, parts: Mapping[str, Vector]) -> Vector:
        """The vector of unknowns of its parts."""
        xp = namespace(next(iter(parts.values())))
        return xp.concatenate([parts[name] for name in sorted(self.unknowns)])[self.position]

    def masked(self, part: str, v: Vector) -> Vector:
        """A part with zeros where it is prescribed."""
        return v if self.free[part] is None else v * self.free[part]

    def held(self, part: str, data: Vector) -> Vector:
        """Values of a scalar's matrix with ones on the diagonal for prescribed nodes and zeros beside them."""
        free, xp, pattern = self.free[part], namespace(data), self.pattern
        if free is None:
            return data
        here = pattern.rows == pattern.indices
        inside = free[pattern.rows] & free[pattern.indices]
        return xp.where(inside, data, xp.where(here, 1.0, 0.0))

    def block(self, values: Callable[[Pair], Any], pair: Pair) -> Float[Array, " nnz *block"] | None:
        """Values of the block of two parts, blocks of components node by node."""
        rows, columns = (self.components(part) for part in pair)
        table = [[values((i, j)) for j in columns] for i in rows]
        some = next((v for row in table for v in row if v is not None), None)
        if some is None or (len(rows) == 1 and len(columns) == 1):
            return some
        xp = namespace(some)
        return xp.stack([xp.stack([xp.zeros_like(some) if v is None else v for v in row], -1) for row in table], -2)


@pytree
class FieldOperator:
    """The nodal tangent as a matrix: `A @ x`, `A.T`, `A.shape`."""

    space: Space
    blocks: dict[Pair, Any]  # matrices, rows and columns of parts

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.space.size, self.space.size

    @property
    def T(self) -> FieldOperator:
        """The transpose."""
        return FieldOperator(self.space, {(j, i): A.T for (i, j), A in self.blocks.items()})

    def __matmul__(self, x: Vector) -> Vector:
        parts, out = self.space.split(x), {}
        for (i, j), A in self.blocks.items():
            out[i] = gaxpy(A, parts[j], out[i]) if i in out else A @ parts[j]
        xp = namespace(x)
        return self.space.join({name: out.get(name, xp.zeros_like(v)) for name, v in parts.items()})
