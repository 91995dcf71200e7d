"""What a GPU does: the elastic solve, the coupled step, and how near they come to its bandwidth.

usage: python -m benchmarks.gpu [--size small|full] [--claim elasticity coupled] [--out benchmarks/results/NAME.json]

Runs on JAX's default device; `--size small` checks everything on any machine. Structured boxes of tetrahedra, so that
no mesh generator is needed; one process a case, because the peak of device memory is that of a process.

elasticity: a cube held on one side, right-hand side with noise and smooth parts, to 1e-8, the hierarchy given.
coupled: the problem of coupled_step.py on a cube; a step, its GMRES iterations, device memory per unknown, kernels per
    iteration (optimised HLO: the body of the GMRES loop, inner loops once).
Both: time and bandwidth of one preconditioner and of one action of the tangent, as a share of the triad's. Their
traffic is that of the matrices alone, every time that one is read: what an ideal implementation could not avoid.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import RunFailed, hardware, run, write

# divisions of the cube along each side, and precision inside the cycles
CASES = {
    "small": {"elasticity": [(6, "single")], "coupled": [(6, "single")]},
    "full": {
        "elasticity": [(68, "double"), (68, "single")],  # 1 M unknowns
        "coupled": [(57, "double"), (57, "single"), (125, "single")],  # 1 M and 10 M unknowns
    },
}
TRIAD = {"small": 10**6, "full": 10**8}


def cube(divisions: int):
    """Tetrahedra on a cube of side 1 around the origin."""
    from chemomech.fem.mesh import box

    return box(1.0, 1.0, 1.0, divisions, divisions, divisions, origin=(-0.5, -0.5, -0.5))


def elasticity(divisions: int, precision: str, triad: int) -> dict:
    """One solve to 1e-8 with the hierarchy given."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import numpy as np

    import chemomech as cm
    from benchmarks.clock import Clock

    clock = Clock()
    problem = cm.Problem.build(
        cube(divisions), host=cm.Host.dimensionless(), scales=cm.Scales.unit(), fields=["u"],
        constraints=[cm.Fixed("u", on="xmin")], potentials=[cm.Stored(cm.LinearElastic.isotropic(E=250.0, nu=0.25))],
    )  # fmt: skip
    linear = cm.Krylov(precision, operators="device")
    evolution = cm.Evolution(problem, cm.Newton(linear=linear))
    x = evolution.start(problem.uniform())
    full = evolution.expand(x)
    state = linear.init(evolution.tangent(x, (full, full, 0.0, 1.0), problem.drive()))
    setup = clock.lap()
    i = np.arange(problem.unknowns)
    b = jax.numpy.asarray(np.random.default_rng(0).normal(size=len(i)) + 2 * np.sin(3e-3 * i))
    linear.solve(state, b, rtol=1e-8)
    laps, iterations = [], 0
    for _ in range(5):
        start = time.perf_counter()
        out, stats, _ = linear.solve(state, b, rtol=1e-8)
        jax.block_until_ready(out)
        laps.append(time.perf_counter() - start)
        iterations = stats.iterations
    solve = {"solve": statistics.median(laps), "iterations": iterations, "residual": stats.relative_residual}
    case = {"unknowns": problem.unknowns, "setup": setup, "compile": clock.compile, **solve}
    return case | parts(state, b, linear.max_iterations, triad)


