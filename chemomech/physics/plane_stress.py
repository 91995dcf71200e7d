"""Plane stress: the out-of-plane strains take the values that minimise the energy."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..density import AbstractFreeEnergy, Local, Scalar
from ..tensors import Tensor, add


class Relaxed(AbstractFreeEnergy):
    """psi at the strains eps_zz, eps_yz, eps_xz that minimise it, e* = e - K^-1 g

    One Newton step with the first and second derivatives g, K of the whole energy; exact for an energy that is
    quadratic in the strain.

    Args:
        psi: the whole energy, in three dimensions.
        part: the term of it that is evaluated at the relaxed strain; None: all of it.
    """

    psi: AbstractFreeEnergy
    part: AbstractFreeEnergy | None = None

    @property
    def name(self) -> str:
        """The reported part's column in the ledger."""
        return (self.psi if self.part is None else self.part).name

    @property
    def domain(self) -> tuple[float, float] | None:
        """The reported part's domain."""
        return (self.psi if self.part is None else self.part).domain

    def __call__(self, s: Local) -> Scalar:
        return (self.psi if self.part is None else self.part)(self.relaxed(s))

    def terms(self) -> tuple[AbstractFreeEnergy, ...]:
        """Each part at the relaxed strain of the whole."""
        return tuple(Relaxed(self.psi, term) for term in self.psi.terms())

    def relaxed(self, s: Local) -> Local:
        """The state with the out-of-plane strains of plane stress."""
        zero = jnp.zeros_like(self.psi(s))
        origin, one = (zero, zero, zero), jnp.ones_like(zero)

        def gradient(e):  # the energy is elementwise, so the gradient of the sum is that of every entry
            return jax.grad(lambda e: jnp.sum(self.psi(_strained(s, e))))(e)

        directions = ((one, zero, zero), (zero, one, zero), (zero, zero, one))
        columns = [jax.jvp(gradient, (origin,), (direction,))[1] for direction in directions]
        step = _solve_symmetric(columns, gradient(origin))
        return _strained(s, tuple(-e for e in step))


def _strained(s: Local, e: tuple[Scalar, Scalar, Scalar]) -> Local:
    zz, yz, xz = e
    return s.replace(H=s.H + Tensor(xz=xz, yz=yz, zx=xz, zy=yz, zz=zz))


def _solve_symmetric(K, g) -> tuple[Scalar, Scalar, Scalar]:
    """x of K x = g for a symmetric 3 x 3 matrix of components, by cofactors."""
    (a, b, c), (_, d, e), (_, _, f) = K
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    D, E, F = a * f - c * c, b * c - a * e, a * d - b * b
    det = add(a * A, b * B, c * C)
    return (
        (A * g[0] + B * g[1] + C * g[2]) / det,
        (B * g[0] + D * g[1] + E * g[2]) / det,
        (C * g[0] + E * g[1] + F * g[2]) / det,
    )
