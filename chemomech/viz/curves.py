"""The curves of a run: voltage, energies and peak stresses from its history."""

import numpy as np

from chemomech.errors import ChemomechError
from chemomech.viz.history import History, branches
from chemomech.viz.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, si, time_unit

NAMES = {"discharge": "discharge (insertion)", "charge": "charge (extraction)", "rest": "rest", "run": "run"}
COLOURS = {"discharge": BLUE, "charge": ORANGE, "rest": GREY, "run": BLUE}
STYLES = {"discharge": "-", "charge": "--", "rest": ":", "run": "-"}


def draw_voltage(history: History):
    """Figure: voltage against soc, one colour a direction of current, with the largest gap between the branches."""
    if "voltage [V]" not in history:
        raise ChemomechError("No voltage: history.csv has no 'voltage [V]' column (a run without current has none).")
    figure, ax = _single()
    x, label = _abscissa(history)
    voltage = history["voltage [V]"]
    named = set()
    for kind, rows in branches(history):
        look = {"ls": ":" if kind == "rest" else "-", "marker": "o" if len(rows) < 2 or kind == "rest" else None}
        label_once = None if kind in named else NAMES[kind]
        ax.plot(x[rows], voltage[rows], ms=3, color=COLOURS[kind], label=label_once, **look)
        named.add(kind)
    if "soc [-]" in history:
        _gap(ax, x, voltage, branches(history))
    ax.set(xlabel=label, ylabel="voltage [V]")
    ax.margins(y=0.12)
    if named != {"run"}:
        ax.legend(loc="best")
    return figure


def _gap(ax, x, voltage, parts):
    """A double arrow where the first discharge and the first charge are furthest apart."""
    long = {kind: rows for kind, rows in reversed(parts) if len(rows) > 2}
    if not {"discharge", "charge"} <= long.keys():
        return
    ends = [np.sort(x[long[kind]])[[0, -1]] for kind in ("discharge", "charge")]
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    if high - low < 0.05 * np.ptp(x):
        return
    shared = np.linspace(low, high, 401)
    level = {kind: _level(x[long[kind]], voltage[long[kind]], shared) for kind in ("discharge", "charge")}
    widest = int(np.argmax(np.abs(level["charge"] - level["discharge"])))
    at, place = {kind: float(values[widest]) for kind, values in level.items()}, float(shared[widest])
    arrow = {"arrowstyle": "<->", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (place, at["charge"]), (place, at["discharge"]), arrowprops=arrow)
    gap = at["charge"] - at["discharge"]
    factor, prefix = si(gap)
    text = f"gap {gap * factor:.3g} {prefix}V\nat $x$ = {place:.2f}"
    ax.annotate(text, (place, sum(at.values()) / 2), (6, 0), textcoords="offset points", va="center", fontsize=8)


def _level(x, y, at: np.ndarray) -> np.ndarray:
    order = np.argsort(x)
    return np.interp(at, x[order], y[order])


def draw_energies(history: History):
    """Figure: the energies against time, small ones in a panel of their own, over the range of concentration."""
    names = [name for name in history if name.endswith("energy [J]")]
    if not names or "time [s]" not in history:
        raise ChemomechError("No energies: history.csv needs 'time [s]' and columns such as 'free energy [J]'.")
    groups = _by_size({name: history[name] for name in names})
    bounded = "soc [-]" in history or {"c min [-]", "c max [-]"} <= history.keys()
    figure, axes = _stack([1.5] * len(groups) + [1.0] * bounded)
    factor, unit = time_unit(history["time [s]"])
    time = history["time [s]"] * factor
    colours = dict(zip(names, [BLUE, ORANGE, PURPLE, GREEN, SKY, GREY] * len(names)))
    for ax, group in zip(axes, groups):
        scale, prefix = si(*(history[name] for name in group))
        for name in group:
            # The sum often lies on its largest part: as dashes on top, both can be seen.
            dashed = name == "free energy [J]"
            look = {"color": "black", "ls": "--", "zorder": 3} if dashed else {"color": colours[name]}
            ax.plot(time, history[name] * scale, label=name.removesuffix(" energy [J]"), **look)
        ax.set_ylabel(f"energy [{prefix}J]")
        _legend_right(ax)
    if bounded:
        _range(axes[-1], time, history)
    axes[-1].set_xlabel(f"time [{unit}]")
    axes[-1].margins(x=0.01)
    figure.align_ylabels(axes)
    return figure


def _by_size(columns: History) -> list[list[str]]:
    """Names split where a linear axis would flatten the small ones onto zero."""
    size = {name: np.nanmax(np.abs(values)) for name, values in columns.items()}
    large = [name for name in columns if size[name] >= 0.05 * max(size.values())]
    return [group for group in (large, [name for name in columns if name not in large]) if group]


def _range(ax, time, history: History):
    if {"c min [-]", "c max [-]"} <= history.keys():
        low, high = history["c min [-]"], history["c max [-]"]
        ax.fill_between(time, low, high, color=SKY, alpha=0.35, lw=0, label="min to max")
    if "soc [-]" in history:
        ax.plot(time, history["soc [-]"], color="black", lw=1.2, label="mean ($x$)")
    ax.set_ylabel("$c$ [–]")
    _legend_right(ax)


def draw_stress(history: History):
    """Figure: the largest principal and von Mises stresses against soc, dashed while charging."""
    columns = [("max principal stress [Pa]", "max principal", GREEN), ("max von Mises [Pa]", "max von Mises", PURPLE)]
    columns = [column for column in columns if np.any(history.get(column[0], 0.0))]
    if not columns:
        raise ChemomechError("No stresses: history.csv has none, or only zeros (a run without mechanics).")
    figure, ax = _single()
    x, label = _abscissa(history)
    factor, prefix = si(*(history[name] for name, _, _ in columns))
    parts = list(_joined(branches(history)))
    several = {"discharge", "charge"} <= {kind for kind, _ in parts}
    named = set()
    for name, title, colour in columns:
        for kind, rows in parts:
            text = f"{title}, {kind}" if several else title
            style = STYLES[kind] if several else "-"
            once = None if text in named or (several and kind == "rest") else text
            ax.plot(x[rows], history[name][rows] * factor, style, color=colour, label=once)
            named.add(text)
    ax.set(xlabel=label, ylabel=f"peak stress [{prefix}Pa]")
    ax.legend(loc="best")
    return figure


def _joined(parts):
    """Each branch from the last row of the one before: stress, unlike voltage, does not jump with the current."""
    last = np.array([], dtype=int)
    for kind, rows in parts:
        whole = np.concatenate([last, rows])
        last = rows[-1:]
        if len(whole) > 1 or len(parts) == 1:
            yield kind, whole


def _abscissa(history: History):
    """(values, axis label): soc, else charge, else time, else the row number."""
    if "soc [-]" in history:
        return history["soc [-]"], "state of charge $x$ [–]"
    if "charge [C]" in history and np.ptp(history["charge [C]"]) > 0:
        factor, prefix = si(history["charge [C]"])
        return history["charge [C]"] * factor, f"charge [{prefix}C]"
    if "time [s]" in history:
        factor, unit = time_unit(history["time [s]"])
        return history["time [s]"] * factor, f"time [{unit}]"
    return np.arange(len(next(iter(history.values())))), "step [–]"


def _single():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.5))
    return figure, figure.subplots()


def _stack(heights):
    """Panels one above the other on one time axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 1.2 + 1.35 * sum(heights) / 1.25))
    return figure, list(figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)[:, 0])


def _legend_right(ax):
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
