"""What is measured on one state: lithium, current, energies and the largest stresses, in one pass over the cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .fem import assembly
from .fem.assembly import Term
from .fem.domain import Domain
from .fem.slices import across, over_chunks, over_slices
from .physics.transport import Amount, Storage
from .problem import Packed, Problem, booked, expand, no_energy, stored, stress_at_points
from .tensors import Vector


class Measures(NamedTuple):
    """Scalars of one state, in SI."""

    mean: float  # lithium over sites [1]
    c_min: float
    c_max: float
    current: float  # insertion current [A]
    energies: dict[str, float]  # [J]
    principal: float  # largest principal stress [Pa]
    von_mises: float  # largest von Mises stress [Pa]


# --- kernels: pure functions of (problem, arrays), in scaled numbers ------------------------------------------------


def content(problem: Problem, Z: Float[Array, "fields n"]) -> Float[Array, ""]:
    """Integral of c_max c over all cells."""
    return over_slices(problem, lambda part, total: total + _content(part, Z), jnp.zeros(()))


def current(problem: Problem, x: Float[Array, " N"]) -> Float[Array, ""]:
    """dL/dV per time: the reaction current."""
    now = expand(problem, x)
    return over_slices(problem, lambda part, total: total + _current(part, now), jnp.zeros(()))


def measures(problem: Problem, x: Float[Array, " N"]) -> dict[str, Any]:
    """Everything that `Measures` holds, in scaled numbers."""
    now = expand(problem, x)
    zero, lowest = jnp.zeros(()), jnp.asarray(-jnp.inf)
    stressed = _stressed(problem)
    c = now[0][problem.fields.index("c")] if "c" in problem.fields else None

    def add(part, total):
        (energies, lithium, I), peaks = total
        for term, params in zip(part.terms, part.parameters(), strict=True):
            densities, stress = stored(part, term, params, now)
            energies = booked(energies, term, params, densities)
            if stressed == 1 and stress is not None:
                largest = _largest(stress, term.domain.weight > 0)  # not of padding
                peaks = jax.tree.map(jnp.maximum, peaks, largest)
        lithium = lithium if c is None else lithium + _content(part, now[0])
        return (energies, lithium, I + _current(part, now)), peaks

    start = (no_energy(problem), zero, zero), (lowest, zero) if stressed else (zero, zero)
    sums, peaks = over_chunks(problem, add, start)
    if stressed > 1:  # parts of the stress add up before they are compared
        peaks = _largest(stress_at_points(problem, now))
    energies, lithium, I = across(problem, sums, "sum")
    principal, von_mises = across(problem, peaks, "max")
    return {
        "energies": energies, "content": lithium, "current": I, "principal": principal, "von_mises": von_mises,
        "c_min": zero if c is None else jnp.min(c), "c_max": zero if c is None else jnp.max(c),
    }  # fmt: skip


def _stressed(problem: Problem) -> int:
    """How many terms have a stress."""
    members = [m for term, m in zip(problem.terms, problem.members, strict=True) if term.domain.normal is None]
    holding = [m for m in members if any(problem.potentials[k].stored() for k in m)]
    return len(holding) if "u.x" in problem.fields else 0


def _content(part: Problem, Z: Float[Array, "fields n"]) -> Float[Array, ""]:
    k = part.fields.index("c")
    held = (jnp.sum(weight * c_max * domain.at_points(Z)[k][0]) for domain, weight, c_max in _volumes(part))
    return sum(held, jnp.zeros(()))


def _volumes(part: Problem) -> Iterator[tuple[Domain, Array, Array]]:
    """Domains that hold lithium, their volume weights and site densities; one term covers each cell once."""
    for term, member, params in zip(part.terms, part.members, part.parameters(), strict=True):
        if any(isinstance(part.potentials[k], Storage | Amount) for k in member):
            weight = term.domain.weight * params[2].weight(Vector(*term.domain.x))
            yield term.domain, weight, params[1].c_max


def _current(part: Problem, now: Packed) -> Float[Array, ""]:
    """By the terms that know the voltage."""
    if "V" not in part.scalars:
        return jnp.zeros(())
    pairs: list[tuple[Term, Any]] = [
        (term, params) for term, params in zip(part.terms, part.parameters(), strict=True)
        if any("V" in p.scalars() for p in params[0])
    ]  # fmt: skip
    terms, parameters = zip(*pairs, strict=True)

    def potential(s):
        return assembly.potential(terms, parameters, (now[0], s), now, now, now, jnp.zeros(()), jnp.ones(()))

    return jax.grad(potential)(now[1])[part.scalars.index("V")]


def _largest(stress, counted: Any = True) -> tuple[Array, Array]:
    """Largest principal and von Mises stress."""
    xx, yy, zz, yz, xz, xy = stress
    von_mises = jnp.sqrt(0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * (yz**2 + xz**2 + xy**2))
    principal = jnp.where(counted, _largest_principal(xx, yy, zz, yz, xz, xy), -jnp.inf)
    return jnp.max(principal), jnp.max(jnp.where(counted, von_mises, 0.0))


def _largest_principal(xx, yy, zz, yz, xz, xy):
    """Largest eigenvalue of a symmetric tensor by the trigonometric formula."""
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    J2 = 0.5 * (a**2 + b**2 + c**2) + yz**2 + xz**2 + xy**2
    J3 = a * (b * c - yz**2) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    radius = jnp.sqrt(jnp.maximum(J2, 1e-300) / 3)
    cosine = jnp.clip(J3 / jnp.maximum(2 * radius**3, 1e-300), -1.0, 1.0)
    return mean + 2 * radius * jnp.cos(jnp.arccos(cosine) / 3)
