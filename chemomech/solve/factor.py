"""Sparse factorisations on the host: PARDISO where it is installed, else SuperLU."""

from __future__ import annotations

import importlib.util
import os
import weakref

import numpy as np
from jaxtyping import Float
from scipy.sparse import csc_matrix, csr_matrix
from scipy.sparse.linalg import splu

from ..errors import SolveError
from . import mkl

BACKENDS = ("pardiso", "superlu")


def installed() -> tuple[str, ...]:
    """The backends that can be used here, best first."""
    return BACKENDS if importlib.util.find_spec("pypardiso") is not None else BACKENDS[1:]


def require(backend: str) -> str:
    """The name of a backend that can be used here; "auto" is the best installed.

    Raises:
        SolveError: the backend is unknown or not installed.
    """
    name = installed()[0] if backend == "auto" else backend
    if name not in BACKENDS:
        raise SolveError(f'Unknown direct solver "{backend}". Choose "auto" or one of {", ".join(BACKENDS)}.')
    if name not in installed():
        raise SolveError('PARDISO is not installed. Run `pip install "chemomech[direct]"`, or choose "superlu".')
    return name


def factorisation(backend: str) -> Pardiso | SuperLU:
    """An empty factorisation of the named backend, "auto" for the best installed."""
    return Pardiso() if require(backend) == "pardiso" else SuperLU()


class SuperLU:
    """LU; a fresh analysis every time.

    Without pivoting the symmetric ordering MMD(A + A^T) keeps its sparsity: 2.7 million entries against 4.3 of COLAMD
    at 13 000 unknowns (with pivoting it would fill in: 52 million). COLAMD with pivoting where that is not accurate.
    """

    price = 35.0  # of a factorisation, in solves, at 13 000 unknowns in the plane

    def __init__(self):
        self._lu = None

    def update(self, A: csr_matrix) -> None:
        """Factorise a matrix. Its arrays, read as columns, are those of the transpose: no conversion is needed."""
        transposed = csc_matrix((A.data, A.indices, A.indptr), shape=A.shape)
        try:
            self._lu = splu(
                transposed, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
            if self._accurate(A):
                return
        except (RuntimeError, MemoryError):  # a pivot is zero in that order, or it fills in
            pass
        try:
            self._lu = splu(transposed, permc_spec="COLAMD")
        except MemoryError:
            raise SolveError("SuperLU: the factor does not fit into memory. Use Krylov or a coarser mesh.") from None
        except RuntimeError as error:
            raise SolveError(f"SuperLU: {error}. The tangent is singular: is a field without stiffness?") from None

    def _accurate(self, A: csr_matrix) -> bool:
        b = np.cos(np.arange(A.shape[0]))
        return bool(np.linalg.norm(A @ self.solve(b) - b) <= 1e-6 * np.linalg.norm(b))

    def solve(self, b: Float[np.ndarray, " n"], *, transpose: bool = False) -> Float[np.ndarray, " n"]:
        """A^-1 b, or A^-T b."""
        return self._lu.solve(b, trans="N" if transpose else "T")


class Pardiso:
    """MKL PARDISO; the analysis is stored, so a matrix of the same pattern costs the numeric phase only."""

    price = 9.0

    def __init__(self):
        # pypardiso would search the whole environment for MKL, each time; the variable is how it is told
        if (found := mkl.path()) is not None:
            os.environ.setdefault("PYPARDISO_MKL_RT", found)
        mkl.library()  # integers of four bytes, whatever the environment says
        import pypardiso

        self._solver = pypardiso.PyPardisoSolver(mtype=11)
        # METIS ordering, no refinement (GMRES does that), pivots of at least 1e-13, and no scaling or matching: those
        # would make the analysis depend on the first values, and a resumed run on where it was stopped
        for index, value in ((1, 1), (2, 2), (8, 0), (10, 13), (11, 0), (13, 0), (24, 0), (25, 0), (34, 0)):
            self._solver.set_iparm(index, value)
        self._matrix: csr_matrix | None = None
        weakref.finalize(self, _release, self._solver)

    def update(self, A: csr_matrix) -> None:
        """Factorise a matrix of the pattern seen first."""
        self._solver.set_phase(12 if self._matrix is None else 22)
        self._matrix = A
        # for this thread only: a small matrix loses more to the threads' waiting than it gains
        self._solver.libmkl.MKL_Set_Num_Threads_Local(1 if A.shape[0] < 40_000 else 0)
        self._call(np.zeros((A.shape[0], 1)))

    def solve(self, b: Float[np.ndarray, " n"], *, transpose: bool = False) -> Float[np.ndarray, " n"]:
        """A^-1 b, or A^-T b."""
        self._solver.set_phase(33)
        self._solver.set_iparm(12, 2 if transpose else 0)
        return self._call(np.asfortranarray(b.reshape(len(b), -1))).reshape(b.shape)

    def _call(self, b) -> np.ndarray:
        from pypardiso.pardiso_wrapper import PyPardisoError

        try:
            return self._solver._call_pardiso(self._matrix, b)
        except PyPardisoError as error:
            raise SolveError(f"{error} The tangent may be singular: is a field without stiffness?") from None


def _release(solver) -> None:
    try:
        solver.free_memory(everything=True)
    except Exception:  # at interpreter exit the library may already be gone
        return
