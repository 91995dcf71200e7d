"""Geometries of random parameters: the right volume and sets, or a refusal that says why; the same mesh each time."""

import os
import re
from dataclasses import dataclass
from math import gamma, pi, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from with_gmsh import needs_gmsh

from chemomech import geometry
from chemomech.errors import MeshError
from chemomech.fem.mesh import periodic_pairs
from chemomech.geometry.kinds import kinds
from chemomech.geometry.parts import PARTS

DRAWS = 50 if os.environ.get("CHEMOMECH_ALL") else 5
SIZES = (2e-8, 5e-6, 1e-3)  # [m]: built in nm, um and mm
LFP = ("10.33 angstrom", "6.01 angstrom", "4.69 angstrom")
CUBIC, HEXAGONAL = (1.0, 1.0, 1.0), (1.0, 1.0, 1.6, "90 deg", "90 deg", "120 deg")


@dataclass(frozen=True)
class Case:
    """A geometry, the volume or area that it must have within a bound, its facet sets, and whether it is refused."""

    kind: str
    arguments: dict
    exact: float
    bound: float
    sets: set
    refused: bool = False
    optional: set | None = frozenset()  # facet sets that it may have; None: any

    def make(self):
        """The mesh."""
        return getattr(geometry, self.kind)(**self.arguments)


# Facets with edges l lie inside a convex surface by l^2 (k1 + k2) / 16 or less on the mean. With l up to 1.7 h, the
# volume that they cut off is at most 0.25 h^2 times the integral of the mean curvature, which for a convex body is
# 2 pi times its mean width: of an ellipsoid at most 2 |axes| / sqrt(3), of whatever lies in a box at most a + b + c.
GAP = 0.25
flag = st.booleans()
part = st.sampled_from(list(PARTS))
size = st.sampled_from(SIZES)


def numbers(low, high):
    return st.floats(low, high, allow_nan=False).map(lambda x: round(x, 3))


def sizes(draw, extent, coarse=1.7):
    """Element sizes, sometimes finer outside, sometimes too coarse for half of an extent."""
    h = extent * draw(numbers(0.5, coarse))
    return {"h": h} | ({"surface_h": 0.6 * h} if draw(flag) else {}), h


@st.composite
def ellipsoids(draw, kind="ellipsoid"):
    axes = [draw(size)] * 3
    axes = [axis * draw(numbers(1, 4)) for axis in axes]
    cut = draw(part)
    given, h = sizes(draw, min(axes))
    arguments = dict(zip("abc", axes), part=cut, **given)
    copies = 2 ** len(PARTS[cut])
    exact, width = 4 / 3 * pi * prod(axes) / copies, 2 * (sum(a**2 for a in axes) / 3) ** 0.5
    if kind == "superellipsoid":
        powers = draw(st.one_of(numbers(1, 20), st.tuples(*[numbers(1, 20)] * 3)))
        p = np.broadcast_to(powers, 3)
        exact = 8 * prod(axes) * prod(gamma(1 + 1 / q) for q in p) / gamma(1 + sum(1 / p)) / copies
        arguments["exponents"], width = powers, sum(axes)
    gap = GAP * h**2 * 2 * pi * width / copies
    return Case(kind, arguments, exact, gap, {"surface", *PARTS[cut]}, h > 1.5 * min(axes))


@st.composite
def round_ones(draw, kind):
    r = draw(size)
    given, h = sizes(draw, r)
    exact = {"ball": 4 / 3 * pi * r**3, "sphere_octant": pi / 6 * r**3, "disk": pi * r**2}[kind]
    gap = GAP * h**2 * {"ball": 4 * pi * r, "sphere_octant": pi * r / 2, "disk": pi}[kind]
    sets = {"surface"} | ({"xmin", "ymin", "zmin"} if kind == "sphere_octant" else set())
    return Case(kind, {"radius": r, **given}, exact, gap, sets, h > 1.5 * r)


