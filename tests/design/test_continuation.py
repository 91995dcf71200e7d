"""Remeshing: what the boundary keeps, what fields keep, shapes and studies that go on with new cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_shapes import PLANES, corner_of_cube, octant, quarter_disk

import chemomech as cm
from chemomech import design
from chemomech.errors import ConfigError, MeshError
from chemomech.fem.mesh import Mesh, box, elevate, facet_nodes, rectangle

jax.config.update("jax_enable_x64", True)


def ring() -> Mesh:
    """A square with a hole."""
    mesh = rectangle(3.0, 3.0, 9, 9)
    kept = np.abs(mesh.centroids() - 1.5).max(axis=1) > 0.5
    used, cells = np.unique(mesh.cells[kept], return_inverse=True)
    return Mesh.build(mesh.points[used], cells.reshape(-1, 3), "triangle", {"all": np.arange(kept.sum())})


def squeezed(mesh: Mesh) -> Mesh:
    """Its inner nodes in poor places."""
    inner = np.setdiff1d(np.arange(len(mesh.points)), np.unique(facet_nodes(mesh, mesh.boundary)))
    points = mesh.points.copy()
    points[inner] += 0.06 * np.random.default_rng(0).uniform(-1, 1, points[inner].shape)
    return mesh.moved(points)


@pytest.mark.gmsh
@pytest.mark.parametrize("make", [quarter_disk, ring, lambda: elevate(quarter_disk(4)), lambda: octant(4)])
def test_the_boundary_stays_and_the_inside_is_new(make):
    pytest.importorskip("gmsh", exc_type=(ImportError, OSError))
    from chemomech.geometry import remeshed

    old = make()
    new = remeshed(old)
    assert new.cell_type == old.cell_type
    assert new.measure() == pytest.approx(old.measure(), rel=1e-12)
    assert set(new.facet_sets) == set(old.facet_sets)
    for name in (*old.facet_sets, "boundary"):
        ends = [m.points[np.unique(facet_nodes(m, m.facets(name)))] for m in (old, new)]
        np.testing.assert_allclose(*(p[np.lexsort(p.T)] for p in ends), atol=1e-12)
    assert all(len(cells) == len(new.cells) for cells in new.cell_sets.values())
    assert design.quality(new) > 0.3
    again = remeshed(old)
    np.testing.assert_array_equal(again.points, new.points)
    np.testing.assert_array_equal(again.cells, new.cells)


def test_quality():
    equilateral = Mesh.build([[0, 0], [1, 0], [0.5, 3**0.5 / 2]], [[0, 1, 2]], "triangle")
    assert design.quality(equilateral) == pytest.approx(1.0)
    assert design.quality(equilateral, equilateral.points * [1, 1e-3]) < 0.01
    assert design.quality(equilateral, equilateral.points * [1, -1]) < 0
    h = np.sqrt(2 / 3)
    corners = [[0, 0, 0], [1, 0, 0], [0.5, 3**0.5 / 2, 0], [0.5, 3**0.5 / 6, h]]
    assert design.quality(Mesh.build(corners, [[0, 1, 2, 3]], "tetra")) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "mesh", [rectangle(1, 1, 1, 1, "quad"), box(1, 1, 1, 1, 1, 1, "hexahedron")], ids=["quad", "brick"]
)
def test_quality_sees_every_corner(mesh):
    """A square and a cube have the best; a corner drawn through the middle is found, whichever it is."""
    assert design.quality(mesh) == pytest.approx(1.0)
    for node in range(len(mesh.points)):
        points = mesh.points.copy()
        points[node] = 1.2 * (0.5 - points[node]) + 0.5
        assert design.quality(mesh, points) < 0
    flat = mesh.points * np.array([1.0, 1.0, 1e-2])[-mesh.dim :]
    assert 0 < design.quality(mesh, flat) < 0.1


def test_a_film_of_bricks_can_be_thicker():
    mesh = box(1, 1, 1, 2, 1, 1, "hexahedron")
    made = design.Shape(design.Thickness(mesh), 0.5, 2.0).put(design.Experiment(body_on(mesh), cm.State({})), [1.5])
    assert np.ptp(np.asarray(made.problem.mesh.points)[:, 2]) == pytest.approx(1.5)


def problem_on(mesh: Mesh) -> cm.Problem:
    elastic = cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5))
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored([elastic])],
        constraints=[cm.Fixed("c", value=lambda x: 0.3 + 0.4 * x[:, 0] ** 2), cm.Fixed("u.x", on="plane0"),
                     cm.Fixed("u.y", on="plane1")],
    )  # fmt: skip


def body_on(mesh: Mesh) -> cm.Problem:
    return cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=2.0)]), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip


@pytest.mark.parametrize("c", [lambda x: 0.2 + 0.3 * x[:, 0], lambda x: (x[:, 0] > 0.45) * 0.98 + 0.01])
def test_fields_on_another_mesh_are_linear_and_keep_the_lithium(c):
    old, new = body_on(rectangle(1.0, 1.0, 9, 9)), body_on(squeezed(rectangle(1.0, 1.0, 7, 6)))
    state = design.transferred(old, new, old.state(c=c))
    held = [float(cm.Evolution(p).mean(cm.Evolution(p).start(s))) for p, s in ((old, old.state(c=c)), (new, state))]
    assert held[0] == pytest.approx(held[1], rel=1e-13)
    assert 0.0 < state.c.min() <= state.c.max() < 1.0
    if abs(held[0] - 0.35) < 1e-9:  # the linear one is met exactly
        np.testing.assert_allclose(state.c, c(new.mesh.points), rtol=1e-12)


@pytest.mark.gmsh
def test_a_superellipse_goes_on():
    pytest.importorskip("gmsh", exc_type=(ImportError, OSError))
    from chemomech.geometry import remeshed

    shape = design.Superellipsoid(quarter_disk(), "surface", PLANES[2])
    x = np.array([0.4, 3.0])
    body = shape.mesh.moved(np.asarray(shape(x)))
    following = shape.on(remeshed(body), x)
    np.testing.assert_allclose(following.initial, x, atol=1e-9)
    np.testing.assert_allclose(following(x), following.mesh.points, atol=1e-9)
    y = np.array([0.3, 2.5])
    ends = [np.asarray(s(y))[s.motion.surface] for s in (shape, following)]
    np.testing.assert_allclose(*(p[np.argsort(p[:, 0])] for p in ends), atol=2e-3)


@pytest.mark.gmsh
def test_an_inverse_opal_goes_on():
    """Nodes of the boundary stay in remeshing: walls go where they went from the first mesh."""
    pytest.importorskip("gmsh", exc_type=(ImportError, OSError))
    from chemomech.geometry import remeshed

    pores = corner_of_cube()
    x, y = pores.initial * [1.1, 0.9], pores.initial * [0.95, 1.1]
    following = pores.on(remeshed(pores.mesh.moved(np.asarray(pores(x)))), x)
    np.testing.assert_allclose(following.initial, x, rtol=1e-8)
    np.testing.assert_allclose(following(x), following.mesh.points, atol=1e-8)
    ends = [np.unique(np.round(np.asarray(s(y))[s.motion.surface], 6), axis=0) for s in (pores, following)]
    np.testing.assert_allclose(*ends, atol=2e-6)
    assert design.quality(following.mesh, np.asarray(following(y))) > 0.05


@pytest.mark.gmsh
@pytest.mark.slow
def test_an_optimisation_goes_on_over_remeshing():
    """A long superellipse has the least stress here: on the way its cells get poor, and are made anew."""
    pytest.importorskip("gmsh", exc_type=(ImportError, OSError))
    mesh = quarter_disk(10)
    shape = design.Shape(design.Superellipsoid(mesh, "surface", PLANES[2]), [-1.2, 1.9], [1.2, 3.0])
    newton = {"newton": cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))}
    problem = problem_on(mesh)
    experiment = design.Experiment(problem, problem.state(), None)
    study = design.Study(experiment, [shape], design.PeakStress("principal", 8), options=newton)
    poor = 0.5 * design.quality(mesh)
    heard = []
    found = design.optimise_with_remeshing(study, problem_on, poor=poor, iterations=8, heard=heard.append)
    assert len(found.optima) > 1
    assert design.quality(found.study.experiment.problem.mesh) > poor
    assert len(heard) == sum(len(optimum.evaluations) for optimum in found.optima)
    last, first = found.optima[0], found.optima[1].evaluations[0]
    np.testing.assert_allclose(first.x, last.x, atol=1e-9)
    assert first.values[0] == pytest.approx(last.value, rel=0.1)  # the same body with other cells
    assert found.optimum.value < study.values(jnp.asarray(study.initial))[0]


def test_what_cannot_be_remeshed_says_so():
    from chemomech.geometry import remeshed

    with pytest.raises(MeshError, match="quad cannot be remeshed"):
        remeshed(Mesh.build([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2, 3]], "quad"))
    half = rectangle(1.0, 1.0, 2, 2)
    parts = Mesh.build(half.points, half.cells, "triangle", {"core": [0, 1]})
    with pytest.raises(MeshError, match="core are parts of the body"):
        remeshed(parts)
    shape = design.Shape(design.Superellipsoid(quarter_disk(), "surface", PLANES[2]), [-4.0, 1.9], [4.0, 9.0])
    problem = problem_on(quarter_disk())
    with pytest.raises(MeshError, match=r"Superellipsoid: a cell is .*optimise_with_remeshing"):
        shape.put(design.Experiment(problem, problem.state(), None), jnp.array([3.9, 8.0]))
    bent = design.Wire(rectangle(0.2, 2.0, 2, 20), axis=1)
    with pytest.raises(MeshError, match="bent Wire"):
        bent.on(bent.mesh, np.array([0.1, 0.5]))
    study = design.Study(design.Experiment(problem, problem.state(), None), [shape, shape], design.Column("soc"))
    with pytest.raises(ConfigError, match="exactly one"):
        design.remeshed_study(study, study.initial, problem_on)
