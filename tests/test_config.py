import copy
import tomllib
import warnings
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from PIL import Image
from with_gmsh import needs_gmsh

import chemomech as cm
from chemomech import config, inspection
from chemomech.density import PerCell
from chemomech.errors import ConfigError, FileError, UnitError
from chemomech.fem.mesh import Mesh, rectangle

jax.config.update("jax_enable_x64", True)

SMALL = """
mesh = { kind = "Rectangle", lx = "12 nm", ly = "12 nm", nx = 6, ny = 6 }
host = { c_max = "2.29e4 mol/m^3" }
initial = 0.1

[[potentials]]
kind = "Stored"
psi = [{ kind = "RegularSolution", chi = 1.5 }, { kind = "GradientEnergy", kappa = "1e-13 J*m^2/mol" }]

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
until = { soc = 0.3 }
"""


@pytest.fixture(scope="module")
def small():
    return config.build(tomllib.loads(SMALL))


def tree(**changes):
    return {**copy.deepcopy(tomllib.loads(SMALL)), **changes}


def parsed(table, **context):
    maker = config._Maker(context.get("material"), context.get("mesh"), context.get("bare", False))
    return maker.make(table["kind"], {k: v for k, v in table.items() if k != "kind"}, "here")


def test_a_config_is_the_python_api(small):
    direct = cm.Problem.build(
        rectangle(12e-9, 12e-9, 6, 6), host=cm.Host("2.29e4 mol/m^3"),
        potentials=[
            cm.Stored(cm.RegularSolution(1.5) + cm.GradientEnergy("1e-13 J*m^2/mol")), cm.Storage(),
            cm.ButlerVolmer(cm.ConstantExchange("0.1 A/m^2"), V0="3.4 V", thickness="20 nm"),
        ],
    )  # fmt: skip
    ours, theirs = jax.tree.leaves(small.problem), jax.tree.leaves(direct)
    assert len(ours) == len(theirs)
    assert all(np.allclose(a, b, rtol=1e-12, atol=0) for a, b in zip(ours, theirs, strict=True))
    assert small.protocol.steps == (cm.Discharge(c_rate=1.0, until={"soc": 0.3}),)
    assert np.all(small.state.c == 0.1)


def test_defaults_are_written_out(small, tmp_path):
    text = tomllib.loads(config.text_for(small, tmp_path))
    assert text["kinematics"] == {"kind": "PlaneStrain"}
    assert text["stepper"] == {"kind": "BDF2"}
    assert text["control"]["tol"] == small.control.tol
    assert text["newton"]["linear"] == {"kind": "Auto"}
    again = config.build(text)
    assert again.control == small.control
    assert again.newton == small.newton
    assert again.tree == config.build(config.build(text).tree).tree


def test_a_staircase_of_a_config_is_written_as_it_was_read(tmp_path):
    steps = [{"kind": "Staircase", "start": "3.5 V", "stop": "3.4 V", "rate": "0.1 mV/s", "rise": "20 mV"}]
    made = config.build(tree(protocol=steps))
    assert [step.kind for step in made.protocol.steps] == ["hold"] * 5
    again = config.build(tomllib.loads(config.text_for(made, tmp_path)))
    assert again.protocol == made.protocol
    with pytest.raises(ConfigError, match=r'protocol\[0\].rate = 0.1 has a missing unit. Write "0.1 V/s"'):
        config.build(tree(protocol=[dict(steps[0], rate=0.1)]))


def test_lists_of_energies_are_sums():
    parts = [{"kind": "RegularSolution", "chi": 0}, {"kind": "GradientEnergy", "kappa": "1 J/m"}]
    psi = parsed({"kind": "Stored", "psi": parts}).psi
    assert [part.name for part in psi.terms()] == ["chemical", "gradient"]


def test_constructors_have_dotted_kinds():
    made = parsed({"kind": "Vegard.from_partial_molar_volume", "omega": "3e-6 m^3/mol", "c_max": "2e4 mol/m^3"})
    assert made.strain[0] == pytest.approx(0.02)
    cubic = parsed({"kind": "LinearElastic.cubic", "c11": "200 GPa", "c12": "100 GPa", "c44": "80 GPa"})
    assert cubic.C[3, 3] == 80e9


