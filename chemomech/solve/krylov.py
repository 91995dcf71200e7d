"""GMRES with a preconditioner that knows the fields: for three dimensions and large problems."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import SolveError
from . import mkl
from .border import Border, Bordered, Elimination, small_solve
from .cg import pcg
from .compiled_gmres import gmres
from .fields import FieldTangent
from .fieldsplit import FieldSplit, Hierarchies, Memory, Refreshed, operator, refresh
from .gmres import fgmres
from .linear import AbstractLinearSolver, Breakdown, Size, Stats
from .operators import devices_of, everywhere, namespace, on_device

Vector = Float[Array, " N"]
CHOICES = {"precision": ("double", "single"), "operators": ("auto", "host", "device")}


class Preconditioned(NamedTuple):
    """A bordered matrix, what its approximate inverse is made of, and what outlives it."""

    hierarchies: Hierarchies
    refreshed: Refreshed
    border: Border
    memory: Memory | None
    symmetric: bool = False  # only displacements, without a border, and the matrix is its transpose

    @property
    def system(self) -> Bordered:
        """The matrix."""
        return Bordered(operator(self.hierarchies, self.refreshed), self.border)

    @property
    def weights(self) -> Vector:
        """Of the residual's rows: 1/sqrt(diagonal) of mass and exchange for mu, mass for c, stiffness for u, corner."""
        return self._with_corner(self.refreshed.weights)

    @property
    def transposed_weights(self) -> Vector:
        """Of rows of the transpose, by mass and stiffness: what a surface exchanges is a matter of columns there."""
        return self._with_corner(self.hierarchies.weights)

    def _with_corner(self, nodal: Vector) -> Vector:
        xp = namespace(self.border.corner)
        corner = xp.abs(xp.diag(self.border.corner))
        return xp.concatenate([nodal, 1.0 / xp.sqrt(xp.where(corner > 0, corner, 1.0))])

    def forgotten(self) -> Preconditioned | None:
        """Without memory of earlier states."""
        if self.hierarchies.source is not None:  # elastic cycles that follow the state
            return None
        if self.memory is None:
            return self
        known = namespace(self.memory.known).zeros_like(self.memory.known)
        return self._replace(memory=self.memory._replace(known=known))

    def inverse(self, *, transpose: bool = False, system: Bordered | None = None) -> Elimination:
        """About the inverse of the matrix, or of its transpose; `system` is the matrix where it is at hand."""
        matrix, balance = (system or self.system).matrix, self.hierarchies.balance
        split = FieldSplit.of(self.hierarchies, self.refreshed, matrix)
        along = None if balance is None else balance[1][:1, : matrix.shape[0]]  # mu alike everywhere
        if transpose:
            return Elimination.of(split.T, self.border.T, matrix.T, along)
        return Elimination.of(split, self.border, matrix, along)


