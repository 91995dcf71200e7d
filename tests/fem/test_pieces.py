"""Straight pieces of cells and facets, and how much of them lies above a level."""

import numpy as np
import pytest

from chemomech.fem.mesh import Mesh, box, elevate, rectangle
from chemomech.fem.pieces import cell_pieces, facet_pieces, share_above

MESHES = [
    rectangle(2.0, 1.0, 3, 2), rectangle(2.0, 1.0, 3, 2, "quad"), elevate(rectangle(2.0, 1.0, 3, 2)),
    box(2.0, 1.0, 0.5, 2, 1, 1), box(2.0, 1.0, 0.5, 2, 1, 1, "hexahedron"), elevate(box(2.0, 1.0, 0.5, 2, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("mesh", MESHES, ids=lambda mesh: mesh.cell_type)
def test_pieces_cover_cells_and_facets(mesh):
    cells, facets = cell_pieces(mesh), facet_pieces(mesh, mesh.boundary)
    np.testing.assert_allclose(np.bincount(cells.parent, cells.measure), mesh.cell_measures(), rtol=1e-13)
    assert facets.measure.sum() == pytest.approx(6.0 if mesh.dim == 2 else 7.0, rel=1e-13)
    x = mesh.points[cells.nodes].mean(axis=1)
    assert cells.measure @ x[:, 0] == pytest.approx(mesh.measure() * 1.0, rel=1e-13)  # the first moment too


@pytest.mark.parametrize("mesh", MESHES, ids=lambda mesh: mesh.cell_type)
@pytest.mark.parametrize("level", [-0.1, 0.3, 1.0, 1.7, 2.1])
def test_share_of_a_linear_field_is_exact(mesh, level):
    pieces = cell_pieces(mesh)
    found = share_above(mesh.points[pieces.nodes, 0], level) @ pieces.measure / mesh.measure()
    assert found == pytest.approx(np.clip(1 - level / 2, 0, 1), abs=1e-13)


@pytest.mark.parametrize("corners", [2, 3, 4])
def test_share_of_a_simplex_by_sampling(corners):
    """Uniform points in a simplex have barycentric coordinates of a flat Dirichlet distribution."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, corners))
    share = rng.dirichlet(np.ones(corners), 200_000)
    np.testing.assert_allclose(share_above(values, 0.2), ((values @ share.T) > 0.2).mean(axis=1), atol=5e-3)


def test_share_at_the_level():
    """Corners on the level belong to neither side; a flat piece there counts half."""
    assert share_above([[0.5, 0.5, 0.0], [0.5, 0.5, 1.0], [0.5, 0.5, 0.5]], 0.5).tolist() == [0.0, 1.0, 0.5]


def test_pieces_of_some_cells():
    mesh = Mesh.build([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2], [0, 2, 3]], "triangle")
    assert cell_pieces(mesh, np.array([1])).nodes.tolist() == [[0, 2, 3]]
