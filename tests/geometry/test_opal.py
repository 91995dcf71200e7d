"""Inverse opals: volume by inclusion and exclusion, sets, matched sides, quarters, and solids that fall apart."""

from math import pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from drawn import fifty, share, sizes
from hypothesis import given
from hypothesis import strategies as some
from with_gmsh import needs_gmsh

from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh, periodic_pairs
from chemomech.geometry import inverse_opal
from chemomech.geometry.opal import APART, THIN, TOUCH, _centres, _draw, height, solid_volume
from chemomech.geometry.session import session

pytestmark = [pytest.mark.gmsh, needs_gmsh]
layers = some.integers(1, 3)
MESHES = Path(__file__).parents[2] / "meshes"


def possible(ratio):
    return ratio < APART - THIN and abs(ratio - TOUCH) >= THIN


@pytest.mark.slow
@fifty
@given(share(0.3, 0.406), layers, some.booleans(), some.booleans())
def test_shapes_have_the_volume_of_the_formula(ratio, count, open_top, open_base):
    if not possible(ratio):
        with pytest.raises(MeshError, match="pores just touch"):
            inverse_opal(1.0, ratio, 0.3)
        return
    ends = (open_top, open_base)
    if count == 1 and all(ends):
        with pytest.raises(MeshError, match="open at top and base has no height. Try: layers = 2"):
            inverse_opal(1.0, ratio, 0.3, open_top=True, open_base=True)
        return
    box = (0.5, 0.5, height(1.0, count, *ends))
    with session() as gmsh:
        pieces, _ = _draw(gmsh, box, 0.0, _centres(1.0, ratio, count, box, open_base), ratio)
        volume = sum(gmsh.model.occ.getMass(3, piece) for piece in pieces)
    assert len(pieces) == 1
    assert 4 * volume == pytest.approx(solid_volume(1.0, ratio, count, *ends), rel=1e-5)


@pytest.mark.slow
@fifty
@given(sizes, share(0.3, 0.42), some.integers(1, 2), some.sampled_from([(False, False), (True, False), (False, True)]))
def test_any_quarter_is_meshed_or_refused(a, ratio, count, ends):
    given = dict(a=a, radius=ratio * a, h=0.15 * a, layers=count, sides="mirror", open_top=ends[0], open_base=ends[1])
    if not possible(ratio):
        with pytest.raises(MeshError, match="falls apart|just touch"):
            inverse_opal(**given)
        return
    mesh = inverse_opal(**given)
    assert 4 * mesh.measure() == pytest.approx(solid_volume(a, ratio * a, count, *ends), rel=0.13)
    assert set(mesh.facet_sets) == {"pores", "base", "top", "xmin", "xmax", "ymin", "ymax"}
    assert sum(map(len, mesh.facet_sets.values())) == len(mesh.boundary)


@pytest.mark.parametrize("ratio", [0.30, 0.36, 0.375])
def test_a_monolayer_repeats_and_has_its_volume(ratio):
    mesh = inverse_opal("1 um", ratio * 1e-6, "0.2 um", pore_h="0.1 um")
    assert mesh.measure() == pytest.approx(solid_volume(1e-6, ratio * 1e-6, 1), rel=0.04)
    assert sum(map(len, mesh.facet_sets.values())) == len(mesh.boundary)
    for axis in (0, 1):
        far, near = periodic_pairs(mesh, axis)
        move = np.zeros(3)
        move[axis] = 1e-6
        assert np.abs(mesh.points[far] - mesh.points[near] - move).max() < 1e-13


def test_the_volume_converges_as_the_pores_are_refined():
    exact = solid_volume(1.0, 0.3, 1)
    errors = [4 * inverse_opal(1.0, 0.3, h, sides="mirror").measure() - exact for h in (0.12, 0.06)]
    assert 0 < errors[1] < 0.35 * errors[0]


@pytest.mark.slow
def test_ribbons_islands_and_substrates():
    a, r = 1e-6, 0.37e-6
    whole = solid_volume(a, r, 1)
    ribbon = inverse_opal(a, r, 0.15e-6, sides="ribbon", cells_y=2, substrate=0.2e-6)
    assert ribbon.measure("opal") == pytest.approx(2 * whole, rel=0.05)
    assert ribbon.measure("substrate") == pytest.approx(2 * 0.2e-18)
    assert {"interface", "bare"} <= set(ribbon.facet_sets)
    assert len(periodic_pairs(ribbon, 0)[0]) > 10
    island = inverse_opal(a, r, 0.15e-6, sides="island", cells_x=2, cells_y=2)
    assert island.measure("opal") == pytest.approx(4 * whole, rel=0.05)
    assert np.array_equal(island.points, inverse_opal(a, r, 0.15e-6, sides="island", cells_x=2, cells_y=2).points)


def test_the_formula_without_overlap_is_box_minus_spheres():
    assert solid_volume(1.0, 0.3, 2) == pytest.approx(2 * TOUCH + 0.5 - 4 * 4 / 3 * pi * 0.027)


def test_what_falls_apart_is_refused():
    with pytest.raises(MeshError, match=r"falls apart at 0\.4082 a.*smaller pores"):
        inverse_opal(1e-6, 1e-6 / sqrt(6), 1e-7)
    with pytest.raises(MeshError, match="pores just touch.*radius below 0.3526 a or above 0.3546 a"):
        inverse_opal(1e-6, 1e-6 / sqrt(8), 1e-7)
    with pytest.raises(MeshError, match="sides is 'open'. Try: periodic, mirror, ribbon, island"):
        inverse_opal(1e-6, 0.36e-6, 1e-7, sides="open")
    with pytest.raises(MeshError, match="layers is 0. Try: a whole number from 1 on"):
        inverse_opal(1e-6, 0.36e-6, 1e-7, layers=0)


def test_the_committed_quarter():
    mesh = Mesh.read(MESHES / "inverse_opal_quarter.msh", scale="nm")
    assert 4 * mesh.measure("opal") == pytest.approx(solid_volume(500e-9, 180e-9, 2, open_top=True), rel=0.025)
    assert set(mesh.facet_sets) == {"pores", "base", "top", "xmin", "xmax", "ymin", "ymax"}
