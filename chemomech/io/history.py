"""Append-only CSV tables of scalars over the steps of a run."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from chemomech.errors import FileError


class History:
    """CSV file whose first column is `step` and whose header names carry units, such as "time [s]".

    Every row is on its way to the disk when `append` returns, so a killed run keeps its table.
    """

    def __init__(self, path: str | PathLike, columns: Sequence[str]):
        """Start a table, or go on with the one in the file.

        Args:
            path: the .csv file.
            columns: header names after `step`, with units.

        Raises:
            FileError: the file cannot be written, or has other columns.
        """
        self.path = Path(path)
        self.columns = ("step", *columns)
        self.rows = 0
        if not self.path.exists() or self.path.stat().st_size == 0:
            self._write("w", [self.columns])
            return
        found, rows = _parse(self.path)
        if tuple(found) != self.columns:
            raise FileError(
                f"{self.path} has columns {', '.join(found)} instead of {', '.join(self.columns)}. "
                "Try: delete it, or start in a new folder."
            )
        self.rows = len(rows)
        self.truncate(math.inf)

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Write one row.

        Raises:
            FileError: a column is missing or unknown, or the row cannot be written.
        """
        wanted = set(self.columns[1:])
        if set(values) != wanted:
            wrong = ", ".join(sorted(set(values) ^ wanted))
            raise FileError(f"Row {step} of {self.path}: missing or unknown {wrong}. Try: give exactly the columns.")
        self._write("a", [[int(step), *(repr(float(values[name])) for name in self.columns[1:])]])
        self.rows += 1

    def truncate(self, step: float) -> None:
        """Drop the rows after `step`, and any half-written last row, to resume from there.

        Raises:
            FileError: the file cannot be read or written.
        """
        header, rows = _parse(self.path)
        kept = [row for row in rows if int(row[0]) <= step]
        self._write("w", [header, *kept])
        self.rows = len(kept)

    def _write(self, mode: str, rows) -> None:
        # Rows are appended in place; a whole table is replaced at once.
        target = self.path if mode == "a" else self.path.with_name(f".{self.path.name}.part")
        try:
            with open(target, mode, newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
            if mode == "w":
                os.replace(target, self.path)
        except OSError as error:
            raise FileError(
                f"cannot write {self.path}: {error.strerror or error}; {self.rows} rows written before are kept; "
                "free space or pass --out"
            ) from error


def read_history(path: str | PathLike) -> dict[str, np.ndarray]:
    """Columns of a history by header name; `step` holds integers.

    Raises:
        FileError: the file cannot be read.
    """
    header, rows = _parse(Path(path))
    columns = {name: np.array([float(row[i]) for row in rows]) for i, name in enumerate(header)}
    return {name: values.astype(int) if name == "step" else values for name, values in columns.items()}


def _parse(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and whole rows; a last row cut short by a crash is left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"Cannot read the history {path}: {error}. Try: check the path.") from error
    lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    if not lines or lines[0][0] != "step":
        raise FileError(f"{path} is no history: its first column is not 'step'. Try: another file.")
    bad = [i for i, row in enumerate(lines) if len(row) != len(lines[0]) or (i and not _numbers(row))]
    if bad:
        raise FileError(f"Line {bad[0] + 1} of the history {path} is damaged. Try: delete that line.")
    return lines[0], lines[1:]


def _numbers(row: list[str]) -> bool:
    try:
        return all(float(value) is not None for value in row)
    except ValueError:
        return False
