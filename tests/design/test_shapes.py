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


RADIUS = 0.56  # of pores whose centres lie 1 apart
NECK = float(np.sqrt(RADIUS**2 - 0.25))


def corner_of_square(n=6) -> shapes.Pores:
    """A quarter of the solid between round pores on a square lattice, one of them around the origin."""
    up = np.linspace(NECK, 0.5, n + 1)
    sides = np.concatenate([with_first(up, 0.5), with_first(up, 0.5)[-2::-1, ::-1]])
    return opal(*around_origin(sides, steps(2 * n)), [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def row(n=4, *, order=1) -> shapes.Pores:
    """Half of the solid around a row of round pores, from one centre to the next; its outer side stays flat."""
    sides = np.concatenate([with_first(np.linspace(NECK, 1.0, 2 * n + 1), 0.5),
                            with_first(np.linspace(0.5, 0.0, n + 1)[1:], 1.0)[:, ::-1]])  # fmt: skip
    points, cells = with_image(*around_origin(sides, steps(3 * n)))
    return opal(points, cells, [[0.0, 0.0], [1.0, 0.0]], order)


def checkerboard(n=6) -> shapes.Pores:
    """An eighth of the solid between round pores on a square lattice along its diagonals, with walls of two of them.

    Of the necks of each pore one is in the mesh; the others are its images in the planes of symmetry.
    """
    side = np.sqrt(0.5)
    angle = np.linspace(0.0, 0.25 * np.pi - np.arccos(0.5 / RADIUS), n + 1)
    wall = RADIUS * np.stack([np.cos(angle), np.sin(angle)], 1)
    wall = np.concatenate([wall, side - wall[-2::-1, ::-1]])
    ways = wall - [side, 0.0]
    layers = np.linspace(0.0, 1.0, 4)[1:, None, None]
    points = np.concatenate([[[side, 0.0]], ([side, 0.0] + layers * ways).reshape(-1, 2)])
    first = np.insert(steps(2 * n) + 1, 0, 0, axis=1)
    cells = [first, *(between(steps(2 * n) + 1, k * len(wall), len(wall)) for k in range(2))]
    return opal(points, np.concatenate(cells), [[0.0, 0.0], [side, side]])


def corner_of_cube(n=3, *, images=False, order=1) -> shapes.Pores:
    """An eighth of the solid between spheres on a simple cubic lattice, one of them around the origin; or a quarter."""
    grid = rectangle(1.0, 1.0, 2 * n, n)  # around the neck on a face, and from there to its edges
    angle, out = 0.5 * np.pi * grid.points[:, :1], grid.points[:, 1:]
    edges = np.clip(2.0 * np.concatenate([1.0 - grid.points[:, :1], grid.points[:, :1]], 1), 0.0, 1.0)
    face = with_first((1.0 - out) * NECK * np.concatenate([np.cos(angle), np.sin(angle)], 1) + out * 0.5 * edges, 0.5)
    faces = np.concatenate([np.roll(face, k, axis=1) for k in range(3)])
    points, cells = around_origin(faces, np.concatenate([grid.cells + k * len(face) for k in range(3)]))
    if images:
        points, cells = with_image(points, cells)
    centres = np.array(list(np.ndindex(2, 2, 2)), float)
    return opal(points, cells, centres[centres[:, int(images) :].sum(axis=1) <= 1], order)


def steps(n):
    return np.stack([np.arange(n), np.arange(n) + 1], 1)


def with_first(points, value):
    """Another coordinate before the others."""
    points = points.reshape(len(points), -1)
    return np.concatenate([np.full((len(points), 1), value), points], axis=1)


def around_origin(outer, facets, layers=2):
    """Cells from a pore around the origin to outer facets: where these reach the pore, layers meet."""
    outer, facets = merged(outer, facets)
    wall = RADIUS * outer / np.linalg.norm(outer, axis=1, keepdims=True)
    points = np.concatenate([wall + k / layers * (outer - wall) for k in range(layers + 1)])
    return merged(points, np.concatenate([between(facets, k * len(outer), len(outer)) for k in range(layers)]))


def between(facets, first, count):
    """Simplices between facets, numbered from `first`, and those `count` further on."""
    low = np.sort(facets, axis=1) + first
    return np.concatenate([np.concatenate([low[:, : i + 1], low[:, i:] + count], 1) for i in range(low.shape[1])])


def with_image(points, cells):
    """And their mirror image in the plane x = 1/2."""
    image = with_first(points[:, 1:], 0.0) + (1.0 - points[:, :1]) * np.eye(points.shape[1])[0]
    return merged(np.concatenate([points, image]), np.concatenate([cells, cells + len(points)]))


def merged(points, cells):
    """Points that coincide once, without cells that are flat for it."""
    _, first, number = np.unique(np.round(points, 9), axis=0, return_index=True, return_inverse=True)
    cells = np.sort(number.reshape(-1)[cells], axis=1)
    return points[first], cells[np.all(np.diff(cells, axis=1) > 0, axis=1)]


def opal(points, cells, centres, order=1) -> shapes.Pores:
    """Pores in a body whose sides, normal to axes, are planes of symmetry."""
    turned = np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]]) < 0
    cells = np.where(turned[:, None], cells[:, [1, 0, *range(2, cells.shape[1])]], cells)
    centres = np.array(centres)
    chosen = {"walls": np.abs(distances(points, centres)[:, 0] - RADIUS) < 1e-9}
    for k, x in enumerate(points.T):
        chosen |= {f"low{k}": x < x.min() + 1e-9, f"high{k}": x > x.max() - 1e-9}
    mesh = Mesh.build(points, cells, {2: "triangle", 3: "tetra"}[points.shape[1]])
    sets = {name: facets for name, nodes in chosen.items() if len(facets := facets_with(mesh, nodes))}
    mesh = Mesh.build(points, cells, mesh.cell_type, facet_sets=sets)
    sides = tuple(name for name in sets if name != "walls")
    return shapes.Pores(mesh if order == 1 else elevate(mesh), centres, "walls", sides)


