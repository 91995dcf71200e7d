"""Where a direct solver stops paying: seconds a step of coupled runs with each linear solver, by unknowns.

usage: OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 python -m benchmarks.crossover MESH.npz [MESH.npz ...] [--order 1|2]
       [--steps 12] [--solvers pardiso superlu krylov] [--patience 20] [--out benchmarks/results/NAME.json]

MESH.npz as made by peers/make_mesh.py. The problem is that of coupled_step.py, run by `simulate` under error control
from its steep initial state, with Newton's defaults: what a user's run costs, an older factor reused where that pays.
The first run of each case compiles and is not counted; the start (analysis, hierarchies, consistent voltage and
potential) is apart from the steps. A solver whose step takes longer than `patience` seconds is spared larger meshes.
"""

import argparse
import json
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np

import chemomech as cm
from benchmarks.coupled_step import build
from benchmarks.record import hardware
from chemomech.fem.mesh import elevate
from chemomech.solve.factor import installed


class Enough(Exception):
    """The run has taken as many steps as were asked for."""


class Clock(cm.Observer):
    """Notes when each step was accepted, and ends the run after so many."""

    def __init__(self, steps: int):
        self.steps, self.began, self.times, self.newton = steps, time.perf_counter(), [], []

    def accepted(self, record) -> None:
        """The first record is the consistent start."""
        self.times.append(time.perf_counter() - self.began)
        self.newton.append(record.newton)
        if len(self.times) > self.steps:
            raise Enough


def quadratic(problem: cm.Problem, kappa: float) -> tuple[cm.Problem, cm.State]:
    """The same on quadratic cells."""
    made = cm.Problem.build(
        elevate(problem.mesh), host=problem.host, scales=cm.Scales.unit(), constraints=problem.constraints,
        potentials=problem.potentials,
    )  # fmt: skip
    x, y = made.mesh.points[:, 0], made.mesh.points[:, 1]
    return made, made.state(c=0.5 + 0.42 * np.tanh(np.sin(5 * x) * np.cos(4 * y) / (5 * np.sqrt(kappa))))


def case(path: str, order: int, solver: str, steps: int) -> dict:
    """One mesh, one solver."""
    problem, state = build(path)
    if order == 2:
        problem, state = quadratic(problem, float(np.load(path)["kappa"]))
    linear = cm.Krylov() if solver == "krylov" else cm.HostDirect(backend=solver)
    for count in (2, steps):
        clock = Clock(count)
        try:
            cm.simulate(
                problem, state, cm.Closed(until={"time": 1.0}), newton=cm.Newton(linear=linear), frames=1,
                observer=clock, control=cm.ErrorControl(dt_start=1e-6), keep=False,
            )  # fmt: skip
        except Enough:
            pass
    spent = np.diff(clock.times)
    return {
        "mesh": Path(path).name, "dim": problem.mesh.dim, "order": order, "unknowns": problem.unknowns,
        "solver": solver, "start": clock.times[0], "seconds a step": float(spent.mean()),
        "newton a step": float(np.mean(clock.newton[1:])), "steps": [float(v) for v in spent],
    }  # fmt: skip


def table(cases: list[dict]) -> list[dict]:
    """Seconds a step by mesh, one column a solver."""
    rows: dict[tuple, dict] = {}
    for c in cases:
        row = rows.setdefault((c["mesh"], c["order"]), {k: c[k] for k in ("mesh", "dim", "order", "unknowns")})
        row[c["solver"]] = round(c["seconds a step"], 4)
    return list(rows.values())


def main() -> None:
    """Run, print the table, write the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mesh", nargs="+")
    parser.add_argument("--order", type=int, default=1)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--solvers", nargs="+", default=[*installed(), "krylov"])
    parser.add_argument("--patience", type=float, default=20.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases, slow = [], set()
    for path in args.mesh:
        for solver in args.solvers:
            if solver in slow:
                continue
            cases.append(case(path, args.order, solver, args.steps))
            print(json.dumps({k: v for k, v in cases[-1].items() if k != "steps"}), flush=True)
            if args.out:
                args.out.parent.mkdir(parents=True, exist_ok=True)
                args.out.write_text(json.dumps({**hardware(), "table": table(cases), "cases": cases}, indent=1) + "\n")
            if cases[-1]["seconds a step"] > args.patience:
                slow.add(solver)
    for row in table(cases):
        print("  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
