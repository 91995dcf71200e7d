"""Gradients of chemomech and of a peer side by side: one library per process, the same equations on the same meshes.

usage: python -m benchmarks.gradient_peer MESH.npz [MESH.npz ...] [--peer torch-fem] [--steps 32] [--rounds 3]
       [--repeats 3] [--cores 1] [--install] [--out benchmarks/results/NAME.json]

Two functions (`gradient_case.py`): the misfit of a composition after a transient diffusion without mechanics, by one
number, the diffusivity of each cell and the first state; the mean square displacement of a swollen elastic body, by the
places of all nodes. Every round starts each code once, one after the other; in its process values and gradients
alternate, after a first call of each, and the first round takes the differences too. The record holds, by mesh and
function, each code's median seconds (wall and processor) of a value and of a value with its gradient, their ratio,
first calls and peak memory; how far its value and its gradient (relative l2) are from chemomech's; and the relative
error of its gradient along one line for each parameter, against Richardson's difference of its own values. Newton
stops at `UpdateTest(1e-10)`, as gradients have it.

chemomech has diffusion as two fields, c and mu, here of the energy c^2/2, so that mu = c: the same equations as the
peer's, in twice as many unknowns. The row `c alone` is the incremental potential of c, written below as one potential,
which gives the peer's matrix. Two settling steps of 1e-9 dt before the first are chemomech's own.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import gradient_case
from benchmarks.peer import GRADIENTS, NotInstalled, command
from benchmarks.record import ROOT, RunFailed, hardware, run, write

OURS = {"diffusion": {"chemomech": "mixed", "chemomech, c alone": "single"}, "elasticity": {"chemomech": "static"}}
METHODS = ("cg", "direct")  # of the peers
TIMES = ("value", "value and gradient")


def diffusing(given, form):
    """J of the parameters, of c and mu or of c alone; the unknowns."""
    import equinox as eqx
    import jax.numpy as jnp

    import chemomech as cm

    class Ideal(cm.AbstractFreeEnergy):
        """psi = c^2/2"""

        name = "chemical"

        def __call__(self, s):
            return 0.5 * s.c**2

    class Fick(cm.AbstractPotential):
        """density = (c - c*)^2/2 + dt D/2 |grad c|^2"""

        D: cm.PerCell
        on: str | None = eqx.field(static=True, default=None, kw_only=True)

        def density(self, now, frozen, rate, prev):
            return 0.5 * (now.c - rate.c) ** 2 + now.dt * 0.5 * self.D * now.grad_c.dot(now.grad_c)

    D = cm.PerCell(np.ones(len(given["cells"])))
    flux = Fick(D) if form == "single" else cm.Diffusion(D, mobility=cm.UniformMobility())
    rest = [] if form == "single" else [cm.Stored(Ideal()), cm.Storage()]
    problem = cm.Problem.build(
        cm.Mesh.build(given["points"], given["cells"], "triangle"),
        host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[flux, *rest],
    )  # fmt: skip
    k = next(k for k, p in enumerate(problem.potentials) if hasattr(p, "D"))
    dt, steps, nothing = float(given["dt"]), int(given["steps"]), problem.uniform(0.0)
    options = {
        "stepper": cm.BackwardEuler(), "control": cm.ErrorControl(dt_start=dt, dt_max=dt, tol=1.0), "frames": 0,
        "newton": cm.Newton(test=cm.UpdateTest(1e-10)),
    }  # fmt: skip

    def J(at):
        there = eqx.tree_at(lambda p: p.potentials[k].D.values, problem, at["number"] * at["cells"])
        state = nothing.replace(c=at["start"])
        solution = cm.simulate(there, state, cm.Closed(until={"time": steps * dt}), **options)
        return 0.5 * jnp.mean((solution.final.c - given["target"]) ** 2)

    return J, problem.unknowns


def deforming(given, points):
    """J of the places of the nodes; the unknowns."""
    import jax.numpy as jnp

    import chemomech as cm

    misfit = given["misfit"][:, None] * np.array([1.0, 1.0, 0.0])
    elastic = cm.LinearElastic.isotropic(float(given["E"]), float(given["nu"]), prestrain=cm.PerCell(misfit))
    problem = cm.Problem.build(
        cm.Mesh.build(points, given["cells"], "triangle", point_sets={"held": given["held"]}),
        host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored(elastic)],
        constraints=[cm.Fixed("u", on="held")],
    )  # fmt: skip
    newton = cm.Newton(test=cm.UpdateTest(1e-10))

    def J(at):
        u = cm.solve_static(problem.moved(at["points"]), newton=newton).u
        return 0.5 * jnp.mean(jnp.sum(u**2, axis=1))

    return J, problem.unknowns


def one(path: str, form: str, repeats: int, out: str, differences: bool = True) -> dict:
    """Measure chemomech in this process."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    import chemomech as cm

    case = gradient_case.Case.load(path)
    J, unknowns = deforming(case.given, case.at["points"]) if form == "static" else diffusing(case.given, form)
    both = jax.value_and_grad(J)

    def arrays(at):
        return {name: jnp.asarray(value) for name, value in at.items()}

    def gradient(at):
        found, slopes = both(arrays(at))
        return float(found), {name: np.asarray(slope) for name, slope in slopes.items()}

    def value(at):
        return float(J(arrays(at)))

    record, slopes = gradient_case.measured(case, value, gradient, repeats, differences)
    np.savez(out, **slopes)
    return {"code": f"chemomech {cm.__version__}", "unknowns": unknowns, **record}


