"""GMRES with a preconditioner that knows the fields: for three dimensions and large problems."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from .border import Border, Bordered, Elimination
from .fields import FieldOperator
from .fieldsplit import FieldSplit, Hierarchies
from .gmres import fgmres
from .linear import AbstractLinearSolver, Stats


class Preconditioned(NamedTuple):
    """A bordered matrix, the approximate inverse made for it, and the hierarchies that outlive it."""

    system: Bordered
    inverse: Elimination
    weights: Float[np.ndarray, " N"]  # of the residual's rows
    hierarchies: Hierarchies
    balance: Any

    @property
    def border(self) -> Border:
        """Rows and columns of the global scalars."""
        return self.system.border


class Krylov(AbstractLinearSolver):
    """Right-preconditioned GMRES in a norm that weighs every field by its mass or stiffness.

    The preconditioner takes c and mu by two scalar solves with pointwise root matching and u by one elastic cycle.

    Args:
        precision: "double" or "single", inside the cycles.
        max_iterations: give up after that many.
    """

    precision: str = eqx.field(static=True, default="double")
    max_iterations: int = eqx.field(static=True, default=100)
    knows_fields: ClassVar[bool] = True
    first_rtol: ClassVar[float] = 1e-2
    range_of_rtol: ClassVar[tuple[float, float]] = (1e-8, 0.1)

    def __check_init__(self):
        if self.precision not in ("double", "single"):
            raise SolveError(f'Krylov.precision = "{self.precision}" is unknown. Use "double" or "single".')

    def init(self, tangent: Any, old: Preconditioned | None = None) -> Preconditioned:
        """The new matrix, with hierarchies of the old one refreshed."""
        dtype = np.float64 if self.precision == "double" else np.float32
        made = Hierarchies(tangent, dtype) if old is None else old.hierarchies
        system = Bordered(FieldOperator(made.assembler, tangent), Border.of(tangent))
        inverse = Elimination(FieldSplit(made, tangent), tangent.size, system.border)
        return Preconditioned(system, inverse, _row_weights(made, tangent, system), made, tangent.balance)

    def forget(self, state: Preconditioned | None) -> Preconditioned | None:
        """Keep the hierarchies of mesh and material, drop the softest wave of earlier states."""
        if state is not None:
            state.hierarchies.forget()
        return state

    def solve(
        self, state: Preconditioned, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Preconditioned]:
        """GMRES to a relative residual in the weighted norm.

        Raises:
            SolveError: it stagnates, or meets a number that is not finite.
        """
        w = state.weights
        x, its, reached = fgmres(
            lambda v: w * state.system.apply(v, transpose), lambda v: state.inverse(v / w, transpose), w * b,
            rtol=rtol, max_iterations=self.max_iterations,
        )  # fmt: skip
        if not reached <= rtol:
            what = "met a number that is not finite" if not np.isfinite(reached) else f"stagnated at {reached:.1e}"
            raise SolveError(f"GMRES {what} after {its} iterations (wanted {rtol:.1e}). Try a smaller step.")
        x = x if transpose else state.system.balanced(x, b, state.balance)
        return x, Stats(its, reached, False), state


def _row_weights(made: Hierarchies, tangent: Any, system: Bordered):
    """1 / sqrt(diagonal) of the mass matrix for rows of c and mu, of the stiffness for u, of the corner for scalars."""
    a, size = made.assembler, tangent.size
    out = np.ones(size + 1)
    if a.has_c:
        mass = made.scalars.mass.data[a.diagonal]
        out[a.blocks.c] = out[a.blocks.mu] = 1.0 / np.sqrt(mass)
    if a.has_u:
        out[a.displacement] = 1.0 / np.sqrt(made.elastic_size)
    corner = np.abs(np.diag(system.border.corner))
    return np.concatenate([out[:size], 1.0 / np.sqrt(np.where(corner > 0, corner, 1.0))])
