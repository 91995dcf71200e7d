"""Float64, strict promotion, and skips that say which line installs what is missing."""

import os

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_enable_x64", True)


def pytest_collection_modifyitems(config, items):
    """Slow tests run with `-m slow` or CHEMOMECH_ALL=1; a bare run stays under five minutes."""
    if config.getoption("-m") or os.environ.get("CHEMOMECH_ALL"):
        return
    skip = pytest.mark.skip(reason="slow: run with CHEMOMECH_ALL=1 or -m slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
