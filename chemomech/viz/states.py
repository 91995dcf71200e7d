"""The picture of the states: concentration and stress at five moments spread over the run."""

from dataclasses import dataclass

import numpy as np

from chemomech.errors import ChemomechError
from chemomech.viz import rendering
from chemomech.viz.camera import View
from chemomech.viz.frames import load_frame, read_frames
from chemomech.viz.history import History, at_time
from chemomech.viz.style import si, time_unit
from chemomech.viz.surface import linear_cells, outside


@dataclass(frozen=True)
class Row:
    """One field over the states: values in the shown unit, label, colour map, limits, bar ends beyond the limits."""

    values: list[np.ndarray]
    label: str
    cmap: str
    limits: tuple[float, float]
    extend: str = "neither"


def choose_states(folder, history: History, count: int = 5) -> list[tuple[float, object]]:
    """Up to `count` (time [s], VTU path), evenly spaced in the charge passed, or in time where no soc is kept."""
    frames = read_frames(folder)
    if not frames:
        raise ChemomechError(f"fields.pvd in {folder} lists no file that exists. Ask for field output in the run.")
    times = np.array([time for time, _ in frames])
    progress = times
    if {"soc [-]", "time [s]"} <= history.keys():
        soc = np.array([at_time(history, time)["soc [-]"] for time in times])
        # Charge passed rather than soc itself: a cycle visits each soc twice.
        passed = np.cumsum(np.abs(np.diff(soc, prepend=soc[0])))
        progress = passed if passed[-1] > 0 else times
    targets = np.linspace(progress[0], progress[-1], count)
    nearest = sorted({int(np.argmin(np.abs(progress - target))) for target in targets})
    return [frames[k] for k in nearest]