@st.composite
def ellipsoid_sections(draw):
    a, b = (draw(size) * draw(numbers(1, 4)) for _ in range(2)) if draw(flag) else (SIZES[0], 2 * SIZES[0])
    a, b = a, min(max(b, a / 5), 5 * a)
    given, h = sizes(draw, min(a, b))
    sets = {"surface", "axis", "midplane"}
    return Case("ellipsoid_section", {"a": a, "b": b, **given}, pi / 4 * a * b, GAP * h**2, sets, h > 1.5 * min(a, b))


@st.composite
def shells(draw, kind):
    outer = draw(size)
    inner = outer * draw(numbers(0.2, 1.1))
    thick = max(outer - inner, 0.2 * outer)
    h = thick * draw(numbers(0.5, 1.4))
    arguments = {"outer": outer, "inner": inner, "h": h}
    refused = inner >= outer or h > min(((outer - inner) * outer) ** 0.5, 1.5 * inner)
    if kind == "hollow_section":
        gap, sets = GAP * h**2, {"outer", "inner", "axis", "midplane"}
        return Case(kind, arguments, pi / 4 * (outer**2 - inner**2), gap, sets, refused)
    cut = draw(part)
    copies = 2 ** len(PARTS[cut])
    exact, gap = 4 / 3 * pi * (outer**3 - inner**3) / copies, GAP * h**2 * 4 * pi * (outer + inner) / copies
    return Case(kind, arguments | {"part": cut}, exact, gap, {"outer", "inner", *PARTS[cut]}, refused)


@st.composite
def wires(draw, kind):
    width = draw(size)
    length = width * draw(numbers(1, 4))
    height = width * draw(numbers(0.7, 1.5)) if kind == "nanowire" else width
    given, h = sizes(draw, min(width, height) / 2)
    cut = draw(part)
    periodic = draw(flag) if cut == "whole" else draw(st.integers(0, 7)) == 0
    arguments = {"length": length, "part": cut, "periodic": periodic, **given}
    names, refused = PARTS[cut], h > 0.75 * min(width, height, length) or (periodic and cut != "whole")
    copies, area, around, longest = 2 ** len(names), pi / 4 * width * height, pi, length
    if kind == "rod":
        arguments["radius"] = width / 2
    else:
        arguments |= {"width": width, "height": height}
        if draw(flag):
            arguments["section"], area, around = "rectangular", width * height, 0.0
        if draw(flag):
            bend = arguments["bend_radius"] = width * draw(numbers(0.4, 3))
            refused = refused or periodic or cut == "octant" or bend <= width / 2 or length >= 2 * pi * bend
            around, longest = 2 * pi, length * (1 + width / 2 / bend)  # a bent plane is curved, too
    sets = {"side", "end", *names} if names else {"side", "start", "end"}
    return Case(kind, arguments, area * length / copies, GAP * h**2 * around * longest / copies + 1e-9 * area * length,
                sets, refused)  # fmt: skip


@st.composite
def rectangles(draw, kind):
    length = draw(size)
    other = length * draw(numbers(0.3, 3))
    given, h = sizes(draw, min(length, other) / 2)
    refused = h > 0.75 * min(length, other)
    if kind == "strip":
        arguments, sets = {"length": length, "height": other}, {"left", "right", "bottom", "top"}
        return Case(
            kind, arguments | given | {"periodic": draw(flag)}, length * other, 1e-9 * length * other, sets, refused
        )
    arguments, sets = {"radius": other / 2, "length": length}, {"side", "end", "axis", "midplane"}
    return Case(kind, arguments | given, length * other / 4, 1e-9 * length * other, sets, refused)


@st.composite
def squares(draw):
    side = draw(size)
    given, _ = sizes(draw, 0.5 * side, coarse=0.8)
    given = {"h": given["h"]} | ({"edge_h": given["surface_h"]} if "surface_h" in given else {})
    return Case("platelet", {"side": side, **given}, side**2, 1e-9 * side**2, {"left", "right", "bottom", "top"})


