"""The estimate of a factor's memory, and of what there is."""

import pytest

import chemomech as cm
from chemomech.fem.mesh import box, rectangle
from chemomech.solve.factor import SuperLU
from chemomech.solve.memory import LIMITS, available_memory, factor_memory


@pytest.mark.slow
@pytest.mark.parametrize("mesh", [rectangle(1, 1, 40, 40), box(1, 1, 1, 8, 8, 8)], ids=["plane", "solid"])
def test_the_estimate_covers_the_factor(mesh):
    """Of c-mu-u: at least the entries of L and U with their indices, at most five times that."""
    psi = cm.RegularSolution(chi=2.5) + cm.GradientEnergy(1e-3) + cm.LinearElastic.isotropic(1.0, 0.3, cm.Vegard(0.1))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    evolution = cm.Evolution(problem, cm.Newton(linear=cm.HostDirect()))
    x = evolution.start(problem.uniform(0.3))
    now, lu = evolution.expand(x), SuperLU()
    lu.update(evolution.tangent(x, (now, now, 0.0, 0.1), problem.drive()).csr())
    held = 12.0 * (lu._lu.L.nnz + lu._lu.U.nnz)
    assert held <= factor_memory(problem.unknowns, mesh.dim, "superlu") <= 5.0 * held


def test_it_grows_as_nested_dissection_does():
    assert factor_memory(80_000, 3) == pytest.approx(16 * factor_memory(10_000, 3))
    assert factor_memory(10_000, 2) < factor_memory(10_000, 3)


def test_available_memory_is_plausible():
    assert 1e7 < available_memory() < 1e15


def _group(folder, version, limit, used=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(LIMITS[version], (limit, used), strict=True):
        if value is not None:
            (folder / name).write_text(f"{value}\n")


@pytest.fixture
def root(tmp_path):
    """A machine with 8 MB free."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    return tmp_path


@pytest.mark.parametrize(
    ("version", "line", "mount"),
    [(2, "0::/slurm/job_1/step_0", ""), (1, "4:cpu,memory:/slurm/job_1/step_0", "memory")],
)
def test_the_tightest_control_group_around_the_process_counts(root, version, line, mount):
    top = root / "sys/fs/cgroup" / mount
    assert available_memory(root) == 8_192_000.0
    (root / "proc/self/cgroup").write_text(f"9:cpuset:/elsewhere\n{line}\n")
    assert available_memory(root) == 8_192_000.0  # its groups are not to be seen
    _group(top / "elsewhere", version, 1)
    _group(top, version, 5_000_000)  # a container's; says nothing of what is used
    assert available_memory(root) == 5_000_000.0
    _group(top / "slurm/job_1", version, 1_000_000, 400_000)
    _group(top / "slurm/job_1/step_0", version, "max" if version == 2 else 2**63 - 4096, 300_000)
    assert available_memory(root) == 600_000.0
    _group(top / "slurm/job_1", version, 1_000_000, 1_000_001)
    assert available_memory(root) == 0.0
