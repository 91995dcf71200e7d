"""The sheet of a material repeats what the functions say, and is silent where the material is."""

import warnings

import numpy as np
import pytest

import chemomech as cm
from chemomech.errors import ConfigError
from chemomech.thermo import sheet


def quiet(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cm.materials.UnverifiedWarning)
        return cm.materials.load(name)


@pytest.fixture(scope="module")
def iron_phosphate():
    return sheet.sheet(quiet("LiFePO4"))


@pytest.mark.slow
def test_numbers_of_iron_phosphate(iron_phosphate):
    """To 0.5 %: binodal, coherent phases, softest direction, interface, critical rate of a platelet of 20 nm."""
    value = iron_phosphate.value
    pairs = [
        (value("phases", "poor phase"), 0.01212), (value("phases", "plateau"), 3.422),
        (value("coherency", "least modulus B"), 0.1903e9), (value("coherency", "B along b"), 0.4042e9),
        (value("coherency", "poor phase"), 0.08855), (value("coherency", "poor spinodal"), 0.2289),
        (value("interface", "energy"), 113.5e-3), (value("interface", "coherent energy"), 39.93e-3),
        (value("interface", "coherent width"), 5.91e-9),
        (value("interface", "coherent critical width of a slab"), 7.25e-9),
        (value("phases", "critical temperature"), 298.0 * 4.511 / 2),
    ]  # fmt: skip
    np.testing.assert_allclose([a for a, _ in pairs], [b for _, b in pairs], rtol=5e-3)
    assert value("current", "critical, insertion, platelet of 20 nm") == pytest.approx(15.0, abs=0.5)
    assert np.isinf(value("current", "critical, extraction"))
    assert not iron_phosphate.missing
    with pytest.raises(ConfigError, match='has no "colour" under "phases"'):
        value("phases", "colour")


@pytest.mark.slow
def test_curves_of_iron_phosphate(iron_phosphate):
    """All curves are finite, barriers of a film that has no gap left out; the envelope is 0 between the phases."""
    curves = iron_phosphate.curves
    assert curves.barriers is None
    assert curves.plateau is None
    for name, values in curves._asdict().items():
        if values is not None and name != "current":
            assert all(np.isfinite(part).all() for part in (values if isinstance(values, tuple) else (values,))), name
    assert (curves.envelope <= curves.energy + 1e-6).all()
    inside = (curves.c > 0.02) & (curves.c < 0.98)
    np.testing.assert_allclose(curves.envelope[inside], 0.0, atol=1e-5 * np.ptp(curves.energy))
    assert curves.modulus.min() >= iron_phosphate.value("coherency", "least modulus B") * (1 - 1e-9)


@pytest.mark.slow
def test_a_material_without_mixing_energy_has_no_phases():
    made = sheet.sheet(quiet("silicon"))
    assert {line.section for line in made.lines} == {"material", "coherency", "film"}
    assert made.missing[0] == "no free energy of mixing: phases, interfaces, currents"
    assert made.curves.energy is None
    assert not any("normal" in line.name for line in made.lines)  # isotropic: any normal is as soft


@pytest.mark.parametrize(
    "options", [{"strain": 0.0}, {"strain": np.nan}, {"thickness": "-3 nm"}, {"T": "-5 K"}, {"normal": (np.nan, 0, 1)}]
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ConfigError, match="positive|no direction"):
        sheet.sheet(quiet("silicon"), **options)
