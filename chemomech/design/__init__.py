"""Inverse design: what is sought, what may change, and how the mesh follows."""

from .objectives import (
    Segregation,
    charge_passed,
    hysteresis_area,
    interpolated,
    movie_misfit,
    time_to_soc,
    voltage_misfit,
)
from .peaks import StressPeak, smooth_maximum
from .shapes import AbstractShape, FreeSurface, Pores, Superellipsoid, Thickness, Wire, least_shrinkage, volume

__all__ = [
    "AbstractShape",
    "FreeSurface",
    "Pores",
    "Segregation",
    "StressPeak",
    "Superellipsoid",
    "Thickness",
    "Wire",
    "charge_passed",
    "hysteresis_area",
    "interpolated",
    "least_shrinkage",
    "movie_misfit",
    "smooth_maximum",
    "time_to_soc",
    "volume",
    "voltage_misfit",
]
