"""Softest directions, coherent phases and their interfaces; constants of LiFePO4 as in the published sets.

Cahn, Acta Metall. 9 (1961) 795; Khachaturyan, Theory of Structural Transformations in Solids (1983); Cogswell, Bazant,
ACS Nano 6 (2012) 2215.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clocks import seconds
from gradients import check_gradient

import chemomech as cm
from chemomech.thermo import coherency, interface, landscape, phase_diagram, voltage
from chemomech.thermo.relaxed import Free, Layer, Stiffening

# The published gradient and interaction energies are per site, with this Boltzmann constant.
HOST = cm.Host(c_max=1.3793e28 / 6.02214076e23, T=298.0, gas_constant=1.381e-23 * 6.02214076e23)
OMEGA, KAPPA, MEAN_FIELD = 1.8560e-20 * 6.02214076e23, 5.0148e-10, 0.1916e9
ONE = cm.Host.dimensionless()
LFP = cm.materials.load("LiFePO4")
ELASTIC = LFP.energy.terms()[2]
CHEMICAL = cm.RegularSolution(omega=OMEGA)
WHOLE = CHEMICAL + ELASTIC


@pytest.fixture(scope="module")
def softest():
    return coherency.softest_normal(coherency.curvatures(ELASTIC, 0.5, HOST))


@pytest.mark.parametrize(("name", "modulus", "angle"), [("LiFePO4", 0.1903, 27.5), ("LiFePO4-set2", 0.1223, 31.5)])
def test_softest_direction_of_both_sets(name, modulus, angle):
    k = coherency.curvatures(cm.materials.load(name).energy.terms()[2], 0.5, HOST)
    found = coherency.softest_normal(k)
    a, b, c = (abs(float(v)) for v in found.normal)
    assert float(found.modulus) / 1e9 == pytest.approx(modulus, rel=1e-3)
    assert np.degrees(np.arctan2(c, a)) == pytest.approx(angle, abs=0.1)
    assert b == pytest.approx(0.0, abs=1e-9)
    assert not bool(found.degenerate)
    assert 0 <= float(coherency.excess(k, found)) < 1e-4 * float(found.modulus)


@pytest.mark.parametrize(
    ("n", "value"), [((1, 0, 0), 0.2185), ((0, 1, 0), 0.4042), ((0, 0, 1), 0.6875), ((1, 0, 1), 0.246)]
)
def test_modulus_along_given_directions(n, value):
    assert float(coherency.coherency_modulus(ELASTIC, n, HOST)) / 1e9 == pytest.approx(
        value, rel=2e-3 if n[0] * n[2] else 1e-3
    )


def test_a_layer_is_the_wave_of_its_normal(softest):
    """psi of a layer bends by f'' + B(n), at every composition and for every normal: two ways to relax a strain."""
    for n in ((1.0, 2.0, -0.5), softest.normal):
        B = float(coherency.coherency_modulus(ELASTIC, n, HOST))
        layer = coherency.coherent(WHOLE, jnp.asarray(n), HOST)
        for c in (0.1, 0.6):
            extra = landscape.curvature(layer, HOST, c) - landscape.curvature(CHEMICAL, HOST, c)
            assert float(extra) == pytest.approx(B, rel=1e-9)
    assert float(landscape.energy(layer, HOST, 0.5) - landscape.energy(CHEMICAL, HOST, 0.5)) == pytest.approx(
        0, abs=1e-3
    )


def test_a_free_body_has_no_strain_energy():
    for c in (0.2, 0.9):
        assert float(landscape.energy(Free(WHOLE), HOST, c)) == pytest.approx(
            float(landscape.energy(CHEMICAL, HOST, c)), rel=1e-10
        )


@pytest.mark.slow
def test_mean_field_numbers():
    """chemical and coherent binodal and spinodal, chi_eff, energies of the interface; to 0.1 %."""
    soft = CHEMICAL + Stiffening(MEAN_FIELD)
    pairs = [
        (phase_diagram.gaps(CHEMICAL, HOST).low[0], 0.01212), (phase_diagram.spinodals(CHEMICAL, HOST).low[0], 0.12699),
        (phase_diagram.gaps(soft, HOST).low[0], 0.08991), (phase_diagram.spinodals(soft, HOST).low[0], 0.23012),
        (coherency.effective_interaction(soft, HOST), 2.8222), (interface.flat(CHEMICAL, HOST, KAPPA).energy, 113.5e-3),
        (interface.flat(soft, HOST, KAPPA).energy, 39.35e-3), (interface.flat(soft, HOST, KAPPA).width, 5.96e-9),
        (interface.critical_sizes(CHEMICAL, HOST, KAPPA).wavelength, 8.34e-9),
        (interface.critical_sizes(soft, HOST, KAPPA).wavelength, 14.56e-9),
        (interface.critical_sizes(soft, HOST, KAPPA).slab, 7.28e-9),
    ]  # fmt: skip
    np.testing.assert_allclose([float(a) for a, _ in pairs], [b for _, b in pairs], rtol=1e-3)
    empty, full = (float(voltage.homogeneous(Stiffening(MEAN_FIELD), HOST, c)) for c in (0.0, 1.0))
    assert empty - full == pytest.approx(86.7e-3, rel=1e-3)  # what the mean-field energy adds to the plateau's slope


def test_numbers_without_strain():
    """chi, half the hysteresis of uniform particles, width of the interface, slab; and the clamped body; to 0.1 %."""
    clamped = coherency.curvatures(ELASTIC, 0.5, HOST).cc
    pairs = [
        (coherency.effective_interaction(CHEMICAL, HOST), 4.5099),
        (0.5 * voltage.hysteresis(CHEMICAL, HOST)[0], 36.9e-3),
        (interface.flat(CHEMICAL, HOST, KAPPA).width, 3.07e-9),
        (interface.critical_sizes(CHEMICAL, HOST, KAPPA).slab, 4.17e-9), (clamped, 0.6947e9),
    ]  # fmt: skip
    np.testing.assert_allclose([float(a) for a, _ in pairs], [b for _, b in pairs], rtol=1e-3)


@pytest.mark.slow
def test_coherent_interface_of_the_softest_direction(softest):
    """As the finite elements find it for a laminate with this normal; to 0.5 %."""
    psi = coherency.coherent(WHOLE, softest.normal, HOST)
    found = interface.flat(psi, HOST, KAPPA)
    assert float(found.low) == pytest.approx(0.08855, rel=1e-3)
    assert float(found.energy) == pytest.approx(39.93e-3, rel=1e-3)
    assert float(found.width) == pytest.approx(5.91e-9, rel=5e-3)
    assert float(phase_diagram.spinodals(psi, HOST).low[0]) == pytest.approx(0.2289, rel=1e-3)
    assert float(coherency.effective_interaction(psi, HOST)) == pytest.approx(2.8332, rel=1e-3)
    assert float(interface.gradient_coefficient(LFP.energy, HOST, softest.normal)) == pytest.approx(KAPPA)


@pytest.mark.slow
@pytest.mark.parametrize("E", [30e9, 60e9])
def test_isotropic_bodies_have_no_softest_direction(E):
    """B = 2 E eta^2/(1 - nu) in all directions: a finite normal and finite derivatives, and it says so."""

    def found(E):
        stiffness = cm.LinearElastic.isotropic(E, 0.3, cm.Vegard(0.02))
        return coherency.softest_normal(coherency.curvatures(stiffness, 0.5, HOST))

    result = found(E)
    assert float(result.modulus) == pytest.approx(2 * E * 0.02**2 / 0.7, rel=1e-12)
    assert bool(result.degenerate)
    assert float(jnp.linalg.norm(result.normal)) == pytest.approx(1.0, abs=1e-12)
    slopes = jax.jacrev(lambda E: (found(E).modulus, found(E).normal))(E)
    assert float(slopes[0]) == pytest.approx(2 * 0.02**2 / 0.7, rel=1e-9)
    assert np.isfinite(np.asarray(slopes[1])).all()


def test_a_ring_of_softest_directions():
    """Equal misfit along a and b of an isotropic body: any normal of that plane, B = E e^2/(1 - nu^2)."""
    misfit = cm.LinearElastic.isotropic(100e9, 0.3, cm.Vegard([0.1, 0.1, 0.0]))
    k = coherency.curvatures(misfit, 0.5, HOST)
    found = coherency.softest_normal(k)
    assert float(found.modulus) == pytest.approx(100e9 * 0.1**2 / (1 - 0.3**2), rel=1e-9)
    assert float(found.normal[2]) == pytest.approx(0.0, abs=1e-7)
    assert bool(found.degenerate)
    assert float(coherency.excess(k, found)) > -1e-9 * float(k.cc)


def test_a_minimum_that_is_flat_to_fourth_order():
    """Misfit along c alone costs nothing across c, and B rises with the fourth power of the angle from it."""
    misfit = cm.LinearElastic.isotropic(100e9, 0.3, cm.Vegard([0.0, 0.0, 0.1]))
    k = coherency.curvatures(misfit, 0.5, HOST)
    found = coherency.softest_normal(k)
    assert float(coherency.coherency_modulus(misfit, (0, 0, 1), HOST)) == pytest.approx(0.0, abs=1e-9 * float(k.cc))
    assert float(found.modulus) == pytest.approx(0.0, abs=1e-8 * float(k.cc))
    assert float(found.normal[2]) == pytest.approx(1.0, abs=1e-4)


def test_no_misfit_costs_nothing():
    k = coherency.curvatures(cm.RegularSolution(chi=0.0), 0.5, ONE)
    found = coherency.softest_normal(k)
    assert float(found.modulus) == pytest.approx(4.0)
    assert bool(found.degenerate)


# chi, gamma/(R T c_max l), width/l, wavelength/l, slab/l, sphere radius/l
SIZES = [
    (2.2, 0.0392, 4.348, 9.935, 4.967, 3.291),
    (2.5, 0.1303, 2.653, 6.283, 3.142, 2.082),
    (2.82, 0.2325, 2.007, 4.906, 2.453, 1.626),
    (3.0, 0.2883, 1.789, 4.443, 2.221, 1.472),
    (4.0, 0.5586, 1.185, 3.142, 1.571, 1.041),
    (4.51, 0.6730, 1.033, 2.804, 1.402, 0.929),
]


@pytest.mark.parametrize(("chi", "gamma", "width", "wavelength", "slab", "sphere"), SIZES)
def test_interface_and_sizes_of_a_regular_solution(chi, gamma, width, wavelength, slab, sphere):
    psi = cm.RegularSolution(chi=chi)
    found, sizes = interface.flat(psi, ONE, 1.0), interface.critical_sizes(psi, ONE, 1.0)
    assert float(found.energy) == pytest.approx(gamma, abs=6e-5)
    assert float(found.width) == pytest.approx(width, abs=6e-4)
    assert float(sizes.wavelength) == pytest.approx(wavelength, abs=6e-4)
    assert float(sizes.slab) == pytest.approx(slab, abs=6e-4)
    assert float(sizes.sphere) == pytest.approx(sphere, abs=6e-4)


@pytest.mark.parametrize(
    ("chi", "sigma"), [(2.5, 0.13025769), (3.0, 0.28827187), (4.0, 0.55854695), (4.51, 0.67302743)]
)
def test_interface_energy_to_eight_digits(chi, sigma):
    assert float(interface.flat(cm.RegularSolution(chi=chi), ONE, 1.0).energy) == pytest.approx(sigma, abs=6e-9)


def test_interface_energy_of_a_double_well():
    """sqrt(2 kappa rho) (cb - ca)^3/6 and the width of c' = sqrt(2 rho/kappa) (c - ca)(cb - c)."""
    found = interface.flat(cm.DoubleWell(5.0, 0.3, 0.7), ONE, 2.0)
    assert float(found.energy) == pytest.approx(0.04770278, abs=6e-9)
    assert float(found.width) == pytest.approx(0.4 / (np.sqrt(5.0) * 0.04), rel=1e-9)


