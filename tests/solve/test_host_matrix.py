"""Products of host matrices: those of SciPy, by MKL or without it."""

import gc

import numpy as np
import pytest
from scipy.sparse import bsr_matrix, csr_matrix, random_array

from chemomech.solve import mkl
from chemomech.solve.host_matrix import HostMatrix
from chemomech.solve.mkl import Handle

BLOCKS = {"rows": None, "pairs": (2, 2), "wide": (6, 6), "oblong": (2, 3), "upright": (6, 3)}


@pytest.fixture(params=["mkl", "scipy"])
def backend(request, monkeypatch):
    if request.param == "scipy":
        monkeypatch.setattr(mkl, "_library", lambda: None)
    elif mkl.path() is None:
        pytest.skip("MKL is not installed. Run `pip install .[direct]`.")
    return request.param


def sample(blocks, dtype=np.float64, shape=(60, 36)):
    """A sparse matrix without pattern, in blocks if wanted."""
    rows, columns = shape if blocks is None or blocks[0] != blocks[1] else (shape[0], shape[0])
    A = random_array((rows, columns), density=0.2, rng=np.random.default_rng(3)).astype(dtype)
    return csr_matrix(A) if blocks is None else bsr_matrix(A, blocksize=blocks)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=list(BLOCKS))
def test_products_are_those_of_scipy(backend, blocks, dtype):
    A, rng = sample(blocks, dtype), np.random.default_rng(4)
    made = HostMatrix(A)
    assert (made.handle is not None) == (backend == "mkl")
    for matrix, dense in ((made, A.toarray()), (made.T, A.toarray().T), (made.T.T, A.toarray())):
        x = rng.normal(size=matrix.shape[1]).astype(dtype)
        y = matrix @ x
        assert y.dtype == dtype
        assert matrix.shape == dense.shape
        assert np.allclose(y, dense @ x, rtol=0, atol=10 * np.finfo(dtype).eps * np.abs(dense).sum(1).max() * 4)


def test_large_products_may_take_all_threads(backend):
    A = random_array((3000, 3000), density=0.05, rng=np.random.default_rng(0)).tocsr()
    assert A.nnz > mkl.SHARED
    x = np.cos(np.arange(3000.0))
    assert np.allclose(HostMatrix(csr_matrix(A)) @ x, A @ x, rtol=1e-13, atol=1e-13)


def test_views_of_vectors_are_taken_as_they_are(backend):
    A, x = sample(None), np.random.default_rng(0).normal(size=72)
    assert np.allclose(HostMatrix(A) @ x[::2], A @ x[::2])


def test_vector_of_another_length_is_refused(backend):
    with pytest.raises(ValueError, match=r"shape|mismatch"):
        HostMatrix(sample(None)) @ np.ones(35)


def test_what_mkl_cannot_take_is_left_to_scipy():
    A = sample(None)
    long = csr_matrix((A.data, A.indices, A.indptr), shape=A.shape)
    long.indices, long.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    whole = csr_matrix(A.astype(np.int32))
    for B in (long, whole, csr_matrix(A.shape), bsr_matrix(A, blocksize=(2, 3))):
        assert Handle.of(B) is None
        assert np.allclose(HostMatrix(B) @ np.ones(36), B @ np.ones(36))


def test_handle_outlives_the_names_of_its_arrays(backend):
    def made():
        return HostMatrix(sample(BLOCKS["pairs"]))

    A = made()
    x, wanted = np.ones(60), sample(BLOCKS["pairs"]) @ np.ones(60)
    A @ x
    gc.collect()
    [np.full(1000, np.nan) for _ in range(200)]  # what would now lie in freed memory
    assert np.allclose(A @ x, wanted)
