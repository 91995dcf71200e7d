"""Twins, cofactor conditions and habit planes: each result put back into the equation it solves, two routes each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.thermo import (
    cofactor_conditions,
    habit_of_variant,
    habit_planes,
    interfaces,
    twin,
    twin_fraction,
    twin_fraction_root,
    twin_systems,
    variant,
)
from chemomech.thermo.compatibility import fit, laminate

RNG = np.random.default_rng(5)
CUBIC = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (0, 1, -1), (1, 0, 1), (1, 0, -1), (1, 1, 0), (1, -1, 0)]
AXES = jnp.asarray([np.array(e) / np.linalg.norm(e) for e in CUBIC])


def stretch(size=0.05, rng=RNG):
    """A random symmetric stretch."""
    E = rng.normal(size=(3, 3))
    return jnp.asarray(np.eye(3) + size * (E + E.T) / 2)


def with_stretches(values, rng=RNG):
    """A stretch of given principal values in a random orientation."""
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return jnp.asarray(Q @ np.diag(values) @ Q.T)


def misfit_of(U, V, a, n):
    """What keeps (U + a n) from being a rotated V."""
    F = U + jnp.outer(a, n)
    return jnp.max(jnp.abs(F.T @ F - V.T @ V))


@pytest.mark.parametrize("size", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("axis", [(0, 1, 1), (1, 0, 0), (0.3, -0.5, 0.8)])
def test_twins_solve_their_equation(size, axis):
    U = stretch(size)
    for t in twin(U, jnp.asarray(axis, float)):
        assert bool(t.exists)
        assert float(jnp.linalg.norm(t.n)) == pytest.approx(1.0, abs=1e-13)
        assert float(misfit_of(U, variant(U, jnp.asarray(axis, float)), t.a, t.n)) < 1e-14
        F = (U + jnp.outer(t.a, t.n)) @ jnp.linalg.inv(U)  # a simple shear of the first variant
        assert float(jnp.linalg.det(F)) == pytest.approx(1.0, abs=1e-13)
        assert float(t.shear) == pytest.approx(np.sqrt(np.trace(F.T @ F) - 3), rel=1e-6)


def test_type_one_has_the_axis_for_normal_and_type_two_for_direction():
    U, e = stretch(), AXES[3]
    first, second = twin(U, e)
    np.testing.assert_allclose(first.n, e, atol=1e-15)
    np.testing.assert_allclose(jnp.cross(second.a, U @ e), 0.0, atol=1e-15)


@pytest.mark.parametrize("axis", range(9))
def test_both_routes_give_the_same_two_twins(axis):
    U = stretch(0.08)
    closed = [jnp.outer(t.a, t.n) for t in twin(U, AXES[axis])]
    found = interfaces(U, variant(U, AXES[axis]))
    assert abs(float(found.mismatch)) < 1e-14
    eigen = [jnp.outer(a, n) for a, n in zip(found.a, found.n, strict=True)]
    matched = [min(range(2), key=lambda k, c=c: float(jnp.abs(eigen[k] - c).max())) for c in closed]
    assert sorted(matched) == [0, 1]
    for c, k in zip(closed, matched, strict=True):
        np.testing.assert_allclose(eigen[k], c, atol=1e-13)


@pytest.mark.slow
def test_an_axis_that_keeps_the_variant_makes_no_twin():
    U = jnp.diag(jnp.asarray([0.97, 0.97, 1.12]))
    for axis in ((0, 0, 1), (1, 1, 0), (1, 0, 0)):
        for t in twin(U, jnp.asarray(axis, float)):
            assert not bool(t.exists)
            np.testing.assert_array_equal(t.a, 0.0)
    systems = twin_systems(U, AXES)
    assert int(systems.exists.sum()) == 8  # two axes to each of the two other variants, two types
    assert np.isposinf(np.asarray(systems.cofactor_distance)[~np.asarray(systems.exists)]).all()


def test_no_transformation_is_compatible_in_every_way():
    conditions = cofactor_conditions(jnp.eye(3), jnp.zeros(3), AXES[0])
    np.testing.assert_array_equal(conditions, 0.0)
    systems = twin_systems(jnp.eye(3), AXES)
    assert not systems.exists.any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(systems))
    for fraction in (twin_fraction, twin_fraction_root):
        found = fraction(jnp.eye(3), jnp.zeros(3), AXES[0])
        assert bool(found.exists)
        assert abs(float(found.f)) < 1e-15
    np.testing.assert_allclose(habit_of_variant(jnp.eye(3)).a, 0.0, atol=1e-15)


@pytest.mark.parametrize("values", [(0.9, 1.0, 1.07), (1.0, 1.0, 1.2), (0.8, 1.0, 1.0)])
def test_a_variant_with_middle_stretch_one_meets_the_parent(values):
    U = with_stretches(values)
    found = habit_of_variant(U)
    assert abs(float(found.mismatch)) < 1e-14
    for a, n in zip(found.a, found.n, strict=True):
        assert float(misfit_of(jnp.eye(3), U, a, n)) < 1e-14
        assert float(jnp.linalg.norm(n)) == pytest.approx(1.0, abs=1e-13)


def test_mismatch_tells_that_a_variant_does_not_meet_the_parent():
    assert float(habit_of_variant(with_stretches((0.9, 0.98, 1.1))).mismatch) == pytest.approx(0.98**2 - 1, rel=1e-12)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("values", [(0.97, 0.97, 1.12), (0.96, 0.985, 1.07), (0.95, 0.99, 1.08)])
def test_laminates_meet_the_parent_at_both_fractions(values, kind):
    U = jnp.diag(jnp.asarray(values))
    t = twin(U, AXES[3])[kind]
    closed, root = twin_fraction(U, t.a, t.n), twin_fraction_root(U, t.a, t.n)
    assert bool(closed.exists)
    assert bool(root.exists)
    assert 0 < float(closed.f) < 0.5
    assert float(closed.f) == pytest.approx(float(root.f), abs=1e-13)
    for f in (closed.f, 1 - closed.f):
        assert abs(float(fit(U, t.a, t.n, f))) < 1e-13
        planes = habit_planes(U, t.a, t.n, f)
        for b, m in zip(planes.a, planes.n, strict=True):
            assert float(misfit_of(jnp.eye(3), laminate(U, t.a, t.n, f), b, m)) < 1e-13


def test_fraction_of_cubic_to_tetragonal_in_its_own_closed_form():
    for alpha, gamma in ((0.97, 1.12), (1.02, 0.95), (0.995, 1.02)):
        U = jnp.diag(jnp.asarray([alpha, alpha, gamma]))
        t = twin(U, AXES[3])[0]
        square = 1 + 2 * (alpha**2 - 1) * (gamma**2 - 1) * (alpha**2 + gamma**2) / (gamma**2 - alpha**2) ** 2
        assert float(twin_fraction(U, t.a, t.n).f) == pytest.approx(0.5 * (1 - np.sqrt(square)), abs=1e-13)


def test_twins_that_cannot_fit_say_so():
    """All stretches above one: no laminate has a middle one."""
    U = jnp.diag(jnp.asarray([1.05, 1.1, 1.2]))
    t = twin(U, AXES[3])[0]
    for fraction in (twin_fraction, twin_fraction_root):
        found = fraction(U, t.a, t.n)
        assert not bool(found.exists)
        assert float(found.f) == 0
    slopes = jax.grad(lambda U: twin_fraction(U, t.a, t.n).f + twin_fraction_root(U, t.a, t.n).f)(U)
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("kind", [0, 1])
def test_under_the_cofactor_conditions_every_fraction_fits(kind):
    """lambda_2 = 1 with |U^-1 e| = 1 (type I) or |U e| = 1 (type II), by Chen et al. (2013)."""
    low, high = 0.94, 1.05
    powers = np.array([low, high]) ** (-2 if kind == 0 else 2)
    weight = (1 - powers[1]) / (powers[0] - powers[1])  # w low^p + (1 - w) high^p = 1
    e = np.sqrt([weight, 0.0, 1 - weight])
    e = np.array([e[0] * np.sqrt(0.9), np.sqrt(0.1), e[2] * np.sqrt(0.9)])
    U = jnp.diag(jnp.asarray([low, 1.0, high]))
    t = twin(U, jnp.asarray(e))[kind]
    conditions = np.asarray(cofactor_conditions(U, t.a, t.n))
    np.testing.assert_allclose(conditions[:2], 0.0, atol=1e-15)
    assert conditions[2] > 0
    for f in np.linspace(0, 1, 11):
        assert abs(float(fit(U, t.a, t.n, f))) < 1e-14
    assert bool(twin_fraction(U, t.a, t.n).exists)


def test_cofactor_conditions_do_not_hold_for_the_other_type():
    U = jnp.diag(jnp.asarray([0.94, 1.0, 1.05]))
    t = twin(U, AXES[3] + 0.3 * AXES[0])[0]
    assert abs(float(cofactor_conditions(U, t.a, t.n)[1])) > 1e-6
    assert abs(float(fit(U, t.a, t.n, 0.5))) > 1e-6


def test_singular_stretches_stay_finite():
    U = jnp.diag(jnp.asarray([0.0, 1.0, 1.1]))
    for leaf in jax.tree.leaves(twin_systems(U, AXES)) + jax.tree.leaves(habit_of_variant(U)):
        assert np.isfinite(leaf).all()