def test_forty_nanometres():
    """The coefficient with which bodies of 40 nm stay uniform, and the fillings at which larger spheres part."""
    host = cm.Host(c_max=2.29e4)
    for chi, sphere, slab, cylinder in ((2.5, 2.29e-13, 4.02e-13, 2.93e-13), (3.0, 4.58e-13, 8.04e-13, 5.85e-13)):
        psi = cm.RegularSolution(chi=chi)
        for expected, size, shape in (
            (sphere, 20e-9, interface.SPHERE), (slab, 40e-9, interface.SLAB), (cylinder, 20e-9, interface.CYLINDER)
        ):  # fmt: skip
            kappa = float(interface.coefficient_of_size(psi, host, size, shape))
            assert kappa / 2.29e4 == pytest.approx(expected, rel=3e-3)
    kappa = 2.29e-13 * 2.29e4
    for diameter, limit in ((60e-9, 0.325), (50e-9, 0.356), (44e-9, 0.398), (42e-9, 0.425)):
        cost = kappa * (interface.SPHERE / (0.5 * diameter)) ** 2
        unstable = phase_diagram.spinodals(cm.RegularSolution(chi=2.5) + Stiffening(cost), host)
        assert float(unstable.low[0]) == pytest.approx(limit, abs=1e-3)


