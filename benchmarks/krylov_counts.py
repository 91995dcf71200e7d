"""GMRES iterations of the coupled step over states, interaction, step length and stiffness.

usage: python -m benchmarks.krylov_counts MESH.npz [MESH.npz ...] [--chi 2.5 3 4.5] [--stiffness none E300 E1000 LFP]
       [--precision double|single] [--out benchmarks/results/NAME.json]

MESH.npz as made by peers/make_mesh.py; kappa is 1.6e-3 in the plane and 0.0144 in solids, the same for every h.
Counts are to a relative residual of 1e-6 in the weighted norm, without restart, from zero, for a right-hand side with
noise and smooth parts in every field. Steps are 1e-5, 1e-3 and 0.1, but at most half of the growth time of the state's
fastest wave (of the linearised step, by Arnoldi), which error control would not step over. A state without interface
takes the same steps with elasticity as without, at most 2 kappa/(m f''^2): where coherency slows its waves down or
stops them, the longer step that it allows is counted apart (`longer`). Prints a table by mesh and stiffness.
"""

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

import chemomech as cm
from benchmarks.record import hardware
from chemomech.problem import Drive

STIFFNESS = ("none", "E300", "E1000", "LFP")
STEPS = (1e-5, 1e-3, 1e-1)
KAPPA = {2: 1.6e-3, 3: 0.0144}
NO_INTERFACE = ("spinodal smooth", "spinodal noise", "solid solution", "dilute", "full")


def energies(mesh: cm.Mesh, chi: float, stiffness: str) -> list:
    """Regular solution in units of R T c_max; misfit 2 % or that of LiFePO4."""
    psi = [cm.RegularSolution(chi=chi), cm.GradientEnergy(KAPPA[mesh.dim])]
    if stiffness == "LFP":
        lfp = cm.materials.load("LiFePO4")
        elastic = lfp.energy.terms()[2]
        thermal = float(lfp.host.RT * lfp.host.c_max)
        misfit = cm.Vegard([0.05, 0.036, -0.019], c_ref=0.5)
        crystal = cm.LinearElastic(np.asarray(elastic.C) / thermal, misfit)
        psi.append(cm.Oriented(crystal, axes={"a": "x", "b": "y"}))
    elif stiffness != "none":
        psi.append(cm.LinearElastic.isotropic(float(stiffness[1:]), 0.3, cm.Vegard(0.02, c_ref=0.5)))
    return psi


def problem(mesh: cm.Mesh, chi: float, stiffness: str, *others: Any) -> cm.Problem:
    """Storage and what else moves lithium."""
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(energies(mesh, chi, stiffness)), cm.Storage(), *others],
    )  # fmt: skip


def load(path: str) -> cm.Mesh:
    """The mesh of a file."""
    data = np.load(path)
    return cm.Mesh.build(data["points"], data["cells"], {2: "triangle", 3: "tetra"}[data["points"].shape[1]])


def relaxed(evolution: cm.Evolution, state: cm.State, long: bool, linear: Any = None) -> tuple[np.ndarray, Any]:
    """A state made consistent by one tiny step, then, if long, taken towards equilibrium; and the solver's state."""
    x, solver = evolution.start(state), evolution.newton.linear
    for dt in (1e-9, 1e-3, 1e-2, 1e-1) if long else (1e-9,):
        result = evolution.backward_euler(x, dt, solver.forget(linear))
        x, linear = (result.x, result.linear_state) if result.converged else (x, linear)
    return x, linear


def limited(rate: float) -> list[float]:
    """The lengths of the steps: at most half of the growth time."""
    return sorted({min(dt, 0.5 / max(rate, 1e-3)) for dt in STEPS})


def states(points) -> dict[str, tuple[np.ndarray, bool]]:
    """Compositions by name, and whether they are to be relaxed towards equilibrium first."""
    r, x, y = np.linalg.norm(points, axis=1), points[:, 0], points[:, 1]
    noise = np.random.default_rng(0).uniform(-1, 1, len(points))
    width = np.sqrt(KAPPA[points.shape[1]])
    return {
        "core-shell": (0.5 + 0.4 * np.tanh((r - 0.7) / (2 * width)), True),
        "two-phase": (0.5 + 0.4 * np.tanh(x / (2 * width)), True),
        "spinodal smooth": (0.5 + 0.02 * np.sin(7 * x) * np.cos(5 * y), False),
        "spinodal noise": (0.5 + 0.02 * noise, False),
        "solid solution": (0.05 + 0.9 * np.clip(r, 0, 1) ** 2, False),
        "dilute": (0.02 + 0.005 * np.sin(5 * x), False),
        "full": (0.98 + 0.005 * np.sin(5 * x), False),
        "steep": (0.5 + 0.48 * np.tanh(np.sin(5 * x) * np.cos(4 * y) / (5 * width)), False),
    }


def right_hand_side(made: cm.Problem) -> np.ndarray:
    """Noise and smooth parts of one size in every field."""
    points, rng, parts = made.mesh.points, np.random.default_rng(1), []
    for k in range(len(made.fields)):
        parts.append(rng.normal(size=len(points)) + np.sin(3 * points[:, 0] + k) * np.cos(2 * points[:, 1]) * 2)
    index = np.asarray(made.lift.index)
    out = np.zeros(made.lift.size + 1)
    out[index] = np.concatenate(parts)
    return out[:-1]


def incoherent_rate(c: np.ndarray, chi: float, kappa: float) -> float:
    """Rate of the fastest wave without elasticity, where the composition is the least stable: m f''^2/(4 kappa)."""
    curvature = np.minimum(1 / (c * (1 - c)) - 2 * chi, 0.0)
    return float(np.max(c * (1 - c) * curvature**2) / (4 * kappa))


