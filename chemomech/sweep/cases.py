"""The cases of a sweep and their folders: each holds a complete config that runs alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import config as configs
from .. import inspection
from ..errors import ChemomechError, FileError
from ..io.results import write_text
from . import axes as sweeping
from . import submitted
from .axes import Axis

LONGEST = 80  # characters of a folder's name
MARK = "sweep.csv"
OWN_FILES = (MARK, "sweep.png", "report.html", "config.toml")


class Case(NamedTuple):
    """One case of a sweep."""

    label: str  # "chi = 3, c_rate = 0.1"
    values: tuple[Any, ...]
    folder: Path
    config: str  # text of its config.toml


class Plan(NamedTuple):
    """A sweep whose every case was built once and found sound."""

    title: str
    folder: Path
    axes: tuple[Axis, ...]
    config: str  # text of the sweep's own config.toml
    cases: tuple[Case, ...]
    warnings: tuple[str, ...]

    @property
    def swept(self) -> dict[str, list[Any]]:
        """Swept values by heading, in the order of the cases."""
        return sweeping.columns(self.axes, [case.values for case in self.cases])


def plan(
    config: Path, folder: Path, axes: Sequence[Axis] = (), mode: str | None = None, *, resume: bool = False,
    checked: Callable[[int, int], None] = lambda done, count: None,
) -> Plan:  # fmt: skip
    """Read a config, add its `[sweep]` table to the given axes (which win), and check every case.

    Args:
        config: the TOML file.
        folder: results folder of the sweep.
        axes: swept keys.
        mode: "grid" or "zip"; default what the config says, else "grid".
        resume: a case that the folder holds already keeps its place there.
        checked: hears how many cases of how many have been checked.

    Raises:
        ChemomechError: a path leads nowhere, or a case cannot be built; the message names it.
    """
    tree = configs.read(config)
    said, said_mode = sweeping.table_axes(tree.pop("sweep", {}))
    given = {axis.path for axis in axes}
    axes = (*(axis for axis in said if axis.path not in given), *axes)
    points = sweeping.combinations(axes, mode or said_mode)
    for axis in axes:
        sweeping.placed(tree, axis.path, axis.values[0])
    title = str(tree.get("title", config.stem))
    own = {**configs.relocated(tree, config, folder), "title": title}
    if resume:
        _require_same(folder, own)
    labels, warnings, texts = _labels(axes, points), [], []
    for number, (point, label) in enumerate(zip(points, labels, strict=True), 1):
        checked(number - 1, len(points))
        simulation, found = _checked(_with_values(tree, axes, point, f"{title}: {label}"), config, number, label)
        warnings += [f"case {number} ({label}): {text}" for text in found]
        texts.append(configs.text_for(simulation, folder / "case"))
    checked(len(points), len(points))
    own["sweep"] = {"mode": mode or said_mode, **{axis.path: _relocated(axis, tree, config, folder) for axis in axes}}
    folders = _folders(folder, labels, texts, case_configs(folder) if resume else [])
    cases = [Case(*parts) for parts in zip(labels, points, folders, texts, strict=True)]
    return Plan(title, folder, axes, _dumped(own), tuple(cases), tuple(warnings))


def _relocated(axis: Axis, tree: Mapping[str, Any], source: Path, folder: Path) -> list[Any]:
    """The values of an axis; swept files are found from the folder too."""

    def moved(value: Any) -> Any:
        node: Any = configs.relocated(sweeping.placed(tree, axis.path, value), source, folder)
        for key in axis.path.split("."):
            node = node[int(key)] if isinstance(node, list) else node[key]
        return node

    return [moved(value) for value in axis.values]


def _dumped(tree: Mapping[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(tree)


def _with_values(tree: Mapping[str, Any], axes: Sequence[Axis], point: tuple[Any, ...], title: str) -> dict[str, Any]:
    case = dict(tree)
    for axis, value in zip(axes, point, strict=True):
        case = sweeping.placed(case, axis.path, value)
    return {**case, "title": title}


def _checked(tree: Mapping[str, Any], source: Path, number: int, label: str) -> tuple[configs.Simulation, list[str]]:
    """What `chemomech run` checks before it starts."""
    try:
        simulation = configs.build(tree, source)
        simulation.check_protocol()
        return simulation, inspection.warnings_of(simulation)
    except ChemomechError as error:
        raise type(error)(f"Case {number} ({label}) cannot run: {error}") from None


def _labels(axes: Sequence[Axis], points: Sequence[tuple[Any, ...]]) -> list[str]:
    """What tells the cases apart: axes of one value do not, unless there is only one case."""
    names = sweeping.short_names([axis.path for axis in axes])
    telling = [k for k, axis in enumerate(axes) if len(axis.values) > 1] or range(len(axes))
    return [", ".join(f"{names[k]} = {sweeping.shown(point[k])}" for k in telling) for point in points]


# --- folders ------------------------------------------------------------------------------------------------------


def _folders(folder: Path, labels: Sequence[str], texts: Sequence[str], found_configs: Sequence[Path]) -> list[Path]:
    """A folder for each case: the one that already has its config, or a new one with the next number."""
    known = {_identity(path.read_text(encoding="utf-8")): path.parent for path in found_configs}
    numbers = [int(path.name[5:9]) for path in known.values()]
    free, out = max(numbers, default=0), []
    for label, text in zip(labels, texts, strict=True):
        found = known.get(_identity(text))
        if found is None:
            free += 1
            name = re.sub(r"[^\w.+=-]+", "_", label.replace(" = ", "=").replace(", ", "_"), flags=re.ASCII)
            found = folder / f"case_{free:04d}_{name}"[:LONGEST].rstrip("_.")
        out.append(found)
    return out


def _identity(text: str) -> str:
    """A config without what may change on resuming, in one order of keys."""
    import json
    import tomllib

    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text
    return json.dumps({k: v for k, v in tree.items() if k not in ("title", "output")}, sort_keys=True, default=str)


def case_configs(folder: Path) -> list[Path]:
    """The config files of the cases in a sweep's folder."""
    return [path for path in sorted(folder.glob("case_*/config.toml")) if re.match(r"case_\d{4}", path.parent.name)]


