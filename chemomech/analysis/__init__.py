"""What is computed from states after they are solved for."""

from .stress import hydrostatic, nodal_stress, principal, von_mises

__all__ = ["hydrostatic", "nodal_stress", "principal", "von_mises"]
