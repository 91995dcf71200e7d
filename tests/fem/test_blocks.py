"""Blocks of the tangent: every entry in its place, whatever the order of the nodes."""

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.blocks import build_blocks
from chemomech.fem.connectivity import near
from chemomech.fem.mesh import box, elevate, rectangle

MESHES = {
    "triangles": lambda: rectangle(1.0, 1.0, 5, 4),
    "tetrahedra": lambda: box(1.0, 1.0, 1.0, 3, 2, 2),
    "quadratic triangles": lambda: elevate(rectangle(1.0, 1.0, 3, 3)),
}


def shuffled(mesh):
    """The same mesh with its nodes in another order."""
    order = np.random.default_rng(0).permutation(len(mesh.points))
    return cm.Mesh.build(mesh.points[order], np.argsort(order)[mesh.cells], mesh.cell_type)


def problem(mesh, *constraints):
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), constraints=constraints,
        potentials=[
            cm.Stored([cm.RegularSolution(chi=3.0), cm.GradientEnergy(0.1), cm.LinearElastic.isotropic(250.0, 0.25)]),
            cm.Storage(), cm.Diffusion(D=1.0),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(("name", "tied"), [*((name, False) for name in MESHES), ("triangles", True)])
def test_slots_lead_to_the_entries_of_the_tangent(name, tied):
    """Of each pair of components, by row and column of the reduced tangent."""
    mesh = MESHES[name]() if tied else shuffled(MESHES[name]())
    p = problem(mesh, *([cm.Periodic("x")] if tied else []))
    blocks = build_blocks(p.mesh, p.fields, p.lift, p.pattern)
    assert (blocks.size < len(mesh.points)) == tied
    row_of = np.repeat(np.arange(p.pattern.size), np.diff(p.pattern.indptr))
    groups = np.repeat(np.arange(blocks.size), np.diff(blocks.indptr))
    numbers = {"c": blocks.c, "mu": blocks.mu} | {f"u.{a}": blocks.u[:, k] for k, a in enumerate("xyz"[: mesh.dim])}
    for (a, b), slot in blocks.slot.items():
        there = slot < p.pattern.nnz
        assert there.any()
        free = (numbers[a][groups] < p.pattern.size) & (numbers[b][blocks.indices] < p.pattern.size)
        np.testing.assert_array_equal(there, free)
        np.testing.assert_array_equal(row_of[slot[there]], numbers[a][groups][there])
        np.testing.assert_array_equal(p.pattern.indices[slot[there]], numbers[b][blocks.indices][there])


def test_neighbours_lie_close_together():
    """The mean distance in number between neighbours, of nodes in an order without sense."""
    cells = shuffled(box(1.0, 1.0, 1.0, 8, 8, 8)).cells
    number = np.argsort(near(cells.T, cells.max() + 1))
    apart, before = (np.abs(v[cells[:, 0]] - v[cells[:, 1]]).mean() for v in (number, np.arange(len(number))))
    assert sorted(number) == list(range(len(number)))
    assert apart < 0.3 * before


def test_nodal_coefficients_follow_the_order_of_the_nodes():
    """A composition that varies from place to place, on a mesh and on the same with its nodes shuffled."""
    found = []
    for mesh in (MESHES["triangles"](), shuffled(MESHES["triangles"]())):
        p = problem(mesh)
        evolution = cm.Evolution(p, cm.Newton(linear=cm.Krylov()))
        x = evolution.start(p.state(c=lambda x: 0.2 + 0.5 * x[:, 0] * x[:, 1] ** 2))
        old = evolution.expand(x)
        tangent = evolution.tangent(x, (old, old, 0.0, 0.1), p.drive())
        by_place = np.lexsort(mesh.points.T)
        found.append(np.asarray(tangent.coefficients().curvature)[tangent.blocks.node][by_place])
    assert np.ptp(found[0]) > 0.1
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
