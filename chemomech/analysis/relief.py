"""How much of a planar misfit stress a shape relieves, and how stress is spread over a volume."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import ChemomechError
from ..problem import Problem, State
from . import points
from .film import biaxial_modulus
from .stress import von_mises


def planar_stress(E: Any, nu: float, misfit: float, step: float = 1.0) -> float:
    """|M eta dc|, M = E/(1 - nu): the stress of a flat film that is not allowed to swell [Pa]; its von Mises stress too

    Args:
        E: Young's modulus [Pa].
        nu: Poisson's ratio [1].
        misfit: linear strain eta from c = 0 to c = 1 [1].
        step: composition dc against the stress-free one [1].
    """
    return float(abs(biaxial_modulus(E, nu) * misfit * step))


def stress_relief(problem: Problem, state: State, reference: float, region: points.Region = None) -> float:
    """Volume mean of the von Mises stress over a reference: 1 for a flat film held by its substrate, 0 if free [1]

    Args:
        problem: that the state is of.
        state: with displacements.
        reference: such as `planar_stress` [Pa].
        region: cell set or function of the points [m]; None: the whole body.

    Raises:
        ChemomechError: the reference is not positive, the problem has no stress, or the region is empty.
    """
    if not reference > 0:
        raise ChemomechError(f"stress_relief: the reference is {reference} Pa. Try: a positive one, as planar_stress.")
    inside = points.inside(problem, region)
    stress = von_mises(points.stresses(problem, state)[inside])
    return float(np.average(stress, weights=points.volumes(problem)[inside])) / reference


def percentiles(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], percent: Any) -> Any:
    """The values below which given parts of the weight lie, such as of the volume [unit of the values].

    Each value stands at the middle of its own weight; between two of them by linear interpolation.

    Args:
        values: such as von Mises stress at the points.
        weights: such as their volumes.
        percent: 0 to 100, one or more.

    Raises:
        ChemomechError: a weight is negative, all are zero, or a percentage lies outside 0 to 100.
    """
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    if not (np.all(weights >= 0) and weights.sum() > 0):
        raise ChemomechError("percentiles: weights must not be negative, and not all zero.")
    if np.any((np.asarray(percent) < 0) | (np.asarray(percent) > 100)):
        raise ChemomechError(f"percentiles: {percent} % lie outside 0 to 100.")
    kept = np.flatnonzero(weights > 0)
    order = kept[np.argsort(values[kept])]
    upto = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.interp(np.asarray(percent) / 100.0 * weights.sum(), upto, values[order])
