"""Descriptors against closed forms on structured meshes, and of a part made whole."""

from math import pi

import numpy as np
import pytest
from with_gmsh import needs_gmsh

from chemomech import geometry
from chemomech.errors import MeshError, UnitError
from chemomech.fem.mesh import Mesh, box, elevate, rectangle
from chemomech.geometry import descriptors

BRICK = {kind: box(3e-9, 2e-9, 1e-9, 6, 4, 2, kind) for kind in ("tetra", "hexahedron")}


@pytest.mark.parametrize("kind", BRICK)
def test_a_brick(kind):
    mesh = BRICK[kind]
    assert descriptors.volume(mesh) == pytest.approx(6e-27)
    assert descriptors.area(mesh) == pytest.approx(22e-18)
    assert descriptors.area(mesh, "zmax") == pytest.approx(6e-18)
    assert descriptors.area_per_mass(mesh, "2 g/cm^3") == pytest.approx(22e-18 / (2000 * 6e-27))
    assert descriptors.sphericity(mesh) == pytest.approx(pi ** (1 / 3) * 36 ** (2 / 3) / 22)
    assert descriptors.diffusion_length(mesh) == pytest.approx(0.5e-9)
    assert descriptors.diffusion_length(mesh, "xmin") == pytest.approx(3e-9)


@pytest.mark.parametrize("mesh", [BRICK["tetra"], elevate(BRICK["tetra"])])
def test_aspect_ratio_of_a_brick_turned_in_space(mesh):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    assert descriptors.aspect_ratio(mesh.moved(mesh.points @ turn.T + 1e-8)) == pytest.approx(3)


def test_a_rectangle():
    mesh = rectangle(4.0, 1.0, 8, 4)
    assert descriptors.aspect_ratio(mesh) == pytest.approx(4)
    assert descriptors.sphericity(mesh) == pytest.approx(2 * (4 * pi) ** 0.5 / 10)
    assert set(descriptors.described(mesh, density=1.0)) == {
        "area [m^2]", "circumference [m]", "area per mass [m^2/kg]", "circularity [-]", "aspect ratio [-]",
        "diffusion length [m]",
    }  # fmt: skip


def test_distance_ends_at_the_facets_and_not_at_their_planes():
    """From a node off the end of a facet: to its corner, edge or inside, by brute force over points of the facets."""
    mesh = box(3.0, 2.0, 1.0, 3, 2, 1)
    nodes = mesh.points[mesh.nodes_of("xmin")]
    part = Mesh.build(mesh.points, mesh.cells, "tetra", facet_sets={"low": [mesh.cells[0][[0, 1, 2]]]})
    corners = part.points[mesh.cells[0][[0, 1, 2]]]
    shares = np.array([[i, j, 40 - i - j] for i in range(41) for j in range(41 - i)]) / 40
    sampled = np.linalg.norm(mesh.points[:, None] - shares @ corners, axis=2).min(axis=1).max()
    assert descriptors.diffusion_length(part, "low") == pytest.approx(sampled, rel=1e-3)
    assert len(nodes) == 6


def test_what_has_no_answer_is_refused():
    with pytest.raises(MeshError, match="aspect_ratio: no moments of a hexahedron"):
        descriptors.aspect_ratio(BRICK["hexahedron"])
    assert "aspect ratio [-]" not in descriptors.described(BRICK["hexahedron"])
    with pytest.raises(MeshError, match="density is 0"):
        descriptors.area_per_mass(BRICK["tetra"], 0.0)
    with pytest.raises(UnitError, match="density"):
        descriptors.area_per_mass(BRICK["tetra"], "3 m")
    with pytest.raises(MeshError, match="no facet set 'skin'"):
        descriptors.diffusion_length(BRICK["tetra"], "skin")


@pytest.mark.gmsh
@needs_gmsh
def test_an_ellipsoid_of_its_octant():
    part = geometry.ellipsoid(50e-9, 30e-9, 20e-9, 9e-9, part="octant")
    whole = geometry.mirrored(part, "xmin", "ymin", "zmin")
    assert set(whole.facet_sets) == {"surface"}
    assert len(whole.facets("surface")) == len(whole.boundary) == 8 * len(part.facets("surface"))
    assert descriptors.volume(whole) == pytest.approx(8 * part.measure())
    assert descriptors.aspect_ratio(whole) == pytest.approx(2.5, rel=0.02)
    p = 1.6075  # Knud Thomsen's formula, right to about one percent
    a, b, c = 50.0, 30.0, 20.0
    area = 4 * pi * (((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3) ** (1 / p)
    exact = pi ** (1 / 3) * (6 * 4 / 3 * pi * a * b * c) ** (2 / 3) / area
    assert descriptors.sphericity(whole) == pytest.approx(exact, rel=0.02)
    assert descriptors.diffusion_length(whole) == pytest.approx(20e-9, rel=0.05)
