"""Float64, a cache of compiled kernels shared by all test processes, and which tests a bare run leaves out."""

import gc
import os
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax  # noqa: E402
import pytest  # noqa: E402

from chemomech.compiler import compile_sooner  # noqa: E402

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")  # compiling is most of what the tests do
compile_sooner()
jax.config.update("jax_enable_x64", True)
gc.set_threshold(50_000, 20, 100)  # of the many small objects of tracing most live: looking takes 7 % of the time
MAPPINGS = 25_000  # Linux gives a process 65 530; XLA takes some for each program that it keeps


@pytest.fixture(autouse=True)
def _programs_of_earlier_tests_go():
    """A process that has compiled thousands of programs is killed for want of mappings: drop them before."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPPINGS:
        jax.clear_caches()
        gc.collect()


def pytest_collection_modifyitems(config, items):
    """Slow tests run with `-m slow` or CHEMOMECH_ALL=1; a bare run stays under five minutes."""
    if config.getoption("-m") or os.environ.get("CHEMOMECH_ALL"):
        return
    skip = pytest.mark.skip(reason="slow: run with CHEMOMECH_ALL=1 or -m slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
