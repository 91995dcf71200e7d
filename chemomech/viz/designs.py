"""Pictures of an optimisation: the objective as it fell, the designs before and after, and how the body changed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from chemomech.errors import ChemomechError
from chemomech.viz.camera import View
from chemomech.viz.frames import Frame, load_frame, read_frames
from chemomech.viz.states import concentration_row, draw_panel, stress_row
from chemomech.viz.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, si
from chemomech.viz.surface import linear_cells, outside

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, GREY)
MOST = 12  # variables that get a line of their own


class Tried(NamedTuple):
    """Designs of one start, in order; those that could not be evaluated have NaN."""

    x: Float[np.ndarray, "n p"]
    values: Float[np.ndarray, " n"]
    shares: Float[np.ndarray, "n p"]  # of the way from the lower to the upper bound


class Body(NamedTuple):
    """Where the nodes of a design are."""

    points: Float[np.ndarray, "n dim"]
    cells: dict[str, np.ndarray]


def draw_convergence(starts: list[Tried], names: list[str], unit: str, maximise: bool):
    """Figure: the objective of every evaluation, the best so far as a line; the variables of the best start."""
    from matplotlib.figure import Figure

    best = np.nanargmin([_sign(maximise) * _finest(t.values, maximise) for t in starts])
    figure = Figure(figsize=(8.2, 3.4))
    left, right = figure.subplots(1, 2)
    factor, prefix = si(np.concatenate([t.values for t in starts])) if unit != "1" else (1.0, "")
    for k, tried in enumerate(starts):
        colour, count = COLOURS[k % len(COLOURS)], np.arange(1, len(tried.values) + 1)
        left.plot(count, tried.values * factor, "o", ms=2.5, color=colour, alpha=0.5)
        label = f"start {k + 1}" + (" (best)" if k == best and len(starts) > 1 else "")
        left.plot(count, _so_far(tried.values, maximise) * factor, color=colour, label=label)
    left.set(xlabel="evaluation", ylabel=f"objective [{prefix + unit if unit != '1' else '–'}]")
    left.legend()
    shares = starts[best].shares
    for k in range(min(shares.shape[1], MOST)):
        right.plot(np.arange(1, len(shares) + 1), shares[:, k], color=COLOURS[k % len(COLOURS)], label=_short(names[k]))
    right.set(xlabel="evaluation", ylabel="variable, 0 and 1 are its bounds", ylim=(-0.03, 1.03))
    if shares.shape[1] <= MOST:
        right.legend(fontsize=7)
    return figure


def draw_before_and_after(folders: dict[str, Path], titles: dict[str, str]):
    """Figure: concentration and stress of both designs when the stress is largest."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    frames = [_hardest(folder) for folder in folders.values()]
    rows = [row for row in (concentration_row(frames), stress_row(frames)) if row]
    if not rows:
        raise ChemomechError("The field files hold neither 'c' nor 'von Mises [Pa]': nothing to draw.")
    factor, prefix = si(np.ptp(frames[0].points, axis=0).max())
    cells, points = [linear_cells(f.cells) for f in frames], [f.points * factor for f in frames]
    view = View.of(np.concatenate(points), flat="triangle" in cells[0])
    left, right, bottom, top = view.extent
    ratio = min(max((top - bottom) / (right - left), 0.3), 2.0)
    width = min(3.0, 3.6 / ratio)
    figure = Figure(figsize=(width * len(rows) + 1.6, len(frames) * (width * ratio + 0.3) + 0.7))
    axes = figure.subplots(len(frames), len(rows), squeeze=False)
    for column, row in enumerate(rows):
        for k, title in enumerate(titles.values()):
            draw_panel(axes[k][column], points[k], cells[k], row.values[k], view, row)
            if column == 0:
                axes[k][0].set_title(title, loc="left")
        bar = figure.colorbar(
            ScalarMappable(Normalize(*row.limits), row.cmap), ax=list(axes[:, column]), extend=row.extend,
            location="bottom", shrink=0.9, aspect=25, pad=0.02,
        )  # fmt: skip
        bar.set_label(row.label)
        bar.outline.set_visible(False)
    axes[-1][0].text(0, -0.02, f"width {right - left:.3g} {prefix}m", transform=axes[-1][0].transAxes, va="top", size=8)
    return figure


def animate(bodies: list[Body], values: list[float], unit: str, path: Path) -> Path:
    """Write a GIF: the body of each better design, and its objective."""
    from matplotlib import rc_context
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    from chemomech.viz.style import RC

    factor, prefix = si(np.ptp(bodies[0].points, axis=0).max())
    number, large = si(values) if unit != "1" else (1.0, "")
    solid = [_in_space(body.points * factor) for body in bodies]
    triangles = outside(linear_cells(bodies[0].cells))
    view = View.of(np.concatenate(solid), flat=bodies[0].points.shape[1] == 2)
    with rc_context({**RC, "figure.constrained_layout.use": False}):
        figure = Figure(figsize=(7.2, 3.4))
        ax, curve = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.02, right=0.97, bottom=0.16, wspace=0.25)
        ax.set_axis_off()
        ax.set(xlim=view.extent[:2], ylim=view.extent[2:], aspect="equal")
        look = {"facecolors": "#dce9f3", "edgecolors": BLUE, "linewidths": 0.3}
        body = ax.add_collection(PolyCollection([], **look))
        curve.set(xlabel="better design", ylabel=f"objective [{large + unit if unit != '1' else '–'}]")
        scaled = np.array(values) * number
        curve.plot(scaled, color="#d0d0d0")
        (point,) = curve.plot([], [], "o", color=ORANGE)

        def show(k: int):
            seen = solid[k] @ view.basis.T
            order = np.argsort(seen[triangles, 2].mean(axis=1))
            body.set_verts(seen[triangles[order]][:, :, :2])
            point.set_data([k], [scaled[k]])
            return body, point

        held = [*range(len(bodies)), *[len(bodies) - 1] * 4]
        FuncAnimation(figure, show, frames=held, blit=False).save(path, writer=PillowWriter(fps=4), dpi=110)
    return path


def _sign(maximise: bool) -> float:
    return -1.0 if maximise else 1.0


def _finest(values: Float[np.ndarray, " n"], maximise: bool) -> float:
    return float(np.nanmax(values) if maximise else np.nanmin(values))


def _so_far(values: Float[np.ndarray, " n"], maximise: bool) -> Float[np.ndarray, " n"]:
    return np.fmax.accumulate(values) if maximise else np.fmin.accumulate(values)


def _short(name: str) -> str:
    """The last two parts of a path."""
    return ".".join(name.split(".")[-2:])


def _hardest(folder: Path) -> Frame:
    """The frame of largest stress; the last one where there is none."""
    frames = [load_frame(path) for _, path in read_frames(folder)]
    if not frames:
        raise ChemomechError(f"{folder} has no fields.")
    stress = [
        np.nanmax(f.fields["von Mises [Pa]"]) if "von Mises [Pa]" in f.fields else k for k, f in enumerate(frames)
    ]
    return frames[int(np.argmax(stress))]


def _in_space(points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n 3"]:
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
