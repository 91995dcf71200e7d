"""Bent, stretched and twisted bodies at a point: the strain of a compatible displacement, the same along the axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ChemomechError, ConfigError
from chemomech.fem.mesh import rectangle
from chemomech.physics.bending import Bending, Load, WireBending
from chemomech.tensors import Vector

jax.config.update("jax_enable_x64", True)


def strain(kinematics, scalars, x):
    """Of a body at rest but for the global scalars."""
    dim = kinematics.dim
    fields = {f"u.{a}": [0.0] * (dim + 1) for a in "xyz"[:dim]}
    H = kinematics.embed(fields, scalars, Vector(*x))["H"]
    return np.array(H.sym.rows(), float)


def test_a_strip_has_the_strain_of_its_displacement():
    """u = (axial x - kappa x y, kappa x^2/2), with y from the neutral line."""
    kinematics = cm.PlaneStrain(bending=Bending(curvature=0.3, axial=0.02, neutral=0.1))
    assert kinematics.scalars == ("axial", "curvature")

    def displacement(p):
        x, y = p[0], p[1] - 0.1
        return jnp.array([0.02 * x - 0.3 * x * y, 0.15 * x**2])

    for point in ([0.2, 0.4], [0.9, 0.4]):
        H = jax.jacfwd(displacement)(jnp.array(point))
        found = strain(kinematics, {"axial": 0.02, "curvature": 0.3}, (*point, 0.0))
        np.testing.assert_allclose(found[:2, :2], (H + H.T) / 2, atol=1e-15)
        np.testing.assert_allclose(found[2], 0.0)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_wire_has_the_strain_of_its_displacement(axis):
    """Of the two curvatures, the twist and the stretch together, along each axis."""
    k = "xyz".index(axis)
    b, c = (k + 1) % 3, (k + 2) % 3
    values = {"axial": 0.02, f"curvature_{'xyz'[b]}": 0.3, f"curvature_{'xyz'[c]}": -0.2, "twist": 0.5}
    kinematics = cm.Solid(bending=WireBending(**values, centre=[0.1, -0.2], axis=axis))
    assert set(kinematics.values()) == set(values)

    def displacement(p):
        z, x, y = p[k], p[b] - 0.1, p[c] + 0.2
        u = {k: 0.02 * z - 0.3 * x * z + 0.2 * y * z, b: 0.15 * z**2 - 0.5 * z * y, c: -0.1 * z**2 + 0.5 * z * x}
        return jnp.stack([u[i] for i in range(3)])

    point = jnp.array([0.3, 0.7, -0.4])
    H = jax.jacfwd(displacement)(point)
    np.testing.assert_allclose(strain(kinematics, values, point), (H + H.T) / 2, atol=1e-15)


def test_what_is_given_free_or_loaded():
    bending = Bending(curvature=Load("2 nN nm"), axial="1 %")
    kinematics = cm.PlaneStrain(mean_strain=("zz", "yy"), given={"zz": "0.5 %"}, bending=bending)
    assert kinematics.scalars == ("strain_zz", "strain_yy", "axial", "curvature")
    assert {k: float(v) for k, v in kinematics.values().items()} == {"strain_zz": 0.005, "axial": 0.01}
    assert {k: float(v) * 1e18 for k, v in kinematics.loads().items()} == {"curvature": pytest.approx(2.0)}
    scaled = cm.Scales(1e-9, 1.0, 1e6, 1.0, 1.0, 1.0).apply(kinematics)
    assert float(scaled.loads()["curvature"]) == pytest.approx(2e3)  # a moment over 1e6 J/m^3 (1 nm)^3
    assert WireBending(curvature_x="free").parts.keys() == {"axial", "curvature_x"}


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="no such curvature. Give one of curvature_x, curvature_y"):
        WireBending(curvature_z=1.0)
    with pytest.raises(ConfigError, match='axis = "z"'):
        Bending(curvature=1.0, axis="z")
    with pytest.raises(ChemomechError, match="PlaneStrain is bent by Bending, not WireBending"):
        cm.PlaneStrain(bending=WireBending(curvature_x=1.0))
    with pytest.raises(ChemomechError, match="given names .'zz'."):
        cm.PlaneStrain(given={"zz": 0.1})


@pytest.mark.parametrize("value", [cm.Vegard(0.01), [1.0, 2.0], "loose", "1 nN", True])
def test_what_is_no_curvature_is_told_what_is(value):
    with pytest.raises(ChemomechError, match=r'^curvature.*1e5 1/m.*"free", a Course.*Load in N\*m'):
        Bending(curvature=value)
    with pytest.raises(ChemomechError, match=r'^axial strain.*"free", a Course.*Load in N\.'):
        Bending(axial=value)


def test_free_ends_are_refused():
    """The nodal displacement would undo the bend."""
    kinematics = cm.PlaneStrain(bending=Bending(curvature=1.0))
    potentials = [cm.Stored(cm.LinearElastic.isotropic(1.0, 0.3))]
    given = dict(host=cm.Host.dimensionless(), scales=cm.Scales.unit(), kinematics=kinematics, potentials=potentials)
    with pytest.raises(ChemomechError, match='free ends.*Add Periodic."x".'):
        cm.Problem.build(rectangle(1.0, 1.0, 1, 1), constraints=[cm.Fixed("u.x", on="left")], **given)
    ends = [cm.Fixed("u.x", on="left"), cm.Fixed("u.x", on="right")]
    assert cm.Problem.build(rectangle(1.0, 1.0, 1, 1), constraints=ends, **given).scalars == ("axial", "curvature")
