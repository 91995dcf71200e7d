"""An energy of three wells, for what more than one gap does."""

import chemomech as cm


class ThreeWells(cm.AbstractFreeEnergy):
    """c^2 (c - 1/2)^2 (c - 1)^2 times height, with the middle well raised."""

    height: float = cm.param("J/m^3")
    raised: float = cm.param("J/m^3")

    def __call__(self, s):
        c = s.c
        return self.height * (c * (c - 0.5) * (c - 1.0)) ** 2 + self.raised * (1 - 4 * (c - 0.5) ** 2)
