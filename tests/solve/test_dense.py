"""Small dense systems: NumPy's, JAX's, and a batch of them."""

import re

import jax
import numpy as np
import pytest

from chemomech.solve import dense

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 6, 6))
A = A @ A.swapaxes(1, 2) + np.eye(6)
b = rng.normal(size=(3, 6))
CASES = {
    dense.inv: (A,),
    dense.solve: (A, b),
    dense.eigh: (A,),
    dense.solve_triangular: (np.triu(A), b),
}


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_a_batch_gives_what_each_gives(function):
    """And LAPACK sees one matrix at a time: two batches at once can wait for each other for ever."""
    batch = jax.jit(jax.vmap(function))
    found = jax.tree.leaves(batch(*CASES[function]))
    for k in range(3):
        one = jax.tree.leaves(function(*(jax.numpy.asarray(v[k]) for v in CASES[function])))
        for several, alone in zip(found, one, strict=True):
            np.testing.assert_allclose(several[k], alone, rtol=1e-12, atol=1e-13)
    calls = re.findall(r'num_batch_dims = "(\d)"', batch.lower(*CASES[function]).as_text())
    assert calls
    assert set(calls) == {"0"}


def test_numpy_arrays_stay_numpy():
    assert isinstance(dense.inv(A[0]), np.ndarray)
    np.testing.assert_allclose(dense.solve(A[0], b[0]), dense.inv(A[0]) @ b[0], rtol=1e-12)
