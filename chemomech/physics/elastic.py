"""Linear elasticity with a composition-dependent stress-free strain and stiffness."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..density import AbstractFreeEnergy, Local, PerCell, Scalar
from ..errors import ConfigError
from ..tensors import add, mul, quadratic
from ..units import param
from . import stiffness
from .eigenstrain import AbstractEigenstrain, as_sym, symmetric


class LinearElastic(AbstractFreeEnergy):
    """psi = 1/2 eps_el : C(c) : eps_el + sigma_pre : eps_el,   eps_el = eps - eps0(c) - eps_pre

    with C(c) = C + c (C_lithiated - C).

    Args:
        C: stiffness at c = 0 in Voigt's order xx, yy, zz, yz, xz, xy, 6 x 6 or 21 upper entries [Pa].
        eigenstrain: stress-free strain eps0(c); None: no swelling, and no `c` is read.
        C_lithiated: stiffness at c = 1 [Pa]; None: the same as C.
        prestrain: eps_pre as 1, 3, 6 or 3 x 3 numbers, such as an epitaxial or thermal misfit [1].
        prestress: sigma_pre, stress present before loading, such as a measured residual stress, in the axes of the
            energy: xx, yy, zz, yz, xz, xy or a `PerCell` of these; one that is in equilibrium displaces nothing [Pa].

    Raises:
        ConfigError: a stiffness is not symmetric or not positive definite.
    """

    name: ClassVar[str] = "elastic"
    C: Any = param("Pa", doc="stiffness")
    eigenstrain: AbstractEigenstrain | None = None
    C_lithiated: Any = param("Pa", default=None, doc="stiffness at c = 1")
    prestrain: Any = param("1", default=None, doc="strain present before loading")
    prestress: Any = param("Pa", default=None, doc="stress present before loading")

    def __init__(
        self,
        C: Any,
        eigenstrain: AbstractEigenstrain | None = None,
        C_lithiated: Any = None,
        prestrain: Any = None,
        prestress: Any = None,
    ):
        self.C = stiffness.full(C)
        self.eigenstrain = eigenstrain
        self.C_lithiated = stiffness.full(C_lithiated)
        self.prestrain = symmetric(prestrain)
        self.prestress = prestress

    def __check_init__(self):
        stiffness.require_positive_definite(self.C, "LinearElastic.C")
        stiffness.require_positive_definite(self.C_lithiated, "LinearElastic.C_lithiated")
        values = self.prestress.values if isinstance(self.prestress, PerCell) else self.prestress
        if values is not None and np.shape(values)[-1:] != (6,):
            raise ConfigError(f"LinearElastic.prestress has 6 components, but its shape is {np.shape(values)}.")

    @classmethod
    def isotropic(
        cls, E: Any = None, nu: Any = None, eigenstrain: AbstractEigenstrain | None = None, *, G: Any = None,
        K: Any = None, C_lithiated: Any = None, prestrain: Any = None, prestress: Any = None,
    ) -> LinearElastic:  # fmt: skip
        """An isotropic solid from E [Pa] and nu [1], or from G and K [Pa]."""
        return cls(stiffness.isotropic(E, nu, G=G, K=K), eigenstrain, C_lithiated, prestrain, prestress)

    @classmethod
    def cubic(
        cls, c11: Any, c12: Any, c44: Any, eigenstrain: AbstractEigenstrain | None = None, *,
        C_lithiated: Any = None, prestrain: Any = None, prestress: Any = None,
    ) -> LinearElastic:  # fmt: skip
        """A cubic crystal from three constants [Pa]."""
        return cls(stiffness.cubic(c11, c12, c44), eigenstrain, C_lithiated, prestrain, prestress)

    @classmethod
    def orthotropic(
        cls, c11: Any, c22: Any, c33: Any, c44: Any, c55: Any, c66: Any, c12: Any, c13: Any, c23: Any,
        eigenstrain: AbstractEigenstrain | None = None, *, C_lithiated: Any = None, prestrain: Any = None,
        prestress: Any = None,
    ) -> LinearElastic:  # fmt: skip
        """An orthotropic crystal from nine constants [Pa]."""
        matrix = stiffness.orthotropic(c11, c22, c33, c44, c55, c66, c12, c13, c23)
        return cls(matrix, eigenstrain, C_lithiated, prestrain, prestress)

    def __call__(self, s: Local) -> Scalar:
        strain = s.strain
        if self.eigenstrain is not None:
            strain = strain - self.eigenstrain(s.c)
        if self.prestrain is not None:
            strain = strain - as_sym(self.prestrain)
        psi = quadratic(self.C, strain.voigt())
        if self.C_lithiated is not None:
            psi = add(mul(1.0 - s.c, psi), mul(s.c, quadratic(self.C_lithiated, strain.voigt())))
        return psi if self.prestress is None else add(psi, as_sym(self.prestress).ddot(strain))
