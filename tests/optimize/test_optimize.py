"""Optimisation from the command line: refusals before anything runs, a real one, its interruption and resumption."""

import json
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from chemomech import cli, optimize
from chemomech.design import Evaluation
from chemomech.errors import ConfigError, FileError
from chemomech.optimize.folder import Entry, Journal, read

jax.config.update("jax_enable_x64", True)
CONFIG = """
title = "small square"
mesh = { kind = "Rectangle", lx = "1 um", ly = "1 um", nx = 3, ny = 3 }
host = { c_max = "2.29e4 mol/m^3" }
initial = 0.2
output = { frames = 2 }
control = { tol = 0.02 }

[[potentials]]
kind = "Stored"

[[potentials.psi]]
kind = "RegularSolution"
chi = 1.0

[[potentials.psi]]
kind = "LinearElastic.isotropic"
E = "60 GPa"
nu = 0.3
eigenstrain = { kind = "Vegard", strain = [0.02, 0.02, 0.0], c_ref = 0.2 }

[[potentials]]
kind = "Storage"

[[potentials]]
kind = "Diffusion"
D = "1e-15 m^2/s"

[[potentials]]
kind = "ButlerVolmer"
on = "boundary"
exchange = { kind = "SymmetricExchange", k0 = "1 A/m^2" }
V0 = "4.0 V"

[[protocol]]
kind = "Discharge"
c_rate = 2.0
until = { time = "5 min" }

[optimize]
objective = { kind = "PeakStress", of = "principal", p = 8 }
starts = 2
iterations = 3
finer = { "mesh.nx" = 4, "mesh.ny" = 4 }

[[optimize.variables]]
kind = "Number"
path = "protocol.0.c_rate"
lower = 0.5
upper = 6.0

[[optimize.variables]]
kind = "Shape"
shape = { kind = "Thickness" }
lower = 0.8e-6
upper = 1.2e-6

[[optimize.limits]]
goal = { kind = "Column", column = "soc" }
lower = 0.3
"""


def written(folder: Path, *replaced: tuple[str, str]) -> Path:
    text = CONFIG
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    path = folder / "design.toml"
    path.write_text(text)
    return path


def invoked(*words) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())


def test_a_plan_is_what_the_table_says(tmp_path):
    plan = optimize.plan(written(tmp_path), tmp_path / "out")
    assert plan.study.names == ("protocol.0.c_rate", "thickness")
    np.testing.assert_allclose(plan.study.initial, [2.0, 1e-6])
    assert (plan.unit, plan.starts, plan.iterations, plan.method) == ("Pa", 2, 3, None)
    assert len(plan.finer.experiment.problem.mesh.points) == 25
    assert plan.study.limits[0].lower == 0.3


