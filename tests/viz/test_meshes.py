"""The picture of a mesh."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from chemomech.fem.mesh import box, facet_nodes, rectangle
from chemomech.viz.meshes import COLOURS, PLAIN, colours_of, draw_mesh
from chemomech.viz.style import save


def drawn(mesh, names):
    facets = {name: facet_nodes(mesh, mesh.facets(name)) for name in names}
    return draw_mesh("shape", mesh.points, {mesh.cell_type: mesh.cells}, facets)


@pytest.mark.parametrize("kind", ["tetra", "hexahedron"])
def test_a_solid_shows_the_facets_that_face_the_eye(kind, tmp_path):
    mesh = box(3e-9, 2e-9, 1e-9, 3, 2, 1, kind)
    figure = drawn(mesh, ("zmax", "zmin"))
    ax = figure.axes[0]
    assert ax.get_title(loc="left") == "shape: 3 x 2 x 1 nm"
    faces = ax.collections[0]
    assert len(faces.get_paths()) == 2 * (3 * 2 + 3 * 1 + 2 * 1)  # top, front and right side
    hues = {tuple(np.round(c[:3] / c[:3].max(), 2)) for c in faces.get_facecolors()}
    assert hues == {tuple(np.round(np.divide(to_rgb(c), max(to_rgb(c))), 2)) for c in (COLOURS[0], PLAIN)}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"{name} ({len(mesh.facets(name))})" for name in ("zmax", "zmin")
    ]
    assert save(lambda: drawn(mesh, ("zmax",)), tmp_path / "box.png").stat().st_size > 5_000


@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_a_plane_mesh_shows_its_cells_and_sides(kind):
    mesh = rectangle(2e-6, 1e-6, 4, 2, kind)
    cells, left, top = drawn(mesh, ("left", "top")).axes[0].collections
    assert len(cells.get_paths()) == len(mesh.cells)
    assert (len(left.get_segments()), len(top.get_segments())) == (2, 4)


def test_many_sets_have_colours_of_their_own():
    colours = [to_rgb(colour) for colour in [*colours_of(40), PLAIN]]
    assert len(colours_of(3)) == 3
    apart = np.abs(np.array(colours)[:, None] - np.array(colours)).max(axis=2)
    assert apart[np.triu_indices(41, 1)].min() > 0.06


def test_facets_of_several_sets_are_drawn_once():
    mesh = rectangle(2e-6, 1e-6, 4, 2)
    facets = {name: facet_nodes(mesh, mesh.facets(name)) for name in ("left", "right", "top")}
    facets = {"sides": np.concatenate([facets["left"], facets["right"]]), **facets}
    rim = {"rim": np.concatenate([facets["sides"], facets["top"]])}
    for more, names in (({}, ["left", "right", "top"]), (rim, ["left", "right", "top"])):
        figure = draw_mesh("shape", mesh.points, {mesh.cell_type: mesh.cells}, {**more, **facets})
        _, *lines = figure.axes[0].collections
        assert sum(len(line.get_segments()) for line in lines) == 2 + 2 + 4
        assert [text.get_text().split()[0] for text in figure.legends[0].get_texts()] == names
    part = draw_mesh("shape", mesh.points, {mesh.cell_type: mesh.cells}, {**rim, "top": facets["top"]})
    assert [text.get_text() for text in part.legends[0].get_texts()] == ["rim (8)", "top (4)"]
    assert [len(line.get_segments()) for line in part.axes[0].collections[1:]] == [4, 4]
