"""Thermodynamics and crystallography without a mesh."""

from .cif import read_cif
from .compatibility import (
    cofactor_conditions,
    habit_of_variant,
    habit_planes,
    interfaces,
    twin,
    twin_fraction,
    twin_fraction_root,
    twin_systems,
    variant,
)
from .correspondence import correspondence, strain_distance, transformation
from .lattice import Lattice
from .lattice_design import (
    CofactorConditions,
    kept_volume,
    middle_stretch,
    smallest_change,
    smallest_change_to_cofactor,
)
from .screening import assess, screen
from .symmetry import directions, twofold_axes
from .wells import strain_wells

__all__ = [
    "CofactorConditions", "Lattice", "assess", "cofactor_conditions", "correspondence", "directions",
    "habit_of_variant", "habit_planes", "interfaces", "kept_volume", "middle_stretch", "read_cif", "screen",
    "smallest_change", "smallest_change_to_cofactor", "strain_distance", "strain_wells", "transformation", "twin",
    "twin_fraction", "twin_fraction_root", "twin_systems", "twofold_axes", "variant",
]  # fmt: skip
