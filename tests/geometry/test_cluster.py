"""Clusters: spheres less the caps beyond their necks, particles apart or grown together, refusals."""

from math import pi, sqrt

import numpy as np
import pytest
from drawn import attempted, fifty, seeds, share, sizes
from hypothesis import given
from hypothesis import strategies as some
from with_gmsh import needs_gmsh

from chemomech.errors import MeshError
from chemomech.geometry import packing, particle_chain

pytestmark = [pytest.mark.gmsh, needs_gmsh]


def chain_volume(radii, neck):
    def cap(r):
        t = r - sqrt(r**2 - neck**2)
        return pi * t**2 * (3 * r - t) / 3

    ends = [cap(radii[0]), *(2 * cap(r) for r in radii[1:-1]), cap(radii[-1])]
    return [4 / 3 * pi * r**3 - end for r, end in zip(radii, ends)]


def pieces(mesh):
    """Number of parts that hang together."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, last = mesh.cells[:, :-1].ravel(), mesh.cells[:, 1:].ravel()
    n = len(mesh.points)
    return connected_components(coo_matrix((np.ones(len(first)), (first, last)), (n, n)))[0]


@pytest.mark.slow
@fifty
@given(sizes, some.integers(2, 4), share(0.5, 1), share(0.01, 1.1))
def test_any_chain_is_meshed_or_refused(radius, count, last, neck):
    neck *= last * radius
    radii = np.linspace(radius, last * radius, count)
    mesh, why = attempted(lambda: particle_chain(radius, neck, 0.5 * radius, count=count, last_radius=radii[-1]))
    if mesh is None:
        assert "a neck of" in why or "three spheres overlap" in why
        assert neck > 0.7 * last * radius or neck < 0.021 * radius
        return
    volumes = chain_volume(radii, neck)
    for name, exact in zip(mesh.cell_sets, volumes, strict=True):
        assert 0.7 * exact < mesh.measure(name) < 1.001 * exact
    assert len(mesh.facets("surface")) == len(mesh.boundary)
    assert pieces(mesh) == 1


@pytest.mark.slow
@fifty
@given(sizes, some.integers(1, 3), share(0, 0.4), some.none() | share(0.2, 0.5), seeds)
def test_any_packing_is_meshed_or_refused(radius, count, spread, neck, seed):
    necks = None if neck is None else neck * radius
    given = dict(side=7 * radius, radius=radius, count=count, h=0.6 * radius, spread=spread, neck=necks, seed=seed)
    mesh, why = attempted(lambda: packing(**given))
    if mesh is None:
        assert any(words in why for words in ("a neck of", "found a place", "does not fit", "overlap"))
        return
    assert len(mesh.cell_sets) == count
    assert pieces(mesh) == (count if neck is None else 1)
    assert len(mesh.facets("surface")) == len(mesh.boundary)
    assert mesh.points.min() >= -1e-9 * radius
    assert mesh.points.max() <= (7 + 1e-9) * radius
    if neck is None:
        radii = np.sort(radius * np.exp(spread * np.random.default_rng(seed).standard_normal(count)))
        assert mesh.measure() == pytest.approx(4 / 3 * pi * (radii**3).sum(), rel=0.3)


def test_two_spheres_share_a_neck():
    mesh = particle_chain("1 um", "0.4 um", "0.25 um")
    left, right = (mesh.measure(name) for name in ("particle_1", "particle_2"))
    assert left == pytest.approx(chain_volume([1e-6, 1e-6], 0.4e-6)[0], rel=0.05)
    assert left == pytest.approx(right, rel=0.02)
    neck = mesh.points[mesh.nodes_of("neck")]
    assert neck[:, 0] == pytest.approx(sqrt(0.84) * 1e-6)
    assert np.linalg.norm(neck[:, 1:], axis=1).max() == pytest.approx(0.4e-6)
    assert np.array_equal(mesh.points, particle_chain("1 um", "0.4 um", "0.25 um").points)


def test_a_packing_grows_as_a_tree():
    given = dict(side=8e-6, radius=1e-6, count=5, h=0.6e-6, spread=0.2, neck=0.3e-6, seed=2)
    mesh = packing(**given)
    assert pieces(mesh) == 1
    assert pieces(packing(**{**given, "neck": None})) == 5
    assert np.array_equal(mesh.points, packing(**given).points)


def test_what_is_impossible_is_refused():
    with pytest.raises(MeshError, match="a neck of 1e-06 m. Try: 2e-08 m to 9.5e-07 m"):
        particle_chain(1e-6, 1e-6, 1e-7)
    with pytest.raises(MeshError, match="three spheres overlap"):
        particle_chain(1e-6, 0.9e-6, 1e-7, count=3)
    with pytest.raises(MeshError, match="of 40 spheres have found a place in a box of 3e-06 m"):
        packing(3e-6, 1e-6, 40, 1e-6)
    with pytest.raises(MeshError, match="spread is 2"):
        packing(3e-6, 1e-6, 1, 1e-6, spread=2)
