"""What a gradient costs: (value and gradient) over value, in time and in memory.

usage: python -m benchmarks.gradient_cost [--solver HostDirect Krylov] [--cells 70] [--steps 200] [--rounds 3]
       [--out benchmarks/results/NAME.json]

A square that separates (composition, chemical potential, displacements: about 20 k unknowns with 70 x 70 cells) takes
the same steps again, converged as gradients need it; then the same with `jax.value_and_grad` around it, by all
material numbers and the first composition. Both are compiled before; rounds alternate, and the ratio is that of the
medians. `memory` is the largest resident set of a process that takes that many steps, beyond the one before its run;
`parameters` the ratio of time for a field of 10 000 numbers to that for one.
"""

import argparse
import functools
import resource
import statistics
import sys
import time
from pathlib import Path

from benchmarks.record import hardware, run, write

LENGTH = 1e-4  # of a step: 200 of them see the separation and the first coarsening


def body(cells: int):
    """The square, and its first state."""
    import numpy as np

    import chemomech as cm
    from chemomech.fem.mesh import rectangle

    elastic = cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5))
    potentials = [
        cm.Stored([cm.RegularSolution(chi=2.8), cm.GradientEnergy(1e-3), elastic]), cm.Storage(), cm.Diffusion(1.0),
    ]  # fmt: skip
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, cells, cells), host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=potentials
    )
    noise = np.random.default_rng(0)
    waves = noise.normal(size=(8, 3))

    def composition(x):
        return 0.5 + 0.01 * sum(a * np.cos(3 * np.pi * (b * x[:, 0] + c * x[:, 1])) for a, b, c in waves)

    return problem, problem.state(c=composition)


def judged(problem, state, steps, newton, replay=None):
    """A scalar of the history after so many steps, and the solution."""
    import chemomech as cm

    control = cm.ErrorControl(dt_start=LENGTH, dt_max=LENGTH, tol=1.0)
    protocol = cm.Closed(until={"time": LENGTH * steps})
    solution = cm.simulate(problem, state, protocol, newton=newton, control=control, frames=0, replay=replay)
    return solution.free_energy[-1] + solution.free_energy.mean(), solution


def one(solver: str, cells: int, steps: int, rounds: int, parameters: str) -> dict:
    """Times of one solver, in this process."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import equinox as eqx
    import jax.numpy as jnp

    import chemomech as cm

    problem, state = body(cells)
    newton = cm.Newton(linear=getattr(cm, solver)(), test=cm.UpdateTest(1e-10))
    value = functools.partial(judged, newton=newton)

    def gradient(steps, replay):
        if parameters == "all":
            arguments = (problem, state.replace(c=jnp.asarray(state.c)))
            of = eqx.filter_value_and_grad(lambda a: value(*a, steps, replay=replay)[0])
            return of(arguments)
        if parameters == "one":
            of = jax.value_and_grad(lambda a: value(problem, state.replace(c=a + state.c), steps, replay=replay)[0])
            return of(jnp.zeros(()))
        of = jax.value_and_grad(lambda c: value(problem, state.replace(c=c), steps, replay=replay)[0])
        return of(jnp.asarray(state.c))

    few = value(problem, state, 3)[1].steps
    jax.block_until_ready(gradient(3, few))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.perf_counter()
    first = value(problem, state, steps)[1]
    adaptive = time.perf_counter() - start
    plain, both = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        value(problem, state, steps, replay=first.steps)
        middle = time.perf_counter()
        jax.block_until_ready(gradient(steps, first.steps))
        both.append(time.perf_counter() - middle)
        plain.append(middle - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "solver": solver, "unknowns": problem.unknowns, "steps": len(first.steps), "parameters": parameters,
        "value": plain, "value and gradient": both, "ratio": statistics.median(both) / statistics.median(plain),
        "value, no replay": adaptive, "memory": after - before,
    }  # fmt: skip


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", nargs="+", default=["HostDirect", "Krylov"])
    parser.add_argument("--cells", type=int, default=70)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parameters", default=None, choices=["all", "one", "many"])
    parser.add_argument("--cores", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.parameters:  # the process that measures
        import json

        print(json.dumps(one(args.solver[0], args.cells, args.steps, args.rounds, args.parameters)))
        return
    command = [sys.executable, "-m", "benchmarks.gradient_cost", "--cells", str(args.cells)]

    def apart(solver, steps, rounds, parameters):
        options = ["--solver", solver, "--steps", str(steps), "--rounds", str(rounds), "--parameters", parameters]
        made = run([*command, *options], args.cores)
        print(
            f"{solver}, {made['steps']} steps, {parameters}: ratio {made['ratio']:.2f}, value {made['value']}",
            flush=True,
        )
        return made

    rows = [apart(solver, args.steps, args.rounds, "all") for solver in args.solver]
    sizes = [apart(args.solver[0], n, 1, "all") for n in (args.steps // 10, args.steps)]
    counts = [apart(args.solver[0], args.steps // 4, args.rounds, kind) for kind in ("one", "many")]
    record = {
        **hardware(), "rows": rows, "lengths": sizes, "counts": counts,
        "memory": sizes[1]["memory"] / sizes[0]["memory"],
        "parameters": statistics.median(counts[1]["value and gradient"])
        / statistics.median(counts[0]["value and gradient"]),
    }  # fmt: skip
    write(record, args.out)


if __name__ == "__main__":
    main()
