"""Frames for ParaView."""

import numpy as np
import pytest

from chemomech.errors import FileError
from chemomech.fem.mesh import Mesh, box, elevate, rectangle
from chemomech.io.vtu import Collection, write_vtu


@pytest.mark.parametrize(
    "mesh",
    [rectangle(2.0, 1.0, 2, 2), elevate(rectangle(2.0, 1.0, 2, 2)), box(1.0, 1.0, 2.0, 1, 1, 2, "hexahedron")]
    + [elevate(box(1.0, 1.0, 2.0, 1, 1, 2))],
    ids=lambda mesh: mesh.cell_type,
)
def test_pyvista_reads_fields_on_every_kind_of_cell(tmp_path, mesh):
    import pyvista

    n, m = len(mesh.points), len(mesh.cells)
    point_data = {"c": np.arange(n), "u": np.ones((n, mesh.dim)), "eps": np.zeros((n, 3, 3))}
    write_vtu(tmp_path / "frame.vtu", mesh, point_data, {"phase": np.arange(m) > 0})
    grid = pyvista.read(tmp_path / "frame.vtu")
    assert (grid.n_points, grid.n_cells) == (n, m)
    assert grid["c"].tolist() == list(range(n))
    assert grid["u"].shape == (n, 3)
    assert grid["eps"].shape == (n, 9)
    assert grid["phase"].tolist() == [0] + [1] * (m - 1)
    sizes = grid.compute_cell_sizes()
    assert sizes["Area" if mesh.dim == 2 else "Volume"].sum() == pytest.approx(2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["frame.vtu"]


def test_written_mesh_reads_back(tmp_path):
    mesh = rectangle(2.0, 1.0, 2, 2)
    write_vtu(tmp_path / "frame.vtu", mesh, cell_data={"set:core": np.arange(len(mesh.cells)) < 3})
    again = Mesh.read(tmp_path / "frame.vtu")
    assert again.cells_of("core").tolist() == [0, 1, 2]
    np.testing.assert_array_equal(again.points, mesh.points)


def test_pyvista_reads_the_collection(tmp_path):
    import pyvista

    mesh = rectangle(1.0, 1.0, 1, 1)
    frames = Collection(tmp_path / "fields.pvd")
    for i, time in enumerate((0.0, 0.1, 1e3)):
        write_vtu(tmp_path / f"fields_{i}.vtu", mesh, {"c": np.full(4, time)})
        frames.add(time, f"fields_{i}.vtu")
    reader = pyvista.get_reader(tmp_path / "fields.pvd")
    assert reader.time_values == [0.0, 0.1, 1e3]
    reader.set_active_time_value(0.1)
    assert reader.read()[0]["c"] == pytest.approx(0.1)


def test_collection_resumes_from_a_time(tmp_path):
    path = tmp_path / "fields.pvd"
    first = Collection(path)
    for i in range(4):
        first.add(0.1 * i, f"f{i}.vtu")
    again = Collection(path)
    assert again.frames == first.frames
    again.truncate(0.1)
    again.add(0.15, "new.vtu")
    assert Collection(path).frames == [(0.0, "f0.vtu"), (0.1, "f1.vtu"), (0.15, "new.vtu")]


def test_files_that_cannot_be_written_or_read(tmp_path):
    mesh = rectangle(1.0, 1.0, 1, 1)
    with pytest.raises(FileError, match="Cannot write .*No such file or directory.*Try: "):
        write_vtu(tmp_path / "nowhere" / "frame.vtu", mesh)
    with pytest.raises(FileError, match=r"field 'c'.*shape \(3,\).*4 rows"):
        write_vtu(tmp_path / "frame.vtu", mesh, {"c": np.zeros(3)})
    with pytest.raises(FileError, match="Cannot write .*Try: "):
        Collection(tmp_path / "nowhere" / "fields.pvd").add(0.0, "f0.vtu")
    (tmp_path / "fields.pvd").write_text("<VTKFile><Coll")
    with pytest.raises(FileError, match="Cannot read the collection .*Try: "):
        Collection(tmp_path / "fields.pvd")
