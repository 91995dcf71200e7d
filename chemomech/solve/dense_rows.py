"""Products with a few dense rows: not by BLAS for short vectors, whose threads cost more than they save."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

LONG = 50_000


def row_products(rows: Float[np.ndarray, "k n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
    """rows @ y"""
    return rows @ y if len(y) > LONG else np.einsum("kn,n->k", rows, y)


def combination(factors: Float[np.ndarray, " k"], rows: Float[np.ndarray, "k n"]) -> Float[np.ndarray, " n"]:
    """factors @ rows"""
    return factors @ rows if rows.shape[1] > LONG else np.einsum("k,kn->n", factors, rows)
