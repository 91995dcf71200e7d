"""Products with sparse matrices by Intel's MKL, where that is installed: on one core about twice as fast as SciPy's."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from threadpoolctl import ThreadpoolController

from ..errors import SolveError

VARIABLE = "CHEMOMECH_MKL"  # "off": SciPy's products
LETTERS = {"float64": "d", "float32": "s"}
REALS = {"float64": ctypes.c_double, "float32": ctypes.c_float}
PLAIN, TRANSPOSED = 10, 11  # enum sparse_operation_t
BY_ROWS = 101  # enum sparse_layout_t
SHARED = 200_000  # entries from which a second thread saves more than its start costs


class _Description(ctypes.Structure):
    """struct matrix_descr: what MKL may assume."""

    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diagonal", ctypes.c_int)]


GENERAL = _Description(20, 0, 0)


@functools.cache
def path() -> str | None:
    """Of MKL's runtime library where pip installed it, else None."""
    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if "mkl_rt" in file.name), None)


@functools.cache
def library() -> Any:
    """MKL, with integers of four bytes as in SciPy's matrices; None where it is not to be had or not wanted."""
    if (found := path()) is None or os.environ.get(VARIABLE) == "off":
        return None
    try:
        loaded = ctypes.CDLL(found)
    except OSError:
        return None
    # before its first use: the environment may say ILP64, on clusters
    return loaded if loaded.MKL_Set_Interface_Layer(0) == 0 else None


@functools.cache
def _pools_beside() -> Any:
    """The threads of NumPy's and SciPy's own BLAS."""
    return ThreadpoolController().select(internal_api="openblas")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Meanwhile NumPy's own BLAS takes one thread.

    MKL's threads wait for their next product in a loop; where NumPy's threads want the same cores, each waits for the
    other, and a step takes twice as long as on one core.
    """
    if library() is None:
        yield
        return
    with _pools_beside().limit(limits=1):
        yield


class Handle:
    """What MKL knows of a SciPy matrix: its arrays where they lie, none of which is copied.

    Source: the Inspector-Executor Sparse BLAS of oneMKL, routines mkl_sparse_?_create_csr, create_bsr and mv.

    Raises:
        SolveError: MKL does not take the matrix.
    """

    def __init__(self, library: Any, A: Any):
        self._library, self._kept = library, (A.indptr, A.indices, A.data)
        self.shape, self.dtype = A.shape, A.dtype
        self._handle = ctypes.c_void_p()
        rows, columns = A.shape
        shape = (rows, columns)
        if A.format == "bsr":
            size = A.blocksize[0]
            shape = (BY_ROWS, rows // size, columns // size, size)
        create = getattr(library, f"mkl_sparse_{LETTERS[A.dtype.name]}_create_{A.format}")
        start, indices, data = (v.ctypes.data for v in (A.indptr, A.indices, A.data))
        arrays = (ctypes.c_void_p(v) for v in (start, start + A.indptr.itemsize, indices, data))
        _done(create(ctypes.byref(self._handle), 0, *(ctypes.c_int(v) for v in shape), *arrays))
        weakref.finalize(self, library.mkl_sparse_destroy, self._handle)
        self._multiply = _multiplication(library, A.dtype.name)
        self.threads = 0 if A.nnz > SHARED else 1  # 0: as many as the process may have

    @classmethod
    def of(cls, A: Any) -> Handle | None:
        """Of CSR or square blocks with indices of four bytes; None of other matrices, and without MKL."""
        known = A.format == "csr" or (A.format == "bsr" and A.blocksize[0] == A.blocksize[1])
        fits = A.dtype.name in LETTERS and A.indptr.dtype == A.indices.dtype == np.int32 and A.nnz > 0
        whole = all(v.flags.c_contiguous for v in (A.indptr, A.indices, A.data))
        return cls(loaded, A) if known and fits and whole and (loaded := library()) is not None else None

    def product(
        self, x: Float[np.ndarray, " columns"], *, transpose: bool = False, factor: float = 1.0, onto: Any = None
    ) -> Float[np.ndarray, " rows"]:
        """factor A x, or factor A^T x, added to a copy of `onto` where that is given.

        Raises:
            ValueError: a vector has another length.
            SolveError: MKL gives an error.
        """
        x = np.ascontiguousarray(x, self.dtype)
        y = np.empty(self.shape[transpose], self.dtype) if onto is None else np.array(onto, self.dtype, order="C")
        if x.shape != (self.shape[not transpose],) or y.shape != (self.shape[transpose],):
            raise ValueError(f"a matrix of shape {self.shape} does not go with {x.shape} and {y.shape}")
        earlier = self._library.MKL_Set_Num_Threads_Local(self.threads)
        try:
            _done(self._multiply(
                TRANSPOSED if transpose else PLAIN, factor, self._handle, GENERAL, x.ctypes.data,
                0.0 if onto is None else 1.0, y.ctypes.data,
            ))  # fmt: skip
        finally:
            self._library.MKL_Set_Num_Threads_Local(earlier)
        return y


@functools.cache
def _multiplication(library: Any, dtype: str) -> Any:
    """MKL's y = alpha A x + beta y; its types are declared once, as doing so costs more than a small product."""
    routine, real = getattr(library, f"mkl_sparse_{LETTERS[dtype]}_mv"), REALS[dtype]
    routine.argtypes = [
        ctypes.c_int, real, ctypes.c_void_p, _Description, ctypes.c_void_p, real, ctypes.c_void_p,
    ]  # fmt: skip
    return routine


def _done(status: int) -> None:
    if status != 0:
        raise SolveError(f"MKL's sparse products ended with status {status}. SciPy's serve too: set {VARIABLE}=off.")
