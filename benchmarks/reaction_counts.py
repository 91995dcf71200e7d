"""GMRES iterations of the coupled step with a reaction, from where diffusion limits to where the reaction does.

usage: python -m benchmarks.reaction_counts MESH.npz [MESH.npz ...] [--stiffness E300 ...] [--states dilute ...]
       [--out benchmarks/results/NAME.json]

States, steps, stiffness, right-hand side and tolerance as in `krylov_counts`, at chi 3. `closed` has no reaction;
`cells` reacts in the volume (a thin body through its faces), with diffusion and without; `facets` on the boundary; each
at a given voltage and at a given current, which borders the matrix. Rates are of the exchange current, per step.
Error control would not take every one of these steps: a case of many iterations is counted apart (`beyond`) where the
step is more than half the growth time of some wave of the reacting body (`fast_waves`; a reaction makes waves grow
too), or where Newton's first correction fills or empties more than all sites somewhere (`change`; a state far from the
equilibrium of a fast reaction).
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import chemomech as cm
from benchmarks import krylov_counts
from benchmarks.fast_waves import outgrown
from benchmarks.krylov_counts import (
    KAPPA,
    growth_and_steps,
    incoherent_rate,
    load,
    relaxed,
    right_hand_side,
    states,
)
from benchmarks.record import hardware, write
from chemomech.problem import Drive

CHI = 3.0
STIFFNESS = ("none", "E300", "LFP")
STATES = ("two-phase", "core-shell", "solid solution", "steep", "dilute")
RATES = (1e-6, 1e-3, 1.0, 1e3)  # dt k0, k0 in sites per time and per volume or area
KINDS = ("cells", "cells alone", "facets")
LUMPED = 4.0  # eigenvalues of a mass matrix are within this factor of its row sums
MANY = 25  # iterations, from which it is looked at whether the step would be taken
ALL_SITES = 1.0  # a change of composition


def problem(mesh: cm.Mesh, stiffness: str, kind: str) -> cm.Problem:
    """As in `krylov_counts`, with a reaction of unit rate."""
    rest = [] if kind == "cells alone" else [cm.Diffusion(1.0)]
    if kind != "closed":
        where = {"on": "boundary"} if kind == "facets" else {"thickness": 1.0}
        rest.append(cm.ButlerVolmer(cm.SymmetricExchange(1.0), V0=0.0, **where))
    return krylov_counts.problem(mesh, CHI, stiffness, *rest)


def at_rate(made: cm.Problem, k0: float) -> cm.Problem:
    """The same with another rate."""
    place = next(k for k, p in enumerate(made.potentials) if isinstance(p, cm.ButlerVolmer))
    return eqx.tree_at(lambda p: p.potentials[place].exchange.k0, made, jnp.asarray(k0))


def count(evolution: cm.Evolution, state: cm.State, dt: float, drive: Drive, old: Any) -> tuple[dict[str, int], Any]:
    """Iterations of the first solve of a step from a state, forward and transposed; and the solver's state."""
    solver, made = evolution.newton.linear, evolution.problem
    x = evolution.start(state)
    now = evolution.expand(x)
    linear = solver.init(evolution.tangent(x, (now, now, 0.0, dt), drive), solver.forget(old))
    b = np.concatenate([right_hand_side(made), np.ones(len(made.scalars))])
    found = {}
    for key, transpose, weights in (
        ("iterations", False, linear.weights), ("transposed", True, linear.transposed_weights),
    ):  # fmt: skip
        try:
            found[key] = solver.solve(linear, b / weights, rtol=1e-6, transpose=transpose)[1].iterations
        except cm.SolveError:
            found[key] = solver.max_iterations
    return found, linear


def beyond(evolution: cm.Evolution, state: cm.State, dt: float, drive: Drive) -> bool:
    """Whether the step is longer than half the growth time of a wave, by more than a tenth."""
    solver, x = evolution.newton.linear, evolution.start(state)
    now = evolution.expand(x)
    tangent = evolution.tangent(x, (now, now, 0.0, dt), drive)
    blocks, one, sites = solver.init(tangent).system.matrix.blocks, np.ones(len(state.c)), tangent.scalars().mass.sum(1)
    reaction, storage = (np.abs(blocks["mu", name] @ one) / np.asarray(sites).ravel() for name in ("mu", "c"))
    free = np.maximum(2 * CHI - 1 / (state.c * (1 - state.c)), 0.0)  # where the strain costs nothing
    fed = LUMPED * (np.max(reaction) * np.max(free) + np.max(np.abs(storage - 1.0)))
    bound = float(fed) / dt + incoherent_rate(state.c, CHI, KAPPA[evolution.problem.mesh.dim])
    return outgrown(evolution.problem, x, tangent, dt, bound, drive)


