"""Stress-free deformation F_c(c) caused by lithium, for finite strain, in crystal axes."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..density import Scalar
from ..tensors import IDENTITY, Sym
from ..units import param, parse
from . import checks
from .eigenstrain import AbstractEigenstrain


class AbstractSwelling(eqx.Module):
    """The stretch that a free crystal takes, as a function of composition."""

    @abc.abstractmethod
    def __call__(self, c: Scalar) -> Sym:
        """F_c(c), symmetric [1]"""

    def volume(self, c: Scalar) -> Scalar:
        """J_c = det F_c [1]"""
        return self(c).det

    def inverse(self, c: Scalar) -> Sym:
        """F_c^-1 [1]"""
        return self(c).inverse


class VolumeSwelling(AbstractSwelling):
    """F_c = J_c^(1/3) I,   J_c = 1 + change (c - c_ref)

    Args:
        change: change of volume from c = 0 to c = 1, over the volume at c_ref; 3 is 300 % [1].
        c_ref: composition of the reference volume [1].

    Raises:
        ConfigError: no volume is left at c = 0 or c = 1.
    """

    change: Scalar = param("1", doc="change of volume from c = 0 to c = 1")
    c_ref: Scalar = param("1", default=0.0, doc="composition of the reference volume")

    def __check_init__(self):
        if checks.is_concrete(self.change) and checks.is_concrete(self.c_ref):
            least = float(min(np.min(self.volume(c)) for c in (0.0, 1.0)))
            checks.require(
                least > 0,
                f"VolumeSwelling: change = {self.change} with c_ref = {self.c_ref} leaves {least:.3g} of the reference "
                "volume at c = 0 or c = 1. Check the sign, or give a larger c_ref.",
            )

    @classmethod
    def from_partial_molar_volume(cls, omega: Any, c_max: Any, c_ref: Any = 0.0) -> VolumeSwelling:
        """J_c = 1 + Omega c_max (c - c_ref)

        Args:
            omega: partial molar volume of lithium in the host [m^3/mol].
            c_max: concentration of lithium sites per reference volume [mol/m^3].
            c_ref: composition of the reference volume [1].
        """
        return cls(parse(omega, "m^3/mol", name="omega") * parse(c_max, "mol/m^3", name="c_max"), c_ref)

    def __call__(self, c: Scalar) -> Sym:
        return IDENTITY * self.volume(c) ** (1.0 / 3.0)

    def volume(self, c: Scalar) -> Scalar:
        """J_c [1]"""
        return 1.0 + self.change * (c - self.c_ref)

    def inverse(self, c: Scalar) -> Sym:
        """J_c^(-1/3) I [1]"""
        return IDENTITY * self.volume(c) ** (-1.0 / 3.0)


class LogarithmicSwelling(AbstractSwelling):
    """F_c = exp(eps0(c)), with the logarithmic strain of any `AbstractEigenstrain`, such as `Vegard`

    Args:
        eigenstrain: eps0(c), the logarithms of the principal stretches in crystal axes where it is diagonal.
    """

    eigenstrain: AbstractEigenstrain

    def __call__(self, c: Scalar) -> Sym:
        return self.eigenstrain(c).exp

    def volume(self, c: Scalar) -> Scalar:
        """exp(tr eps0) [1]"""
        return jnp.exp(self.eigenstrain(c).trace)

    def inverse(self, c: Scalar) -> Sym:
        """exp(-eps0) [1]"""
        return (-self.eigenstrain(c)).exp
