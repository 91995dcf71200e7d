import json

import jax
import numpy as np
import pytest

import chemomech as cm
from chemomech.analysis import hydrostatic, nodal_stress, principal, von_mises
from chemomech.errors import ConfigError, FileError
from chemomech.fem.mesh import elevate, rectangle
from chemomech.io.results import Results, column, merged, require_folder
from chemomech.measures import Measures
from chemomech.run import Cursor, Record
from chemomech.viz import read_frames, read_history

jax.config.update("jax_enable_x64", True)


def problem(mesh=None):
    elastic = cm.LinearElastic.isotropic("60 GPa", 0.25, cm.Vegard(0.01))
    mesh = mesh or rectangle(1e-8, 1e-8, 3, 3)
    return cm.Problem.build(mesh, host=cm.Host("2e4 mol/m^3"), potentials=[
        cm.Stored(cm.RegularSolution(1.0) + elastic), cm.Storage(), cm.Diffusion("1e-14 m^2/s"),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def solved():
    return problem()


def cursor(p, step, time):
    return Cursor(step, 0, time, 0.0, 0.5, [np.full(p.unknowns, 0.25 + step)], [], [0.0], frames=1)


def record(step, time, soc=0.25):
    measures = Measures(soc, soc, soc, 0.0, {"chemical": 1e-18, "elastic": 2e-18}, 1e8, 2e8)
    return Record(step, 0, time, soc, float("nan"), 0.0, 0.0, measures, 0.1, 3)


def stressed(p):
    """Uniform stretch: u = (0.002 x, 0)."""
    state = p.uniform(0.0)
    u = np.zeros_like(state.u)
    u[:, 0] = 0.002 * p.mesh.points[:, 0]
    return state.replace(u=u)


@pytest.mark.parametrize("quadratic", [False, True])
def test_nodal_stress_of_a_uniform_strain(quadratic):
    mesh = rectangle(1e-8, 1e-8, 3, 3)
    p = problem(elevate(mesh) if quadratic else mesh)
    stress = nodal_stress(p, stressed(p))
    lam = G = 24e9  # E = 60 GPa, nu = 1/4
    assert stress[:, 0] == pytest.approx((lam + 2 * G) * 0.002)
    assert stress[:, 1] == pytest.approx(lam * 0.002)
    assert np.abs(stress[:, 3:]).max() < 1.0


def test_invariants():
    shear = np.array([[0, 0, 0, 0, 0, 2.0], [3.0, 3.0, 3.0, 0, 0, 0]])
    assert von_mises(shear) == pytest.approx([2.0 * np.sqrt(3.0), 0.0])
    assert hydrostatic(shear) == pytest.approx([0.0, 3.0])
    assert principal(shear) == pytest.approx(np.array([[2.0, 0.0, -2.0], [3.0, 3.0, 3.0]]), abs=1e-12)


def test_columns_carry_units():
    assert column("time") == "time [s]"
    assert column("free_energy") == "free energy [J]"
    assert column("max_principal_stress") == "max principal stress [Pa]"


def test_a_resumed_folder_goes_back_to_its_restart(solved, tmp_path):
    results = Results(tmp_path, solved, "title = 'x'\n", "x")
    state = stressed(solved)
    for step, framed in ((0, True), (1, False), (2, True), (3, False)):
        results.accepted(record(step, 0.1 * step))
        if framed:
            results.frame(record(step, 0.1 * step), state)
            results.checkpoint(cursor(solved, step, 0.1 * step))
    results.accepted(record(4, 0.4))
    results.collection.add(0.4, "fields/frame_0002.vtu")  # a frame without its restart: killed in between
    (tmp_path / "fields" / "frame_0002.vtu").write_text("cut sho")

    again = Results(tmp_path, solved, "title = 'x'\n", "x", resume=True)
    assert again.cursor.step == 2
    assert np.array_equal(again.cursor.states[0], cursor(solved, 2, 0.2).states[0])
    assert again.cursor.dt == 0.5
    assert read_history(tmp_path)["step"].tolist() == [0, 1, 2]
    assert [time for time, _ in read_frames(tmp_path)] == [0.0, 0.2]
    assert not (tmp_path / "fields" / "frame_0002.vtu").exists()
    again.accepted(record(3, 0.3))
    assert read_history(tmp_path)["step"].tolist() == [0, 1, 2, 3]


def test_a_folder_killed_before_its_first_restart_starts_anew(solved, tmp_path):
    Results(tmp_path, solved).accepted(record(0, 0.0))
    again = Results(tmp_path, solved, resume=True)
    assert again.cursor is None
    assert not (tmp_path / "history.csv").exists()


def test_two_frames_at_one_time_are_one(solved, tmp_path):
    results = Results(tmp_path, solved)
    results.accepted(record(0, 0.0))
    for _ in range(2):
        results.frame(record(0, 0.0), solved.uniform(0.2))
        results.checkpoint(cursor(solved, 0, 0.0))
    assert len(read_frames(tmp_path)) == 1


def test_the_summary_is_there_from_the_start(solved, tmp_path):
    results = Results(tmp_path, solved, title="mine")
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "running"
    results.warnings.append("odd")
    results.accepted(record(0, 0.0))
    results.finish("finished")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["warnings"] == ["odd"]
    assert "voltage [V]" not in summary  # a closed system has none


def test_warnings_of_steps_that_are_alike_are_one_line_with_a_count():
    told = [f"Step {k} at t = {0.1 * k:.6g} s: stagnated at {10.0**-k:.1e}. Trying again." for k in (1, 2, 7)]
    config = ["potentials.0 is odd", "potentials.1 is odd"]
    other = "Step 2 at t = 0.2 s: out of memory."
    assert merged([config[0], told[0], config[1], *told[1:], other, config[0]]) == [
        config[0], f"{told[0]} (3 times, the last in step 7)", config[1], other
    ]  # fmt: skip


def test_the_lock_of_a_sweep_is_no_result(tmp_path):
    (tmp_path / ".lock").touch()
    require_folder(tmp_path, "sweep.csv", resume=False, overwrite=False)
    (tmp_path / "mine.txt").touch()
    for overwrite in (False, True):
        with pytest.raises(ConfigError):
            require_folder(tmp_path, "sweep.csv", resume=False, overwrite=overwrite)


def test_a_restart_of_another_problem_is_refused(solved, tmp_path):
    results = Results(tmp_path, solved)
    results.accepted(record(0, 0.0))
    results.frame(record(0, 0.0), solved.uniform(0.2))
    results.checkpoint(cursor(solved, 0, 0.0))
    for other in (rectangle(1e-8, 1e-8, 4, 4), rectangle(1e-6, 1e-6, 3, 3)):
        with pytest.raises(FileError, match="another mesh"):
            Results(tmp_path, problem(other), resume=True)