def distances(points, centres):
    """To all centres, the nearest first."""
    return np.sort(np.linalg.norm(points[:, None] - centres, axis=2), axis=1)


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


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("superellipsoid", "free", "opal")]


@pytest.mark.parametrize("make", ["superellipse", "film", "wire", "pores", *SLOW])
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
        "opal": lambda: corner_of_cube(2),
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


OPALS = {
    "square": corner_of_square, "row": row, "quadratic row": lambda: row(order=2), "checkerboard": checkerboard,
    "cube": corner_of_cube, "two in a cube": lambda: corner_of_cube(images=True),
    "two in a quadratic cube": lambda: corner_of_cube(2, images=True, order=2),
}  # fmt: skip


@pytest.mark.parametrize("make", OPALS)
def test_an_inverse_opal_as_it_is(make):
    pores = OPALS[make]()
    assert pores.names == ("radius", "neck")
    np.testing.assert_allclose(pores.initial, [RADIUS, NECK], rtol=1e-12)
    np.testing.assert_allclose(pores(pores.initial), pores.mesh.points, rtol=0, atol=1e-14)


@pytest.mark.parametrize("change", [(1, 1.15), (1, 0.85), (1.15, 1), (0.85, 1), (1.15, 0.85), (0.85, 1.15)])
@pytest.mark.parametrize("make", OPALS)
def test_walls_of_an_inverse_opal_are_spheres_that_meet_in_its_necks(make, change):
    pores = OPALS[make]()
    radius, neck = parameters = pores.initial * change
    points, period = np.asarray(pores(parameters)), 2.0 * np.sqrt(radius**2 - neck**2)
    walls = pores.motion.surface
    before, after = distances(pores.mesh.points[walls], pores.centres), distances(points[walls], period * pores.centres)
    halfway = np.isclose(before[:, 0], before[:, 1], rtol=1e-9)
    np.testing.assert_allclose(after[halfway, 1], after[halfway, 0], rtol=1e-12)
    corners = np.isin(walls, pores.mesh.cells[:, : pores.mesh.dim + 1])  # not amid straight sides
    before, after, walls = before[corners], after[corners], walls[corners]
    np.testing.assert_allclose(after[:, 0], radius, rtol=1e-12)
    meet = before[:, 1] < RADIUS + 1e-9
    assert meet.sum() >= (1 if pores.mesh.dim == 2 else 5)
    np.testing.assert_allclose(after[meet, 1], radius, rtol=1e-12)
    assert np.all(after[~meet, 1] > radius + 1e-3)
    apart = np.linalg.norm(pores.centres[:, None] - pores.centres, axis=2)
    middles = 0.5 * period * (pores.centres[:, None] + pores.centres)[np.isclose(apart, 1.0)]
    np.testing.assert_allclose(distances(points[walls[meet]], middles)[:, 0], neck, rtol=1e-12)
    for name in pores.motion.names[1]:
        nodes, k = pores.mesh.nodes_of(name), shapes.plane_axis(pores.mesh, name)
        np.testing.assert_allclose(points[nodes, k], period * pores.mesh.points[nodes, k], rtol=1e-12, atol=1e-15)
    assert shapes.quality(pores.mesh, points) > 0.6 * shapes.quality(pores.mesh)


