"""Strains that do not depend on composition: of a film, of each cell, in laboratory or crystal axes, in time."""

import jax
import jax.numpy as jnp
import numpy as np

import chemomech as cm
from chemomech.density import Local
from chemomech.tensors import Sym, Tensor, Vector

jax.config.update("jax_enable_x64", True)
HOST = cm.Host.dimensionless()
H = np.random.default_rng(1).normal(size=(3, 3)) * 1e-2
CUBIC = cm.LinearElastic.cubic(3.0, 1.0, 2.0)
STRAIN = np.array([0.01, -0.02, 0.03, 0.004, 0.0, -0.006])


def energy(psi, H, t=0.0, x=(0.0, 0.0, 0.0)):
    H = jnp.asarray(H)
    return float(psi(Local({"H": Tensor(*(H[i, j] for i in range(3) for j in range(3)))}, HOST, Vector(*x), t, 1.0)))


def matrix(six):
    xx, yy, zz, yz, xz, xy = six
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def test_it_is_the_prestrain_of_an_energy():
    np.testing.assert_allclose(
        energy(cm.Strained(CUBIC, STRAIN), H), energy(cm.LinearElastic(CUBIC.C, prestrain=STRAIN), H), rtol=1e-13
    )
    assert cm.Strained([CUBIC, cm.RegularSolution(chi=1.0)], STRAIN).terms()[0].name == "elastic"


def test_its_axes_are_those_of_where_it_stands():
    """Around an orientation the laboratory's, within it the crystal's."""
    R = cm.rotation_matrix(angle=0.4)
    outside = cm.Strained(cm.Oriented(CUBIC, angle=0.4), STRAIN)
    inside = cm.Oriented(cm.Strained(CUBIC, STRAIN), angle=0.4)
    bare = cm.Oriented(CUBIC, angle=0.4)
    np.testing.assert_allclose(energy(outside, H), energy(bare, H - matrix(STRAIN)), rtol=1e-12)
    np.testing.assert_allclose(energy(inside, H), energy(bare, H - R @ matrix(STRAIN) @ R.T), rtol=1e-12)


def test_it_may_change_in_place():
    class Slope(cm.AbstractStrainField):
        def __call__(self, x):
            return Sym(xx=0.1 * x.y)

    np.testing.assert_allclose(
        energy(cm.Strained(CUBIC, Slope()), H, x=(0.0, 0.2, 0.0)), energy(CUBIC, H - np.diag([0.02, 0, 0])), rtol=1e-13
    )


def test_a_prestress_acts_on_lithium():
    """Its trace drives mu as any stress does; without strain the stress is the one given."""
    stress = jnp.array([3.0, -1.0, 0.5, 0.2, 0.0, 0.7])
    psi = cm.LinearElastic.isotropic(10.0, 0.3, cm.Vegard(0.02, c_ref=0.5), prestress=stress)

    def density(c, H):
        return psi(Local({"c": c, "H": Tensor(*H.ravel())}, HOST, Vector(), 0.0, 1.0))

    mu, slope = jax.grad(density, argnums=(0, 1))(0.5, jnp.zeros((3, 3)))
    np.testing.assert_allclose((slope + slope.T) / 2, matrix(stress), rtol=1e-14)
    np.testing.assert_allclose(mu, -0.02 * stress[:3].sum(), rtol=1e-14)
