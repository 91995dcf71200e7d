import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chemomech.density import Host, Local
from chemomech.errors import ConfigError
from chemomech.physics import (
    Diffusion,
    GradientEnergy,
    LinearElastic,
    Oriented,
    RegularSolution,
    Vegard,
    rotation_matrix,
)
from chemomech.tensors import Tensor, Vector

jax.config.update("jax_enable_x64", True)
RNG = np.random.default_rng(3)
ENERGY = (
    RegularSolution(chi=2.5)
    + GradientEnergy([1e-10, 2e-10, 5e-10])
    + LinearElastic.orthotropic(
        *[v * 1e9 for v in (175.9, 153.6, 135.0, 38.8, 47.5, 55.6, 29.6, 54.0, 19.6)], Vegard([0.05, 0.03, -0.02])
    )
)


def state(g, H):
    g, H = jnp.asarray(g), jnp.asarray(H)
    values = {"c": 0.4, "grad_c": Vector(*g), "grad_mu": Vector(*g), "mu": 0.0, "H": Tensor(*H.reshape(9))}
    return Local(values, Host(c_max=2.29e4), Vector(), 0.0, 2.0)


@pytest.mark.parametrize("axes", [None, {"a": "x", "c": "y"}, {"c": "-z", "b": "x"}, {"b": "-y", "a": "z"}])
def test_rotation_matrix_is_proper(axes):
    R = rotation_matrix(axes, 0.7)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)


def test_axes_and_angle():
    R = rotation_matrix({"a": "x", "c": "y"})
    np.testing.assert_allclose(R[:, 0], [1, 0, 0])
    np.testing.assert_allclose(R[:, 2], [0, 1, 0])
    np.testing.assert_allclose(R[:, 1], np.cross(R[:, 2], R[:, 0]))
    np.testing.assert_allclose(rotation_matrix(angle=np.pi / 2)[:, 0], [0, 1, 0], atol=1e-15)


@pytest.mark.parametrize("axes", [{"a": "x"}, {"a": "x", "b": "x"}, {"a": "w", "b": "x"}, {"d": "x", "b": "y"}])
def test_axes_messages(axes):
    with pytest.raises(ConfigError, match="axes"):
        rotation_matrix(axes)


def test_energy_is_that_of_the_state_in_crystal_axes():
    g, H, axes = RNG.normal(size=3) * 1e7, RNG.normal(size=(3, 3)) * 0.01, {"a": "x", "c": "y"}
    R = rotation_matrix(axes, 0.4)
    expected = ENERGY(state(R.T @ g, R.T @ H @ R))
    np.testing.assert_allclose(Oriented(ENERGY, angle=0.4, axes=axes)(state(g, H)), expected, rtol=1e-12)
    np.testing.assert_allclose(Oriented(ENERGY, rotation=R)(state(g, H)), expected, rtol=1e-12)
    np.testing.assert_allclose(Oriented(ENERGY, axes=axes, angle="0.4 rad")(state(g, H)), expected, rtol=1e-12)


def test_turning_crystal_and_state_together_changes_nothing():
    g, H = RNG.normal(size=3) * 1e7, RNG.normal(size=(3, 3)) * 0.01
    Q = Rotation.from_euler("z", 0.9).as_matrix()
    before = Oriented(ENERGY, angle=0.2)(state(g, H))
    after = Oriented(ENERGY, angle=1.1)(state(Q @ g, Q @ H @ Q.T))
    np.testing.assert_allclose(after, before, rtol=1e-12)
    full = Rotation.random(random_state=4).as_matrix()
    after = Oriented(ENERGY, rotation=full)(state(full @ g, full @ H @ full.T))
    np.testing.assert_allclose(after, ENERGY(state(g, H)), rtol=1e-12)


def test_isotropic_energy_does_not_feel_the_angle():
    psi = GradientEnergy(1e-10) + LinearElastic.isotropic("60 GPa", 0.3, Vegard(0.02))
    s = state(RNG.normal(size=3) * 1e7, RNG.normal(size=(3, 3)) * 0.01)
    np.testing.assert_allclose(Oriented(psi, angle="37 deg")(s), psi(s), rtol=1e-12)
    slope = jax.grad(lambda angle: Oriented(psi, angle)(s))(0.3)
    np.testing.assert_allclose(slope / psi(s), 0, atol=1e-12)


def test_terms_keep_names_and_domains():
    terms = Oriented(ENERGY, angle=0.3).terms()
    assert [t.name for t in terms] == ["chemical", "gradient", "elastic"]
    assert terms[0].domain == (0.0, 1.0)
    assert terms[1].domain is None
    s = state([1e7, 0, 0], np.zeros((3, 3)))
    np.testing.assert_allclose(sum(t(s) for t in terms), Oriented(ENERGY, angle=0.3)(s), rtol=1e-14)


def test_per_cell_angle_is_elementwise():
    angles = jnp.array([[0.1, 0.2, 0.9]])  # what the assembler makes of a PerCell: (1, elements)
    psi = eqx.tree_at(lambda p: p.orientation.angle, Oriented(ENERGY, angle=0.0), angles)
    g, H = RNG.normal(size=3) * 1e7, RNG.normal(size=(3, 3)) * 0.01
    many = psi(state(g, H))
    np.testing.assert_allclose(many[0], [Oriented(ENERGY, angle=float(a))(state(g, H)) for a in angles[0]], rtol=1e-12)


def test_tensor_diffusivity_turns_with_the_crystal():
    s = state([1.0, 2.0, 0.0], np.zeros((3, 3)))
    R = rotation_matrix(angle=0.5)
    D = R @ np.diag([1.0, 3.0, 0.0]) @ R.T
    turned = Diffusion([1.0, 3.0, 0.0], angle=0.5).density(s, s, s, s)
    np.testing.assert_allclose(turned, Diffusion(D).density(s, s, s, s), rtol=1e-12)


def test_improper_rotation_is_refused():
    with pytest.raises(ConfigError, match="not a proper rotation"):
        Oriented(ENERGY, rotation=np.diag([1.0, 1.0, -1.0]))
    with pytest.raises(ConfigError, match="not both"):
        Oriented(ENERGY, axes={"a": "y", "b": "z"}, rotation=np.eye(3))