@pytest.mark.parametrize("make", ["square", "row", "checkerboard"])
@pytest.mark.parametrize("change", [(1, 1), (1, 1.15), (1.15, 0.85)])
def test_area_between_overlapping_circles(make, change):
    """That of the mesh is larger by what lies between its straight sides and the circles."""
    pores = OPALS[make]()
    radius, neck = parameters = pores.initial * change
    period, angle = 2.0 * np.sqrt(radius**2 - neck**2), np.arcsin(neck / radius)
    disk, cut = np.pi * radius**2, radius**2 * (angle - np.sin(angle) * np.cos(angle))  # cut off by a neck
    exact = period**2 - (disk - 2.0 * cut) / 2.0 if make == "row" else (period**2 - disk + 4.0 * cut) / 4.0
    points = np.asarray(pores(parameters))
    ends = points[facet_nodes(pores.mesh, pores.mesh.facets("walls"))]
    seen = 2.0 * np.arcsin(0.5 * np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / radius)  # from the centre
    slivers = np.sum(0.5 * radius**2 * (seen - np.sin(seen)))
    assert float(shapes.volume(pores.mesh, points)) == pytest.approx(exact + slivers, rel=1e-11)


@pytest.mark.parametrize("change", [(1, 1), (1, 1.15), (1.15, 0.85)])
def test_volume_between_overlapping_spheres(change):
    """That of the mesh comes closer with the square of its size."""
    errors = []
    for n in (4, 8):
        pores = corner_of_cube(n)
        radius, neck = parameters = pores.initial * change
        period = 2.0 * np.sqrt(radius**2 - neck**2)
        height = radius - 0.5 * period
        caps = 6.0 * np.pi * height**2 * (3.0 * radius - height) / 3.0
        exact = (period**3 - 4.0 / 3.0 * np.pi * radius**3 + caps) / 8.0
        errors.append(float(shapes.volume(pores.mesh, pores(parameters))) / exact - 1.0)
    assert 0.0 < errors[1] < 0.02
    assert np.log2(errors[0] / errors[1]) > 1.9


@pytest.mark.parametrize("make", ["checkerboard", "two in a cube"])
def test_an_inverse_opal_from_what_it_has_become(make):
    """Walls go where they went from the first mesh; so do necks."""
    pores = OPALS[make]()
    first, then = pores.initial * [1.05, 0.9], pores.initial * [0.95, 1.1]
    following = pores.on(pores.mesh.moved(np.asarray(pores(first))), first)
    np.testing.assert_allclose(following.initial, first, rtol=1e-12)
    ends = [np.asarray(s(then))[s.motion.surface] for s in (pores, following)]
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-12)


