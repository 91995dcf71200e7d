"""From pictures to outlines, meshes, compositions and stress."""

import h5py
import numpy as np
import pytest
from PIL import Image

import chemomech as cm
from chemomech.analysis import film, morphology, nodal_stress, points, von_mises
from chemomech.errors import ChemomechError, ConfigError, FileError, MeshError
from chemomech.geometry.session import load_gmsh
from chemomech.images import Map, mesh_of, mesh_outline, outlines, particles, read_labels, stressed
from chemomech.images.outline import area, body, encloses

try:
    load_gmsh()
    REASON = ""
except ChemomechError as error:
    REASON = str(error)

MESHERS = [
    "delaunay",
    pytest.param("gmsh", marks=[pytest.mark.gmsh, pytest.mark.skipif(bool(REASON), reason=REASON or "gmsh loads")]),
]
UM = 1e-6


def grid(rows, columns, pixel):
    """x and y at the middles of the pixels, the uppermost row first."""
    return np.meshgrid((np.arange(columns) + 0.5) * pixel, (rows - np.arange(rows) - 0.5) * pixel)


def ring(pixel=0.05):
    """A disk of radius 1.2 with a hole of radius 0.4, both around (1.5, 2), in a picture of 3 by 4."""
    x, y = grid(round(4 / pixel), round(3 / pixel), pixel)
    r = np.hypot(x - 1.5, y - 2)
    return (r < 1.2) & (r > 0.4)


def test_outlines_of_a_ring():
    """Where they lie, which way they run, and their areas: those of the pixels less the smoothing's pi s^2."""
    pixel = 0.02
    x, y = grid(200, 150, pixel)
    r = np.hypot(x - 1.5, y - 2)
    outer, hole = outlines(ring(pixel), pixel)
    assert len(body([outer, hole])) == 2
    for loop, R, turn in ((outer, 1.2, 1), (hole, 0.4, -1)):
        np.testing.assert_allclose(loop.mean(axis=0), [1.5, 2], atol=pixel / 10)
        counted = np.sum(r < R if turn == 1 else r <= R) * pixel**2
        assert turn * area(loop) == pytest.approx(counted - np.pi * pixel**2, rel=1e-3)
        assert np.abs(np.hypot(*(loop - [1.5, 2]).T) - R).max() < 0.5 * pixel
    inside = encloses([outer, hole], np.array([[1.5, 2.0], [1.5, 2.8], [1.5, 3.3], [0.4, 2.0]]))
    assert inside.tolist() == [False, True, False, True]
    assert len(body([outer, hole], least=1.0)) == 1


def test_outlines_of_single_pixels_and_corners():
    """Without smoothing; two pixels that meet in a corner are joined only where their mean is inside."""
    square = outlines(np.ones((3, 2), bool), 1.0, smooth=0.0)
    assert len(square) == 1
    assert area(square[0]) == pytest.approx(6 - 4 * 0.125)
    assert square[0].min(axis=0).tolist() == [0.0, 0.0]
    assert square[0].max(axis=0).tolist() == [2.0, 3.0]
    assert len(outlines(np.eye(2, dtype=bool), 1.0, smooth=0.0)) == 2
    with pytest.raises(MeshError, match="nothing is left"):
        outlines(np.zeros((3, 3), bool), 1.0)


@pytest.mark.parametrize("mesher", MESHERS)
def test_mesh_of_a_ring(mesher):
    """It fills the outline, and its sets are the two boundaries."""
    x, y = grid(80, 60, 0.05)
    map = Map(0.3 + 0.1 * x + 0.05 * y, 0.05, ring())
    mesh, c = mesh_of(map, 0.1, mesher=mesher)
    assert mesh.measure("particle") == pytest.approx(np.pi * (1.2**2 - 0.4**2), rel=0.01)
    assert set(mesh.facet_sets) == {"surface", "holes"}
    assert len(mesh.facets("surface")) + len(mesh.facets("holes")) == len(mesh.boundary)
    assert np.abs(np.hypot(*(mesh.points[mesh.nodes_of("holes")] - [1.5, 2]).T) - 0.4).max() < 0.03
    low, _, high = mesh.edge_lengths()
    assert 0.03 < low < high < 0.18
    np.testing.assert_allclose(c, 0.3 + mesh.points @ [0.1, 0.05], atol=1.5e-3)  # up to the rim


def test_second_order_and_too_coarse():
    map = Map(ring().astype(float), 0.05, ring())
    mesh, c = mesh_of(map, 0.2, order=2, mesher="delaunay")
    assert (mesh.cell_type, len(c)) == ("triangle6", len(mesh.points))
    with pytest.raises(MeshError, match="smaller h"):
        mesh_outline(outlines(ring(), 0.05)[:1], 3.0)
    with pytest.raises(MeshError, match="No pixel"):
        Map(ring(), 0.05, np.zeros((80, 60), bool))


