"""Sparse matrices on the host: SciPy's, multiplied by MKL where that is installed."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .mkl import Handle

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
        return self.quickest @ x if self.handle is None or not _alike(self, x) else self.handle.product(x)

    @functools.cached_property
    def handle(self) -> Handle | None:
        """What multiplies, where MKL does."""
        return Handle.of(self.scipy if _square(self.scipy) else self.scipy.tocsr())

    @functools.cached_property
    def quickest(self) -> Any:
        """The form that SciPy multiplies fastest."""
        A = self.scipy
        return A.tocsr() if A.format == "bsr" and A.blocksize[0] * A.blocksize[1] < WIDE else A


class Transposed(NamedTuple):
    """The transpose of a matrix."""

    T: HostMatrix

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        rows, columns = self.T.shape
        return columns, rows

    def __matmul__(self, x: Float[np.ndarray, " columns"]) -> Float[np.ndarray, " rows"]:
        handle = self.T.handle
        return self.T.quickest.T @ x if handle is None or not _alike(self.T, x) else handle.product(x, transpose=True)


def _alike(A: HostMatrix, x: Any) -> bool:
    return x.ndim == 1 and x.dtype == A.scipy.dtype


def _square(A: Any) -> bool:
    return A.format == "csr" or A.blocksize[0] == A.blocksize[1]
