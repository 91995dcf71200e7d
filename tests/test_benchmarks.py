"""Every benchmark runs at a tiny size, and the README's tables are those of the records."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import clock, compare, device, gradient_case, gradient_peer, growth, peer, record, table
from chemomech.fem.mesh import box, rectangle

ROOT = Path(__file__).parents[1]


def started(module, *arguments):
    """A benchmark in a process of its own; the last line that it prints."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture
def plane(tmp_path):
    """A small square."""
    mesh = rectangle(1.0, 1.0, 8, 8)
    np.savez(tmp_path / "plane.npz", points=mesh.points - 0.5, cells=mesh.cells, kappa=0.1)
    return tmp_path / "plane.npz"


@pytest.fixture
def superlu(tmp_path):
    """The same step with a direct solver, as a peer."""
    script = tmp_path / "superlu.sh"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m benchmarks.coupled_step "$@" --backend superlu\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def solids(tmp_path):
    """Two small cubes."""
    paths = []
    for n in (3, 4):
        mesh = box(1.0, 1.0, 1.0, n, n, n)
        paths.append(tmp_path / f"cube{n}.npz")
        np.savez(paths[-1], points=mesh.points - 0.5, cells=mesh.cells, kappa=0.1)
    return paths


def test_readme_tables_are_those_of_the_records():
    """`python -m benchmarks.table` would change nothing."""
    text = table.README.read_text()
    assert table.BEGIN in text
    assert table.written(text) == text


def test_tables_show_what_the_records_hold(tmp_path):
    """One table a claim, with the numbers of the record in it."""
    machine = record.hardware()
    case = {
        "mesh": "ball0.08.npz", "cores": 1, "unknowns": 37175, "times faster": {"fieldsplit": 1.64, "mumps": 51.2},
        "codes": {n: {"code": f"{n} + krylov", "seconds a step": 0.25} for n in ("chemomech", "mumps", "fieldsplit")},
    }  # fmt: skip
    size = {
        "unknowns": 1_040_000, "setup": 61.0, "compile": 12.5, "step": 7.5, "gmres": [14, 13],
        "microseconds per unknown": {"step": 7.2}, "bytes per unknown": {"end": 4400.0},
    }  # fmt: skip
    records = [
        {"claim": "coupled step", **machine, "meshes": [case]},
        {"claim": "growth", **machine, "sizes": [size]},
    ]
    for k, made in enumerate(records):
        (tmp_path / f"{k}.json").write_text(json.dumps(made))
    text = table.tables(tmp_path)
    assert "| ball0.08, 37 k | krylov | 1 | 0.25 s | 51.2x | 1.6x |" in text
    assert "| 1.0 M | 61.0 s | 12.5 s | 7.5 s | 7.2 us | 4.4 kB | 14 |" in text


def test_a_run_comes_back_with_its_memory_and_a_failure_with_its_reason():
    """The last JSON line counts; peak memory is that of the process."""
    code = "x = b'1' * 200_000_000; import time; time.sleep(0.3); print('noise'); print('{\"value\": 3}')"
    made = record.run([sys.executable, "-c", code], cores=1)
    assert made["value"] == 3
    assert 2e8 < made["peak memory"] < 4e8
    with pytest.raises(record.RunFailed, match="no such peer"):
        record.run([sys.executable, "-c", "raise SystemExit('no such peer')"])


def test_missing_peers_say_why():
    """One that does not fit the problem, one whose environment is not there; anything else is a command."""
    with pytest.raises(peer.NotInstalled, match="no Cahn-Hilliard"):
        peer.command("torch-fem", Path("nowhere"))
    with pytest.raises(peer.NotInstalled, match="--install"):
        peer.command("skfem", Path("nowhere"))
    with pytest.raises(peer.NotInstalled, match="pip install torch-fem pypardiso"):
        peer.command("torch-fem", Path("nowhere"), peers=peer.GRADIENTS)
    assert peer.command("mpirun -n 2 solve", Path("nowhere")) == ["mpirun", "-n", "2", "solve"]


def test_newton_of_a_peer_can_be_made_tighter(tmp_path):
    """By its option, or by the number in a copy of its script; the script itself stays."""
    script = peer.SCRIPTS / "coupled_step_dolfinx.py"
    before = script.read_text()
    made = peer.tightened("mumps", ["python", str(script), "m.npz"], 1e-12, tmp_path)
    assert made == ["python", str(tmp_path / script.name), "m.npz"]
    assert Path(made[1]).read_text().replace("solver.rtol = 1e-12", "solver.rtol = 1e-08") == before.replace(
        "solver.rtol = 1e-8", "solver.rtol = 1e-08"
    )
    assert script.read_text() == before
    assert peer.tightened("skfem", ["python", "s.py"], 1e-12, tmp_path) == ["python", "s.py", "--tol", "1e-12"]


