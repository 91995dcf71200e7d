"""A part made whole."""

import numpy as np
import pytest

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh, box, rectangle
from chemomech.geometry import mirrored


def test_sets_and_data_take_in_their_images():
    part = rectangle(2.0, 1.0, 4, 3)
    part = Mesh.build(
        part.points, part.cells, "triangle", {"some": [0, 1]}, dict(part.facet_sets),
        {"turn": np.arange(24.0)}, {"corner": [4]},
    )  # fmt: skip
    whole = mirrored(part, "left", "bottom")
    assert set(whole.facet_sets) == {"right", "top"}
    assert whole.measure() == pytest.approx(8)
    assert whole.measure("some") == pytest.approx(4 * part.measure("some"))
    assert whole.points.min(axis=0) == pytest.approx([-2, -1])
    assert len(whole.points) == 9 * 7
    assert np.array_equal(whole.cell_data["turn"], np.tile(np.arange(24.0), 4))
    assert np.sort(whole.points[whole.point_sets["corner"]], axis=0) == pytest.approx(np.array([[-2, 0], [2, 0]]))
    assert len(whole.boundary) == len(whole.facets("right")) + len(whole.facets("top"))


def test_what_is_no_part_is_refused():
    mesh = box(1.0, 1.0, 1.0, 2, 2, 2)
    with pytest.raises(MeshError, match="lies in no plane"):
        mirrored(mesh, "boundary")
    with pytest.raises(MeshError, match="hexahedron cannot be mirrored"):
        mirrored(box(1.0, 1.0, 1.0, 1, 1, 1, "hexahedron"), "xmin")
    inside = Mesh.build(mesh.points, mesh.cells, "tetra", facet_sets={"middle": _facets_at(mesh, 0.5)})
    with pytest.raises(MeshError, match="on both sides of 'middle'"):
        mirrored(inside, "middle")


def _facets_at(mesh, x):
    corners = mesh.cells[:, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]].reshape(-1, 3)
    return corners[(mesh.points[corners, 0] == x).all(axis=1)]
