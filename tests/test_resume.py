"""A run that is killed at random moments and resumed gives the history of the run that was not."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from chemomech.io.history import read_history
from chemomech.viz import load_frame, read_frames

CONFIG = """
mesh = { kind = "Rectangle", lx = "24 nm", ly = "24 nm", nx = 8, ny = 8 }
host = { c_max = "2.29e4 mol/m^3" }
initial = { kind = "Noise", c = 0.1, amplitude = 0.01, seed = 2 }
output = { frames = 30 }
control = { tol = 5e-4 }

[[potentials]]
kind = "Stored"
psi = [{ kind = "RegularSolution", chi = 3.0 }, { kind = "GradientEnergy", kappa = "1e-13 J*m^2/mol" }]

[[potentials]]
kind = "Storage"

[[potentials]]
kind = "ButlerVolmer"
exchange = { kind = "ConstantExchange", i0 = "0.01 A/m^2" }
V0 = "3.4 V"
thickness = "20 nm"

[[protocol]]
kind = "Discharge"
c_rate = 1.0
until = { soc = 0.8 }

[[protocol]]
kind = "Rest"
until = { time = "10 min" }

[[protocol]]
kind = "Charge"
c_rate = 1.0
until = { soc = 0.3 }
"""


def start(folder, out, cache, *flags):
    command = [
        sys.executable,
        "-c",
        "from chemomech.cli import main; main()",
        "run",
        "config.toml",
        "--out",
        out,
        *flags,
    ]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    settings = {
        "PYTHONPATH": root, "JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }  # fmt: skip
    return subprocess.Popen(
        command, cwd=folder, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def steps(folder):
    path = folder / "history.csv"
    return len(read_history(path)["step"]) if path.exists() else 0


def assert_readable(folder):
    """Whatever moment the run was killed at."""
    if (folder / "history.csv").exists():
        read_history(folder / "history.csv")
    if (folder / "fields.pvd").exists():
        for _, path in read_frames(folder):
            load_frame(path)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_kill_and_resume(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    cache, chance = tmp_path / "cache", random.Random(0)
    whole = start(tmp_path, "whole", cache)
    output, _ = whole.communicate(timeout=600)
    assert whole.returncode == 0, output
    reference = read_history(tmp_path / "whole" / "history.csv")
    total = len(reference["step"])

    folder = tmp_path / "killed"
    for attempt in range(2):
        before = steps(folder)
        target = before + chance.randint(total // 8, total // 4)
        process = start(tmp_path, "killed", cache, *(["--resume"] if attempt else []))
        deadline = time.monotonic() + 300
        while process.poll() is None and steps(folder) < target and time.monotonic() < deadline:
            time.sleep(0.01 + 0.05 * chance.random())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert_readable(folder)

    last = start(tmp_path, "killed", cache, "--resume")
    output, _ = last.communicate(timeout=600)
    assert last.returncode == 0, output
    found = read_history(folder / "history.csv")
    assert set(found) == set(reference)
    assert np.array_equal(found["step"], reference["step"])
    for name, values in reference.items():
        scale = max(np.abs(values).max(), 1e-300)
        assert np.abs(found[name] - values).max() <= 1e-10 * scale, name
    times = [t for t, _ in read_frames(folder)]
    assert times == pytest.approx([t for t, _ in read_frames(tmp_path / "whole")], rel=1e-10)
