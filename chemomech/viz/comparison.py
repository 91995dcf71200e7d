"""The cases of a sweep in one picture: their curves on top of each other, and results against the swept value."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from chemomech.viz.history import History
from chemomech.viz.style import si, time_unit

RESULTS = ("peak von Mises [Pa]", "capacity [C]", "final voltage [V]", "final free energy [J]", "final soc [-]")
PANELS = 2  # results that are drawn
LEGEND = 10  # with more cases, colours are read off a bar
WIDE = 30.0  # swept values that span more are drawn on a logarithmic axis
STYLES, MARKERS = ("-", "--", ":", "-."), "os^Dv"


class Drawn(NamedTuple):
    """One case as the picture needs it: swept values by heading, its results, its history."""

    swept: dict[str, Any]
    results: dict[str, Any]
    history: History


class _Look(NamedTuple):
    """Colour by the leading swept value, dashes and marker by the others."""

    colour: Any
    style: str
    marker: str
    label: str
    group: tuple[Any, ...]


def draw_sweep(cases: list[Drawn]):
    """Figure: voltage against state of charge (closed systems: free energy against time), and two results."""
    from matplotlib.figure import Figure

    axis = _leading(cases)
    looks, names = _looks(cases, axis), _telling(cases)
    figure = Figure(figsize=(4.4 + 3.3 * len(names), 3.6))
    panels = figure.subplots(1, 1 + len(names), squeeze=False, width_ratios=[1.25] + [1.0] * len(names))[0]
    _curves(panels[0], cases, looks)
    for ax, name in zip(panels[1:], names, strict=True):
        _result(ax, cases, looks, axis, name)
    if len(cases) <= LEGEND:
        panels[0].legend(loc="best", fontsize=7)
    elif _numeric(cases, axis):
        _bar(figure, panels[0], cases, axis)
    return figure


def _leading(cases: list[Drawn]) -> str:
    """The swept quantity with most values, numbers before words."""
    names = list(cases[0].swept)
    return max(names, key=lambda n: (_numeric(cases, n), len({str(case.swept[n]) for case in cases})))


def _numeric(cases: list[Drawn], name: str) -> bool:
    return all(isinstance(case.swept[name], int | float) for case in cases)


def _levels(cases: list[Drawn], name: str) -> list[Any]:
    values = {case.swept[name] for case in cases}
    return sorted(values) if _numeric(cases, name) else list(dict.fromkeys(case.swept[name] for case in cases))


def _looks(cases: list[Drawn], axis: str) -> list[_Look]:
    levels = _levels(cases, axis)
    others = [tuple(v for name, v in case.swept.items() if name != axis) for case in cases]
    if len(set(others)) == len(cases):  # values in step: nothing but the leading one is needed
        others = [()] * len(cases)
    groups = list(dict.fromkeys(others))
    varying = [n for n in cases[0].swept if len({str(case.swept[n]) for case in cases}) > 1] or [axis]
    out = []
    for case, group in zip(cases, others, strict=True):
        k = groups.index(group)
        label = ", ".join(f"{_quantity(n)[0]} = {_written(case.swept[n])}" for n in varying)
        colour = _colour(levels.index(case.swept[axis]) / max(len(levels) - 1, 1))
        out.append(_Look(colour, STYLES[k % len(STYLES)], MARKERS[k % len(MARKERS)], label, group))
    return out


def _colour(place: float) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](0.92 * place)


def _curves(ax: Any, cases: list[Drawn], looks: list[_Look]) -> None:
    closed = not any("voltage [V]" in case.history and "soc [-]" in case.history for case in cases)
    x, y = ("time [s]", "free energy [J]") if closed else ("soc [-]", "voltage [V]")
    drawn = [(case.history, look) for case, look in zip(cases, looks, strict=True) if {x, y} <= case.history.keys()]
    scale, unit = time_unit(*(h[x] for h, _ in drawn)) if closed else (1.0, "")
    factor, prefix = si(*(h[y] for h, _ in drawn)) if closed else (1.0, "")
    for history, look in drawn:
        ax.plot(history[x] * scale, history[y] * factor, look.style, color=look.colour, label=look.label, lw=1.2)
    if closed:
        ax.set(xlabel=f"time [{unit}]", ylabel=f"free energy [{prefix}J]")
    else:
        ax.set(xlabel="state of charge $x$ [–]", ylabel="voltage [V]")


def _telling(cases: list[Drawn]) -> list[str]:
    """The results to draw: those that differ from case to case come first."""
    known = [name for name in RESULTS if len(_finite(cases, name)) > 0]
    return sorted(known, key=lambda name: -int(_differs(_finite(cases, name))))[:PANELS]


def _finite(cases: list[Drawn], name: str) -> list[float]:
    return [case.results[name] for case in cases if isinstance(case.results.get(name), int | float)]


def _differs(values: list[float]) -> bool:
    return bool(np.ptp(values) > 1e-6 * np.max(np.abs(values)))


def _result(ax: Any, cases: list[Drawn], looks: list[_Look], axis: str, name: str) -> None:
    """Points of all cases, joined where only the leading value changes."""
    numeric, levels = _numeric(cases, axis), _levels(cases, axis)
    quantity, unit = _quantity(name)
    factor, prefix = si(_finite(cases, name)) if unit not in ("-", "") else (1.0, "")
    for group in dict.fromkeys(look.group for look in looks):
        points = []
        for case, look in zip(cases, looks, strict=True):
            if look.group == group and isinstance(case.results.get(name), int | float):
                x = case.swept[axis] if numeric else levels.index(case.swept[axis])
                points.append((x, case.results[name] * factor, look))
        points.sort(key=lambda p: p[0])
        ax.plot([p[0] for p in points], [p[1] for p in points], color="#b0b0b0", lw=0.9, zorder=1)
        for x, y, look in points:
            ax.plot([x], [y], look.marker, color=look.colour, ms=5)
    label, x_unit = _quantity(axis)
    ax.set(xlabel=_labelled(label, x_unit), ylabel=_labelled(quantity, prefix + unit))
    ax.margins(0.08, 0.12)
    if numeric and min(levels) > 0 and max(levels) > WIDE * min(levels):
        ax.set_xscale("log")
    elif not numeric:
        ax.set_xticks(range(len(levels)), [str(level) for level in levels])


def _bar(figure: Any, ax: Any, cases: list[Drawn], axis: str) -> None:
    """The order of the leading values, by colour."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    levels = _levels(cases, axis)
    colours = ListedColormap([_colour(k / max(len(levels) - 1, 1)) for k in range(len(levels))])
    bar = figure.colorbar(ScalarMappable(cmap=colours), ax=ax)
    shown = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), 6)).astype(int))
    bar.set_ticks([(k + 0.5) / len(levels) for k in shown], labels=[_written(levels[k]) for k in shown])
    bar.set_label(_labelled(*_quantity(axis)))


def _quantity(heading: str) -> tuple[str, str]:
    """Name and unit of a heading such as "final voltage [V]"."""
    found = re.fullmatch(r"(.*?)\s*\[([^\]]*)\]", heading)
    return (found[1], found[2]) if found else (heading, "")


def _labelled(name: str, unit: str) -> str:
    return f"{name} [{unit.replace('-', '–') if unit == '-' else unit}]" if unit else name


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
