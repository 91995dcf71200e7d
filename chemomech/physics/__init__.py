"""Physics, one scalar density per file: energies, transport, interface reactions."""

from .bending import Bending, Load, WireBending
from .chemical import DoubleWell, RedlichKister, RegularSolution, TabulatedOCV
from .dislocation import Dislocations, SurroundingStress
from .eigenstrain import AbstractEigenstrain, BowedVegard, TabulatedEigenstrain, Vegard
from .elastic import LinearElastic
from .finite_strain import AbstractFiniteElastic, Hencky, NeoHookean
from .gradient import GradientEnergy
from .interface import (
    AbstractExchangeCurrent,
    BazantExchange,
    ButlerVolmer,
    ConstantExchange,
    SurfaceEnergy,
    SurfaceStress,
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
from .swelling import AbstractSwelling, LogarithmicSwelling, VolumeSwelling
from .traction import Pressure, Traction
from .transport import (
    AbstractMobility,
    ActivatedMobility,
    Amount,
    DegenerateMobility,
    Diffusion,
    Storage,
    UniformMobility,
)

__all__ = [
    "AbstractEigenstrain",
    "AbstractExchangeCurrent",
    "AbstractFiniteElastic",
    "AbstractMobility",
    "AbstractStrainField",
    "AbstractSwelling",
    "ActivatedMobility",
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
    "Hencky",
    "LinearElastic",
    "Load",
    "LogarithmicSwelling",
    "NeoHookean",
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
    "SurfaceStress",
    "SymmetricExchange",
    "TabulatedEigenstrain",
    "TabulatedOCV",
    "Traction",
    "TransitionStateExchange",
    "UniformMobility",
    "Vegard",
    "VolumeSwelling",
    "Wetting",
    "WireBending",
    "overpotential",
    "rotation_matrix",
]
