"""What is computed from states after they are solved for."""

from . import diffraction, film, morphology, points, relief
from .stress import hydrostatic, nodal_stress, principal, von_mises

__all__ = [
    "diffraction", "film", "hydrostatic", "morphology", "nodal_stress", "points", "principal", "relief", "von_mises",
]  # fmt: skip
