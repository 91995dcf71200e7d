"""Quality of cells against shapes that are known."""

from math import pi

import numpy as np
import pytest

from chemomech.fem.mesh import Mesh, box, rectangle
from chemomech.geometry import quality_of

UP = np.array([[0, 0, 0], [1, 0, 0], [0.5, 3**0.5 / 2, 0], [0.5, 3**0.5 / 6, (2 / 3) ** 0.5]])


@pytest.mark.parametrize(
    ("mesh", "angle"),
    [
        (Mesh.build(UP, [[0, 1, 2, 3]], "tetra"), np.arccos(1 / 3)),
        (Mesh.build(UP[:3, :2], [[0, 1, 2]], "triangle"), pi / 3),
    ],
)
def test_an_equilateral_cell(mesh, angle):
    found = quality_of(mesh)
    assert (found.least, found.mean, found.edge_ratio) == pytest.approx((1, 1, 1))
    assert (found.smallest_angle, found.largest_angle) == pytest.approx((angle, angle))


def test_right_triangles():
    found = quality_of(rectangle(2.0, 1.0, 2, 1))
    assert (found.smallest_angle, found.largest_angle) == pytest.approx((pi / 4, pi / 2))
    assert found.edge_ratio == pytest.approx(2**0.5)
    assert found.least == pytest.approx(3**0.5 / 2)


def test_a_corner_of_a_cube():
    found = quality_of(Mesh.build(np.eye(4, 3, -1), [[0, 1, 2, 3]], "tetra"))
    assert (found.smallest_angle, found.largest_angle) == pytest.approx((np.arccos(1 / 3**0.5), pi / 2))


def test_hexahedra_have_no_angles():
    found = quality_of(box(2.0, 1.0, 1.0, 1, 1, 1, "hexahedron"))
    assert found.least == pytest.approx(3 * 4 ** (1 / 3) / 6)
    assert found.edge_ratio == pytest.approx(2)
    assert np.isnan(found.smallest_angle)
