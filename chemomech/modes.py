"""Is an equilibrium stable? The softest changes of composition of a stationary state, and how many lower its energy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh
from scipy.sparse import block_array, csc_matrix, csr_matrix
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh, splu

from .errors import ConfigError, SolveError
from .evolution import Evolution
from .measures import volumes, whole_mesh
from .problem import Problem, State
from .solve.direct import HostDirect
from .solve.newton import Newton

DEEPER, TRIES = 4.0, 12  # from one shift to the next
ASIDE = 1e-10  # in units of RT
BLOCK, ROUNDS = 4, 400  # vectors more than asked for, and iterations at most


class Modes(NamedTuple):
    """The softest changes of composition of a state, the softest first.

    A stationary state is stable if no curvature is negative.

    Attributes:
        curvature: second derivative of the stored energy along each, over c_max times the integral of its square, with
            displacement and free global scalars relaxed and the lithium content kept [J/mol].
        shape: each change of composition at the nodes, its largest value 1.
    """

    curvature: Float[np.ndarray, " k"]
    shape: Float[np.ndarray, "k n"]


def softest_modes(problem: Problem, state: State, count: int = 1) -> Modes:
    """The changes of composition that the stored energy of a state resists least: K v = lambda c_max M v.

    A uniform state without strain has lambda = psi''/c_max + kappa k^2/c_max for each wave that fits the body; where
    the least one passes zero, another state branches off.

    Args:
        problem: stored energies, and `Amount(mean)` where the lithium content is kept; no rate terms.
        state: a stationary state, as `solve_equilibrium` and `solve_static` give it.
        count: how many.

    Raises:
        ConfigError: the problem has rate terms, no composition that may change, or not so many modes.
        SolveError: the eigenvalues cannot be found.
    """
    pencil = _Pencil.of(problem, state)
    shift = -pencil.RT
    for _ in range(TRIES):
        if pencil.negative(shift) == 0:
            break
        shift *= DEEPER
    else:
        raise SolveError(f"The energy has no least curvature above {shift / pencil.RT:.3g} RT. Is the state finite?")
    values, vectors = pencil.nearest(shift, count)
    order = np.argsort(values)
    fields = np.stack([pencil.composition(vectors[:, k]) for k in order])
    largest = np.take_along_axis(fields, np.abs(fields).argmax(axis=1)[:, None], axis=1)
    return Modes(values[order] * problem.scales.of("J/mol"), fields / largest)


def unstable_modes(problem: Problem, state: State) -> int:
    """How many independent changes of composition lower the stored energy of a stationary state; 0: it is stable.

    Counted by Sylvester's law of inertia, so none is overlooked. Arguments and errors as for `softest_modes`.
    """
    return _Pencil.of(problem, state).negative(0.0)


class _Pencil(NamedTuple):
    """Stiffness with its border, and the mass of the composition, of the reduced scaled unknowns."""

    problem: Problem
    nodal: csr_matrix
    column: Float[np.ndarray, "m n"]
    corner: Float[np.ndarray, "m m"]
    mass: csr_matrix

    @classmethod
    def of(cls, problem: Problem, state: State) -> _Pencil:
        if "mu" in problem.fields or "V" in problem.scalars:
            raise ConfigError("Modes are those of a stored energy: leave out Storage, Diffusion and ButlerVolmer.")
        mass = _mass(problem) if "c" in problem.fields else None
        if mass is None or mass.nnz == 0:
            raise ConfigError("The composition of this problem cannot change: leave it free, and add Amount(mean).")
        evolution = Evolution(problem, Newton(linear=HostDirect()))
        x = evolution.start(state)
        now = evolution.expand(x)
        drive = problem.drive()
        tangent = evolution.tangent(x, (now, now, 0.0, evolution.time_scale), drive)
        free = ~np.asarray(drive.prescribed)  # scalars that are given do not change
        column, corner = np.asarray(tangent.border.column)[free], np.asarray(tangent.border.corner)[np.ix_(free, free)]
        return cls(problem, tangent.csr(), column, corner, mass)

    @property
    def RT(self) -> float:
        """In scaled units."""
        return float(self.problem.host.RT) / self.problem.scales.of("J/mol")

    def negative(self, shift: float) -> int:
        """How many eigenvalues lie below a shift: by the signs of a factorisation's pivots."""
        try:
            factor = _without_pivoting(self.nodal - shift * self.mass)
        except RuntimeError:  # an eigenvalue is the shift itself, to the last digit
            factor = _without_pivoting(self.nodal - (shift - ASIDE * self.RT) * self.mass)
        below = int(np.sum(factor.U.diagonal() < 0))
        if len(self.corner) == 0:
            return below
        rest = self.corner - self.column @ factor.solve(self.column.T)
        below += int(np.sum(np.linalg.eigvalsh(0.5 * (rest + rest.T)) < 0))
        return below - ("mu_mean" in self.problem.scalars)  # a multiplier brings a negative one of its own

    def nearest(self, shift: float, count: int) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "N k"]]:
        """Eigenvalues next to a shift, and their vectors."""
        m, n = len(self.corner), self.nodal.shape[0]
        directions = int(np.sum(self.mass.diagonal() > 0)) - ("mu_mean" in self.problem.scalars)
        if count >= directions:
            raise ConfigError(
                f"{count} modes are asked for; the composition of this mesh has {directions}. Ask for fewer."
            )
        stiffness, mass = self.nodal, self.mass
        if m:
            stiffness = block_array([[self.nodal, csr_matrix(self.column.T)], [self.column, self.corner]])
            mass = block_array([[self.mass, None], [None, csr_matrix((m, m))]])
        factor = splu(csc_matrix(stiffness - shift * mass))
        inverse = LinearOperator((n + m, n + m), factor.solve)
        start = factor.solve(mass @ np.random.default_rng(0).normal(size=n + m))
        try:
            size = min(max(2 * count + 1, 20), directions)
            values, vectors = eigsh(stiffness, count, mass, sigma=shift, OPinv=inverse, v0=start, ncv=size)
        except ArpackError:  # many equal eigenvalues, as without gradient energy, leave Lanczos no second direction
            return _by_subspace(factor.solve, stiffness, mass, min(count + BLOCK, directions), count)
        return values, vectors

    def composition(self, vector: Float[np.ndarray, " N"]) -> Float[np.ndarray, " n"]:
        """The change of c at the nodes."""
        lift, k = self.problem.lift, self.problem.fields.index("c")
        nodal = np.asarray(lift.increment(vector[: lift.size]))
        return nodal.reshape(len(self.problem.fields), -1)[k]


