"""Sparse matrices on the host: SciPy's, multiplied by MKL where that is installed."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from . import mkl

WIDE = 36  # entries of a block from which SciPy's products gain by blocks


class HostMatrix:
    """`A @ x`, `A.T` and `A.shape` of a SciPy matrix in CSR or BSR whose values do not change any more."""

    def __init__(self, scipy: Any):
        self.scipy = scipy

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.scipy.shape

    @property
    def T(self) -> Transposed:
        """The transpose, of the same arrays."""
        return Transposed(self)

    def __matmul__(self, x: Float[np.ndarray, " columns"]) -> Float[np.ndarray, " rows"]:
        return self.product(x)

    def product(self, x: Float[np.ndarray, " columns"], *, transpose: bool = False) -> Float[np.ndarray, " rows"]:
        """A x, or A^T x; in another precision or of several columns by SciPy.

        Raises:
            ValueError: x has another length.
            SolveError: MKL gives an error.
        """
        if self.handle is not None and x.ndim == 1 and x.dtype == self.scipy.dtype:
            return self.handle.product(x, transpose=transpose)
        return (self.quickest.T if transpose else self.quickest) @ x

    @functools.cached_property
    def handle(self) -> mkl.Handle | None:
        """What multiplies, where MKL does: blocks as they are if it knows such, else rows."""
        if mkl.library() is None:
            return None
        return mkl.Handle.of(self.scipy) or mkl.Handle.of(self.rows)

    @functools.cached_property
    def rows(self) -> Any:
        """In CSR."""
        return self.scipy.tocsr()

    @functools.cached_property
    def quickest(self) -> Any:
        """The form that SciPy multiplies fastest."""
        A = self.scipy
        return A if A.format == "bsr" and A.blocksize[0] * A.blocksize[1] >= WIDE else self.rows


class Transposed(NamedTuple):
    """The transpose of a matrix."""

    T: HostMatrix

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        rows, columns = self.T.shape
        return columns, rows

    def __matmul__(self, x: Float[np.ndarray, " columns"]) -> Float[np.ndarray, " rows"]:
        return self.T.product(x, transpose=True)