def test_compilation_inside_compilation_counts_once():
    """Stretches of time that lie in each other or overlap."""
    watch = clock.Clock()
    for start, end in ((1.0, 2.0), (3.0, 4.0), (0.5, 5.0), (6.0, 7.0), (6.5, 8.0)):
        watch.add(start, end)
    assert watch.compile == pytest.approx(4.5 + 2.0)


def test_medians_of_alternating_runs():
    """Pair by pair, the first step left out; what a second core gives."""

    def runs(*walls):
        return [
            {"code": "a + b", "dofs": 10, "wall": [9.0, w], "energy": [1.0, 2.0], "mass": [1.0, 1.0], "peak memory": 5,
             "setup": {"assemble": 1.0, "pc": 2.0}} for w in walls
        ]  # fmt: skip

    one = {"mesh": "m", "cores": 1} | compare.summary({"chemomech": runs(1.0, 2.0, 1.0), "p": runs(2.0, 2.0, 4.0)})
    two = {"mesh": "m", "cores": 2} | compare.summary({"chemomech": runs(0.5), "p": runs(2.0)})
    assert one["times faster"]["p"] == 2.0
    assert one["codes"]["chemomech"]["setup"] == 3.0
    assert one["mass drift"] == one["energy difference"]["p"] == 0.0
    gains = compare.second_core([one, two])[0]["times faster on two cores"]
    assert gains == {"chemomech": 2.0, "p": 1.0}


@pytest.mark.parametrize("make", [lambda *mesh: gradient_case.diffusion(*mesh, steps=2), gradient_case.elasticity])
def test_a_gradient_is_measured_against_differences(plane, tmp_path, make):
    """A case comes back from its file; slopes of cubics are what Richardson's differences give, wrong ones are not."""
    made = make(*gradient_case.read(plane))
    made.save(tmp_path / "case.npz")
    case = gradient_case.Case.load(tmp_path / "case.npz")
    assert (case.problem, list(case.given), list(case.at)) == (made.problem, list(made.given), list(made.at))

    def value(at):
        return sum(np.sum(v**3) for v in at.values())

    def gradient(factor):
        return lambda at: (value(at), {name: factor * v**2 for name, v in at.items()})

    right, wrong = (gradient_case.measured(case, value, gradient(f), repeats=2)[0] for f in (3.0, 3.1))
    assert right["J"] == right["J with gradient"] == value(made.at)
    assert len(right["times"]["value"]) == 2
    assert right["slopes"] == pytest.approx(right["differences"], rel=1e-8)
    assert wrong["slopes"] != pytest.approx(right["differences"], rel=1e-2)


def test_gradients_of_two_codes_are_compared():
    """Relative differences from chemomech's, errors against a code's own differences, medians over all calls."""

    def run(code, J, slope, laps):
        times = {"value": [(9.0, t) for t in laps], "value and gradient": [(9.0, 2 * t) for t in laps]}
        return {
            "code": code, "unknowns": 5, "first": {name: (3.0, 2.0) for name in times}, "times": times, "J": J,
            "peak memory": 1e9, "slopes": {"points": slope}, "differences": {"points": 4.0},
        }  # fmt: skip

    runs = {"chemomech": [run("a", 2.0, 4.0, (1.0, 3.0, 2.0))], "p": [run("p 1", 2.2, 5.0, (0.5, 0.5, 0.7))]}
    codes = gradient_peer.summary(runs, {"chemomech": {"points": np.array([3.0, 4.0])}, "p": {"points": np.zeros(2)}})
    assert (codes["p"]["value, processor"], codes["chemomech"]["value and gradient, processor"]) == (0.5, 4.0)
    assert codes["p"]["value differs"] == pytest.approx(0.1)
    assert codes["p"]["gradient differs"] == {"points": 1.0}
    assert (codes["p"]["gradient error"], codes["chemomech"]["gradient error"]) == ({"points": 0.25}, {"points": 0.0})
    case = {"mesh": "m.npz", "problem": "elasticity", "codes": codes}
    text = table.gradients_beside_peers([{**record.hardware(), "cases": [case]}])
    assert "| elasticity, m | p 1 | 5 | 0.5 s | 1 s | 2.00 | 1.00 GB | 1e-01 | 1e+00 | 2e-01 |" in text


