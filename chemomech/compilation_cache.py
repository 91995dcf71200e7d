"""XLA's programs kept on disk between runs of the command line: the second start of a config compiles nothing."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from pathlib import Path

VARIABLE = "CHEMOMECH_CACHE"  # a folder, or "off"
SHORTEST = 0.1  # programs that compile faster than this are not worth a file [s]


def enable_cache() -> tuple[Path | None, str]:
    """Let JAX keep its programs: in the folder that was chosen, or none, and the reason for that in words.

    A folder that JAX was told of already (JAX_COMPILATION_CACHE_DIR) stays. Nothing here can fail a run.
    """
    import jax

    if given := jax.config.jax_compilation_cache_dir:
        return Path(given), "chosen by JAX_COMPILATION_CACHE_DIR"
    if os.environ.get(VARIABLE, "").lower() in ("off", "0", "none"):
        return None, f"switched off by {VARIABLE}"
    folder = cache_folder()
    if not _writable(folder):
        return None, f"{folder} cannot be written; choose another place with {VARIABLE}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", SHORTEST)
    return folder, f"moved or switched off (off) by {VARIABLE}"


def cache_folder() -> Path:
    """A folder of this processor's own: a home may be shared, and a program may need what another processor lacks."""
    given = os.environ.get(VARIABLE)
    return (Path(given).expanduser() if given else _user_cache() / "chemomech") / f"xla-{_processor()}"


def _user_cache() -> Path:
    """Where the platform wants caches."""
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local"))
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches"))
    given = os.environ.get("XDG_CACHE_HOME", "")
    return Path(given) if os.path.isabs(given) else Path(os.path.expanduser("~/.cache"))


def _processor() -> str:
    """Name of the instruction set with a digest of its extensions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    extensions = next((line for line in lines if line.lower().startswith(("flags", "features"))), platform.processor())
    return f"{platform.machine()}-{hashlib.sha256(extensions.encode()).hexdigest()[:8]}"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
