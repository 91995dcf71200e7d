"""The picture of a screening: middle stretch against change of volume, the best pairs named."""

import numpy as np

from chemomech.errors import ChemomechError
from chemomech.viz.style import BLUE, GREY, ORANGE

NEEDED = ("name", "lambda_1", "lambda_2", "lambda_3", "det U", "cofactor distance")


def draw_screening(columns, named: int = 5):
    """Figure: every pair by lambda_2 and det U, coloured by its distance from the cofactor conditions; stretches of
    the pairs by rank.

    Args:
        columns: from `Screening.columns()`.
        named: so many of the pairs with lambda_2 next to one are circled and named.

    Raises:
        ChemomechError: a column is missing.
    """
    from matplotlib.figure import Figure

    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise ChemomechError(f"A screening's picture needs the columns {', '.join(missing)}. Try: Screening.columns().")
    figure = Figure(figsize=(7.2, 3.4))
    plane, ranks = figure.subplots(1, 2)
    _draw_plane(figure, plane, columns, named)
    _draw_stretches(ranks, columns)
    return figure


def _draw_plane(figure, ax, columns, named: int) -> None:
    middle, volume = columns["lambda_2"], columns["det U"]
    size = np.asarray(columns["cofactor distance"], float)
    shown = np.log10(np.maximum(np.where(np.isfinite(size), size, 1.0), 1e-6))
    order = np.argsort(-shown)
    points = ax.scatter(
        middle[order], volume[order], c=shown[order], s=9, cmap="viridis_r", lw=0, rasterized=len(order) > 2000
    )
    figure.colorbar(points, ax=ax, label="log$_{10}$ distance from the cofactor conditions")
    for line in (ax.axvline, ax.axhline):
        line(1.0, color=GREY, lw=0.8, zorder=0)
    best = np.argsort(np.abs(middle - 1.0), kind="stable")[:named]
    ax.plot(middle[best], volume[best], "o", ms=5, mfc="none", mec=ORANGE, mew=0.9)
    lines = [rf"{columns['name'][row]}  $\lambda_2$ = {middle[row]:.5f}" for row in best]
    ax.text(0.98, 0.02, "\n".join(lines), transform=ax.transAxes, ha="right", va="bottom", fontsize=7, color=ORANGE)
    ax.set(xlabel=r"middle stretch $\lambda_2$ [-]", ylabel=r"change of volume, det $U$ [-]")


def _draw_stretches(ax, columns) -> None:
    order = np.argsort(np.abs(columns["lambda_2"] - 1.0), kind="stable")
    rank = np.arange(1, len(order) + 1)
    for name, colour in (("lambda_3", ORANGE), ("lambda_2", BLUE), ("lambda_1", GREY)):
        ax.plot(rank, columns[name][order], ".", ms=2, color=colour, label=rf"$\lambda_{name[-1]}$")
    ax.axhline(1.0, color="black", lw=0.6)
    ax.set(xlabel=r"rank by $|\lambda_2 - 1|$", ylabel="stretches [-]")
    ax.legend(markerscale=4)
