"""What `chemomech check` says of a problem: phases in plane stress, and no number that is none."""

import re
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import chemomech as cm
from chemomech import config, inspection
from chemomech.errors import ConfigError
from chemomech.fem.mesh import rectangle

jax.config.update("jax_enable_x64", True)
CONFIGS = Path(__file__).parents[1] / "configs"


SHIPPED = sorted(CONFIGS.glob("*.toml"))
SOON = ("bent_wire", "spinodal_5pct")


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=() if p.stem in SOON else pytest.mark.slow, id=p.stem) for p in SHIPPED]
)
def test_shipped_configs_are_told_without_nan(path):
    """Rectangles in 2 x 2 cells."""
    tree = config.read(path)
    tree["mesh"] |= {"nx": 2, "ny": 2} if tree["mesh"].get("kind") == "Rectangle" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cm.materials.UnverifiedWarning)
        made = config.build(tree, path)
    blocks = inspection.blocks_of(made)
    told = [*(text for rows in blocks.values() for _, text in rows), *(row.value for row in inspection.values_of(made))]
    assert not [text for text in told if re.search(r"\bnan\b", text)]
    assert {"chi_eff", "B_min"} <= {name for name, _ in blocks["phases"]}


def test_a_bent_wire_of_few_cells_is_refused(monkeypatch):
    """12 x 2 cells of 25 nm, where the interface is 20 nm wide; by the chemical energy if no more is known."""
    tree = config.read(CONFIGS / "bent_wire.toml")
    tree["mesh"] |= {"nx": 12, "ny": 2}
    made = config.build(tree, CONFIGS / "bent_wire.toml")
    with pytest.raises(ConfigError, match="too coarse.*cells across"):
        inspection.warnings_of(made)
    monkeypatch.setattr(inspection, "_softest", lambda *_: (np.nan, np.array([1.0, 0.0, 0.0])))
    with pytest.raises(ConfigError, match="too coarse.*cells across"):
        inspection.warnings_of(made)
    rows = dict(inspection.blocks_of(made)["phases"])
    assert rows["B_min"].startswith("not known")
    assert "interface width" in rows
    assert not [text for text in rows.values() if "nan" in text]


def sheet(elastic, kinematics):
    psi = cm.RegularSolution(chi=3.0) + cm.GradientEnergy("1e-13 J*m^2/mol") + elastic
    potentials = [cm.Stored(psi), cm.Storage(), cm.Diffusion(1e-14)]
    return cm.Problem.build(rectangle(1e-8, 1e-8, 2, 2), host=cm.Host(2.29e4), potentials=potentials,
                            kinematics=kinematics)  # fmt: skip


def test_coherency_of_plane_stress():
    """E eta^2, where plane strain has 2 E eta^2/(1 - nu); of a cubic crystal along its soft axis E_100 eta^2."""
    E, nu, eta = 60e9, 0.3, 0.0125
    isotropic = cm.LinearElastic.isotropic(E, nu, cm.Vegard(eta))
    assert inspection.softest_coherency(sheet(isotropic, cm.PlaneStress()))[0] == pytest.approx(E * eta**2, rel=1e-9)
    plane_strain = inspection.softest_coherency(sheet(isotropic, cm.PlaneStrain()))[0]
    assert plane_strain == pytest.approx(2 * E * eta**2 / (1 - nu), rel=1e-9)
    c11, c12 = 200e9, 100e9
    cubic = cm.LinearElastic.cubic(c11, c12, 100e9, eigenstrain=cm.Vegard(eta))
    B, normal = inspection.softest_coherency(sheet(cubic, cm.PlaneStress()))
    assert B == pytest.approx((c11 - c12) * (c11 + 2 * c12) / (c11 + c12) * eta**2, rel=1e-9)
    assert np.max(np.abs(normal)) == pytest.approx(1.0)