def test_senseless_necks_are_refused():
    pores = corner_of_square()
    for radius, neck in ((0.5, 0.5), (0.5, 0.6), (0.5, 0.0), (0.5, -0.1), (0.5, 0.36)):
        with pytest.raises(MeshError, match=f"no necks of radius {neck:g} m: between 0 and 0.3536 m"):
            pores(jnp.array([radius, neck]))
        with pytest.raises(MeshError, match="no necks"):
            jax.grad(lambda p: pores(p)[0, 0])(jnp.array([radius, neck]))
    wide = jnp.asarray(pores.initial * [1.0, 1.1])
    compiled = jax.jit(lambda p: pores(p))
    np.testing.assert_allclose(compiled(wide), pores(wide), rtol=0, atol=1e-15)
    assert np.all(np.isnan(compiled(jnp.array([0.5, 0.6]))))


def test_pores_that_are_no_inverse_opal_are_refused():
    def of(centres, mesh=None, sliding=()):
        return shapes.Pores(mesh or corner_of_square().mesh, np.array(centres), "walls", sliding)

    with pytest.raises(MeshError, match="have centres in distances from 1 to 1.05 m"):
        of([[0.0, 0.0], [1.0, 0.0], [0.0, 1.05]])
    with pytest.raises(MeshError, match="are of radii from 0.54"):
        of([[0.0, 0.0], [0.98, 0.0]], row().mesh)
    with pytest.raises(MeshError, match="plane 'high1' cuts a pore"):
        of([[0.0, 0.0], [1.0, 0.0]], sliding=("high0", "high1"))
    pores = corner_of_square()
    wider = pores.mesh.moved(np.asarray(pores(pores.initial * [1.0, 1.3])))
    scale = 2.0 * np.sqrt(RADIUS**2 - (1.3 * NECK) ** 2)
    with pytest.raises(MeshError, match="cut one another"):
        of(scale * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, -np.sqrt(0.75)]]), wider)


def test_pores_apart_have_no_necks():
    """Touching is no overlap; nor is what pores of one size would do, if they are of several."""
    mesh = quarter_disk()
    assert shapes.Pores(mesh, np.array([[0.0, 0.0], [2.0, 0.0]]), "surface", PLANES[2]).names == ("radius",)
    small, centres = 0.1 * mesh.points - [1.2, 0.0], np.array([[0.0, 0.0], [-1.2, 0.0]])
    points, cells = np.concatenate([mesh.points, small]), np.concatenate([mesh.cells, mesh.cells + len(small)])
    both = Mesh.build(points, cells, "triangle")
    far = np.isclose(distances(points, centres)[:, 0], np.repeat([1.0, 0.1], len(small)))
    both = Mesh.build(points, cells, "triangle", facet_sets={"surface": facets_with(both, far)})
    assert shapes.Pores(both, centres, "surface").names == ("radius",)


SYMMETRIC = ("high0", "high1")


@pytest.mark.slow
@pytest.mark.parametrize(("make", "planes", "direction"), [
    (lambda: shapes.Superellipsoid(quarter_disk(6), "surface", PLANES[2]), PLANES[2], [0.5, 0.7]),
    pytest.param(corner_of_square, SYMMETRIC, [0.1, 0.0], marks=pytest.mark.slow, id="radius"),
    pytest.param(corner_of_square, SYMMETRIC, [0.0, 0.1], marks=pytest.mark.slow, id="neck"),
])  # fmt: skip
def test_shape_gradient_of_a_static_problem(make, planes, direction):
    """The peak stress of a body whose composition is uneven, by its aspect and exponent, or pore radius and neck."""
    shape = make()
    mesh = shape.mesh
    elastic = cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.02, c_ref=0.5))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored([elastic])],
        constraints=[cm.Fixed("c", value=lambda x: 0.3 + 0.4 * x[:, 0] ** 2), cm.Fixed("u.x", on=planes[0]),
                     cm.Fixed("u.y", on=planes[1])],
    )  # fmt: skip
    newton = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-10))
    peak = design.StressPeak("principal", 8)

    def of(parameters):
        moved = problem.moved(shape(parameters))
        return peak(moved, cm.solve_static(moved, newton=newton))

    x = jnp.asarray(shape.initial)
    slope = jax.grad(of)(x)
    assert np.all(np.abs(slope) > 1e-4)
    found = cm.taylor_test(of, x, slope, direction=jnp.array(direction), size=1e-3)
    assert found.error < 1e-7, found
    assert found.orders[1] >= 1.95, found