def change(evolution: cm.Evolution, state: cm.State, dt: float, drive: Drive, linear: Any) -> float:
    """By how much Newton's first correction changes the composition, at most [1]; without end where there is none."""
    x = evolution.start(state)
    now = evolution.expand(x)
    left = np.asarray(evolution.residual(x, (now, now, 0.0, dt), drive))
    try:
        correction = evolution.newton.linear.solve(linear, -left, rtol=1e-4)[0]
    except cm.SolveError:
        return float("inf")
    made = evolution.problem
    fields = made.lift.increment(correction[: made.lift.size]).reshape(len(made.fields), -1)
    return float(np.max(np.abs(fields[made.fields.index("c")])))


def counts(path: str, stiffnesses: Sequence[str] = STIFFNESS, names: Sequence[str] = STATES) -> list[dict]:
    """One record a case."""
    mesh, out = load(path), []
    for stiffness in stiffnesses:
        made = {kind: problem(mesh, stiffness, kind) for kind in ("closed", *KINDS)}
        for name in names:
            here = {"mesh": Path(path).name, "stiffness": stiffness, "state": name}
            out += [here | case for case in _of_state(mesh, stiffness, name, made)]
    return out


def _of_state(mesh: cm.Mesh, stiffness: str, name: str, problems: dict[str, cm.Problem]) -> list[dict]:
    closed = problems["closed"]
    evolution = cm.Evolution(closed, cm.Newton(linear=cm.Krylov(max_iterations=150)))
    c, relax = states(mesh.points)[name]
    x, _ = relaxed(evolution, closed.state(c=c), relax)
    state, out = evolution.state(x), []
    known = {key: getattr(state, key) for key in ("c", "mu", "u") if key in state.values}
    for dt in growth_and_steps(evolution, x, CHI, stiffness, name)[1][1:]:  # the shortest is dominated by storage
        out.append({"kind": "closed", "rate": 0.0, "dt": dt} | count(evolution, state, dt, closed.drive(), None)[0])
        for kind in KINDS:
            linear = None  # what is set up once is kept: it does not depend on the rate
            for rate in RATES:
                reacting = cm.Evolution(at_rate(problems[kind], rate / dt), evolution.newton)
                start = reacting.problem.state(**known, V=-float(np.mean(state.mu)))
                for given, act in (("voltage", ("value", start.V)), ("current", ("load", 1.0))):
                    case = {"kind": kind, "rate": rate, "dt": dt, "given": given}
                    drive = reacting.problem.drive(V=act)
                    found, linear = count(reacting, start, dt, drive, linear)
                    apart = {"beyond": False}
                    if found["iterations"] > MANY:
                        moved = change(reacting, start, dt, drive, linear)
                        apart = {
                            "beyond": moved > ALL_SITES or beyond(reacting, start, dt, drive),
                            "change": moved if np.isfinite(moved) else None,
                        }
                    out.append(case | found | apart)
    return out


def table(cases: list[dict]) -> list[dict]:
    """By mesh and kind: median and worst, and the most that a reaction and a given current add."""
    rows = []
    where = ("mesh", "stiffness", "state", "dt")
    closed = {tuple(c[k] for k in where): c["iterations"] for c in cases if c["kind"] == "closed"}
    free = {
        tuple(c[k] for k in (*where, "kind", "rate")): c["iterations"] for c in cases if c.get("given") == "voltage"
    }
    for mesh, kind in itertools.product(dict.fromkeys(c["mesh"] for c in cases), KINDS):
        every = [c for c in cases if (c["mesh"], c["kind"]) == (mesh, kind)]
        found = [c for c in every if not c["beyond"]]
        its = [c["iterations"] for c in found]
        bordered = [c for c in found if c["given"] == "current"]
        rows.append({
            "mesh": mesh, "kind": kind, "cases": len(its), "median": statistics.median(its), "worst": max(its),
            "beyond": len(every) - len(its),
            "more than closed, at a given voltage":
                max(c["iterations"] - closed[tuple(c[k] for k in where)] for c in found if c["given"] == "voltage"),
            "more than closed": max(c["iterations"] - closed[tuple(c[k] for k in where)] for c in found),
            "more with a given current":
                max(c["iterations"] - free[tuple(c[k] for k in (*where, "kind", "rate"))] for c in bordered),
            "transposed less forward": max(c["transposed"] - c["iterations"] for c in found),
        })  # fmt: skip
    return rows


def main() -> None:
    """Run, print the table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", nargs="+")
    parser.add_argument("--stiffness", nargs="+", default=STIFFNESS, choices=STIFFNESS)
    parser.add_argument("--states", nargs="+", default=STATES, choices=STATES)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases = [case for path in args.mesh for case in counts(path, args.stiffness, args.states)]
    rows = table(cases)
    for row in rows:
        print(json.dumps(row))
    write({"claim": "reaction counts", **hardware(), "table": rows, "cases": cases}, args.out)


if __name__ == "__main__":
    main()
