"""The step-by-step record `history.csv` and what is read off it: branches and the nearest step."""

import csv
from pathlib import Path

import numpy as np

from chemomech.errors import FileError

History = dict[str, np.ndarray]


def read_history(folder) -> History:
    """The columns of `history.csv` by name, without the columns that hold no number."""
    path = Path(folder) / "history.csv"
    if not path.is_file():
        raise FileError(f"No history.csv in {folder}. Is this the results folder of a run?")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise FileError(f"{path} holds no step. The run stopped before its first step ended.")
    names = [name.strip() for name in rows[0]]
    table = np.array([[_number(cell) for cell in row] for row in rows[1:] if len(row) == len(names)])
    columns = dict(zip(names, table.reshape(-1, len(names)).T))
    return {name: values for name, values in columns.items() if np.isfinite(values).any()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def at_time(history: History, time: float) -> dict[str, float]:
    """The row of the step that ends nearest to a time [s], by column name."""
    if "time [s]" not in history:
        return {}
    row = int(np.nanargmin(np.abs(history["time [s]"] - time)))
    return {name: float(values[row]) for name, values in history.items()}


def branches(history: History) -> list[tuple[str, np.ndarray]]:
    """The run cut where the current changes sign: ('discharge' | 'charge' | 'rest', row numbers) in order.

    A run in which nothing ever flows is one 'run', not a rest.
    Insertion (growing soc) is called discharge, as for any host measured against lithium metal.
    """
    direction = _direction(history)
    if not direction.any():
        return [("run", np.arange(len(direction)))]
    cuts = np.flatnonzero(np.diff(direction)) + 1
    kinds = {1: "discharge", -1: "charge", 0: "rest"}
    return [(kinds[int(direction[rows[0]])], rows) for rows in np.split(np.arange(len(direction)), cuts)]


def _direction(history: History) -> np.ndarray:
    """+1 where lithium goes in, -1 where it goes out, 0 at rest; one number a row."""
    rows = len(next(iter(history.values())))
    flow = np.nan_to_num(np.diff(history["soc [-]"], prepend=history["soc [-]"][:1])) if "soc [-]" in history else None
    current = history.get("current [A]")
    if current is None and flow is None:
        return np.zeros(rows, dtype=int)
    if current is None:
        rate, orientation = np.asarray(flow), 1.0
    else:
        # The file does not say which sign of current fills the host; the soc does.
        rate = np.asarray(np.nan_to_num(current))
        orientation = 1.0 if flow is None or rate @ flow >= 0 else -1.0
    return (np.sign(rate) * (np.abs(rate) > 1e-9 * np.abs(rate).max()) * orientation).astype(int)