class Krylov(AbstractLinearSolver):
    """Right-preconditioned GMRES in a norm that weighs every field by its mass or stiffness.

    The preconditioner takes c and mu by two scalar solves with pointwise root matching and u by one elastic cycle; in
    long steps under strong misfit it goes over the fields twice.

    Args:
        precision: "double" or "single", inside the cycles.
        max_iterations: give up after that many.
        operators: "host" (SciPy's matrices, MKL's products), "device" (JAX arrays, the whole solve compiled), or
            "auto": host where JAX computes on the CPU.
    """

    precision: str = eqx.field(static=True, default="double")
    max_iterations: int = eqx.field(static=True, default=100)
    operators: str = eqx.field(static=True, default="auto")
    knows_fields: ClassVar[bool] = True
    first_rtol: ClassVar[float] = 1e-2
    range_of_rtol: ClassVar[tuple[float, float]] = (1e-8, 0.1)

    def __check_init__(self):
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise SolveError(f'Krylov.{name} = "{getattr(self, name)}" is unknown. Use one of {", ".join(known)}.')

    @property
    def on_device(self) -> bool:
        """Whether the solve runs on JAX arrays."""
        return self.operators == "device" or (self.operators == "auto" and jax.default_backend() != "cpu")

    @staticmethod
    def obstacle(fields: tuple[str, ...]) -> str:
        """Why a problem with these components is out of its reach; empty where it is not."""
        unknown = [name for name in fields if name not in ("c", "mu") and not name.startswith("u.")]
        if unknown:
            return f"Krylov does not know the field {', '.join(unknown)}"
        return "Krylov knows c only together with mu" if "c" in fields and "mu" not in fields else ""

    def chosen(self, size: Size) -> tuple[AbstractLinearSolver, str]:
        """Itself.

        Raises:
            SolveError: the problem is out of its reach.
        """
        if obstacle := self.obstacle(size.fields):
            raise SolveError(f'{obstacle}. Use linear = {{kind = "HostDirect"}}.')
        return super().chosen(size)

    @mkl.alone()
    def init(self, tangent: FieldTangent, old: Preconditioned | None = None) -> Preconditioned:
        """The new matrix, with hierarchies of the old one refreshed.

        Raises:
            Breakdown: no preconditioner can be made.
        """
        try:
            return self._refreshed(tangent, old)
        except np.linalg.LinAlgError as error:
            raise Breakdown(f"The preconditioner is lost: {error}") from None

    def _refreshed(self, tangent: FieldTangent, old: Preconditioned | None) -> Preconditioned:
        made, memory = (old.hierarchies, old.memory) if old is not None else self._set_up(tangent)
        array = jnp.asarray if self.on_device else np.asarray
        values = lambda pair: None if (v := tangent.values(pair)) is None else array(v)  # noqa: E731
        blocks = {pair: made.space.block(values, pair) for pair in made.changing}
        made = made.renewed(blocks)
        k = None if made.scalar is None else jax.tree.map(array, tangent.coefficients())
        if self.on_device:
            new, memory = compiled_refresh(dataclasses.replace(made, source=None), blocks, k, memory)
        else:
            new, memory = refresh(made, blocks, k, memory)
        b = tangent.border
        state = Preconditioned(made, new, Border(array(b.column), array(b.row), array(b.corner)), memory)
        elastic = made.scalar is None and len(b.corner) == 0 and not self.on_device
        return state._replace(symmetric=elastic and _is_symmetric(state.system.matrix))

    def _set_up(self, tangent: FieldTangent) -> tuple[Hierarchies, Memory | None]:
        made = Hierarchies.of(tangent, "float64" if self.precision == "double" else "float32")
        state = made, made.memory()
        return on_device(state, devices_of(tangent.border.corner)) if self.on_device else state

    def forget(self, state: Preconditioned | None) -> Preconditioned | None:
        """Keep the hierarchies of mesh and material, drop the softest wave of earlier states."""
        return None if state is None else state.forgotten()

    @mkl.alone()
    def solve(
        self, state: Preconditioned, b: Vector, *, rtol: float = 1e-10, transpose: bool = False
    ) -> tuple[Vector, Stats, Preconditioned]:
        """To a relative residual in the weighted norm.

        Raises:
            Breakdown: it stagnates, meets a number that is not finite, or has lost its preconditioner.
        """
        try:
            x, its, reached = self._iterated(state, b, rtol, transpose)
        except SolveError:
            if _lost(state, b):
                raise Breakdown(LOST) from None
            if not np.all(np.isfinite(state.system @ b)):  # what made a small system of it singular is nothing physical
                raise Breakdown("The tangent holds numbers that are not finite") from None
            raise
        its, reached = int(its), float(reached)
        if not (reached <= rtol and np.all(np.isfinite(x))):
            raise Breakdown(_failure(state, b, its, reached, rtol))
        return x, Stats(its, reached, False), state

    def _iterated(self, state: Preconditioned, b: Vector, rtol: float, transpose: bool) -> tuple[Any, Any, Any]:
        if state.symmetric:
            x, its, reached = pcg(
                lambda v: state.system.matrix @ v, state.inverse(), b, state.weights,
                rtol=rtol, max_iterations=self.max_iterations,
            )  # fmt: skip
            if not rtol < reached or its == self.max_iterations:
                return x, its, reached
        # also where the matrix turns out not to be definite, as that of a buckled body
        method = compiled_solve if self.on_device else functools.partial(solve_bordered, method=fgmres)
        bare = state._replace(hierarchies=dataclasses.replace(state.hierarchies, source=None))  # no part of a program
        x, its, reached = method(bare, b, rtol, transpose=transpose, max_iterations=self.max_iterations)
        x, its, reached = everywhere((x, its, reached), devices_of(state.border.corner))
        if not np.isfinite(reached):  # perhaps because of the global scalars: that has a message of its own
            small_solve(np.asarray(state.inverse(transpose=transpose).schur), np.ones(len(state.border.corner)))
        return x, its, reached


LOST = "The preconditioner is lost: it gives numbers that are not finite"


def _failure(state: Preconditioned, b: Vector, iterations: int, reached: float, rtol: float) -> str:
    method = "CG" if state.symmetric else "GMRES"
    if np.isfinite(reached) and reached > rtol:
        return f"{method} stagnated at {reached:.1e} after {iterations} iterations (wanted {rtol:.1e})"
    return LOST if _lost(state, b) else f"{method} met a number that is not finite after {iterations} iterations"


def _lost(state: Preconditioned, b: Vector) -> bool:
    """Whether a finite right-hand side gives what is not finite; of the nodal block, as the border may be singular."""
    split = FieldSplit.of(state.hierarchies, state.refreshed, state.system.matrix)
    return not np.all(np.isfinite(split(b[: len(b) - len(state.border.corner)])))


def _is_symmetric(A: Any) -> bool:
    """Whether x.A y = y.A x for two vectors without pattern."""
    x, y = np.random.default_rng(0).normal(size=(2, A.shape[0]))
    left, right = x @ (A @ y), y @ (A @ x)
    return bool(abs(left - right) <= 1e-10 * np.linalg.norm(A @ y) * np.linalg.norm(x))


def solve_bordered(
    state: Preconditioned, b: Vector, rtol: Any, *, transpose: bool, max_iterations: int, method: Any
) -> tuple[Vector, Any, Any]:
    """x, iterations and relative residual; pure, of the state's arrays alone, with either GMRES as `method`."""
    system, w = state.system, state.transposed_weights if transpose else state.weights
    inverse = state.inverse(transpose=transpose, system=system)
    A = system.T if transpose else system
    x, its, reached = method(
        lambda v: w * (A @ v), lambda v: inverse(v / w), w * b, rtol=rtol, max_iterations=max_iterations
    )
    return x if transpose else system.balanced(x, b, state.hierarchies.balance), its, reached


@functools.partial(jax.jit, static_argnames=("transpose", "max_iterations"))
def compiled_solve(state: Preconditioned, b: Vector, rtol: Any, *, transpose: bool, max_iterations: int):
    """The same in one compiled function."""
    method = functools.partial(gmres, flexible=state.hierarchies.dtype == "float32")
    return solve_bordered(state, b, rtol, transpose=transpose, max_iterations=max_iterations, method=method)


compiled_refresh = jax.jit(refresh)
