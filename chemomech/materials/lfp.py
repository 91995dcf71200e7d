"""Lithium iron phosphate; crystal axes a, b, c of Pnma, with the diffusion channels along b."""

from __future__ import annotations

from ..density import Host
from ..physics import BazantExchange, GradientEnergy, LinearElastic, RegularSolution, Vegard
from .material import Material, Row

MPET = "MPET, configs/params_LFP.cfg"
FORK = "fork of MPET, constants of FePO4"
DEMO = "FEniCS demo by Stewart and Anand after Di Leo et al."
REFERENCES = (
    "Cogswell, Bazant, ACS Nano 6 (2012) 2215, doi:10.1021/nn204177u",
    "Smith, Bazant, J. Electrochem. Soc. 164 (2017) E3291, doi:10.1149/2.0171711jes",
    "github.com/TRI-AMDD/mpet",
)


def anisotropic() -> Material:
    """Regular solution, gradient energy and orthotropic coherency of a nanoparticle, first set of constants."""
    stiffness = ("175.9 GPa", "153.6 GPa", "135.0 GPa", "38.8 GPa", "47.5 GPa", "55.6 GPa", "29.6 GPa", "54.0 GPa",
                 "19.6 GPa")  # fmt: skip
    return _coherent("LiFePO4", stiffness, [0.0517, 0.0359, -0.0186])


def anisotropic_set2() -> Material:
    """The same with the second published set of stiffness and misfit."""
    stiffness = ("157.4 GPa", "175.8 GPa", "154 GPa", "37.8 GPa", "49.05 GPa", "51.6 GPa", "53.35 GPa", "51.2 GPa",
                 "32.7 GPa")  # fmt: skip
    return _coherent("LiFePO4-set2", stiffness, [0.05, 0.028, -0.025])


def _coherent(name: str, stiffness: tuple[str, ...], misfit: list[float]) -> Material:
    energy = (
        RegularSolution(omega="11.177 kJ/mol")
        + GradientEnergy("5.0148e-10 J/m")
        + LinearElastic.orthotropic(*stiffness, eigenstrain=Vegard(misfit))
    )
    return Material(
        name=name,
        formula="FePO4 - LiFePO4",
        host=Host(c_max="22904 mol/m^3", T="298 K"),
        energy=energy,
        D="5.3e-19 m^2/s",
        exchange=BazantExchange("0.16 A/m^2"),
        V0="3.422 V",
        table=(
            Row("c_max", "22904 mol/m^3", f"{MPET}, 1.3793e28 sites per m^3"),
            Row("omega", "11.177 kJ/mol", f"{MPET}, 1.8560e-20 J per site"),
            Row("kappa", "5.0148e-10 J/m", MPET),
            Row("D", "5.3e-19 m^2/s", f"{MPET}, with c(1-c); one number although lithium moves along b only"),
            Row("k0", "0.16 A/m^2", MPET),
            Row("V0", "3.422 V", "MPET, LiFePO4 open-circuit voltage"),
            Row("C", f"c11, c22, c33, c44, c55, c66, c12, c13, c23 = {', '.join(stiffness)}", FORK),
            Row("strain", f"a, b, c = {', '.join(map(str, misfit))}", FORK),
        ),
        references=REFERENCES,
    )


def isotropic() -> Material:
    """An isotropic set for micrometre particles; its elastic moduli are a tenth of the physical ones."""
    host = Host(c_max="2.29e4 mol/m^3")
    energy = (
        RegularSolution(chi=3.0)
        + GradientEnergy("5.575e-13 J*m^2/mol")
        + LinearElastic.isotropic(
            G="4.98 GPa",
            K="8.3 GPa",
            eigenstrain=Vegard.from_partial_molar_volume("4.05e-6 m^3/mol", "2.29e4 mol/m^3"),
        )
    )
    return Material(
        name="LiFePO4-isotropic",
        formula="FePO4 - LiFePO4",
        host=host,
        energy=energy,
        D="1e-14 m^2/s",
        table=(
            Row("c_max", "2.29e4 mol/m^3", DEMO),
            Row("chi", "3.0", DEMO),
            Row("kappa_molar", "5.575e-13 J*m^2/mol", DEMO),
            Row("C", "G = 4.98 GPa, K = 8.3 GPa", f"{DEMO}; it uses a tenth of G = 49.8 GPa, K = 83 GPa"),
            Row("strain", "0.03092", f"{DEMO}; Omega c_max/3 with Omega = 4.05e-6 m^3/mol", "derived"),
            Row("D", "1e-14 m^2/s", DEMO),
            Row("k0", "none", "not given with this set", "unknown"),
            Row("V0", "none", "not given with this set", "unknown"),
        ),
        references=("Di Leo, Rejovitzky, Anand, J. Mech. Phys. Solids 70 (2014) 1",),
    )