def holds_sweep(folder: Path) -> bool:
    """Whether a folder is one of a sweep."""
    return (folder / MARK).exists()


def prepare(sweep: Plan, *, overwrite: bool = False) -> None:
    """Make the folders of a sweep and write every config that is not there.

    Args:
        sweep: what is to be run.
        overwrite: throw earlier cases away first, and cancel their Slurm jobs.

    Raises:
        FileError: the folder cannot be written, or earlier jobs cannot be cancelled; new folders are removed again.
    """
    if overwrite:
        _clear(sweep.folder)
    made: list[Path] = []
    try:
        for case in sweep.cases:
            if not case.folder.exists():
                made.append(case.folder)
                case.folder.mkdir(parents=True)
            if not (case.folder / "config.toml").exists():
                write_text(case.folder / "config.toml", case.config)
        write_text(sweep.folder / "config.toml", sweep.config)
    except (OSError, FileError) as error:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, FileError):
            raise
        raise FileError(f"Cannot make the folder {made[-1]}: {error.strerror or error}. Try --out.") from None


def _clear(folder: Path) -> None:
    submitted.cancel(folder)
    try:
        for path in case_configs(folder):
            shutil.rmtree(path.parent)
        for name in reversed(OWN_FILES):  # the mark last: what is left is still known as a sweep
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"Cannot clear {folder}: {error.strerror or error}. Try: another --out.") from None


def _require_same(folder: Path, tree: Mapping[str, Any]) -> None:
    """A sweep may be resumed with other values, not with another config around them."""
    old = configs.read(folder / "config.toml")
    changed = [key for key in configs.TOP if key not in ("title", "output") and old.get(key) != tree.get(key)]
    if changed:
        raise FileError(
            f"{folder} was started with another config: {', '.join(changed)} differ. "
            "Resume with that config, or start in a new folder with --out."
        )
