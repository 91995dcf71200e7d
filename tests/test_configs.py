"""Every shipped config runs to its end and leaves the results that the README promises."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from chemomech.io.history import read_history

pytestmark = pytest.mark.slow
CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
COLUMNS = {
    "time [s]", "soc [-]", "voltage [V]", "current [A]", "charge [C]", "free energy [J]", "elastic energy [J]",
    "max principal stress [Pa]", "max von Mises [Pa]", "c min [-]", "c max [-]", "dt [s]", "newton [-]",
}  # fmt: skip


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda p: p.stem)
def folder(request, tmp_path_factory):
    """The results of one config."""
    from chemomech.cli import app

    out = tmp_path_factory.mktemp("results") / request.param.stem
    result = CliRunner().invoke(app, ["run", str(request.param), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_results_are_complete(folder):
    """History with units, fields, pictures, restart, summary and a self-contained report."""
    history = read_history(folder / "history.csv")
    assert set(history) >= COLUMNS
    assert all(np.isfinite(history[name]).all() for name in COLUMNS - {"voltage [V]"})
    assert json.loads((folder / "summary.json").read_text())["status"] == "finished"
    for name in ("config.toml", "fields.pvd", "restart.h5", "report.html", "states.png", "energies.png"):
        assert (folder / name).stat().st_size > 0, name


def test_platelet_pictures_and_phases(folder):
    """The main job separates, and charge equals lithium inserted."""
    if folder.name != "lfp_platelet":
        return
    h = read_history(folder / "history.csv")
    assert (h["c max [-]"] - h["c min [-]"]).max() > 0.7
    capacity = 96485.33212 * 22904 * 3.6e-15 * 20e-9
    np.testing.assert_allclose(h["soc [-]"] - h["soc [-]"][0], h["charge [C]"] / capacity, atol=1e-10)
    assert (folder / "voltage.png").exists()
