"""Products of host matrices: those of SciPy, by MKL or without it."""

import gc
import os
import subprocess
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import bsr_matrix, csr_matrix, random_array
from threadpoolctl import threadpool_info, threadpool_limits

import chemomech as cm
from chemomech.solve import krylov, mkl
from chemomech.solve.host_matrix import HostMatrix
from chemomech.solve.mkl import Handle
from chemomech.solve.operators import gaxpy

BLOCKS = {"rows": None, "pairs": (2, 2), "wide": (6, 6), "oblong": (2, 3), "upright": (6, 3)}


@pytest.fixture(params=["mkl", "scipy"])
def backend(request, monkeypatch):
    if request.param == "scipy":
        monkeypatch.setattr(mkl, "library", lambda: None)
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


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=list(BLOCKS))
def test_products_are_added_to_a_copy(backend, blocks, dtype):
    """y + factor A x, as on a device; y stays as it is."""
    A, rng = sample(blocks, dtype), np.random.default_rng(5)
    made, round_off = HostMatrix(A), 1e3 * np.finfo(dtype).eps
    for matrix, dense in ((made, A.toarray()), (made.T, A.toarray().T)):
        x, y = (rng.normal(size=n).astype(dtype) for n in matrix.shape[::-1])
        kept = y.copy()
        for factor in (1.0, -1.0, 0.3):
            out = gaxpy(matrix, x, y, factor)
            assert out.dtype == dtype
            np.testing.assert_allclose(out, y + factor * (dense @ x), rtol=0, atol=round_off)
        np.testing.assert_allclose(gaxpy(matrix, x, y[::-1]), y[::-1] + dense @ x, rtol=0, atol=round_off)
        assert np.array_equal(y, kept)
        for other in (y[:-1], y[:1]):
            with pytest.raises(ValueError, match="go with"):
                gaxpy(matrix, x, other)


def test_mixed_precision_is_added_by_scipy(backend):
    A, y = HostMatrix(sample(None, np.float32)), np.ones(60)
    x = np.random.default_rng(0).normal(size=36).astype(np.float32)
    np.testing.assert_array_equal(gaxpy(A, x, y, -1.0), y - A.scipy @ x)


def test_all_threads_add_too(backend):
    """Above `SHARED` entries, plain and transposed."""
    A = csr_matrix(random_array((3000, 3000), density=0.03, rng=np.random.default_rng(0)))
    assert A.nnz > mkl.SHARED
    x, y = np.cos(np.arange(3000.0)), np.sin(np.arange(3000.0))
    made = HostMatrix(A)
    np.testing.assert_allclose(gaxpy(made, x, y, -0.5), y - 0.5 * (A @ x), atol=1e-12)
    np.testing.assert_allclose(gaxpy(made.T, x, y, -0.5), y - 0.5 * (A.T @ x), atol=1e-12)


def test_threads_are_those_of_before(backend):
    """A large product may take all threads, a small one takes one; what was chosen elsewhere stays chosen."""
    A = csr_matrix(random_array((3000, 3000), density=0.05, rng=np.random.default_rng(0)))
    assert A.nnz > mkl.SHARED
    x, made = np.cos(np.arange(3000.0)), HostMatrix(A)
    assert np.allclose(made @ x, A @ x, rtol=1e-13, atol=1e-13)
    if backend == "mkl":
        known = mkl.library()
        assert made.handle.threads == 0
        assert HostMatrix(sample(None)).handle.threads == 1
        known.MKL_Set_Num_Threads_Local(3)
        try:
            made @ x
            with pytest.raises(ValueError, match="go with"):
                made @ x[:-1]
        finally:
            assert known.MKL_Set_Num_Threads_Local(0) == 3


def others() -> list[int]:
    """Threads of NumPy's and SciPy's own BLAS."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]


def test_threads_of_numpy_stand_aside(backend):
    """Two pools of threads on the same cores, one of which waits in a loop, made a step twice as slow on two cores."""
    with threadpool_limits(limits=2, user_api="blas"):
        before = others()
        assert 2 in before
        with mkl.alone():
            assert others() == ([1] * len(before) if backend == "mkl" else before)
        assert others() == before


@pytest.mark.parametrize("of", ["Newton", "Krylov"])
def test_solvers_have_them_stand_aside(of, monkeypatch):
    if mkl.library() is None:
        pytest.skip("MKL is not installed. Run `pip install .[direct]`.")
    seen = []
    system = SimpleNamespace(residual=lambda x: seen.append(others()) or np.full(2, np.nan))
    monkeypatch.setattr(krylov.Krylov, "_refreshed", lambda *_: seen.append(others()))
    monkeypatch.setattr(krylov.Krylov, "_iterated", lambda *_: seen.append(others()) or (np.zeros(2), 0, 0.0))
    with threadpool_limits(limits=2, user_api="blas"):
        if of == "Newton":
            assert not cm.Newton().solve(system, np.zeros(2)).converged
        else:
            cm.Krylov().init(None)
            cm.Krylov().solve(None, np.zeros(2))
        assert 2 in others()
    assert len(seen) == (1 if of == "Newton" else 2)
    assert all(set(threads) == {1} for threads in seen)


def test_views_of_vectors_are_taken_as_they_are(backend):
    A, x = sample(None), np.random.default_rng(0).normal(size=72)
    assert np.allclose(HostMatrix(A) @ x[::2], A @ x[::2])


def test_mixed_precision_is_that_of_scipy(backend):
    A, x = HostMatrix(sample(None, np.float32)), np.random.default_rng(0).normal(size=36)
    assert (A @ x).dtype == np.float64
    assert np.array_equal(A @ x, A.scipy @ x)
    assert np.array_equal(A.T @ x.repeat(2)[:60], A.scipy.T @ x.repeat(2)[:60])
    assert np.array_equal(A @ np.stack([x, x], 1), A.scipy @ np.stack([x, x], 1))


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


def test_a_handle_keeps_its_arrays():
    if mkl.library() is None:
        pytest.skip("MKL is not installed. Run `pip install .[direct]`.")
    A = sample(BLOCKS["pairs"])
    arrays, handle = [weakref.ref(v) for v in (A.indptr, A.indices, A.data)], Handle.of(A)
    wanted = A @ np.ones(60)
    del A
    gc.collect()
    assert all(array() is not None for array in arrays)
    assert np.allclose(handle.product(np.ones(60)), wanted)
    del handle
    gc.collect()
    assert all(array() is None for array in arrays)


@pytest.mark.parametrize("setting", [{"MKL_INTERFACE_LAYER": "ILP64"}, {"CHEMOMECH_MKL": "off"}])
def test_environment_changes_no_result(setting):
    code = """
import numpy as np
from scipy.sparse import csr_matrix
from chemomech.solve.host_matrix import HostMatrix
A = HostMatrix(csr_matrix(np.diag(np.arange(5.0)) + np.eye(5, k=1)))
print(A.handle is not None, *(A @ np.ones(5)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | setting, capture_output=True, text=True, check=True
    )
    by_mkl = mkl.path() is not None and "CHEMOMECH_MKL" not in setting
    assert done.stdout.split() == [str(by_mkl), "1.0", "2.0", "3.0", "4.0", "4.0"]