@st.composite
def crystals(draw):
    lattice = draw(st.sampled_from([LFP, CUBIC, HEXAGONAL, (1.0, 1.2, 1.6, 1.4, 1.7, 1.5)]))
    hexagonal, triclinic = lattice is HEXAGONAL, len(lattice) == 6 and lattice is not HEXAGONAL
    planes = ["100", "001", "101"] if hexagonal else ["100", "010", "001"] if triclinic else ["100", "011", "111"]
    gammas = {plane: draw(numbers(0.9, 1.2)) for plane in planes}
    each, cut, diameter = draw(flag), "whole" if triclinic else draw(part), draw(size)
    given, _ = sizes(draw, diameter / 4, coarse=1.2)
    exact = pi / 6 * diameter**3 / 2 ** len(PARTS[cut])
    arguments = {"gammas": gammas, "lattice": lattice, "size": diameter, "part": cut, "each": each, **given}
    return Case("wulff", arguments, exact, 1e-9 * exact, set(PARTS[cut]), optional=None if each else set(planes))


@st.composite
def boxes(draw):
    distances = {name: draw(size) for name in ("100",)}
    distances |= {name: distances["100"] * draw(numbers(0.5, 2)) for name in ("010", "001")}
    cut = draw(part)
    given, h = sizes(draw, min(distances.values()))
    exact = 8 * prod(distances.values()) / 2 ** len(PARTS[cut])
    arguments = {"distances": distances, "lattice": LFP, "part": cut, **given}
    return Case(
        "polyhedron", arguments, exact, 1e-9 * exact, {*distances, *PARTS[cut]}, h > 1.5 * min(distances.values())
    )


@st.composite
def plates(draw):
    thickness = draw(size)
    diameter, cut = thickness * draw(numbers(1.5, 4)), draw(part)
    given, _ = sizes(draw, thickness / 2, coarse=1.4)
    exact = pi / 4 * diameter**2 * thickness / 2 ** len(PARTS[cut])
    arguments = {"thickness": thickness, "diameter": diameter, "lattice": LFP, "part": cut, **given}
    arguments["sides"] = {"100": 1.0, "101": draw(numbers(0.95, 1.05))}
    return Case("crystal_platelet", arguments, exact, 1e-9 * exact, {"010", "100", "101", *PARTS[cut]})


CASES = {
    "ellipsoid": ellipsoids(),
    "superellipsoid": ellipsoids("superellipsoid"),
    **{kind: round_ones(kind) for kind in ("ball", "sphere_octant", "disk")},
    "ellipsoid_section": ellipsoid_sections(),
    **{kind: shells(kind) for kind in ("hollow_sphere", "hollow_section")},
    **{kind: wires(kind) for kind in ("rod", "nanowire")},
    **{kind: rectangles(kind) for kind in ("strip", "rod_section")},
    "platelet": squares(),
    "wulff": crystals(),
    "polyhedron": boxes(),
    "crystal_platelet": plates(),
}


@pytest.mark.gmsh
@needs_gmsh
@pytest.mark.parametrize("kind", CASES)
def test_random_parameters_make_a_sound_mesh_or_are_refused(kind):
    """Volume from below and within the discretisation error; every facet of the boundary in exactly one set."""

    @settings(max_examples=DRAWS, deadline=None, database=None, derandomize=True)
    @given(CASES[kind])
    def holds(case):
        if case.refused:
            with pytest.raises(MeshError, match=rf"{kind}: .* Try: "):
                case.make()
            return
        mesh = case.make()
        assert abs(mesh.measure() - case.exact) <= case.bound
        named = set(mesh.facet_sets)
        assert case.sets <= named
        assert case.optional is None or named <= case.sets | case.optional
        assert sum(map(len, mesh.facet_sets.values())) == len(mesh.boundary)
        assert [len(cells) for cells in mesh.cell_sets.values()] == [len(mesh.cells)]
        if case.arguments.get("periodic"):
            assert len(periodic_pairs(mesh, mesh.dim - 1 if mesh.dim == 3 else 0)[0]) > 1

    holds()