def test_a_map_is_an_initial_composition(tmp_path):
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["c"] = [[0.1, 0.2], [0.3, 0.4]]
    made = parsed({"kind": "Map.read", "path": str(tmp_path / "map.h5"), "pixel": "6 nm"})
    assert made(np.array([[3e-9, 3e-9], [9e-9, 6e-9]])) == pytest.approx([0.3, 0.3])


def test_files_of_maps_are_found_from_the_config_and_from_its_results(tmp_path):
    """Whatever the working directory is; a copy in a results folder names the same file."""
    (tmp_path / "data").mkdir()
    with h5py.File(tmp_path / "data/map.h5", "w") as file:
        file["c"] = [[0.1, 0.2], [0.3, 0.4]]
    Image.new("L", (2, 2), 255).save(tmp_path / "data/mask.png")
    initial = {"kind": "Map.read", "path": "data/map.h5", "outline": "data/mask.png", "pixel": "6 nm"}
    made = config.build(tree(initial=initial), tmp_path / "config.toml")
    out = tmp_path / "results/a"
    out.mkdir(parents=True)
    (out / "config.toml").write_text(config.text_for(made, out))
    kept = config.read(out / "config.toml")["initial"]
    assert (kept["path"], kept["outline"]) == ("../../data/map.h5", "../../data/mask.png")
    np.testing.assert_array_equal(config.load(out / "config.toml").state.c, made.state.c)
    config.require_same(made, out)
    config.require_same(config.load(out / "config.toml"), out)


def test_material_and_cell_data_references():
    material, mesh = cm.materials.load("LiFePO4"), rectangle(1.0, 1.0, 2, 2)
    mesh = Mesh.build(mesh.points, mesh.cells, mesh.cell_type, cell_data={"turn": np.arange(8.0)})
    table = {"kind": "Oriented", "psi": "material:energy", "angle": "cell_data:turn"}
    oriented = parsed(table, material=material, mesh=mesh)
    assert oriented.psi is material.energy
    assert np.array_equal(oriented.orientation.angle.values, np.arange(8.0))
    assert parsed({"kind": "Diffusion", "D": "material:D"}, material=material).D == material.D


def test_random_fields_become_per_cell_parameters():
    mesh = rectangle(1e-7, 1e-7, 5, 5)
    table = {"kind": "RandomField", "mean": "0.2 A/m^2", "variation": 0.1, "correlation": "20 nm", "seed": 2}
    k0 = parsed({"kind": "BazantExchange", "k0": table}, mesh=mesh).k0
    assert isinstance(k0, PerCell)
    assert k0.values.shape == (50,)
    assert 0.1 < k0.values.mean() < 0.3


def test_dimensionless_problems_need_no_units():
    bare = {"kind": "DoubleWell", "height": 5.0, "ca": 0.3, "cb": 0.7}
    assert parsed(bare, bare=True).height == 5.0
    with pytest.raises(ConfigError, match="missing unit"):
        parsed(bare)


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ({"kind": "GradientEnergy", "kapa": "1 J/m"}, ConfigError, 'Did you mean "kappa"'),
        ({"kind": "RegularSolutoin", "chi": 3}, ConfigError, 'Did you mean "RegularSolution"'),
        ({"kind": "LinearElastic.isotropc"}, ConfigError, 'Did you mean "isotropic"'),
        ({"kind": "Diffusion", "D": "3 m"}, UnitError, "here.D"),
        ({"kind": "Diffusion", "D": ["1e-14 m^2/s", 2e-14, "1e-14 m^2/s"]}, ConfigError, r"here.D\[1\]"),
        ({"kind": "Stored", "psi": [{"kind": "RegularSolution", "cho": 3}]}, ConfigError, r"here.psi\[0\]"),
        ({"kind": "Stored", "psi": {"kind": "Vegard", "strain": 0.1}}, ConfigError, "does not belong"),
        ({"kind": "ButlerVolmer"}, ConfigError, "lacks `exchange`"),
        ({"kind": "Stored", "psi": "material:energy"}, ConfigError, "no material"),
        ({"kind": "Discharge", "c_rate": 1, "until": {"time": 3600}}, ConfigError, "missing unit"),
        ({"kind": "Discharge", "c_rate": "1 C", "until": {"soc": 0.5}}, ConfigError, "number"),
    ],
)
def test_messages_name_the_place(table, error, match):
    with pytest.raises(error, match=match):
        parsed(table)


