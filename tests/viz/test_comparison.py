"""The picture of a sweep: what is drawn against what."""

import numpy as np
import pytest

from chemomech.viz.comparison import Drawn, draw_sweep
from chemomech.viz.style import save


def case(swept, scale=1.0, voltage=True):
    x = np.linspace(0.1, 0.9, 30)
    history = {"time [s]": 3600 * x / scale, "soc [-]": x, "free energy [J]": -1e-15 * x * scale}
    results = {"peak von Mises [Pa]": 1e8 * scale, "final free energy [J]": -1e-15 * scale, "capacity [C]": 1e-9}
    if voltage:
        history["voltage [V]"] = 3.4 - 0.05 * scale * x
        results["final voltage [V]"] = 3.4 - 0.045 * scale
    return Drawn(swept, results, history)


def lines(ax):
    return [line for line in ax.lines if len(line.get_xdata()) > 1]


def test_a_grid_has_a_curve_a_case_and_a_line_for_each_value_of_the_second_axis(tmp_path):
    cases = [case({"c_rate [-]": r, "chi [-]": chi}, r**0.3 * chi) for r in (0.1, 1.0, 10.0) for chi in (2.5, 3.0)]
    figure = draw_sweep(cases)
    curves, first, second = figure.axes
    assert len(lines(curves)) == 6
    assert curves.get_ylabel() == "voltage [V]"
    assert [text.get_text() for text in curves.get_legend().get_texts()][1] == "c_rate = 0.1, chi = 3"
    assert first.get_ylabel() == "peak von Mises [MPa]"
    assert second.get_ylabel() == "final voltage [V]"  # the capacity is the same in all cases
    assert first.get_xscale() == "log"
    assert len(lines(first)) == 2
    x, y = lines(first)[1].get_data()
    assert list(x) == [0.1, 1.0, 10.0]
    assert y == pytest.approx([100 * r**0.3 * 3.0 for r in x])
    assert save(lambda: draw_sweep(cases), tmp_path / "sweep.png").stat().st_size > 0


def test_values_in_step_make_one_line():
    cases = [case({"c_rate [-]": r, "soc [-]": soc}, r) for r, soc in [(0.1, 0.2), (1.0, 0.3), (2.0, 0.4)]]
    assert [len(line.get_xdata()) for line in lines(draw_sweep(cases).axes[1])] == [3]


def test_words_are_named_on_the_axis():
    figure = draw_sweep([case({"material": name}, k + 1) for k, name in enumerate(["LiFePO4", "graphite"])])
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["LiFePO4", "graphite"]


def test_closed_systems_are_compared_by_energy_over_time():
    figure = draw_sweep([case({"chi [-]": chi}, chi, voltage=False) for chi in (2.5, 3.0)])
    assert figure.axes[0].get_xlabel() == "time [h]" or figure.axes[0].get_xlabel() == "time [min]"
    assert figure.axes[0].get_ylabel() == "free energy [fJ]"


def test_many_cases_get_a_colour_bar(tmp_path):
    cases = [case({"chi [-]": float(chi)}, chi) for chi in np.linspace(2.5, 4.0, 16)]
    figure = draw_sweep(cases)
    assert figure.axes[0].get_legend() is None
    assert figure.axes[-1].get_ylabel() == "chi [–]"


def test_a_case_without_a_result_is_left_out_of_its_panel():
    cases = [case({"chi [-]": 2.0}), case({"chi [-]": 3.0}, 2.0), Drawn({"chi [-]": 4.0}, {}, case({}).history)]
    figure = draw_sweep(cases)
    assert list(lines(figure.axes[1])[0].get_xdata()) == [2.0, 3.0]
