"""Physics, one scalar density per file: energies, transport, interface reactions."""

from .chemical import DoubleWell, RedlichKister, RegularSolution, TabulatedOCV
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
from .swelling import AbstractSwelling, LogarithmicSwelling, VolumeSwelling
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
    "AbstractSwelling",
    "ActivatedMobility",
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
    "Hencky",
    "LinearElastic",
    "LogarithmicSwelling",
    "NeoHookean",
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
    "SurfaceStress",
    "SymmetricExchange",
    "TabulatedEigenstrain",
    "TabulatedOCV",
    "TransitionStateExchange",
    "UniformMobility",
    "Vegard",
    "VolumeSwelling",
    "Wetting",
    "overpotential",
    "rotation_matrix",
]
