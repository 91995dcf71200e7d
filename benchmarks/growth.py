"""Time and memory per unknown of the coupled step against size, in three dimensions on the CPU.

usage: python -m benchmarks.growth [--size small|full] [--mesh MESH.npz ...] [--steps 4] [--dt 1e-3] [--pin]
       [--out benchmarks/results/NAME.json]

Balls of 50 k to 1 M unknowns, made by peers/make_mesh.py (gmsh) unless meshes are given; one process a size, with
JAX's persistent cache off, so that compilation is cold. Apart: set-up, compilation, the median step, GMRES iterations,
and memory beyond that of the imported libraries. `growth` is the largest factor between a smaller and a larger size.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import ROOT, hardware, run, write

SIZES = {"small": (0.35, 0.25), "full": (0.07, 0.05, 0.036, 0.0255)}  # element size of a ball of radius 1


def ball(h: float, folder: Path) -> Path:
    """The mesh of a ball with elements of size h."""
    path = folder / f"ball{h}.npz"
    script = ROOT / "benchmarks" / "peers" / "make_mesh.py"
    subprocess.run([sys.executable, script, "ball", str(h), path], check=True, stdout=subprocess.DEVNULL)
    return path


def measure(mesh: Path, dt: float, steps: int, cores: int) -> dict:
    """One size, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.coupled_step", str(mesh.resolve()), str(dt), str(steps)]
    made = run([*command, "--backend", "krylov"], cores, JAX_ENABLE_COMPILATION_CACHE="0")
    step, memory = statistics.median(made["wall"][1:] or made["wall"]), made["memory"]
    return {
        "mesh": mesh.name,
        "unknowns": made["dofs"],
        "setup": made["setup"],
        "compile": made["compile"],
        "step": step,
        "newton": made["newton"],
        "gmres": made["gmres"],
        "memory": memory,
        "microseconds per unknown": {
            "setup": 1e6 * made["setup"] / made["dofs"],
            "step": 1e6 * step / made["dofs"],
        },
        "bytes per unknown": {
            "setup": (memory["setup"] - memory["imports"]) / made["dofs"],
            "end": (memory["end"] - memory["imports"]) / made["dofs"],
        },
    }


def growth(rows: list[dict]) -> dict[str, float]:
    """The largest factor between a smaller and a larger size, of each quantity per unknown and of the compile time."""
    rows = sorted(rows, key=lambda r: r["unknowns"])
    columns = {
        "setup": [r["microseconds per unknown"]["setup"] for r in rows],
        "step": [r["microseconds per unknown"]["step"] for r in rows],
        "memory": [r["bytes per unknown"]["end"] for r in rows],
        "compile": [r["compile"] for r in rows],
    }
    return {name: max(v / min(values[: k + 1]) for k, v in enumerate(values)) for name, values in columns.items()}


def main() -> None:
    """Measure every size and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="full")
    parser.add_argument("--mesh", nargs="+", type=Path)
    parser.add_argument("--dt", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--pin", action="store_true", help="tie each process to one core")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for mesh in args.mesh or (ball(h, Path(folder)) for h in SIZES[args.size]):
            rows.append(measure(mesh, args.dt, args.steps, int(args.pin)))
            print(
                f"{rows[-1]['unknowns']:9,} unknowns: set-up {rows[-1]['setup']:.1f} s, compile "
                f"{rows[-1]['compile']:.1f} s, step {rows[-1]['step']:.2f} s, "
                f"{rows[-1]['bytes per unknown']['end'] / 1e3:.1f} kB per unknown",
                file=sys.stderr,
            )
    record = {"claim": "growth", **hardware(), "pinned": args.pin, "dt": args.dt, "steps": args.steps}
    write(record | {"sizes": rows, "growth": growth(rows)}, args.out)


if __name__ == "__main__":
    main()
