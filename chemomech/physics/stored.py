"""Stored energy as a term of the incremental potential."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import equinox as eqx

from ..density import AbstractFreeEnergy, AbstractPotential, Local, Scalar


def summed(psi: AbstractFreeEnergy | Sequence[AbstractFreeEnergy]) -> AbstractFreeEnergy:
    """One energy of one or several."""
    return psi if isinstance(psi, AbstractFreeEnergy) else functools.reduce(operator.add, psi)


class Stored(AbstractPotential):
    """density = psi(now)

    Args:
        psi: a free energy [J/m^3], or a list of them, which are added.
        on: name of a cell set; None: every cell.
    """

    psi: AbstractFreeEnergy = eqx.field(converter=summed)
    on: str | None = eqx.field(static=True, default=None, kw_only=True)

    def density(self, now: Local, frozen: Local, rate: Local, prev: Local) -> Scalar:
        """psi(now) [J/m^3]"""
        return self.psi(now)

    def stored(self) -> tuple[AbstractFreeEnergy, ...]:
        """The parts of the energy."""
        return self.psi.terms()
