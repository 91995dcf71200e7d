"""Silicon; its swelling is far beyond small strain, so small-strain results are illustrative."""

from __future__ import annotations

from ..density import Host
from ..physics import LinearElastic, Vegard
from .material import Material, Row

AI = "PyBaMM, parameter set Chen2020_composite"


def amorphous() -> Material:
    """Isotropic swelling and elasticity."""
    return Material(
        name="silicon",
        formula="Si - LixSi",
        host=Host(c_max="278000 mol/m^3"),
        energy=LinearElastic.isotropic(
            "50 GPa", 0.22, Vegard.from_partial_molar_volume("1.20e-5 m^3/mol", "278000 mol/m^3")
        ),
        D="1.67e-14 m^2/s",
        table=(
            Row("c_max", "278000 mol/m^3", AI),
            Row("C", "E = 50 GPa, nu = 0.22", AI),
            Row("strain", "1.112", f"{AI}; Omega c_max/3 with Omega = 1.20e-5 m^3/mol; needs finite strain", "derived"),
            Row("D", "1.67e-14 m^2/s", AI),
            Row("chi", "none", "no mixing energy: use a measured open-circuit voltage", "unknown"),
            Row("kappa", "none", "not found", "unknown"),
            Row("k0", "none", "not transcribed", "unknown"),
            Row("V0", "none", "depends on the open-circuit curve", "unknown"),
        ),
        references=("Ai et al., J. Power Sources 527 (2022) 231142, doi:10.1016/j.jpowsour.2022.231142",),
    )
