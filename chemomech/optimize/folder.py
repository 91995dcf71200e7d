"""The results folder of an optimisation: `evaluations.jsonl` has every design that was tried, as it was tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..design import Evaluation
from ..errors import FileError
from ..io.results import write_text

MARK = "evaluations.jsonl"
SUMMARY = "summary.json"


class Entry(NamedTuple):
    """An evaluation, and the start it belongs to."""

    start: int
    evaluation: Evaluation
    seconds: float


class Journal:
    """Evaluations of a folder, in order; a run that goes on finds them here instead of computing them again.

    Args:
        folder: the results folder; made if absent.
        resume: keep what it holds.

    Raises:
        FileError: the folder cannot be written, or its entries cannot be read.
    """

    def __init__(self, folder: Path, resume: bool = False):
        self.path = folder / MARK
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not resume:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"Cannot make the folder {folder}: {error.strerror or error}. Try --out.") from None
        self.entries = read(folder) if resume else []

    def known(self, start: int, x: Float[np.ndarray, " p"]) -> Evaluation | None:
        """What was found of a design in an earlier part of the run."""
        for entry in self.entries:
            if entry.start == start and np.array_equal(entry.evaluation.x, x):
                return entry.evaluation
        return None

    def append(self, entry: Entry) -> None:
        """On the disk before anything else happens.

        Raises:
            FileError: it cannot be written.
        """
        e = entry.evaluation
        line = {
            "start": entry.start, "x": e.x.tolist(), "values": e.values.tolist(), "jacobian": e.jacobian.tolist(),
            "failure": e.failure, "seconds": entry.seconds,
        }  # fmt: skip
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise FileError(f"Cannot write {self.path}: {error.strerror or error}. Try: free space.") from None
        self.entries.append(entry)


def read(folder: Path) -> list[Entry]:
    """All whole entries; a last one that was cut off is left out, and removed.

    Raises:
        FileError: there are none, or one cannot be read.
    """
    path = folder / MARK
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from None
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
        write_text(path, "".join(lines))
    try:
        return [_entry(json.loads(line)) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} cannot be read ({error}). Start anew with --overwrite.") from None


def _entry(line: dict[str, Any]) -> Entry:
    x, values, jacobian = (np.array(line[key], float) for key in ("x", "values", "jacobian"))
    return Entry(line["start"], Evaluation(x, values, jacobian, line["failure"]), line["seconds"])


def holds_optimisation(folder: Path) -> bool:
    """Whether a folder is one of an optimisation."""
    return (folder / MARK).exists()


def summarise(folder: Path, summary: dict[str, Any]) -> None:
    """Write `summary.json`, whole or not at all."""
    write_text(folder / SUMMARY, json.dumps(summary, indent=1))
