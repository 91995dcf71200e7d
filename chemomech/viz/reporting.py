"""Everything to look at after a run: the pictures and the page that gathers them."""

import json
import warnings
from pathlib import Path

from chemomech.errors import ChemomechError, FileError
from chemomech.viz import rendering
from chemomech.viz.curves import draw_energies, draw_stress, draw_voltage
from chemomech.viz.history import History, at_time, read_history
from chemomech.viz.page import Page
from chemomech.viz.states import choose_states, draw_states
from chemomech.viz.style import save

CURVES = {
    "voltage.png": (draw_voltage, "Voltage against state of charge; the gap is the hysteresis between the branches."),
    "energies.png": (draw_energies, "Energies over time, with the range and the mean of the concentration."),
    "stress.png": (draw_stress, "Largest principal and von Mises stresses in the host along the run."),
}
STATES = "Concentration and von Mises stress at moments evenly spaced in the charge passed."
TABLE = (
    "time [s]",
    "soc [-]",
    "voltage [V]",
    "c min [-]",
    "c max [-]",
    "max principal stress [Pa]",
    "max von Mises [Pa]",
)


def report(folder) -> list[Path]:
    """Write the pictures and `report.html` into a results folder; return the files written.

    A picture that cannot be drawn becomes a note on the page: the others and the page are still written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(f"No results folder at {folder}. Give the folder that a run wrote.")
    page = _words(folder)
    history = _attempt(page, "history.csv", lambda: read_history(folder)) or {}
    _draw_states(page, folder, history)
    for name, (draw, caption) in CURVES.items():
        if history:
            _picture(page, folder / name, lambda draw=draw: draw(history), caption)
    target = folder / "report.html"
    write_page(page, target)
    return [path for path, _ in page.pictures] + [target]


def write_page(page: Page, target: Path) -> None:
    """The whole page or nothing of it.

    Raises:
        FileError: it cannot be written.
    """
    partial = target.with_name(f".{target.name}.part")
    try:
        partial.write_text(page.html(), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FileError(
            f"Cannot write {target}: {error.strerror or error}. Free space; the run's other results are complete."
        ) from None


def _words(folder: Path) -> Page:
    """The page with what `summary.json` and `config.toml` say."""
    page = Page(title=folder.resolve().name)
    summary = _attempt(page, "summary.json", lambda: _summary(folder)) or {}
    page.title = str(summary.pop("title", page.title))
    page.status = str(summary.pop("status", "no summary"))
    listed = summary.pop("warnings", [])
    page.warnings += [str(item) for item in (listed if isinstance(listed, list) else [listed])]
    page.numbers = summary
    config = folder / "config.toml"
    page.config = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    return page


def _summary(folder: Path) -> dict:
    path = folder / "summary.json"
    if not path.is_file():
        raise FileError("No summary.json: the run did not end, or this is not its results folder.")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _draw_states(page: Page, folder: Path, history: History):
    states = _attempt(page, "states.png", lambda: choose_states(folder, history))
    if not states:
        return
    works, reason = rendering.can_render()
    if not works:
        page.notes.append(f"Fields drawn by matplotlib. {reason}")
    page.states = [_state(time, history) for time, _ in states]
    _picture(page, folder / "states.png", lambda: draw_states(states, history), STATES)


def _state(time: float, history: History) -> dict:
    now = {**at_time(history, time), "time [s]": time}
    return {name: now[name] for name in TABLE if name in now}


def _picture(page: Page, path: Path, draw, caption: str):
    if _attempt(page, path.name, lambda: save(draw, path)):
        page.pictures.append((path, caption))


def _attempt(page: Page, name: str, make):
    """make(), or None with a note on the page; a warning as well when the failure is not the data's."""
    try:
        return make()
    except ChemomechError as error:
        page.notes.append(f"{name}: {error}")
    except Exception as error:
        page.notes.append(f"{name} failed: {type(error).__name__}: {error}")
        warnings.warn(f"{name} could not be made: {error}", stacklevel=3)
    return None
