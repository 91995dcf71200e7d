import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech import materials
from chemomech.density import Local
from chemomech.errors import ConfigError, UnitError
from chemomech.tensors import Tensor, Vector
from chemomech.units import declared_parameters, parse

jax.config.update("jax_enable_x64", True)


def quiet(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", materials.UnverifiedWarning)
        return materials.load(name)


@pytest.mark.parametrize("name", materials.names())
def test_table_says_what_the_material_holds(name):
    material = quiet(name)
    units = {path.rsplit(".", 1)[-1]: unit for path, _, unit, _ in declared_parameters(material)}
    for row in material.table:
        assert row.mark in ("read", "derived", "unverified", "unknown")
        assert row.source
        if row.mark == "unknown":
            assert row.value == "none"
            assert getattr(material, row.symbol, None) is None
            continue
        held = getattr(material, row.symbol)
        try:
            value = parse(row.value if units[row.symbol] != "1" else float(row.value), units[row.symbol])
        except (UnitError, ValueError):
            continue  # a list of constants, written for people
        np.testing.assert_allclose(np.ravel(held)[0], value, rtol=1e-3)


@pytest.mark.parametrize("name", materials.names())
def test_every_parameter_is_in_the_table(name):
    material = quiet(name)
    rows = {row.symbol for row in material.table}
    held = {path.rsplit(".", 1)[-1] for path, _, _, _ in declared_parameters(material)}
    assert held - {"T", "gas_constant", "faraday", "alpha", "a_l", "c_ref"} <= rows
    assert material.references


@pytest.mark.parametrize("name", materials.names())
def test_energy_can_be_evaluated(name):
    material = quiet(name)
    values = {"c": jnp.array(0.4), "grad_c": Vector(1e6, 0.0, 0.0), "H": Tensor(xx=jnp.array(0.01))}
    s = Local(values, material.host, Vector(), 0.0, 1.0)
    assert np.isfinite(material.energy(s))


def test_parameters_are_reached_by_name():
    material = materials.load("LiFePO4")
    assert material.k0 == 0.16
    assert material.V0 == 3.422
    assert material.c_max == 22904
    assert material.kappa == 5.0148e-10
    np.testing.assert_allclose(material.omega / 6.02214076e23, 1.8560e-20, rtol=1e-4)
    np.testing.assert_allclose(material.omega / material.host.RT, 4.51, atol=2e-3)
    with pytest.raises(AttributeError, match="no `gamma`. Its parameters are: C, D"):
        _ = material.gamma


def test_unverified_values_are_named():
    with pytest.warns(materials.UnverifiedWarning, match="LixV2O5: .*strain = a, b, c = -0.0229"):
        material = materials.load("LixV2O5")
    assert {row.symbol for row in material.unverified} == {"c_max", "C", "strain"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert materials.load("LiFePO4").unverified == ()


def test_unknown_name_suggests():
    with pytest.raises(ConfigError, match='Did you mean "LiFePO4"'):
        materials.load("LiFePO")
