"""What there is to look at after an optimisation: pictures, an animation of the shape, one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..design import Shape
from ..errors import ChemomechError
from ..viz import designs as pictures
from ..viz.page import Link, Page
from ..viz.reporting import write_page
from ..viz.style import save
from .folder import SUMMARY, Entry, read
from .plan import Plan, plan
from .running import AFTER, BEFORE

FRAMES = 40  # of the animation, at most
CAPTIONS = {
    "convergence.png": "The objective of every design that was tried, and the variables of the best start.",
    "before_after.png": "The initial design and the best one, each when its stress is largest.",
    "design.gif": "The body of each better design.",
}
SHOWN = 8  # variables in the table


def report(folder: Path, made: Plan | None = None) -> list[Path]:
    """Write the pictures and `report.html` of an optimisation's folder; return the files written.

    A picture that cannot be drawn becomes a note on the page.

    Args:
        folder: the results folder.
        made: its plan, where it is at hand; default: read from the folder's config.

    Raises:
        FileError: a file cannot be written or read.
    """
    made = plan(folder / "config.toml", folder) if made is None else made
    entries, summary = read(folder), json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    page = Page(title=made.title, status=str(summary["status"]))
    page.config = (folder / "config.toml").read_text(encoding="utf-8")
    page.numbers = _numbers(summary, made)
    page.cases = _cases(folder, summary)
    failed = [e.evaluation.failure for e in entries if e.evaluation.failure]
    if failed:
        page.warnings.append(f"{len(failed)} designs could not be evaluated; the last of them: {failed[-1]}")
    if summary.get("limits met") is False:
        page.warnings.append("No design met all limits.")
    drawing = {"convergence.png": lambda path: save(lambda: _convergence(entries, made), path)}
    if "best" in summary:
        drawing["before_after.png"] = lambda path: save(lambda: _before_and_after(folder, summary), path)
        if any(isinstance(variable, Shape) for variable in made.study.variables):
            drawing["design.gif"] = lambda path: _animation(entries, summary, made, path)
    for name, draw in drawing.items():
        try:
            draw(folder / name)
            page.pictures.append((folder / name, CAPTIONS[name]))
        except ChemomechError as error:
            page.notes.append(f"{name}: {error}")
    write_page(page, folder / "report.html")
    return [path for path, _ in page.pictures] + [folder / "report.html"]


def _numbers(summary: dict[str, Any], made: Plan) -> dict[str, Any]:
    unit = f" [{made.unit}]" if made.unit != "1" else ""
    out: dict[str, Any] = {"gradient check": summary.get("gradient check", {})}
    if "best" in summary:
        out |= {f"objective before{unit}": summary["initial"], f"objective after{unit}": summary["best"]}
        if summary["initial"]:
            out["after over before"] = summary["best"] / summary["initial"]
        out |= {f"limit {k + 1}": value for k, value in enumerate(summary["limits"])}
        out |= {name: value for name, value in list(summary["design"].items())[:SHOWN]}
    out |= {f"{key}{unit}": value for key, value in summary.items() if key.startswith("finer")}
    return out | {key: value for key, value in summary.items() if key.startswith("smallest cell")}


def _cases(folder: Path, summary: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {"start": k + 1, "first": s["first"], "best": s["best"], "evaluations": s["evaluations"], "ended": s["ended"]}
        for k, s in enumerate(summary.get("starts", []))
    ]
    links = [
        {"start": Link(name, f"{name}/report.html"), "first": "", "best": "", "evaluations": "", "ended": "all fields"}
        for name in (BEFORE, AFTER) if (folder / name / "report.html").exists()
    ]  # fmt: skip
    return rows + links


def _convergence(entries: list[Entry], made: Plan) -> Any:
    study, starts = made.study, []
    for number in dict.fromkeys(entry.start for entry in entries):
        x = np.stack([e.evaluation.x for e in entries if e.start == number])
        values = np.array([e.evaluation.values[0] for e in entries if e.start == number])
        starts.append(pictures.Tried(x, values, (x - study.lower) / (study.upper - study.lower)))
    return pictures.draw_convergence(starts, list(study.names), made.unit, study.maximise)


def _before_and_after(folder: Path, summary: dict[str, Any]) -> Any:
    unit = "" if summary["unit"] == "1" else f" {summary['unit']}"
    titles = {name: f"{name}: {summary[key]:.4g}{unit}" for name, key in ((BEFORE, "initial"), (AFTER, "best"))}
    return pictures.draw_before_and_after({name: folder / name for name in titles}, titles)


def _animation(entries: list[Entry], summary: dict[str, Any], made: Plan, path: Path) -> Path:
    better, sign = [], -1.0 if made.study.maximise else 1.0
    for entry in (e for e in entries if e.start == summary["start"] and not e.evaluation.failure):
        if not better or sign * entry.evaluation.values[0] < sign * better[-1].evaluation.values[0]:
            better.append(entry)
    better = [better[k] for k in np.unique(np.linspace(0, len(better) - 1, FRAMES).astype(int))]
    meshes = [made.study.at(e.evaluation.x).problem.mesh for e in better]
    kept = {mesh.cell_type: mesh.cells for mesh in meshes[:1]}
    bodies = [pictures.Body(np.asarray(mesh.points), kept) for mesh in meshes]
    return pictures.animate(bodies, [float(e.evaluation.values[0]) for e in better], made.unit, path)
