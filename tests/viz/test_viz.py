import json
import re
import subprocess

import matplotlib.image
import numpy as np
import pytest
from synthetic import cube, square, write_results

from chemomech.errors import ChemomechError, FileError
from chemomech.viz import can_render, load_frame, read_frames, read_history, rendering, report
from chemomech.viz.history import branches
from chemomech.viz.page import Page
from chemomech.viz.states import choose_states, draw_states
from chemomech.viz.style import save, si, time_unit
from chemomech.viz.surface import linear_cells, outside

ALL = ["states.png", "voltage.png", "energies.png", "stress.png", "report.html"]


@pytest.fixture
def by_matplotlib(monkeypatch):
    monkeypatch.setattr(rendering, "can_render", lambda: (False, f"forced. To enable it: {rendering.INSTALL}"))


def colours(path) -> int:
    """Distinct colours in a picture, which must be of a printable size."""
    image = (matplotlib.image.imread(path)[..., :3] * 255).astype(np.uint32)
    assert min(image.shape[:2]) > 300
    return len(np.unique(image @ np.array([65536, 256, 1])))


def page(folder) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("by_matplotlib")
def test_report_without_rendering(tmp_path):
    folder = write_results(tmp_path / "run", square(n=12))
    assert [path.name for path in report(folder)] == ALL
    assert colours(folder / "states.png") > 300
    assert all(colours(folder / name) > 50 for name in ALL[1:4])
    text = page(folder)
    assert rendering.INSTALL in text
    assert text.count("data:image/png;base64,") == 4


@pytest.mark.usefixtures("by_matplotlib")
def test_page_is_self_contained_and_escaped(tmp_path):
    folder = write_results(tmp_path / "run", square(n=4), steps=13)
    report(folder)
    text = page(folder)
    assert "A &lt;particle&gt; &amp; its front" in text
    assert "<coarse>" not in text
    assert not re.search(r'(src|href)\s*=\s*"(?!data:)|url\(|@import|<script|<link', text)
    assert "42.123" in text
    assert "mAh/g" in text


@pytest.mark.usefixtures("by_matplotlib")
@pytest.mark.parametrize(
    "mesh",
    [square("quad", 8), square("triangle6", 6, 0.1), cube("tetra", 4), cube("tetra10", 3), cube("hexahedron", 4)],
    ids=["quad", "triangle6 strip", "tetra", "tetra10", "hexahedron"],
)
def test_every_cell_by_matplotlib(tmp_path, mesh):
    folder = write_results(tmp_path / "run", mesh, steps=31)
    history = read_history(folder)
    picture = save(lambda: draw_states(choose_states(folder, history), history), folder / "states.png")
    assert colours(picture) > 200


SOLIDS = [
    pytest.param(m, marks=pytest.mark.slow, id=i)
    for m, i in ((cube("tetra10", 3), "P2"), (cube("hexahedron", 4), "hex"))
]


@pytest.mark.rendering
@pytest.mark.parametrize("mesh", [pytest.param(square(n=12), id="2-D"), *SOLIDS])
def test_report_by_pyvista(tmp_path, mesh):
    works, reason = can_render()
    if not works:
        pytest.skip(reason)
    folder = write_results(tmp_path / "run", mesh, steps=31)
    assert [path.name for path in report(folder)] == ALL
    assert colours(folder / "states.png") > 300
    assert "Fields drawn by matplotlib" not in page(folder)


def test_probe_failure_names_the_cure(monkeypatch):
    def crash(command, **_):
        return subprocess.CompletedProcess(command, -11, "", "")

    monkeypatch.setattr(subprocess, "run", crash)
    works, reason = can_render.__wrapped__()
    assert not works
    assert rendering.INSTALL in reason
    assert "-11" in reason


@pytest.mark.usefixtures("by_matplotlib")
@pytest.mark.filterwarnings("error")
def test_missing_columns_become_notes(tmp_path):
    gone = ("voltage [V]", "soc [-]", "current [A]", "charge [C]", "elastic energy [J]", "c min [-]")
    folder = write_results(tmp_path / "run", square(n=4), steps=13, without=gone)
    assert [path.name for path in report(folder)] == ["states.png", "energies.png", "stress.png", "report.html"]
    assert "No voltage" in page(folder)


@pytest.mark.usefixtures("by_matplotlib")
def test_a_broken_picture_costs_nothing_else(tmp_path):
    folder = write_results(tmp_path / "run", square(n=4), steps=13)
    for path in folder.glob("*.vtu"):
        path.write_text("<VTKFile")
    (folder / "summary.json").write_text("{")
    with pytest.warns(UserWarning, match=r"summary\.json"):
        written = report(folder)
    assert [path.name for path in written] == ALL[1:]
    assert "Cannot read the fields" in page(folder)


def test_bare_and_absent_folders(tmp_path):
    assert [path.name for path in report(tmp_path)] == ["report.html"]
    with pytest.raises(FileError, match="No results folder"):
        report(tmp_path / "nowhere")


def test_frames_of_an_unfinished_index(tmp_path):
    folder = write_results(tmp_path / "run", square(n=4), steps=13)
    index = folder / "fields.pvd"
    index.write_text(index.read_text().split("</Collection>")[0])
    frames = read_frames(folder)
    assert [time for time, _ in frames] == [0.0, 180.0, 360.0, 540.0, 720.0]
    assert load_frame(frames[0][1]).fields["c"].shape == (25,)


def test_states_are_spread_over_the_charge_passed(tmp_path):
    folder = write_results(tmp_path / "run", square(n=2))
    history = read_history(folder)
    times = [time for time, _ in choose_states(folder, history)]
    assert len(times) == 5
    assert times[0] == 0.0
    assert times[-1] == 3600.0
    assert [kind for kind, _ in branches(history)] == ["rest", "discharge", "rest", "charge"]


def test_sign_of_current_follows_soc():
    history = {"soc [-]": np.array([0.1, 0.2, 0.3, 0.2]), "current [A]": np.array([-1.0, -1.0, -1.0, 1.0])}
    assert [kind for kind, _ in branches(history)] == ["discharge", "charge"]


def test_skin_of_solids_is_closed():
    for kind in ("tetra", "tetra10", "hexahedron"):
        mesh = cube(kind, 3)
        skin = outside(linear_cells({block.type: block.data for block in mesh.cells}))
        corners = mesh.points[skin] * 1e7
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        assert areas.sum() == pytest.approx(6.0)


def test_unknown_cells_are_named():
    with pytest.raises(ChemomechError, match="pyramid"):
        linear_cells({"pyramid": np.zeros((1, 5), dtype=int)})


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2e8, (1e-6, "M")), (1e-7, (1e9, "n")), (0.0, (1.0, "")), (1e-6, (1e6, "µ")), (3.4, (1, ""))],
)
def test_prefixes(value, expected):
    factor, prefix = si(value)
    assert factor == pytest.approx(expected[0])
    assert prefix == expected[1]


def test_time_units():
    assert [time_unit(t)[1] for t in (0.002, 30.0, 1200.0, 2e4)] == ["ms", "s", "min", "h"]


def test_numbers_survive_the_page(tmp_path):
    write_results(tmp_path / "run", square(n=2), steps=4)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    text = Page("t", numbers=summary).html()
    assert "timing · wall time" in text
