"""Values at the quadrature points, each with the volume that it stands for."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .. import measures
from ..errors import ChemomechError
from ..measures import strained_terms, whole_mesh
from ..problem import Problem, State, evaluated, stress_at_points

Region = str | Callable[[np.ndarray], np.ndarray] | None  # a cell set, or which points [m] belong to it


def positions(problem: Problem) -> Float[np.ndarray, "n dim"]:
    """Coordinates of all quadrature points [m]."""
    x = np.asarray(whole_mesh(problem).x) * problem.scales.length
    return x.reshape(len(x), -1).T


def volumes(problem: Problem) -> Float[np.ndarray, " n"]:
    """The volume that each point stands for, with the thickness or revolution of a plane mesh [m^3]."""
    return np.ravel(measures.volumes(problem, whole_mesh(problem))) * problem.scales.length**3


def values(problem: Problem, nodal: Float[np.ndarray, " n"]) -> Float[np.ndarray, " points"]:
    """A nodal field, such as `state.c`, at the points."""
    return np.ravel(whole_mesh(problem).at_points(jnp.asarray(nodal)[None])[0][0])


def stresses(problem: Problem, state: State) -> Float[np.ndarray, "n 6"]:
    """Cauchy stress at the points, in the order xx, yy, zz, yz, xz, xy [Pa].

    Raises:
        ChemomechError: the problem has no stress.
    """
    if not strained_terms(problem):
        raise ChemomechError("This problem has no stress: give it a LinearElastic energy.")
    found = np.asarray(evaluated(problem, stress_at_points, problem.pack(state)))
    return found.reshape(6, -1).T * problem.scales.of("Pa")


def inside(problem: Problem, region: Region) -> Bool[np.ndarray, " n"]:
    """Which points belong to a region.

    Args:
        problem: whose points.
        region: name of a cell set, or a function of the points [m] that says which; None: all.

    Raises:
        MeshError: there is no such cell set.
        ChemomechError: no point belongs to it.
    """
    cells = whole_mesh(problem)
    shape = cells.x.shape[1:]
    if region is None:
        return np.ones(shape, bool).ravel()
    if callable(region):
        found = np.asarray(region(positions(problem)), bool)
    else:
        found = np.broadcast_to(np.isin(np.arange(shape[1]), problem.mesh.cells_of(region)), shape).ravel()
    if not found.any():
        raise ChemomechError("No quadrature point lies in the region. Try: a larger one, or coordinates in metres.")
    return found
