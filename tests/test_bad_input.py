"""Broken inputs: each gives one message that says what, where and what to try, exit code 1, and touches nothing."""

import errno
import json

import jax
import meshio
import numpy as np
import pytest
from typer.testing import CliRunner
from with_gmsh import needs_gmsh

from chemomech import cli

jax.config.update("jax_enable_x64", True)

MESH = 'mesh = { kind = "Rectangle", lx = "12 nm", ly = "12 nm", nx = 4, ny = 4 }'
HOST = 'host = { c_max = "2.29e4 mol/m^3" }'
CHEMICAL = '{ kind = "RegularSolution", chi = 1.0 }'
GRADIENT = '{ kind = "GradientEnergy", kappa = "1e-13 J*m^2/mol" }'
STOP = "until = { soc = 0.2 }"
REACTION = 'exchange = { kind = "ConstantExchange", i0 = "0.1 A/m^2" }'
BASE = f"""
initial = 0.1
{MESH}
{HOST}

[[potentials]]
kind = "Stored"
psi = [{CHEMICAL}, {GRADIENT}]

[[potentials]]
kind = "Storage"

[[potentials]]
kind = "ButlerVolmer"
{REACTION}
V0 = "3.4 V"
thickness = "20 nm"

[[protocol]]
kind = "Discharge"
c_rate = 1.0
{STOP}
"""


def elastic(arguments):
    return CHEMICAL + ', { kind = "LinearElastic' + arguments + " }"


def matrix(smallest):
    rows = np.diag([1e11, 1e11, 1e11, 3e10, 3e10, smallest]).tolist()
    return "[" + ", ".join("[" + ", ".join(f'"{v:g} Pa"' for v in row) + "]" for row in rows) + "]"


FIXED = '\n[[constraints]]\nkind = "Fixed"\nfield = "{}"\non = "{}"\nvalue = {}\n'

