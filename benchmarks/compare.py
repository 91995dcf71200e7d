"""chemomech and its peers in turn on the same mesh, one library per process; ratios pair by pair.

usage: python benchmarks/compare.py MESH.npz DT STEPS --peer "/usr/bin/python3 benchmarks/peers/coupled_step_dolfinx.py"
       [--backend krylov] [--pairs 2] [--out benchmarks/results/NAME.json]

The file holds every run's JSON line, the median seconds a step (first step left out: it holds one-off analysis), the
ratio of each pair, the largest relative difference in free energy and mass, hardware and commit.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run(command: list[str]) -> dict:
    """The last line of a command's output, read as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def seconds(record: dict) -> float:
    """Median seconds a step."""
    return statistics.median(record["wall"][1:] or record["wall"])


def hardware() -> dict:
    """Processor, cores, Python, commit."""
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    threads = os.environ.get("OMP_NUM_THREADS", "as many as cores")
    pinned = len(os.sched_getaffinity(0))
    return {
        "cpu": cpu,
        "cores": cores,
        "cores allowed": pinned,
        "OMP_NUM_THREADS": threads,
        "python": platform.python_version(),
        "commit": commit,
    }


def difference(a: list[float], b: list[float]) -> float:
    """Largest relative difference."""
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))


def main() -> None:
    """Run the pairs and write the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mesh")
    parser.add_argument("dt")
    parser.add_argument("steps")
    parser.add_argument("--peer", required=True)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    arguments = [args.mesh, args.dt, args.steps]
    pairs = []
    for _ in range(args.pairs):
        ours = run([sys.executable, str(HERE / "coupled_step.py"), *arguments, "--backend", args.backend])
        pairs.append((ours, run([*shlex.split(args.peer), *arguments])))
    record = {
        "mesh": Path(args.mesh).name, "dt": float(args.dt), "steps": int(args.steps), **hardware(),
        "seconds a step": {"chemomech": [seconds(a) for a, _ in pairs], "peer": [seconds(b) for _, b in pairs]},
        "ratio": [seconds(a) / seconds(b) for a, b in pairs],
        "energy difference": max(difference(a["energy"], b["energy"]) for a, b in pairs),
        "mass difference": max(difference(a["mass"], b["mass"]) for a, b in pairs),
        "runs": [{"chemomech": a, "peer": b} for a, b in pairs],
    }  # fmt: skip
    text = json.dumps(record, indent=1)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")
    print(json.dumps({k: v for k, v in record.items() if k != "runs"}))


if __name__ == "__main__":
    main()