def test_where_nothing_separates():
    """No interface, infinite sizes, and finite derivatives."""
    psi = cm.RegularSolution(chi=1.5)
    found, sizes = interface.flat(psi, ONE, 1.0), interface.critical_sizes(psi, ONE, 1.0)
    assert float(found.energy) == float(found.width) == 0.0
    assert np.isinf(float(sizes.sphere))
    slopes = jax.jacrev(lambda chi: interface.flat(cm.RegularSolution(chi=chi), ONE, 1.0).energy)(1.5)
    assert np.isfinite(float(slopes))


def test_a_stable_uniform_state_has_no_critical_size():
    """Outside the spinodal of a material that separates: all sizes infinite, their derivatives finite."""
    sizes = interface.critical_sizes(cm.RegularSolution(chi=3.0), ONE, 1.0, 0.1)
    assert all(float(size) == np.inf for size in jax.tree.leaves(sizes))
    slopes = jax.jacrev(lambda c: interface.critical_sizes(cm.RegularSolution(chi=3.0), ONE, 1.0, c))(0.1)
    assert all(float(slope) == 0.0 for slope in jax.tree.leaves(slopes))


def test_texts_with_units():
    host, psi = cm.Host(c_max=2.29e4), cm.RegularSolution(chi=3.0)
    for given, number in (
        (interface.flat(psi, host, "1e-9 J/m"), interface.flat(psi, host, 1e-9)),
        (interface.critical_sizes(psi, host, "1 nJ/m"), interface.critical_sizes(psi, host, 1e-9)),
        (interface.coefficient_of_size(psi, host, "20 nm"), interface.coefficient_of_size(psi, host, 20e-9)),
    ):
        np.testing.assert_allclose(jax.tree.leaves(given), jax.tree.leaves(number), rtol=1e-12)
    with pytest.raises(cm.UnitError, match='kappa = "1 nm" has dimension'):
        interface.critical_sizes(psi, host, "1 nm")


