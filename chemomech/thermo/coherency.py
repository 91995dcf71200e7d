"""Coherency strain energy of a composition wave, from second derivatives of the free energy; its softest direction."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..density import AbstractFreeEnergy, Host, Local
from ..tensors import Sym, Tensor, Vector, inverse_form
from . import landscape, phase_diagram, roots
from .relaxed import Layer, check_direction

DIRECTIONS = 200  # normals that are looked at before Newton's steps: about 9 degrees apart
STARTS = 3  # the softest among them, from which Newton's steps start
APART = 0.87  # cosine of the angle between starts, at most
SWOLLEN = 8  # Newton's steps to the free shape at finite strain: a volume that grows fourfold takes five
PREFERRED = (1.0, 0.37, 0.13)  # of equally soft normals, such as mirror images, the one that faces this way most


class Curvatures(eqx.Module):
    """Second derivatives of psi at a uniform, stress-free state.

    cc: d2psi/dc2 at fixed strain, inf from the ends of an open domain on; coupling: d2psi/dc deps (3 x 3); stiffness:
    C_ijkl; kappa: d2psi/d(grad c)2.
    """

    cc: Float[Array, ""]  # [J/m^3]
    coupling: Float[Array, "3 3"]  # [Pa]
    stiffness: Float[Array, "3 3 3 3"]  # [Pa]
    kappa: Float[Array, "3 3"]  # [J/m]


def curvatures(psi: AbstractFreeEnergy, c: Float[Array, ""] | float, host: Host) -> Curvatures:
    """All second derivatives of a free energy at composition c and no stress, by differentiating it twice.

    Raises:
        ConfigError: the composition or a parameter of the energy is NaN.
    """
    landscape.require_number(c, "c", "1")
    landscape.require_numbers(psi)
    return _curvatures(psi, c, host)


@eqx.filter_jit
def _curvatures(psi, c, host):
    H0 = stress_free(psi, c, host)

    def energy(v):
        return uniform_energy(psi, host, v[0], v[1:4], v[4:].reshape(3, 3))

    hessian = jax.hessian(energy)(jnp.concatenate([jnp.asarray([c], dtype=float), jnp.zeros(3), H0.ravel()]))
    coupling = hessian[0, 4:].reshape(3, 3)
    stiffness = hessian[4:, 4:].reshape(3, 3, 3, 3)
    cc = landscape.with_ends(psi, jnp.asarray(c, dtype=float), hessian[0, 0], jnp.inf)
    return Curvatures(cc, coupling, stiffness, hessian[1:4, 1:4])


def stress_free(psi: AbstractFreeEnergy, c: Float[Array, ""] | float, host: Host) -> Float[Array, "3 3"]:
    """The displacement gradient that a free body takes at uniform composition c, without a rotation.

    One Newton step, or `SWOLLEN` of them for an energy of finite strain.
    """

    def energy(e):
        return uniform_energy(psi, host, jnp.asarray(c, float), jnp.zeros(3), symmetric_tensor(e))

    def stepped(_, e):
        K = jax.hessian(energy)(e)
        idle = jnp.trace(K) == 0  # an energy without strain: the body keeps its shape
        load = jnp.where(idle, 0.0, jax.grad(energy)(e))
        return e - jnp.linalg.solve(jnp.where(idle, jnp.eye(6), K), load)

    first = stepped(0, jnp.zeros(6))
    return symmetric_tensor(jax.lax.fori_loop(1, SWOLLEN, stepped, first) if psi.finite else first)


_stress_free = landscape.compiled(stress_free)


def symmetric_tensor(e: Float[Array, "6"]) -> Float[Array, "3 3"]:
    """The tensor of components xx, yy, zz, yz, xz, xy."""
    return jnp.stack([e[jnp.array(row)] for row in ((0, 5, 4), (5, 1, 3), (4, 3, 2))])


def uniform_energy(
    psi: AbstractFreeEnergy, host: Host, c: Float[Array, ""], grad_c: Float[Array, "3"], H: Float[Array, "3 3"]
) -> Float[Array, ""]:
    """psi at one composition, its gradient, and one displacement gradient [J/m^3]."""
    values = {"c": c, "grad_c": Vector(*grad_c), "H": Tensor(*(H[i, j] for i in range(3) for j in range(3)))}
    zero = jnp.zeros(())
    return psi(Local(values, host, Vector(zero, zero, zero), zero, zero))


def acoustic(stiffness: Float[Array, "3 3 3 3"], n: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """The Christoffel tensor n . C . n [Pa]."""
    return jnp.stack([jnp.stack(row) for row in _acoustic(stiffness, n).rows()])


def _acoustic(C, n) -> Sym:
    """The same by its components, which XLA evaluates for many directions in one loop, five times as fast."""
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    together = {(j, l): n[j] * n[l] for j, l in pairs}

    def component(i, k):
        once = {(j, l): C[i, j, k, l] if j == l else C[i, j, k, l] + C[i, l, k, j] for j, l in pairs}
        return sum(once[pair] * together[pair] for pair in pairs)

    return Sym(*(component(i, k) for i, k in pairs))


def relaxed_curvature(k: Curvatures, n: Float[Array, "3"]) -> Float[Array, ""]:
    """d2psi/dc2 of a plane composition wave with normal n, its strain relaxed:  f'' + B(n) [J/m^3]

    B(n) = eps0:C:eps0 - (s0 n) . (n C n)^-1 (s0 n), with s0 = C:eps0.
    Source: Khachaturyan, Theory of Structural Transformations in Solids (1983).
    """
    force = [sum(k.coupling[i, j] * n[j] for j in range(3)) for i in range(3)]
    A = _acoustic(k.stiffness, n)
    singular = A.trace == 0
    safe = A + Sym(*(jnp.where(singular, one, 0.0) for one in (1.0, 1.0, 1.0, 0.0, 0.0, 0.0)))
    return k.cc - jnp.where(singular, 0.0, inverse_form(safe.rows(), force))


def plane_stress_curvature(k: Curvatures, n: Float[Array, "3"]) -> Float[Array, ""]:
    """The same in a thin sheet normal to z, whose strains zz, yz and xz are free, for a normal in its plane [J/m^3]

    B = E eta^2 of an isotropic body with misfit eta, where a solid has 2 E eta^2/(1 - nu).

    Args:
        k: second derivatives of the energy of a solid, not of one whose strains out of the plane are relaxed already.
        n: unit normal; its part out of the plane does not count.
    """
    x, y, z = jnp.eye(3)
    strains = jnp.stack([jnp.outer(a, b) for a, b in ((x, n), (y, n), (x, z), (y, z), (z, z))])
    force = jnp.einsum("aij,ij->a", strains, k.coupling)
    K = jnp.einsum("aij,ijkl,bkl->ab", strains, k.stiffness, strains)
    idle = jnp.trace(K) == 0
    return k.cc - jnp.where(idle, 0.0, force @ jnp.linalg.solve(jnp.where(idle, jnp.eye(5), K), force))


def coherency_modulus(psi: AbstractFreeEnergy, n, host: Host, c: float = 0.5) -> Float[Array, ""]:
    """B(n), twice the strain energy of a composition wave per square of its amplitude [J/m^3].

    Args:
        psi: the elastic part of the energy (any other part would add its own curvature).
        n: normal of the wave, any length.
        host: shared constants.
        c: composition, which matters when the stiffness or misfit are not linear in c.

    Raises:
        ConfigError: the normal has no direction.
    """
    n = jnp.asarray(n, dtype=float)
    check_direction(n, "n")
    return relaxed_curvature(curvatures(psi, jnp.asarray(c, dtype=float), host), n / jnp.linalg.norm(n))


def normals(dim: int, count: int = 181) -> Float[np.ndarray, "k 3"]:
    """Unit normals over a half circle (waves in a plane) or a half sphere (solids)."""
    angle = np.linspace(0.0, np.pi, count)
    if dim == 2:
        return np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    polar = np.linspace(0.0, np.pi / 2, count // 2 + 1)
    a, p = (v.ravel() for v in np.meshgrid(angle, polar))
    return np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], axis=1)


@eqx.filter_jit
def softest(
    k: Curvatures, directions: Float[Array, "k 3"], sheet: bool = False
) -> tuple[Float[Array, ""], Float[Array, "3"]]:
    """The least relaxed curvature f'' + B(n) over the given normals, of a solid or a sheet; and the normal [J/m^3]."""
    curvature = plane_stress_curvature if sheet else relaxed_curvature
    values = jax.vmap(lambda n: curvature(k, n))(directions)
    best = jnp.argmin(values)
    return values[best], directions[best]


# --- the softest of all directions, as a differentiable function of the material ---


class Softest(eqx.Module):
    """The direction in which a composition wave costs least.

    modulus: B(n) [J/m^3]; normal: unit vector in crystal axes; degenerate: B does not change to second order along some
    direction around the normal (every direction of an isotropic body), so that the normal is one of many and its
    derivative along them is set to 0.
    """

    modulus: Float[Array, ""]
    normal: Float[Array, "3"]
    degenerate: Bool[Array, ""]


def spread_normals(count: int = DIRECTIONS) -> Float[np.ndarray, "k 3"]:
    """Unit normals evenly over a half sphere, on a spiral with the golden angle."""
    z = 1.0 - (np.arange(count) + 0.5) / count
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    rim = np.sqrt(1.0 - z**2)
    return np.stack([rim * np.cos(turn), rim * np.sin(turn), z], axis=1)


@eqx.filter_jit
def softest_normal(k: Curvatures, count: int = DIRECTIONS) -> Softest:
    """The least relaxed curvature f'' + B(n) over all directions, and its normal.

    The softest of `count` directions, 30 degrees apart, each followed by Newton's steps on the sphere. Of equal minima
    the one that faces `PREFERRED` most is returned. `excess` certifies the result by a dense scan. Where B
    rises only with the fourth power of the angle, it is found to about 1e-8 of its largest value.

    Args:
        k: second derivatives; those of the elastic part alone give B(n).
        count: directions that are looked at first.
    """
    directions = spread_normals(count)
    values = jax.vmap(lambda n: relaxed_curvature(k, n))(jnp.asarray(directions))
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(values)))
    size = jnp.where(size > 0, size, 1.0)
    left, grid, starts = values, jnp.asarray(directions), []
    for _ in range(STARTS):
        starts.append(grid[jnp.argmin(left)])
        left = jnp.where(jnp.abs(grid @ starts[-1]) > APART, jnp.inf, left)
    normals = jax.vmap(lambda n: _stationary(k, n, size))(jnp.stack(starts))
    found = jax.vmap(lambda n: relaxed_curvature(k, n))(normals)
    facing = normals @ jnp.array(PREFERRED)
    equal = found <= jnp.min(found) + 1e-9 * size
    best = jnp.argmax(jnp.where(equal, jnp.abs(facing), -1.0))
    n = normals[best] * jnp.where(facing[best] < 0, -1.0, 1.0)
    (a, b), (_, d) = jax.jacfwd(jax.jacfwd(_around(k, jax.lax.stop_gradient(n), size)))(jnp.zeros(2))
    least = 0.5 * (a + d - jnp.hypot(a - d, 2.0 * b))
    return Softest(found[best], n, jax.lax.stop_gradient(least) < 1e-6)


@eqx.filter_jit
def excess(k: Curvatures, softest: Softest, count: int = 361) -> Float[Array, ""]:
    """How far a dense scan of the half sphere stays above the softest direction [J/m^3]; below 0 it was missed."""
    return jnp.min(jax.vmap(lambda n: relaxed_curvature(k, n))(normals(3, count))) - softest.modulus


def _around(k: Curvatures, n: Float[Array, "3"], size):
    """B over `size` at a point of the plane that touches the sphere in n."""
    return lambda x: relaxed_curvature(k, _turned(n, x)) / size


def _turned(n: Float[Array, "3"], x: Float[Array, "2"]) -> Float[Array, "3"]:
    """The direction of a point of the plane that touches the sphere in n."""
    first = _unit(jnp.cross(n, jnp.eye(3)[jnp.argmin(jnp.abs(n))]))
    return _unit(n + x[0] * first + x[1] * jnp.cross(n, first))


def _unit(n: Float[Array, "3"]) -> Float[Array, "3"]:
    return n / jnp.sqrt(jnp.sum(n**2))


def _stationary(k: Curvatures, n: Float[Array, "3"], size) -> Float[Array, "3"]:
    """The direction next to n at which B is stationary."""
    reach = 0.5 * jnp.ones(2)
    B = _around(k, n, size)
    return _turned(n, roots.newton(lambda x: roots.linearised(B, x)[1], jnp.zeros(2), -reach, reach, iterations=6))


# --- phases that stay coherent ---


def coherent(
    psi: AbstractFreeEnergy, normal: Float[Array, "3"], host: Host, c: Float[Array, ""] | float = 0.5
) -> Layer:
    """The energy of composition of coherent lamellae with a given normal, in a body of mean composition c

    f(c) + B(n)/2 (c - c_mean)^2 where the misfit is linear and the stiffness uniform; `phase_diagram` gives from it the
    coherent spinodal and binodal, `interface` the coherent interface.

    Args:
        psi: stored energy, chemical and elastic.
        normal: of the lamellae, in crystal axes.
        host: shared constants.
        c: mean composition, whose stress-free strain the plane of the lamellae keeps [1].
    """
    return Layer(psi, normal, _stress_free(psi, c, host))


def effective_interaction(psi: AbstractFreeEnergy, host: Host) -> Float[Array, ""]:
    """chi of the regular solution with the same least curvature; of a coherent energy chi - B/(2 R T c_max) [1]."""
    return 2.0 - 0.5 * phase_diagram.stability_margin(psi, host)
