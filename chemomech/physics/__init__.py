"""Physics, one scalar density per file: energies, transport, interface reactions."""

from .chemical import DoubleWell, RedlichKister, RegularSolution, TabulatedOCV
from .eigenstrain import AbstractEigenstrain, BowedVegard, TabulatedEigenstrain, Vegard
from .elastic import LinearElastic
from .gradient import GradientEnergy
from .interface import (
    AbstractExchangeCurrent,
    BazantExchange,
    ButlerVolmer,
    ConstantExchange,
    SurfaceEnergy,
    SymmetricExchange,
    TransitionStateExchange,
    Wetting,
    overpotential,
)
from .kinematics import Axisymmetric, GeneralisedPlaneStrain, PlaneStrain, PlaneStress, Solid
from .landau import SquareToRectangle
from .orientation import Orientation, Oriented, rotation_matrix
from .stored import Stored
from .transport import AbstractMobility, Amount, DegenerateMobility, Diffusion, Storage, UniformMobility

__all__ = [
    "AbstractEigenstrain",
    "AbstractExchangeCurrent",
    "AbstractMobility",
    "Amount",
    "Axisymmetric",
    "BazantExchange",
    "BowedVegard",
    "ButlerVolmer",
    "ConstantExchange",
    "DegenerateMobility",
    "Diffusion",
    "DoubleWell",
    "GeneralisedPlaneStrain",
    "GradientEnergy",
    "LinearElastic",
    "Orientation",
    "Oriented",
    "PlaneStrain",
    "PlaneStress",
    "RedlichKister",
    "RegularSolution",
    "Solid",
    "SquareToRectangle",
    "Storage",
    "Stored",
    "SurfaceEnergy",
    "SymmetricExchange",
    "TabulatedEigenstrain",
    "TabulatedOCV",
    "TransitionStateExchange",
    "UniformMobility",
    "Vegard",
    "Wetting",
    "overpotential",
    "rotation_matrix",
]
