"""Compatibility of phases and variants: rank-one connections, twins, cofactor conditions, habit planes.

A stretch U maps the parent to a variant of the product. Twins Q U_J - U_I = a (x) n are found by two routes that
share nothing: `twin`, in closed form from the axis that relates the variants, and `interfaces`, from the eigenvalues
of what lies between two deformations; so is the fraction of a twin in a laminate that fits the parent:
`twin_fraction` in closed form, `twin_fraction_root` as the root of an eigenvalue.

Sources: Ball, James, Arch. Ration. Mech. Anal. 100 (1987) 13, doi:10.1007/BF00281246; Bhattacharya, Microstructure of
Martensite (2003); Chen, Srivastava, Dabade, James, J. Mech. Phys. Solids 61 (2013) 2566, arXiv:1307.5930.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .spectral import cofactor, determinant, eigensystem, inverse, safe_denominator, safe_sqrt, unit

DISTINCT = 1e-8  # relative: smaller differences between a variant and its image, or from zero, are round-off
EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Interface(eqx.Module):
    """Two solutions of Q B - A = a (x) n with a rotation Q: amplitudes a and unit normals n, row by row.

    mismatch: mu_2 - 1, the middle eigenvalue of A^-T B^T B A^-1 less one: the two deformations can meet at a plane
    where it vanishes; elsewhere a (x) n only leaves the smallest error.
    """

    a: Float[Array, "2 3"]
    n: Float[Array, "2 3"]
    mismatch: Float[Array, ""]


def interfaces(A: Float[Array, "3 3"], B: Float[Array, "3 3"]) -> Interface:
    """Planes at which the deformations A and B can meet, by the eigenvalues mu_1 <= mu_2 = 1 <= mu_3 between them.

    b = sqrt(mu_3 (1 - mu_1) / (mu_3 - mu_1)) e_1 +- sqrt(mu_1 (mu_3 - 1) / (mu_3 - mu_1)) e_3
    m = (sqrt(mu_3) - sqrt(mu_1)) / sqrt(mu_3 - mu_1) [-sqrt(1 - mu_1) e_1 +- sqrt(mu_3 - 1) e_3]
    with a = |A^T m| b and n = A^T m / |A^T m|. Equal deformations give a = 0.

    Source: Ball, James (1987), proposition 4.
    """
    between = B @ inverse(A)
    mu, e = eigensystem(between.T @ between)
    spread = safe_denominator(mu[2] - mu[0])
    low, high = safe_sqrt((1.0 - mu[0]) / spread), safe_sqrt((mu[2] - 1.0) / spread)
    root = safe_sqrt(mu)
    sign = jnp.asarray([1.0, -1.0])[:, None]
    b = root[2] * low * e[:, 0] + sign * root[0] * high * e[:, 2]
    m = (root[2] - root[0]) * (-low * e[:, 0] + sign * high * e[:, 2])
    normals = m @ A
    size = safe_sqrt(jnp.sum(normals**2, axis=1))
    return Interface(b * size[:, None], normals / safe_denominator(size)[:, None], mu[1] - 1.0)


def habit_of_variant(U: Float[Array, "3 3"]) -> Interface:
    """Planes at which one variant meets the undeformed parent, Q U - I = a (x) n; they exist where lambda_2 = 1."""
    return interfaces(jnp.asarray(EYE), U)


class Twin(eqx.Module):
    """One twin, Q U_J - U_I = a (x) n with |n| = 1 in the parent's axes.

    exists: whether the axis makes another variant at all; shear: amount of simple shear |a| |U_I^-1 n| [1].
    """

    a: Float[Array, "3"]
    n: Float[Array, "3"]
    shear: Float[Array, ""]
    exists: Bool[Array, ""]


def half_turn(axis: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """R = 2 e (x) e - I about the axis e."""
    e = unit(axis)
    return 2.0 * jnp.outer(e, e) - jnp.eye(3)


def variant(U: Float[Array, "3 3"], axis: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """U_J = R U R^T, the variant that half a turn of the parent about an axis makes of U."""
    R = half_turn(axis)
    return R @ U @ R.T


def twin(U: Float[Array, "3 3"], axis: Float[Array, "3"]) -> tuple[Twin, Twin]:
    """The twins of types I and II of a variant and its image by half a turn about e: Mallard's law.

    I:  n = e,  a = 2 (U^-1 e / |U^-1 e|^2 - U e)
    II: n = rho (e - U^2 e / |U e|^2) with |n| = 1,  a = 2 U e / rho
    Where the same variant is also made by another axis, the pair is compound and its planes belong to both types.

    Source: Bhattacharya (2003), on Mallard's law.
    """
    e = unit(axis)
    back, image = inverse(U) @ e, U @ e
    first = 2.0 * (back / safe_denominator(back @ back) - image)
    raw = e - (U @ image) / safe_denominator(image @ image)
    length = safe_sqrt(raw @ raw)
    exists = length > DISTINCT  # the tangent of the angle by which U^2 turns e
    normal = jnp.where(exists, raw / safe_denominator(length), e)
    return _twin(U, first, e, exists), _twin(U, 2.0 * length * image, normal, exists)


def _twin(U, a, n, exists) -> Twin:
    a = jnp.where(exists, a, 0.0)
    along = inverse(U) @ n
    return Twin(a, n, safe_sqrt(a @ a) * safe_sqrt(along @ along), exists)


def cofactor_conditions(U: Float[Array, "3 3"], a: Float[Array, "3"], n: Float[Array, "3"]) -> Float[Array, "3"]:
    """How far a variant and its twin are from laminates of every fraction that fit the parent: CC1, CC2, CC3 [1]

    CC1 = lambda_2 - 1 and CC2 = a . U cof(U^2 - I) n are to vanish,
    CC3 = tr U^2 - det U^2 - |a|^2 |n|^2 / 4 - 2 is not to be negative.

    Source: Chen, Srivastava, Dabade, James (2013); Ball, James (1987).
    """
    square = U @ U
    second = (U @ a) @ (cofactor(square - jnp.eye(3)) @ n)
    third = jnp.trace(square) - determinant(square) - 0.25 * (a @ a) * (n @ n) - 2.0
    return jnp.stack([eigensystem(U)[0][1] - 1.0, second, third])


def laminate(U: Float[Array, "3 3"], a: Float[Array, "3"], n: Float[Array, "3"], f) -> Float[Array, "3 3"]:
    """U + f a (x) n, the mean deformation of twins of which the fraction f is the other variant."""
    return U + f * jnp.outer(a, n)


def fit(U: Float[Array, "3 3"], a: Float[Array, "3"], n: Float[Array, "3"], f) -> Float[Array, ""]:
    """mu_2 - 1 of the laminate: its square stretch that is to be one where it meets the parent at a plane [1]."""
    mean = laminate(U, a, n, f)
    return eigensystem(mean.T @ mean)[0][1] - 1.0


class Fraction(eqx.Module):
    """The smaller fraction f of the twin, 1 - f being the other, and whether it exists; f = 0 where it does not."""

    f: Float[Array, ""]
    exists: Bool[Array, ""]


def twin_fraction(U: Float[Array, "3 3"], a: Float[Array, "3"], n: Float[Array, "3"]) -> Fraction:
    """The fraction of a twin in the laminate that meets the parent at a plane, in closed form.

    f = 1/2 [1 - sqrt(1 + 2/delta)],  delta = a . U (U^2 - I)^-1 n
    from det[(U + f n (x) a)(U + f a (x) n) - I] = det(U^2 - I) + 2 f (1 - f) a . U cof(U^2 - I) n = 0. Where both terms
    vanish, by the cofactor conditions, every fraction does; f = 0 is returned.

    Source: Ball, James (1987), theorem 7.
    """
    B = U @ U - jnp.eye(3)
    size = jnp.max(jnp.abs(B))
    alone, pair = determinant(B), (U @ a) @ (cofactor(B) @ n)
    single = jnp.abs(alone) <= DISTINCT * size**3  # one variant alone meets the parent
    usable = (jnp.abs(pair) > DISTINCT * size**2 * safe_sqrt(a @ a)) & ~single
    ratio = jnp.where(usable, 1.0 + 2.0 * alone / jnp.where(usable, pair, 1.0), -1.0)
    found = usable & (ratio >= 0.0) & (ratio <= 1.0)
    f = jnp.where(found, 0.5 * (1.0 - safe_sqrt(jnp.where(found, ratio, 1.0))), 0.0)
    exists = (found | single) & _straddles(laminate(U, a, n, f))
    return Fraction(jnp.where(exists, f, 0.0), exists)


def _straddles(mean: Float[Array, "3 3"]) -> Bool[Array, ""]:
    """Whether an eigenvalue one of C is the middle one: (mu_1 - 1)(mu_3 - 1) = det C - tr C + 2 <= 0."""
    C = mean.T @ mean
    return determinant(C) - jnp.trace(C) + 2.0 <= DISTINCT


def twin_fraction_root(U: Float[Array, "3 3"], a: Float[Array, "3"], n: Float[Array, "3"]) -> Fraction:
    """The same fraction as the root of `fit` between 0 and 1/2, by bisection; derivatives by the implicit function."""
    ends = fit(U, a, n, 0.0), fit(U, a, n, 0.5)
    exists = ends[0] * ends[1] <= 0.0

    def residual(f):
        return jnp.where(exists, fit(U, a, n, f), f)

    def bisected(residual, f):
        def halved(_, bracket):
            low, high = bracket
            middle = 0.5 * (low + high)
            left = residual(middle) * ends[0] <= 0.0
            return jnp.where(left, low, middle), jnp.where(left, middle, high)

        low, high = jax.lax.fori_loop(0, 54, halved, (f, jnp.full_like(f, 0.5)))
        return jnp.where(exists, 0.5 * (low + high), 0.0)

    def tangent(linear, y):
        return y / safe_denominator(linear(jnp.ones_like(y)))

    return Fraction(jax.lax.custom_root(residual, jnp.zeros_like(ends[0]), bisected, tangent), exists)


def habit_planes(U: Float[Array, "3 3"], a: Float[Array, "3"], n: Float[Array, "3"], f) -> Interface:
    """Planes at which the laminate of fraction f meets the parent: Q (U + f a (x) n) - I = b (x) m."""
    return interfaces(jnp.asarray(EYE), laminate(U, a, n, f))


class TwinSystems(eqx.Module):
    """All twins of a variant that its parent's twofold axes make, types I and II, with what they can do.

    Rows are axes, columns types; `exists` marks the true ones. conditions: CC1, CC2, CC3. f: fraction of the twin in
    the laminate that fits the parent, where `fits`; m, b: normals and amplitudes of its habit planes, two for f.
    """

    a: Float[Array, "9 2 3"]
    n: Float[Array, "9 2 3"]
    shear: Float[Array, "9 2"]
    exists: Bool[Array, "9 2"]
    conditions: Float[Array, "9 2 3"]
    f: Float[Array, "9 2"]
    fits: Bool[Array, "9 2"]
    b: Float[Array, "9 2 2 3"]
    m: Float[Array, "9 2 2 3"]

    @property
    def cofactor_distance(self) -> Float[Array, "9 2"]:
        """|CC1| + |CC2| + max(-CC3, 0): zero where the cofactor conditions hold; infinite for what is no twin [1]."""
        cc = self.conditions
        size = jnp.abs(cc[..., 0]) + jnp.abs(cc[..., 1]) + jnp.maximum(-cc[..., 2], 0.0)
        return jnp.where(self.exists, size, jnp.inf)


def twin_systems(U: Float[Array, "3 3"], axes: Float[Array, "k 3"]) -> TwinSystems:
    """Every twin of one variant and its images by half turns of the parent.

    Args:
        U: stretch of the variant, from `transformation`.
        axes: unit vectors of the parent's twofold axes, from `directions`; a zero vector is none.
    """

    def of(axis):
        both = twin(U, axis)
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(_system(U, t) for t in both))

    return jax.vmap(of)(axes)


def _system(U, t: Twin) -> TwinSystems:
    fraction = twin_fraction(U, t.a, t.n)
    habit = habit_planes(U, t.a, t.n, fraction.f)
    conditions = cofactor_conditions(U, t.a, t.n)
    fits = fraction.exists & t.exists
    return TwinSystems(t.a, t.n, t.shear, t.exists, conditions, fraction.f, fits, habit.a, habit.n)
