"""Sweeps from the command line: refusals before anything runs, real cases, failures, resuming, submitit."""

import csv
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import pytest
from typer.testing import CliRunner

from chemomech import cli, sweep
from chemomech.errors import FileError
from chemomech.io.history import read_history
from chemomech.io.results import require_folder
from chemomech.sweep import submitted
from chemomech.sweep.cases import _relocated
from chemomech.sweep.process import Process
from chemomech.sweep.running import run
from chemomech.sweep.table import FAILED, FINISHED, INTERRUPTED, WAITING, Outcome, outcome_of

jax.config.update("jax_enable_x64", True)
ROOT = Path(__file__).parents[2]
CONFIG = """
title = "small square"
mesh = { kind = "Rectangle", lx = "12 nm", ly = "12 nm", nx = 3, ny = 3 }
host = { c_max = "2.29e4 mol/m^3" }
initial = 0.1
output = { frames = 1 }

[[potentials]]
kind = "Stored"
psi = [{ kind = "RegularSolution", chi = 1.0 }, { kind = "GradientEnergy", kappa = "1e-13 J*m^2/mol" }]

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
until = { soc = 0.12 }
"""
FAILING = ["--set", "newton.max_iterations=1,12"]
CHI = "potentials.0.psi.0.chi"


def invoke(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def rows(folder):
    with open(folder / "sweep.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def config(tmp_path):
    (tmp_path / "small.toml").write_text(CONFIG)
    return tmp_path / "small.toml"


# --- before anything runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["Nothing is swept", "--set protocol.0.c_rate=0.1,1"]),
        (["--set", "protocol.0.crate=0.1,1"], ["Case 1 (crate = 0.1)", "Unknown key `crate`", '"c_rate"', "until"]),
        (["--set", "protcol.0.c_rate=0.1,1"], ["no `protcol` at the top", "protocol"]),
        (["--set", "potentials.0.psi.chi=1,2"], ["in `potentials.0.psi`", "0 (RegularSolution)"]),
        (["--set", "potentials.2.V0=3.4 V,3.4 kg"], ["Case 2 (V0 = 3.4 kg)", "dimension"]),
        (["--set", f"{CHI}=1,4"], ["Case 2 (chi = 4)", "cells across"]),
        (["--set", "protocol.0.until.soc=0.2,0.05"], ["Case 2 (soc = 0.05)", "never"]),
        (["--set", "initial=0.1,0.2", "--set", f"{CHI}=1,1.1,1.2", "--zip"], ["initial has 2", "has 3"]),
        (["--set", "initial=0.1", "--resume"], ["nothing to resume"]),
    ],
)
def test_refusals_name_the_case_and_leave_no_folder(config, arguments, words):
    result = invoke("sweep", config, "--out", config.parent / "out", *arguments)
    assert result.exit_code == 1
    assert all(word in result.output for word in words), result.output
    assert not (config.parent / "out").exists()


def test_run_says_what_a_sweep_table_is_for(config):
    config.write_text(CONFIG + '\n[sweep]\n"initial" = [0.05, 0.1]\n')
    result = invoke("check", config)
    assert result.exit_code == 1
    assert "chemomech sweep" in result.output


def test_dry_run_lists_the_cases_of_the_table_and_the_command(config):
    config.write_text(CONFIG + f'\n[sweep]\nmode = "zip"\n"initial" = [0.05, 0.1]\n"{CHI}" = [0.5, 0.6]\n')
    result = invoke("sweep", config, "--set", "initial=0.06,0.07", "--dry-run", "--out", config.parent / "out")
    assert result.exit_code == 0, result.output
    assert "case_0001_chi=0.5_initial=0.06" in result.output
    assert "case_0002_chi=0.6_initial=0.07" in result.output
    assert "case_0003" not in result.output
    assert not (config.parent / "out").exists()


def test_every_case_has_a_config_of_its_own(config):
    out = config.parent / "elsewhere" / "out"
    plan = sweep.plan(config, out, [sweep.parse_axis("initial=0.05,0.1"), sweep.parse_axis("protocol.0.c_rate=1,2")])
    sweep.prepare(plan)
    assert [case.folder.name for case in plan.cases] == [
        f"case_000{k}_initial={c}_c_rate={rate}" for k, (c, rate) in enumerate(
            [("0.05", 1), ("0.05", 2), ("0.1", 1), ("0.1", 2)], 1)
    ]  # fmt: skip
    tree = tomllib.loads((plan.cases[1].folder / "config.toml").read_text())
    assert tree["initial"] == 0.05
    assert tree["protocol"][0]["c_rate"] == 2
    assert tree["title"] == "small square: initial = 0.05, c_rate = 2"
    assert tomllib.loads((out / "config.toml").read_text())["sweep"]["initial"] == [0.05, 0.1]


