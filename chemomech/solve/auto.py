"""The choice between a direct solver and Krylov, at the crossover that was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from .direct import Direct, HostDirect
from .factor import require
from .krylov import Krylov
from .linear import AbstractLinearSolver, Size, Stats

# Unknowns from which a step under error control costs less with Krylov, by backend, dimension and element order:
# benchmarks/crossover.py, one thread. In the plane PARDISO and Krylov are close over a decade (0.37 against 0.39 s a
# step at 37 k unknowns, 0.78 against 0.87 at 75 k, 2.4 against 1.9 at 147 k), and a direct solver is better where
# little changes from step to step: a slow discharge of 13 k unknowns took it half as long. Hence the upper end for
# PARDISO, and more than the 6 k that the benchmark gives for SuperLU. Quadratic tetrahedra of 8 k unknowns: PARDISO
# 0.43, Krylov 0.65, SuperLU 3.4 s a step; quadratic triangles have the limits of linear ones.
CROSSOVER = {
    ("pardiso", 2, 1): 100_000, ("pardiso", 2, 2): 100_000, ("pardiso", 3, 1): 4_000, ("pardiso", 3, 2): 15_000,
    ("superlu", 2, 1): 15_000, ("superlu", 2, 2): 15_000, ("superlu", 3, 1): 1_500, ("superlu", 3, 2): 1_500,
}  # fmt: skip


class Auto(AbstractLinearSolver):
    """HostDirect for small problems, most of all in the plane; Krylov for the others.

    `Evolution` asks once, by `chosen`, for the solver that serves its problem. Used by itself it goes by the tangent:
    one that is given field by field is Krylov's, an assembled one HostDirect's.
    """

    def chosen(self, size: Size) -> tuple[AbstractLinearSolver, str]:
        """HostDirect below the crossover of its backend, dimension and element order, and where Krylov cannot serve."""
        if obstacle := Krylov.obstacle(size.fields):
            return HostDirect(), obstacle
        backend = require("auto")
        limit = CROSSOVER[backend, size.dim, size.order]
        few = size.unknowns < limit
        linear = HostDirect() if few else Krylov()
        compared = f"{'fewer than' if few else 'not fewer than'} {limit} (crossover with {backend})"
        return linear, f"{size.unknowns} unknowns in {size.dim}-D are {compared}"

    def init(self, tangent: Any, old: Any = None) -> Any:
        """The state of the solver that the tangent is made for."""
        return (Krylov() if hasattr(tangent, "blocks") else HostDirect()).init(tangent, old)

    def forget(self, state: Any) -> Any:
        """As that solver does."""
        return None if state is None else _owner(state).forget(state)

    def solve(
        self, state: Any, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Any]:
        """As that solver does."""
        return _owner(state).solve(state, b, rtol=rtol, transpose=transpose)


def _owner(state: Any) -> AbstractLinearSolver:
    return HostDirect() if isinstance(state, Direct) else Krylov()
