"""Runs an optimisation: gradient check, every start, the best design again, on a finer mesh too, with its results."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..config import require_same_tree
from ..design import Evaluation, Optimum, least_shrinkage
from ..errors import ChemomechError
from ..io.results import Results, write_text
from ..taylor import Taylor
from .folder import Entry, Journal, summarise
from .plan import Plan

BEFORE, AFTER = "before", "after"


class Watcher:
    """Hears how an optimisation goes; override what is of interest."""

    def checked(self, taylor: Taylor) -> None:
        """The gradient was compared with differences."""

    def evaluated(self, entry: Entry, count: int) -> None:
        """A design was evaluated, the so many-th of its start."""

    def ended(self, start: int, optimum: Optimum) -> None:
        """A start came to its end."""

    def computing(self, what: str) -> None:
        """What is being done after the last start."""


def run(plan: Plan, folder: Path, watcher: Watcher | None = None, *, resume: bool = False) -> dict[str, Any]:
    """Look for the best design from every start; all that is found lies in the folder at every moment.

    Returns:
        The summary: what was found from each start, and the best design by the names of its variables.

    Raises:
        ChemomechError: the first design cannot be evaluated, or the folder cannot be written.
        KeyboardInterrupt: as it came; the folder says so, and the run can go on.
    """
    watcher = watcher or Watcher()
    if resume:
        require_same_tree(plan.config, folder)
    journal = Journal(folder, resume)
    write_text(folder / "config.toml", plan.config)
    summary: dict[str, Any] = {"title": plan.title, "status": "running", "variables": list(plan.study.names)}
    summarise(folder, summary)
    try:
        summary["gradient check"] = _checked(plan, watcher)
        summary["starts"] = [
            _from(plan, journal, watcher, k, x) for k, x in enumerate(plan.study.starts(plan.starts, plan.seed))
        ]
        summary |= _best(plan, summary["starts"], journal)
        summarise(folder, summary)
        _confirmed(plan, folder, summary, watcher)
        summary["status"] = "finished"
    except KeyboardInterrupt:
        summary["status"] = "interrupted"
        raise
    except Exception as error:
        summary["status"] = f"stopped: {error}"
        raise
    finally:
        summarise(folder, summary)
    return summary


def _checked(plan: Plan, watcher: Watcher) -> dict[str, Any]:
    found = plan.study.check(plan.study.initial, seed=plan.seed)
    watcher.checked(found)
    return {
        "slope": found.slope, "by differences": found.difference, "relative error": found.error,
        "orders": [float(order) for order in found.orders],
    }  # fmt: skip


def _from(plan: Plan, journal: Journal, watcher: Watcher, number: int, start: Float[np.ndarray, " p"]) -> dict:
    """One start to its end."""
    count, began = 0, time.monotonic()

    def evaluate(x):
        nonlocal began
        began = time.monotonic()
        known = journal.known(number, x)
        if known is None:
            return plan.study.evaluate(x)
        if known.failure:
            raise ChemomechError(known.failure)
        return known.values, known.jacobian

    def heard(e: Evaluation) -> None:
        nonlocal count
        count += 1
        entry = Entry(number, e, time.monotonic() - began)
        if journal.known(number, e.x) is None:
            journal.append(entry)
        watcher.evaluated(entry, count)

    options = {"method": plan.method, "iterations": plan.iterations, "tolerance": plan.tolerance}
    try:
        optimum = plan.study.optimise(start, evaluate=evaluate, heard=heard, **options)
    except ChemomechError as error:  # another start may do
        if number == 0:
            raise
        return {"first": None, "best": None, "x": start.tolist(), "limits": [], "evaluations": 1, "ended": str(error)}
    watcher.ended(number, optimum)
    return {
        "first": float(optimum.evaluations[0].values[0]), "best": optimum.value, "x": optimum.x.tolist(),
        "limits": optimum.values[1:].tolist(), "evaluations": len(optimum.evaluations), "ended": optimum.message,
    }  # fmt: skip


def _best(plan: Plan, starts: list[dict], journal: Journal) -> dict[str, Any]:
    """The best of all starts that meet the limits, against the initial design."""
    limits, sign = plan.study.limits, -1.0 if plan.study.maximise else 1.0

    def rank(start: dict) -> tuple[float, float]:
        missed = [
            max(limit.lower - v, v - limit.upper, 0.0) / (abs(v) or 1.0)
            for limit, v in zip(limits, start["limits"], strict=True)
        ]
        worst = max(missed, default=0.0)
        return (0.0 if worst <= 1e-3 else worst, sign * start["best"])

    best = min((start for start in starts if start["best"] is not None), key=rank)
    initial = next(e.evaluation for e in journal.entries if e.start == 0)
    return {
        "unit": plan.unit, "initial": float(initial.values[0]), "best": best["best"], "limits": best["limits"],
        "initial limits": initial.values[1:].tolist(), "start": starts.index(best),
        "design": dict(zip(plan.study.names, best["x"], strict=True)), "x": best["x"],
        "initial x": initial.x.tolist(), "limits met": rank(best)[0] == 0.0,
    }  # fmt: skip


def _confirmed(plan: Plan, folder: Path, summary: dict[str, Any], watcher: Watcher) -> None:
    """Both designs once more, with all their fields; and as the finer config has them."""
    designs = {BEFORE: np.array(summary["initial x"]), AFTER: np.array(summary["x"])}
    for name, x in designs.items():
        watcher.computing(f"the design {name}")
        made = plan.study.at(x)
        results = Results(folder / name, made.problem, plan.config, f"{plan.title}: {name}")
        plan.study.run(x, observer=results, frames=plan.simulation.frames)
        results.finish("finished")
        if made.problem.mesh is not plan.simulation.problem.mesh:
            summary[f"smallest cell {name}, of its first size"] = least_shrinkage(
                plan.simulation.problem.mesh, made.problem.mesh.points
            )
    if plan.finer is not None:
        for name, x in designs.items():
            watcher.computing(f"the design {name}, finer")
            values = np.asarray(plan.finer.values(x))
            summary[f"finer, {name}"] = float(values[0])
