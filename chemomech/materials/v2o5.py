"""Vanadium pentoxide, alpha to delta phase, one lithium per V2O5; axes a, b, c of Pmmn, layers across c."""

from __future__ import annotations

from ..density import Host
from ..physics import GradientEnergy, LinearElastic, RegularSolution, Vegard
from .material import Material, Row

LATTICE = "recalled lattice constants of the alpha and delta phases"


def orthorhombic() -> Material:
    """Misfit of the three crystal axes."""
    return _vanadate("LixV2O5", [-0.0229, 0.0114, 0.135], LATTICE)


def axisymmetric() -> Material:
    """In-plane misfit averaged over a and b, for textured films and wires."""
    return _vanadate("LixV2O5-axisymmetric", [-0.0057, -0.0057, 0.135], f"{LATTICE}, a and b averaged")


def _vanadate(name: str, misfit: list[float], source: str) -> Material:
    energy = (
        RegularSolution(chi=2.5)
        + GradientEnergy("2.3e-13 J*m^2/mol")
        + LinearElastic.isotropic("100 GPa", 0.3, Vegard(misfit))
    )
    return Material(
        name=name,
        formula="V2O5 - LiV2O5",
        host=Host(c_max="1.853e4 mol/m^3"),
        energy=energy,
        table=(
            Row("c_max", "1.853e4 mol/m^3", "from a recalled alpha cell of 89.6 cubic angstrom per V2O5", "unverified"),
            Row("chi", "2.5", "chosen together with kappa to give a 40 nm limit of phase separation", "derived"),
            Row("kappa_molar", "2.3e-13 J*m^2/mol", "spheres below 40 nm stay uniform at chi = 2.5", "derived"),
            Row("C", "E = 100 GPa, nu = 0.3", "recalled range 60 to 150 GPa; softer along c; nu assumed", "unverified"),
            Row("strain", f"a, b, c = {', '.join(map(str, misfit))}", source, "unverified"),
            Row("D", "none", "recalled values span 1e-17 to 1e-14 m^2/s, faster along b than along a", "unknown"),
            Row("k0", "none", "not found", "unknown"),
            Row("V0", "none", "depends on the plateau", "unknown"),
        ),
        references=(
            "Santos et al., Chem. Sci. 14 (2023) 458 (40 nm limit)",
            "Cava et al. 1986 (delta phase, lattice constants; recalled)",
        ),
    )
