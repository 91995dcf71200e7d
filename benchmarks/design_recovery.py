"""Material numbers from a noisy movie of the composition, with intervals that hold the truth as often as they say.

usage: python -m benchmarks.design_recovery [--cells 20] [--seeds 20] [--out benchmarks/results/design_recovery.json]

A closed square separates into phases. Maps of the composition at its nodes, with white noise, give chi, kappa and
the misfit by least squares, along the steps of one run. Laplace's estimate gives intervals of 95 %; over the noise
seeds it is counted how often they hold the truth. One more movie comes from a mesh of half the cells' size and steps
of its own: there the error of the mesh, which no interval knows of, adds a bias.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.record import hardware, write

TRUE = {"chi": 2.8, "kappa": 4e-3, "misfit": 0.02}
START = np.array([2.6, 3e-3, 0.015])
LOWER, UPPER = np.array([2.2, 1e-3, 0.005]), np.array([3.4, 1e-2, 0.035])
NOISE, TIMES = 0.02, np.linspace(0.02, 0.2, 8)


def experiment(cells: int):
    """A square with the numbers of the start; energies follow the numbers' paths."""
    import chemomech as cm
    from chemomech import design
    from chemomech.fem.mesh import rectangle

    chi, kappa, misfit = START
    psi = [
        cm.RegularSolution(chi=chi), cm.GradientEnergy(kappa),
        cm.LinearElastic.isotropic(600.0, 0.3, cm.Vegard(misfit, c_ref=0.5)),
    ]  # fmt: skip
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, cells, cells, diagonal="crossed"), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    waves = np.random.default_rng(0).normal(size=(6, 3))

    def composition(x):
        return 0.45 + 0.04 * sum(a * np.cos(np.pi * (2 * b * x[:, 0] + 2 * c * x[:, 1])) for a, b, c in waves)

    return design.Experiment(problem, problem.state(c=composition), cm.Protocol([cm.Closed({"time": TIMES[-1]})]))


def study(cells: int, path: str, tolerance: float = 1e-3):
    """chi, kappa and misfit against the movie of a file."""
    import chemomech as cm
    from chemomech import design

    psi = "potentials.0.psi"
    paths = [f"{psi}.0.chi", f"{psi}.1.kappa", [f"{psi}.2.eigenstrain.strain.{k}" for k in range(3)]]
    numbers = [design.Number(*given) for given in zip(paths, LOWER, UPPER, strict=True)]
    newton = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))
    options = {"newton": newton, "control": cm.ErrorControl(tol=tolerance)}
    return design.Study(experiment(cells), numbers, design.Movie(path), options=options)


def maps(made, x, steps=None):
    """Composition at the nodes at all times."""
    from chemomech import design

    return np.asarray(design.interpolated(made.run(x, replay=steps), "maps", TIMES))


def recovered(made, data, steps, seed: int):
    """The fit of a movie with noise."""
    from chemomech import design

    noisy = data + NOISE * np.random.default_rng(seed).normal(size=data.shape)
    np.savez(made.objective.path, times=TIMES, maps=noisy)
    residual = lambda x: made.objective.residual(made.run(x, replay=steps))  # noqa: E731
    return design.fit(residual, START, made.lower, made.upper, noise=NOISE)


def coverage(made, seeds: int) -> dict:
    """How often the intervals of movies of the same mesh and steps hold the truth."""
    true, steps, began = np.array(list(TRUE.values())), made.run(made.initial).steps, time.perf_counter()
    data, rows = maps(made, true, steps), []
    for seed in range(seeds):
        found = recovered(made, data, steps, seed)
        low, high = found.interval(0.95)
        rows.append({
            "x": found.x.tolist(), "errors": found.errors.tolist(), "evaluations": found.evaluations,
            "held": ((low <= true) & (true <= high)).tolist(),
        })  # fmt: skip
        print(seed, rows[-1], flush=True)
    spread = np.std([row["x"] for row in rows], axis=0, ddof=1) if seeds > 1 else np.zeros(3)
    return {
        "seeds": seeds, "steps": len(steps), "held": np.sum([row["held"] for row in rows], axis=0).tolist(),
        "errors": np.mean([row["errors"] for row in rows], axis=0).tolist(), "spread": spread.tolist(),
        "mean": np.mean([row["x"] for row in rows], axis=0).tolist(), "correlation": found.correlation.tolist(),
        "seconds a fit": (time.perf_counter() - began) / seeds, "runs": rows,
    }  # fmt: skip


def from_finer(made, cells: int) -> dict:
    """The fit of a movie of a finer mesh, with steps of its own that are shorter."""
    from scipy.spatial import cKDTree

    finer = study(2 * cells, made.objective.path, tolerance=1e-4)
    points, nodes = made.experiment.problem.mesh.points, finer.experiment.problem.mesh.points
    distance, same = cKDTree(nodes).query(points)
    assert distance.max() < 1e-12
    data = maps(finer, np.array(list(TRUE.values())))[:, same]
    found = recovered(made, data, made.run(made.initial).steps, 0)
    return {"x": found.x.tolist(), "errors": found.errors.tolist()}


def main() -> None:
    """Recover, count, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    import jax

    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory() as folder:
        made = study(args.cells, f"{folder}/movie.npz")
        found = coverage(made, args.seeds)
        finer = from_finer(made, args.cells)
    write({
        "claim": "design recovery", **hardware(), "cells": args.cells, "unknowns": made.experiment.problem.unknowns,
        "noise": NOISE, "frames": len(TIMES), "true": TRUE, "start": START.tolist(), **found, "finer": finer,
    }, args.out)  # fmt: skip


if __name__ == "__main__":
    main()
