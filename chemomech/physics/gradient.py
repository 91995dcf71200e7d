"""Gradient (interface) energy."""

from __future__ import annotations

from typing import Any, ClassVar

from ..density import AbstractFreeEnergy, Local, Scalar
from ..errors import ConfigError, UnitError
from ..tensors import mul
from ..units import has_dimension, param, parse
from .anisotropy import as_tensor, quadratic_form, require_semidefinite

MOLAR = "J*m^2/mol"


class GradientEnergy(AbstractFreeEnergy):
    """psi = 1/2 grad c . kappa grad c

    Args:
        kappa: gradient coefficient, a number, 3 principal values or a 3 x 3 tensor, in [J/m] or, as text, in
            [J*m^2/mol] (then times c_max); plain numbers are [J/m].
        kappa_molar: the same in [J*m^2/mol] for plain numbers and per-cell values.

    Raises:
        UnitError: kappa has another dimension.
        ConfigError: not exactly one of the two is given, or it is negative.
    """

    name: ClassVar[str] = "gradient"
    kappa: Any = param("J/m", default=None, doc="gradient coefficient")
    kappa_molar: Any = param(MOLAR, default=None, doc="gradient coefficient per mole")

    def __init__(self, kappa: Any = None, kappa_molar: Any = None):
        if (kappa is None) == (kappa_molar is None):
            raise ConfigError("GradientEnergy needs exactly one of kappa [J/m] and kappa_molar [J*m^2/mol].")
        text = _first_text(kappa)
        if text is not None and has_dimension(text, MOLAR):
            kappa, kappa_molar = None, kappa
        elif text is not None and not has_dimension(text, "J/m"):
            raise UnitError(f'GradientEnergy.kappa = "{text}": expected a quantity in J/m or in {MOLAR}.')
        self.kappa = as_tensor(parse(kappa, "J/m", name="GradientEnergy.kappa"))
        self.kappa_molar = as_tensor(parse(kappa_molar, MOLAR, name="GradientEnergy.kappa"))

    def __check_init__(self):
        require_semidefinite(self.kappa, "GradientEnergy.kappa", "J/m")
        require_semidefinite(self.kappa_molar, "GradientEnergy.kappa", MOLAR)

    def __call__(self, s: Local) -> Scalar:
        if self.kappa is None:
            return mul(s.host.c_max, quadratic_form(self.kappa_molar, s.grad_c))
        return quadratic_form(self.kappa, s.grad_c)


def _first_text(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return next((text for item in value if (text := _first_text(item)) is not None), None)
    return value if isinstance(value, str) else None
