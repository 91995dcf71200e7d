"""What the design configs reach: before, after, from every start, on a finer mesh, and against a brute-force scan.

usage: python -m benchmarks.designs [NAME ...] [--scan N] [--out benchmarks/results/designs.json]

NAME is a config of configs/designs (default: all). `spread` is the largest difference of the starts' best objectives,
relative; `scan` the least objective of N x N designs evenly spread over the bounds of a study of two numbers.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np

from benchmarks.record import ROOT, hardware, write
from chemomech import optimize
from chemomech.errors import ChemomechError

DESIGNS = ROOT / "configs" / "designs"


def found(config: Path, scan: int = 0) -> dict:
    """One config: its optimisation, and a scan where it has two numbers."""
    with tempfile.TemporaryDirectory() as folder:
        plan = optimize.plan(config, Path(folder))
        start = time.perf_counter()
        summary = optimize.run(plan, Path(folder))
        seconds = time.perf_counter() - start
    bests = [s["best"] for s in summary["starts"]]
    case = {
        "config": config.stem, "unit": plan.unit, "variables": len(plan.study.lower), "before": summary["initial"],
        "after": summary["best"], "starts": bests, "spread": (max(bests) - min(bests)) / abs(min(bests)),
        "evaluations": [s["evaluations"] for s in summary["starts"]], "design": summary["design"],
        "gradient off by": summary["gradient check"]["relative error"], "limits met": summary["limits met"],
        "finer before": summary.get("finer, before"), "finer after": summary.get("finer, after"), "seconds": seconds,
    }  # fmt: skip
    if scan and len(plan.study.lower) == 2:
        case["scan"] = scanned(plan.study, scan)
    return case


def scanned(study, count: int) -> dict:
    """The least objective of a grid of designs."""
    grid = [np.linspace(low, high, count) for low, high in zip(study.lower, study.upper, strict=True)]
    tried = []
    for x in itertools.product(*grid):
        try:
            tried.append((float(study.values(np.array(x))[0]), [float(v) for v in x]))
        except ChemomechError:  # an inverted cell
            continue
    least, where = min(tried)
    return {"points": len(tried), "least": least, "where": where}


def main() -> None:
    """Run, print, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(path.stem for path in DESIGNS.glob("*.toml")))
    parser.add_argument("--scan", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases = []
    for name in args.names:
        path = Path(name) if name.endswith(".toml") else DESIGNS / f"{name}.toml"
        cases.append(found(path, args.scan))
        print({key: value for key, value in cases[-1].items() if key != "design"}, flush=True)
    write({"claim": "designs", **hardware(), "cases": cases}, args.out)


if __name__ == "__main__":
    main()
