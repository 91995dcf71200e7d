"""The stress that a measured composition causes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..density import AbstractFreeEnergy, Host
from ..equilibrium import solve_static
from ..errors import ConfigError
from ..fem.constraints import AbstractConstraint, Fixed
from ..fem.mesh import Mesh
from ..physics.kinematics import AbstractKinematics, PlaneStress
from ..physics.stored import Stored
from ..problem import Problem, State


def stressed(
    mesh: Mesh, c: Float[np.ndarray, " n"], elastic: AbstractFreeEnergy, kinematics: AbstractKinematics | None = None,
    constraints: Sequence[AbstractConstraint] = (), host: Host | None = None,
) -> tuple[Problem, State]:  # fmt: skip
    """Mechanical equilibrium of a body at a given composition; its surface is free unless constraints hold it.

    `analysis.nodal_stress`, `analysis.points` and `analysis.relief` take the result. Other compositions on the same
    mesh are those of `problem.with_fixed(0, c)`. For a peak take the stress at the nodes, and quadratic triangles with
    edges of a third of a front's width or less: between nodes c bends more than the strain can follow.

    Args:
        mesh: such as of `mesh_of`.
        c: composition at its nodes [1].
        elastic: stored energy, such as `LinearElastic` with an eigenstrain, `Oriented` along the image's axes.
        kinematics: default `PlaneStress()`, of a particle that is thin along the beam.
        constraints: on the displacement.
        host: for energies that ask for it; linear elasticity does not.

    Raises:
        ConfigError: there are more or fewer compositions than nodes, or no stored energy.
        SolveError: no equilibrium is found.
    """
    if not isinstance(elastic, AbstractFreeEnergy):
        raise ConfigError(f"stressed: elastic = {elastic!r} is no stored energy. Try: LinearElastic.isotropic(...).")
    if np.shape(c) != (len(mesh.points),):
        raise ConfigError(
            f"stressed: c of shape {np.shape(c)} for a mesh of {len(mesh.points)} nodes. Try: one composition for each "
            "node, as mesh_of returns."
        )
    problem = Problem.build(
        mesh, host=Host(c_max="20 kmol/m^3") if host is None else host, potentials=[Stored(elastic)],
        kinematics=PlaneStress() if kinematics is None else kinematics,
        constraints=[Fixed("c", value=c), *constraints],
    )  # fmt: skip
    return problem, solve_static(problem)