def seconds(runs: list[dict], name: str, processor: bool) -> float:
    """Median over all calls of all runs."""
    return statistics.median(lap[int(processor)] for made in runs for lap in made["times"][name])


def summary(runs: dict[str, list[dict]], gradients: dict[str, dict[str, np.ndarray]]) -> dict[str, dict]:
    """Each code's medians, and how far it is from chemomech and from differences."""
    ours, reference = runs["chemomech"][0], gradients["chemomech"]
    out = {}
    for name, made in runs.items():
        spent = {f"{what}, processor": seconds(made, what, True) for what in TIMES}
        spent |= {f"{what}, wall": seconds(made, what, False) for what in TIMES}
        differences, slopes = made[0]["differences"], made[0]["slopes"]
        out[name] = {
            "code": made[0]["code"], "unknowns": made[0]["unknowns"], **spent,
            "ratio": spent["value and gradient, processor"] / spent["value, processor"],
            "first": {what: statistics.median(r["first"][what][1] for r in made) for what in TIMES},
            "peak memory": statistics.median(r["peak memory"] for r in made),
            "value differs": abs(made[0]["J"] / ours["J"] - 1.0),
            "gradient differs": {
                key: float(np.linalg.norm(slope - reference[key]) / np.linalg.norm(reference[key]))
                for key, slope in gradients[name].items()
            },
            "gradient error": {key: abs(slopes[key] / found - 1.0) for key, found in differences.items()},
        }  # fmt: skip
    return out


def starts(args: argparse.Namespace, case: gradient_case.Case, path: Path, skipped: dict) -> dict[str, list[str]]:
    """How every code is started on a case; peers that are not there are added to the skipped."""
    last = ["--repeats", str(args.repeats)]
    ours = [sys.executable, "-m", "benchmarks.gradient_peer"]
    out = {
        name: [*ours, str(path), str(path.with_name(f"{name}.npz")), "--form", form, *last]
        for name, form in OURS[case.problem].items()
    }
    for name in args.peer:
        try:
            start = command(name, args.environments, args.install, peers=GRADIENTS)
        except NotInstalled as missing:
            if name not in skipped:
                skipped[name] = str(missing)
                print(missing, file=sys.stderr)
            continue
        for method in METHODS:
            there = path.with_name(f"{Path(name).name}, {method}.npz")
            out[there.stem] = [*start, str(path), str(there), "--method", method, *last]
    return out


def compared(args: argparse.Namespace, case: gradient_case.Case, folder: Path, skipped: dict) -> tuple[dict, dict]:
    """All rounds of one case: the summary of each code, and the runs."""
    path = folder / f"{case.problem}_case.npz"
    case.save(path)
    commands = starts(args, case, path, skipped)
    runs: dict[str, list[dict]] = {name: [] for name in commands}
    for k in range(args.rounds):
        more = [] if k else ["--differences"]
        for name in [n for n in commands if n not in skipped]:
            try:
                runs[name].append(run([*commands[name], *more], args.cores, PYTHONPATH=str(ROOT)))
            except RunFailed as failure:
                if name.startswith("chemomech"):
                    raise
                skipped[name] = str(failure).strip().splitlines()[-1]
                print(f"{name} is left out: {skipped[name]}", file=sys.stderr)
    runs = {name: made for name, made in runs.items() if len(made) == args.rounds}
    gradients = {}
    for name in runs:
        with np.load(path.with_name(f"{name}.npz")) as data:
            gradients[name] = dict(data)
    return summary(runs, gradients), runs


def main() -> None:
    """Run the rounds and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", nargs="+", type=Path)
    parser.add_argument("--peer", nargs="*", default=list(GRADIENTS))
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--install", action="store_true", help="install missing peers, each into its own environment")
    parser.add_argument("--environments", type=Path, default=ROOT / ".peers")
    parser.add_argument("--form", choices=["mixed", "single", "static"], help=argparse.SUPPRESS)
    parser.add_argument("--differences", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.form:  # the process that measures: a case, and where the gradient goes
        case, out = map(str, args.mesh)
        print(json.dumps(one(case, args.form, args.repeats, out, args.differences)))
        return
    skipped: dict[str, str] = {}
    cases, runs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for mesh in args.mesh:
            points, cells = gradient_case.read(mesh)
            for case in (gradient_case.diffusion(points, cells, args.steps), gradient_case.elasticity(points, cells)):
                codes, made = compared(args, case, Path(folder), skipped)
                where = {"mesh": mesh.name, "nodes": len(points), "problem": case.problem}
                cases.append(where | {"codes": codes})
                runs.append(where | made)
    record = {"claim": "gradient beside a peer", **hardware(), "steps": args.steps, "rounds": args.rounds}
    write(record | {"repeats": args.repeats, "cases": cases, "skipped": skipped, "runs": runs}, args.out)


if __name__ == "__main__":
    main()