def draw_states(states, history: History):
    """Figure: one column a state, a row each for concentration and von Mises stress (turned for wide meshes)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    frames = [load_frame(path) for _, path in states]
    rows = [row for row in (concentration_row(frames), stress_row(frames)) if row]
    if not rows:
        raise ChemomechError("The field files hold neither 'c' nor 'von Mises [Pa]': nothing to draw.")
    factor, prefix = si(np.ptp(frames[0].points, axis=0).max())
    cells = [linear_cells(frame.cells) for frame in frames]
    points = [frame.points * factor for frame in frames]
    view = View.of(np.concatenate(points), flat="triangle" in cells[0])
    figure, axes, wide = _grid(view, len(rows), len(states))
    for row, line in zip(rows, axes):
        for k, ax in enumerate(line):
            draw_panel(ax, points[k], cells[k], row.values[k], view, row)
        mappable = ScalarMappable(Normalize(*row.limits), row.cmap)
        place = {"location": "bottom", "aspect": 30} if wide else {"location": "right", "aspect": 14}
        bar = figure.colorbar(mappable, ax=list(line), extend=row.extend, shrink=0.9, pad=0.015, **place)
        bar.set_label(row.label)
        bar.outline.set_visible(False)
    _captions(axes[0], [time for time, _ in states], history, wide)
    _scale_bar(axes[-1][-1] if wide else axes[-1][0], view, prefix + "m")
    return figure


def concentration_row(frames) -> Row | None:
    if any("c" not in frame.fields for frame in frames):
        return None
    values = [frame.fields["c"].ravel() for frame in frames]
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    limits = (0.0, 1.0) if low > -0.02 and high < 1.02 else (low, high)
    return Row(values, "concentration $c$ [–]", "viridis", limits)


def stress_row(frames) -> Row | None:
    if any("von Mises [Pa]" not in frame.fields for frame in frames):
        return None
    values = [frame.fields["von Mises [Pa]"].ravel() for frame in frames]
    everything = np.concatenate(values)
    top, high = np.nanmax(everything), np.nanpercentile(everything, 99.5)
    # A corner singularity must not darken the rest of the picture.
    limit, extend = (high, "max") if 0 < high < 0.6 * top else (top, "neither")
    factor, prefix = si(limit)
    scaled = [v * factor for v in values]
    return Row(scaled, f"von Mises stress [{prefix}Pa]", "magma", (0.0, limit * factor or 1.0), extend)


def _grid(view: View, rows: int, columns: int):
    """(figure, axes by [row][state], whether the states run downwards)."""
    from matplotlib.figure import Figure

    left, right, bottom, top = view.extent
    ratio = (top - bottom) / (right - left)
    wide = ratio < 0.4
    if wide:
        height = max(0.35, 4.4 * ratio) + 0.12
        figure = Figure(figsize=(2 + 4.4 * rows, columns * height + 1.0))
        return figure, figure.subplots(columns, rows, squeeze=False).T, wide
    width = min(1.75, 3.2 / ratio)
    figure = Figure(figsize=(width * columns + 1.1, rows * (width * ratio + 0.12) + 0.85))
    return figure, figure.subplots(rows, columns, squeeze=False), wide


def draw_panel(ax, points, cells, values, view: View, row: Row):
    """One field of one state."""
    ax.set_axis_off()
    if rendering.can_render()[0]:
        image = rendering.picture(points, cells, values, view, row.cmap, row.limits)
        ax.imshow(image, extent=view.extent, interpolation_stage="rgba")
    elif view.flat:
        look = {"cmap": row.cmap, "vmin": row.limits[0], "vmax": row.limits[1]}
        ax.tripcolor(*points[:, :2].T, cells["triangle"], values, shading="gouraud", **look)
    else:
        ax.add_collection(_painted(points, cells, values, view, row))
    ax.set(xlim=view.extent[:2], ylim=view.extent[2:], aspect="equal")


def _painted(points, cells, values, view: View, row: Row):
    """The skin without the cells of the near octant, drawn from far to near and shaded by its slope."""
    from matplotlib import colormaps
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Normalize

    low, high = view.octant(points)
    kept = {}
    for kind, nodes in cells.items():
        centre = points[nodes].mean(axis=1)
        kept[kind] = nodes[~np.all((centre > low) & (centre < high), axis=1)]
    triangles = outside(kept if any(map(len, kept.values())) else cells)
    corners = points[triangles] @ view.basis.T
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    slope = np.abs(normal[:, 2]) / np.maximum(np.linalg.norm(normal, axis=1), 1e-300)
    pieces, colours, light = corners, values[triangles], 0.7 + 0.3 * slope
    while len(pieces) < 10_000:  # one colour a triangle: coarse meshes need more of them
        pieces, colours, light = _quartered(pieces), _quartered(colours), np.repeat(light, 4)
    order = np.argsort(pieces[:, :, 2].mean(axis=1))
    paint = colormaps[row.cmap](Normalize(*row.limits)(colours.mean(axis=1)))
    paint[:, :3] *= light[:, None]
    return PolyCollection(pieces[order][:, :, :2], facecolors=paint[order], edgecolors=paint[order], linewidths=0.3)


def _quartered(corners):
    """Each triangle's corner values (m, 3, ...) as those of the four triangles between its middles."""
    a, b, c = (corners[:, k] for k in range(3))
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    four = [np.stack(part, axis=1) for part in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.stack(four, axis=1).reshape(-1, *corners.shape[1:])


def _captions(line, times, history: History, wide: bool):
    factor, unit = time_unit(times)
    for ax, time in zip(line, times):
        now = at_time(history, time)
        parts = [f"$x$ = {now['soc [-]']:.2f}"] if np.isfinite(now.get("soc [-]", np.nan)) else []
        parts.append(f"$t$ = {time * factor:.3g} {unit}")
        if np.isfinite(now.get("voltage [V]", np.nan)):
            parts.append(f"$V$ = {now['voltage [V]']:.3f} V")
        if wide:
            ax.text(-0.03, 0.5, "\n".join(parts), transform=ax.transAxes, ha="right", va="center")
        else:
            ax.set_title("\n".join(parts), linespacing=1.3)


def _scale_bar(ax, view: View, unit: str):
    from matplotlib.transforms import ScaledTranslation

    left, right, bottom, top = view.extent
    room = (right - left) / 3
    step = 10.0 ** np.floor(np.log10(room))
    length = max(m * step for m in (1, 2, 5) if m * step <= room)
    at = (0.005, 0.005 + length / (right - left))
    below = ax.transAxes + ScaledTranslation(0, -8 / 72, ax.figure.dpi_scale_trans)
    ax.plot(at, (0, 0), transform=below, color="black", lw=2, solid_capstyle="butt", clip_on=False)
    ax.text(at[1] + 0.03, 0, f"{length:g} {unit}", transform=below, va="center", fontsize=8)
