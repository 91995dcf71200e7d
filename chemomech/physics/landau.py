"""Landau energy of a lattice that loses its symmetry: square to rectangle, the plane section of cubic to tetragonal."""

from __future__ import annotations

from typing import ClassVar

from ..density import AbstractFreeEnergy, Local, Scalar
from ..tensors import add, mul
from ..units import param
from . import checks


class SquareToRectangle(AbstractFreeEnergy):
    """psi = beta1(c) e2^2 + beta3 e2^4 + K (e1 - dilation e2^2)^2 + G e6^2,   beta1(c) = softening (c_lost - c)

    with e1 = (E_xx + E_yy)/sqrt(2), e2 = (E_xx - E_yy)/sqrt(2), e6 = sqrt(2) E_xy of the Green strain E, in crystal
    axes. Above c_lost the square is unstable and two rectangles, mirror images, have the least energy:
    e2^2 = -beta1/(2 beta3), psi = -beta1^2/(4 beta3). Strain out of the plane costs nothing: for plane problems.

    Args:
        K: resistance to a change of area [Pa].
        G: resistance to shear along the sides of the square [Pa].
        softening: fall of beta1 from c = 0 to c = 1 [J/m^3].
        beta3: keeps the rectangles finite [J/m^3].
        dilation: e1 that the rectangle takes without stress, over e2^2 [1].
        c_lost: composition above which the square is unstable [1].

    Raises:
        ConfigError: K, G or beta3 is not positive.

    Source: T. Zhang, D. Zhang, Renuka Balakrishna, arXiv:2309.01870; D. Zhang, Renuka Balakrishna, Acta Mater. (2023),
    arXiv:2206.14948.
    """

    name: ClassVar[str] = "elastic"
    finite: ClassVar[bool] = True
    K: Scalar = param("Pa", doc="resistance to a change of area")
    G: Scalar = param("Pa", doc="resistance to shear along the sides of the square")
    softening: Scalar = param("J/m^3", doc="fall of beta1 from c = 0 to c = 1")
    beta3: Scalar = param("J/m^3", doc="coefficient of the fourth power of the deviatoric strain")
    dilation: Scalar = param("1", default=0.0, doc="change of area over the square of the deviatoric strain")
    c_lost: Scalar = param("1", default=0.5, doc="composition above which the square is unstable")

    def __check_init__(self):
        checks.positive(self.K, "SquareToRectangle.K", "Pa")
        checks.positive(self.G, "SquareToRectangle.G", "Pa")
        checks.positive(self.beta3, "SquareToRectangle.beta3", "J/m^3")

    def __call__(self, s: Local) -> Scalar:
        E = s.H.green
        e1, e2, e6 = 0.5**0.5 * add(E.xx, E.yy), 0.5**0.5 * add(E.xx, mul(-1.0, E.yy)), mul(2.0**0.5, E.xy)
        square = e2**2
        beta1 = self.softening * (self.c_lost - s.c)
        return (beta1 + self.beta3 * square) * square + self.K * (e1 - self.dilation * square) ** 2 + self.G * e6**2
