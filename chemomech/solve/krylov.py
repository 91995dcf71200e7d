"""GMRES with a preconditioner that knows the fields: for three dimensions and large problems."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..errors import SolveError
from .border import Border, Bordered, Elimination
from .cg import pcg
from .fields import FieldOperator
from .fieldsplit import FieldSplit, Hierarchies
from .gmres import fgmres
from .linear import AbstractLinearSolver, Breakdown, Stats


class Preconditioned(NamedTuple):
    """A bordered matrix, the approximate inverse made for it, and the hierarchies that outlive it."""

    system: Bordered
    inverse: Elimination
    weights: Float[np.ndarray, " N"]  # of the residual's rows
    hierarchies: Hierarchies
    balance: Any
    symmetric: bool = False  # only displacements, without a border, and the matrix is its transpose

    @property
    def border(self) -> Border:
        """Rows and columns of the global scalars."""
        return self.system.border


class Krylov(AbstractLinearSolver):
    """Right-preconditioned GMRES in a norm that weighs every field by its mass or stiffness.

    The preconditioner takes c and mu by two scalar solves with pointwise root matching and u by one elastic cycle.
    Where u is the only unknown and its matrix is symmetric, conjugate gradients to the same norm.

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

    @staticmethod
    def obstacle(fields: tuple[str, ...]) -> str:
        """Why a problem with these components is out of its reach; empty where it is not."""
        unknown = [name for name in fields if name not in ("c", "mu") and not name.startswith("u.")]
        if unknown:
            return f"Krylov does not know the field {', '.join(unknown)}"
        return "Krylov knows c only together with mu" if "c" in fields and "mu" not in fields else ""

    def init(self, tangent: Any, old: Preconditioned | None = None) -> Preconditioned:
        """The new matrix, with hierarchies of the old one refreshed.

        Raises:
            Breakdown: no preconditioner can be made.
        """
        dtype = np.float64 if self.precision == "double" else np.float32
        try:
            made = Hierarchies(tangent, dtype) if old is None else old.hierarchies
            system = Bordered(FieldOperator(made.assembler, tangent), Border.of(tangent))
            inverse = Elimination(FieldSplit(made, tangent), tangent.size, system.border)
        except np.linalg.LinAlgError as error:
            raise Breakdown(f"The preconditioner is lost: {error}") from None
        weights, elastic = _row_weights(made, tangent, system), not (made.assembler.has_c or len(system.border.corner))
        return Preconditioned(
            system, inverse, weights, made, tangent.balance, elastic and _is_symmetric(system.matrix)
        )  # fmt: skip

    def forget(self, state: Preconditioned | None) -> Preconditioned | None:
        """Keep the hierarchies of mesh and material, drop the softest wave of earlier states."""
        if state is not None:
            state.hierarchies.forget()
        return state

    def solve(
        self, state: Preconditioned, b: Float[np.ndarray, " N"], *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Float[np.ndarray, " N"], Stats, Preconditioned]:
        """To a relative residual in the weighted norm.

        Raises:
            Breakdown: it stagnates, meets a number that is not finite, or has lost its preconditioner.
        """
        try:
            x, its, reached = self._iterated(state, b, rtol, transpose)
        except SolveError:
            if _lost(state, b):
                raise Breakdown(LOST) from None
            raise
        if not (reached <= rtol and np.all(np.isfinite(x))):
            raise Breakdown(_failure(state, b, its, reached, rtol))
        x = x if transpose else state.system.balanced(x, b, state.balance)
        return x, Stats(its, reached, False), state

    def _iterated(self, state: Preconditioned, b, rtol: float, transpose: bool):
        w, most = state.weights, self.max_iterations
        if state.symmetric:
            x, its, reached = pcg(state.system.apply, state.inverse, b, w, rtol=rtol, max_iterations=most)
            if not rtol < reached or its == most:
                return x, its, reached
        # also where the matrix turns out not to be definite, as that of a buckled body
        return fgmres(
            lambda v: w * state.system.apply(v, transpose), lambda v: state.inverse(v / w, transpose), w * b,
            rtol=rtol, max_iterations=most,
        )  # fmt: skip


LOST = "The preconditioner is lost: it gives numbers that are not finite"


def _failure(state: Preconditioned, b, iterations: int, reached: float, rtol: float) -> str:
    method = "CG" if state.symmetric else "GMRES"
    if np.isfinite(reached) and reached > rtol:
        return f"{method} stagnated at {reached:.1e} after {iterations} iterations (wanted {rtol:.1e})"
    return LOST if _lost(state, b) else f"{method} met a number that is not finite after {iterations} iterations"


def _lost(state: Preconditioned, b) -> bool:
    """Whether a finite right-hand side gives what is not finite; of the nodal block, as the border may be singular."""
    return not np.all(np.isfinite(state.inverse.inverse.solve(b[: state.inverse.size])))


def _is_symmetric(A: Any) -> bool:
    """Whether x.A y = y.A x for two vectors without pattern."""
    x, y = np.random.default_rng(0).normal(size=(2, A.shape[0]))
    left, right = x @ (A @ y), y @ (A @ x)
    return bool(abs(left - right) <= 1e-10 * np.linalg.norm(A @ y) * np.linalg.norm(x))


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
