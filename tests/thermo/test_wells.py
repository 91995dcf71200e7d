"""Strain wells of the square-to-rectangle energy of lithium manganese oxide, against closed forms and their twins."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clocks import seconds
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import interfaces, strain_wells, twin

ONE = cm.Host.dimensionless()  # energies in R T c_max
BETA3, LOST = 25858.0, 0.748088
PSI = cm.SquareToRectangle(K=1001.44, G=796.66, softening=2736.15, beta3=BETA3, dilation=54.1513 / 1001.44, c_lost=LOST)


def found(c, **options):
    wells = strain_wells(PSI, ONE, c, **options)
    return wells, np.asarray(wells.U)[np.asarray(wells.exists)]


# stretches as published, to their digits
@pytest.mark.parametrize(("c", "long", "short"), [(1.0, 1.0790, 0.9153), (0.9, 1.0618, 0.9348), (0.8, 1.0365, 0.9623)])
def test_two_rectangles(c, long, short):
    wells, U = found(c)
    assert not bool(wells.stable)
    assert len(U) == 2
    np.testing.assert_allclose(U[0], np.diag([long, short, 1.0]), atol=5.1e-5)
    np.testing.assert_allclose(U[1], U[0][[1, 0, 2]][:, [1, 0, 2]], atol=1e-12)  # the other variant: axes change places
    energies = np.asarray(wells.energy)[np.asarray(wells.exists)]
    np.testing.assert_allclose(energies, -((2736.15 * (c - LOST)) ** 2) / (4 * BETA3), rtol=1e-12)


def test_stretches_at_full_composition():
    wells, U = found(1.0)
    assert U[0][0, 0] / U[0][1, 1] == pytest.approx(1.179, abs=5e-4)
    assert np.linalg.det(U[0]) == pytest.approx(0.988, abs=5e-4)
    assert float(wells.energy[int(np.argmax(wells.exists))]) == pytest.approx(-4.59, abs=5e-3)
    e2 = np.sqrt(2736.15 * (1 - LOST) / (2 * BETA3))
    e1 = 54.1513 / 1001.44 * e2**2
    closed = np.sqrt(1 + np.sqrt(2) * np.array([e1 + e2, e1 - e2]))
    np.testing.assert_allclose(np.diag(U[0])[:2], closed, rtol=1e-13)


@pytest.mark.parametrize(("c", "stable"), [(0.5, True), (0.747, True), (0.748, True), (0.7482, False), (0.749, False)])
def test_the_square_is_lost(c, stable):
    wells, U = found(c)
    assert bool(wells.stable) is stable
    assert len(U) == (1 if stable else 2)
    if stable:
        np.testing.assert_allclose(U[0], np.eye(3), atol=1e-9)


@pytest.mark.parametrize("size", [0.05, 0.2])
def test_wells_that_touch_are_one(size):
    """Where the square is just lost its two wells are one, flat to fourth order; 1e-8 above they are two again."""
    wells, U = found(LOST, size=size)
    assert bool(wells.stable)
    assert len(U) == 1
    np.testing.assert_allclose(U[0], np.eye(3), atol=1e-4 * size)
    _, U = found(LOST + 1e-8)
    long = 1 + np.sqrt(2736.15e-8 / (4 * BETA3))
    np.testing.assert_allclose([np.diag(u)[:2] for u in U], [[long, 2 - long], [2 - long, long]], atol=1e-9)


def test_variants_are_twins_at_45_degrees():
    """By the axis (110) that relates them, and by the eigenvalues between the two stretches."""
    _, U = found(1.0)
    diagonal = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    first, _ = twin(jnp.asarray(U[0]), jnp.asarray(diagonal))
    assert bool(first.exists)
    rotated = U[0] + np.outer(first.a, first.n)
    np.testing.assert_allclose(rotated.T @ rotated, U[1] @ U[1], atol=1e-12)
    planes = interfaces(jnp.asarray(U[0]), jnp.asarray(U[1]))
    assert float(planes.mismatch) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(np.abs(np.asarray(planes.n)), np.stack([diagonal, diagonal]), atol=1e-7)


def test_a_quadratic_energy_has_the_well_of_its_misfit():
    """In space: the stress-free stretch, and half the stiffness times its square below the undeformed state."""
    psi, c = cm.LinearElastic.isotropic(10.0, 0.3, cm.Vegard([0.03, 0.01, -0.02])), 0.6
    wells = strain_wells(psi, ONE, c, dim=3)
    U = np.asarray(wells.U)[np.asarray(wells.exists)]
    assert len(U) == 1
    assert bool(wells.stable)
    np.testing.assert_allclose(U[0], np.eye(3) + c * np.diag([0.03, 0.01, -0.02]), atol=1e-12)
    strain = c * np.array([0.03, 0.01, -0.02])
    lame, G = 10.0 * 0.3 / (1.3 * 0.4), 10.0 / 2.6
    assert float(wells.energy[0]) == pytest.approx(-0.5 * lame * strain.sum() ** 2 - G * (strain**2).sum(), rel=1e-9)


def test_an_energy_without_strain_keeps_its_shape():
    wells = strain_wells(cm.RegularSolution(chi=3.0), ONE, 0.4)
    assert np.isfinite(np.asarray(wells.U)).all()
    np.testing.assert_array_equal(wells.energy, 0.0)


def test_dimensions():
    with pytest.raises(cm.ConfigError, match="dim = 1"):
        strain_wells(PSI, ONE, 0.9, dim=1)


def test_numbers_that_mean_nothing_are_refused():
    with pytest.raises(cm.ConfigError, match="c is NaN"):
        strain_wells(PSI, ONE, float("nan"))
    with pytest.raises(cm.ConfigError, match="A parameter of the energy is NaN"):
        strain_wells(eqx.tree_at(lambda psi: psi.beta3, PSI, np.nan), ONE, 0.9)
    with pytest.raises(cm.ConfigError, match="c has shape"):
        strain_wells(PSI, ONE, jnp.array([0.8, 0.9]))
    for name in ("size", "reach"):
        with pytest.raises(cm.ConfigError, match=f"{name} = 0.0"):
            strain_wells(PSI, ONE, 0.9, **{name: 0.0})


@pytest.mark.slow
@pytest.mark.parametrize("c", [0.9, 0.6])
def test_gradients(c):
    """Of a crystal turned by 20 degrees, so that no component vanishes by symmetry."""
    turned = cm.Oriented(PSI, angle=np.pi / 9)

    def wells(c):
        all_of_them = strain_wells(turned, ONE, c)
        return jnp.where(all_of_them.exists[:, None, None], all_of_them.U, 0.0), all_of_them.energy

    check_gradient(wells, c)


def test_gradients_by_the_parameters():
    """Both stretches move with the coefficient that keeps them finite."""

    def wells(share):
        psi = eqx.tree_at(lambda psi: psi.beta3, PSI, BETA3 * share)
        found = strain_wells(psi, ONE, 0.9)
        return jnp.diagonal(found.U[0])[:2], found.energy

    check_gradient(wells, 1.0)


@pytest.mark.slow
def test_ten_thousand_compositions_in_a_second():
    run, c = jax.jit(jax.vmap(lambda c: strain_wells(PSI, ONE, c))), jnp.linspace(0.5, 1.0, 10_000)
    assert seconds(run, [c + shift for shift in (0.0, 1e-6, 2e-6, 3e-6)]) < 1.0
    np.testing.assert_array_equal(jnp.sum(run(c).exists, axis=1), np.where(np.asarray(c) > LOST, 2, 1))
