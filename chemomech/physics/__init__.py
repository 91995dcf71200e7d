"""Physics, one scalar density per file: energies, transport, interface reactions."""

from .bending import Bending, Load, WireBending
from .chemical import DoubleWell, RedlichKister, RegularSolution, TabulatedOCV
from .dislocation import Dislocations, SurroundingStress
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
from .strained import AbstractStrainField, Strained
from .traction import Pressure, Traction
from .transport import AbstractMobility, Amount, DegenerateMobility, Diffusion, Storage, UniformMobility

__all__ = [
    "AbstractEigenstrain",
    "AbstractExchangeCurrent",
    "AbstractMobility",
    "AbstractStrainField",
    "Amount",
    "Axisymmetric",
    "BazantExchange",
    "Bending",
    "BowedVegard",
    "ButlerVolmer",
    "ConstantExchange",
    "DegenerateMobility",
    "Diffusion",
    "Dislocations",
    "DoubleWell",
    "GeneralisedPlaneStrain",
    "GradientEnergy",
    "LinearElastic",
    "Load",
    "Orientation",
    "Oriented",
    "PlaneStrain",
    "PlaneStress",
    "Pressure",
    "RedlichKister",
    "RegularSolution",
    "Solid",
    "SquareToRectangle",
    "Storage",
    "Stored",
    "Strained",
    "SurfaceEnergy",
    "SurroundingStress",
    "SymmetricExchange",
    "TabulatedEigenstrain",
    "TabulatedOCV",
    "Traction",
    "TransitionStateExchange",
    "UniformMobility",
    "Vegard",
    "Wetting",
    "WireBending",
    "overpotential",
    "rotation_matrix",
]
