"""Domains of a bent wire: rich segments along its two edges over bends, interface lengths and seeds of the noise.

usage: python -m benchmarks.bent_wire [--seeds 5] [--case BEND RATIO ...] [--until 5] [--parts PART ...]
       [--coarse] [--out benchmarks/results/bent_wire.json]

The strip of configs/bent_wire.toml, of height h, with 2.4 cells an interface length l = RATIO h. BEND is the strain of
the edge in tension [1]. The parts: `sweep` reads the strip, which coarsens for ever, at `until` h^2/D, and `louder`
does so after twice the noise; `lifetimes` follows one axial layer until it breaks; `rest` compares the energies of
layer and bars at equilibrium; `counts` are GMRES iterations, of a wire of square section too. `--coarse` halves the
cells, for tests.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import jax

from benchmarks.record import ROOT, hardware, write
from chemomech.compiler import compile_sooner

compile_sooner()
jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np

import chemomech as cm
from chemomech import config
from chemomech.analysis import morphology
from chemomech.problem import ledger

CONFIG = ROOT / "configs" / "bent_wire.toml"
H, D, MEAN, NOISE = 50e-9, 1e-14, 0.4, 0.02  # those of the config
PARTS = ["sweep", "louder", "lifetimes", "rest", "counts"]
EDGES = {"tension": "bottom", "compression": "top"}
CASES = [
    (0.0, 0.12), (0.0, 0.2), (0.0, 0.3), (0.004, 0.12), (0.004, 0.2), (0.004, 0.3),
    (0.01, 0.12), (0.01, 0.2), (0.01, 0.3), (0.01, 0.45),
]  # fmt: skip
LOUD = 0.04  # the noise is that of nodes: of finer cells it has less in long waves, so its amplitude says little
LASTING = [(0.004, 0.2), (0.006, 0.2), (0.01, 0.2), (0.01, 0.12)]
LAST = 300.0  # h^2/D
CELLS = 2.4  # an interface length
LAYER = 0.65  # mean composition of the edge in tension while a layer covers it


def tables(
    bend: float, ratio: float, seed: int = 1, until: float = 5.0, cells: float = CELLS, noise: float = NOISE
) -> dict:  # fmt: skip
    """The config at another bend, interface length, seed, time [h^2/D] and amplitude of the noise."""
    tree, across = config.read(CONFIG), round(cells / ratio)
    kappa = float(cm.Host(c_max=1.0, T="298.15 K").RT) * (ratio * H) ** 2
    tree["mesh"] |= {"nx": 6 * across, "ny": across}
    tree["kinematics"]["bending"]["curvature"] = f"{2 * bend / H!r} 1/m"
    tree["potentials"][0]["psi"][1]["kappa"] = f"{kappa!r} J*m^2/mol"
    tree["initial"] |= {"seed": seed, "amplitude": noise}
    tree["protocol"][0]["until"]["time"] = f"{until * H**2 / D!r} s"
    return tree


def wire(*given: float, **options: float) -> config.Simulation:
    """The strip of `tables`."""
    return config.build(tables(*given, **options), CONFIG)


def at_rest(*given: float, **options: float) -> cm.Problem:
    """The same strip without time, of given lithium content."""
    tree = tables(*given, **options)
    tree["potentials"] = [tree["potentials"][0], {"kind": "Amount", "mean": MEAN}]
    return config.build(tree, CONFIG).problem


def edges(mesh: cm.Mesh, c: np.ndarray) -> dict[str, dict[str, float]]:
    """Rich segments and mean composition of each edge."""
    return {
        name: {"segments": morphology.stripes(mesh, c, on), "mean": float(np.mean(c[mesh.nodes_of(on)]))}
        for name, on in EDGES.items()
    }


def run(bend: float, ratio: float, seed: int, until: float, cells: float, noise: float) -> dict:
    """One run, read at its end."""
    simulation = wire(bend, ratio, seed=seed, until=until, cells=cells, noise=noise)
    began = time.process_time()
    solution = simulation.run()
    c = np.asarray(solution.final.c)
    return {
        "seed": seed, **edges(simulation.problem.mesh, c), "contrast": float(np.ptp(c)), "steps": len(solution.steps),
        "processor seconds": time.process_time() - began,
    }  # fmt: skip


def case(bend: float, ratio: float, seeds: int, until: float, cells: float, noise: float = NOISE) -> dict:
    """All seeds of one bend and interface length, and their means."""
    runs = [run(bend, ratio, seed, until, cells, noise) for seed in range(1, seeds + 1)]
    mean = {
        edge: {key: float(np.mean([made[edge][key] for made in runs])) for key in ("segments", "mean")}
        for edge in EDGES
    }  # fmt: skip
    return {"bend": bend, "ratio": ratio, "until": until, "noise": noise, "mean": mean, "seeds": seeds, "runs": runs}


def lifetime(bend: float, ratio: float, last: float, cells: float) -> dict:
    """Until when a layer covers the edge in tension [h^2/D]; None: it is still there at the end."""
    simulation = wire(bend, ratio, until=last, cells=cells)
    mesh = simulation.problem.mesh
    nodes = mesh.nodes_of(EDGES["tension"])
    observe = {"tension": lambda _, state: jnp.mean(state.c[nodes])}
    found = cm.simulate(simulation.problem, simulation.state, simulation.protocol, frames=0, observe=observe)
    t, rich = np.asarray(found.time) * D / H**2, np.asarray(found.tension) > LAYER
    gone = np.flatnonzero(~rich & (np.maximum.accumulate(rich)))
    return {
        "bend": bend, "ratio": ratio, "last": last, "broken": float(t[gone[0]]) if len(gone) else None,
        **edges(mesh, np.asarray(found.final.c)),
    }  # fmt: skip


def energy(problem: cm.Problem, state: cm.State) -> float:
    """Mean stored energy, that of the bend included, over R T c_max."""
    whole = float(sum(ledger(problem, problem.pack(state)).values())) * problem.scales.of("J")
    return whole / (float(problem.host.RT) * float(problem.host.c_max) * 6 * H**2)


def stationary(bend: float, ratio: float, cells: float) -> dict:
    """Mean energies at equilibrium of a layer along the edge in tension and of rich bars across at one end or both.

    A layer starts from what noise has made of the wire at 5 h^2/D. The number of changes that lower the energy says
    whether a state would stay; None: Newton's method has found no such state.
    """
    problem, began = at_rest(bend, ratio, cells=cells), wire(bend, ratio, cells=cells)
    starts = {
        "layer": began.run().final.c,
        "one bar": lambda x: 0.5 - 0.43 * np.tanh((x[:, 0] - 6 * MEAN * H) / (2 * ratio * H)),
        "two bars": lambda x: 0.5 + 0.43 * np.tanh((np.cos(np.pi * x[:, 0] / (3 * H)) - np.cos(np.pi * MEAN)) / ratio),
    }
    rows: dict = {"bend": bend, "ratio": ratio} | dict.fromkeys(starts)
    for name, start in starts.items():
        try:
            state = cm.solve_equilibrium(problem, problem.state(c=start))
        except cm.SolveError:
            continue
        found = edges(problem.mesh, np.asarray(state.c))
        if (name == "layer") == (found["compression"]["segments"] == 0):  # else it has become the other
            stable = {"energy": energy(problem, state), "unstable": cm.unstable_modes(problem, state)}
            rows[name] = stable | found
    return rows


def counts(bend: float, ratio: float, cells: float) -> dict:
    """GMRES iterations of a linear solve to 1e-6 along the run: of the strip, and of a square wire from noise."""
    newton = cm.Newton(linear=cm.Krylov(), linear_rtol=1e-6, first_rtol=1e-6)
    made = {"strip": wire(bend, ratio, cells=cells), "square wire": solid(bend, ratio, cells)}
    rows: dict = {"bend": bend, "ratio": ratio}
    for name, simulation in made.items():
        evolution, solution = cm.Evolution(simulation.problem, newton), simulation.run()
        found = []
        for t, state in solution.frames[1:]:
            dt = float(np.interp(t, solution.time, solution.history["dt"]))
            result = evolution.backward_euler(evolution.start(state), dt)
            found.append(result.linear_iterations / max(result.iterations, 1) if result.converged else float("inf"))
        c, mesh = np.asarray(solution.final.c), simulation.problem.mesh
        on = {
            side: float(c[np.isclose(mesh.points[:, 1], y)].mean())
            for side, y in (("tension", 0.0), ("compression", H))
        }
        rows[name] = {
            "unknowns": simulation.problem.unknowns, "states": len(found), "median": float(np.median(found)),
            "worst": max(found), **on,
        }  # fmt: skip
    return rows


def solid(bend: float, ratio: float, cells: float) -> config.Simulation:
    """The strip as a wire of square section, along x."""
    tree, across = tables(bend, ratio, cells=cells, until=1.0), round(cells / ratio)
    sides = {"lx": "300 nm", "ly": "50 nm", "lz": "50 nm", "nx": 6 * across, "ny": across, "nz": across}
    tree["mesh"] = {"kind": "Box"} | sides
    bending = {"kind": "WireBending", "axis": "x", "curvature_y": f"{2 * bend / H!r} 1/m", "axial": 0.0}
    tree["kinematics"] = {"kind": "Solid", "bending": bending | {"centre": ["25 nm", "25 nm"]}}
    for k, end in enumerate(("xmin", "xmax")):
        tree["constraints"][k]["on"] = end
    tree["output"]["frames"] = 10
    return config.build(tree, CONFIG)


def main() -> None:
    """Run, print, write the record; parts that are not asked for stay as they are in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--case", type=float, nargs=2, action="append", metavar=("BEND", "RATIO"))
    parser.add_argument("--until", type=float, default=5.0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--coarse", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cells = CELLS / 2 if args.coarse else CELLS
    record: dict = json.loads(args.out.read_text()) if args.out and args.out.exists() else {}
    record |= {"claim": "bent wire", **hardware(), "cells": cells}
    make: dict[str, Callable] = {
        "sweep": lambda bend, ratio: case(bend, ratio, args.seeds, args.until, cells),
        "louder": lambda bend, ratio: case(bend, ratio, args.seeds, args.until, cells, LOUD),
        "lifetimes": lambda bend, ratio: lifetime(bend, ratio, LAST, cells),
        "rest": lambda bend, ratio: stationary(bend, ratio, cells),
        "counts": lambda bend, ratio: counts(bend, ratio, cells),
    }
    default = {
        "sweep": CASES,
        "louder": [(0.004, 0.12)],
        "lifetimes": LASTING,
        "rest": LASTING,
        "counts": [(0.004, 0.3)],
    }
    for part in args.parts:
        record[part] = []
        for bend, ratio in args.case or default[part]:
            record[part].append(make[part](bend, ratio))
            print(part, {key: value for key, value in record[part][-1].items() if key != "runs"}, flush=True)
    write(record, args.out)


if __name__ == "__main__":
    main()
