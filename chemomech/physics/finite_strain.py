"""Elasticity at finite strain: energies of the elastic part F_e = F F_c^-1 of the deformation gradient F = I + H."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..density import AbstractFreeEnergy, Local, Scalar
from ..errors import ConfigError
from ..tensors import IDENTITY, Sym, Tensor
from ..units import param
from . import checks
from .elastic import LinearElastic
from .swelling import AbstractSwelling


def right_cauchy_green(H: Tensor) -> Sym:
    """C = F^T F of a displacement gradient."""
    return IDENTITY + H.green * 2.0


class AbstractFiniteElastic(AbstractFreeEnergy):
    """psi = J_c W(C_e) per reference volume,   C_e = F_c^-1 F^T F F_c^-1,   J_c = det F_c

    No rotation of the deformed body changes it, as W sees stretches alone. A body turned inside out has none: NaN.
    """

    name: ClassVar[str] = "elastic"
    finite: ClassVar[bool] = True
    swelling: AbstractSwelling | None = eqx.field(default=None, kw_only=True)

    @abc.abstractmethod
    def stored(self, C: Sym, J: Scalar, s: Local) -> Scalar:
        """W [J/m^3]

        Args:
            C: elastic right Cauchy-Green tensor C_e [1].
            J: its volume ratio det F_e, positive [1].
            s: the local state.
        """

    def __call__(self, s: Local) -> Scalar:
        C, J = right_cauchy_green(s.H), (IDENTITY.full + s.H).det
        upright = jnp.where(J > 0, 1.0, jnp.nan)  # a factor, so that derivatives are none either
        if self.swelling is None:
            return upright * self.stored(C, J * upright, s)
        inverse, volume = self.swelling.inverse(s.c), self.swelling.volume(s.c)
        return volume * self.stored(C.transformed(inverse.rows()), J * upright / volume, s) * upright


class NeoHookean(AbstractFiniteElastic):
    """W = G/2 (tr C_e - 3 - 2 ln J) + lambda/2 [(J^2 - 1)/2 - ln J],   J = det F_e

    Args:
        E: Young's modulus at small strain [Pa].
        nu: Poisson's ratio at small strain [1].
        swelling: stress-free deformation F_c(c); None: no swelling, and no `c` is read.
        E_lithiated: Young's modulus at c = 1, linear in between [Pa]; None: the same as E.

    Raises:
        ConfigError: a modulus is not positive, or nu is not between -1 and 1/2.

    Source: Ciarlet, Mathematical Elasticity I (1988), section 4.10.
    """

    E: Scalar = param("Pa", doc="Young's modulus")
    nu: Scalar = param("1", doc="Poisson's ratio")
    E_lithiated: Scalar | None = param("Pa", default=None, doc="Young's modulus at c = 1")

    def __check_init__(self):
        checks.positive(self.E, "NeoHookean.E", "Pa")
        checks.positive(self.E_lithiated, "NeoHookean.E_lithiated", "Pa")
        checks.poisson(self.nu, "NeoHookean.nu")

    def stored(self, C: Sym, J: Scalar, s: Local) -> Scalar:
        """W [J/m^3]"""
        E = self.E if self.E_lithiated is None else self.E + s.c * (self.E_lithiated - self.E)
        G = E / (2.0 * (1.0 + self.nu))
        lam = 2.0 * G * self.nu / (1.0 - 2.0 * self.nu)
        logarithm = jnp.log(J)
        return 0.5 * G * (C.trace - 3.0 - 2.0 * logarithm) + 0.5 * lam * (0.5 * (J**2 - 1.0) - logarithm)


class Hencky(AbstractFiniteElastic):
    """W = 1/2 E_e : C(c) : E_e,   E_e = 1/2 ln C_e: the quadratic energy of the logarithmic strain

    Args:
        psi: a `LinearElastic` that has the stiffness, of any symmetry, and perhaps a prestrain, but no eigenstrain.
        swelling: stress-free deformation F_c(c); None: no swelling, and no `c` is read.

    Raises:
        ConfigError: psi is no `LinearElastic`, or has an eigenstrain.
    """

    psi: LinearElastic

    def __check_init__(self):
        if not isinstance(self.psi, LinearElastic):
            raise ConfigError(
                f"Hencky.psi is a {type(self.psi).__name__}. Give a LinearElastic that has the stiffness."
            )
        if self.psi.eigenstrain is not None:
            raise ConfigError("Hencky.psi has an eigenstrain. Leave it out, and give Hencky a `swelling`.")

    @classmethod
    def isotropic(cls, E: Any, nu: Any, swelling: AbstractSwelling | None = None) -> Hencky:
        """An isotropic solid from E [Pa] and nu [1]."""
        return cls(LinearElastic.isotropic(E, nu), swelling=swelling)

    def stored(self, C: Sym, J: Scalar, s: Local) -> Scalar:
        """W [J/m^3]"""
        return self.psi(s.replace(H=(C.log * 0.5).full))
