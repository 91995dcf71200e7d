"""Shapes: what they keep, where nodes come to lie, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech import design
from chemomech.design import shapes
from chemomech.design.motion import HarmonicMotion, HelmholtzFilter
from chemomech.errors import MeshError
from chemomech.fem.mesh import Mesh, box, elevate, facet_nodes, rectangle

jax.config.update("jax_enable_x64", True)


def quarter_disk(n=8) -> Mesh:
    """Of radius 1 around the origin, with sides left and bottom of symmetry."""
    return round_corner(rectangle(1.0, 1.0, n, n))


def octant(n=5) -> Mesh:
    """Of the unit ball."""
    return round_corner(box(1.0, 1.0, 1.0, n, n, n))


def round_corner(mesh: Mesh) -> Mesh:
    """max |x_i| becomes |x|."""
    x = mesh.points
    size = np.linalg.norm(x, axis=1, keepdims=True)
    points = x * np.where(size > 0, x.max(axis=1, keepdims=True) / np.where(size > 0, size, 1.0), 1.0)
    far = np.isclose(x.max(axis=1), 1.0)
    sides = {f"plane{k}": facets_with(mesh, x[:, k] == 0) for k in range(mesh.dim)}
    return Mesh.build(points, mesh.cells, mesh.cell_type, facet_sets={"surface": facets_with(mesh, far), **sides})


def facets_with(mesh, chosen):
    """Those of the boundary whose nodes are all chosen."""
    nodes = facet_nodes(mesh, mesh.boundary)
    return nodes[chosen[nodes].all(axis=1)]


PLANES = {2: ("plane0", "plane1"), 3: ("plane0", "plane1", "plane2")}


@pytest.mark.parametrize("make", [quarter_disk, octant, lambda: elevate(quarter_disk(5))])
def test_a_superellipsoid_is_one(make):
    mesh = make()
    shape = shapes.Superellipsoid(mesh, "surface", PLANES[mesh.dim])
    np.testing.assert_allclose(shape(shape.initial), mesh.points, atol=0.02 if mesh.order == 2 else 1e-12)
    parameters = np.append([0.5, -0.3][: mesh.dim - 1], 3.0)
    points = np.asarray(shape(parameters))
    at = points[mesh.nodes_of("surface")]
    axes = np.abs(at).max(axis=0)
    np.testing.assert_allclose(np.sum((at / axes) ** 3.0, axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(np.log(axes[:-1] / axes[1:]), parameters[:-1], atol=1e-9)
    assert float(shapes.volume(mesh, points)) == pytest.approx(float(shapes.volume(mesh, mesh.points)), rel=1e-12)
    for k, name in enumerate(PLANES[mesh.dim]):
        np.testing.assert_array_equal(points[mesh.nodes_of(name), k], 0.0)
    assert shapes.least_shrinkage(mesh, points) > 0.2


def test_volume_of_revolution():
    mesh = quarter_disk(24)
    assert float(shapes.volume(mesh, mesh.points, axisymmetric=True)) == pytest.approx(2 / 3 * np.pi, rel=2e-3)
    shape = shapes.Superellipsoid(mesh, "surface", PLANES[2], axisymmetric=True)
    at = np.asarray(shape(np.array([0.4, 2.0])))
    assert np.abs(at[:, 0]).max() ** 2 * np.abs(at[:, 1]).max() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("make", ["superellipse", "superellipsoid", "free", "film", "wire", "pores"])
def test_derivatives(make):
    shape = built(make)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=shape.mesh.points.shape)

    def of(parameters):
        return jnp.sum(weights * shape(parameters) ** 2)

    x = jnp.asarray(shape.initial + 0.1 * rng.uniform(0.5, 1.0, shape.initial.shape) * np.abs(shape.initial).max())
    found = cm.taylor_test(of, x, jax.grad(of)(x), direction=jnp.asarray(rng.normal(size=x.shape)), size=1e-3)
    assert found.error < 1e-8, found
    assert found.orders[1] >= 1.95 or found.remainders[1, 0] < 1e-12, found
    ahead = jax.jvp(of, (x,), (jnp.ones_like(x),))[1]
    assert float(jnp.sum(jax.grad(of)(x))) == pytest.approx(float(ahead), rel=1e-10)


def built(name) -> shapes.AbstractShape:
    mesh = quarter_disk()
    return {
        "superellipse": lambda: shapes.Superellipsoid(mesh, "surface", PLANES[2]),
        "superellipsoid": lambda: shapes.Superellipsoid(octant(4), "surface", PLANES[3]),
        "free": lambda: shapes.FreeSurface(mesh, 0.3, "surface", PLANES[2]),
        "film": lambda: shapes.Thickness(rectangle(2.0, 1.0, 4, 4)),
        "wire": lambda: shapes.Wire(box(0.2, 0.2, 2.0, 2, 2, 8)),
        "pores": lambda: shapes.Pores(mesh, np.zeros((1, 2)), "surface", PLANES[2]),
    }[name]()


def test_motion_is_exact_for_linear_displacements_inside_and_slides_in_planes():
    mesh = octant(4)
    motion = HarmonicMotion(mesh)
    stretch = np.array([[0.1, 0.02, 0.0], [0.0, -0.2, 0.01], [0.03, 0.0, 0.1]])
    np.testing.assert_allclose(motion(mesh.points[motion.surface] @ stretch).shape, mesh.points.shape)
    moved = np.asarray(HarmonicMotion(mesh, "surface", PLANES[3])(0.1 * mesh.points[mesh.nodes_of("surface")]))
    for k, name in enumerate(PLANES[3]):
        np.testing.assert_array_equal(moved[mesh.nodes_of(name), k], 0.0)
    with pytest.raises(MeshError, match="no plane normal to an axis"):
        HarmonicMotion(mesh, "surface", ("surface",))


def test_filter_keeps_constants_and_damps_waves():
    """On a straight side far from its ends a wave k loses 1 + (k l)^2."""
    mesh = rectangle(20.0, 0.5, 400, 1)
    smooth = HelmholtzFilter(mesh, 0.1, "bottom")
    np.testing.assert_allclose(smooth(jnp.ones(len(smooth.surface))), 1.0, rtol=1e-10)
    x, k = mesh.points[smooth.surface, 0], 5.0
    middle = np.abs(x - 10.0) < 5.0
    found = np.asarray(smooth(jnp.cos(k * x)))[middle]
    np.testing.assert_allclose(found, np.cos(k * x[middle]) / (1 + (0.1 * k) ** 2), atol=2e-3)


def test_a_free_surface_grows_along_its_normal():
    mesh = quarter_disk(16)
    shape = shapes.FreeSurface(mesh, 0.2, "surface", PLANES[2], fixed_volume=False)
    points = np.asarray(shape(np.full(len(shape.initial), 0.1)))
    np.testing.assert_allclose(np.linalg.norm(points[mesh.nodes_of("surface")], axis=1), 1.1, rtol=1e-3)


def test_film_wire_and_pores():
    film = shapes.Thickness(rectangle(2.0, 1.0, 4, 4), base=0.5)
    points = np.asarray(film(np.array([0.8])))
    assert points[:, 1].max() == pytest.approx(1.3)
    assert np.all(points[film.mesh.points[:, 1] <= 0.5] == film.mesh.points[film.mesh.points[:, 1] <= 0.5])
    wire = shapes.Wire(box(0.2, 0.2, 2.0, 2, 2, 40))
    points = np.asarray(wire(np.array([0.2, 0.5])))
    axis = np.isclose(wire.mesh.points[:, 0], 0.1) & np.isclose(wire.mesh.points[:, 1], 0.1)
    line = points[axis][np.argsort(wire.mesh.points[axis, 2])]
    assert np.sum(np.linalg.norm(np.diff(line, axis=0), axis=1)) == pytest.approx(2.0, rel=1e-4)
    centre = wire.middle + np.array([2.0, 0.0, 0.0])  # of the circle
    np.testing.assert_allclose(np.linalg.norm(line - centre, axis=1), 2.0, rtol=1e-9)
    assert np.ptp(points[:, 1]) == pytest.approx(0.4)
    pores = shapes.Pores(quarter_disk(), np.zeros((1, 2)), "surface", PLANES[2])
    grown = np.asarray(pores(np.array([1.2])))
    np.testing.assert_allclose(np.linalg.norm(grown[pores.motion.surface], axis=1), 1.2, rtol=1e-12)


def test_shape_gradient_of_a_static_problem():
    """The peak stress of a body whose composition is uneven, by its aspect and exponent."""
    mesh = quarter_disk(6)
    shape = shapes.Superellipsoid(mesh, "surface", PLANES[2])
    elastic = cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored([elastic])],
        constraints=[cm.Fixed("c", value=lambda x: 0.3 + 0.4 * x[:, 0] ** 2), cm.Fixed("u.x", on="plane0"),
                     cm.Fixed("u.y", on="plane1")],
    )  # fmt: skip
    newton = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))
    peak = design.StressPeak("principal", 8)

    def of(parameters):
        moved = problem.moved(shape(parameters))
        return peak(moved, cm.solve_static(moved, newton=newton))

    x = jnp.asarray(shape.initial)
    slope = jax.grad(of)(x)
    assert np.all(np.abs(slope) > 1e-4)
    found = cm.taylor_test(of, x, slope, direction=jnp.array([0.5, 0.7]), size=1e-3)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95, found
