"""Memory and time of residual, tangent, energies and stresses, with cells taken all at once and in chunks.

usage: python -m benchmarks.assembly_memory MESH.npz [--budgets "100 GB" "256 MB" "128 MB" "32 MB"] [--out FILE.json]

MESH.npz as made by peers/make_mesh.py, the problem of coupled_step.py. Each budget runs in a process of its own, which
prints its largest resident memory over what it had when the problem and its constant matrices were made, XLA's own
account of each kernel's temporaries, and the shortest of five times.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import chemomech as cm
from benchmarks.coupled_step import build
from benchmarks.record import hardware
from chemomech import evolution as kernels
from chemomech.kernels import Kernels
from chemomech.measures import measures
from chemomech.units import parse


def resident(peak: bool = False) -> float:
    """Resident memory of this process, or the most since the last reset [MB]."""
    key = "VmHWM:" if peak else "VmRSS:"
    line = next(v for v in Path("/proc/self/status").read_text().splitlines() if v.startswith(key))
    return int(line.split()[1]) / 1e3


def run(path: str, budget: str) -> dict:
    """One budget."""
    problem, state = build(path)
    evolution = cm.Evolution(problem, budget=budget)
    x = evolution.start(state)
    old, drive = evolution.expand(x), problem.drive()
    given, acts = (old, old, 0.0, 1e-3), (drive.prescribed, drive.value)
    call = Kernels(problem, float(parse(budget, "byte")))
    constants = evolution.constants
    calls = {
        "residual": (kernels._residual, x, *given, *acts), "tangent": (kernels._tangent, constants, x, *given, *acts),
        "measures": (measures, x), "constants": (kernels.constants, old),
    }  # fmt: skip
    chunks = problem.kernel(float(parse(budget, "byte"))).slicing.chunks
    record: dict = {"budget": budget, "unknowns": problem.unknowns, "cells": len(problem.mesh.cells), "chunks": chunks}
    for name, arguments in calls.items():
        memory = call.memory(*arguments)
        jax.block_until_ready(call(*arguments))
        Path("/proc/self/clear_refs").write_text("5")  # start a new peak
        before, times = resident(), []
        for _ in range(5):
            start = time.perf_counter()
            jax.block_until_ready(call(*arguments))
            times.append(time.perf_counter() - start)
        record[name] = {
            "temporaries_MB": memory.temp_size_in_bytes / 1e6, "results_MB": memory.output_size_in_bytes / 1e6,
            "peak_over_before_MB": resident(peak=True) - before, "seconds": min(times),
        }  # fmt: skip
    return record


def main() -> None:
    """Run every budget in its own process, print a line for each, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mesh")
    parser.add_argument("--budgets", nargs="+", default=["100 GB", "256 MB", "128 MB", "32 MB"])
    parser.add_argument("--out")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(args.mesh, args.budgets[0])))
        return
    runs = []
    for budget in args.budgets:
        command = [sys.executable, "-m", "benchmarks.assembly_memory", args.mesh, "--budgets", budget, "--one"]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(json.dumps(runs[-1]))
    if args.out:
        Path(args.out).write_text(json.dumps({"hardware": hardware(), "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