REFUSALS = {
    "objective": (('objective = { kind = "PeakStress"', 'objective = { kind = "PeakStres"'), "Did you mean"),
    "key": (("starts = 2", "start = 2"), "Unknown key `start` in optimize"),
    "starts": (("starts = 2", "starts = 0"), "optimize.starts = 0 must be a whole number of at least 1"),
    "method": (("starts = 2", 'method = "newton"'), "optimize.method = 'newton' is unknown"),
    "path": (("protocol.0.c_rate", "protocol.0.rate"), "there is no `rate` in `protocol.0`"),
    "bounds": (("lower = 0.5", "lower = 2.5"), "starts from 2, outside its bounds 2.5 to 6"),
    "interval": (("upper = 1.2e-6", "upper = 0.7e-6"), "below the upper one"),
    "shape": (('"Thickness" }', '"Thickness", axes = 1 }'), "Unknown key `axes` in optimize.variables[1].shape"),
    "goal": (('"Column", column = "soc"', '"Storage"'), "is a Storage, which does not belong there"),
    "finer": (('"mesh.nx" = 4', '"mesh.mx" = 4'), "mx"),
    "surface": (('"Thickness" }', '"FreeSurface", length = "1 um", surface = "rim" }'), "rim"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_one_message(tmp_path, name):
    replaced, message = REFUSALS[name]
    code, output = invoked("optimize", written(tmp_path, replaced), "--out", tmp_path / "out")
    assert code == 1
    assert message in output
    assert "Traceback" not in output
    assert not (tmp_path / "out" / "evaluations.jsonl").exists()


def test_a_config_without_the_table_and_one_with_it_go_to_their_own_commands(tmp_path):
    path = written(tmp_path)
    code, output = invoked("run", path, "--out", tmp_path / "out")
    assert (code, "Run it with chemomech optimize" in output) == (1, True)
    path.write_text(CONFIG[: CONFIG.index("[optimize]")])
    code, output = invoked("optimize", path, "--out", tmp_path / "out")
    assert (code, "has no [optimize] table" in output) == (1, True)


def entry(k: int) -> Entry:
    return Entry(0, Evaluation(np.array([k / 3, 1e-7]), np.array([k + 0.1]), np.array([[k / 7, 2.0]])), 1.0)


def test_a_journal_gives_back_what_it_was_given(tmp_path):
    journal = Journal(tmp_path)
    for k in range(3):
        journal.append(entry(k))
    with open(tmp_path / "evaluations.jsonl", "a") as file:
        file.write('{"start": 0, "x": [1.0')  # killed while writing
    again = Journal(tmp_path, resume=True)
    assert len(again.entries) == 3
    for k in range(3):
        known = again.known(0, entry(k).evaluation.x)
        np.testing.assert_array_equal(known.jacobian, entry(k).evaluation.jacobian)
    assert again.known(1, entry(0).evaluation.x) is None
    again.append(entry(4))
    assert len(read(tmp_path)) == 4
    (tmp_path / "evaluations.jsonl").write_text("nonsense\n")
    with pytest.raises(FileError, match="Start anew with --overwrite"):
        read(tmp_path)


class _Interrupted(optimize.Watcher):
    """Ctrl-C after two evaluations."""

    def evaluated(self, entry, count):
        if count == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_optimisation_goes_on_to_the_same_end(tmp_path):
    path, out = written(tmp_path), tmp_path / "out"
    plan = optimize.plan(path, out)
    with pytest.raises(KeyboardInterrupt):
        optimize.run(plan, out, _Interrupted())
    assert json.loads((out / "summary.json").read_text())["status"] == "interrupted"
    assert len(read(out)) == 2
    code, output = invoked("optimize", path, "--out", out)
    assert (code, "holds earlier results" in output) == (1, True)
    code, output = invoked(
        "optimize", written(tmp_path, ("iterations = 3", "iterations = 4")), "--out", out, "--resume"
    )
    assert (code, "started with another config: optimize differ" in output) == (1, True)
    code, output = invoked("optimize", written(tmp_path), "--out", out, "--resume")
    assert code == 0, output
    assert "gradient" in output
    assert "finished" in output
    summary = json.loads((out / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["gradient check"]["relative error"] < 1e-6
    assert summary["best"] < summary["initial"]
    assert summary["limits met"]
    assert summary["finer, after"] < summary["finer, before"]
    tried = read(out)
    assert len(tried) == sum(start["evaluations"] for start in summary["starts"])
    files = (
        "convergence.png",
        "before_after.png",
        "design.gif",
        "report.html",
        "before/report.html",
        "after/fields.pvd",
    )
    assert all((out / name).stat().st_size > 0 for name in files)
    (out / "report.html").unlink()
    assert invoked("report", out)[0] == 0
    assert (out / "report.html").exists()
    straight = optimize.run(plan, tmp_path / "straight")
    np.testing.assert_allclose(straight["x"], summary["x"], rtol=1e-9)


def test_movies_are_found_from_the_config(tmp_path):
    movie = (
        'objective = { kind = "PeakStress", of = "principal", p = 8 }',
        'objective = { kind = "Movie", path = "m.npz" }',
    )
    plan = optimize.plan(written(tmp_path, movie), tmp_path / "out")
    assert plan.study.objective.path == str(tmp_path / "m.npz")
    assert tomllib.loads(plan.config)["optimize"]["objective"]["path"] == "../m.npz"
    with pytest.raises(ConfigError, match="Cannot read the movie"):
        plan.study.objective(None)