def coupled(divisions: int, precision: str, triad: int) -> dict:
    """Steps of the peers' problem."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import numpy as np

    import chemomech as cm
    from benchmarks.clock import Clock
    from benchmarks.coupled_step import PeerTest, body

    clock, mesh = Clock(), cube(divisions)
    problem, state = body(np.asarray(mesh.points), np.asarray(mesh.cells), (4 / divisions) ** 2)
    linear = cm.Krylov(precision, operators="device")
    evolution = cm.Evolution(problem, cm.Newton(linear=linear, test=PeerTest(), first_rtol=3e-3, max_iterations=30))
    x, dt, walls, gmres, newton, masses, made = evolution.start(state), 1e-3, [], [], [], [], None
    evolution.compile(x)
    full = evolution.expand(x)
    made = linear.forget(linear.init(evolution.tangent(x, (full, full, 0.0, dt), problem.drive())))
    setup = clock.lap()
    for _ in range(4):
        start = time.perf_counter()
        result = evolution.backward_euler(x, dt, made)
        walls.append(time.perf_counter() - start)
        x, made = result.x, result.linear_state
        gmres.append(result.linear_iterations)
        newton.append(result.iterations)
        masses.append(evolution.mass(x))
    case = {
        "unknowns": problem.unknowns, "setup": setup, "compile": clock.compile,
        "step": statistics.median(walls[1:]), "newton": newton, "gmres": gmres,
        "mass drift": max(abs(m / masses[0] - 1) for m in masses),
    }  # fmt: skip
    b = jax.numpy.asarray(np.random.default_rng(0).normal(size=problem.unknowns))
    return case | parts(made, b, linear.max_iterations, triad)


def parts(state, b, max_iterations: int, triad: int) -> dict:
    """Memory, kernels per iteration, and the share of bandwidth that preconditioner and tangent reach."""
    import jax

    from benchmarks import device
    from chemomech.solve.krylov import compiled_solve

    memory = device.peak_memory()  # before the measurements below add their own
    system, inverse = jax.jit(lambda s: (s.system, s.inverse()))(state)
    compiled = compiled_solve.lower(state, b, 1e-6, transpose=False, max_iterations=max_iterations).compile()
    reachable = device.bandwidth(triad)
    out = {
        **device.describe(),
        "peak device memory": memory,
        "bytes per unknown": memory and memory / len(b),
        "kernels per iteration": device.Kernels(compiled).largest_loop(),
        "triad GB/s": reachable / 1e9,
    }
    actions = {
        "preconditioner": (jax.jit(lambda inverse, v: inverse(v)), inverse),
        "tangent": (jax.jit(lambda system, v: system @ v), system),
    }
    for name, (action, operator) in actions.items():
        taken, moved = device.seconds(action, operator, b), traffic(operator, b)
        out[name] = {
            "seconds": taken, "GB": moved / 1e9, "share of triad": moved / taken / reachable,
            "kernels": device.Kernels(action.lower(operator, b).compile()).of(),
        }  # fmt: skip
    return out


def traffic(operator, b) -> int:
    """Bytes of the matrices that an operator reads to act on b: values, columns and row places, at every product."""
    import jax

    from benchmarks.device import stored
    from chemomech.solve.operators import Ell

    tally: list[int] = []

    class Counted:
        def __init__(self, A: Ell):
            self.A, self.shape = A, A.shape

        def __matmul__(self, x):
            tally.append(stored((self.A.values, self.A.table.columns, self.A.table.place)))
            return self.A @ x

    counted = jax.tree.map(
        lambda A: Counted(A) if isinstance(A, Ell) else A, operator, is_leaf=lambda A: isinstance(A, Ell)
    )
    jax.eval_shape(lambda v: counted @ v if hasattr(counted, "__matmul__") else counted(v), b)
    return sum(tally)


def started(command: list[str]) -> dict:
    """One case with a cache of its own: compilation is cold, and to count kernels does not compile again."""
    with tempfile.TemporaryDirectory() as cache:
        return run(
            command, XLA_PYTHON_CLIENT_MEM_FRACTION="0.95", JAX_COMPILATION_CACHE_DIR=cache,
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="1",
        )  # fmt: skip


CLAIMS = {"elasticity": elasticity, "coupled": coupled}


def main() -> None:
    """Run every case in a process of its own and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(CASES), default="full")
    parser.add_argument("--claim", nargs="+", choices=list(CLAIMS), default=list(CLAIMS))
    parser.add_argument("--one", nargs=2, metavar=("DIVISIONS", "PRECISION"), help="one case, in this process")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(CLAIMS[args.claim[0]](int(args.one[0]), args.one[1], TRIAD[args.size])))
        return
    cases, failed = [], {}
    for claim in args.claim:
        for divisions, precision in CASES[args.size][claim]:
            case = {"case": claim, "precision": precision, "divisions": divisions}
            command = [sys.executable, "-m", "benchmarks.gpu", "--size", args.size, "--claim", claim]
            try:
                cases.append(case | started([*command, "--one", str(divisions), precision]))
            except RunFailed as failure:
                failed[f"{claim} {divisions} {precision}"] = str(failure)
                print(failure, file=sys.stderr)
            else:
                print(json.dumps(cases[-1]), file=sys.stderr, flush=True)
            record = {"claim": "device", **hardware(), "measured": cases, "failed": failed}
            if args.out:  # after every case: a run that is cut short keeps what it has
                args.out.write_text(json.dumps(record, indent=1) + "\n")
    write(record, args.out)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
