"""Spinel lithium manganese oxide between Mn2O4 and LiMn2O4."""

from __future__ import annotations

from ..density import Host
from ..physics import GradientEnergy, LinearElastic, RegularSolution, SymmetricExchange, Vegard
from .material import Material, Row

ZHANG = "recalled from Zhang, Shyy, Sastry 2007"


def spinel() -> Material:
    """Isotropic spinel with weak phase separation."""
    energy = (
        RegularSolution(chi=2.5)
        + GradientEnergy("1.735e-14 J*m^2/mol")
        + LinearElastic.isotropic("10 GPa", 0.3, Vegard.from_partial_molar_volume("3.497e-6 m^3/mol", "2.29e4 mol/m^3"))
    )
    return Material(
        name="LiMn2O4",
        formula="Mn2O4 - LiMn2O4",
        host=Host(c_max="2.29e4 mol/m^3"),
        energy=energy,
        D="7.08e-15 m^2/s",
        exchange=SymmetricExchange("7.225 A/m^2"),
        table=(
            Row("c_max", "2.29e4 mol/m^3", ZHANG, "unverified"),
            Row("chi", "2.5", "recalled from Huttin and Kamlah 2012 (2.5 to 2.6)", "unverified"),
            Row("kappa_molar", "1.735e-14 J*m^2/mol", "recalled, 7e-18 m^2 times R T, same work", "unverified"),
            Row("C", "E = 10 GPa, nu = 0.3", ZHANG, "unverified"),
            Row("strain", "0.02669", f"Omega c_max/3 with Omega = 3.497e-6 m^3/mol, {ZHANG}", "unverified"),
            Row("D", "7.08e-15 m^2/s", ZHANG, "unverified"),
            Row("k0", "7.225 A/m^2", "MPET, configs/params_Mn2O4_Fuller94.cfg, sqrt(c(1-c)) law"),
            Row("V0", "none", "depends on the open-circuit curve", "unknown"),
        ),
        references=(
            "Zhang, Shyy, Sastry, J. Electrochem. Soc. 154 (2007) A910",
            "Smith, Bazant, J. Electrochem. Soc. 164 (2017) E3291, doi:10.1149/2.0171711jes",
            "github.com/TRI-AMDD/mpet",
        ),
    )