def test_noise_keeps_its_mean_over_the_volume_and_its_period():
    changes = {"initial": {"kind": "Noise", "c": 0.4, "amplitude": 0.05}}
    changes["constraints"] = [{"kind": "Periodic", "axis": "x"}]
    made = config.build(tree(**changes))
    assert config.volume_mean(made.problem, made.state.c) == pytest.approx(0.4, abs=1e-12)
    left, right = (np.sort(made.problem.mesh.nodes_of(name)) for name in ("left", "right"))
    assert np.array_equal(made.state.c[left], made.state.c[right])


def test_a_resumed_run_needs_the_same_config(small, tmp_path):
    (tmp_path / "config.toml").write_text(config.text_for(small, tmp_path))
    config.require_same(small, tmp_path)
    with pytest.raises(FileError, match="initial"):
        config.require_same(config.build(tree(initial=0.2)), tmp_path)


def test_inspection_of_a_regular_solution(small):
    assert inspection.interaction(small.problem) == pytest.approx(1.5, abs=1e-9)
    assert inspection.interface(small.problem) is None
    assert not small.two_phase


def test_energies_of_two_regions_do_not_add_up():
    """chi 1.5 on the left and 3 on the right, misfit in the right half alone: the right half decides."""
    mesh = rectangle(12e-9, 12e-9, 6, 6)
    left = np.flatnonzero(mesh.centroids()[:, 0] < 6e-9)
    mesh = Mesh.build(
        mesh.points, mesh.cells, mesh.cell_type, cell_sets={"A": left, "B": np.setdiff1d(range(72), left)}
    )
    misfit = cm.LinearElastic.isotropic(60e9, 0.3, cm.Vegard(0.01))
    problem = cm.Problem.build(
        mesh, host=cm.Host(2.29e4), potentials=[
            cm.Stored(cm.GradientEnergy("1e-13 J*m^2/mol")), cm.Stored(cm.RegularSolution(chi=1.5), on="A"),
            cm.Stored(cm.RegularSolution(chi=3.0) + misfit, on="B"), cm.Storage(), cm.Diffusion(1e-14),
        ],
    )  # fmt: skip
    assert inspection.interaction(problem) == pytest.approx(3.0, abs=1e-9)
    shift = 60e9 * 0.01**2 / (0.7 * 8.31446261815324 * 298.15 * 2.29e4)
    assert inspection.effective_interaction(problem) == pytest.approx(3.0 - shift, rel=1e-6)


def test_interface_of_a_regular_solution():
    changes = tree(mesh={"kind": "Rectangle", "lx": "12 nm", "ly": "12 nm", "nx": 6, "ny": 6}, initial=0.02)
    changes["potentials"][0]["psi"][0]["chi"] = 3.0
    made = config.build(changes)
    wall = inspection.interface(made.problem)
    assert made.two_phase
    assert wall.poor == pytest.approx(0.0707, abs=2e-4)  # ln(c/(1-c)) = -chi (1 - 2c)
    assert wall.rich == pytest.approx(1 - wall.poor, abs=2e-3)
    length = np.sqrt(1e-13 / float(made.problem.host.RT))
    assert wall.width / length == pytest.approx(1.79, rel=0.01)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "configs").glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_configs_name_what_exists(path):
    """Everything but the problem is made; building all the problems takes minutes."""
    given = config.read(path)
    config._known_keys(given, config.TOP, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cm.materials.UnverifiedWarning)
        material = cm.materials.load(given["material"]) if "material" in given else None
    maker = config._Maker(material, config._mesh(given["mesh"], path.parent, False))
    assert maker.many(given["potentials"], "potentials", cm.AbstractPotential)
    maker.many(given.get("constraints", []), "constraints", config.AbstractConstraint)
    assert maker.many(given["protocol"], "protocol", config.AbstractStep)


