"""Coherency strain energy of a composition wave, from second derivatives of the free energy."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, Host, Local
from ..tensors import Tensor, Vector, inverse_form

_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class Curvatures(eqx.Module):
    """Second derivatives of psi at a uniform, stress-free state.

    cc: d2psi/dc2 at fixed strain; coupling: d2psi/dc deps (3 x 3); stiffness: C_ijkl; kappa: d2psi/d(grad c)2.
    """

    cc: Float[Array, ""]  # [J/m^3]
    coupling: Float[Array, "3 3"]  # [Pa]
    stiffness: Float[Array, "3 3 3 3"]  # [Pa]
    kappa: Float[Array, "3 3"]  # [J/m]


@eqx.filter_jit
def curvatures(psi: AbstractFreeEnergy, c: Float[Array, ""] | float, host: Host) -> Curvatures:
    """All second derivatives of a free energy at composition c and no stress, by differentiating it twice."""
    H0 = stress_free(psi, c, host)

    def energy(v):
        return _uniform(psi, host, v[0], v[1:4], v[4:].reshape(3, 3))

    hessian = jax.hessian(energy)(jnp.concatenate([jnp.asarray([c], dtype=float), jnp.zeros(3), H0.ravel()]))
    coupling = hessian[0, 4:].reshape(3, 3)
    stiffness = hessian[4:, 4:].reshape(3, 3, 3, 3)
    return Curvatures(hessian[0, 0], coupling, stiffness, hessian[1:4, 1:4])


def stress_free(psi: AbstractFreeEnergy, c: Float[Array, ""] | float, host: Host) -> Float[Array, "3 3"]:
    """The displacement gradient that a free body takes at uniform composition c (one Newton step: psi is quadratic)."""

    def energy(H):
        return _uniform(psi, host, jnp.asarray(c, float), jnp.zeros(3), H.reshape(3, 3))

    zero = jnp.zeros(9)
    return -(jnp.linalg.pinv(jax.hessian(energy)(zero), hermitian=True) @ jax.grad(energy)(zero)).reshape(3, 3)


def _uniform(psi, host, c, grad_c, H):
    values = {"c": c, "grad_c": Vector(*grad_c), "H": Tensor(*(H[i, j] for i in range(3) for j in range(3)))}
    zero = jnp.zeros(())
    return psi(Local(values, host, Vector(zero, zero, zero), zero, zero))


def acoustic(stiffness: Float[Array, "3 3 3 3"], n: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """The Christoffel tensor n . C . n [Pa]."""
    return jnp.einsum("ijkl,j,l->ik", stiffness, n, n)


def relaxed_curvature(k: Curvatures, n: Float[Array, "3"]) -> Float[Array, ""]:
    """d2psi/dc2 of a plane composition wave with normal n, its strain relaxed:  f'' + B(n) [J/m^3]

    B(n) = eps0:C:eps0 - (s0 n) . (n C n)^-1 (s0 n), with s0 = C:eps0.
    Source: Khachaturyan, Theory of Structural Transformations in Solids (1983).
    """
    force = k.coupling @ n
    A = acoustic(k.stiffness, n)
    singular = jnp.trace(A) == 0
    safe = jnp.where(singular, jnp.eye(3), A)
    return k.cc - jnp.where(singular, 0.0, inverse_form(safe, force))


def coherency_modulus(psi: AbstractFreeEnergy, n, host: Host, c: float = 0.5) -> Float[Array, ""]:
    """B(n), twice the strain energy of a composition wave per square of its amplitude [J/m^3].

    Args:
        psi: the elastic part of the energy (any other part would add its own curvature).
        n: normal of the wave, any length.
        host: shared constants.
        c: composition, which matters when the stiffness or misfit are not linear in c.
    """
    n = jnp.asarray(n, dtype=float)
    return relaxed_curvature(curvatures(psi, c, host), n / jnp.linalg.norm(n))


def normals(dim: int, count: int = 181) -> Float[np.ndarray, "k 3"]:
    """Unit normals over a half circle (waves in a plane) or a half sphere (solids)."""
    angle = np.linspace(0.0, np.pi, count)
    if dim == 2:
        return np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    polar = np.linspace(0.0, np.pi / 2, count // 2 + 1)
    a, p = (v.ravel() for v in np.meshgrid(angle, polar))
    return np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], axis=1)


@eqx.filter_jit
def softest(k: Curvatures, directions: Float[Array, "k 3"]) -> tuple[Float[Array, ""], Float[Array, "3"]]:
    """The least relaxed curvature f'' + B(n) over the given normals, and the normal [J/m^3]."""
    values = jax.vmap(lambda n: relaxed_curvature(k, n))(directions)
    best = jnp.argmin(values)
    return values[best], directions[best]
