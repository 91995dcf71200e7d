"""The table of a sweep, `sweep.csv`: one row a case, of what its results folder says."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ChemomechError
from ..io.history import read_history
from ..io.results import write_text
from .cases import MARK, Case, Plan

FINAL = ("time [s]", "soc [-]", "voltage [V]", "charge [C]", "c min [-]", "c max [-]")
PEAKS = {"peak principal stress [Pa]": "max principal stress [Pa]", "peak von Mises [Pa]": "max von Mises [Pa]"}
WAITING, RUNNING, FINISHED, FAILED, INTERRUPTED = "waiting", "running", "finished", "failed", "interrupted"


class Outcome(NamedTuple):
    """How far a case is: a status, and what went wrong."""

    status: str
    message: str = ""


class Table:
    """The rows of a sweep, kept on the disk as cases end.

    Raises:
        FileError: the table cannot be written.
    """

    def __init__(self, sweep: Plan):
        self.sweep = sweep
        swept = sweep.swept
        self.swept = [{name: values[k] for name, values in swept.items()} for k in range(len(sweep.cases))]
        self.outcomes = [outcome_of(case.folder) for case in sweep.cases]
        self.results = [results_of(case.folder) for case in sweep.cases]
        self.write()

    def update(self, number: int, outcome: Outcome) -> None:
        """Take over how a case stands, and write the table."""
        self.outcomes[number] = outcome
        self.results[number] = results_of(self.sweep.cases[number].folder)
        self.write()

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary a case, all with the same headings; what is not known is empty."""
        names = list(dict.fromkeys(name for results in self.results for name in results))
        return [
            {"case": case.folder.name, **swept, "status": outcome.status}
            | {name: results.get(name, "") for name in names} | {"message": outcome.message}
            for case, swept, outcome, results in zip(
                self.sweep.cases, self.swept, self.outcomes, self.results, strict=True
            )
        ]  # fmt: skip

    def write(self) -> None:
        """Write `sweep.csv`, whole or not at all."""
        rows, text = self.rows(), io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.sweep.folder / MARK, text.getvalue())


def read_table(folder: Path) -> list[dict[str, Any]]:
    """The rows of `sweep.csv`, numbers as floats."""
    with open(folder / MARK, newline="", encoding="utf-8") as file:
        return [{name: _number(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def swept_names(row: dict[str, Any]) -> list[str]:
    """The headings of the swept values: those between case and status."""
    names = list(row)
    return names[1 : names.index("status")]


def outcome_of(folder: Path) -> Outcome:
    """How a case stands by its summary; one that says "running" was killed."""
    status = str(_summary(folder).get("status", WAITING))
    if status.startswith("stopped: "):
        return Outcome(FAILED, status.removeprefix("stopped: "))
    return Outcome(INTERRUPTED if status == RUNNING else status)


def results_of(folder: Path) -> dict[str, Any]:
    """Steps, final and peak numbers, energies [J] and wall time [s] of a case, as far as it has come."""
    summary = _summary(folder)
    try:
        history = read_history(folder / "history.csv")
    except ChemomechError:
        history = {}
    if not history or not len(history["step"]):
        return {}
    finals = [*FINAL, *(name for name in history if name.endswith("energy [J]"))]
    out: dict[str, Any] = {"steps": len(history["step"])}
    out |= {f"final {name}": float(history[name][-1]) for name in finals if name in history}
    if "charge [C]" in history:
        out["capacity [C]"] = float(np.ptp(history["charge [C]"]))
    out |= {peak: float(np.max(history[name])) for peak, name in PEAKS.items() if name in history}
    out |= {name: summary[name] for name in ("wall time [s]", "unknowns", "step endings") if name in summary}
    return {name: value for name, value in out.items() if not isinstance(value, float) or np.isfinite(value)}


def _summary(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "summary.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def progress_of(case: Case) -> str:
    """How far a running case is, in a few words."""
    summary = _summary(case.folder)
    if not summary.get("steps"):
        return "compiling"
    return f"{summary['steps']} steps" + (f", soc = {summary['soc [-]']:.4f}" if "soc [-]" in summary else "")