def test_a_map_between_and_beyond_its_pixels():
    map = Map([[0.0, 1.0], [0.5, np.nan]], "2 um")
    middle = np.array([[1, 3], [3, 3], [2, 3], [1, 2], [-9, -9]]) * UM
    np.testing.assert_allclose(map(middle), [0, 1, 0.5, 0.25, 0.5], atol=1e-12)
    assert (map.soc, map.area) == (0.5, pytest.approx(12 * UM**2))
    x, y = grid(20, 30, 1.0)
    ramp = Map(x - 2 * y, 1.0, np.hypot(x - 15, y - 10) < 8)
    around = np.array([[15 + 8.4 * np.cos(a), 10 + 8.4 * np.sin(a)] for a in np.linspace(0, 6, 50)])
    found, wanted = ramp(around), around @ [1.0, -2.0]
    low, high = ramp.values[ramp.inside].min(), ramp.values[ramp.inside].max()
    between = (wanted > low + 2) & (wanted < high - 2)  # beyond, the map's range ends
    np.testing.assert_allclose(found[between], wanted[between], atol=0.02)
    assert between.sum() >= 30
    assert (found.min() >= low, found.max() <= high) == (True, True)
    nearest = [15, 10] + 8 * np.array([14, 9]) / np.hypot(14, 9)
    assert ramp(np.array([[29.0, 19.0]])) == pytest.approx(nearest @ [1.0, -2.0], abs=1.0)


def test_averages_keep_uniform_maps_and_smooth_noise():
    rng = np.random.default_rng(0)
    noise = Map(rng.normal(0.5, 0.1, (80, 60)), 0.05, ring())
    assert noise.averaged(0.05) is noise
    wide = noise.averaged(0.2)
    assert np.std(wide.values[wide.inside]) < 0.05
    assert np.all(np.isnan(wide.values[~wide.inside]))
    flat = Map(np.full((80, 60), 0.3), 0.05, ring()).averaged(0.4)
    np.testing.assert_allclose(flat.values[flat.inside], 0.3, rtol=1e-12)


