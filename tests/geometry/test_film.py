"""Films: sizes and sets of any film, matched sides, a fine film on a coarse substrate, refusals."""

import numpy as np
import pytest
from drawn import fifty, share, sizes
from hypothesis import given
from hypothesis import strategies as some
from with_gmsh import needs_gmsh

from chemomech.errors import MeshError
from chemomech.fem.mesh import periodic_pairs
from chemomech.geometry import channels, film, strip
from chemomech.geometry.session import group, mesh_model, session

pytestmark = [pytest.mark.gmsh, needs_gmsh]


@pytest.mark.slow
@fifty
@given(sizes, share(0.2, 1), some.none() | share(0.5, 1), some.none() | share(0.3, 1), share(0, 0.5), some.booleans())
def test_any_film_has_its_size_and_sets(size, thick, wide, below, over, periodic):
    extra = {"width": wide * size if wide else None, "substrate": below * size if below else None}
    over = over * size if below and over > 0.15 else None
    mesh = film(size, thick * size, 0.3 * size, overhang=over, periodic=periodic, **extra)
    across = wide * size if wide else 1
    assert mesh.measure("film") == pytest.approx(size * thick * size * across)
    assert set(mesh.cell_sets) == {"film"} | ({"substrate"} if below else set())
    if below:
        longer = (size + 2 * (over or 0)) * (wide * size + 2 * (over or 0) if wide else 1)
        assert mesh.measure("substrate") == pytest.approx(below * size * longer)
    outer = sum(len(mesh.facets(name)) for name in ("top", "base", "sides") + (("bare",) if over else ()))
    assert outer == len(mesh.boundary)
    assert ("interface" in mesh.facet_sets) == bool(below)
    if periodic:
        assert all(len(periodic_pairs(mesh, axis)[0]) > 1 for axis in range(mesh.dim - 1))


def test_a_fine_film_on_a_coarse_substrate_with_matched_sides():
    given = dict(length="400 nm", thickness="40 nm", h="80 nm", width="200 nm", substrate="200 nm", film_h="25 nm")
    mesh = film(**given, periodic=True)
    assert np.array_equal(mesh.points, film(**given, periodic=True).points)
    assert len(mesh.facets("top")) > 4 * len(mesh.facets("base"))  # of the same area; (80 / 25)^2 = 10
    for axis, length in ((0, 400e-9), (1, 200e-9)):
        far, near = periodic_pairs(mesh, axis)
        move = np.zeros(3)
        move[axis] = length
        assert np.abs(mesh.points[far] - mesh.points[near] - move).max() < 1e-15
    assert mesh.points[mesh.nodes_of("interface"), 2] == pytest.approx(0, abs=1e-15)


def test_a_film_with_an_edge_leaves_its_substrate_bare():
    mesh = film(1e-6, 1e-7, 1e-7, substrate=3e-7, overhang=2e-7)
    assert mesh.measure("film") == pytest.approx(1e-13)
    assert mesh.measure("substrate") == pytest.approx(4.2e-13)
    assert np.abs(mesh.points[mesh.nodes_of("bare"), 0]).min() == pytest.approx(5e-7)
    assert mesh.points[mesh.nodes_of("xmax"), 1].max() == pytest.approx(0, abs=1e-15)


def test_an_overhang_needs_a_substrate():
    with pytest.raises(MeshError, match="film: an overhang is that of a substrate"):
        film(1e-6, 1e-7, 1e-7, overhang=1e-7)


LONG, THIN = "1 mm", "500 nm"


@pytest.mark.parametrize("substrate", [None, "100 um"])
@pytest.mark.parametrize("periodic", [False, True])
def test_a_long_thin_film_keeps_its_sets(substrate, periodic):
    mesh = film(LONG, THIN, "200 um", substrate=substrate, periodic=periodic)
    assert set(mesh.facet_sets) == {"top", "base", "sides", "xmin", "xmax"} | ({"interface"} if substrate else set())
    assert mesh.points[mesh.nodes_of("top"), 1] == pytest.approx(500e-9)
    assert sum(len(mesh.facets(name)) for name in ("top", "base", "sides")) == len(mesh.boundary)


@pytest.mark.slow
def test_long_thin_strips_and_sheets_with_channels_keep_their_sets():
    mesh = strip(LONG, THIN, "375 nm", periodic=True)
    assert set(mesh.facet_sets) == {"left", "right", "bottom", "top"}
    sheet = channels(LONG, "300 um", THIN, "250 um")
    assert {"base", "top", "channels", "xmin", "xmax", "ymin", "ymax"} == set(sheet.facet_sets)


def test_a_film_too_thin_for_gmsh_is_refused_by_name():
    with pytest.raises(MeshError, match="film: the shape is too thin"):
        film("1 mm", "0.5 nm", "200 um")


def test_sets_that_are_not_found_and_broken_meshes_name_their_source():
    with session("film") as gmsh, pytest.raises(MeshError, match="film: gmsh finds nothing of the set 'top'"):
        group(gmsh, 1, "top", [])
    with session("film") as gmsh:
        gmsh.model.occ.addRectangle(0, 0, 0, 1, 1)
        gmsh.model.occ.synchronize()
        with pytest.raises(MeshError) as refused:
            mesh_model(gmsh, 3, 1.0, "um")
        assert "film: " in str(refused.value)
        gmsh.model.addPhysicalGroup(1, [1], name="line")
        with pytest.raises(MeshError) as refused:
            mesh_model(gmsh, 2, 1.0, "um")
        assert "film" in str(refused.value)
        assert "model.msh" not in str(refused.value)
