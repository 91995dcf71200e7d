"""The Cahn-Hilliard block as two scalar solves: pointwise roots, and the share of a negative curvature.

With constant coefficients a M + dt m K and kappa K + f M factorise exactly into (K + g)(K + g_hat); here the roots are
taken node by node. All coefficients are per site density: mobility and reaction carry the time step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Float

Nodal = Float[Array, " n"]
FLOOR = 1e-3  # of the largest mobility: where less moves, the roots are those of this
STORED = 0.1  # least a + dt r f+: where a reaction feeds itself faster than that, the step is beyond its growth time
SHORT = 0.1  # what leaves a node by diffusion in a step, over what it stores: where less does, facets are left alone
LEAST = 1e-14  # gradient energy, scaled: without one the roots are those of this, g = f and gamma = 1/f


class Coefficients(NamedTuple):
    """What the Cahn-Hilliard block depends on, at each node."""

    mobility: Nodal  # dt m
    reaction: Nodal  # dt r, rate of the reaction on cells
    curvature: Nodal  # f = d2psi/dc2 with the strain of the softest plane wave relaxed
    kappa: Nodal
    relief: Float[Array, ""] | float = 0.0  # what the strain of that wave has taken off f
    storage: Nodal | float = 1.0  # a = 1 + dt ds/dc, s the rate of the reaction on cells at a fixed mu
    facets: Nodal | float = 0.0  # dt r of the reaction on facets, a facet's mass over a cell's
    facet_storage: Nodal | float = 0.0  # dt ds/dc of the same


class Roots(NamedTuple):
    """The larger-or-nearer root g that c's solve takes, and gamma, the mass coefficient of mu's solve."""

    g: Nodal
    gamma: Nodal


def roots(k: Coefficients, xp: Any) -> Roots:
    """g + g_hat = f+ + rho, g g_hat = f+ rho + q, rho = r kappa/m, q = a kappa/(dt m); complex ones by their modulus.

    gamma = dt m g_hat/kappa - dt r. A reaction off equilibrium may have a < 0: the product is held positive, not a.
    """
    kappa = xp.maximum(k.kappa, LEAST)
    m = xp.maximum(k.mobility, FLOOR * xp.max(k.mobility) + 1e-9 * xp.mean(kappa))
    f = xp.maximum(k.curvature, 0.0)
    rho, product = k.reaction * kappa / m, xp.maximum(k.reaction * f + k.storage, STORED) * kappa / m
    half = 0.5 * (f + rho)
    square = half**2 - product
    larger = half + xp.sqrt(xp.maximum(square, 0.0))
    smaller = product / xp.where(larger > 0.0, larger, 1.0)
    real = square >= 0.0
    modulus = xp.sqrt(product)
    first = f >= rho
    g = xp.where(real, xp.where(first, larger, smaller), modulus)
    other = xp.where(real, xp.where(first, smaller, larger), modulus)
    return Roots(g, m * other / kappa - k.reaction)


def shifted(g: Nodal, curvature: Nodal, lowest: Any, xp: Any) -> Nodal:
    """The mass coefficient of c's solve: g, and where f < 0 as much of f as keeps the solve, not each point, definite.

    Args:
        g: root at f+ = max(f, 0).
        curvature: f.
        lowest: least eigenvalue of kappa K + f M against M; near zero at an equilibrated interface.
        xp: array namespace.
    """
    least = xp.minimum(xp.min(curvature), -1e-300)
    theta = 1.0 - xp.clip(lowest / least, 0.0, 1.0)
    margin = xp.maximum(0.0, xp.maximum(-1.3 * theta * lowest, 0.01 * theta * -least))
    return xp.where(curvature < 0.0, xp.maximum(g, margin) + theta * curvature, g)


def on_facets(slope: Nodal, k: Coefficients, gamma: Nodal, diagonal: Nodal, xp: Any) -> Nodal:
    """The slope of mu = z - slope c, with one Jacobi step on what facets leave of it, S c - F slope c.

    F = dt r and S = dt ds/dc of their reaction. Where it is fast, mu follows c as it does at equilibrium: the slope is
    S/F. In steps too short for diffusion to leave a node, a jump of the slope from the surface to the next node costs
    more than it gains, and the slope stays.

    Args:
        slope: g - f, where only cells react.
        k: with F and S.
        gamma: the mass coefficient of mu's matrix, less the reaction on cells.
        diagonal: of that matrix, over the mass.
        xp: array namespace.
    """
    stored = xp.maximum(gamma + k.reaction, 0.0)
    moved = xp.maximum(diagonal - stored - k.facets, 0.0)
    share = moved / xp.maximum(moved + SHORT * stored, LEAST) / diagonal
    return slope + share * (k.facet_storage - k.facets * slope)