# --- the loop, with jobs that only pretend ------------------------------------------------------------------------


class _Pretended:
    """Workers whose jobs end as they are told, after two looks."""

    def __init__(self, slots, endings, interrupt_after=None):
        self.slots, self.endings, self.started, self.most, self.alive = slots, endings, [], 0, 0
        self.interrupt_after, self.closed = interrupt_after, False

    def start(self, cases):
        self.started += [case.folder.name[:9] for case in cases]
        self.alive += len(cases)
        self.most = max(self.most, self.alive)
        return [_Job(self, case) for case in cases]

    def close(self):
        self.closed = True


class _Job:
    def __init__(self, workers, case):
        self.workers, self.case, self.looks, self.stopped = workers, case, 0, False

    def ended(self):
        if self.stopped:
            return None
        if self.workers.interrupt_after == len(self.workers.started):
            os.kill(os.getpid(), signal.SIGTERM)
        self.looks += 1
        if self.looks < 2:
            return None
        self.workers.alive -= 1
        outcome = self.workers.endings[self.case.label]
        (self.case.folder / "summary.json").write_text(json.dumps({"status": outcome.status}))
        return outcome

    def interrupt(self):
        self.stopped = True

    def stop(self):
        assert self.stopped


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    (folder / "small.toml").write_text(CONFIG)
    return sweep.plan(folder / "small.toml", folder / "out", [sweep.parse_axis("initial=0.05,0.06,0.07")])


@pytest.fixture
def planned(three, tmp_path, monkeypatch):
    monkeypatch.setattr("chemomech.sweep.running.PAUSE", 0.001)
    folder = tmp_path / "out"
    cases = tuple(case._replace(folder=folder / case.folder.name) for case in three.cases)
    plan = three._replace(folder=folder, cases=cases)
    sweep.prepare(plan)
    return plan


def test_a_failure_stops_no_other_case_and_is_retried(planned):
    good, bad = Outcome(FINISHED), Outcome(FAILED, "no convergence")
    endings = {"initial = 0.05": good, "initial = 0.06": bad, "initial = 0.07": good}
    workers = _Pretended(2, endings)
    table = run(planned, workers)
    assert workers.most == 2
    assert workers.closed
    assert [row["status"] for row in rows(planned.folder)] == ["finished", "failed", "finished"]
    assert rows(planned.folder)[1]["message"] == "no convergence"
    assert table.outcomes[1] == bad
    again = _Pretended(2, dict.fromkeys(endings, good))
    run(planned, again)
    assert again.started == ["case_0002"]
    assert [row["status"] for row in rows(planned.folder)] == ["finished"] * 3