def test_growth_is_the_worst_factor_upwards():
    """Falling costs per unknown are no growth."""

    def row(n, step, memory):
        per = {"setup": 1.0, "step": step}
        return {
            "unknowns": n, "compile": 1.0, "microseconds per unknown": per, "bytes per unknown": {"end": memory}
        }  # fmt: skip

    found = growth.growth([row(3, 2.0, 4.0), row(1, 1.0, 9.0), row(2, 1.5, 5.0)])
    assert found == {"setup": 1.0, "step": 2.0, "memory": 1.0, "compile": 1.0}


def test_kernels_of_a_loop_are_counted_once():
    """The body of a loop counts once, however often it turns."""

    def turns(count):
        body = lambda v: jnp.sort(jnp.sin(v) @ jnp.ones((64, 64)))  # noqa: E731
        function = jax.jit(lambda v: jax.lax.fori_loop(0, count, lambda _, v: body(v), v))
        return device.Kernels(function.lower(jnp.ones(64)).compile())

    few, many = turns(3), turns(300)
    assert few.largest_loop() == many.largest_loop() >= 3
    assert few.of() == many.of() >= few.largest_loop()


@pytest.mark.slow
def test_coupled_step_and_comparison(plane, superlu, tmp_path):
    """A direct solver as the peer: the same energies and masses, two rounds, a record on disk."""
    out = tmp_path / "record.json"
    arguments = ["--peer", superlu, "torch-fem", "--steps", 2, "--rounds", 1, "--pin", "--out", out]
    started("compare", plane, *arguments)
    made = json.loads(out.read_text())
    case = made["meshes"][0]
    assert case["energy difference"][str(superlu)] < 1e-7
    assert case["mass difference"][str(superlu)] < 1e-12
    assert case["mass drift"] < 1e-12
    assert "torch-fem" in made["skipped"]
    assert "| plane, " in table.coupled_steps([made])
    assert made["claim"] == "coupled step"


@pytest.mark.slow
def test_energies_of_converged_steps(plane, superlu, tmp_path):
    """GMRES and a direct solver, Newton to 1e-12: the same energy but for round-off."""
    out = tmp_path / "record.json"
    started("compare", plane, "--peer", superlu, "--steps", 2, "--rounds", 1, "--tol", 1e-12, "--out", out)
    made = json.loads(out.read_text())
    assert made["claim"] == "converged coupled step"
    assert made["meshes"][0]["energy difference"][str(superlu)] < 1e-11
    assert f"| {superlu} | 1e-12 |" in table.energies([made])


@pytest.mark.slow
def test_growth_of_two_cubes(solids):
    """Set-up, compilation, step and memory of each size."""
    made = json.loads(started("growth", "--mesh", *solids, "--steps", 2))
    assert [size["unknowns"] for size in made["sizes"]] == [5 * 4**3, 5 * 5**3]
    for size in made["sizes"]:
        assert min(size["setup"], size["compile"], size["step"], size["bytes per unknown"]["end"]) > 0.0
    assert table.growths([made]).count("\n") == 5


@pytest.mark.slow
def test_counts_of_one_mesh(plane):
    """All states are solved on a square; the last line is the summary."""
    last = started("krylov_counts", plane, "--chi", 3.0, "--stiffness", "none", "LFP")
    assert last.startswith("all:")
    assert float(last.split()[1]) < 30


@pytest.mark.slow
def test_counts_with_a_reaction(plane):
    """One state; a row for each place of the reaction, then the record."""
    last = json.loads(started("reaction_counts", plane, "--stiffness", "none", "--states", "dilute"))
    assert [row["kind"] for row in last["table"]] == ["cells", "cells alone", "facets"]
    assert all(row["worst"] <= 25 for row in last["table"])


@pytest.mark.slow
def test_crossover_of_one_mesh(plane):
    """Two solvers; a line each, then the table."""
    last = started("crossover", plane, "--solvers", "superlu", "krylov", "--steps", 3)
    assert "superlu" in last
    assert "krylov" in last


@pytest.mark.slow
def test_assembly_memory_of_one_mesh(solids):
    """Two budgets, the smaller in more chunks."""
    made = json.loads(started("assembly_memory", solids[1], "--budgets", "1 GB", "100 kB"))
    assert made["budget"] == "100 kB"
    assert made["chunks"] > 1


