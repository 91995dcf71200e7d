"""Several devices give the step that one gives."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import rectangle
from chemomech.kernels import Kernels

SCRIPT = Path(__file__).parent / "step_on_devices.py"


def start(out, mesh, linear, devices, forced=1, network=()):
    """The script in a process with some CPU devices of its own."""
    own = {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={forced}",
        "PJRT_NPROC": "16",  # threads: a device that waits for the others holds one, and must leave them some
        "NPROC": "16",
    }
    path = os.pathsep.join([str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, SCRIPT, out, mesh, linear, str(devices), *map(str, network)]
    return subprocess.Popen(
        list(map(str, command)), env={**os.environ, **own, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
    )


def finish(process, out):
    """What it wrote."""
    try:
        _, errors = process.communicate(timeout=500)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-3000:]
    return dict(np.load(out))


def assert_same(one, several):
    """All of a step to 1e-9 of the largest unknown, of each number its own size."""
    for key, value in one.items():
        scale = np.abs(value).max() if key == "x" else np.abs(value)
        assert np.all(np.abs(several[key] - value) <= 1e-9 * scale), key


CASES = [("triangles", "direct", 2), ("quadratic", "krylov", 4), ("tetrahedra", "compiled", 4)]


@pytest.mark.slow
@pytest.mark.parametrize(("mesh", "linear", "count"), CASES)
def test_forced_devices_of_one_process(mesh, linear, count, tmp_path):
    """A coupled step with a reaction on facets and per-cell stiffness, in chunks on each device."""
    files = tmp_path / "one.npz", tmp_path / "several.npz"
    processes = start(files[0], mesh, linear, 1), start(files[1], mesh, linear, count, forced=count)
    assert_same(*(finish(p, f) for p, f in zip(processes, files, strict=True)))


@pytest.mark.slow
def test_two_processes_of_a_cluster(tmp_path):
    """jax.distributed over gloo: both processes end with the step of a single one."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    files = [tmp_path / f"{name}.npz" for name in ("one", "first", "second")]
    processes = [start(files[0], "triangles", "compiled", 1)]
    processes += [start(files[1 + k], "triangles", "compiled", 2, network=(address, 2, k)) for k in (0, 1)]
    one, *both = [finish(p, f) for p, f in zip(processes, files, strict=True)]
    for found in both:
        assert_same(one, found)


def test_more_devices_than_cells_are_refused():
    """With both numbers."""
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 1, 1), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(cm.RegularSolution(chi=3.0)), cm.Storage(), cm.Diffusion(D=1.0)],
    )  # fmt: skip
    with pytest.raises(cm.ChemomechError, match="5 devices cannot share"):
        Kernels(problem, devices=range(5))
