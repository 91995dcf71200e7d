"""Functions of `chemomech.thermo` over many parameter sets: compilation, and processor time of a compiled call.

usage: python -m benchmarks.parameter_sets [NAME ...] [--sets 10000] [--out benchmarks/results/NAME.json]

NAME is one of the functions (default: all).

Regular solutions of chi 2.2 to 3.4 with an isotropic misfit, and one cubic crystal whose C11 varies. A film is looked
at without and with strain. XLA's options are those of the command line. Prints a line for each, then the record.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import jax

from benchmarks.record import hardware, write
from chemomech.compiler import compile_sooner

compile_sooner()
jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np

import chemomech as cm
from chemomech.thermo import coherency, dopant, film, phase_diagram
from chemomech.thermo.relaxed import Free

HOST = cm.Host(c_max=2.3e4)
RT, F = 8.31446261815324 * 298.15, 96485.33212331
CUBIC = np.diag([160e9, 160e9, 160e9, 40e9, 40e9, 40e9]) + np.pad(60e9 * (1 - np.eye(3)), (0, 3))
CHANGES = dopant.Dopant(-0.1 * RT, 0.01 * F, -0.3, -0.02 * F, -0.1)


def spinel(chi):
    """A regular solution with 1.5 % misfit."""
    return cm.RegularSolution(chi=chi) + cm.LinearElastic.isotropic(100e9, 0.3, cm.Vegard(0.015))


def softest(chi):
    """The softest normal of a crystal; C11 varies."""
    elastic = cm.LinearElastic(jnp.asarray(CUBIC).at[0, 0].mul(0.3 * chi), cm.Vegard(0.015))
    return coherency.softest_normal(coherency.curvatures(elastic, 0.5, HOST))


FUNCTIONS: dict[str, Callable] = {
    "gaps of a free body": lambda chi: phase_diagram.gaps(Free(spinel(chi)), HOST),
    "transition of a film": lambda chi: phase_diagram.transition(film.film(spinel(chi), 0.001), HOST),
    "barriers without and with strain": lambda chi: film.barriers_against_strain(spinel(chi), HOST, jnp.array([0.005])),
    "voltage per strain": lambda chi: film.voltage_per_strain(spinel(chi), HOST, 0.001),
    "voltage per stress": lambda chi: film.voltage_per_stress(spinel(chi), HOST),
    "softest normal": softest,
    "dopant response": lambda chi: dopant.response(spinel(chi), HOST, CHANGES, 0.5),
}


def measured(function: Callable, sets: int) -> dict:
    """Seconds with compilation, and processor seconds of the fastest of five calls."""
    run, chi = jax.jit(jax.vmap(function)), jnp.linspace(2.2, 3.4, sets)
    began = time.perf_counter()
    jax.block_until_ready(run(chi))
    first, again = time.perf_counter() - began, []
    for shift in range(1, 6):
        other = jax.block_until_ready(chi + 1e-6 * shift)
        began = time.process_time()
        jax.block_until_ready(run(other))
        again.append(time.process_time() - began)
    return {"first seconds": round(first, 2), "processor seconds": round(min(again), 3)}


def main() -> None:
    """Measure each, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="*", metavar="NAME", help=", ".join(FUNCTIONS))
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if unknown := [name for name in args.functions if name not in FUNCTIONS]:
        parser.error(f"no function {', '.join(unknown)}; known: {', '.join(FUNCTIONS)}")
    rows = []
    for name in args.functions or FUNCTIONS:
        rows.append({"function": name, "sets": args.sets} | measured(FUNCTIONS[name], args.sets))
        print(json.dumps(rows[-1]), flush=True)
    write({"claim": "parameter sets", **hardware(), "functions": rows}, args.out)


if __name__ == "__main__":
    main()