# name: (text to replace, its replacement, words that the message must have)
EDITS = {
    "unknown top-level key": ("initial = 0.1", "initial = 0.1\nmaterail = 'LiFePO4'", ["materail", "material"]),
    "unknown key of a potential": ('V0 = "3.4 V"', 'V_0 = "3.4 V"', ["potentials[2]", "V_0", "V0"]),
    "unknown nested key": ("chi = 1.0", "chii = 1.0", ["potentials[0].psi[0]", "chii", "chi"]),
    "unknown kind": ('"RegularSolution"', '"RegularSolutoin"', ["RegularSolutoin", "RegularSolution"]),
    "kind of another family": (CHEMICAL, '{ kind = "Storage" }', ["psi[0]", "Storage", "RegularSolution"]),
    "no kind": ('kind = "Storage"', "", ["potentials[1]", "kind"]),
    "missing argument": (REACTION, "", ["potentials[2]", "exchange"]),
    "missing unit": ('"20 nm"', "20e-9", ["thickness", "missing unit", "m"]),
    "missing unit in text": ('"3.4 V"', '"3.4"', ["V0", "no unit", "V"]),
    "wrong dimension": ('"3.4 V"', '"3.4 kg"', ["potentials[2].V0", "kg", "V"]),
    "unknown unit": ('"3.4 V"', '"3.4 volds"', ["potentials[2].V0", "volds"]),
    "text for a number": ("c_rate = 1.0", 'c_rate = "fast"', ["c_rate", "number"]),
    "unknown material": ("initial = 0.1", "initial = 0.1\nmaterial = 'LiFePO'", ["LiFePO", "LiFePO4"]),
    "reference without material": (CHEMICAL, '"material:energy"', ["material:energy", "material ="]),
    "unknown cell data": ("chi = 1.0", 'chi = "cell_data:xi"', ["xi", "cell data"]),
    "no host": (HOST, "", ["host", "c_max"]),
    "no mesh": (MESH, "", ["mesh"]),
    "unknown mesh kind": ('"Rectangle"', '"Rectangel"', ["Rectangel", "Rectangle"]),
    "geometry without a unit": (MESH, 'mesh = { kind = "disk", radius = 5e-9, h = "2 nm" }', ["mesh.radius", "unit"]),
    "geometry without a key": (MESH, 'mesh = { kind = "disk", radius = "5 nm" }', ["disk", "`h`"]),
    "no divisions": ("nx = 4", "nx = 0", ["divisions"]),
    "missing mesh file": (MESH, 'mesh = "absent.msh"', ["absent.msh"]),
    "unknown mesh type": (MESH, 'mesh = "config.toml"', ["config.toml", "msh"]),
    "misspelt group": (CHEMICAL + ", " + GRADIENT + "]", CHEMICAL + "]\non = 'platlet'", ["platlet", "boundary"]),
    "misspelt field": (
        "[[protocol]]", FIXED.format("cc", "left", 0.1) + "[[protocol]]", ["'cc'", "c, mu"]
    ),
    "node constrained twice": (
        "[[protocol]]", FIXED.format("c", "left", 0.2) + FIXED.format("c", "bottom", 0.3) + "[[protocol]]",
        ["twice", "0.2", "0.3"],
    ),
    "negative modulus": (CHEMICAL, elastic('.isotropic", E = "-60 GPa", nu = 0.3'), ["E", "positive"]),
    "Poisson's ratio out of range": (CHEMICAL, elastic('.isotropic", E = "60 GPa", nu = 0.6'), ["nu", "0.5"]),
    "indefinite stiffness": (CHEMICAL, elastic(f'", C = {matrix(-1e10)}'), ["not positive definite", "-1e+10"]),
    "stiffness of odd shape": (CHEMICAL, elastic('", C = ["1 Pa", "2 Pa"]'), ["6 x 6"]),
    "negative gradient energy": ('"1e-13 J*m^2/mol"', '"-1e-13 J*m^2/mol"', ["kappa", "negative"]),
    "negative exchange current": ('"0.1 A/m^2"', '"-0.1 A/m^2"', ["i0", "negative"]),
    "start outside (0, 1)": ("initial = 0.1", "initial = 1.2", ["initial", "1.2"]),
    "noise out of (0, 1)": (
        "initial = 0.1", "initial = { kind = 'Noise', c = 0.02, amplitude = 0.05 }", ["initial", "amplitude"]
    ),
    "stop event behind the start": (STOP, "until = { soc = 0.05 }", ["soc = 0.05", "never"]),
    "stop event beyond full": (STOP, "until = { soc = 1.5 }", ["soc", "1.5"]),
    "no stop event": (STOP, "", ["until"]),
    "unknown stop event": (STOP, "until = { sock = 0.2 }", ["sock", "soc"]),
    "voltage of a closed system": (
        '\n[[potentials]]\nkind = "ButlerVolmer"\n' + REACTION + '\nV0 = "3.4 V"\nthickness = "20 nm"\n', "",
        ["voltage", "ButlerVolmer"],
    ),
    "no current": ("c_rate = 1.0", "", ["c_rate", "current"]),
    "protocol as one table": ("[[protocol]]", "[protocol]", ["[[protocol]]"]),
    "no TOML": ("initial = 0.1", "initial = = 0.1", ["TOML", "line"]),
    "kinematics of another dimension": (HOST, HOST + '\nkinematics = "Solid"', ["Solid", "2-D"]),
    "mesh too coarse for the interface": ("chi = 1.0", "chi = 3.0", ["cells across"]),
    "frames that are no number": ("initial = 0.1", 'initial = 0.1\noutput = { frames = "many" }', ["frames"]),
    "voltage stop behind the start": (STOP, "until = { voltage = '5 V' }", ["5 V", "at once"]),
    "negative temperature": (HOST, HOST.replace("}", ', T = "-5 K" }'), ["Host.T", "positive"]),
    "exchange current that turns negative": (
        '"0.1 A/m^2"', '{ kind = "RandomField", mean = "0.1 A/m^2", variation = 3.0, correlation = "5 nm" }',
        ["i0", "negative"],
    ),
    "two transfer coefficients": (
        REACTION, 'alpha = 0.3\nexchange = { kind = "BazantExchange", k0 = "0.1 A/m^2" }', ["alpha", "0.3", "0.5"]
    ),
    "too few values": (
        "[[protocol]]", FIXED.format("c", "left", [0.1, 0.2]) + "[[protocol]]", ["left", "2 values", "5 nodes"]
    ),
    "kind that is no part of a config": ('"RegularSolution"', '"Problem"', ["Problem", "RegularSolution"]),
    "unknown output key": ("initial = 0.1", 'initial = 0.1\noutput = { dir = "here" }', ["dir", "frames"]),
    "unknown direct solver": (
        "initial = 0.1", 'initial = 0.1\nnewton = { linear = { kind = "HostDirect", backend = "mumps" } }', ["mumps"]
    ),
}  # fmt: skip


def run(folder, text, out="out"):
    (folder / "config.toml").write_text(text)
    return CliRunner().invoke(cli.app, ["run", str(folder / "config.toml"), "--out", str(folder / out)])


def assert_one_message(result, words):
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert "please report" not in result.output
    assert result.output.count("error:") == 1
    missing = [word for word in words if word not in result.output]
    assert not missing, f"{missing} not in: {result.output}"