def growth_rate(evolution: cm.Evolution, x: np.ndarray, bound: float, drive: Drive) -> float:
    """Rate of the fastest growing wave of a state: of the linear map c_old -> c_new of a short step, by Arnoldi.

    An eigenvalue of the map is 1/(1 - dt s); `bound` is above all s.
    """
    made, solver = evolution.problem, evolution.newton.linear
    if bound == 0.0:
        return 0.0
    now, dt = evolution.expand(x), 0.5 / bound
    tangent = evolution.tangent(x, (now, now, 0.0, dt), drive)
    linear, blocks = solver.init(tangent), tangent.blocks
    old = linear.system.matrix.blocks["mu", "c"]

    def stepped(wave):
        b = np.zeros(made.unknowns)
        b[blocks.mu] = old @ wave
        return solver.solve(linear, b, rtol=1e-6)[0][blocks.c]

    n, start = len(blocks.c), np.random.default_rng(2).normal(size=len(blocks.c))
    size = eigs(LinearOperator((n, n), stepped), k=1, ncv=12, tol=1e-3, v0=start, return_eigenvectors=False)[0].real
    return max(float((1.0 - 1.0 / size) / dt), 0.0)


def growth_and_steps(
    evolution: cm.Evolution, x: np.ndarray, chi: float, stiffness: str, name: str
) -> tuple[float, list[float]]:
    """Rate of the fastest wave of a named state, and the usual lengths of its steps."""
    bound = incoherent_rate(evolution.concentration(x), chi, KAPPA[evolution.problem.mesh.dim])
    rate = growth_rate(evolution, x, bound, evolution.problem.drive())
    slowed = stiffness != "none" and name in NO_INTERFACE
    return rate, limited(max(rate, bound) if slowed else rate)


def counts(path: str, chis, precision: str, stiffnesses=STIFFNESS) -> list[dict]:
    """One record a case."""
    mesh, out = load(path), []
    for stiffness in stiffnesses:
        for chi in chis:
            made = problem(mesh, chi, stiffness, cm.Diffusion(1.0))
            solver = cm.Krylov(precision, max_iterations=150)
            evolution = cm.Evolution(made, cm.Newton(linear=solver))
            linear, b = None, right_hand_side(made)
            for name, (c, relax) in states(mesh.points).items():
                x, linear = relaxed(evolution, made.state(c=c), relax, linear)
                now = evolution.expand(x)
                rate, usual = growth_and_steps(evolution, x, chi, stiffness, name)
                for dt in sorted({*usual, *limited(rate)}):
                    linear = solver.forget(linear)
                    start = time.perf_counter()
                    linear = solver.init(evolution.tangent(x, (now, now, 0.0, dt), made.drive()), linear)
                    size = 1.0 / linear.weights  # of one unit of weighted residual
                    case = {
                        "mesh": Path(path).name,
                        "stiffness": stiffness,
                        "chi": chi,
                        "state": name,
                        "dt": dt,
                        "growth rate": rate,
                        "longer": dt not in usual,
                    }
                    for key, transpose in (("iterations", False), ("transposed", True)):
                        try:
                            _, stats, _ = solver.solve(linear, size * b, rtol=1e-6, transpose=transpose)
                            case[key] = stats.iterations
                        except cm.SolveError:
                            case[key] = solver.max_iterations
                    out.append(case | {"seconds": time.perf_counter() - start, "unknowns": made.unknowns})
    return out


def table(cases: list[dict]) -> list[dict]:
    """Median and worst by mesh and stiffness."""
    rows = []
    for mesh in dict.fromkeys(c["mesh"] for c in cases):
        for stiffness in dict.fromkeys(c["stiffness"] for c in cases):
            here = [c for c in cases if (c["mesh"], c["stiffness"]) == (mesh, stiffness)]
            found = [c for c in here if not c["longer"]]
            its = [c["iterations"] for c in found]
            worst = max(found, key=lambda c: c["iterations"])
            rows.append({
                "mesh": mesh, "unknowns": found[0]["unknowns"], "stiffness": stiffness, "cases": len(its),
                "median": statistics.median(its), "worst": max(its), "over 35": sum(i > 35 for i in its),
                "worst case": f"{worst['state']}, chi {worst['chi']}, dt {worst['dt']:.0e}",
                "longer steps": max((c["iterations"] for c in here if c["longer"]), default=None),
                "transposed less forward": max(c["transposed"] - c["iterations"] for c in found),
            })  # fmt: skip
    return rows


def main() -> None:
    """Run, print the table, write the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mesh", nargs="+")
    parser.add_argument("--chi", type=float, nargs="+", default=[2.5, 3.0, 4.5])
    parser.add_argument("--stiffness", nargs="+", default=STIFFNESS, choices=STIFFNESS)
    parser.add_argument("--precision", default="double")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases: list[dict] = []
    for path, stiffness in itertools.product(args.mesh, args.stiffness):
        cases += counts(path, args.chi, args.precision, [stiffness])
        rows = table(cases)
        print(json.dumps(rows[-1]), flush=True)
        if args.out:  # at every stage: the whole takes its time
            record = {"claim": "counts", "precision": args.precision, **hardware(), "table": rows, "cases": cases}
            args.out.write_text(json.dumps(record, indent=1) + "\n")
    its = [c["iterations"] for c in cases if not c["longer"]]
    print("all:", statistics.median(its), max(its), len(its))


if __name__ == "__main__":
    main()
