"""Lattice correspondences of least strain: what must not matter, what must be found, what is refused."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_lattice import rotation

from chemomech.errors import ConfigError
from chemomech.thermo import Lattice, correspondence, strain_distance, transformation
from chemomech.thermo.sublattices import adjugate, changes_of_basis, pair_features, reduced, six

A = 1e-10
RNG = np.random.default_rng(7)
TRICLINIC = Lattice((4.1 * A, 5.2 * A, 6.7 * A), (1.45, 1.62, 1.75))
SYSTEMS = {
    "cubic": Lattice.cubic(4 * A),
    "fcc": Lattice.cubic(4 * A, "F"),
    "hexagonal": Lattice.hexagonal(3 * A, 5 * A),
    "rhombohedral": Lattice.hexagonal(2.8 * A, 14 * A, "R"),
    "monoclinic": Lattice.monoclinic(5 * A, 6 * A, 7 * A, 1.9, "C"),
    "triclinic": TRICLINIC,
}


def stretches(parent, product, **options):
    """Sorted stretches of the correspondence that is found."""
    return np.asarray(transformation(parent, product, correspondence(parent, product, **options).matrix).stretches)


def strained(lattice, size=0.04, rng=RNG):
    """The lattice after a random strain, as vectors."""
    return (np.eye(3) + size * rng.normal(size=(3, 3))) @ np.asarray(lattice.basis)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_lattice_becomes_itself_without_strain(name):
    lattice = SYSTEMS[name]
    found = correspondence(lattice, lattice)
    change = transformation(lattice, lattice, found.matrix)
    np.testing.assert_array_equal(found.indices, 1)
    np.testing.assert_allclose(change.stretches, 1.0, atol=1e-14)
    np.testing.assert_allclose(change.U, np.eye(3), atol=1e-14)
    assert float(change.volume_ratio) == pytest.approx(1.0, abs=1e-14)
    assert float(found.distance) < 1e-6  # the square root of round-off


@pytest.mark.parametrize("name", SYSTEMS)
def test_rotations_and_other_cells_do_not_matter(name):
    parent = SYSTEMS[name]
    product = strained(parent)
    reference = stretches(parent, Lattice.from_basis(product, parent.centring))
    for turned in (rotation(RNG) @ product, rotation(RNG) @ product):
        np.testing.assert_allclose(
            stretches(parent, Lattice.from_basis(turned, parent.centring)), reference, rtol=1e-12
        )
    again = Lattice.from_basis(rotation(RNG) @ np.asarray(parent.basis), parent.centring)
    np.testing.assert_allclose(stretches(again, Lattice.from_basis(product, parent.centring)), reference, rtol=1e-12)
    table = changes_of_basis()
    for change in table[RNG.integers(0, len(table), 3)]:  # other primitive cells of the same lattices
        cells = [
            Lattice.from_basis(b @ change) for b in (np.asarray(parent.primitive), product_primitive(parent, product))
        ]
        np.testing.assert_allclose(stretches(*cells), reference, rtol=1e-12)


def product_primitive(parent, product):
    """Primitive vectors of a strained lattice."""
    return product @ np.linalg.solve(np.asarray(parent.basis), np.asarray(parent.primitive))


def test_the_way_back_is_the_inverse():
    product = Lattice.from_basis(strained(TRICLINIC))
    there, back = correspondence(TRICLINIC, product), correspondence(product, TRICLINIC)
    np.testing.assert_allclose(there.matrix @ back.matrix, np.eye(3), atol=1e-14)
    assert float(there.distance) == pytest.approx(float(back.distance), rel=1e-10)
    forward, backward = stretches(TRICLINIC, product), stretches(product, TRICLINIC)
    np.testing.assert_allclose(forward * backward[::-1], 1.0, rtol=1e-12)


def test_distance_is_that_of_the_deformation():
    product = Lattice.from_basis(strained(TRICLINIC, 0.1))
    found = correspondence(TRICLINIC, product)
    change = transformation(TRICLINIC, product, found.matrix)
    values = np.asarray(change.stretches)
    expected = np.sqrt(0.25 * np.sum((values - 1 / values) ** 2))
    assert float(found.distance) == pytest.approx(expected, rel=1e-10)
    assert float(strain_distance(change.F)) == pytest.approx(expected, rel=1e-10)
    assert expected == pytest.approx(np.linalg.norm(np.log(values)), rel=0.03)


@pytest.mark.parametrize("index", [2, 3])
def test_a_cell_of_many_is_found(index):
    """A product whose cell holds several of the parent's, each strained alike."""
    strain = np.eye(3) + 0.03 * RNG.normal(size=(3, 3))
    product = strain @ np.asarray(TRICLINIC.basis) @ np.array([[1, 0, 0], [1, 1, 0], [0, 1, index]])
    found = correspondence(TRICLINIC, Lattice.from_basis(product), max_index=3)
    np.testing.assert_array_equal(found.indices, [index, 1])
    expected = np.linalg.svd(strain)[1]
    np.testing.assert_allclose(
        transformation(TRICLINIC, Lattice.from_basis(product), found.matrix).stretches, np.sort(expected), rtol=1e-9
    )