def test_a_polite_kill_leaves_everything_resumable(planned):
    good = dict.fromkeys([case.label for case in planned.cases], Outcome(FINISHED))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run(planned, _Pretended(1, good, interrupt_after=2))
    assert [row["status"] for row in rows(planned.folder)] == ["finished", "interrupted", "waiting"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_has_started_is_stopped_when_another_start_fails(planned):
    """And one that cannot be stopped, or a second kill, keeps none of the others from it."""
    stopped = []

    class Stubborn(_Job):
        def stop(self):
            os.kill(os.getpid(), signal.SIGINT)
            stopped.append(self.case.label)
            raise RuntimeError("will not stop")

    class Failing(_Pretended):
        def start(self, cases):
            yield from (Stubborn(self, case) for case in cases[:2])
            raise OSError("no more processes")

    workers = Failing(3, {})
    with pytest.raises(RuntimeError):
        run(planned, workers)
    assert sorted(stopped) == ["initial = 0.05", "initial = 0.06"]
    assert [row["status"] for row in rows(planned.folder)] == ["interrupted", "interrupted", "waiting"]
    assert workers.closed


def test_a_case_that_cannot_be_started_has_failed(planned, monkeypatch):
    """All but the first: a folder stands where its log should be, and the first finds no program to run."""
    for case in planned.cases[1:]:
        (case.folder / "log.txt").mkdir()
    monkeypatch.setattr(sys, "executable", str(planned.folder / "missing"))
    table = run(planned, sweep.Local(planned.folder, jobs=3))
    assert [outcome.status for outcome in table.outcomes] == [FAILED] * 3
    assert all("Cannot start the case" in outcome.message for outcome in table.outcomes)


@pytest.mark.parametrize(("chosen", "wanted"), [(False, "7"), (True, "2")])
def test_threads_that_were_asked_for_win_over_the_environment(tmp_path, monkeypatch, chosen, wanted):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    environment = Process(tmp_path, 2, chosen=chosen)._environment()
    assert environment["OMP_NUM_THREADS"] == wanted
    assert environment["MKL_NUM_THREADS"] == "2"


def test_local_cases_choose_their_cache_of_programs_themselves(tmp_path):
    workers = sweep.Local(tmp_path, jobs=2)
    workers.close()
    assert not [name for name in workers.settings if "CACHE" in name]


def test_overwriting_cancels_slurm_jobs_and_forgets_them(planned, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    names = [case.folder.name for case in planned.cases]
    submitted.remember(planned.folder, {names[0]: "7_0"})
    submitted.remember(planned.folder, {names[1]: "7_1"})
    with pytest.raises(FileError, match="may still be at work"):
        sweep.prepare(planned, overwrite=True)
    assert submitted.known(planned.folder) == {names[0]: "7_0", names[1]: "7_1"}
    scancel = tmp_path / "bin" / "scancel"
    scancel.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/cancelled"\nexit 1\n')
    scancel.chmod(0o755)
    sweep.prepare(planned, overwrite=True)
    assert (tmp_path / "cancelled").read_text().split() == ["7_0", "7_1"]
    assert submitted.known(planned.folder) == {}


def test_a_sweep_that_could_not_be_prepared_can_be_started_again(planned, tmp_path):
    folder = tmp_path / "other"
    cases = tuple(case._replace(folder=folder / case.folder.name) for case in planned.cases)
    cases = (*cases[:2], cases[2]._replace(folder=folder / ".lock" / "case"))
    sweep.Local(folder, jobs=1).close()
    with pytest.raises(FileError, match="Cannot make the folder"):
        sweep.prepare(planned._replace(folder=folder, cases=cases))
    require_folder(folder, "sweep.csv", resume=False, overwrite=False)


def test_a_folder_is_swept_once_at_a_time(planned):
    first = sweep.Local(planned.folder, jobs=1)
    with pytest.raises(Exception, match="still running"):
        sweep.Local(planned.folder, jobs=1)
    first.close()
    sweep.Local(planned.folder, jobs=1).close()


def test_resuming_with_more_values_keeps_the_cases_and_another_config_is_refused(planned, config):
    run(planned, _Pretended(3, dict.fromkeys([case.label for case in planned.cases], Outcome(FINISHED))))
    more = sweep.plan(config, planned.folder, [sweep.parse_axis("initial=0.04,0.05,0.07")], resume=True)
    assert [case.folder.name[:9] for case in more.cases] == ["case_0004", "case_0001", "case_0003"]
    config.write_text(CONFIG.replace("nx = 3", "nx = 4"))
    with pytest.raises(Exception, match="another config: mesh"):
        sweep.plan(config, planned.folder, [sweep.parse_axis("initial=0.05,0.06,0.07")], resume=True)


def test_swept_files_are_found_from_the_folder(tmp_path):
    tree = {"mesh": "a.msh", "initial": {"kind": "Map.read", "path": "a.h5"}, "potentials": [{"D": 1}]}
    for path, values, moved in (
        ("mesh", ["a.msh", {"path": "b.msh"}], ["../a.msh", {"path": "../b.msh"}]),
        ("initial.path", ["a.h5", "b.h5"], ["../a.h5", "../b.h5"]),
        ("initial", [0.1, {"kind": "Map.read", "path": "b.h5"}], [0.1, {"kind": "Map.read", "path": "../b.h5"}]),
        ("potentials.0.D", [1, 2], [1, 2]),
    ):
        found = _relocated(sweep.Axis(path, tuple(values)), tree, tmp_path / "config.toml", tmp_path / "out")
        assert found == moved


def test_a_case_that_was_killed_is_not_finished(tmp_path):
    assert outcome_of(tmp_path) == Outcome(WAITING)
    for said, wanted in [
        ("running", Outcome(INTERRUPTED)), ("stopped: too large", Outcome(FAILED, "too large")),
        ("finished", Outcome(FINISHED)),
    ]:  # fmt: skip
        (tmp_path / "summary.json").write_text(json.dumps({"status": said}))
        assert outcome_of(tmp_path) == wanted


# --- real cases ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two cases in their own processes. One iteration is too few for Newton, unless steps may be tiny."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "small.toml").write_text('control = { dt_min = "1 min" }\n' + CONFIG)
    return folder, invoke("sweep", folder / "small.toml", *FAILING, "--out", folder / "out", "--jobs", 2)


@pytest.mark.slow
def test_a_real_sweep_has_a_table_and_a_report(swept):
    folder, result = swept
    out = folder / "out"
    failed, finished = rows(out)
    assert (failed["status"], finished["status"]) == ("failed", "finished"), result.output
    assert float(finished["final soc [-]"]) == pytest.approx(0.12, abs=1e-8)
    history = read_history(out / finished["case"] / "history.csv")
    assert float(finished["final voltage [V]"]) == history["voltage [V]"][-1]
    assert float(finished["capacity [C]"]) == pytest.approx(history["charge [C]"][-1] - history["charge [C]"][0])
    assert (out / "sweep.png").stat().st_size > 0
    assert f"{finished['case'].replace('=', '%3D')}/report.html" in (out / "report.html").read_text()


@pytest.mark.slow
def test_a_real_case_that_fails_says_why(swept):
    folder, result = swept
    message = rows(folder / "out")[0]["message"]
    assert result.exit_code == 1
    assert "1 finished, 1 failed" in result.output
    assert "failed at t = " in message
    assert message in " ".join(result.output.split())
    assert message[:30] in (folder / "out" / "report.html").read_text()


@pytest.mark.slow
def test_the_report_of_a_real_sweep_is_drawn_again(swept):
    page = swept[0] / "out" / "report.html"
    page.unlink()
    assert invoke("report", swept[0] / "out").exit_code == 0
    assert page.exists()


@pytest.mark.slow
def test_submitit_runs_again_what_failed_and_nothing_else(swept):
    """The same sweep with more allowed to it would go on; with the same config it fails the same way."""
    pytest.importorskip("submitit")
    out = swept[0] / "out"
    finished = (out / rows(out)[1]["case"] / "summary.json").stat().st_mtime_ns
    before = rows(out)[0]["message"]
    plan = sweep.plan(out / "config.toml", out, resume=True)
    sweep.prepare(plan)
    table = run(plan, sweep.Slurm(out, time="10 min", mem="1 GB", partition="p", cluster="debug"))
    assert table.outcomes == [Outcome(FAILED, before), Outcome(FINISHED)]
    assert (plan.cases[1].folder / "summary.json").stat().st_mtime_ns == finished
    assert not (out / "slurm" / "jobs.json").exists()  # ids of a trial are not Slurm's


def test_slurm_says_what_is_missing(config, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(config.parent))
    result = invoke("sweep", config, "--set", "initial=0.05,0.1", "--out", config.parent / "out", "--slurm")
    assert result.exit_code == 1
    assert "Slurm cannot be used here" in result.output
    assert not (config.parent / "out").exists()
    monkeypatch.setitem(sys.modules, "submitit", None)
    result = invoke("sweep", config, "--set", "initial=0.05,0.1", "--out", config.parent / "out2", "--slurm")
    assert result.exit_code == 1
    assert 'pip install "submitit>=1.5"' in result.output


@pytest.mark.slow
def test_local_jobs_of_submitit(config):
    pytest.importorskip("submitit")
    config.write_text('control = { dt_min = "1 min" }\n' + CONFIG)
    axes = [sweep.parse_axis("initial=0.05,0.1"), sweep.parse_axis("newton.max_iterations=1,12")]
    plan = sweep.plan(config, config.parent / "out", axes)
    sweep.prepare(plan)
    table = run(plan, sweep.Slurm(plan.folder, time="10 min", cluster="local"))
    assert [outcome.status for outcome in table.outcomes] == [FAILED, FINISHED] * 2


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_an_interrupted_sweep_goes_on_to_the_same_table(config):
    """Ctrl-C in the middle; the same command with --resume ends with the numbers of an undisturbed sweep."""
    import time

    folder = config.parent
    values = ["--set", "protocol.0.until.soc=0.3,0.34", "--set", "control.tol=1e-4", "--set", "control.soc_max=0.0005"]
    command = [sys.executable, "-m", "chemomech", "sweep", "small.toml", *values, "--jobs", "2", "--out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = subprocess.run([*command, "whole"], cwd=folder, env=environment, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    heard = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    listening = [sys.executable, "-c", heard, *command]  # a test in the background is deaf to Ctrl-C
    cut = subprocess.Popen([*listening, "cut"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not list(folder.glob("cut/case_*/history.csv")) and time.monotonic() < deadline:
        time.sleep(0.05)
    cut.send_signal(signal.SIGINT)
    _, text = cut.communicate(timeout=600)
    assert cut.returncode == 130, text
    assert "--resume" in text
    status = [row["status"] for row in rows(folder / "cut")]
    assert "interrupted" in status
    assert set(status) <= {"interrupted", "finished"}  # one may be done before the signal comes
    for place, now, row in zip(sorted(folder.glob("cut/case_*")), status, rows(folder / "whole"), strict=True):
        saved = (place / "history.csv").read_text().splitlines() if (place / "history.csv").exists() else []
        assert now == "finished" or len(saved) - 1 < int(row["steps"])
    again = subprocess.run([*command, "cut", "--resume"], cwd=folder, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    for one, other in zip(rows(folder / "cut"), rows(folder / "whole"), strict=True):
        assert one["case"] == other["case"]
        for name in ("steps", "final voltage [V]", "final charge [C]", "final free energy [J]"):
            assert float(one[name]) == pytest.approx(float(other[name]), rel=1e-10)


SLURM = {
    "sbatch": """#!{python}
import os, re, subprocess, sys
script = sys.argv[1]
with open(os.path.join(os.path.dirname(sys.argv[0]), "calls"), "a") as calls:
    calls.write(open(script).read())
last = re.search(r"--array=0-([0-9]+)", open(script).read())
for task in range(int(last[1]) + 1):
    names = dict(JOB_ID=f"7{{task}}", ARRAY_JOB_ID="7", ARRAY_TASK_ID=str(task), NTASKS="1", JOB_NUM_NODES="1")
    names |= dict(NODEID="0", PROCID="0", LOCALID="0")
    environment = os.environ | {{"SLURM_" + name: value for name, value in names.items()}}
    nowhere = subprocess.DEVNULL
    subprocess.Popen(["bash", script], env=environment, start_new_session=True, stdout=nowhere, stderr=nowhere)
print("Submitted batch job 7")
""",
    "srun": '#!/bin/sh\nshift 5\nexec "$@"\n',
    "sacct": "#!/bin/sh\necho 'JobID|State|NodeList'\necho '7_[0-1]|RUNNING|x'\n",
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_sweep_takes_its_slurm_jobs_over(config):
    """Programs that speak like Slurm's: one array is submitted, and not again while its jobs are at work."""
    import time

    pytest.importorskip("submitit")
    folder, bin = config.parent, config.parent / "bin"
    bin.mkdir()
    for name, text in SLURM.items():
        (bin / name).write_text(text.format(python=sys.executable) if name == "sbatch" else text)
        (bin / name).chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    values = ["--set", "protocol.0.until.soc=0.3,0.32", "--set", "control.tol=1e-4", "--out", "out"]
    options = ["--slurm", "--partition", "quick", "--time", "2 h", "--mem", "3 GB", "--gpus", "1", "--jobs", "5"]
    command = [sys.executable, "-m", "chemomech", "sweep", "small.toml", *values, *options, "--slurm-option", "qos=x"]
    first = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not (folder / "out" / "slurm" / "jobs.json").exists() and first.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.kill()
    _, text = first.communicate()
    assert first.returncode == -signal.SIGKILL, text
    second = subprocess.run([*command, "--resume"], cwd=folder, env=environment, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert [row["status"] for row in rows(folder / "out")] == ["finished"] * 2
    calls = (bin / "calls").read_text()
    assert calls.count("#!/bin/bash") == 1
    for flag in ("partition=quick", "time=120", "mem=3GB", "gpus-per-node=1", "array=0-1%2", "qos=x"):
        assert f"#SBATCH --{flag}\n" in calls
