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
    columns = COLUMNS - {"elastic energy [J]"} if name == "core_shell" else COLUMNS  # it has no strain
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


def test_a_shell_closes_around_a_poor_core(results):
    """All of the surface is rich half way, the middle still near the binodal."""
    last = max((results("core_shell") / "fields").glob("*.vtu"))
    fields = meshio.read(last)
    x = fields.points[:, :2] / np.ptp(fields.points[:, :2], axis=0) - 0.5
    rim, c = np.abs(x).max(axis=1) > 0.499, fields.point_data["c"]
    assert c[rim].min() > 0.5
    assert c[np.abs(x).max(axis=1) < 0.1].max() < 0.1


@pytest.mark.parametrize("path", sorted((CONFIGS / "designs").glob("*.toml")), ids=lambda p: p.stem)
def test_designs_get_better(path, tmp_path):
    """A few evaluations from one start: the gradient is right, and the objective falls."""
    from chemomech import optimize

    plan = optimize.plan(path, tmp_path)._replace(starts=1, iterations=3, finer=None)
    summary = optimize.run(plan, tmp_path)
    assert summary["gradient check"]["relative error"] < 1e-5
    assert summary["best"] < 0.99 * summary["initial"]
    assert summary["limits met"]