@pytest.mark.slow
def test_cost_of_gradients_at_small_size(tmp_path):
    """Ratios of both kinds, memory and numbers of parameters; a table."""
    out = tmp_path / "gradient.json"
    started("gradient_cost", "--solver", "HostDirect", "--cells", 2, "--steps", 20, "--rounds", 1, "--out", out)
    made = json.loads(out.read_text())
    assert [way["where"] for way in made["kept"]["ways"]] == ["memory", "file", "again", "again"]
    assert all(row["ratio"] > 1.0 for row in made["rows"] + made["kept"]["ways"])
    assert 0.5 < made["memory"] < 2.0
    assert table.gradients([made]).count("\n") == 8


@pytest.mark.slow
def test_diffusion_that_knows_directions(tmp_path):
    """Aggregates of its own where it does, and never more iterations than without."""
    out = tmp_path / "directed.json"
    started("directed_diffusion", "--cells", 12, "--out", out)
    for case in json.loads(out.read_text())["cases"]:
        found, before = case["with"]["iterations"], case["without"]["iterations"] or 100
        assert case["with"]["own"] == (case["across"] < 1.0)
        assert found <= before + 1


@pytest.mark.slow
def test_gradients_without_the_peer(plane, tmp_path):
    """The peer is named with its install line; diffusion in two fields and in one has the same value and gradient."""
    out = tmp_path / "record.json"
    few = ["--steps", 4, "--rounds", 1, "--repeats", 1]
    started("gradient_peer", plane, *few, "--environments", tmp_path / "nowhere", "--out", out)
    made = json.loads(out.read_text())
    assert "pip install torch-fem pypardiso" in made["skipped"]["torch-fem"]
    diffusion, elasticity = (case["codes"] for case in made["cases"])
    alone = diffusion["chemomech, c alone"]
    assert diffusion["chemomech"]["unknowns"] == 2 * alone["unknowns"]
    assert alone["value differs"] < 1e-12
    assert max(alone["gradient differs"].values()) < 1e-10
    for code in (*diffusion.values(), *elasticity.values()):
        assert max(code["gradient error"].values()) < 1e-8


@pytest.mark.slow
def test_device_claims_at_small_size(tmp_path):
    """The one command of the GPU claims runs on any machine."""
    out = tmp_path / "device.json"
    started("gpu", "--size", "small", "--out", out)
    made = json.loads(out.read_text())
    elastic, coupled = made["measured"]
    assert elastic["residual"] < 1e-8
    assert coupled["mass drift"] < 1e-12
    for case in (elastic, coupled):
        assert case["kernels per iteration"] > case["tangent"]["kernels"] > 0
        assert case["preconditioner"]["GB"] > case["tangent"]["GB"] > 0.0
    assert table.devices([made]).count("\n") == 5


@pytest.mark.slow
def test_screening_of_lattices():
    """No pair's correspondence strains more than what it was made with."""
    found = json.loads(started("lattice_screening", "--pairs", 30))
    assert found["pairs"] == 30
    assert found["worse"] == 0


@pytest.mark.slow
def test_parameter_sets():
    """A row for each function that is named."""
    named = ["transition of a film", "softest normal"]
    made = json.loads(started("parameter_sets", *named, "--sets", 10))
    assert [row["function"] for row in made["functions"]] == named
    assert [row["sets"] for row in made["functions"]] == [10] * 2
    assert all(row["processor seconds"] < row["first seconds"] for row in made["functions"])


@pytest.mark.slow
@pytest.mark.gmsh
def test_architectures():
    """Counts of each body, and less stress in an opal of larger pores."""
    made = json.loads(started("architectures", "--size", "small"))
    assert [row["body"] for row in made["counts"]] == ["wire", "film", "opal"]
    assert all(max(row["iterations"]) <= 35 for row in made["counts"])
    left = [row["stress over planar"] for row in made["relief"]]
    assert left == sorted(left)
    assert table.architectures([made]).count("\n") > 12


@pytest.mark.slow
def test_bent_wire_at_small_size(tmp_path):
    """One bend, one seed, coarse: lithium on the edge in tension; parts that are there stay in the record."""
    out = tmp_path / "wire.json"
    out.write_text(json.dumps({"rest": []}))
    few = ["--parts", "sweep", "--seeds", 1, "--case", 0.01, 0.3, "--until", 2, "--coarse"]
    started("bent_wire", *few, "--out", out)
    made = json.loads(out.read_text())
    mean = made["sweep"][0]["mean"]
    assert mean["tension"]["mean"] > 0.6 > 0.2 > mean["compression"]["mean"]
    assert made["rest"] == []
    assert "| 1 % | 0.3 | 0.02 | 1 | 1.0 / 0.0 |" in table.bent_wires([made])
