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

    def product(
        self, x: Float[np.ndarray, " columns"], *, transpose: bool = False, factor: float = 1.0, onto: Any = None
    ) -> Float[np.ndarray, " rows"]:
        """factor A x, or factor A^T x, plus `onto`; by SciPy where that or x is of another precision, or has columns.

        Raises:
            ValueError: a vector has another length.
            SolveError: MKL gives an error.
        """
        own = all(v is None or v.dtype == self.scipy.dtype for v in (x, onto))
        if self.handle is not None and x.ndim == 1 and own:
            return self.handle.product(x, transpose=transpose, factor=factor, onto=onto)
        y = (self.quickest.T if transpose else self.quickest) @ x
        y = y if factor == 1.0 else factor * y
        if onto is None:
            return y
        if onto.shape != y.shape:
            raise ValueError(f"a vector of shape {onto.shape} does not go with {y.shape}")
        return onto + y

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
        return self.product(x)

    def product(
        self, x: Float[np.ndarray, " columns"], *, factor: float = 1.0, onto: Any = None
    ) -> Float[np.ndarray, " rows"]:
        """factor A x, added to `onto` where that is given; errors as of the matrix."""
        return self.T.product(x, transpose=True, factor=factor, onto=onto)