@pytest.fixture
def earlier(tmp_path):
    """A folder with results of an earlier run."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "history.csv").write_text("step,time [s]\n0,0.0\n")
    return folder


@pytest.mark.parametrize("name", EDITS)
def test_broken_configs(tmp_path, name):
    old, new, words = EDITS[name]
    text = BASE.replace(MESH, MESH.replace("12 nm", "40 nm")) if "coarse" in name else BASE
    assert old in text
    assert_one_message(run(tmp_path, text.replace(old, new)), words)


def test_an_absent_config(tmp_path):
    result = CliRunner().invoke(cli.app, ["run", str(tmp_path / "absent.toml")])
    assert_one_message(result, ["absent.toml"])


def write_mesh(path, points, cells, sets=None):
    blocks = [("triangle", np.array(cells))]
    data = {f"set:{k}": [np.array(v)] for k, v in (sets or {}).items()}
    meshio.Mesh(np.array([[*p, 0.0] for p in points]) * 1e-8, blocks, cell_data=data).write(path)


SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
MESHES = {
    "inverted element": (SQUARE, [[0, 1, 2], [0, 3, 2]], None, ["inverted", "cell 1"]),
    "degenerate element": ([*SQUARE, (2, 0)], [[0, 1, 2], [0, 2, 3], [0, 1, 4]], None, ["degenerate", "cell 2"]),
    "duplicate nodes": ([*SQUARE, (1, 1)], [[0, 1, 2], [0, 4, 3]], None, ["nodes 2 and 4"]),
    "empty set": (SQUARE, [[0, 1, 2], [0, 2, 3]], {"none": [0, 0]}, ["none", "empty"]),
}


@pytest.mark.parametrize("name", MESHES)
def test_broken_meshes(tmp_path, name):
    points, cells, sets, words = MESHES[name]
    write_mesh(tmp_path / "broken.vtu", points, cells, sets)
    assert_one_message(run(tmp_path, BASE.replace(MESH, 'mesh = "broken.vtu"')), words)


def test_coordinates_that_are_not_finite(tmp_path):
    np.savez(tmp_path / "broken.npz", points=[[0, 0], [1, 0], [np.nan, 1]], cells=[[0, 1, 2]])
    assert_one_message(run(tmp_path, BASE.replace(MESH, 'mesh = "broken.npz"')), ["not finite", "node 2"])


def test_an_empty_facet_set(tmp_path):
    text = '$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$PhysicalNames\n1\n1 7 "rim"\n$EndPhysicalNames\n'
    (tmp_path / "empty.msh").write_text(text)
    assert_one_message(run(tmp_path, BASE.replace(MESH, 'mesh = "empty.msh"')), ["empty.msh"])


@pytest.mark.parametrize("text", ["", "no mesh at all", "$MeshFormat\n4.1 0 8\n"])
def test_unreadable_meshes(tmp_path, text):
    (tmp_path / "broken.msh").write_text(text)
    assert_one_message(run(tmp_path, BASE.replace(MESH, 'mesh = "broken.msh"')), ["broken.msh"])


def test_a_somewhat_coarse_mesh_is_a_warning(tmp_path):
    text = BASE.replace("chi = 1.0", "chi = 3.0").replace("nx = 4, ny = 4", "nx = 3, ny = 3")
    (tmp_path / "config.toml").write_text(text)
    result = CliRunner().invoke(cli.app, ["check", str(tmp_path / "config.toml")])
    assert result.exit_code == 0, result.output
    assert "cells across" in result.output


def test_earlier_results_stay_when_a_run_is_refused(earlier):
    assert_one_message(run(earlier.parent, BASE), ["earlier results", "--resume", "--overwrite", "--out"])
    assert [path.name for path in earlier.iterdir()] == ["history.csv"]


def test_earlier_results_stay_when_the_config_is_broken(earlier):
    (earlier / "config.toml").write_text(BASE)
    (earlier.parent / "config.toml").write_text(BASE.replace("chi = 1.0", "chii = 1.0"))
    arguments = ["run", str(earlier.parent / "config.toml"), "--out", str(earlier), "--overwrite"]
    assert_one_message(CliRunner().invoke(cli.app, arguments), ["chii"])
    assert (earlier / "history.csv").read_text() == "step,time [s]\n0,0.0\n"


def test_a_folder_that_holds_no_results_is_not_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("dear")
    (tmp_path / "config.toml").write_text(BASE)
    arguments = ["run", str(tmp_path / "config.toml"), "--out", str(tmp_path / "out"), "--overwrite"]
    assert_one_message(CliRunner().invoke(cli.app, arguments), ["not a results folder"])
    assert (tmp_path / "out" / "thesis.tex").read_text() == "dear"


@pytest.mark.parametrize("flags", [["--resume"], ["--resume", "--overwrite"]])
def test_nothing_to_resume(tmp_path, flags):
    (tmp_path / "config.toml").write_text(BASE)
    arguments = ["run", str(tmp_path / "config.toml"), "--out", str(tmp_path / "out"), *flags]
    assert_one_message(CliRunner().invoke(cli.app, arguments), ["--resume"])


def test_a_damaged_restart(tmp_path):
    from chemomech import config

    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "config.toml").write_text(BASE)
    (folder / "config.toml").write_text(config.text_for(config.load(tmp_path / "config.toml"), folder))
    (folder / "restart.h5").write_bytes(b"\x89HDF no more")
    arguments = ["run", str(tmp_path / "config.toml"), "--out", str(folder), "--resume"]
    assert_one_message(CliRunner().invoke(cli.app, arguments), ["restart.h5"])


def test_a_resume_with_another_config(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "config.toml").write_text(BASE.replace("initial = 0.1", "initial = 0.15"))
    (tmp_path / "config.toml").write_text(BASE)
    arguments = ["run", str(tmp_path / "config.toml"), "--out", str(folder), "--resume"]
    assert_one_message(CliRunner().invoke(cli.app, arguments), ["another config", "initial"])


def test_output_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("mine")
    assert_one_message(run(tmp_path, BASE), ["is a file"])
    assert (tmp_path / "out").read_text() == "mine"


def test_output_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("mine")
    assert_one_message(run(tmp_path, BASE, out="taken/out"), ["taken", "--out"])


@pytest.mark.parametrize("culprit", ["history", "fields", "restart"])
def test_a_full_disk(tmp_path, monkeypatch, culprit):
    """The run stops with one message; what was written before stays readable."""
    from chemomech.io import history, results

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if culprit == "history":
        monkeypatch.setattr(history.csv, "writer", full)
    elif culprit == "fields":
        monkeypatch.setattr(meshio.vtu, "write", full)
    else:
        monkeypatch.setattr("h5py.File", full)
    assert_one_message(run(tmp_path, BASE), ["o space left on device", "--out" if culprit != "fields" else "space"])
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["status"].startswith("stopped")
    assert results.holds_results(tmp_path / "out")


def test_an_unknown_material_on_the_command_line():
    assert_one_message(CliRunner().invoke(cli.app, ["materials", "LiFePO"]), ["LiFePO4"])


def test_a_report_of_nothing(tmp_path):
    assert_one_message(CliRunner().invoke(cli.app, ["report", str(tmp_path / "absent")]), ["absent"])


BALL = ["ball", "radius=5 nm", "h=2 nm"]
# name: (arguments of `chemomech mesh`, words that the message must have)
SHAPES = {
    "unknown kind": (["balll"], ["balll", 'Did you mean "ball"', "wulff"]),
    "no kind": ([], ["no geometry", "ellipsoid"]),
    "unknown key": (["ball", "radus=5 nm", "h=2 nm"], ["radus", "radius"]),
    "missing key": (["ball", "radius=5 nm"], ["ball", "`h`"]),
    "no value": (["ball", "radius"], ["key=value", "surface_h"]),
    "no unit": (["ball", "radius=5", "h=2 nm"], ["mesh.radius", "no unit"]),
    "wrong unit": (["ball", "radius=5 s", "h=2 nm"], ["mesh.radius", "[time]"]),
    "a file of the caller": ([*BALL, "save=x.msh"], ["save"]),
    "unknown type of file": ([*BALL, "--out", "ball.stl"], ["ball.stl", ".vtu"]),
    "no folder": ([*BALL, "--out", "absent/ball.msh"], ["absent", "--out"]),
    "inside out": (["hollow_sphere", "outer=5 nm", "inner=6 nm", "h=2 nm"], ["inner", "outer", "Try"]),
    "bent into itself": (
        ["nanowire", "width=5 nm", "length=9 nm", "h=2 nm", "bend_radius=2 nm"], ["bend_radius", "half the width"]
    ),
    "open crystal": (["wulff", "gammas=100:1", "lattice=1,2,3", "size=5 nm", "h=1 nm"], ["enclose no body"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_impossible_geometries(tmp_path, monkeypatch, name):
    arguments, words = SHAPES[name]
    monkeypatch.chdir(tmp_path)
    assert_one_message(CliRunner().invoke(cli.app, ["mesh", *arguments]), words)
    assert not list(tmp_path.iterdir())


@pytest.mark.gmsh
@needs_gmsh
def test_a_geometry_without_the_surface_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_one_message(CliRunner().invoke(cli.app, ["mesh", *BALL, "--surface", "side"]), ["side", "surface"])
    assert not list(tmp_path.iterdir())