def similar(size, by):
    """Arguments of one of each geometry, all lengths times a factor."""
    s = size * by
    return {
        "ball": {"radius": s, "h": s / 2},
        "disk": {"radius": s, "h": s / 3, "surface_h": s / 5},
        "sphere_octant": {"radius": s, "h": s / 2},
        "ellipsoid": {"a": 2 * s, "b": s, "c": 1.5 * s, "h": s / 2, "part": "half"},
        "ellipsoid_section": {"a": s, "b": 2 * s, "h": s / 3},
        "superellipsoid": {"a": s, "b": 2 * s, "c": s, "exponents": (2, 3, 6), "h": s / 2, "part": "octant"},
        "hollow_sphere": {"outer": 2 * s, "inner": s, "h": 0.8 * s, "part": "quarter"},
        "hollow_section": {"outer": 2 * s, "inner": s, "h": s / 3},
        "rod": {"radius": s, "length": 3 * s, "h": s / 2, "periodic": True},
        "nanowire": {"width": s, "length": 3 * s, "h": s / 2, "bend_radius": 2 * s, "height": 1.4 * s},
        "rod_section": {"radius": s, "length": 3 * s, "h": s / 3},
        "strip": {"length": 3 * s, "height": s, "h": s / 3, "surface_h": s / 6, "periodic": True},
        "platelet": {"side": s, "h": s / 3},
        "wulff": {"gammas": {"100": 1.0, "111": 0.9}, "lattice": CUBIC, "size": s, "h": s / 3, "surface_h": s / 5},
        "polyhedron": {"distances": {"100": s, "001": 2 * s}, "lattice": HEXAGONAL, "h": s / 2},
        "crystal_platelet": {
            "thickness": s, "diameter": 3 * s, "sides": {"101": 1.0, "100": 0.9}, "lattice": LFP, "h": s / 2
        },
    }  # fmt: skip


@pytest.mark.gmsh
@needs_gmsh
@pytest.mark.parametrize("kind", CASES)
def test_the_same_input_makes_the_same_mesh_at_every_size(kind):
    """Twice in nanometres to the last bit; in micrometres and millimetres the same cells, to round-off."""
    make = getattr(geometry, kind)
    first, again = (make(**similar(20.0, 1e-9)[kind]) for _ in range(2))
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.cells, again.cells)
    for unit in (1e-6, 1e-3):
        other = make(**similar(20.0, unit)[kind])
        np.testing.assert_array_equal(other.cells, first.cells)
        assert other.points == pytest.approx(first.points * (unit / 1e-9), abs=1e-8 * 20 * unit)
        assert set(other.facet_sets) == set(first.facet_sets)


def test_every_geometry_here_is_a_kind():
    assert set(CASES) <= set(kinds())


@pytest.mark.gmsh
@needs_gmsh
def test_nodes_lie_on_the_surface_of_a_superellipsoid():
    mesh = geometry.superellipsoid(50e-9, 30e-9, 20e-9, (2, 4, 8), 12e-9)
    at = np.abs(mesh.points[mesh.nodes_of("surface")]) / [50e-9, 30e-9, 20e-9]
    assert (at ** np.array([2, 4, 8])).sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.gmsh
@needs_gmsh
def test_cells_are_finer_at_the_surface():
    coarse, fine = (geometry.ellipsoid(40e-9, 30e-9, 30e-9, 15e-9, **k) for k in ({}, {"surface_h": 5e-9}))
    assert len(fine.facets("surface")) > 6 * len(coarse.facets("surface"))
    middle = np.linalg.norm(fine.centroids(), axis=1) < 10e-9
    assert fine.cell_measures()[middle].mean() > 4 * np.median(fine.cell_measures())


@pytest.mark.gmsh
@needs_gmsh
def test_a_bent_wire_follows_its_circle():
    """Every node lies within the wire around the middle line; the ends are normal to it."""
    mesh = geometry.nanowire(20e-9, 90e-9, 8e-9, bend_radius=40e-9)
    x, y, z = mesh.points.T
    out = np.hypot(x + 40e-9, z) - 40e-9
    assert np.hypot(out, y).max() == pytest.approx(10e-9, rel=1e-6)
    turn = np.arctan2(z, x + 40e-9)
    assert turn[mesh.nodes_of("end")] == pytest.approx(90 / 40 / 2)
    assert turn[mesh.nodes_of("start")] == pytest.approx(-90 / 40 / 2)


