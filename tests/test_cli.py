import json
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
from typer.testing import CliRunner
from with_gmsh import needs_gmsh

from chemomech import materials, viz
from chemomech.cli import app
from chemomech.fem.mesh import Mesh
from chemomech.io.history import read_history

jax.config.update("jax_enable_x64", True)

ELASTIC = """
title = "small square"
mesh = { kind = "Rectangle", lx = "12 nm", ly = "12 nm", nx = 4, ny = 4 }
host = { c_max = "2.29e4 mol/m^3" }
initial = 0.1
output = { frames = 40 }

[[potentials]]
kind = "Stored"
psi = [
    { kind = "RegularSolution", chi = 1.0 },
    { kind = "GradientEnergy", kappa = "1e-13 J*m^2/mol" },
    { kind = "LinearElastic.isotropic", E = "60 GPa", nu = 0.3, eigenstrain = { kind = "Vegard", strain = 0.01 } },
]

[[potentials]]
kind = "Storage"

[[potentials]]
kind = "ButlerVolmer"
exchange = { kind = "ConstantExchange", i0 = "0.1 A/m^2" }
V0 = "3.4 V"
thickness = "20 nm"

[[protocol]]
kind = "Discharge"
c_rate = 1.0
until = { soc = 0.2 }
"""


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "small.toml").write_text(ELASTIC)
    result = invoke("run", folder / "small.toml", "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder, result


def test_run_writes_the_folder_and_says_where_the_report_is(finished):
    folder, result = finished
    assert str(folder / "out" / "report.html") in result.output
    assert "soc [-] = 0.2" in result.output
    names = {path.name for path in (folder / "out").iterdir()}
    assert {"config.toml", "history.csv", "fields.pvd", "fields", "summary.json", "restart.h5", "report.html"} <= names
    assert "Traceback" not in result.output


def test_history_has_units_and_ends_at_the_stop_event(finished):
    table = read_history(finished[0] / "out" / "history.csv")
    wanted = (
        "time [s]", "soc [-]", "voltage [V]", "current [A]", "charge [C]", "free energy [J]", "chemical energy [J]",
        "gradient energy [J]", "elastic energy [J]", "max principal stress [Pa]", "max von Mises [Pa]", "c min [-]",
        "c max [-]", "dt [s]", "newton [-]", "segment",
    )  # fmt: skip
    assert set(wanted) <= set(table)
    assert table["soc [-]"][-1] == pytest.approx(0.2, abs=1e-8)
    parts = sum(table[f"{name} energy [J]"] for name in ("chemical", "gradient", "elastic"))
    assert table["free energy [J]"] == pytest.approx(parts, rel=1e-12)


def test_frames_hold_the_fields(finished):
    frames = viz.read_frames(finished[0] / "out")
    assert len(frames) >= 3
    fields = viz.load_frame(frames[-1][1]).fields
    assert fields["c"].mean() == pytest.approx(0.2, abs=0.01)
    assert fields["stress [Pa]"].shape == (25, 9)
    assert set(fields) == {
        "c", "mu [J/mol]", "u [m]", "stress [Pa]", "von Mises [Pa]", "hydrostatic [Pa]", "principal [Pa]"
    }  # fmt: skip


def test_summary_and_config_tell_the_run(finished):
    summary = json.loads((finished[0] / "out" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["title"] == "small square"
    assert summary["step endings"] == "soc"
    assert summary["linear solver"].startswith("HostDirect: ")
    resolved = tomllib.loads((finished[0] / "out" / "config.toml").read_text())
    assert resolved["kinematics"] == {"kind": "PlaneStrain"}


def test_earlier_results_are_not_overwritten(finished):
    folder, _ = finished
    before = (folder / "out" / "history.csv").read_bytes()
    result = invoke("run", folder / "small.toml", "--out", folder / "out")
    assert result.exit_code == 1
    assert "--resume" in result.output
    assert (folder / "out" / "history.csv").read_bytes() == before


def test_resuming_a_finished_run_changes_nothing(finished):
    folder, _ = finished
    before = read_history(folder / "out" / "history.csv")
    result = invoke("run", folder / "small.toml", "--out", folder / "out", "--resume")
    assert result.exit_code == 0, result.output
    after = read_history(folder / "out" / "history.csv")
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_report_is_drawn_again(finished):
    page = finished[0] / "out" / "report.html"
    page.unlink()
    assert invoke("report", finished[0] / "out").exit_code == 0
    assert page.exists()


def test_check_prints_the_problem(finished):
    result = invoke("check", finished[0] / "small.toml")
    assert result.exit_code == 0, result.output
    for text in (
        "c, mu, u.x, u.y",
        "left (4 facets)",
        "chi_eff",
        "B_min",
        "host.c_max",
        "22900",
        "1 C current",
        "HostDirect: ",
    ):
        assert text in result.output


def test_check_warns_when_coherency_suppresses_separation(tmp_path):
    stiff = ELASTIC.replace("chi = 1.0", "chi = 3.0").replace("strain = 0.01", "strain = 0.06")
    (tmp_path / "stiff.toml").write_text(stiff.replace("nx = 4, ny = 4", "nx = 20, ny = 20"))
    result = invoke("check", tmp_path / "stiff.toml")
    assert result.exit_code == 0, result.output
    assert "is below 2" in result.output


def test_materials_are_listed_with_sources():
    listed = invoke("materials")
    assert listed.exit_code == 0
    assert all(name in listed.output for name in materials.names())
    shown = invoke("materials", "LiFePO4")
    assert "22904 mol/m^3" in shown.output
    assert "MPET" in shown.output


def test_doctor_looks_at_everything():
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    for name in ("Python", "JAX", "float64", "compilation cache", "PARDISO", "gmsh", "rendering"):
        assert name in result.output


@pytest.mark.slow
def test_a_breakdown_of_the_linear_solver_is_told(finished, tmp_path):
    """On the screen, in the summary and so in the report; the run ends as that of a direct solver does."""
    weak = 'newton = { linear = { kind = "Krylov", max_iterations = 1 } }\n' + ELASTIC
    (tmp_path / "weak.toml").write_text(weak)
    result = invoke("run", tmp_path / "weak.toml", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "GMRES stagnated" in result.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert any("Trying HostDirect for this step" in text for text in summary["warnings"])
    assert summary["linear solver"] == "Krylov: as given"
    ends = [read_history(folder / "out" / "history.csv") for folder in (tmp_path, finished[0])]
    assert ends[0]["voltage [V]"][-1] == pytest.approx(ends[1]["voltage [V]"][-1], rel=1e-6)


def test_an_interrupt_keeps_the_results(tmp_path, monkeypatch):
    from chemomech import config

    def interrupted(self, observer=None, cursor=None, keep=True):
        raise KeyboardInterrupt

    monkeypatch.setattr(config.Simulation, "run", interrupted)
    (tmp_path / "small.toml").write_text(ELASTIC)
    result = invoke("run", tmp_path / "small.toml", "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "--resume" in result.output
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["status"] == "interrupted"


def test_a_bug_is_one_message_and_a_traceback_only_on_request(tmp_path, monkeypatch):
    from chemomech import config

    def broken(path):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(config, "load", broken)
    quiet, loud = invoke("check", Path("any.toml")), invoke("--debug", "check", Path("any.toml"))
    assert quiet.exit_code == loud.exit_code == 1
    assert "please report" in quiet.output
    assert "Traceback" not in quiet.output
    assert "Traceback" in loud.output


@pytest.mark.slow
def test_thermo_prints_and_draws_the_sheet(tmp_path):
    result = invoke("thermo", "silicon", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "least modulus B" in result.output
    assert "no free energy of mixing: phases, interfaces, currents" in " ".join(result.output.split())
    rows = (tmp_path / "silicon.csv").read_text().splitlines()
    assert rows[0] == "section,quantity,value,unit"
    modulus = next(float(row.split(",")[2]) for row in rows if "least modulus B" in row)
    assert modulus == pytest.approx(2 * 50e9 * (1.20e-5 * 278000 / 3) ** 2 / (1 - 0.22), rel=1e-6)
    assert (tmp_path / "silicon.png").stat().st_size > 10_000


def test_thermo_says_what_is_wrong(tmp_path):
    unknown = invoke("thermo", "LiFePO")
    assert unknown.exit_code == 1
    assert 'Did you mean "LiFePO4"' in unknown.output
    crooked = invoke("thermo", "silicon", "--normal", "0,0")
    assert crooked.exit_code == 1
    assert "is no direction. Write three numbers" in " ".join(crooked.output.split())
    assert "is no direction" in " ".join(invoke("thermo", "silicon", "--normal", "nan,0,1").output.split())
    assert "strain = 0.0 must be positive" in " ".join(invoke("thermo", "silicon", "--strain", "0").output.split())


OCTANT = ("mesh", "ellipsoid", "a=40 nm", "b=30 nm", "c=20 nm", "h=9 nm", "part=octant")


@pytest.mark.gmsh
@needs_gmsh
def test_mesh_writes_a_file_and_a_picture(tmp_path):
    result = invoke(*OCTANT, "--out", tmp_path / "e.msh", "--density", "3600 kg/m^3")
    assert result.exit_code == 0, result.output
    mesh = Mesh.read(tmp_path / "e.msh", scale="nm")
    assert set(mesh.facet_sets) == {"surface", "xmin", "ymin", "zmin"}
    assert np.ptp(mesh.points, axis=0) == pytest.approx([40e-9, 30e-9, 20e-9], rel=1e-6)
    assert (tmp_path / "e.png").stat().st_size > 10_000
    for text in (
        f"surface ({len(mesh.facets('surface'))})", "mean ratio, least", "of the whole body", "area per mass [m^2/kg]",
        f"{8 * mesh.measure():.5g}", 'scale = "nm"',
    ):  # fmt: skip
        assert text in result.output
    assert "of the whole body; surface reacts" in result.output
    before = (tmp_path / "e.msh").read_bytes()
    again = invoke(*OCTANT, "--out", tmp_path / "e.msh")
    assert (again.exit_code, "--overwrite" in again.output) == (1, True)
    assert invoke(*OCTANT, "--out", tmp_path / "e.msh", "--overwrite").exit_code == 0
    assert (tmp_path / "e.msh").read_bytes() == before


@pytest.mark.gmsh
@needs_gmsh
def test_mesh_writes_for_paraview(tmp_path):
    result = invoke("mesh", "strip", "length=3 um", "height=1 um", "h=0.4 um", "--out", tmp_path / "s.vtu")
    assert result.exit_code == 0, result.output
    mesh = Mesh.read(tmp_path / "s.vtu")
    assert mesh.measure("strip") == pytest.approx(3e-12)
    assert "in a config" not in result.output
    assert "keeps no facet sets" in result.output


def test_mesh_leaves_an_earlier_picture_alone(tmp_path):
    (tmp_path / "b.png").write_text("mine")
    again = invoke("mesh", "disk", "radius=50 nm", "h=20 nm", "--out", tmp_path / "b.msh")
    assert (again.exit_code, "b.png exists" in " ".join(again.output.split())) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]
    long = invoke("mesh", "disk", "radius=50 nm", "h=20 nm", "--out", tmp_path / f"{'x' * 300}.msh")
    assert (long.exit_code, "Cannot write" in " ".join(long.output.split())) == (1, True)
    (tmp_path / "c.png").mkdir()
    again = invoke("mesh", "disk", "radius=50 nm", "h=20 nm", "--out", tmp_path / "c.msh", "--overwrite")
    assert (again.exit_code, "error" in again.output, (tmp_path / "c.msh").exists()) == (1, True, False)


@pytest.mark.gmsh
@needs_gmsh
def test_mesh_describes_what_it_has_made(tmp_path):
    """The set that reacts, the whole of a part without the key `part`, and only rows that make sense."""
    given = ("mesh", "sphere_octant", "radius=50 nm", "h=20 nm", "--out", tmp_path / 'a "b".msh')
    octant = invoke(*given).output
    assert "of the whole body; surface reacts" in octant
    ratio = next(line.split()[-1] for line in octant.splitlines() if line.startswith("sphericity"))
    assert float(ratio) > 0.95
    config = next(line for line in octant.splitlines() if "in a config: " in line).partition("in a config: ")[2]
    assert tomllib.loads(config)["mesh"] == {"path": str(tmp_path / 'a "b".msh'), "scale": "nm"}
    section = invoke("mesh", "rod_section", "radius=50 nm", "length=200 nm", "h=40 nm", "--out", tmp_path / "s.msh")
    assert "of the section; side reacts" in section.output
    assert not any(line.startswith(("circularity", "area", "aspect")) for line in section.output.splitlines())
    slab = invoke("mesh", "channels", "pitch=1 um", "radius=0.3 um", "thickness=0.5 um", "h=0.3 um", "--out",
                  tmp_path / "c.msh")  # fmt: skip
    assert "of the mesh; channels reacts" in slab.output
    assert not any(line.startswith(("sphericity", "aspect")) for line in slab.output.splitlines())


def test_mesh_lists_what_there_is():
    listed = invoke("mesh", "--list").output
    assert all(kind in listed for kind in ("ball", "nanowire", "wulff"))
    keys = invoke("mesh", "nanowire", "--list").output
    assert all(key in keys for key in ("bend_radius", "rectangular", "whole"))
