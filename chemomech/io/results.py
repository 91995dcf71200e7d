"""A results folder, readable at every moment of a run: history, fields, restart, summary."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.stress import as_matrices, hydrostatic, nodal_stress, principal, von_mises
from ..errors import ChemomechError, ConfigError, FileError
from ..problem import Problem, State
from ..run import Cursor, Observer, Record, row
from .history import History
from .restart import load_restart, save_restart
from .vtu import Collection, write_vtu

COLUMNS = {
    "segment": "segment", "time": "time [s]", "soc": "soc [-]", "voltage": "voltage [V]", "current": "current [A]",
    "charge": "charge [C]", "max_principal_stress": "max principal stress [Pa]", "max_von_mises": "max von Mises [Pa]",
    "c_min": "c min [-]", "c_max": "c max [-]", "dt": "dt [s]", "newton": "newton [-]",
}  # fmt: skip
STEP = re.compile(r"Step (\d+) at t = \S+ s: ")  # how a run begins a warning
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SWEEPS_OWN = (".lock", ".cache")  # a sweep locks its folder before anything is in it
ARRAYS = ("states", "lengths", "charges")


def column(name: str) -> str:
    """The heading of a history column, with its unit."""
    if name.endswith("_energy"):
        return f"{name.removesuffix('_energy').replace('_', ' ')} energy [J]"
    return COLUMNS[name]


class Results(Observer):
    """Writes a run into a folder as it goes; restarts at frames, where a resumed run gives the same numbers.

    Args:
        folder: the results folder; made if absent.
        problem: what is solved.
        config: text of `config.toml`.
        title: of the report.
        resume: go on with what the folder holds; `cursor` is then where the run stopped.

    Raises:
        FileError: the folder cannot be written, or what it holds cannot be read.
    """

    def __init__(self, folder: str | os.PathLike, problem: Problem, config: str = "", title: str = "", resume=False):
        self.folder, self.problem, self.title = Path(folder), problem, title or Path(folder).name
        self.warnings: list[str] = []
        self.solver = ""  # the linear solver, and why it
        self.endings: list[str] = []
        self.last: dict[str, float] = {}
        self.began, self.before = time.monotonic(), 0.0
        self.cursor: Cursor | None = None
        self.history: History | None = None
        try:
            (self.folder / "fields").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"Cannot make the folder {self.folder}: {error.strerror or error}. Try: another place with --out."
            ) from None
        if resume:
            self._resume()
        else:
            self._clear()
        write_text(self.folder / "config.toml", config)
        self.collection = Collection(self.folder / "fields.pvd")
        self.collection.truncate(self.cursor.time if self.cursor else -1.0)
        self._remove_orphans()
        self.summarise("running")

    def accepted(self, record: Record) -> None:
        """Append a row to the history."""
        values = {column(k): float(v) for k, v in row(record).items() if k != "step"}
        if self.history is None:
            self.history = History(self.folder / "history.csv", list(values))
        self.history.append(record.step, values)
        self.last = values

    def frame(self, record: Record, state: State) -> None:
        """Write the fields of one moment."""
        if not self.collection.frames or self.collection.frames[-1][0] != record.time:
            name = f"fields/frame_{len(self.collection.frames):04d}.vtu"
            write_vtu(self.folder / name, self.problem.mesh, nodal_fields(self.problem, state))
            self.collection.add(record.time, name)

    def checkpoint(self, cursor: Cursor) -> None:
        """Write the restart, after the fields that it counts on, then the summary."""
        save_restart(self.folder / "restart.h5", self._restart(cursor))
        self.summarise("running")

    def ended(self, segment: int, reason: str) -> None:
        """Keep what ended a protocol step."""
        self.endings.append(reason)

    def warned(self, text: str) -> None:
        """Keep it for the summary and the report."""
        self.warnings.append(text)

    def finish(self, status: str) -> None:
        """Write the last summary: "finished", or why the run stopped."""
        self.summarise(status)

    def summarise(self, status: str) -> None:
        """Write `summary.json`."""
        from .. import __version__

        summary: dict[str, Any] = {
            "title": self.title,
            "status": status,
            "chemomech": __version__,
            "unknowns": self.problem.unknowns,
            **({"linear solver": self.solver} if self.solver else {}),
            "steps": 0 if self.history is None else self.history.rows,
            "frames": len(self.collection.frames),
            "wall time [s]": round(self.before + time.monotonic() - self.began, 3),
            "step endings": ", ".join(self.endings),
            **{name: value for name, value in self.last.items() if name != "segment" and np.isfinite(value)},
            "warnings": merged(self.warnings),
        }
        write_text(self.folder / "summary.json", json.dumps(summary, indent=2) + "\n")

    # --- restart ------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _fingerprint(self) -> str:
        """Says whether two meshes are the same."""
        mesh = self.problem.mesh
        return hashlib.sha256(np.asarray(mesh.points).tobytes() + np.asarray(mesh.cells).tobytes()).hexdigest()

    def _restart(self, cursor: Cursor) -> dict[str, Any]:
        plain = {k: v for k, v in vars(cursor).items() if k not in ARRAYS}
        arrays = {"states": np.stack(cursor.states), "charges": np.array(cursor.charges, dtype=float)}
        return {
            "version": 1,
            "mesh": self._fingerprint,
            "cursor": {k: v.item() if isinstance(v, np.generic) else v for k, v in plain.items()},
            **arrays, "lengths": np.array(cursor.lengths, dtype=float),
            "endings": ",".join(self.endings),
            "wall": self.before + time.monotonic() - self.began,
        }  # fmt: skip

    def _resume(self) -> None:
        """Go back to the last restart: later rows and frames are dropped, and will be computed again."""
        path = self.folder / "restart.h5"
        if not path.exists():
            self._clear()
            return
        tree = load_restart(path)
        self.cursor = self._read_cursor(tree, path)
        self.endings = [word for word in tree["endings"].split(",") if word]
        self.before = tree["wall"]
        self._reopen_history()

    def _read_cursor(self, tree: dict[str, Any], path: Path) -> Cursor:
        try:
            cursor = Cursor(
                **tree["cursor"], states=list(tree["states"]), lengths=tree["lengths"].tolist(),
                charges=tree["charges"].tolist(),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise FileError(f"{path} is no restart of this version ({error}). Try: a new run.") from None
        if tree.get("mesh") != self._fingerprint:
            raise FileError(
                f"{path} was written on another mesh (or the same at another scale). Try: the mesh and config that the "
                "folder was started with, or a new folder with --out."
            )
        if len(cursor.states[0]) != self.problem.unknowns:
            raise FileError(
                f"{path} holds {len(cursor.states[0])} unknowns, but the problem has {self.problem.unknowns}. "
                "Try: the config and mesh that the folder was started with, or a new folder."
            )
        return cursor

    def _reopen_history(self) -> None:
        from .history import read_history

        path = self.folder / "history.csv"
        table = read_history(path)
        self.history = History(path, [name for name in table if name != "step"])
        self.history.truncate(self.cursor.step)
        kept = table["step"] <= self.cursor.step
        self.last = {name: float(v[kept][-1]) for name, v in table.items() if name != "step"}

    def _clear(self) -> None:
        names = ("history.csv", "fields.pvd", "restart.h5", "summary.json", "report.html", "config.toml")
        for path in [self.folder / n for n in names] + list(self.folder.glob("*.png")):
            path.unlink(missing_ok=True)

    def _remove_orphans(self) -> None:
        listed = {self.folder / name for _, name in self.collection.frames}
        for path in set((self.folder / "fields").glob("frame_*.vtu")) - listed:
            path.unlink(missing_ok=True)


def nodal_fields(problem: Problem, state: State) -> dict[str, np.ndarray]:
    """The fields of one frame: unknowns, and the stress with its invariants [Pa]."""
    units = {"c": "c", "mu": "mu [J/mol]", "u": "u [m]"}
    out = {units[name]: np.asarray(state.values[name]) for name in units if name in state.values}
    if "u.x" in problem.fields:
        stress = nodal_stress(problem, state)
        out["stress [Pa]"] = as_matrices(stress).reshape(-1, 9)
        out["von Mises [Pa]"] = von_mises(stress)
        out["hydrostatic [Pa]"] = hydrostatic(stress)
        out["principal [Pa]"] = np.ascontiguousarray(principal(stress))
    return out


def merged(warnings: Sequence[str]) -> list[str]:
    """Each warning once; those of steps that differ in their numbers only are the first of them, with a count."""
    alike: dict[str, list[tuple[str, str]]] = {}  # texts with their steps
    for text in warnings:
        of_step = STEP.match(text)
        key = NUMBER.sub("#", text[of_step.end() :]) if of_step else text
        alike.setdefault(key, []).append((text, of_step[1] if of_step else ""))
    counted = [(found[0][0], len(found), found[-1][1]) for found in alike.values()]
    return [f"{text} ({n} times, the last in step {step})" if n > 1 and step else text for text, n, step in counted]


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all.

    Raises:
        FileError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FileError(f"Cannot write {path}: {error.strerror or error}. Try: free space or pass --out.") from None


def holds_results(folder: str | os.PathLike) -> bool:
    """Whether a folder holds anything but a sweep's lock.

    Raises:
        ChemomechError: it is a file.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise ChemomechError(f"{folder} is a file, not a folder. Try: another place with --out.")
        return folder.is_dir() and any(path.name not in SWEEPS_OWN for path in folder.iterdir())
    except OSError as error:
        raise FileError(f"Cannot look into {folder}: {error.strerror or error}. Try: another --out.") from None


def require_folder(folder: Path, mark: str, *, resume: bool, overwrite: bool) -> None:
    """Earlier results are neither overwritten nor gone on with unless asked for.

    Args:
        folder: results folder.
        mark: the file by which it is known to be one.
        resume: go on with what it holds.
        overwrite: replace what it holds.

    Raises:
        ConfigError: the folder holds results and neither was asked for, or something else than results, or nothing.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude each other. Choose one.")
    full = holds_results(folder)
    if full and not (resume or overwrite):
        raise ConfigError(
            f"{folder} holds earlier results, which stay as they are. Go on with --resume, replace them with "
            "--overwrite, or choose another folder with --out."
        )
    if resume and not full:
        raise ConfigError(f"There is nothing to resume in {folder}. Leave out --resume to start.")
    if overwrite and full and not (folder / mark).exists():
        raise ConfigError(f"{folder} is not a results folder (it has no {mark}), so it is not overwritten.")
