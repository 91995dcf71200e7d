"""Inverse design: what is sought, what may change, and how the mesh follows."""

from .continuation import Continued, optimise_with_remeshing, remeshed_study, transferred
from .fit import Fit, fit
from .goals import (
    AbstractGoal,
    Capacity,
    Column,
    HysteresisArea,
    Movie,
    PeakStress,
    Segregated,
    Target,
    TimeToSoc,
    VoltageCurve,
)
from .minimise import METHODS, Constraint, Evaluation, Optimum, minimise
from .objectives import (
    Segregation,
    charge_passed,
    hysteresis_area,
    interpolated,
    movie_misfit,
    movie_residual,
    time_to_soc,
    voltage_misfit,
)
from .peaks import StressPeak, smooth_maximum, soft_maximum
from .shapes import AbstractShape, FreeSurface, Pores, Superellipsoid, Thickness, Wire, least_shrinkage, quality, volume
from .study import Limit, Study
from .variables import AbstractVariable, Experiment, Number, Shape

__all__ = [
    "METHODS", "AbstractGoal", "AbstractShape", "AbstractVariable", "Capacity", "Column", "Constraint", "Continued",
    "Evaluation", "Experiment", "Fit", "FreeSurface", "HysteresisArea", "Limit", "Movie", "Number", "Optimum",
    "PeakStress", "Pores", "Segregated", "Segregation", "Shape", "StressPeak", "Study", "Superellipsoid", "Target",
    "Thickness", "TimeToSoc", "VoltageCurve", "Wire", "charge_passed", "fit", "hysteresis_area", "interpolated",
    "least_shrinkage", "minimise", "movie_misfit", "movie_residual", "optimise_with_remeshing", "quality",
    "remeshed_study", "smooth_maximum", "soft_maximum", "time_to_soc", "transferred", "voltage_misfit", "volume",
]  # fmt: skip
