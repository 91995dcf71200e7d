"""Layered oxides: lithium cobalt oxide and nickel-rich NMC."""

from __future__ import annotations

from ..density import Host
from ..physics import LinearElastic, SymmetricExchange, Vegard
from .material import Material, Row

AI = "PyBaMM, parameter set Ai2020"
CHEN = "PyBaMM, parameter sets Chen2020 and OKane2022"


def cobalt() -> Material:
    """LiCoO2; add an energy of mixing, such as `TabulatedOCV` of your own data."""
    return Material(
        name="LiCoO2",
        formula="CoO2 - LiCoO2",
        host=Host(c_max="49943 mol/m^3"),
        energy=LinearElastic.isotropic(
            "375 GPa", 0.2, Vegard.from_partial_molar_volume("-7.28e-7 m^3/mol", "49943 mol/m^3")
        ),
        D="5.387e-15 m^2/s",
        exchange=SymmetricExchange("1.524 A/m^2"),
        table=(
            Row("c_max", "49943 mol/m^3", AI),
            Row("C", "E = 375 GPa, nu = 0.2", AI),
            Row("strain", "-0.01212", f"{AI}; Omega c_max/3 with Omega = -7.28e-7 m^3/mol", "derived"),
            Row("D", "5.387e-15 m^2/s", AI),
            Row("k0", "1.524 A/m^2", f"{AI}; F times 1e-11, sqrt(c_e) c_max at c_e = 1000 mol/m^3", "derived"),
            Row("chi", "none", "no mixing energy: use a measured open-circuit voltage", "unknown"),
            Row("kappa", "none", "not found", "unknown"),
            Row("V0", "none", "depends on the open-circuit curve", "unknown"),
        ),
        references=("Ai et al., J. Electrochem. Soc. 167 (2020) 013512, doi:10.1149/2.0122001JES",),
    )


def nmc811() -> Material:
    """NMC811; the partial molar volume of the battery-cell parameter sets is a fit of a one-way model, so not used."""
    return Material(
        name="NMC811",
        formula="Ni0.8Mn0.1Co0.1O2 - LiNi0.8Mn0.1Co0.1O2",
        host=Host(c_max="63104 mol/m^3"),
        energy=LinearElastic.isotropic("200 GPa", 0.3, Vegard(0.02)),
        D="4e-15 m^2/s",
        exchange=SymmetricExchange("6.825 A/m^2"),
        table=(
            Row("c_max", "63104 mol/m^3", CHEN),
            Row("C", "E = 200 GPa, nu = 0.3", "PRISMS-PF study of NMC polycrystals, composition not stated"),
            Row("strain", "0.02", "6 % of volume, recalled range 5 to 7 %; in truth anisotropic", "unverified"),
            Row("D", "4e-15 m^2/s", CHEN),
            Row("k0", "6.825 A/m^2", f"{CHEN}; 3.42e-6, sqrt(c_e) c_max at c_e = 1000 mol/m^3", "derived"),
            Row("chi", "none", "no mixing energy: use a measured open-circuit voltage", "unknown"),
            Row("kappa", "none", "not found", "unknown"),
            Row("V0", "none", "depends on the open-circuit curve", "unknown"),
        ),
        references=(
            "Chen et al., J. Electrochem. Soc. 167 (2020) 080534, doi:10.1149/1945-7111/ab9050",
            "O'Kane et al., Phys. Chem. Chem. Phys. 24 (2022) 7909, doi:10.1039/D2CP00417H",
        ),
    )
