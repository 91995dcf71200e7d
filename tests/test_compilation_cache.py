"""Programs kept between runs: where, and that nothing about it can fail a run."""

import os
import subprocess
import sys
from pathlib import Path

from chemomech import compilation_cache

SCRIPT = """
import jax, jax.numpy as jnp
import chemomech
assert jax.config.jax_compilation_cache_dir is None, "set by the import"
from chemomech.compilation_cache import enable_cache
print(enable_cache()[0])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda v: jnp.sin(v) @ v)(jnp.ones(7))
"""


def spoken(**environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "CHEMOMECH_", "XDG_"))}
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False,
        env={**kept, "PYTHONPATH": root, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_programs_are_kept_and_found_again(tmp_path):
    folder, _ = spoken(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert Path(folder).parent == tmp_path / "cache" / "chemomech"
    kept = {path.name for path in Path(folder).iterdir() if path.name.endswith("-cache")}
    assert kept
    again, errors = spoken(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert again == folder
    assert {path.name for path in Path(folder).iterdir() if path.name.endswith("-cache")} == kept
    assert errors == ""


def test_it_can_be_moved_and_switched_off(tmp_path):
    moved, _ = spoken(CHEMOMECH_CACHE=str(tmp_path / "here"))
    assert Path(moved).parent == tmp_path / "here"
    assert spoken(CHEMOMECH_CACHE="off", HOME=str(tmp_path))[0] == "None"


def test_a_home_that_cannot_be_written_is_no_failure(tmp_path):
    """A file where the folder should be stands for it: it stops the superuser too."""
    (tmp_path / "file").write_text("")
    assert spoken(CHEMOMECH_CACHE=str(tmp_path / "file" / "below"))[0] == "None"


def test_each_processor_has_its_own(monkeypatch):
    mine = compilation_cache.cache_folder()
    monkeypatch.setattr(compilation_cache.platform, "machine", lambda: "another")
    assert compilation_cache.cache_folder() != mine
