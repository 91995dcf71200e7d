"""Polycrystals: grains fill the particle, their numbers, their boundaries, their seeds."""

import builtins
from math import pi
from pathlib import Path

import numpy as np
import pytest
from drawn import fifty, seeds, sizes
from hypothesis import given
from hypothesis import strategies as some
from with_gmsh import needs_gmsh

from chemomech.errors import ChemomechError, MeshError
from chemomech.fem.mesh import Mesh, facet_nodes
from chemomech.geometry import polycrystal

pytestmark = [pytest.mark.gmsh, needs_gmsh]
pytest.importorskip("pyvoro2")
MESHES = Path(__file__).parents[2] / "meshes"
VOLUME = {"ball": pi / 6, "box": 1.0, "disk": pi / 4}


@pytest.mark.slow
@fifty
@given(sizes, some.integers(1, 12), some.sampled_from(sorted(VOLUME)), seeds, some.integers(0, 3))
def test_any_grains_fill_their_particle(size, grains, shape, seed, relax):
    mesh = polycrystal(size, grains, 0.3 * size, shape=shape, seed=seed, relax=relax)
    exact = VOLUME[shape] * size**mesh.dim
    assert mesh.measure() == pytest.approx(exact, rel=1e-9 if shape == "box" else 0.15)
    assert mesh.measure() <= exact * (1 + 1e-9)
    assert set(mesh.cell_sets) == {f"grain_{k}" for k in range(1, grains + 1)}
    assert sum(map(len, mesh.cell_sets.values())) == len(mesh.cells)
    assert len(mesh.facets("surface")) == len(mesh.boundary)


def test_grain_boundaries_lie_between_two_grains_and_are_flat():
    mesh = polycrystal("10 um", 8, "2.5 um")
    grain = mesh.cell_data["grain"]
    assert sorted(set(grain)) == list(range(1, 9))
    assert np.array_equal(np.flatnonzero(grain == 3), mesh.cells_of("grain_3"))
    of = {}
    for cell, number in zip(mesh.cells, grain):
        for left_out in range(4):
            of.setdefault(frozenset(np.delete(cell, left_out).tolist()), set()).add(number)
    between = {frozenset(nodes.tolist()) for nodes in facet_nodes(mesh, mesh.facets("grain_boundary"))}
    assert between == {nodes for nodes, numbers in of.items() if len(numbers) == 2}


def test_the_seed_decides():
    first, again, other = (polycrystal(1e-6, 12, 2e-7, shape="disk", seed=seed).points for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_relaxed_grains_are_more_even():
    sizes = []
    for relax in (0, 20):
        mesh = polycrystal(1e-6, 12, 1e-7, shape="disk", seed=4, relax=relax)
        areas = [mesh.measure(name) for name in mesh.cell_sets]
        sizes.append(np.std(areas) / np.mean(areas))
    assert sizes[1] < 0.4 * sizes[0]


def test_what_is_impossible_is_refused():
    with pytest.raises(MeshError, match="grains is 0"):
        polycrystal(1e-6, 0, 1e-7)
    with pytest.raises(MeshError, match="shape is 'cube'. Try: ball, box, disk"):
        polycrystal(1e-6, 3, 1e-7, shape="cube")


def test_a_missing_pyvoro2_is_explained(monkeypatch):
    plain = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pyvoro2":
            raise ImportError("No module named 'pyvoro2'")
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ChemomechError, match=r'Grains need pyvoro2.*pip install "chemomech\[grains\]"'):
        polycrystal(1e-6, 3, 1e-7)


def test_the_committed_polycrystal():
    mesh = Mesh.read(MESHES / "polycrystal_8.msh", scale="um")
    assert mesh.measure() == pytest.approx(pi / 6 * 1e-15, rel=0.02)
    assert set(mesh.cell_sets) == {f"grain_{k}" for k in range(1, 9)}
    volumes = mesh.cell_measures()
    assert volumes.min() > 0.05 * volumes.mean()
