"""The smallest change of a lattice: closed forms, an independent minimiser, cofactor conditions, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradients import quickly
from scipy.optimize import minimize

from chemomech.errors import ConfigError, SolveError
from chemomech.thermo import (
    CofactorConditions,
    Lattice,
    correspondence,
    kept_volume,
    smallest_change,
    smallest_change_to_cofactor,
    transformation,
)
from chemomech.thermo.compatibility import fit
from chemomech.thermo.lattice_design import required, ties

A = 1e-10
CUBIC = Lattice.cubic(8.245 * A, "F")
TETRAGONAL = Lattice.tetragonal(5.662 * A, 9.274 * A, "I")
ORTHORHOMBIC = Lattice.orthorhombic(5.75 * A, 5.95 * A, 8.0 * A, "I")


def matrix(product):
    """The correspondence of the cubic parent and a product."""
    return correspondence(CUBIC, product).matrix


def test_middle_stretch_of_a_tetragonal_product_needs_its_base_square_to_fit():
    design = required(smallest_change(CUBIC, TETRAGONAL, matrix(TETRAGONAL)))
    np.testing.assert_allclose(design.product.lengths, [8.245e-10 / 2**0.5] * 2 + [9.274e-10], rtol=1e-13)
    assert float(design.size) == pytest.approx(2**0.5 * np.log(8.245 / 2**0.5 / 5.662), rel=1e-12)


@pytest.mark.slow
def test_both_lattices_share_a_change():
    """a_T sqrt 2 / a_C has to be one: with three lengths tied here and two there the change is split 2 to 3."""
    design = required(smallest_change(CUBIC, TETRAGONAL, matrix(TETRAGONAL), vary="both"))
    whole = np.log(8.245 / 2**0.5 / 5.662)
    np.testing.assert_allclose(design.changes[0, :3], -0.4 * whole, rtol=1e-12)
    np.testing.assert_allclose(design.changes[1, :2], 0.6 * whole, rtol=1e-12)
    assert float(smallest_change(CUBIC, TETRAGONAL, matrix(TETRAGONAL), vary="parent").changes[1].max()) == 0


def test_kept_volume_changes_all_lengths_alike():
    design = required(smallest_change(CUBIC, TETRAGONAL, matrix(TETRAGONAL), kept_volume))
    np.testing.assert_allclose(design.changes[1, :3], -np.log(1.0608765197747977) / 3, rtol=1e-10)


@pytest.mark.slow
def test_an_independent_minimiser_finds_the_same_lattice():
    """A monoclinic product, whose angle may change too: SciPy's SLSQP on the same problem."""
    product = Lattice.monoclinic(5.75 * A, 8.1 * A, 5.9 * A, 1.60)
    start = correspondence(CUBIC, product, max_index=2)
    design = required(smallest_change(CUBIC, product, start.matrix))
    T = ties(product)
    assert T.shape == (6, 4)

    def middle(x):
        step = T @ x
        changed = Lattice(product.lengths * np.exp(step[:3]), product.angles + step[3:])
        F = np.asarray(changed.basis @ start.matrix @ jnp.linalg.inv(CUBIC.basis))
        return np.linalg.svd(F)[1][1] - 1

    best = minimize(lambda x: 0.5 * np.sum((T @ x) ** 2), np.zeros(4), method="SLSQP",
                    constraints={"type": "eq", "fun": middle}, options={"ftol": 1e-16})  # fmt: skip
    assert abs(middle(best.x)) < 1e-10
    np.testing.assert_allclose(design.changes[1], T @ best.x, atol=1e-6)
    assert float(design.size) <= np.linalg.norm(T @ best.x) * (1 + 1e-6)


@pytest.mark.slow
def test_cofactor_conditions_are_met_by_the_nearest_orthorhombic_product():
    M = matrix(ORTHORHOMBIC)
    design, target = smallest_change_to_cofactor(CUBIC, ORTHORHOMBIC, M)
    change = transformation(design.parent, design.product, M)
    t = target.twin(change, design.parent)
    conditions = np.asarray(target.conditions(change, design.parent))
    np.testing.assert_allclose(conditions[:2], 0.0, atol=1e-14)
    assert conditions[2] > 0
    assert float(t.shear) > 0.01
    for f in (0.0, 0.2, 0.5, 1.0):
        assert abs(float(fit(change.U, t.a, t.n, f))) < 1e-13
    np.testing.assert_array_equal(design.changes[1, 3:], 0.0)  # right angles stay
    assert float(design.size) < 0.03


@pytest.mark.slow
def test_a_tetragonal_product_meets_the_cofactor_conditions_only_without_transformation():
    with pytest.raises(SolveError, match="kept symmetries"):
        smallest_change_to_cofactor(CUBIC, TETRAGONAL, matrix(TETRAGONAL))
    triclinic = Lattice((4 * A, 5 * A, 6 * A), (1.5, 1.6, 1.7))
    with pytest.raises(SolveError, match="No twin"):
        smallest_change_to_cofactor(triclinic, triclinic, jnp.eye(3))


def test_a_target_that_cannot_be_met_is_said():
    impossible = smallest_change(CUBIC, TETRAGONAL, matrix(TETRAGONAL), lambda change, parent: jnp.ones(1) * 0.5)
    assert not bool(impossible.converged)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(impossible))
    with pytest.raises(SolveError, match="0.5 is left"):
        required(impossible)


def test_ties_keep_the_symmetry_that_numbers_show():
    assert ties(CUBIC).shape == (6, 1)
    assert ties(TETRAGONAL).shape == (6, 2)
    assert ties(ORTHORHOMBIC).shape == (6, 3)
    assert ties(Lattice.hexagonal(3 * A, 5 * A)).shape == (6, 2)
    rhombohedral = ties(Lattice((3 * A,) * 3, (1.2,) * 3))
    np.testing.assert_array_equal(rhombohedral.T, [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    assert ties(Lattice((3 * A, 4 * A, 5 * A), (1.4, 1.5, 1.6))).shape == (6, 6)
    with pytest.raises(ConfigError, match="keep"):
        jax.jit(lambda lengths: ties(Lattice(lengths)))(CUBIC.lengths)
    with pytest.raises(ConfigError, match="one of product"):
        smallest_change(CUBIC, TETRAGONAL, matrix(TETRAGONAL), vary="neither")


@pytest.mark.slow
@pytest.mark.parametrize("cofactor", [False, True])
def test_derivatives_by_the_implicit_function(cofactor):
    M, keep = matrix(ORTHORHOMBIC), (None, ties(ORTHORHOMBIC))
    target = CofactorConditions(jnp.asarray([0.5, 0.5, 0.0]), 2) if cofactor else kept_volume

    def changed(logs):
        product = Lattice(ORTHORHOMBIC.lengths * jnp.exp(logs), ORTHORHOMBIC.angles, "I")
        return smallest_change(CUBIC, product, M, target, keep=keep).changes[1, :3]

    at, still = quickly(changed), jnp.zeros(3)
    forward, backward = quickly(jax.jacfwd(changed))(still), quickly(jax.jacrev(changed))(still)
    first, second = (np.stack([(at(h * e) - at(-h * e)) / (2 * h) for e in np.eye(3)], axis=1) for h in (1e-3, 5e-4))
    np.testing.assert_allclose(forward, (4 * second - first) / 3, atol=1e-8)
    np.testing.assert_allclose(backward, forward, atol=1e-12)