@pytest.mark.slow
def test_a_run_may_start_from_equilibrium():
    """A wetted face draws a layer; mu is then the same everywhere and the amount is the one given."""
    wetting = {"kind": "Wetting", "on": "left", "gamma": ["0.1 J/m^2", "-0.1 J/m^2"]}
    rest = config.build(tree(initial={"kind": "Equilibrium", "c": 0.2}, potentials=[*tree()["potentials"], wetting]))
    assert config.volume_mean(rest.problem, rest.state.c) == pytest.approx(0.2, abs=1e-9)
    assert np.ptp(rest.state.c) > 0.1
    rested = cm.simulate(rest.problem, rest.state, cm.Rest(until={"time": 60.0})).final
    assert rested.c == pytest.approx(rest.state.c, abs=1e-6)
    assert np.ptp(rested.mu) < 1e-6 * float(rest.problem.host.RT / rest.problem.host.c_max)


@pytest.mark.gmsh
@needs_gmsh
@pytest.mark.parametrize(
    "table",
    [
        {"kind": "strip", "length": "60 nm", "height": "20 nm", "h": "8 nm", "periodic": True},
        {"kind": "superellipsoid", "a": "20 nm", "b": "20 nm", "c": "20 nm", "exponents": [2, 3, 4], "h": "9 nm"},
        {
            "kind": "wulff", "gammas": {"100": 1.0, "111": "0.9 J/m^2"}, "lattice": ["4 angstrom"] * 3,
            "size": "40 nm", "h": "12 nm",
        },
        {"kind": "polyhedron", "distances": {"100": "10 nm"}, "lattice": [1.0, 1.0, 1.0], "h": "8 nm", "order": 2},
    ],
)  # fmt: skip
def test_a_geometry_may_be_the_mesh(table):
    """As the function makes it of the same texts."""
    mesh = config._mesh(table, Path(), False)
    arguments = {key: value for key, value in table.items() if key not in ("kind", "order")}
    direct = getattr(cm.geometry, table["kind"])(**arguments)
    assert mesh.order == table.get("order", 1)
    np.testing.assert_array_equal(mesh.points[: len(direct.points)], direct.points)
    assert set(mesh.facet_sets) == set(direct.facet_sets)


LOADED = """
host = { c_max = "22904 mol/m^3" }
mesh = { kind = "Rectangle", lx = "40 nm", ly = "20 nm", nx = 4, ny = 2 }
initial = 0.5
kinematics = { kind = "PlaneStrain", thickness = "1 nm", mean_strain = ["zz"], given = { zz = "0.1 %" }, bending = { \
kind = "Bending", axial = "free", neutral = "10 nm", curvature = { kind = "Load", value = "1 nN nm" } } }
[[potentials]]
kind = "Stored"
[potentials.psi]
kind = "Strained"
strain = { kind = "Dislocations", positions = [["5 nm", "5 nm"]], burgers = [["0.5 nm", "0 nm"]], core = "1 nm" }
psi = [{ kind = "LinearElastic.isotropic", E = "100 GPa", nu = 0.3, eigenstrain = { kind = "Vegard", strain = 0.01 } },
       { kind = "RegularSolution", chi = 0.0 }]
[[potentials]]
kind = "Storage"
[[potentials]]
kind = "Traction"
on = "top"
vector = { kind = "Course", times = ["0 s", "1 ms"], values = [["0 Pa", "0 Pa"], ["0 Pa", "1 MPa"]] }
[[constraints]]
kind = "Periodic"
axis = "x"
[[constraints]]
kind = "Fixed"
field = "u.y"
on = "bottom"
value = { kind = "Course", times = ["0 s", "1 ms"], values = ["0 nm", "0.1 nm"] }
[[protocol]]
kind = "Closed"
until = { time = "2 ms" }
"""


VEGARD = {"kind": "Vegard", "strain": 0.01}


