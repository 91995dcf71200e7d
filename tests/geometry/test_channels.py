"""Slabs with channels: volume between cylinders or cones, sets, matched sides, walls."""

from math import pi, sqrt

import numpy as np
import pytest
from drawn import fifty, share, sizes
from hypothesis import given
from hypothesis import strategies as some
from with_gmsh import needs_gmsh

from chemomech.errors import MeshError
from chemomech.fem.mesh import periodic_pairs
from chemomech.geometry import channels

pytestmark = [pytest.mark.gmsh, needs_gmsh]


def volume(pitch, radius, thickness, radius_top, array):
    r, r_top = radius, radius_top
    cone = pi * thickness / 3 * (r**2 + r * r_top + r_top**2)
    return pitch**2 * thickness - cone if array == "square" else sqrt(3) * pitch**2 * thickness - 2 * cone


@pytest.mark.slow
@fifty
@given(sizes, share(0.15, 0.55), share(0.15, 0.55), share(0.4, 1.5), some.sampled_from(["square", "hexagonal"]))
def test_any_slab_is_meshed_or_refused(pitch, r, r_top, thickness, array):
    given = dict(pitch=pitch, radius=r * pitch, thickness=thickness * pitch, radius_top=r_top * pitch, array=array)
    if max(r, r_top) > 0.499:
        with pytest.raises(MeshError, match="leaves no wall"):
            channels(**given, h=0.3 * pitch)
        return
    mesh = channels(**given, h=0.3 * pitch, channel_h=0.2 * pitch)
    exact = volume(**given)
    assert 0.999 * exact < mesh.measure() < exact + 0.12 * (sqrt(3) * pitch**2 * thickness * pitch)
    assert sum(map(len, mesh.facet_sets.values())) == len(mesh.boundary)


@pytest.mark.parametrize("array", ["square", "hexagonal"])
def test_graded_channels_repeat(array):
    given = dict(pitch=1e-6, radius=0.4e-6, thickness=1e-6, radius_top=0.25e-6, array=array)
    mesh = channels(**given, h=0.25e-6, channel_h=0.12e-6)
    assert mesh.measure() == pytest.approx(volume(**given), rel=0.04)
    radius = np.linalg.norm(mesh.points[mesh.nodes_of("channels"), :2] - 0.5e-6, axis=1)
    if array == "square":
        z = mesh.points[mesh.nodes_of("channels"), 2]
        assert radius == pytest.approx(0.4e-6 - 0.15 * z, rel=1e-6)
    for axis in (0, 1):
        far, near = periodic_pairs(mesh, axis)
        moved = mesh.points[far] - mesh.points[near]
        assert np.abs(np.delete(moved, axis, axis=1)).max() < 1e-13


def test_channels_that_meet_are_refused():
    with pytest.raises(MeshError, match="leaves no wall at a pitch of 1e-06 m"):
        channels(1e-6, 0.5e-6, 1e-6, 1e-7)
    with pytest.raises(MeshError, match="array is 'round'. Try: square, hexagonal"):
        channels(1e-6, 0.3e-6, 1e-6, 1e-7, array="round")
