"""The picture of a material's sheet: energy, voltage, gap, softest direction, strained film, critical current."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chemomech.errors import ChemomechError
from chemomech.viz.style import BLUE, GREEN, GREY, ORANGE, si


def draw_sheet(title: str, curves: Any):
    """Figure: one panel for everything that the curves hold.

    Args:
        title: name of the material.
        curves: what `thermo.sheet.Curves` holds; None where a material lacks it.

    Raises:
        ChemomechError: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    panels: list[tuple[Callable, str | None]] = [
        (draw, projection) for draw, needed, projection in PANELS if getattr(curves, needed) is not None
    ]
    if not panels:
        raise ChemomechError(f"{title} has neither a free energy nor an elastic part: nothing to draw.")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.7 * columns, 3.1 * rows + 0.3))
    figure.suptitle(title)
    for k, (draw, projection) in enumerate(panels):
        draw(figure.add_subplot(rows, columns, k + 1, projection=projection), curves)
    return figure


def draw_energy(ax, curves):
    """f less its common tangent, the stable envelope, and f with coherency strain."""
    factor, prefix = si(curves.energy)
    ax.plot(curves.c, curves.energy * factor, color=BLUE, label="uniform")
    ax.plot(curves.c, curves.envelope * factor, color=ORANGE, ls="--", label="stable")
    if curves.coherent is not None:
        ax.plot(curves.c, curves.coherent * factor, color=GREEN, lw=1, label="coherent")
    high = max(float(np.max(curves.energy[(curves.c > 0.1) & (curves.c < 0.9)])) * factor, 1e-9)
    ax.set(xlabel="composition [–]", ylabel=f"energy over the tangent [{prefix}J/m³]", ylim=(-0.3 * high, 1.3 * high))
    ax.legend()


def draw_voltage(ax, curves):
    """The open-circuit voltage of uniform and of stable states."""
    ax.plot(curves.c, curves.voltage, color=BLUE, label="uniform")
    ax.plot(curves.c, curves.stable_voltage, color=ORANGE, ls="--", label="stable")
    inner = curves.voltage[(curves.c > 0.03) & (curves.c < 0.97)]
    margin = 0.1 * np.ptp(inner) + 1e-3
    ax.set(xlabel="composition [–]", ylabel="voltage [V]", ylim=(inner.min() - margin, inner.max() + margin))
    ax.legend()


def draw_gap(ax, curves):
    """The gaps against temperature, stress-free and coherent."""
    both = [(curves.gap, BLUE, "stress-free")]
    both += [(curves.coherent_gap, GREEN, "coherent")] if curves.coherent_gap is not None else []
    for (low, high), colour, label in both:
        open_ = high > low
        ax.plot(low[open_], curves.temperatures[open_], color=colour, label=label)
        ax.plot(high[open_], curves.temperatures[open_], color=colour)
    ax.set(xlabel="composition [–]", ylabel="temperature [K]", xlim=(0, 1))
    ax.legend()


def draw_modulus(ax, curves):
    """B over the half sphere of interface normals, c in the middle, a to the right; a cross at the softest."""
    factor, prefix = si(curves.modulus)
    polar = np.degrees(np.linspace(0.0, np.pi / 2, curves.modulus.shape[0]))
    azimuth = np.linspace(0.0, 2 * np.pi, curves.modulus.shape[1])
    image = ax.pcolormesh(azimuth, polar, curves.modulus * factor, cmap="viridis", shading="gouraud", rasterized=True)
    n = curves.softest * (1.0 if curves.softest[2] >= 0 else -1.0)
    ax.plot(np.arctan2(n[1], n[0]), np.degrees(np.arccos(min(n[2], 1.0))), "x", color="white", ms=7, mew=2)
    ax.set_xticks([0.0, np.pi / 2], ["a", "b"])
    ax.set_yticks([30, 60, 90], ["30°", "60°", ""])
    ax.grid(False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.08)
    bar.set_label(f"B of an interface normal [{prefix}J/m³]")
    bar.outline.set_visible(False)


def draw_film(ax, curves):
    """G of a film over composition and in-plane strain, each strain less its chord from empty to full."""
    chord = curves.film[:, :1] + (curves.film[:, -1:] - curves.film[:, :1]) * (curves.c - curves.c[0]) / np.ptp(
        curves.c
    )
    factor, prefix = si(curves.film - chord)
    image = ax.pcolormesh(
        curves.c,
        100 * curves.strains,
        (curves.film - chord) * factor,
        cmap="viridis",
        shading="gouraud",
        rasterized=True,
    )
    low, high = np.quantile((curves.film - chord) * factor, [0.02, 0.98])
    levels = np.linspace(low, high, 12)
    if np.all(np.diff(levels) > 0):
        ax.contour(
            curves.c, 100 * curves.strains, (curves.film - chord) * factor, levels, colors="white", linewidths=0.5
        )
    ax.set(xlabel="composition [–]", ylabel="in-plane strain [%]")
    ax.grid(False)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(f"energy over the chord [{prefix}J/m³]")
    bar.outline.set_visible(False)


def draw_barriers(ax, curves):
    """Both barriers of a film against its strain, the reservoir at the plateau of the unstrained film."""
    forward, backward = curves.barriers
    factor, prefix = si(forward, backward)
    ax.plot(100 * curves.strains, forward * factor, color=BLUE, label="insertion")
    ax.plot(100 * curves.strains, backward * factor, color=ORANGE, label="extraction")
    ax.set(xlabel="in-plane strain [%]", ylabel=f"barrier [{prefix}J/m³]")
    ax.legend()


def draw_current(ax, curves):
    """The critical current density at every composition."""
    finite = np.where(np.isfinite(curves.current), curves.current, np.nan)
    factor, prefix = si(finite) if np.any(finite > 0) else (1.0, "")
    ax.plot(curves.c, finite * factor, color=BLUE)
    lost = ~np.isfinite(curves.current)
    if lost.any():
        ax.fill_between(curves.c, 0, 1, where=lost, color=GREY, alpha=0.3, lw=0, transform=ax.get_xaxis_transform())
        ax.text(0.5, 0.9, "grey: unstable at any current", transform=ax.transAxes, ha="center", fontsize=7)
    ax.set(xlabel="composition [–]", ylabel=f"critical current [{prefix}A/m²]", xlim=(0, 1))


PANELS = (
    (draw_energy, "energy", None),
    (draw_voltage, "voltage", None),
    (draw_gap, "gap", None),
    (draw_modulus, "modulus", "polar"),
    (draw_film, "film", None),
    (draw_barriers, "barriers", None),
    (draw_current, "current", None),
)
