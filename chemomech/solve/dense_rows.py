"""Products with a few dense rows: not by BLAS for short vectors, whose threads cost more than they save."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

LONG = 50_000


def row_products(rows: Float[Any, "k n"], y: Float[Any, " n"]) -> Float[Any, " k"]:
    """rows @ y"""
    return rows @ y if _by_matmul(rows) else np.einsum("kn,n->k", rows, y)


def combination(factors: Float[Any, " k"], rows: Float[Any, "k n"]) -> Float[Any, " n"]:
    """factors @ rows"""
    return factors @ rows if _by_matmul(rows) else np.einsum("k,kn->n", factors, rows)


def _by_matmul(rows) -> bool:
    return rows.shape[1] > LONG or not isinstance(rows, np.ndarray)
