"""Every public function of crystallography: derivatives against differences, forward against reverse, no NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradients import quickly

from chemomech.thermo import (
    CofactorConditions,
    Lattice,
    assess,
    cofactor_conditions,
    correspondence,
    directions,
    habit_of_variant,
    habit_planes,
    interfaces,
    kept_volume,
    middle_stretch,
    strain_distance,
    transformation,
    twin,
    twin_fraction,
    twin_fraction_root,
    twin_systems,
    twofold_axes,
    variant,
)
from chemomech.thermo.compatibility import fit, half_turn, laminate
from chemomech.thermo.spectral import cofactor, determinant, eigensystem, inverse, safe_sqrt, square_root, unit

A = 1e-10
PARENT = Lattice.cubic(8.245 * A, "F")
PRODUCT = Lattice.tetragonal(5.662 * A, 9.274 * A, "I")
MATRIX = correspondence(PARENT, PRODUCT).matrix
AXES = twofold_axes(PARENT)[0]
DIRECTIONS = directions(PARENT, AXES)
GENERIC = jnp.asarray([0.011, -0.013, 0.007, 0.017, 0.009, -0.012])  # breaks every symmetry of the product
AXIS = jnp.asarray([0.1, 0.7, 0.6])


def lattices(x):
    """Parent and product moved by twelve numbers, those of logarithms of lengths and of angles."""
    parent = Lattice(PARENT.lengths * jnp.exp(x[:3]), PARENT.angles + x[3:6], "F")
    return parent, Lattice(PRODUCT.lengths * jnp.exp(x[6:9]), PRODUCT.angles + x[9:], "I")


def change(x):
    """The transformation of the moved lattices."""
    return transformation(*lattices(x), MATRIX)


def a_twin(x, kind=0, axis=AXIS):
    """Stretch, amplitude and normal of a twin of the moved lattices."""
    U = change(x).U
    t = twin(U, axis)[kind]
    return U, t.a, t.n


def whole(x):
    """All that the analysis of a pair gives, from parameters to habit planes."""
    parent, _ = lattices(x)
    systems = twin_systems(change(x).U, directions(parent, AXES))
    # what is no twin has no stable direction: its amplitudes vanish, its normals mean nothing
    kept = systems.exists
    return (
        systems.shear,
        jnp.where(kept, systems.f, 0),
        systems.conditions,
        jnp.where(kept[..., None, None], systems.m, 0),
    )


FUNCTIONS = {
    "Lattice.basis": lambda x: lattices(x)[0].basis / A,
    "Lattice.primitive": lambda x: lattices(x)[0].primitive / A,
    "Lattice.metric": lambda x: lattices(x)[0].metric / A**2,
    "Lattice.volume": lambda x: lattices(x)[1].volume / A**3,
    "Lattice.from_basis": lambda x: Lattice.from_basis(lattices(x)[0].basis).angles,
    "Lattice.monoclinic": lambda x: Lattice.monoclinic(x[0] + 3, x[1] + 4, x[2] + 5, x[3] + 1.9).basis,
    "Lattice.hexagonal": lambda x: Lattice.hexagonal(x[0] + 3, x[1] + 4).volume,
    "Lattice.cubic": lambda x: Lattice.cubic(x[0] + 3).basis,
    "Lattice.tetragonal": lambda x: Lattice.tetragonal(x[0] + 3, x[1] + 4).basis,
    "Lattice.orthorhombic": lambda x: Lattice.orthorhombic(x[0] + 3, x[1] + 4, x[2] + 5).basis,
    "matrices": lambda x: [f(change(x).F) for f in (cofactor, determinant, inverse)],
    "spectral": lambda x: (square_root(change(x).U), eigensystem(change(x).U)),
    "unit": lambda x: (unit(AXIS + x[:3]), safe_sqrt(2 + x[0]), half_turn(AXIS + x[:3])),
    "transformation": lambda x: (change(x).F, change(x).U, change(x).stretches, change(x).volume_ratio),
    "transformation.strain": lambda x: change(x).strain,
    "strain_distance": lambda x: strain_distance(change(x).F),
    "directions": lambda x: directions(lattices(x)[0], AXES),
    "variant": lambda x: variant(change(x).U, AXIS + x[:3]),
    "twin": lambda x: [(t.a, t.n, t.shear) for t in twin(change(x).U, AXIS + x[:3])],
    "interfaces": lambda x: interfaces(change(x).U, variant(change(x).U, AXIS)),
    "habit_of_variant": lambda x: habit_of_variant(change(x).U),
    "cofactor_conditions": lambda x: cofactor_conditions(*a_twin(x)),
    "CofactorConditions": lambda x: CofactorConditions(AXES[1], 2)(change(x), lattices(x)[0]),
    "middle_stretch": lambda x: middle_stretch(change(x), PARENT),
    "kept_volume": lambda x: kept_volume(change(x), PARENT),
    "laminate": lambda x: laminate(*a_twin(x), 0.3 + x[0]),
    "fit": lambda x: fit(*a_twin(x), 0.3 + x[0]),
    "twin_fraction": lambda x: twin_fraction(*a_twin(x)).f,
    "twin_fraction_root": lambda x: twin_fraction_root(*a_twin(x)).f,
    "habit_planes": lambda x: habit_planes(*a_twin(x, 1), twin_fraction(*a_twin(x, 1)).f),
    "twin_systems": whole,
    "assess": lambda x: assess(*lattices(x), MATRIX, AXES).conditions,
}  # fmt: skip

COMPILED_LONG = ("assess", "fit", "habit_planes", "interfaces", "twin_fraction_root", "twin_systems", "twin_fraction")
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in COMPILED_LONG else n for n in FUNCTIONS]


def flat(f):
    """The floating-point results of a function as one vector."""

    def vector(x):
        leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(f(x)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        return jnp.concatenate(leaves)

    return vector


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_against_differences(name):
    """To 1e-8 of the largest entry; the error in h^2 is removed."""
    g = flat(FUNCTIONS[name])
    x = jnp.concatenate([0.3 * GENERIC[::-1], GENERIC])
    d = jnp.asarray(np.random.default_rng(1).normal(size=12))
    along = quickly(lambda x: jax.jvp(g, (x,), (d,)))  # one program for values and derivatives
    value, slope = along(x)

    def f(x):
        return along(x)[0]

    assert np.isfinite(value).all()
    first, second = ((f(x + h * d) - f(x - h * d)) / (2 * h) for h in (4e-4, 2e-4))
    third = (f(x + 1e-4 * d) - f(x - 1e-4 * d)) / 2e-4
    coarse, fine = (4 * second - first) / 3, (4 * third - second) / 3
    expected = (16 * fine - coarse) / 15
    np.testing.assert_allclose(slope, expected, atol=1e-8 * max(1.0, float(jnp.max(jnp.abs(slope)))))
    w = jnp.asarray(np.random.default_rng(2).normal(size=value.shape))
    backward = quickly(lambda x: jax.vjp(g, x)[1](w)[0])(x)
    assert float(backward @ d) == pytest.approx(float(w @ slope), rel=1e-11, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_finite_where_stretches_coincide(name):
    """The cubic parent and its tetragonal product as they are, and no transformation at all."""
    f = flat(FUNCTIONS[name])
    assert np.isfinite(quickly(jax.jacfwd(f))(jnp.zeros(12))).all()


def test_symmetric_changes_have_true_derivatives_where_stretches_coincide():
    """Along changes that keep the product tetragonal, two equal stretches move together."""

    def middle(x):
        return middle_stretch(change(x), PARENT)[0]

    d = jnp.asarray([0.0] * 6 + [0.7, 0.7, -0.4, 0, 0, 0])
    slope = jax.jvp(middle, (jnp.zeros(12),), (d,))[1]
    assert float(slope) == pytest.approx(0.7 * 5.662 * 2**0.5 / 8.245, rel=1e-12)


@pytest.mark.slow
def test_both_fractions_have_one_derivative():
    x = jnp.concatenate([jnp.zeros(6), GENERIC])
    closed, root = (jax.jacrev(lambda x, f=f: f(*a_twin(x)).f)(x) for f in (twin_fraction, twin_fraction_root))
    np.testing.assert_allclose(closed, root, rtol=1e-9, atol=1e-9)


def test_searches_have_zero_derivative():
    """Whole numbers do not move."""
    x = jnp.concatenate([jnp.zeros(6), GENERIC])
    slope = jax.jacfwd(lambda x: correspondence(*lattices(x)).matrix)(x)
    np.testing.assert_array_equal(slope, 0.0)
    np.testing.assert_array_equal(jax.jacfwd(lambda x: twofold_axes(lattices(x)[1])[0])(x), 0.0)


@pytest.mark.slow
def test_no_transformation_has_finite_derivatives():
    def whole_identity(x):
        product = Lattice(PARENT.lengths * jnp.exp(x[:3]), PARENT.angles + x[3:], "F")
        U = transformation(PARENT, product, jnp.eye(3))
        systems = twin_systems(U.U, DIRECTIONS)
        return U.stretches, systems.a, systems.conditions, systems.f, systems.b, systems.m

    of, at = flat(whole_identity), jnp.zeros(6)
    values, slopes = quickly(of)(at), quickly(jax.jacfwd(of))(at)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