def test_a_gradient_coefficient_is_positive():
    for function in (interface.flat, interface.critical_sizes):
        with pytest.raises(cm.ConfigError, match="kappa = -1.0 J/m must be positive"):
            function(cm.RegularSolution(chi=3.0), ONE, -1.0)


@pytest.mark.parametrize(("volume_change", "chi_eff", "low"), [(0.01, 2.983, 0.0723), (0.05, 2.581, 0.1277)])
def test_misfit_lowers_chi(volume_change, chi_eff, low):
    """chi - E eta^2/((1 - nu) R T c_max) and the coherent phases of an isotropic body with chi = 3, E = 60 GPa."""
    host = cm.Host(c_max=2.29e4)
    psi = cm.RegularSolution(chi=3.0) + cm.LinearElastic.isotropic(60e9, 0.3, cm.Vegard(volume_change / 3))
    layer = coherency.coherent(psi, jnp.array([1.0, 0.0, 0.0]), host)
    assert float(coherency.effective_interaction(layer, host)) == pytest.approx(chi_eff, abs=6e-4)
    assert float(phase_diagram.gaps(layer, host).low[0]) == pytest.approx(low, abs=6e-5)


@pytest.mark.slow
def test_critical_misfit():
    """The gap closes at eta_c = sqrt((chi - 2) R T c_max (1 - nu)/E): 7.72 % of volume."""
    host = cm.Host(c_max=2.29e4)

    def margin(eta):
        psi = cm.RegularSolution(chi=3.0) + cm.LinearElastic.isotropic(60e9, 0.3, cm.Vegard(eta))
        return phase_diagram.stability_margin(Layer(psi), host)

    eta, found = phase_diagram.closing(margin, 0.005, 0.1)
    assert bool(found)
    assert 3 * float(eta) == pytest.approx(0.0772, abs=6e-5)
    assert float(eta) == pytest.approx(np.sqrt(8.31446261815324 * 298.15 * 2.29e4 * 0.7 / 60e9), rel=1e-9)


def test_a_normal_needs_a_direction():
    with pytest.raises(cm.ConfigError, match="has no direction"):
        Layer(WHOLE, (0.0, 0.0, 0.0))
    with pytest.raises(cm.ConfigError, match="has no direction"):
        Layer(WHOLE, (np.nan, 0.0, 1.0))
    with pytest.raises(cm.ConfigError, match="has no direction"):
        coherency.coherency_modulus(ELASTIC, (0.0, 0.0, 0.0), HOST)
    with pytest.raises(cm.ConfigError, match="has no direction"):
        interface.gradient_coefficient(LFP.energy, HOST, (0.0, 0.0, 0.0))


