"""Graphite as one layer with one miscibility gap; the coupling between layers that makes stages is left out."""

from __future__ import annotations

from ..density import Host
from ..physics import GradientEnergy, LinearElastic, RegularSolution, SymmetricExchange, Vegard
from .material import Material, Row

OKANE = "PyBaMM, parameter set OKane2022"
MPET = "MPET, configs/params_graphite_1param.cfg"


def one_layer() -> Material:
    """Mixing and gradient energy of a layer, isotropic swelling of the particle."""
    energy = (
        RegularSolution(omega="8.426 kJ/mol")
        + GradientEnergy("4.0e-7 J/m")
        + LinearElastic.isotropic("15 GPa", 0.3, Vegard.from_partial_molar_volume("3.1e-6 m^3/mol", "33133 mol/m^3"))
    )
    return Material(
        name="graphite",
        formula="C6 - LiC6",
        host=Host(c_max="33133 mol/m^3"),
        energy=energy,
        D="3.3e-14 m^2/s",
        exchange=SymmetricExchange("0.679 A/m^2"),
        V0="0.12 V",
        table=(
            Row("c_max", "33133 mol/m^3", OKANE),
            Row("omega", "8.426 kJ/mol", f"{MPET}, 1.3992e-20 J per site; terms between layers left out"),
            Row("kappa", "4.0e-7 J/m", MPET),
            Row("C", "E = 15 GPa, nu = 0.3", OKANE),
            Row("strain", "0.03424", f"{OKANE}; Omega c_max/3 with Omega = 3.1e-6 m^3/mol", "derived"),
            Row("D", "3.3e-14 m^2/s", OKANE),
            Row("k0", "0.679 A/m^2", f"{OKANE}; 6.48e-7, sqrt(c_e) c_max at c_e = 1000 mol/m^3", "derived"),
            Row("V0", "0.12 V", "MPET, graphite open-circuit voltage"),
        ),
        references=(
            "O'Kane et al., Phys. Chem. Chem. Phys. 24 (2022) 7909, doi:10.1039/D2CP00417H",
            "Smith, Bazant, J. Electrochem. Soc. 164 (2017) E3291, doi:10.1149/2.0171711jes",
            "github.com/TRI-AMDD/mpet",
        ),
    )
