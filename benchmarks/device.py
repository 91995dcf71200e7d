"""Measures of a JAX device: its bandwidth, its memory, how long a compiled function takes and what it launches."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# instructions of optimised HLO that launch nothing of their own
SILENT = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "replica-id",
    "while", "conditional", "call", "async-done", "copy-done", "opt-barrier",
}  # fmt: skip


def describe() -> dict:
    """The device and the version of JAX."""
    device = jax.local_devices()[0]
    return {"device": device.device_kind, "platform": device.platform, "jax": jax.__version__}


def seconds(function: Callable, *arguments: Any, calls: int = 10, laps: int = 5) -> float:
    """Median seconds of a call among laps of several calls in flight, after one that compiles."""
    jax.block_until_ready(function(*arguments))
    taken = []
    for _ in range(laps):
        start = time.perf_counter()
        out = [function(*arguments) for _ in range(calls)][-1]
        jax.block_until_ready(out)
        taken.append((time.perf_counter() - start) / calls)
    return statistics.median(taken)


def bandwidth(size: int) -> float:
    """Bytes a second of the triad a = b + s c on vectors of float64 of that length."""
    b, c = jnp.ones(size), jnp.full(size, 2.0)
    return 3 * 8 * size / seconds(jax.jit(lambda b, c: b + 3.0 * c), b, c)


def peak_memory() -> int | None:
    """Largest number of bytes in use on the device so far; None where the device does not tell."""
    stats = jax.local_devices()[0].memory_stats()
    return None if not stats else stats.get("peak_bytes_in_use")


def stored(tree: Any) -> int:
    """Bytes of the arrays of a pytree, each counted once."""
    return sum({id(leaf): leaf.nbytes for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)}.values())


class Kernels:
    """Kernels of a compiled program, counted in its optimised HLO: a loop's body once, a branch at its largest."""

    def __init__(self, compiled: Any):
        self.bodies: dict[str, list[tuple[str, str]]] = {}
        self.entry = name = ""
        for line in compiled.as_text().splitlines():
            header = re.match(r"(ENTRY )?%?([\w.\-]+) .*\{$", line)
            if header:
                name = header[2]
                self.bodies[name] = []
                self.entry = name if header[1] else self.entry
            found = re.match(r"\s+(?:ROOT )?%?[\w.\-]+ = .*?[\s)]([a-z][\w\-]*)\(", line)
            if found and name:
                self.bodies[name].append((found[1], line))

    def of(self, name: str | None = None) -> int:
        """Kernels of one computation and of what it calls; of the whole program by default."""
        total = 0
        for opcode, line in self.bodies.get(name or self.entry, []):
            below = [self.of(called) for called in _called(line)] if opcode in ("while", "call", "conditional") else []
            total += max(below, default=0) if opcode == "conditional" else sum(below)
            total += opcode not in SILENT
        return total

    def largest_loop(self) -> int:
        """Kernels of one turn of the loop with the most of them."""
        lines = [line for body in self.bodies.values() for opcode, line in body if opcode == "while"]
        return max((sum(self.of(called) for called in _called(line)) for line in lines), default=0)


def _called(line: str) -> list[str]:
    """Computations that an instruction runs: body and condition, callee, branches."""
    single = re.findall(r"(?:body|condition|to_apply|true_computation|false_computation)=%?([\w.\-]+)", line)
    several = re.findall(r"branch_computations=\{([^}]*)\}", line)
    return single + [name.strip().lstrip("%") for group in several for name in group.split(",")]
