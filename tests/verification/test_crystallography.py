"""Known transformations: twins of lithium manganese oxide, stretches of vanadium oxide, Bain's strain.

LiMn2O4 (cubic, 8.245 angstrom) becomes Li2Mn2O4 (tetragonal, 5.662 and 9.274 angstrom), which is twinned on {110}. The
digits were computed apart from this package, from the closed form of cubic-to-tetragonal laminates (Ball, James, Arch.
Ration. Mech. Anal. 100 (1987) 13) and as the root of an eigenvalue.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.thermo import (
    Lattice,
    correspondence,
    directions,
    habit_planes,
    interfaces,
    screen,
    transformation,
    twin_fraction_root,
    twin_systems,
    twofold_axes,
    variant,
)
from chemomech.thermo.compatibility import laminate

A = 1e-10
CUBIC = Lattice.cubic("8.245 angstrom", "F")
TETRAGONAL = Lattice.tetragonal("5.662 angstrom", "9.274 angstrom", "I")
LONG, SHORT = 1.12480291, 0.97116764


@pytest.fixture(scope="module")
def spinel():
    """Stretch, twofold axes and twins of the spinel."""
    change = transformation(CUBIC, TETRAGONAL, correspondence(CUBIC, TETRAGONAL).matrix)
    axes = directions(CUBIC, twofold_axes(CUBIC)[0])
    return change, axes, twin_systems(change.U, axes)


def test_stretches_of_the_spinel(spinel):
    change, _, _ = spinel
    np.testing.assert_allclose(change.stretches, [SHORT, SHORT, LONG], atol=1e-8)
    assert float(change.volume_ratio) == pytest.approx(1.06087652, abs=1e-8)
    np.testing.assert_allclose(np.sort(np.diagonal(change.U)), [SHORT, SHORT, LONG], atol=1e-8)  # along cube edges


def test_the_cells_without_their_centring_give_the_same(spinel):
    """Conventional cells: the tetragonal one holds half as much, so two of its cells make one of the cubic."""
    product = Lattice.tetragonal(5.662 * A, 9.274 * A)
    found = correspondence(Lattice.cubic(8.245 * A), product)
    np.testing.assert_array_equal(found.indices, [1, 2])
    np.testing.assert_allclose(
        transformation(Lattice.cubic(8.245 * A), product, found.matrix).stretches, spinel[0].stretches, rtol=1e-12
    )


def test_twins_of_the_spinel(spinel):
    _, _, systems = spinel
    kept = np.asarray(systems.exists)
    assert kept.sum() == 8
    normals = np.sort(np.abs(np.asarray(systems.n)[kept]), axis=1)
    np.testing.assert_allclose(normals, np.broadcast_to([0, 0.5**0.5, 0.5**0.5], normals.shape), atol=1e-13)  # {110}
    np.testing.assert_allclose(systems.shear[kept], 0.29478506, atol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(np.asarray(systems.a)[kept], axis=1), 0.30644838, atol=1e-8)
    conditions = np.asarray(systems.conditions)[kept]
    np.testing.assert_allclose(conditions[:, 0], SHORT - 1, atol=1e-8)
    np.testing.assert_allclose(conditions[:, 1], -2.668630e-3, atol=1e-9)
    np.testing.assert_allclose(conditions[:, 2], 2.578115e-3, atol=1e-9)


def test_twin_fraction_of_the_spinel_by_both_routes(spinel):
    change, _, systems = spinel
    al, ga = SHORT, LONG
    known = 0.5 * (1 - np.sqrt(1 + 2 * (al**2 - 1) * (ga**2 - 1) * (al**2 + ga**2) / (ga**2 - al**2) ** 2))
    assert known == pytest.approx(0.20080820, abs=1e-7)
    for row, kind in np.argwhere(np.asarray(systems.exists)):
        assert bool(systems.fits[row, kind])
        assert float(systems.f[row, kind]) == pytest.approx(0.20080820, abs=1e-8)
        root = twin_fraction_root(change.U, systems.a[row, kind], systems.n[row, kind])
        assert float(root.f) == pytest.approx(0.20080820, abs=1e-8)


def test_twins_of_the_spinel_by_the_other_route(spinel):
    change, axes, systems = spinel
    for row in np.flatnonzero(np.asarray(systems.exists)[:, 0]):
        found = interfaces(change.U, variant(change.U, axes[row]))
        planes = np.sort(np.abs(found.n), axis=1)
        np.testing.assert_allclose(planes, [[0, 0.5**0.5, 0.5**0.5]] * 2, atol=1e-13)
        np.testing.assert_allclose(np.linalg.norm(found.a, axis=1), 0.30644838, atol=1e-8)


def test_habit_planes_of_the_spinel_close(spinel):
    change, _, systems = spinel
    for row, kind in np.argwhere(np.asarray(systems.exists)):
        a, n, f = systems.a[row, kind], systems.n[row, kind], systems.f[row, kind]
        mean = laminate(change.U, a, n, f)
        planes = habit_planes(change.U, a, n, f)
        for b, m in zip(planes.a, planes.n, strict=True):
            F = jnp.eye(3) + jnp.outer(b, m)
            np.testing.assert_allclose(F.T @ F, mean.T @ mean, atol=1e-13)
            assert float(jnp.linalg.det(F)) == pytest.approx(1.06087652, abs=1e-8)


def test_vanadium_oxide():
    """alpha- to delta-LixV2O5, whose cell is twice as high."""
    alpha = Lattice.orthorhombic(11.512 * A, 3.564 * A, 4.368 * A)
    delta = Lattice.orthorhombic(11.248 * A, 3.605 * A, 9.916 * A)
    found = correspondence(alpha, delta)
    change = transformation(alpha, delta, found.matrix)
    np.testing.assert_array_equal(found.indices, [2, 1])
    np.testing.assert_allclose(change.stretches, [0.977, 1.011, 1.135], atol=6e-4)
    np.testing.assert_allclose(change.stretches, [11.248 / 11.512, 3.605 / 3.564, 9.916 / 2 / 4.368], rtol=1e-12)
    assert float(change.volume_ratio) == pytest.approx(1.122, abs=5e-4)


def test_bains_correspondence_is_found():
    """Face-centred to body-centred cubic: stretches r, sqrt 2 r, sqrt 2 r with r the ratio of edges."""
    for ratio in (0.75, 0.79, 0.84):
        found = correspondence(Lattice.cubic(A, "F"), Lattice.cubic(ratio * A, "I"))
        change = transformation(Lattice.cubic(A, "F"), Lattice.cubic(ratio * A, "I"), found.matrix)
        np.testing.assert_allclose(change.stretches, [ratio, 2**0.5 * ratio, 2**0.5 * ratio], rtol=1e-13)


@pytest.mark.slow
def test_ten_thousand_parameter_sets_take_less_than_a_second():
    """Stretches, all twins, cofactor conditions, fractions and habit planes of one spinel after another."""
    matrix, axes = correspondence(CUBIC, TETRAGONAL).matrix, twofold_axes(CUBIC)[0]

    @jax.jit
    @jax.vmap
    def whole(lengths):
        change = transformation(CUBIC, Lattice(lengths, TETRAGONAL.angles, "I"), matrix)
        return change.stretches, twin_systems(change.U, directions(CUBIC, axes))

    spread = 1 + 0.01 * np.random.default_rng(0).normal(size=(10_000, 3))
    lengths = TETRAGONAL.lengths * spread
    jax.block_until_ready(whole(lengths))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = jax.block_until_ready(whole(lengths))
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@pytest.mark.slow
def test_five_thousand_pairs_take_less_than_a_minute():
    """Compilation included; the strain that each pair was made with is never undercut by a worse one."""
    rng = np.random.default_rng(0)
    parents = Lattice(rng.uniform(3, 12, (5000, 3)) * A)
    strain = np.eye(3) + 0.05 * rng.normal(size=(5000, 3, 3))
    vectors = strain @ np.asarray(parents.basis)
    vectors[::2, :, 2] *= 2
    start = time.perf_counter()
    screening = screen(parents, Lattice.from_basis(vectors))
    found = np.asarray(screening.correspondence.distance)
    assert time.perf_counter() - start < 60.0
    values = np.linalg.svd(strain)[1]
    made = np.sqrt(0.25 * np.sum((values - 1 / values) ** 2, axis=1))
    assert np.all(found <= made * (1 + 1e-9))