def _by_subspace(solve: Any, stiffness: Any, mass: Any, size: int, count: int) -> tuple[Any, Any]:
    """Eigenvalues next to the shift by inverse iteration on a block of vectors.

    Raises:
        SolveError: they do not settle.
    """
    block = np.random.default_rng(1).normal(size=(mass.shape[0], size))
    before = np.full(count, np.inf)
    for _ in range(ROUNDS):
        block, _ = np.linalg.qr(solve(mass @ block))
        values, turn = eigh(block.T @ (stiffness @ block), block.T @ (mass @ block))
        block = block @ turn
        if np.all(np.abs(values[:count] - before) <= 1e-10 * np.abs(values).max()):
            return values[:count], block[:, :count]
        before = values[:count]
    raise SolveError("The softest modes cannot be found: they do not settle. Try: fewer of them.")


def _without_pivoting(matrix: Any) -> Any:
    """A factor whose pivots have the signs of the eigenvalues."""
    return splu(csc_matrix(matrix), diag_pivot_thresh=0.0, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})


def _mass(problem: Problem) -> csr_matrix:
    """c_max times the integral of N_i N_j over the body for the reduced unknowns of c, zero for the others; scaled."""
    n, cells = len(problem.mesh.points), whole_mesh(problem)
    volume = np.asarray(volumes(problem, cells))
    N = np.broadcast_to(np.asarray(cells.N), (*np.shape(cells.N)[:2], volume.shape[1]))
    sites = float(problem.host.c_max) / problem.scales.of("mol/m^3")
    entries = sites * np.einsum("qke,qle,qe->kle", N, N, volume)
    size, k = problem.lift.size, problem.fields.index("c")
    reduced = np.asarray(problem.lift.index)[k * n : (k + 1) * n][np.asarray(cells.nodes)]
    rows, columns = (np.broadcast_to(v, entries.shape) for v in (reduced[:, None], reduced[None]))
    kept = (rows < size) & (columns < size)
    return csr_matrix((entries[kept], (rows[kept], columns[kept])), shape=(size, size))