def test_given_indices_are_obeyed():
    product = Lattice.from_basis(strained(TRICLINIC))
    np.testing.assert_array_equal(correspondence(TRICLINIC, product, indices=[(2, 2)]).indices, 2)
    better = correspondence(TRICLINIC, product, indices=[(1, 1), (2, 2)])
    assert float(better.distance) <= float(correspondence(TRICLINIC, product).distance) * (1 + 1e-9)


@pytest.mark.slow
def test_batches_traces_and_single_pairs_agree():
    parents = Lattice.from_basis(np.stack([strained(TRICLINIC) for _ in range(5)]))
    products = Lattice.from_basis(np.stack([strained(TRICLINIC) for _ in range(5)]))
    batch = correspondence(parents, products)
    traced = jax.jit(correspondence)(parents, products)
    np.testing.assert_array_equal(batch.matrix, traced.matrix)
    np.testing.assert_allclose(batch.distance, traced.distance, rtol=1e-12)
    mapped = jax.jit(jax.vmap(correspondence))(parents, products)
    np.testing.assert_array_equal(batch.matrix, mapped.matrix)
    for i in range(5):
        one = correspondence(*(jax.tree.map(lambda leaf, i=i: leaf[i], lattice) for lattice in (parents, products)))
        np.testing.assert_array_equal(one.matrix, batch.matrix[i])
    against_one = correspondence(TRICLINIC, products)
    assert against_one.matrix.shape == (5, 3, 3)


def test_traced_cells_that_cannot_exist_are_infinitely_far():
    @jax.jit
    def distance(angles):
        product = Lattice((4 * A, 5 * A, 6 * A), angles)
        found = correspondence(TRICLINIC, product)
        return found.distance, transformation(TRICLINIC, product, found.matrix).stretches

    value, others = distance(jnp.asarray([0.5, 0.5, 2.0]))
    assert np.isposinf(value)
    assert np.isfinite(others).all()
    assert np.isfinite(distance(jnp.asarray([1.5, 1.6, 1.7]))[0])


def test_indices_that_mean_nothing_are_refused():
    for options in ({"max_index": 0}, {"indices": [(0, 1)]}, {"indices": []}):
        with pytest.raises(ConfigError, match="whole numbers"):
            correspondence(TRICLINIC, TRICLINIC, **options)


@pytest.mark.slow
@pytest.mark.parametrize("strain", [0.05, 0.3, None])
def test_a_table_twenty_times_as_large_finds_nothing_better(strain):
    """All 67 704 matrices of determinant one with entries up to 2, for strained and for unrelated lattices."""
    rows = np.array(list(itertools.product((-2.0, -1, 0, 1, 2), repeat=3)))
    crosses = np.cross(rows[:, None], rows[None]).reshape(-1, 3)
    i, j = np.nonzero(np.abs(crosses @ rows.T - 1) < 0.5)
    table = np.stack([rows[i // 125], rows[i % 125], rows[j]], 1)
    assert len(table) == 67704
    features = np.concatenate([pair_features(table), pair_features(np.swapaxes(adjugate(table), -1, -2))], -1)
    rng = np.random.default_rng(11)
    first = rng.normal(size=(100, 3, 3)) * rng.uniform(1, 4, (100, 1, 3))
    second = (
        rng.normal(size=first.shape) if strain is None else (np.eye(3) + strain * rng.normal(size=first.shape)) @ first
    )
    first, second = (b * np.sign(np.linalg.det(b))[:, None, None] for b in (first, second))
    second *= np.cbrt(np.linalg.det(first) / np.linalg.det(second))[:, None, None]
    lattices = [Lattice.from_basis(b) for b in (first, second)]
    metrics = [reduced(lattice.metric)[0] for lattice in lattices]
    pairs = [six(jnp.linalg.inv(metrics[0])), six(metrics[1]), six(jnp.linalg.inv(metrics[1])), six(metrics[0])]
    a, b, c, d = (np.asarray(p) for p in pairs)
    columns = np.concatenate([(x[:, :, None] * y[:, None]).reshape(-1, 36) for x, y in ((b, a), (c, d))], -1)
    best = np.concatenate([(columns[k : k + 20] @ features.T).min(1) for k in range(0, 100, 20)])
    found = correspondence(*lattices, indices=[(1, 1)]).distance
    np.testing.assert_allclose(found, np.sqrt(np.maximum(0.25 * best - 1.5, 0)), rtol=1e-6)
