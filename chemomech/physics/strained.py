"""Stress-free strains that do not depend on composition: misfit with a substrate, dislocations."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx

from ..density import AbstractFreeEnergy, AbstractWrapped, Local, Scalar
from ..errors import ConfigError
from ..tensors import Sym, Tensor, Vector
from .eigenstrain import as_sym, symmetric
from .stored import summed


class AbstractStrainField(eqx.Module):
    """A stress-free strain as a function of position."""

    @abc.abstractmethod
    def __call__(self, x: Vector) -> Sym:
        """The strain at a point [1]."""


def _strain(value: Any) -> Any:
    """Components of a strain, or a field."""
    return value if isinstance(value, AbstractStrainField) else symmetric(value)


class Strained(AbstractWrapped):
    """psi(eps - eps_pre): an energy whose stress-free state is strained, in the axes in which it is written

    Around an `Oriented` energy the strain is in laboratory axes, within it in crystal axes. A film that grew on a
    substrate whose lattice is larger by a misfit m in both directions has eps_pre = -m there, next to a substrate that
    has none; on a rigid one its base is held, `Fixed("u", on=...)`, or its in-plane strains are given in `mean_strain`.

    Args:
        psi: an energy, or a list of them.
        strain: eps_pre as 1, 3, 6 or 3 x 3 numbers, a `PerCell` of these, or a field such as `Dislocations` [1].

    Raises:
        ConfigError: psi is an energy of finite strain, whose strains do not add.
    """

    psi: AbstractFreeEnergy = eqx.field(converter=summed)
    strain: Any = eqx.field(converter=_strain)

    def __check_init__(self):
        if self.psi.finite:
            raise ConfigError(
                f"Strained: {type(self.psi).__name__} is an energy of finite strain, whose strains do not add. Give it "
                "a `swelling` with another c_ref."
            )

    def __call__(self, s: Local) -> Scalar:
        if isinstance(self.strain, AbstractStrainField):
            strain = self.strain(s.x)
        else:
            strain = as_sym(self.strain)
        return self.psi(s.replace(H=s.H - Tensor(*(e for row in strain.rows() for e in row))))