@pytest.mark.gmsh
@needs_gmsh
def test_facets_of_a_crystal_lie_in_their_planes():
    """Wulff's theorem: the distance of each facet from the centre over its surface energy is the same."""
    gammas = {"010": 0.64, "100": 0.66, "101": 0.62, "201": 0.52, "011": 0.75}
    mesh = geometry.wulff(gammas, LFP, 60e-9, 15e-9, each=True)
    assert {"010", "0-10", "20-1", "-201"} <= set(mesh.facet_sets)
    ratios = []
    for name in mesh.facet_sets:
        hkl = np.array(re.findall(r"-?\d", name), int)
        normal = hkl / np.array([10.33, 6.01, 4.69])
        along = mesh.points[mesh.nodes_of(name)] @ normal / np.linalg.norm(normal)
        assert np.ptp(along) < 1e-9 * 60e-9
        family = "".join(map(str, abs(hkl)))
        ratios.append(along.mean() / gammas[family])
    assert np.array(ratios) == pytest.approx(ratios[0], rel=1e-6)


def test_equivalent_planes_follow_from_the_lattice():
    from chemomech.geometry.facets import _basis, _symmetries

    orders = {CUBIC: 48, HEXAGONAL: 24, LFP: 8, (1.0, 1.0, 2.0): 16, (1.0, 1.0, 1.0, 1.2, 1.2, 1.2): 12}
    orders |= {(1.0, 2.0, 3.0, pi / 2, 1.8, pi / 2): 4, (1.0, 1.2, 1.6, 1.4, 1.7, 1.5): 2}
    for lattice, order in orders.items():
        assert len(_symmetries(_basis("test", lattice))) == order


REFUSED = {
    "open": ({"gammas": {"100": 1.0}, "lattice": LFP}, "enclose no body"),
    "half open": ({"gammas": {"100": 1.0, "010": 1, "001": 1}, "lattice": LFP, "equivalents": False}, "enclose"),
    "given twice": ({"gammas": {"100": 1.0, "-100": 1.0}, "lattice": LFP}, '"-100" and "100" are the same'),
    "no plane": ({"gammas": {"10": 1.0}, "lattice": LFP}, '"10" is no lattice plane'),
    "no normal": ({"gammas": {"000": 1.0}, "lattice": LFP}, "no normal"),
    "negative": ({"gammas": {"100": -1.0}, "lattice": CUBIC}, "positive"),
    "no table": ({"gammas": 1.0, "lattice": CUBIC}, "a value for each plane"),
    "no lattice": ({"gammas": {"100": 1.0}, "lattice": (1.0, 2.0)}, "three lengths"),
    "angles": ({"gammas": {"100": 1.0}, "lattice": (1.0, 1.0, 1.0, 0.3, 0.3, 3.0)}, "angles that close"),
    "no mirror plane": (
        {"gammas": {"100": 1.0, "010": 1.0, "001": 1.0}, "lattice": (1.0, 1.2, 1.6, 1.57, 1.8, 1.57), "part": "half"},
        "no mirror plane z = 0",
    ),
    "no part": ({"gammas": {"100": 1.0}, "lattice": CUBIC, "part": "third"}, "whole, half, quarter, octant"),
    "too coarse": ({"gammas": {"100": 1.0}, "lattice": CUBIC, "h": 1.0}, "h is 1 m"),
    "coarser outside": ({"gammas": {"100": 1.0}, "lattice": CUBIC, "surface_h": 1e-8}, "larger than h"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_crystals_are_refused(name):
    arguments, words = REFUSED[name]
    with pytest.raises(MeshError, match=words):
        geometry.wulff(**({"size": 4e-8, "h": 5e-9} | arguments))


def test_a_platelet_has_sides_in_one_zone():
    with pytest.raises(MeshError, match='side "111" is not normal to the faces "010"'):
        geometry.crystal_platelet(2e-8, 6e-8, {"100": 1.0, "111": 1.0}, LFP, 5e-9)
