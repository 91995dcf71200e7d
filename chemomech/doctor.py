"""Whether this installation works: each check is ok, or has the line that mends it."""

from __future__ import annotations

import functools
import importlib.util
import platform
import sys
from typing import NamedTuple


class Check(NamedTuple):
    """One line of the doctor."""

    name: str
    ok: bool
    text: str
    optional: bool = False


@functools.cache
def checks() -> tuple[Check, ...]:
    """All checks, in the order of printing."""
    return (_python(), _jax(), _x64(), _cache(), _solver(), _gpu(), _gmsh(), _rendering())


def _python() -> Check:
    version = platform.python_version()
    return Check("Python", sys.version_info >= (3, 11), f"{version} (3.11 or newer is needed)")


def _jax() -> Check:
    try:
        import jax

        return Check("JAX", True, f"{jax.__version__} on {', '.join(str(d) for d in jax.devices())}")
    except Exception as error:
        return Check("JAX", False, f"{error}. Mend with: pip install --upgrade jax jaxlib")


def _x64() -> Check:
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        good = jax.numpy.ones(1).dtype == "float64"
    except Exception as error:
        return Check("float64", False, f"{error}. Mend with: export JAX_ENABLE_X64=1")
    return Check("float64", good, "double precision works" if good else "Mend with: export JAX_ENABLE_X64=1")


def _cache() -> Check:
    from .compilation_cache import enable_cache

    folder, reason = enable_cache()
    if folder is None:
        return Check("compilation cache", False, f"every run compiles anew: {reason}", optional=True)
    size = sum(f.stat().st_size for f in folder.glob("*") if f.is_file()) / 1e6 if folder.is_dir() else 0.0
    return Check("compilation cache", True, f"{folder}, {size:.0f} MB; {reason}", optional=True)


def _solver() -> Check:
    from .solve.mkl import library

    if importlib.util.find_spec("pypardiso") is not None:
        return Check(
            "PARDISO",
            True,
            "direct solver of MKL" + ("; Krylov takes its sparse products" if library() else ""),
            optional=True,
        )
    return Check("PARDISO", False, 'SuperLU is used, slower. Faster: pip install "chemomech[direct]"', optional=True)


def _gpu() -> Check:
    import jax

    good = any(d.platform == "gpu" for d in jax.devices())
    text = "used by JAX" if good else 'not seen by JAX. With an NVIDIA card: pip install "chemomech[gpu]"'
    return Check("GPU", good, text, optional=True)


def _gmsh() -> Check:
    from .errors import ChemomechError
    from .geometry.session import load_gmsh

    try:
        return Check("gmsh", True, str(getattr(load_gmsh(), "__version__", "found")), optional=True)
    except ChemomechError as error:
        return Check("gmsh", False, str(error), optional=True)


def _rendering() -> Check:
    from .viz import can_render

    good, reason = can_render()
    return Check("rendering", good, "PyVista draws off screen" if good else reason, optional=True)