@pytest.mark.slow
def test_gradients():
    def crystal(GPa):
        C = jnp.asarray(ELASTIC.C).at[0, 0].set(1e9 * GPa)
        return cm.LinearElastic(C, ELASTIC.eigenstrain)

    def soft(GPa):
        found = coherency.softest_normal(coherency.curvatures(crystal(GPa), 0.5, HOST))
        return found.modulus / 1e9, found.normal[0], found.normal[2]

    def coherent(GPa):
        psi = coherency.coherent(CHEMICAL + crystal(GPa), jnp.array([0.9, 0.0, 0.4]), HOST)
        return coherency.effective_interaction(psi, HOST), interface.flat(psi, HOST, KAPPA)

    check_gradient(soft, 175.9)
    check_gradient(coherent, 175.9)
    lopsided = lambda b: cm.RedlichKister(jnp.stack([b, 0.3 * b]))  # noqa: E731
    check_gradient(lambda b: interface.flat(lopsided(b), ONE, 1.0), 3.0)
    check_gradient(lambda b: interface.critical_sizes(lopsided(b), ONE, 1.0, 0.45), 3.0)
    check_gradient(lambda b: interface.coefficient_of_size(lopsided(b), ONE, 2.0), 3.0)


SOFTENING = cm.LinearElastic.isotropic(3.0, 0.3, cm.BowedVegard([0.1, 0.05, -0.02], 0.03),
                                       C_lithiated=cm.LinearElastic.isotropic(2.0, 0.2).C)  # fmt: skip
OBLIQUE = jnp.array([0.6, -0.3, 0.8])


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [
        lambda c: coherency.curvatures(SOFTENING, c, ONE),
        lambda c: coherency.stress_free(SOFTENING, c, ONE),
        lambda c: coherency.coherency_modulus(SOFTENING, OBLIQUE, ONE, c),
        lambda x: interface.gradient_coefficient(cm.GradientEnergy(x), ONE, OBLIQUE),
    ],
    ids=["curvatures", "stress_free", "coherency_modulus", "gradient_coefficient"],
)
def test_gradients_of_second_derivatives(function):
    """Of a body whose stiffness and misfit change with its composition."""
    check_gradient(function, 0.3)


def test_nan_is_refused():
    swelling = cm.LinearElastic.isotropic(100e9, 0.3, cm.Vegard(np.nan))
    with pytest.raises(cm.ConfigError, match="parameter of the energy is NaN"):
        coherency.curvatures(swelling, 0.5, HOST)
    with pytest.raises(cm.ConfigError, match="c is NaN"):
        coherency.curvatures(ELASTIC, np.nan, HOST)


@pytest.mark.slow
def test_gradients_of_relaxed_curvatures():
    """Of the second derivatives of an isotropic body, written out: no Hessian to compile."""
    eye, few = jnp.eye(3), coherency.normals(3, 9)

    def found(x):
        volume, shear = jnp.einsum("ij,kl", eye, eye), jnp.einsum("ik,jl", eye, eye) + jnp.einsum("il,jk", eye, eye)
        coupling = jnp.diag(jnp.stack([0.3 * x, 0.2 + 0 * x, -0.1 * x]))
        k = coherency.Curvatures(0.4 + 0.1 * x, coupling, 1.7 * x * volume + 1.2 * shear, x * eye)
        along = coherency.Softest(0.3 * x, OBLIQUE, jnp.array(False))
        return (
            coherency.acoustic(k.stiffness, OBLIQUE), coherency.relaxed_curvature(k, OBLIQUE),
            coherency.softest(k, few), coherency.excess(k, along, 9),
        )  # fmt: skip

    check_gradient(found, 1.0)


@pytest.mark.slow
def test_ten_thousand_crystals_in_a_second():
    """0.5 s of a quiet processor."""

    def modulus(c11):
        C = jnp.asarray(ELASTIC.C).at[0, 0].set(c11)
        return coherency.softest_normal(
            coherency.curvatures(cm.LinearElastic(C, ELASTIC.eigenstrain), 0.5, HOST)
        ).modulus

    run, c11 = jax.jit(jax.vmap(modulus)), jnp.linspace(150e9, 200e9, 10_000)
    assert seconds(run, [c11 + shift for shift in (0.0, 1e6, 2e6, 3e6)]) < 1.0
    assert np.isfinite(np.asarray(run(c11))).all()


@pytest.mark.slow
def test_ten_thousand_interfaces_in_a_second():
    """0.4 s of a quiet processor."""
    run = jax.jit(jax.vmap(lambda chi: interface.flat(cm.RegularSolution(chi=chi), ONE, 1.0)))
    chi = jnp.linspace(2.1, 6.0, 10_000)
    assert seconds(run, [chi + shift for shift in (0.0, 1e-6, 2e-6, 3e-6)]) < 1.0
    energies = np.asarray(run(chi).energy)
    assert (np.diff(energies) > 0).all()
