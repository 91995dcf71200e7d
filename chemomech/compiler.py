"""What the command line tells XLA's compiler."""

from __future__ import annotations

import os
from importlib.metadata import version

SOONER = "--xla_cpu_use_fusion_emitters=false"


def compile_sooner() -> None:
    """Let jaxlib 0.10 emit its loops for the CPU the older way: a third less to compile, programs no slower.

    XLA reads the environment once, when JAX is first used, and dies of an option that it does not know: no other
    jaxlib is told. What XLA_FLAGS says of it already stays.
    """
    given = os.environ.get("XLA_FLAGS", "")
    if version("jaxlib").startswith("0.10.") and "xla_cpu_use_fusion_emitters" not in given:
        os.environ["XLA_FLAGS"] = f"{given} {SOONER}".strip()
