"""Meshes: sets, facets, reading, refusing broken input, making, elevating, pairing."""

import equinox as eqx
import numpy as np
import pytest

from chemomech.errors import ChemomechError, MeshError, UnitError
from chemomech.fem.mesh import (
    DIM,
    FACETS,
    FacetSet,
    Mesh,
    boundary_facets,
    box,
    check,
    elevate,
    facet_nodes,
    periodic_pairs,
    rectangle,
)

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])

# Two triangular surfaces; surface 1 is in the groups "lower" and "all", surface 2 in "all"; node 5 is unused.
MSH = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
5
0 5 "pin"
1 3 "bottom"
1 4 "middle"
2 1 "lower"
2 2 "all"
$EndPhysicalNames
$Entities
1 2 2 0
1 0 0 0 1 5
1 0 0 0 1 0 0 1 3 0
2 0 0 0 1 1 0 1 4 0
1 0 0 0 1 1 0 2 1 2 0
2 0 0 0 1 1 0 1 2 0
$EndEntities
$Nodes
1 5 1 5
2 1 0 5
1
2
3
4
5
0 0 0
60 0 0
60 60 0
0 60 0
7 7 0
$EndNodes
$Elements
5 5 1 5
0 1 15 1
1 1
1 1 1 1
2 1 2
1 2 1 1
3 1 3
2 1 2 1
4 1 2 3
2 2 2 1
5 1 3 4
$EndElements
"""

ALL_KINDS = [
    rectangle(2.0, 1.0, 3, 2),
    rectangle(2.0, 1.0, 3, 2, diagonal="crossed"),
    rectangle(2.0, 1.0, 3, 2, "quad"),
    elevate(rectangle(2.0, 1.0, 3, 2)),
    box(1.0, 2.0, 1.0, 2, 2, 1),
    box(1.0, 2.0, 1.0, 2, 2, 1, "hexahedron"),
    elevate(box(1.0, 2.0, 1.0, 2, 2, 1)),
]


@pytest.mark.parametrize("mesh", ALL_KINDS, ids=lambda mesh: mesh.cell_type)
def test_facets_are_outward_and_close_the_volume(mesh):
    corners = {"hexahedron": 4}.get(mesh.cell_type, mesh.dim)
    p = mesh.points[facet_nodes(mesh, mesh.boundary)[:, :corners]]
    if mesh.dim == 2:
        edge = p[:, 1] - p[:, 0]
        normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1)
    else:
        normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]) * (1.0 if corners == 4 else 0.5)
    flux = (p.mean(axis=1) * normal).sum() / mesh.dim
    assert flux == pytest.approx(2.0)
    assert mesh.measure() == pytest.approx(2.0)
    check(mesh)


@pytest.mark.parametrize("mesh", [m for m in ALL_KINDS if m.order == 2], ids=lambda mesh: mesh.cell_type)
def test_mid_nodes_of_facets_lie_between_corners(mesh):
    for facet in FACETS[mesh.cell_type]:
        half = mesh.dim
        for i, mid in enumerate(facet[half:]):
            ends = mesh.points[mesh.cells[:, [facet[i], facet[(i + 1) % half]]]]
            np.testing.assert_allclose(mesh.points[mesh.cells[:, mid]], ends.mean(axis=1))


def test_hexahedron_volume_is_exact_for_bent_faces():
    points = box(1.0, 1.0, 1.0, 1, 1, 1, "hexahedron").points.copy()
    points[7] += [0.0, 0.0, 0.5]  # the top becomes z = 1 + x y / 2, of volume 1 + 1/8
    mesh = Mesh.build(points, [[0, 1, 3, 2, 4, 5, 7, 6]], "hexahedron")
    assert mesh.measure() == pytest.approx(1.125, rel=1e-14)


def test_sets_and_measures():
    mesh = Mesh.build(
        SQUARE,
        HALVES,
        "triangle",
        cell_sets={"low": [0]},
        facet_sets={"bottom": [[1, 0]], "cut": [[2, 0]]},
        point_sets={"pin": [3]},
        cell_data={"q": [1.0, 2.0]},
    )
    assert mesh.measure() == pytest.approx(1.0)
    assert mesh.measure("low") == pytest.approx(0.5)
    assert mesh.edge_lengths() == pytest.approx((1.0, (4 + np.sqrt(2)) / 5, np.sqrt(2)))
    assert mesh.facets("cut").cells.tolist() == [0]  # an internal facet belongs to its lowest cell
    assert facet_nodes(mesh, mesh.facets("cut")).tolist() == [[2, 0]]
    assert mesh.nodes_of("bottom").tolist() == [0, 1]
    assert mesh.nodes_of("low").tolist() == [0, 1, 2]
    assert mesh.nodes_of("pin").tolist() == [3]
    assert mesh.nodes_of("boundary").tolist() == [0, 1, 2, 3]
    assert mesh.cells_of().tolist() == [0, 1]
    assert mesh.centroids()[0] == pytest.approx([2 / 3, 1 / 3])
    assert (mesh.cells.dtype, mesh.points.dtype) == (np.int32, np.float64)
    assert len(boundary_facets(mesh)) == 4


def test_mesh_is_a_pytree_and_keeps_its_boundary():
    mesh = rectangle(1.0, 1.0, 2, 2)
    assert mesh.boundary is mesh.boundary
    same = eqx.tree_at(lambda m: m.points, mesh, 2 * mesh.points)
    assert same.measure() == pytest.approx(4.0)
    assert same.cell_type == "triangle"


def test_repr_reads_in_sensible_units():
    text = repr(rectangle(60e-9, 60e-9, 40, 40))
    assert text == (
        "Mesh(2-D, 1 681 nodes, 3 200 triangles, h 1.5 to 2.12 nm (mean 1.7), area 3600 nm^2; "
        "facets: left (40), right (40), bottom (40), top (40), boundary (160))"
    )


# Reading


@pytest.fixture
def msh(tmp_path):
    path = tmp_path / "square.msh"
    path.write_text(MSH)
    return path


def test_read_gmsh_groups(msh):
    mesh = Mesh.read(msh, scale="nm")
    assert mesh.measure() == pytest.approx(3600e-18)
    assert len(mesh.points) == 4  # the unused node is gone
    assert {name: ids.tolist() for name, ids in mesh.cell_sets.items()} == {"lower": [0], "all": [0, 1]}
    assert {name: len(facets) for name, facets in mesh.facet_sets.items()} == {"bottom": 1, "middle": 1}
    assert mesh.nodes_of("middle").tolist() == [0, 2]
    assert mesh.nodes_of("pin").tolist() == [0]


def test_read_mirrors_a_mesh_with_all_cells_inverted(msh):
    msh.write_text(MSH.replace("4 1 2 3\n", "4 1 3 2\n").replace("5 1 3 4\n", "5 1 4 3\n"))
    mesh = Mesh.read(msh)
    assert mesh.measure() == pytest.approx(3600.0)
    edge = mesh.points[facet_nodes(mesh, mesh.facets("bottom"))[0]]
    assert edge[1, 0] > edge[0, 0]  # counter-clockwise again


@pytest.mark.parametrize("mesh", ALL_KINDS, ids=lambda mesh: mesh.cell_type)
def test_read_npz_mirrors_every_kind(tmp_path, mesh):
    np.savez(tmp_path / "mesh.npz", points=mesh.points * np.array([-1.0] + [1.0] * (mesh.dim - 1)), cells=mesh.cells)
    again = Mesh.read(tmp_path / "mesh.npz", scale=1e-6)
    assert again.cell_type == mesh.cell_type
    assert again.measure() == pytest.approx(2.0 * 1e-6**mesh.dim)


@pytest.mark.parametrize("kind", ["tetra10", "triangle6"])
def test_read_gmsh_second_order(tmp_path, kind):
    import meshio

    mesh = next(m for m in ALL_KINDS if m.cell_type == kind)
    points = np.pad(mesh.points, ((0, 0), (0, 3 - mesh.dim)))
    meshio.gmsh.write(str(tmp_path / "two.msh"), meshio.Mesh(points, [(kind, mesh.cells)]), "4.1", binary=True)
    again = Mesh.read(tmp_path / "two.msh")
    np.testing.assert_array_equal(again.cells, mesh.cells)


def test_read_vtu(tmp_path):
    import meshio

    data = {"set:low": [np.array([1, 0])], "conductivity": [np.array([2.0, 3.0])]}
    meshio.Mesh(np.pad(SQUARE, ((0, 0), (0, 1))), [("triangle", HALVES)], cell_data=data).write(tmp_path / "m.vtu")
    mesh = Mesh.read(tmp_path / "m.vtu")
    assert mesh.cells_of("low").tolist() == [0]
    assert mesh.cell_data["conductivity"].tolist() == [2.0, 3.0]
    assert list(mesh.cell_data) == ["conductivity"]


# Refusing


def build(points=SQUARE, cells=HALVES, cell_type="triangle", **sets):
    return Mesh.build(points, cells, cell_type, **sets)


def changed(array, index, value):
    copy = np.array(array)
    copy[index] = value
    return copy


BROKEN = {
    "nan": (lambda: build(changed(SQUARE, (2, 0), np.nan)), "not finite, the first is node 2"),
    "range": (
        lambda: build(cells=changed(HALVES, (1, 2), 4)),
        r"cell 1 has nodes \[0, 2, 4\], but .* 0 to 3",
    ),
    "negative": (lambda: build(cells=changed(HALVES, (0, 0), -1)), "number the nodes from 0"),
    "repeated": (lambda: build(cells=changed(HALVES, (0, 0), 1)), "cell 0 repeats a node"),
    "inverted": (
        lambda: build(cells=HALVES[:, ::-1]),
        "cell 0 centred at .* is inverted.*2 of 2.*reorients",
    ),
    "one inverted": (lambda: build(cells=[[0, 2, 1], [0, 2, 3]]), "1 of 2 cells"),
    "degenerate": (lambda: build(changed(SQUARE, 2, [0.5, 0.0])), "degenerate"),
    "bow tie": (lambda: build(cells=[[0, 1, 3, 2]], cell_type="quad"), "is inverted"),
    "unused": (lambda: build(cells=HALVES[:1]), r"1 nodes belong to no cell.*node 3 at \(0, 1\) m.*remove them"),
    "duplicate": (
        lambda: build(np.vstack([SQUARE, SQUARE[2]]), changed(HALVES, (1, 1), 4)),
        "nodes 2 and 4 are both at .*Coherence",
    ),
    "empty cells": (lambda: build(cell_sets={"core": []}), "cell set 'core' is empty.*remove the group"),
    "empty facets": (lambda: build(facet_sets={"skin": []}), "facet set 'skin' is empty"),
    "lost facet": (lambda: build(facet_sets={"skin": [[1, 3]]}), r"'skin': 1 of 1 facets belong to no cell.*\[1, 3\]"),
    "facet shape": (lambda: build(facet_sets={"skin": [[1], [2]]}), r"shape \(2, 1\).*have 2 corners"),
    "facet index": (
        lambda: build(facet_sets={"skin": FacetSet(np.array([0]), np.array([3]))}),
        "index 3, outside 0 to 2",
    ),
    "set index": (lambda: build(cell_sets={"core": [2]}), "'core' has index 2, outside 0 to 1"),
    "data": (lambda: build(cell_data={"q": [1.0]}), r"'q' has shape \(1,\) for 2 cells"),
    "type": (lambda: build(cell_type="wedge"), "unknown cell type 'wedge'.*triangle6"),
    "dimension": (lambda: build(np.pad(SQUARE, ((0, 0), (0, 1)))), r"shape \(4, 3\), but triangles live in 2-D"),
    "nodes": (lambda: build(cell_type="quad"), "a quad has 4 nodes"),
    "none": (lambda: build(cells=np.zeros((0, 3), int)), "no cells"),
    "floats": (lambda: build(cells=HALVES * 1.0), "integer node numbers"),
    "twice": (lambda: build(cells=[[0, 1, 2], [0, 1, 2], [0, 2, 3]]), "more than two cells"),
    "mid": (
        lambda: build(changed(ALL_KINDS[3].points, 20, [0.01, 0.01]) * 1e-9, ALL_KINDS[3].cells, "triangle6"),
        "nm is .* m off the middle of its edge.*meshio",
    ),
    "gmsh order": (
        lambda: build(ALL_KINDS[6].points, ALL_KINDS[6].cells[:, [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]], "tetra10"),
        "off the middle of its edge",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_meshes_are_refused_with_a_helpful_message(name):
    make, message = BROKEN[name]
    with pytest.raises(MeshError, match=message) as caught:
        make()
    assert "Try: " in str(caught.value)


def test_small_mesh_elements_are_not_called_degenerate():
    assert build(SQUARE * 1e-9).measure() == pytest.approx(1e-18)


SURFACES = "2 1 2 1\n4 1 2 3\n2 2 2 1\n5 1 3 4\n"
MIDDLE = "1 2 1 1\n3 1 3\n"
FILES = {
    "truncated": (lambda text: text[: text.index("$EndNodes") - 20], "Cannot read mesh file .*square.msh"),
    "name twice": (lambda text: text.replace('2 1 "lower"', '2 1 "bottom"'), "'bottom' belongs to several groups"),
    "garbage": (lambda text: "hello", "Cannot read mesh file"),
    "partly inverted": (lambda text: text.replace("4 1 2 3\n", "4 1 3 2\n"), "1 of 2 cells"),
    "empty group": (
        lambda text: text.replace("1 2 1 1\n3 1 3\n", "").replace("5 5 1 5", "4 4 1 5"),
        "'middle' is empty",
    ),
    "ungrouped": (lambda text: text.replace("1 1 0 1 4 0\n", "1 1 0 0 0\n"), "Mesh.SaveAll = 0"),
    "surface in space": (lambda text: text.replace("60 60 0\n", "60 60 9\n"), "no 3-D cells.*surface in 3-D"),
    "no surface": (lambda text: text.replace(SURFACES, "").replace("5 5 1 5", "3 3 1 3"), "no 2-D"),
}


@pytest.mark.parametrize("name", FILES)
def test_broken_files_are_refused_with_a_helpful_message(msh, name):
    spoil, message = FILES[name]
    msh.write_text(spoil(MSH))
    with pytest.raises(MeshError, match=message) as caught:
        Mesh.read(msh)
    assert "Try: " in str(caught.value)


def test_missing_file_and_unknown_type(tmp_path):
    with pytest.raises(MeshError, match="does not exist.*Try: check the path"):
        Mesh.read(tmp_path / "nothing.msh")
    (tmp_path / "mesh.step").write_text("")
    with pytest.raises(MeshError, match="unknown type '.step'"):
        Mesh.read(tmp_path / "mesh.step")
    np.savez(tmp_path / "half.npz", points=SQUARE)
    with pytest.raises(MeshError, match="array 'cells' is missing"):
        Mesh.read(tmp_path / "half.npz")


def test_unknown_unit_and_names(msh):
    with pytest.raises(UnitError, match="Unknown length unit 'inch'.*nm"):
        Mesh.read(msh, scale="inch")
    mesh = Mesh.read(msh)
    with pytest.raises(MeshError, match="no facet set 'botom'; it has: bottom, boundary, middle. Try: 'bottom'"):
        mesh.facets("botom")
    with pytest.raises(MeshError, match="no cell set 'core'; it has: all, lower"):
        mesh.cells_of("core")
    with pytest.raises(ChemomechError, match="point set 'pim'.*Try: 'pin'"):
        mesh.nodes_of("pim")


# Making


@pytest.mark.parametrize("mesh", ALL_KINDS, ids=lambda mesh: mesh.cell_type)
def test_periodic_pairs_match_opposite_faces(mesh):
    for axis in range(mesh.dim):
        slave, master = periodic_pairs(mesh, axis)
        shift = np.zeros(mesh.dim)
        shift[axis] = np.ptp(mesh.points[:, axis])
        np.testing.assert_allclose(mesh.points[slave], mesh.points[master] + shift, atol=1e-12)


def test_periodic_pairs_refuse_faces_that_differ():
    moved = changed(rectangle(1.0, 1.0, 3, 3).points, (4, 1), 0.4)
    mesh = build(moved, rectangle(1.0, 1.0, 3, 3).cells)
    with pytest.raises(MeshError, match="Faces of axis 0 do not match: 4 nodes.*0.0667 m off.*Periodic"):
        periodic_pairs(mesh, 0)
    with pytest.raises(MeshError, match="axis 2 of a 2-D mesh"):
        periodic_pairs(mesh, 2)


def test_generators_take_an_origin_and_refuse_nonsense():
    assert rectangle(2.0, 1.0, 2, 2, origin=(-1.0, -0.5)).points.min(axis=0).tolist() == [-1.0, -0.5]
    assert box(1.0, 1.0, 1.0, 1, 1, 1, origin=(1.0, 2.0, 3.0)).points.max(axis=0).tolist() == [2.0, 3.0, 4.0]
    for make in (
        lambda: rectangle(0.0, 1.0, 2, 2),
        lambda: rectangle(1.0, 1.0, 2, 2, diagonal="left"),
        lambda: box(1.0, 1.0, 1.0, 1, 1, 0),
        lambda: box(1.0, 1.0, 1.0, 1, 1, 1, "wedge"),
        lambda: elevate(rectangle(1.0, 1.0, 2, 2, "quad")),
    ):
        with pytest.raises(MeshError, match="Try: "):
            make()


def test_elevate_keeps_sets_and_counts_edges():
    mesh = rectangle(1.0, 1.0, 4, 4)
    two = elevate(mesh)
    assert len(two.points) == 81
    assert len(two.nodes_of("left")) == 9
    assert elevate(two) is two
    assert DIM[two.cell_type] == 2
