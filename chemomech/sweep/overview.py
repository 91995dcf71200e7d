"""What there is to look at after a sweep: one picture and one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config import read
from ..errors import ChemomechError
from ..io.history import read_history
from ..viz.comparison import Drawn, draw_sweep
from ..viz.page import Link, Page
from ..viz.reporting import write_page
from ..viz.style import save
from .table import FAILED, FINISHED, read_table, swept_names

PRINTED = (
    "status", "steps", "final soc [-]", "final voltage [V]", "capacity [C]", "peak principal stress [Pa]",
    "peak von Mises [Pa]", "final free energy [J]", "wall time [s]",
)  # fmt: skip
CAPTION = "Curves of all cases, and results against the swept value."


def report(folder: Path) -> list[Path]:
    """Write `sweep.png` and `report.html` of the table of a sweep; return the files written.

    Raises:
        FileError: a file cannot be written.
    """
    rows = read_table(folder)
    page = Page(title=str(read(folder / "config.toml").get("title", folder.name)))
    page.status = counted(rows)
    page.config = (folder / "config.toml").read_text(encoding="utf-8")
    page.warnings = [f"{row['case']}: {row['message']}" for row in rows if row["status"] == FAILED]
    page.cases = [_linked(row, folder) for row in rows]
    cases = [_drawn(row, folder) for row in rows]
    if any(case.history for case in cases):
        picture = save(lambda: draw_sweep([case for case in cases if case.history]), folder / "sweep.png")
        page.pictures.append((picture, CAPTION))
    write_page(page, folder / "report.html")
    return [path for path, _ in page.pictures] + [folder / "report.html"]


def counted(rows: list[dict[str, Any]]) -> str:
    """How many cases are how: "3 finished, 1 failed"."""
    words = [str(row["status"]) for row in rows]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words, key=_order)))


def _order(word: str) -> int:
    return 0 if word == FINISHED else 1


def brief(row: dict[str, Any]) -> dict[str, Any]:
    """The columns that are worth printing: swept values and the main results."""
    return {name: row[name] for name in (*swept_names(row), *PRINTED) if name in row}


def _linked(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    name = str(row["case"])
    page = folder / name / "report.html"
    return {"case": Link(name[:9], f"{name}/report.html") if page.exists() else name[:9], **brief(row)}


def _drawn(row: dict[str, Any], folder: Path) -> Drawn:
    """The curve of a case as far as it goes; results only of one that finished."""
    swept = {name: row[name] for name in swept_names(row)}
    return Drawn(swept, row if row["status"] == FINISHED else {}, _history(folder, row))


def _history(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    try:
        return read_history(folder / str(row["case"]) / "history.csv")
    except ChemomechError:
        return {}
