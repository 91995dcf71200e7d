"""The picture of a sheet: one panel for each thing that is known."""

import numpy as np
import pytest

from chemomech.errors import ChemomechError
from chemomech.thermo.sheet import Curves
from chemomech.viz.style import save
from chemomech.viz.thermo import draw_sheet


@pytest.fixture
def full():
    c, T, e = np.linspace(0.01, 0.99, 50), np.linspace(200.0, 400.0, 9), np.linspace(-0.02, 0.02, 7)
    well = 2e6 * 16 * (c * (1 - c)) ** 2
    low = np.where(T < 350, 0.5 - np.sqrt(np.maximum(350 - T, 0) / 700), 0.5)
    current = np.where(np.abs(c - 0.5) < 0.3, 0.1, 0.0)
    current[25] = np.inf
    return Curves(
        c=c, energy=well, envelope=0 * c, coherent=0.5 * well, voltage=3.4 - 0.1 * c, stable_voltage=3.4 + 0 * c,
        temperatures=T, gap=(low, 1 - low), coherent_gap=(0.5 * (low + 0.5), 1 - 0.5 * (low + 0.5)),
        modulus=1e8 * np.ones((10, 20)), softest=np.array([0.8, 0.0, -0.6]), strains=e,
        film=well + 1e7 * e[:, None] * c, barriers=(1e6 - 1e7 * e, 1e6 + 1e7 * e), plateau=3.4 + e, current=current,
    )  # fmt: skip


def test_all_panels(full, tmp_path):
    figure = draw_sheet("LiFePO4", full)
    panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert len(panels) == 7
    assert [ax.name for ax in panels].count("polar") == 1
    assert panels[0].get_ylabel() == "energy over the tangent [MJ/m³]"
    gap = panels[2].lines[0].get_ydata()
    assert gap.max() < 350  # nothing is drawn where there is no gap
    cross = next(line for line in panels[3].lines if line.get_marker() == "x")
    azimuth, polar = (float(v[0]) for v in cross.get_data())
    assert polar == pytest.approx(np.degrees(np.arccos(0.6)))  # the same plane, seen from above
    assert abs(azimuth) == pytest.approx(np.pi)
    assert save(lambda: draw_sheet("LiFePO4", full), tmp_path / "sheet.png").stat().st_size > 10_000


def test_only_what_is_known(full):
    figure = draw_sheet("silicon", Curves(c=full.c, modulus=full.modulus, softest=full.softest))
    assert [ax.name for ax in figure.axes if ax.get_label() != "<colorbar>"] == ["polar"]


def test_nothing_to_draw(full):
    with pytest.raises(ChemomechError, match="nothing to draw"):
        draw_sheet("nothing", Curves(c=full.c))
