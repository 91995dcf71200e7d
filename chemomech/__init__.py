"""Differentiable finite elements for the chemo-mechanics of battery electrodes."""

from . import design, materials
from .checkpoints import Checkpoints
from .courses import Course
from .density import AbstractFreeEnergy, AbstractPotential, Host, Local, PerCell, Sum
from .derivatives import directional_derivative, gradients, hessian_vector_product
from .ensemble import Member, Round, simulate_ensemble
from .equilibrium import solve_equilibrium, solve_static
from .errors import ChemomechError, ConfigError, FileError, MeshError, SolveError, UnitError
from .evolution import Evolution
from .fem.constraints import Fixed, Periodic, Pinned, Tied
from .fem.mesh import Mesh
from .measures import Reaction
from .modes import Modes, softest_modes, unstable_modes
from .physics import *  # noqa: F403
from .physics import __all__ as _physics
from .problem import Problem, State
from .protocol import Charge, Closed, Discharge, Hold, Protocol, Rest, Staircase
from .run import Observer, Solution
from .simulate import simulate
from .solve.auto import Auto
from .solve.direct import HostDirect
from .solve.krylov import Krylov
from .solve.newton import Newton, UpdateTest
from .solve.step import BDF2, BackwardEuler, ErrorControl
from .taylor import Taylor, taylor_test
from .units import Scales, param

__version__ = "0.1.0"
__all__ = [
    "BDF2", "AbstractFreeEnergy", "AbstractPotential", "Auto", "BackwardEuler", "Charge", "Checkpoints",
    "ChemomechError",
    "Closed", "ConfigError", "Course", "Discharge", "ErrorControl", "Evolution", "FileError", "Fixed", "Hold", "Host",
    "HostDirect", "Krylov", "Local", "Member", "Mesh", "MeshError", "Modes", "Newton", "Observer", "PerCell",
    "Periodic", "Pinned", "Problem", "Protocol", "Reaction", "Rest", "Round", "Scales", "Solution", "SolveError",
    "Staircase", "State", "Sum",
    "Taylor", "Tied", "UnitError", "UpdateTest", "design", "directional_derivative", "gradients",
    "hessian_vector_product", "materials", "param", "simulate", "simulate_ensemble",
    "softest_modes", "solve_equilibrium", "solve_static", "taylor_test", "unstable_modes", *_physics,
]  # fmt: skip