def test_files(tmp_path):
    """8 and 16 bit, transparency, masks, datasets."""
    ramp = np.arange(12).reshape(3, 4)
    Image.fromarray((ramp * 20).astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray((ramp * 5000).astype(np.uint16)).save(tmp_path / "b.png")
    Image.fromarray(((ramp > 5) * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    clear = np.stack([ramp * 20] * 3 + [(ramp > 5) * 255], axis=2).astype(np.uint8)
    Image.fromarray(clear).save(tmp_path / "c.png")
    a = Map.read(tmp_path / "a.png", "10 nm", white=0.9, above=0.1)
    np.testing.assert_allclose(a.values, ramp * 20 / 255 * 0.9)
    np.testing.assert_array_equal(a.inside, a.values > 0.1)
    np.testing.assert_allclose(Map.read(tmp_path / "b.png", 1e-8).values, ramp * 5000 / 65535)
    for found in (
        Map.read(tmp_path / "a.png", 1e-8, outline=tmp_path / "mask.png"),
        Map.read(tmp_path / "c.png", 1e-8),
    ):
        np.testing.assert_array_equal(found.inside, ramp > 5)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["maps/c"] = np.where(ramp > 5, ramp / 11, np.nan)
        file["maps/labels"] = ramp
    d = Map.read(tmp_path / "d.h5", 1e-8, dataset="maps/c")
    assert (d.inside.sum(), d.values[2, 3]) == (6, 1.0)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), ramp * 20)
    np.testing.assert_array_equal(read_labels(tmp_path / "d.h5", "maps/labels"), ramp)
    for read, match in (
        (lambda: Map.read(tmp_path / "d.h5", 1e-8), "no single dataset"),
        (lambda: Map.read(tmp_path / "none.png", 1e-8), "Cannot read"),
        (lambda: read_labels(tmp_path / "c.png"), "whole numbers"),
        (lambda: read_labels(tmp_path / "d.h5", "maps/c"), "whole numbers"),
    ):
        with pytest.raises(FileError, match=match):
            read()
    coloured = clear[..., :3].copy()
    coloured[..., 1] = 0
    Image.fromarray(coloured).save(tmp_path / "e.png")
    with pytest.raises(FileError, match="colours"):
        Map.read(tmp_path / "e.png", 1e-8)


def test_pictures_with_a_palette(tmp_path):
    """Their brightness counts, not the order of the palette; labels are the numbers of its colours."""
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (4, 1))
    grey = Image.fromarray(ramp).quantize(16)
    grey.save(tmp_path / "grey.png")
    found = Map.read(tmp_path / "grey.png", 1e-8).values
    np.testing.assert_allclose(found, ramp / 255, atol=1.5 / 16)
    np.testing.assert_array_equal(read_labels(tmp_path / "grey.png"), np.asarray(grey))
    grey.save(tmp_path / "clear.png", transparency=int(np.asarray(grey)[0, 0]))
    clear = Map.read(tmp_path / "clear.png", 1e-8)
    np.testing.assert_array_equal(clear.inside, np.asarray(grey) != np.asarray(grey)[0, 0])
    coloured = np.stack([ramp, ramp[:, ::-1], ramp // 2], axis=2)
    Image.fromarray(coloured).quantize(16).save(tmp_path / "viridis.png")
    with pytest.raises(FileError, match="colours"):
        Map.read(tmp_path / "viridis.png", 1e-8)


def test_the_white_of_twelve_bits_and_of_floating_point_numbers(tmp_path):
    """A float picture counts as it is unless its white is given."""
    ramp = np.arange(12).reshape(3, 4) / 11
    Image.fromarray(np.round(4095 * ramp).astype(np.uint16)).save(tmp_path / "twelve.png")
    Image.fromarray((1000 * ramp).astype(np.float32)).save(tmp_path / "float.tif")
    twelve = Map.read(tmp_path / "twelve.png", 1e-8, black=0.1, white=0.9, top=4095)
    np.testing.assert_allclose(twelve.values, 0.1 + 0.8 * ramp, atol=2e-4)
    np.testing.assert_allclose(Map.read(tmp_path / "float.tif", 1e-8).values, 1000 * ramp, rtol=1e-6)
    np.testing.assert_allclose(Map.read(tmp_path / "float.tif", 1e-8, top=1000).values, ramp, rtol=1e-6)
    with pytest.raises(ConfigError, match="top = 0 must be positive"):
        Map.read(tmp_path / "float.tif", 1e-8, top=0)


def test_what_is_no_map_is_refused(tmp_path):
    for values in ([["a", "b"]], [[0.1, 0.2], [0.3]], [[0.1 + 1j]]):
        with pytest.raises(MeshError, match="Map.values holds no real numbers"):
            Map(values, 1e-8)
    with pytest.raises(MeshError, match="Map.inside"):
        Map([[0.1, 0.2]], 1e-8, [["yes", "no"]])
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["text"] = [["a", "b"]]
        file["pairs"] = np.zeros((2, 2), [("x", float), ("y", float)])
        file["complex"] = np.zeros((2, 2), complex)
    for name in ("text", "pairs", "complex"):
        with pytest.raises(FileError, match="no real numbers"):
            Map.read(tmp_path / "d.h5", 1e-8, dataset=name)


def test_particles_of_a_label_image():
    """Two disks, one of them with a speck of its own label, and a particle too small to count."""
    pixel = 0.05 * UM
    x, y = grid(80, 120, 0.05)
    one, two = np.hypot(x - 1.5, y - 2) < 1.2, np.hypot(x - 4.3, y - 1.4) < 1.0
    labels = one * 1 + two * 4
    labels[:3, -2:], labels[:3, :2] = 4, 7
    found = particles(labels, pixel, 0.2 * UM, values=x / 6, binodal=(0.2, 0.3), mesher="delaunay")
    assert [p.label for p in found] == [1, 4]
    for p, centre, R in zip(found, ([1.5, 2.0], [4.3, 1.4]), (1.2, 1.0), strict=True):
        assert p.area == pytest.approx(np.pi * R**2 * UM**2, rel=0.01)
        assert p.mesh.measure() == pytest.approx(p.area, rel=0.02)
        np.testing.assert_allclose(p.mesh.points.mean(axis=0) / UM, centre, atol=0.05)
        assert p.soc == pytest.approx(centre[0] / 6, abs=2e-3)
        assert morphology.mean(p.mesh, p.c) == pytest.approx(p.soc, abs=5e-3)
        assert sum(p.fractions) == pytest.approx(1.0)
    on_mesh = morphology.phase_fractions(found[0].mesh, found[0].c, (0.2, 0.3))
    np.testing.assert_allclose(on_mesh, found[0].fractions, atol=0.02)
    assert found[1].fractions == (0.0, 0.0, 1.0)
    bare = particles(labels, pixel, 0.2 * UM, mesher="delaunay")
    assert (bare[0].c, bare[0].soc, bare[0].fractions) == (None, None, None)
    with pytest.raises(MeshError, match="same size"):
        particles(labels, pixel, 0.2 * UM, values=x[1:])


def test_particles_without_room_are_left_out_by_name():
    """A disk, and one so small that edges of h have no room around it."""
    x, y = grid(40, 60, 0.05)
    labels = 2 * (np.hypot(x - 1, y - 1) < 0.8).astype(int) + 9 * (np.hypot(x - 2.5, y - 1) < 0.17)
    with pytest.warns(UserWarning, match="Particle 9 of the label image is left out: .* smaller h"):
        found = particles(labels, 0.05, 0.25, mesher="delaunay", least=1)
    assert [p.label for p in found] == [2]
    for wrong, match in ((labels / 2, "float64"), (-labels, "A label is -9"), (labels[0], "shape")):
        with pytest.raises(MeshError, match=match):
            particles(wrong, 0.05, 0.25)


def test_what_is_no_mesh_or_no_equilibrium_is_refused():
    map = Map(ring().astype(float), 0.05, ring())
    for options, match in (({"order": 3}, "order = 3.*Use 1 or 2"), ({"mesher": "netgen"}, "'netgen'.*gmsh, delaunay")):
        with pytest.raises(ConfigError, match=match):
            mesh_of(map, 0.2, **options)
        with pytest.raises(ConfigError, match=match):
            particles(ring().astype(int), 0.05, 0.2, **options)
    mesh, c = mesh_of(map, 0.3, mesher="delaunay")
    with pytest.raises(ConfigError, match="no stored energy"):
        stressed(mesh, c, None)
    with pytest.raises(ConfigError, match="one composition for each node"):
        stressed(mesh, c[1:], cm.LinearElastic.isotropic(E, NU))


E, NU, ETA = 100e9, 0.3, 0.02


def plate(kinematics):
    """Stress along a flat front in the middle of a wide plate, extrapolated to it from both sides."""
    pixel = 1 / 32
    x, _ = grid(6 * 32, 32, pixel)
    map = Map(np.where(x > 0.5, 0.8, 0.2), pixel * UM)
    mesh, c = mesh_of(map, "0.0625 um", smooth=0.1 * pixel * UM, mesher="delaunay")
    problem, state = stressed(mesh, c, cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=0.5)), kinematics)
    place = points.positions(problem) / UM - [0.5, 3.0]
    stress = points.stresses(problem, state)[:, 1]
    middle = np.abs(place[:, 1]) < 0.8
    sides = [middle & (s * place[:, 0] > 0.12) & (s * place[:, 0] < 0.42) for s in (-1, 1)]
    left, right = (np.polyfit(place[side, 0], stress[side], 1)[1] for side in sides)
    return left - right


