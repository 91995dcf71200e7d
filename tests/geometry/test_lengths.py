"""Lengths of every kind: text or number, sizes that are met or refused, and what is no length."""

import numpy as np
import pytest
from with_gmsh import needs_gmsh

from chemomech.errors import MeshError
from chemomech.fem.mesh import facet_nodes
from chemomech.geometry import film, kinds

pytestmark = [pytest.mark.gmsh, needs_gmsh]

LATTICE = {"lattice": [4, 5, 6]}
CASES = {  # whole numbers are lengths in nm, of which some differ by round-off from the number with 1e-9
    "ball": dict(radius=19, h=14),
    "channels": dict(pitch=47, radius=13, thickness=19, h=17, radius_top=14, channel_h=11),
    "crystal_platelet": LATTICE | dict(thickness=19, diameter=41, h=13, sides={"100": 1.0, "001": 1.0}),
    "disk": dict(radius=19, h=14),
    "ellipsoid": dict(a=23, b=19, c=17, h=13),
    "ellipsoid_section": dict(a=23, b=19, h=13),
    "film": dict(length=47, thickness=13, h=17, width=41, substrate=19, film_h=11),
    "hollow_section": dict(outer=23, inner=11, h=9),
    "hollow_sphere": dict(outer=23, inner=11, h=9),
    "inverse_opal": dict(a=47, radius=17, h=17, pore_h=13, substrate=11),
    "nanowire": dict(width=19, length=41, h=11, height=17),
    "packing": dict(side=47, radius=7, h=6, spread=0.1),
    "particle_chain": dict(radius=19, neck=7, h=13, last_radius=17),
    "platelet": dict(side=41, h=17, edge_h=13),
    "polycrystal": dict(size=41, h=17, boundary_h=13),
    "polyhedron": LATTICE | dict(distances={"100": 19, "010": 17, "001": 23}, h=13),
    "rod": dict(radius=19, length=41, h=13),
    "rod_section": dict(radius=19, length=41, h=13),
    "sphere_octant": dict(radius=19, h=14),
    "strip": dict(length=41, height=19, h=13),
    "superellipsoid": dict(a=23, b=19, c=17, exponents=4.0, h=13),
    "wulff": LATTICE | dict(gammas={"100": 1.0, "111": 1.0}, size=41, h=13),
}
COUNTS = {"packing": dict(count=2), "polycrystal": dict(grains=3)}


def in_nm(value, length):
    if isinstance(value, dict):
        return {key: in_nm(entry, length) for key, entry in value.items()}
    if isinstance(value, list):
        return [in_nm(entry, length) for entry in value]
    return length(value) if isinstance(value, int) else value


def made(name, length, /, **other):
    return kinds.kinds()[name](**in_nm(CASES[name], length) | COUNTS.get(name, {}) | other)


@pytest.mark.parametrize("name", kinds.kinds())
def test_text_and_number_give_the_same_mesh(name):
    if name == "polycrystal":
        pytest.importorskip("pyvoro2")
    one, two = made(name, lambda x: f"{x} nm"), made(name, lambda x: float(f"{x}e-9"))
    three = made(name, lambda x: x * 1e-9 * (1 + 2e-16))
    assert np.array_equal(one.cells, two.cells)
    assert np.array_equal(one.points, two.points)
    assert np.array_equal(one.points, three.points)


@pytest.mark.parametrize("name", kinds.kinds())
def test_what_is_no_length_is_refused_by_its_key(name):
    """NaN and lists for every length, None for those that are needed, before anything is drawn."""
    for parameter in kinds.parameters(kinds.kinds()[name]):
        if parameter.unit != "m" or parameter.name in ("lattice", "distances"):
            continue
        for wrong in (float("nan"), [1e-9, 2e-9], np.ones(2), *([None] if parameter.needed else [])):
            with pytest.raises(MeshError, match=f"{name}: {parameter.name} is "):
                made(name, lambda x: x * 1e-9, **{parameter.name: wrong})


def test_a_fine_size_is_met_on_a_long_surface():
    mesh = film(1000e-6, 5e-6, 50e-6, substrate=50e-6, film_h=2e-6)
    ends = mesh.points[facet_nodes(mesh, mesh.facets("top"))]
    assert np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).max() < 2.1e-6


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("film", dict(h=40), "h is 4e-08 m, but the body is only 4.1e-08 m across"),
        ("film", dict(film_h=18), "film_h is 1.8e-08 m, larger than h"),
        ("channels", dict(h=40), "h is 4e-08 m, but"),
        ("channels", dict(channel_h=18), "channel_h is 1.8e-08 m, larger than h"),
        ("inverse_opal", dict(h=40), "h is 4e-08 m, but"),
        ("inverse_opal", dict(pore_h=18), "pore_h is 1.8e-08 m, larger than h"),
        ("particle_chain", dict(h=40), "h is 4e-08 m, but"),
        ("packing", dict(h=40), "h is 4e-08 m, but"),
        ("polycrystal", dict(h=40), "h is 4e-08 m, but"),
        ("polycrystal", dict(boundary_h=18), "boundary_h is 1.8e-08 m, larger than h"),
    ],
)
def test_sizes_that_the_body_does_not_allow(name, given, words, monkeypatch):
    monkeypatch.setitem(CASES, name, CASES[name] | given)
    with pytest.raises(MeshError, match=f"{name}: {words}"):
        made(name, lambda x: x * 1e-9)
