"""GMRES iterations where diffusion knows directions: with mu's own aggregates, and with those of c for both.

usage: python -m benchmarks.directed_diffusion [--cells 40 80] [--out benchmarks/results/directed_diffusion.json]

A square of 20 interface lengths (chi = 3), half of it rich behind a tilted interface, and a cube of 5 with cells of the
same size. Diffusion is 1 along a direction, at some degrees to the x-axis, and `across` at right angles to it; steps
are half the growth time of the fastest wave, and a hundred times that. Right-hand sides are noise in every row, the
relative residual is 1e-6. None: GMRES gives up after 100 iterations.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np

import chemomech as cm
from benchmarks.record import hardware, write
from chemomech.errors import SolveError
from chemomech.fem.mesh import Mesh, box, rectangle

CHI, SIDE = 3.0, 20.0  # interface lengths
ACROSS = [1.0, 0.1, 0.01, 1e-3, 0.0]
GROWTH = 4.0 / (0.25 * (4.0 - 2.0 * CHI) ** 2)  # time of the fastest wave at c = 1/2, kappa = D = 1


def tangent(mesh: Mesh, degrees: float, across: float, dt: float):
    """The tangent of a step from the two-phase state, and the number of unknowns."""
    t = np.deg2rad(degrees)
    n = np.array([np.cos(t), np.sin(t), 0.0])
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=CHI) + cm.GradientEnergy(1.0)), cm.Storage(),
            cm.Diffusion((1.0 - across) * np.outer(n, n) + across * np.eye(3)),
        ],
    )  # fmt: skip
    evolution, middle = cm.Evolution(problem, cm.Newton(linear=cm.Krylov())), np.ptp(mesh.points[:, 0]) / 2
    wall = lambda x: 0.5 + 0.43 * np.tanh(x[:, 0] - middle + 0.1 * x[:, 1])  # noqa: E731
    x = evolution.start(problem.state(c=wall))
    now = evolution.expand(x)
    return evolution.tangent(x, (now, now, 0.0, dt), problem.drive()), problem.unknowns


def solved(made, unknowns: int, *, own: bool) -> dict:
    """Iterations and processor seconds; `own` lets mu have its aggregates."""
    solver = cm.Krylov()
    state = solver.init(made)
    has = state.hierarchies.directed is not None
    if not own:
        state = solver.init(made, state._replace(hierarchies=dataclasses.replace(state.hierarchies, directed=None)))
        state = solver.forget(state)
    b, began = np.random.default_rng(0).normal(size=unknowns), time.process_time()
    try:
        iterations = solver.solve(state, b, rtol=1e-6)[1].iterations
    except SolveError:
        iterations = None
    return {"own": own and has, "iterations": iterations, "processor seconds": time.process_time() - began}


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[40, 80])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases = []
    for cells in args.cells:
        few = cells // 4
        bodies = {
            "triangles": rectangle(SIDE, SIDE, cells, cells),
            "quadrilaterals": rectangle(SIDE, SIDE, cells, cells, "quad"),
            "tetrahedra": box(SIDE / 4, SIDE / 4, SIDE / 4, few, few, few),
        }  # fmt: skip
        for body, mesh in bodies.items():
            for degrees in (0, 30):
                for across in ACROSS:
                    for steps in (0.5, 50.0):
                        made, unknowns = tangent(mesh, degrees, across, steps * GROWTH)
                        both = [solved(made, unknowns, own=own) for own in (True, False)]
                        cases.append({
                            "body": body, "unknowns": unknowns, "degrees": degrees, "across": across,
                            "step over growth time": steps, "with": both[0], "without": both[1],
                        })  # fmt: skip
                        print(body, unknowns, degrees, across, steps, *(v["iterations"] for v in both), flush=True)
    write({"claim": "directed diffusion", **hardware(), "cases": cases}, args.out)


if __name__ == "__main__":
    main()
