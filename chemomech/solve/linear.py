"""Linear solvers behind one interface: `init(tangent) -> state`, `solve(state, b)`, `solve(state, b, transpose=True)`.

The law: `solve` with `transpose=True` inverts the transpose of what `init` saw.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError


class Breakdown(SolveError):
    """An iteration that stagnated, met a number that is not finite, or lost its preconditioner.

    Says nothing against the system: another preconditioner, a smaller step or a direct solver may do.
    """


class Size(NamedTuple):
    """What the choice of a linear solver depends on."""

    dim: int
    order: int  # of the elements
    unknowns: int
    fields: tuple[str, ...]  # components that are not all prescribed


class Stats(NamedTuple):
    """What a linear solve cost and reached."""

    iterations: int
    relative_residual: float
    factorised: bool


class AbstractLinearSolver(eqx.Module):
    """Solves K x = b, where K has a sparse nodal block and a few dense rows and columns."""

    knows_fields: ClassVar[bool] = False  # does it read the tangent's `parts`?
    first_rtol: ClassVar[float] = 1e-3  # of the first solve of a Newton iteration
    range_of_rtol: ClassVar[tuple[float, float]] = (1e-5, 1e-5)  # of the later ones

    def chosen(self, size: Size) -> tuple[AbstractLinearSolver, str]:
        """The solver that serves a problem of some size, and why it."""
        return self, "as given"

    @property
    def on_device(self) -> bool:
        """Whether right-hand sides and solutions are JAX arrays."""
        return False

    @abc.abstractmethod
    def init(self, tangent: Any, old: Any = None) -> Any:
        """Prepare for a tangent; `old` is the state of an earlier one with the same pattern."""

    @abc.abstractmethod
    def forget(self, state: Any) -> Any:
        """A state without memory of earlier values, so that what follows depends on the next tangent alone."""

    @abc.abstractmethod
    def solve(
        self, state: Any, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Any]:
        """K^-1 b or K^-T b to a relative residual, what it took, and the state to hand to the next `init`."""
