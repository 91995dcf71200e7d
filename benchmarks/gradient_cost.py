"""What a gradient costs: (value and gradient) over value, in time and in memory.

usage: python -m benchmarks.gradient_cost [--solver HostDirect Krylov] [--cells 70] [--steps 200] [--rounds 3]
       [--out benchmarks/results/NAME.json]

A square that separates (composition, chemical potential, displacements: about 20 k unknowns with 70 x 70 cells) takes
the same steps again, converged as gradients need it; then the same with `jax.value_and_grad` around it, by all
material numbers, node coordinates and the first composition. Both are compiled before; rounds alternate, and the ratio
is that of the medians. Times are the processor's, on one core: neighbours on the machine disturb them less. Further,
with the first solver:

- `memory`: the largest resident set of a process that takes and reverses ten times as many steps over that of one that
  takes them, on fewer cells; `bytes a step` is what they differ by for each step, `bytes a state` what one state needs,
- `parameters`: time for a diffusivity in each of 10 082 cells over that for one of all, over a quarter of the steps,
- `kept`: half the steps, states in memory, in a file, and computed again with room for some.
"""

import argparse
import json
import math
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


def judged(problem, state, steps, newton, replay=None, checkpoints=None):
    """A scalar of the history after so many steps, and the solution."""
    import chemomech as cm

    control = cm.ErrorControl(dt_start=LENGTH, dt_max=LENGTH, tol=1.0)
    protocol = cm.Closed(until={"time": LENGTH * steps})
    options = {"newton": newton, "control": control, "replay": replay, "checkpoints": checkpoints}
    solution = cm.simulate(problem, state, protocol, frames=0, **options)
    return solution.free_energy[-1] + solution.free_energy.mean(), solution


class Case:
    """A run and its gradient, by all parameters, one or many."""

    def __init__(self, solver: str, cells: int, parameters: str):
        import jax
        import numpy as np

        jax.config.update("jax_enable_x64", True)
        import chemomech as cm

        problem, self.state = body(cells)
        if parameters == "many":
            each = cm.PerCell(np.full(len(problem.mesh.cells), 1.0))
            problem = cm.Problem.build(
                problem.mesh, host=problem.host, scales=problem.scales,
                potentials=[*problem.potentials[:2], cm.Diffusion(each)],
            )  # fmt: skip
        self.problem, self.parameters = problem, parameters
        self.newton = cm.Newton(linear=getattr(cm, solver)(), test=cm.UpdateTest(1e-10))
        few = self.value(3)[1].steps
        self.gradient(3, few)

    def value(self, steps, replay=None):
        """The scalar, and the solution."""
        return judged(self.problem, self.state, steps, self.newton, replay)

    def gradient(self, steps, replay, checkpoints=None):
        """The scalar and its derivatives, ready."""
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        problem, state, c = self.problem, self.state, jnp.asarray(self.state.c)

        def of(problem, state):
            return judged(problem, state, steps, self.newton, replay, checkpoints)[0]

        if self.parameters == "all":
            found = eqx.filter_value_and_grad(lambda a: of(*a))((problem, state.replace(c=c)))
        else:  # the diffusivity

            def by(D):
                return of(eqx.tree_at(lambda p: p.potentials[2].D, problem, D), state)

            found = eqx.filter_value_and_grad(by)(problem.potentials[2].D)
        return jax.block_until_ready(found)


def timed(function, *args):
    """Seconds of the processor, and the result."""
    start = time.process_time()
    out = function(*args)
    return time.process_time() - start, out


def one(solver: str, cells: int, steps: int, rounds: int, parameters: str) -> dict:
    """Times of one solver, in this process."""
    case = Case(solver, cells, parameters)
    adaptive, (_, first) = timed(case.value, steps)
    plain, both = [], []
    for _ in range(rounds):
        plain.append(timed(case.value, steps, first.steps)[0])
        both.append(timed(case.gradient, steps, first.steps)[0])
    return {
        "solver": solver, "unknowns": case.problem.unknowns, "steps": len(first.steps), "parameters": parameters,
        "newton": float(first.newton.mean()), "value": plain, "value and gradient": both,
        "ratio": statistics.median(both) / statistics.median(plain), "value, no replay": adaptive,
    }  # fmt: skip


def kept(solver: str, cells: int, steps: int) -> dict:
    """Times by where the states are kept, in this process."""
    import chemomech as cm

    case = Case(solver, cells, "all")
    size, steps_taken = 8.0 * case.problem.unknowns, case.value(steps)[1].steps
    once = 4 + math.ceil(2 * math.sqrt(len(steps_taken)))
    few = 2 * math.ceil(math.log2(len(steps_taken)))
    ways = [("memory", len(steps_taken) + 1, None), ("file", 1, cm.Checkpoints(size, disk=True))]
    ways += [("again", room, cm.Checkpoints(room * size, disk=False)) for room in (once, few)]
    value = timed(case.value, steps, steps_taken)[0]
    rows = []
    for where, room, checkpoints in ways:
        both = timed(case.gradient, steps, steps_taken, checkpoints)[0]
        rows.append({"where": where, "states": room, "value and gradient": both, "ratio": both / value})
    return {"solver": solver, "steps": len(steps_taken), "value": value, "ways": rows}


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", nargs="+", default=["HostDirect", "Krylov"])
    parser.add_argument("--cells", type=int, default=70)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parameters", default=None, choices=["all", "one", "many", "kept"])
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.parameters:  # the process that measures
        given = (args.solver[0], args.cells, args.steps)
        print(json.dumps(kept(*given) if args.parameters == "kept" else one(*given, args.rounds, args.parameters)))
        return
    command = [sys.executable, "-m", "benchmarks.gradient_cost"]

    def apart(solver, steps, rounds, parameters, cells=args.cells):
        options = ["--solver", solver, "--steps", str(steps), "--rounds", str(rounds), "--parameters", parameters]
        options += ["--cells", str(cells)]
        made = run([*command, *options], args.cores)
        print({key: made[key] for key in ("solver", "steps", "value", "ratio", "ways") if key in made}, flush=True)
        return made

    rows = [apart(solver, args.steps, args.rounds, "all") for solver in args.solver]
    first, fewer = args.solver[0], max(args.cells // 3, 2)
    short, long = (apart(first, steps, 1, "all", fewer) for steps in (args.steps, 10 * args.steps))
    more = math.ceil(math.sqrt(args.cells**2 * 10_000 / 9_800))  # 10 082 cells for 70 x 70 squares
    counts = [apart(first, args.steps // 4, args.rounds, kind, more) for kind in ("one", "many")]
    one_number, many = (statistics.median(made["value and gradient"]) for made in counts)
    record = {
        "claim": "gradient", **hardware(), "rows": rows, "short": short, "long": long, "counts": counts,
        "kept": apart(first, args.steps // 2, 1, "kept"), "memory": long["peak memory"] / short["peak memory"],
        "bytes a step": (long["peak memory"] - short["peak memory"]) / (long["steps"] - short["steps"]),
        "bytes a state": 8 * long["unknowns"], "parameters": many / one_number,
    }  # fmt: skip
    write(record, args.out)


if __name__ == "__main__":
    main()
