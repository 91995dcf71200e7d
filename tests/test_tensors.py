"""Formulas with tensors."""

import numpy as np
import pytest

from chemomech.tensors import inverse_form


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_inverse_form(size):
    """b . A^-1 b"""
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(4, size, size)), rng.normal(size=(4, size))
    A = A @ A.swapaxes(1, 2) + np.eye(size)
    expected = [v @ np.linalg.solve(m, v) for m, v in zip(A, b, strict=True)]
    np.testing.assert_allclose(inverse_form(A.transpose(1, 2, 0), b.T), expected, rtol=1e-12)
