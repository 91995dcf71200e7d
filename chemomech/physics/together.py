"""What cannot be combined, refused by name instead of computed wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from ..courses import Course
from ..density import AbstractPotential
from ..errors import ConfigError
from . import checks
from .dislocation import Dislocations
from .kinematics import AbstractKinematics, PlaneStress
from .traction import AbstractLoad
from .transport import ActivatedMobility


def check_together(dim: int, potentials: Sequence[AbstractPotential], kinematics: AbstractKinematics) -> None:
    """Refuse combinations that no term here describes.

    Raises:
        ConfigError: a stored energy changes with time; finite strain is bent by global scalars; a screw dislocation
            lies in a plane; tractions meet a free mean strain in their plane; a mobility reads strains that plane
            stress leaves free.
    """
    for energy in (e for p in potentials for e in p.stored()):
        if _found(energy, Course):
            raise ConfigError(
                f"{type(energy).__name__} holds a Course. Stored energies, and the stresses reported of them, do not "
                "know the time. Let a given mean strain, a curvature, a load or a Fixed value follow the course."
            )
        if energy.finite and kinematics.bending is not None:
            raise ConfigError(
                f"{type(kinematics.bending).__name__} bends bodies of small strain; {type(energy).__name__} is of "
                "finite strain. Hold the ends by Fixed values instead."
            )
    for lines in _found(potentials, Dislocations):
        if dim == 2 and checks.is_concrete(lines.burgers) and np.any(np.asarray(lines.burgers)[:, 2:] != 0):
            raise ConfigError(
                "Dislocations: a Burgers vector has a component along z, but a plane mesh has no displacement there. "
                "Give two components, or a solid mesh."
            )
    in_plane = set(kinematics.mean_strain) - set(kinematics.given) - ({"zz", "yz", "xz"} if dim == 2 else set())
    loads = [p for p in potentials if isinstance(p, AbstractLoad)]
    if in_plane and loads:
        raise ConfigError(
            f"{type(loads[0]).__name__} does no work on the free mean strain {', '.join(sorted(in_plane))}: the body "
            "would not feel it. Leave the mean strain out, or give it."
        )
    if isinstance(kinematics, PlaneStress) and any(
        m.by_strain is not None for m in _found(potentials, ActivatedMobility)
    ):
        raise ConfigError(
            "ActivatedMobility.by_strain reads strains out of the plane, which PlaneStress leaves free. Use "
            "PlaneStrain, GeneralisedPlaneStrain or a solid."
        )


def _found(tree: Any, kind: type) -> list[Any]:
    """All parts of a kind."""
    is_one: Callable[[Any], bool] = lambda v: isinstance(v, kind)  # noqa: E731
    leaves: Iterable[Any] = jax.tree.leaves(tree, is_leaf=is_one)
    return [leaf for leaf in leaves if is_one(leaf)]
