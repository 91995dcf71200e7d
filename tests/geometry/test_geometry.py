"""Parametric geometries and the meshes that come with the package."""

import builtins
from math import pi
from pathlib import Path

import numpy as np
import pytest
from with_gmsh import needs_gmsh

from chemomech.errors import ChemomechError, FileError, MeshError, UnitError
from chemomech.fem.mesh import Mesh, facet_nodes
from chemomech.geometry import ball, disk, ellipsoid_section, platelet, sphere_octant
from chemomech.geometry.session import load_gmsh, unit_of

MESHES = Path(__file__).parents[2] / "meshes"


def boundary_length(mesh):
    ends = mesh.points[facet_nodes(mesh, mesh.boundary)]
    return np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).max()


def covers_boundary(mesh):
    return sum(len(facets) for facets in mesh.facet_sets.values()) == len(mesh.boundary)


@pytest.mark.gmsh
@needs_gmsh
def test_platelet_keeps_its_largest_edge():
    mesh = platelet(side=20e-9, h=1.4e-9)
    assert mesh.edge_lengths()[2] <= 1.4e-9
    assert mesh.measure("platelet") == pytest.approx(400e-18)
    assert mesh.points.mean(axis=0) == pytest.approx([0, 0], abs=1e-10)
    assert mesh.points[mesh.nodes_of("right"), 0] == pytest.approx(10e-9)
    assert covers_boundary(mesh)


@pytest.mark.gmsh
@needs_gmsh
def test_graded_platelet_is_finer_at_its_edges():
    mesh = platelet(side=20e-9, h=1.4e-9, edge_h=0.5e-9)
    assert mesh.edge_lengths()[2] <= 1.4e-9
    assert boundary_length(mesh) <= 0.5e-9
    assert set(mesh.facet_sets) == {"left", "right", "bottom", "top"}


@pytest.mark.gmsh
@needs_gmsh
@pytest.mark.parametrize(
    ("make", "size", "sets"),
    [
        (lambda: sphere_octant(5e-6, 1e-6), pi / 6 * 125e-18, {"surface", "xmin", "ymin", "zmin"}),
        (lambda: ball(1e-3, 3e-4), pi * 4 / 3 * 1e-9, {"surface"}),
        (lambda: disk(2.0, 0.3), pi * 4, {"surface"}),
        (lambda: ellipsoid_section(100e-9, 50e-9, 8e-9), pi / 4 * 5e-15, {"surface", "axis", "midplane"}),
        (lambda: ellipsoid_section(50e-9, 100e-9, 8e-9), pi / 4 * 5e-15, {"surface", "axis", "midplane"}),
    ],
)
def test_particles_have_their_size_and_sets(make, size, sets):
    mesh = make()
    assert mesh.measure("particle") == pytest.approx(size, rel=0.05)
    assert set(mesh.facet_sets) == sets
    assert covers_boundary(mesh)


@pytest.mark.gmsh
@needs_gmsh
def test_ellipsoid_section_lies_on_its_axes():
    mesh = ellipsoid_section(100e-9, 50e-9, 8e-9)
    assert mesh.points[mesh.nodes_of("axis"), 0] == pytest.approx(0, abs=1e-20)
    assert mesh.points[mesh.nodes_of("midplane"), 1] == pytest.approx(0, abs=1e-20)
    r, z = mesh.points[mesh.nodes_of("surface")].T
    assert (r / 100e-9) ** 2 + (z / 50e-9) ** 2 == pytest.approx(1, abs=1e-6)


@pytest.mark.gmsh
@needs_gmsh
def test_saved_file_reads_back(tmp_path):
    mesh = disk(100e-9, 20e-9, save=tmp_path / "disk.msh")
    again = Mesh.read(tmp_path / "disk.msh", scale=unit_of(100e-9))
    np.testing.assert_array_equal(again.points, mesh.points)
    with pytest.raises(FileError, match="Cannot write"):
        disk(100e-9, 20e-9, save=tmp_path / "nowhere" / "disk.msh")


@pytest.mark.gmsh
@needs_gmsh
def test_a_gmsh_session_of_the_caller_survives():
    gmsh = load_gmsh()
    gmsh.initialize()
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.add("mine")
        disk(1.0, 0.5)
        assert gmsh.isInitialized()
        assert gmsh.model.getCurrent() == "mine"
    finally:
        gmsh.finalize()


def test_lengths_must_be_positive():
    with pytest.raises(MeshError, match="platelet: side is -1 m. Try: a positive length"):
        platelet(side=-1.0, h=0.1)
    with pytest.raises(MeshError, match="ball: h is 0 m"):
        ball(1.0, 0)


def test_a_missing_gmsh_is_explained(monkeypatch):
    plain = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == "gmsh":
            raise OSError("libGLU.so.1: cannot open shared object file")
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ChemomechError, match="libGLU.*pip install gmsh.*apt-get install --no-install.*libgl1"):
        disk(1.0, 0.1)


def test_committed_platelets():
    mesh = Mesh.read(MESHES / "platelet_60nm.msh", scale="nm")
    assert mesh.edge_lengths()[2] <= 1.4e-9
    assert mesh.measure("platelet") == pytest.approx(3600e-18)
    assert mesh.points.min(axis=0) == pytest.approx([-30e-9, -30e-9])
    graded = Mesh.read(MESHES / "platelet_60nm_graded.msh", scale="nm")
    assert graded.edge_lengths()[2] <= 1.4e-9
    assert boundary_length(graded) <= 0.4e-9
    assert len(graded.points) < 8000
    assert covers_boundary(mesh)
    assert covers_boundary(graded)


def test_committed_particles():
    octant = Mesh.read(MESHES / "lmo_octant.msh", scale="um")
    assert 5 * len(octant.points) <= 15000
    assert octant.measure("particle") == pytest.approx(pi / 6 * 125e-18, rel=0.01)
    assert set(octant.facet_sets) == {"surface", "xmin", "ymin", "zmin"}
    section = Mesh.read(MESHES / "lixv2o5_ellipsoid.msh", scale="nm")
    assert section.measure("particle") == pytest.approx(pi / 4 * 1e-14, rel=0.001)
    assert set(section.facet_sets) == {"surface", "axis", "midplane"}


@pytest.mark.gmsh
@needs_gmsh
def test_lengths_may_be_text():
    assert np.array_equal(disk("20 nm", "5 nm").points, disk(20e-9, 5e-9).points)


def test_a_length_of_another_kind_is_refused_by_name():
    with pytest.raises(UnitError, match=r"disk: radius"):
        disk("3 s", 1e-9)


def test_committed_wire_and_crystal():
    wire = Mesh.read(MESHES / "bent_nanowire.msh", scale="nm")
    assert 4 * wire.measure("wire") == pytest.approx(pi * 25e-9**2 * 400e-9, rel=0.05)
    assert set(wire.facet_sets) == {"side", "end", "ymin", "zmin"}
    crystal = Mesh.read(MESHES / "lfp_crystal.msh", scale="nm")
    assert crystal.measure("particle") == pytest.approx(pi * 30e-9**2 * 20e-9)
    assert set(crystal.facet_sets) == {"010", "100", "101"}
    assert np.abs(crystal.points[crystal.nodes_of("010"), 1]) == pytest.approx(10e-9)
