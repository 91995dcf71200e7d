"""The estimate of a factor's memory, and of what there is."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import box, rectangle
from chemomech.solve.factor import SuperLU
from chemomech.solve.memory import _of_group, available_memory, factor_memory


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


def test_a_control_group_may_allow_less(tmp_path):
    assert _of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert _of_group(tmp_path) == 600_000.0
    (tmp_path / "memory.max").write_text("max\n")
    assert not np.isfinite(_of_group(tmp_path) or np.inf)
