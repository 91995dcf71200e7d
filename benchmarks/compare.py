"""chemomech and its peers in turn on the same meshes, one library per process; medians of alternating runs.

usage: python -m benchmarks.compare MESH.npz [MESH.npz ...] --peer mumps fieldsplit skfem ngsolve feax
       [--dt 1e-3] [--steps 3] [--backend krylov] [--rounds 3] [--pin | --cores 1 2] [--tol 1e-8] [--install]
       [--out benchmarks/results/NAME.json]

A peer is a name (`peer.py`) or a command that takes MESH DT STEPS. Every round runs all codes once, one after the
other. `--pin` ties each process to one core; `--cores 1 2` does every round on one and on two, and so tells what the
second core gives. The record holds, by mesh and cores, each code's median seconds a step (its first step left out
where it holds a factorisation's analysis), set-up, compilation and peak memory; how many times faster chemomech is, as
the median over rounds; the largest relative differences in free energy and mass; every run; hardware and commit.
Newton stops at |R| < tol |first update|; the usual 1e-8 leaves up to 1e-6 of the energy, so that energies are to be
compared with a smaller one, times with 1e-8. A peer that is not there or fails is left out with a line that says why.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.peer import NotInstalled, command, tightened
from benchmarks.record import ROOT, RunFailed, hardware, run, write

OURS = "chemomech"
USUAL = 1e-8  # tolerance of the peers' scripts


def seconds(record: dict) -> float:
    """Median seconds a step, without the first."""
    return statistics.median(record["wall"][1:] or record["wall"])


def total(setup: float | dict[str, float]) -> float:
    """Seconds that a code reports, in one piece or by part."""
    return sum(setup.values()) if isinstance(setup, dict) else setup


def difference(a: list[float], b: list[float]) -> float:
    """Largest relative difference."""
    return max(abs(x - y) / abs(y) for x, y in zip(a, b, strict=True))


def rounds(commands: dict[str, list[str]], count: int, cores: int, skipped: dict[str, str]) -> dict[str, list[dict]]:
    """Every code once a round; one that fails is taken out."""
    runs: dict[str, list[dict]] = {name: [] for name in commands}
    for _ in range(count):
        for name in [n for n in commands if n not in skipped]:
            try:
                runs[name].append(run(commands[name], cores))
            except RunFailed as failure:
                if name == OURS:
                    raise
                skipped[name] = str(failure).strip().splitlines()[-1]
                print(f"{name} is left out: {skipped[name]}", file=sys.stderr)
    return {name: made for name, made in runs.items() if len(made) == count}


def summary(runs: dict[str, list[dict]]) -> dict:
    """Medians of each code, and chemomech against each peer."""
    ours = runs[OURS]
    peers = {name: made for name, made in runs.items() if name != OURS}
    return {
        "unknowns": ours[0]["dofs"],
        "codes": {
            name: {
                "code": made[0]["code"],
                "seconds a step": statistics.median(map(seconds, made)),
                **{
                    key: statistics.median(total(r[key]) for r in made)
                    for key in ("setup", "compile")
                    if key in made[0]
                },
                "peak memory": statistics.median(r["peak memory"] for r in made),
            }
            for name, made in runs.items()
        },
        "times faster": {
            name: statistics.median(seconds(b) / seconds(a) for a, b in zip(ours, made, strict=True))
            for name, made in peers.items()
        },
        "energy difference": {
            name: max(difference(a["energy"], b["energy"]) for a, b in zip(ours, made, strict=True))
            for name, made in peers.items()
        },
        "mass difference": {
            name: max(difference(a["mass"], b["mass"]) for a, b in zip(ours, made, strict=True))
            for name, made in peers.items()
        },
        "mass drift": max(difference(r["mass"][1:], r["mass"][:-1]) for r in ours) if len(ours[0]["mass"]) > 1 else 0.0,
    }


def second_core(cases: list[dict]) -> list[dict]:
    """For each mesh measured on one and on two cores, how many times faster each code is on two."""
    out = []
    for one in (c for c in cases if c["cores"] == 1):
        for two in (c for c in cases if c["cores"] == 2 and c["mesh"] == one["mesh"]):
            both = [name for name in one["codes"] if name in two["codes"]]
            gains = {n: one["codes"][n]["seconds a step"] / two["codes"][n]["seconds a step"] for n in both}
            out.append({"mesh": one["mesh"], "times faster on two cores": gains})
    return out


def main() -> None:
    """Run the rounds and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", nargs="+", type=Path)
    parser.add_argument("--peer", nargs="+", required=True)
    parser.add_argument("--dt", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--backend", default="krylov")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, nargs="+", default=[0])
    parser.add_argument("--pin", action="store_const", const=[1], dest="cores", help="the same as --cores 1")
    parser.add_argument("--tol", type=float, default=USUAL, help="of Newton's rule")
    parser.add_argument("--install", action="store_true", help="install missing peers, each into its own environment")
    parser.add_argument("--environments", type=Path, default=ROOT / ".peers")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    claim = "coupled step" if args.tol == USUAL else "converged coupled step"
    record: dict = {"claim": claim, **hardware(), "dt": args.dt, "steps": args.steps, "rounds": args.rounds}
    skipped: dict[str, str] = {}
    cases, runs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for mesh in args.mesh:
            for cores in args.cores:
                made = rounds(commands(args, mesh, cores, Path(folder), skipped), args.rounds, cores, skipped)
                where = {"mesh": mesh.name, "cores": cores}
                cases.append(where | summary(made))
                runs.append(where | made)
    record |= {"tol": args.tol, "meshes": cases, "second core": second_core(cases), "skipped": skipped, "runs": runs}
    write(record, args.out)


def commands(args: argparse.Namespace, mesh: Path, cores: int, folder: Path, skipped: dict) -> dict[str, list[str]]:
    """How every code is started on a mesh; peers that are not there are added to the skipped."""
    given = [str(mesh.resolve()), str(args.dt), str(args.steps)]
    ours = [sys.executable, "-m", "benchmarks.coupled_step", *given, "--backend", args.backend, "--tol", str(args.tol)]
    out = {OURS: ours}
    for name in args.peer:
        try:
            start = command(name, args.environments, args.install, max(cores, 1))
        except NotInstalled as missing:
            if name not in skipped:
                skipped[name] = str(missing)
                print(missing, file=sys.stderr)
            continue
        out[name] = [*start, *given] if args.tol == USUAL else tightened(name, [*start, *given], args.tol, folder)
    return out


if __name__ == "__main__":
    main()
