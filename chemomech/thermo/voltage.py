"""What a phase diagram means for a voltage: plateaus, the open-circuit curve, hysteresis without any current."""

from __future__ import annotations

import jax

from ..density import AbstractFreeEnergy, Host, Scalar
from ..units import quantities
from . import landscape
from .phase_diagram import Gaps, Span, Spinodals, spinodals, stable_potential


@quantities(V0="V")
def plateaus(known: Gaps, host: Host, V0: Scalar = 0.0) -> Scalar:
    """V = V0 - mu/F of every gap [V]; entries that are no gaps have the voltage at which one would open.

    Args:
        known: from `phase_diagram.gaps`.
        host: shared constants.
        V0: voltage at mu = 0 [V].
    """
    return V0 - known.mu / host.faraday


@quantities(V0="V")
def homogeneous(psi: AbstractFreeEnergy, host: Host, c: Scalar, V0: Scalar = 0.0) -> Scalar:
    """V of a body that stays uniform, stable or not [V]; infinite at the ends of an open domain."""
    return V0 - landscape.potential(psi, host, c) / host.faraday


@quantities(V0="V")
def open_circuit(psi: AbstractFreeEnergy, host: Host, known: Gaps, c: Scalar, V0: Scalar = 0.0) -> Scalar:
    """V of the stable state at mean composition c: flat inside a gap [V]."""
    return V0 - stable_potential(psi, host, known, c) / host.faraday


def hysteresis(psi: AbstractFreeEnergy, host: Host, span: Span = None) -> Scalar:
    """Largest gap between charge and discharge of uniform particles at vanishing current, by interval [V]

    [mu(c_s) - mu(c_s')]/F over each unstable interval: insertion follows the poor phase to its spinodal, extraction the
    rich one. Zero where there is no such interval.

    Source: Dreyer et al., Nature Mater. 9 (2010) 448, doi:10.1038/nmat2730.
    """
    return hysteresis_over(psi, host, spinodals(psi, host, span))


def hysteresis_over(psi: AbstractFreeEnergy, host: Host, unstable: Spinodals) -> Scalar:
    """The same for known spinodals [V]."""
    mu = jax.vmap(lambda c: landscape.potential(psi, host, c))
    return (mu(unstable.low) - mu(unstable.high)) / host.faraday