def test_stress_jump_at_a_front_in_plane_strain():
    """E eta dc/(1 - nu)"""
    assert plate(cm.PlaneStrain()) == pytest.approx(film.biaxial_modulus(E, NU) * ETA * 0.6, rel=0.02)


@pytest.mark.slow
def test_stress_jump_at_a_front_in_plane_stress():
    """E eta dc, with the default kinematics of `stressed`."""
    assert plate(None) == pytest.approx(E * ETA * 0.6, rel=0.02)


def bent_particle(pixel, angle=0.0):
    """A lens with two slanting fronts, turned about the middle of a picture 3 um wide."""
    n = round(3 / pixel)
    x, y = (v - 1.5 for v in grid(n, n, pixel))
    x, y = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    y = y - 0.25 * x**2
    c = 0.5 + 0.4 * np.tanh((x + 0.4 * y + 0.2) / 0.15) * np.tanh((x - 0.5) / 0.2)
    return Map(c, pixel * UM, (x / 1.1) ** 2 + (y / 0.5) ** 2 < 1)


def stress_of(map, angle=0.0):
    """Largest and mean von Mises stress; the crystal turns with the picture. Edges are a third of the front's width."""
    mesh, c = mesh_of(map, "0.05 um", smooth="0.1 um", order=2)
    crystal = cm.LinearElastic.isotropic(E, NU, cm.Vegard([-0.02, 0.01, 0.05], c_ref=0.5))
    problem, state = stressed(mesh, c, cm.Oriented(crystal, angle=angle))
    volume, stress = points.volumes(problem), von_mises(points.stresses(problem, state))
    return von_mises(nodal_stress(problem, state)).max(), np.average(stress, weights=volume)


@pytest.mark.slow
def test_stress_map_does_not_depend_on_rotation_or_resampling():
    """Each pixel cut in four, and 30 degrees sampled anew: peak and mean.

    The peak lies where a front meets the surface, so the stairs of the mask matter there: pixels of 20 nm, smoothed
    over five of them. Pixels of 40 nm move it by 3 % at 30 degrees.
    """
    map = bent_particle(0.02)
    first = stress_of(map)
    cut = [v.repeat(2, 0).repeat(2, 1) for v in (map.values, map.inside)]
    four = Map(cut[0], map.pixel / 2, cut[1])
    for other, angle in ((four, 0.0), (bent_particle(0.02, np.pi / 6), np.pi / 6)):
        np.testing.assert_allclose(stress_of(other, angle), first, rtol=0.03)
