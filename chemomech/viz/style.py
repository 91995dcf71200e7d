"""The common look of every picture, and units with readable prefixes."""

from pathlib import Path

import numpy as np

# Okabe and Ito's palette: told apart with any colour vision.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#6b6b6b"

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "mathtext.fontset": "custom",
    "mathtext.cal": "sans",  # its default looks for fonts that few machines have, and says so
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
}


def save(draw, path) -> Path:
    """Call `draw()` for a matplotlib Figure in the common look and write it at 200 dpi."""
    from matplotlib import rc_context

    with rc_context(RC):
        draw().savefig(path, dpi=200)
    return Path(path)


def si(*values) -> tuple[float, str]:
    """(factor, prefix) that brings the largest of the values into 1..1000: si(2e8) is (1e-6, 'M')."""
    largest = max((float(np.nanmax(np.abs(v))) for v in values if np.size(v)), default=0.0)
    if not np.isfinite(largest) or largest == 0:
        return 1.0, ""
    # 1e-9 forgives a rounded 999.9999999.
    power = int(np.clip(np.floor((np.log10(largest) + 1e-9) / 3), -6, 4))
    return 10.0 ** (-3 * power), "afpnµm kMGT"[power + 6].strip()


def time_unit(*times) -> tuple[float, str]:
    """(factor, unit) for times in [s]: seconds with a prefix, minutes above ten, hours above three."""
    largest = max((float(np.nanmax(np.abs(t))) for t in times if np.size(t)), default=0.0)
    if largest > 3 * 3600:
        return 1 / 3600, "h"
    if largest > 600:
        return 1 / 60, "min"
    factor, prefix = si(largest) if largest < 1 else (1.0, "")
    return factor, prefix + "s"
