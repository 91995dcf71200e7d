"""Many members of one particle side by side against one of them.

usage: python benchmarks/ensemble.py [--members 64] [--cells 35] [--seconds 40] [--out benchmarks/results/NAME.json]

A square platelet of LiFePO4 (cells x cells squares, c, mu, u and the cell voltage) under currents of 0.5 to 2 C, each
member with its own exchange current. Every run is made twice and the second one, compiled, is timed. Prints one JSON
object: time per compiled call and per member's step, hardware and commit.
"""

import argparse
import json
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import equinox as eqx
import numpy as np
from compare import hardware

import chemomech as cm
from chemomech.fem.mesh import rectangle

SIDE = 40e-9


def members(count: int, cells: int, seconds: float) -> list[cm.Member]:
    """One platelet with different rates."""
    lfp = cm.materials.load("LiFePO4")
    reaction = cm.ButlerVolmer(cm.BazantExchange(0.16), V0="3.422 V", thickness="20 nm")
    problem = cm.Problem.build(
        rectangle(SIDE, SIDE, cells, cells), host=lfp.host, kinematics=cm.GeneralisedPlaneStrain(thickness="20 nm"),
        potentials=[cm.Stored(cm.Oriented(lfp.energy, axes={"a": "x", "c": "y"})), cm.Storage(), reaction],
    )  # fmt: skip
    x, y = problem.mesh.points.T / SIDE
    state = problem.state(c=0.05 + 0.02 * np.cos(np.pi * x) * np.cos(2 * np.pi * y))
    out = []
    for share in np.linspace(0.0, 1.0, count):
        varied = eqx.tree_at(lambda p: p.potentials[-1].exchange.k0, problem, 0.1 * 4.0**share)
        out.append(cm.Member(varied, state, cm.Discharge(c_rate=0.5 * 4.0**share, until={"time": seconds})))
    return out


def timed(given: list[cm.Member]) -> dict:
    """Wall time of the second of two runs, without the set-up that precedes the first compiled call."""
    record = {}
    for name in ("first", "second"):
        calls: list[float] = []
        start = time.perf_counter()
        found = cm.simulate_ensemble(given, progress=lambda _, calls=calls: calls.append(time.perf_counter()))
        record[f"{name} run [s]"] = time.perf_counter() - start
    steps = sum(len(solution.time) - 1 for solution in found)
    return record | {
        "members": len(given), "calls": len(calls), "steps": steps,
        "failed": sum(solution.endings[-1].startswith("failed") for solution in found),
        "time per call [s]": (calls[-1] - calls[0]) / (len(calls) - 1),
        "time per step [s]": (calls[-1] - calls[0]) / steps,
    }  # fmt: skip


def main() -> None:
    """Time one member, then all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--cells", type=int, default=35)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    given = members(args.members, args.cells, args.seconds)
    one, many = timed(given[len(given) // 2 :][:1]), timed(given)
    record = {
        "unknowns": given[0].problem.unknowns, "one": one, "many": many,
        "time of all over time of one": many["time per call [s]"] / one["time per call [s]"],
        "device": str(jax.devices()[0]), **hardware(),
    }  # fmt: skip
    print(json.dumps(record, indent=1))
    if args.out:
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
