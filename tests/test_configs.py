"""Every shipped config runs to its end and leaves the results that the README promises."""

import functools
import json
from pathlib import Path

import meshio
import numpy as np
import pytest
from typer.testing import CliRunner

from chemomech.io.history import read_history

pytestmark = pytest.mark.slow
CONFIGS = Path(__file__).parents[1] / "configs"
COLUMNS = {
    "time [s]", "soc [-]", "voltage [V]", "current [A]", "charge [C]", "free energy [J]", "elastic energy [J]",
    "max principal stress [Pa]", "max von Mises [Pa]", "c min [-]", "c max [-]", "dt [s]", "newton [-]",
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A function that runs a config once and gives its results folder."""
    from chemomech.cli import app

    @functools.cache
    def run(name):
        out = tmp_path_factory.mktemp("results") / name
        result = CliRunner().invoke(app, ["run", str(CONFIGS / f"{name}.toml"), "--out", str(out)])
        assert result.exit_code == 0, result.output
        return out

    return run


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.toml")))
def test_results_are_complete(results, name):
    """History with units, fields, pictures, restart, summary and a self-contained report."""
    folder = results(name)
    history = read_history(folder / "history.csv")
    columns = COLUMNS - {"elastic energy [J]"} if name in ("core_shell", "small_sphere") else COLUMNS  # no strain
    assert set(history) >= columns
    assert all(np.isfinite(history[name]).all() for name in columns - {"voltage [V]"})
    assert json.loads((folder / "summary.json").read_text())["status"] == "finished"
    for file in ("config.toml", "fields.pvd", "restart.h5", "report.html", "states.png", "energies.png"):
        assert (folder / file).stat().st_size > 0, file


@pytest.mark.parametrize("name", ["lfp_platelet", "lfp_platelet_wetted"])
def test_platelet_separates_and_counts_lithium(results, name):
    """The phases are full, and charge equals lithium inserted."""
    h = read_history(results(name) / "history.csv")
    assert (h["c max [-]"] - h["c min [-]"]).max() > 0.7
    capacity = 96485.33212 * 22904 * 3.6e-15 * 20e-9
    np.testing.assert_allclose(h["soc [-]"] - h["soc [-]"][0], h["charge [C]"] / capacity, atol=1e-10)
    assert (results(name) / "voltage.png").exists()


def test_platelet_current_is_the_one_that_was_asked_for(results):
    """The current constraint holds to round-off: C/10 in, nothing, C/10 out."""
    h = read_history(results("lfp_platelet") / "history.csv")
    one_c = 96485.33212331 * 22904 * 3.6e-15 * 20e-9 / 3600
    asked = np.array([0.1, 0.0, -0.1])[h["segment"].astype(int)] * one_c
    np.testing.assert_allclose(h["current [A]"][1:], asked[1:], atol=1e-10 * 0.1 * one_c)


def test_vanadium_oxide_separates(results):
    """chi_eff 2.46 of the tensor misfit; two phases half way, each beyond the coherent binodal."""
    from chemomech import config, inspection

    problem = config.load(CONFIGS / "lixv2o5_particle.toml").problem
    assert inspection.effective_interaction(problem) == pytest.approx(2.46, abs=0.01)
    h = read_history(results("lixv2o5_particle") / "history.csv")
    middle = (h["soc [-]"] > 0.4) & (h["soc [-]"] < 0.6)
    assert h["c min [-]"][middle].max() < 0.16
    assert h["c max [-]"][middle].min() > 0.84


def dip(history):
    """Deepest point of the discharge voltage below the line through its plateau at x = 0.45 to 0.65 [V]."""
    inserted = history["current [A]"] > 0
    x, voltage = history["soc [-]"][inserted], history["voltage [V]"][inserted]
    plateau = (x > 0.45) & (x < 0.65)
    line = np.polyval(np.polyfit(x[plateau], voltage[plateau], 1), x)
    return (line - voltage)[x < 0.45].max()


def test_wetted_edges_fill_first_and_nucleate_nothing(results):
    """The voltage of the neutral platelet dips by 7 mV before it separates, that of the wetted one does not."""
    neutral = read_history(results("lfp_platelet") / "history.csv")
    wetted = read_history(results("lfp_platelet_wetted") / "history.csv")
    assert dip(neutral) > 5e-3
    assert dip(wetted) < 0.5e-3
    frames = sorted((results("lfp_platelet_wetted") / "fields").glob("*.vtu"))
    for frame in frames[2:8]:
        fields = meshio.read(frame)
        c = fields.point_data["c"]
        x = fields.points[:, :2] / np.ptp(fields.points[:, :2], axis=0)
        from_side = np.minimum(x[:, 0] - x[:, 0].min(), x[:, 0].max() - x[:, 0])
        assert c[from_side < 1e-6].min() > 0.8
        assert c[from_side > 0.4].min() < 0.15


@pytest.mark.parametrize(("percent", "plateau"), [(1, 0.0723), (5, 0.1277), (20, 0.5)])
def test_phases_of_a_square_are_the_coherent_ones(results, percent, plateau):
    """More misfit, less difference; at 20 % none is left. More seeds: `verification/test_spinodal.py`."""
    h, near = read_history(results(f"spinodal_{percent}pct") / "history.csv"), 0.01 if percent < 20 else 5e-4
    assert h["c min [-]"][-1] == pytest.approx(plateau, abs=near)
    assert h["c max [-]"][-1] == pytest.approx(1 - plateau, abs=near)
    assert np.diff(h["free energy [J]"]).max() <= 1e-5 * np.ptp(h["free energy [J]"])
    np.testing.assert_allclose(h["soc [-]"], 0.5, atol=1e-10)


def last_fields(folder):
    return meshio.read(max((folder / "fields").glob("*.vtu")))


def test_a_small_sphere_has_less_contrast(results):
    """0.462 at 44 nm on fine meshes, 0.71 in a large body."""
    h = read_history(results("small_sphere") / "history.csv")
    assert h["c max [-]"][-1] - h["c min [-]"][-1] == pytest.approx(0.46, abs=0.02)


def test_peaks_of_a_voltammogram_are_those_of_the_strained_film(results):
    """Down and up the charge of the stairs peaks at the shift by strain, and what goes in comes out."""
    h = read_history(results("film_voltammetry") / "history.csv")
    soc = np.interp(300.0 * np.arange(19), h["time [s]"], h["soc [-]"])
    voltage = 3.059 - 0.007 * np.array([*range(1, 10), *range(8, -1, -1)])
    down, up = np.diff(soc)[:9], -np.diff(soc)[9:]
    shift = 2 * 70e9 / 0.7 * 0.02 * 0.01 / (96485.33212 * 1.853e4)
    assert voltage[np.argmax(down)] - shift == pytest.approx(3.0, abs=0.011)
    assert voltage[9 + np.argmax(up)] - shift == pytest.approx(3.0, abs=0.011)
    assert abs(soc[-1] - soc[0]) < 0.05


def test_pores_push_lithium_away(results):
    """It goes from where the pores squeeze the solid to where they do not."""
    h = read_history(results("inverse_opal") / "history.csv")
    np.testing.assert_allclose(h["soc [-]"], 0.5, atol=1e-10)
    fields = last_fields(results("inverse_opal")).point_data
    assert 0.01 < np.std(fields["c"]) < 0.1
    assert np.corrcoef(fields["c"], fields["hydrostatic [Pa]"])[0, 1] > 0.9


def test_lithium_gathers_below_the_half_plane(results):
    """Where the line stretches the host; 0.55 with a reservoir (`verification/test_dislocations.py`), here less."""
    fields = last_fields(results("dislocation"))
    c, y = fields.point_data["c"], fields.points[:, 1]
    assert 0.48 < c.max() < 0.55
    assert y[np.argmax(c)] < 0 < y[np.argmin(c)]


def test_a_shell_closes_around_a_poor_core(results):
    """All of the surface is rich half way, the middle still near the binodal."""
    fields = last_fields(results("core_shell"))
    x = fields.points[:, :2] / np.ptp(fields.points[:, :2], axis=0) - 0.5
    rim, c = np.abs(x).max(axis=1) > 0.499, fields.point_data["c"]
    assert c[rim].min() > 0.5
    assert c[np.abs(x).max(axis=1) < 0.1].max() < 0.1


@pytest.mark.parametrize("path", sorted((CONFIGS / "designs").glob("*.toml")), ids=lambda p: p.stem)
def test_designs_get_better(path, tmp_path):
    """A few evaluations from one start: the gradient is right, and the objective falls."""
    from chemomech import optimize

    plan = optimize.plan(path, tmp_path)._replace(starts=1, iterations=1, finer=None)
    summary = optimize.run(plan, tmp_path)
    assert summary["gradient check"]["relative error"] < 1e-5
    assert summary["best"] < 0.99 * summary["initial"]
    assert summary["limits met"]
