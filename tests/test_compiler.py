"""What XLA is told: nothing twice, nothing that it does not know."""

import os
import subprocess
import sys

import pytest

from chemomech import compiler


@pytest.mark.parametrize(
    ("jaxlib", "given", "expected"),
    [
        ("0.10.2", None, compiler.SOONER),
        ("0.10.2", "--xla_dump_to=/tmp", f"--xla_dump_to=/tmp {compiler.SOONER}"),
        ("0.10.2", "--xla_cpu_use_fusion_emitters=true", "--xla_cpu_use_fusion_emitters=true"),
        ("0.11.2", None, None),
        ("0.12.0", "--xla_dump_to=/tmp", "--xla_dump_to=/tmp"),
    ],
)
def test_only_a_jaxlib_that_knows_the_option_is_told(monkeypatch, jaxlib, given, expected):
    monkeypatch.setattr(compiler, "version", lambda name: jaxlib)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if given is not None:
        monkeypatch.setenv("XLA_FLAGS", given)
    compiler.compile_sooner()
    compiler.compile_sooner()
    assert os.environ.get("XLA_FLAGS") == expected


def test_this_jaxlib_takes_what_it_is_told():
    script = "from chemomech.compiler import compile_sooner as go; go(); import jax; print(jax.jit(lambda x: x + 1)(1))"
    kept = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run([sys.executable, "-c", script], env=kept, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
