"""Cells taken in chunks: the same numbers as all at once, in less memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech import evolution as kernels
from chemomech.fem.mesh import box, elevate, rectangle
from chemomech.fem.slices import held
from chemomech.kernels import Kernels

HOST = cm.Host(c_max=2.29e4, T=298.15)
L = 20e-9


def particle(mesh):
    """All couplings, a reaction on facets, a stiffness and a composition of its own in each cell."""
    rng, cells = np.random.default_rng(1), len(mesh.cells)
    elastic = cm.LinearElastic.isotropic(
        E=cm.PerCell(rng.uniform(4e10, 8e10, cells)), nu=0.3, eigenstrain=cm.Vegard([0.05, 0.02, -0.01])
    )
    psi = [cm.RegularSolution(chi=3.0), cm.GradientEnergy(8e-10), elastic]
    reaction = cm.ButlerVolmer(cm.BazantExchange(k0=0.1), V0=0.0, on="boundary")
    diffusion = cm.Diffusion(D=cm.PerCell(rng.uniform(1e-18, 1e-16, cells)))
    return cm.Problem.build(mesh, host=HOST, potentials=[cm.Stored(psi), cm.Storage(), diffusion, reaction])


MESHES = {
    "triangles": lambda: rectangle(L, L, 5, 4),
    "quadratic triangles": lambda: elevate(rectangle(L, L, 3, 3)),
    "tetrahedra": lambda: box(L, L, L, 2, 2, 1),
    "quadratic tetrahedra": lambda: elevate(box(L, L, L, 2, 1, 1)),
}
CASES = [
    ("triangles", cm.HostDirect()),
    *(pytest.param(name, linear, marks=pytest.mark.slow) for name, linear in [
        ("tetrahedra", cm.Krylov()), ("quadratic triangles", cm.Krylov()),
    ]),
]  # fmt: skip


def state(problem, seed=0):
    """Every unknown away from special values."""
    rng, (n, dim) = np.random.default_rng(seed), problem.mesh.points.shape
    u = rng.normal(0, 0.01 * L, (n, dim))
    return problem.state(c=rng.uniform(0.2, 0.8, n), mu=rng.normal(0, 2000.0, n), u=u, V=0.05)


def everything(problem, linear, budget):
    """All that a step evaluates, by name, and the number of chunks."""
    evolution = cm.Evolution(problem, cm.Newton(linear=linear), budget=budget)
    x, old = evolution.start(state(problem)), evolution.expand(evolution.start(problem.uniform(0.4)))
    given, drive = (old, old, 0.0, 3.0), problem.drive(V=("load", 1e-12))
    rng = np.random.default_rng(2)
    out = {"residual": evolution.residual(x, given, drive), "limit": evolution.limit(x, rng.normal(0, 1.0, len(x)))}
    out |= {"mass": evolution.mass(x), "current": evolution.current(x), "measures": evolution.measures(x)._asdict()}
    t = evolution.tangent(x, given, drive)
    out["border"] = t.border
    if linear.knows_fields:
        out["pairs"] = [v for a in problem.fields for b in problem.fields if (v := t.values((a, b))) is not None]
        out["scalars"], out["coefficients"] = [m.data for m in t.scalars()[:4]], t.coefficients()
    else:
        out["data"] = t.data
    return out, problem.kernel(budget).slicing.chunks


@pytest.mark.slow
@pytest.mark.parametrize(("name", "linear"), CASES, ids=str)
def test_chunks_give_what_all_cells_at_once_give(name, linear):
    """Residual, tangent, coefficients, energies, stresses, current and step limit, in five chunks or more."""
    problem = particle(MESHES[name]())
    whole, one = everything(problem, linear, 1e9)
    parts, several = everything(problem, linear, held(problem.terms) / 4.5)
    assert (one, several) == (1, 5)
    for key in whole:
        for a, b in zip(jax.tree.leaves(whole[key]), jax.tree.leaves(parts[key]), strict=True):
            a, b = np.asarray(a), np.asarray(b)
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13 * np.abs(a).max(initial=1e-300), err_msg=key)


def test_windows_hold_each_cell_once():
    """Also where the number of cells is no multiple of the number of windows, or is smaller."""
    domain = particle(MESHES["triangles"]()).terms[0].domain
    for count in (1, 3, 7, 40, 41):
        seen = np.zeros(len(domain.cell))
        for k in range(count):
            part = domain.window(jnp.asarray(k), count)
            np.add.at(seen, np.asarray(part.cell), np.asarray(part.weight[0] > 0, float))
        np.testing.assert_array_equal(seen, 1.0)


@pytest.mark.slow
def test_stresses_of_overlapping_terms_add_up_in_chunks():
    """A second elastic energy on half of the cells."""
    mesh = rectangle(L, L, 4, 4)
    mesh = eqx.tree_at(lambda m: m.cell_sets, mesh, {"left": np.flatnonzero(mesh.centroids()[:, 0] < 0.5 * L)})
    soft = cm.LinearElastic.isotropic(60e9, 0.3, cm.Vegard(0.02))
    problem = cm.Problem.build(mesh, host=HOST, potentials=[
        cm.Stored([cm.RegularSolution(chi=3.0), soft]), cm.Stored(soft, on="left"), cm.Storage(), cm.Diffusion(D=1e-17),
    ])  # fmt: skip
    rng = np.random.default_rng(0)
    found = []
    for budget in (1e9, held(problem.terms) / 5):
        evolution = cm.Evolution(problem, budget=budget)
        found.append(evolution.measures(evolution.start(problem.state(c=rng.uniform(0.2, 0.8, len(mesh.points))))))
        rng = np.random.default_rng(0)
    assert found[0].von_mises == pytest.approx(found[1].von_mises, rel=1e-12)
    assert found[0].principal == pytest.approx(found[1].principal, rel=1e-12)


@pytest.mark.slow
def test_what_a_kernel_holds_falls_with_the_budget():
    """Temporary memory of the compiled tangent, as XLA reports it, beyond that of the nodal sums."""
    problem = particle(box(L, L, L, 8, 8, 8))

    def size(budget):
        evolution = cm.Evolution(problem, budget=budget)
        x = evolution.start(state(problem))
        old, drive = evolution.expand(x), problem.drive()
        arguments = (evolution.constants, x, old, old, 0.0, 3.0, drive.prescribed, drive.value)
        return Kernels(problem, budget).memory(kernels._tangent, *arguments).temp_size_in_bytes

    sums = size(1e5)
    whole, parts = (size(budget) - sums for budget in (1e9, 1e6))
    assert 1e6 < whole < held(problem.terms)
    assert parts < 1e6
    assert sums + parts < 3e6
    assert whole > 8 * parts