def test_loads_courses_and_dislocations_come_from_tables():
    """Each with its units; a number without one is refused, wherever it stands."""
    tree = tomllib.loads(LOADED)
    made = config.build(tree)
    assert made.problem.scalars == ("strain_zz", "axial", "curvature", "fixed_1")
    np.testing.assert_array_equal(made.problem.moments(), [0.0, 1e-3])
    acting = np.asarray(made.problem.acting(1e-3 / made.problem.scales.of("s")))
    size = made.problem.load_scale("curvature")
    np.testing.assert_allclose(
        acting, [1e-3, 0.0, 1e-18 * 40e-9 / size, 1e-10 / made.problem.scales.of("m")], rtol=1e-9
    )
    values = inspection.values_of(made)
    rows, units = ({row.path: getattr(row, key) for row in values} for key in ("value", "unit"))
    assert rows["kinematics.bending.curvature"] == "load 1e-18"
    assert (units["kinematics.bending.curvature"], units["kinematics.bending.axial"]) == ("N*m", "")
    told = dict(inspection.blocks_of(made)["unknowns"])
    assert told["global scalars"] == "strain_zz (given), axial, curvature (loaded), fixed_1"
    assert rows["kinematics.bending.axial"] == "free"
    assert rows["kinematics.given.zz"] == "0.001"
    assert rows["potentials.2.vector"] == "0, 0 at 0 s; 0, 1e+06 at 0.001 s"
    bending = tree["kinematics"]["bending"]
    wrong = {**tree, "kinematics": {**tree["kinematics"], "bending": {**bending, "curvature": VEGARD}}}
    with pytest.raises(ConfigError, match='kinematics.bending: curvature: Vegard is no .* "free", a Course'):
        config.build(wrong)
    tree["constraints"][1]["value"]["values"][1] = 0.1
    with pytest.raises(ConfigError, match=r"constraints\[1\].value.values\[1\] = 0.1 has a missing unit"):
        config.build(tree)
    tree["constraints"][1]["value"]["values"][1] = "0.1 nm"
    tree["kinematics"]["bending"]["curvature"]["value"] = "1 nN"
    with pytest.raises(UnitError, match="curvature"):
        config.build(tree)


def test_finite_strain_and_surfaces_by_kind():
    """Swelling, mobility and stiffness are nested tables; lengths and energies have their units."""
    misfit = {"kind": "Vegard", "strain": [0.3, 0.3, 0.1]}
    particle = {
        "mesh": {"kind": "Rectangle", "lx": "1 um", "ly": "1 um", "nx": 1, "ny": 1},
        "host": {"c_max": "295 kmol/m^3"},
        "potentials": [
            {"kind": "Stored", "psi": [
                {"kind": "RegularSolution", "chi": 1.0},
                {"kind": "Hencky", "psi": {"kind": "LinearElastic.isotropic", "E": "50 GPa", "nu": 0.2},
                 "swelling": {"kind": "LogarithmicSwelling", "eigenstrain": misfit}},
            ]},
            {"kind": "Stored", "psi": {"kind": "NeoHookean", "E": "1 GPa", "nu": 0.3, "swelling": {
                "kind": "VolumeSwelling.from_partial_molar_volume", "omega": "1e-5 m^3/mol", "c_max": "295 kmol/m^3"}}},
            {"kind": "Storage"},
            {"kind": "Diffusion", "D": "1e-16 m^2/s", "finite": True,
             "mobility": {"kind": "ActivatedMobility", "barrier": "20 kJ/mol", "by_strain": "-1e5 J/mol"}},
            {"kind": "SurfaceStress", "tau": "1 N/m", "finite": True, "on": "right"},
        ],
        "initial": 0.1,
        "protocol": [{"kind": "Closed", "until": {"time": "1 s"}}],
    }  # fmt: skip
    problem = config.build(particle).problem
    stored, _, diffusion, surface = problem.potentials
    assert [type(term).__name__ for term in stored.psi.terms()] == ["RegularSolution", "Hencky", "NeoHookean"]
    assert float(stored.psi.terms()[2].swelling.change) == pytest.approx(2.95)
    assert diffusion.finite
    assert float(diffusion.mobility.barrier) == 20e3
    assert float(surface.psi.tau) == 1.0
