"""What is measured on one state: lithium, current, energies and the largest stresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .errors import ChemomechError
from .fem import assembly
from .fem.assembly import Term
from .fem.domain import Domain, over_cells
from .fem.slices import across, over_chunks, over_slices
from .physics.transport import Amount, Storage
from .problem import (
    CURVATURES,
    Packed,
    Problem,
    State,
    densities_and_stress,
    expand,
    has_stress,
    ledger,
    no_energy,
    restrict,
    stress_at_points,
    with_energies,
)
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


class Reaction(eqx.Module):
    """The force or moment behind a global scalar, for `observe`: the stored energy's derivative by it, per length

    Of "axial" the force along the body [N], of "curvature" and "twist" moments [N m], of "strain_zz" and the like the
    energy per strain [J]. Of "fixed_3", where constraint 3 is a `Fixed` whose value is a `Course`, the sum of the
    forces along it on its nodes [N]; where it has values and a factor, the work per factor [J].

    Args:
        scalar: its name among `problem.scalars`.
    """

    scalar: str = eqx.field(static=True)

    def __call__(self, problem: Problem, state: State) -> Float[Array, ""]:
        """Of a state in SI.

        Raises:
            ChemomechError: the problem has no such scalar.
        """
        if self.scalar not in problem.scalars:
            known = ", ".join(problem.scalars) or "none"
            raise ChemomechError(f"Reaction: '{self.scalar}' is no global scalar of the problem; it has {known}.")
        k, here = problem.scalars.index(self.scalar), restrict(problem, problem.pack(state))
        place = problem.lift.size + k

        def stored(s):
            return sum(ledger(problem, expand(problem, here.at[place].set(s))).values(), jnp.zeros(()))

        force = jax.grad(stored)(here[place]) * problem.load_scale(self.scalar)
        along = self.scalar == "axial" or self.scalar in CURVATURES
        return force / problem.length if along else force


def whole_mesh(problem: Problem) -> Domain:
    """Quadrature over all cells, in the problem's scaled lengths and with its degree."""
    mesh = problem.mesh
    points = jnp.asarray(mesh.points / problem.scales.length)
    return over_cells(mesh, points, np.arange(len(mesh.cells)), problem.degree)


def volumes(problem: Problem, domain: Domain) -> Float[Array, "q e"]:
    """The volume, or area of facets, that each point stands for, with thickness or revolution, in scaled lengths."""
    width = problem.scales.apply(problem.kinematics).weight(Vector(*domain.x))
    return jnp.broadcast_to(domain.weight * width, domain.x.shape[1:])


# --- kernels: pure functions of (problem, arrays), in scaled numbers ------------------------------------------------


def content(problem: Problem, Z: Float[Array, "fields n"]) -> Float[Array, ""]:
    """Integral of c_max c over all cells."""
    return over_slices(problem, lambda part, total: total + _content(part, Z), jnp.zeros(()))


def concentration_moments(problem: Problem, now: Packed) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Averages of c and of c^2 over the sites [1]"""

    def held(part):
        found = [(c_max * weight, domain.at_points(now[0][c][None])[0][0]) for domain, weight, c_max in _volumes(part)]
        sums = [jnp.stack([jnp.sum(w * values**n) for n in range(3)]) for w, values in found]
        return sum(sums, jnp.zeros(3))

    c = problem.fields.index("c")
    sites, first, second = over_slices(problem, lambda part, total: total + held(part), jnp.zeros(3))
    return first / sites, second / sites


def current(problem: Problem, x: Float[Array, " N"]) -> Float[Array, ""]:
    """dL/dV per time: the reaction current."""
    now = expand(problem, x)
    return over_slices(problem, lambda part, total: total + _current(part, now), jnp.zeros(()))


def measures(problem: Problem, x: Float[Array, " N"]) -> dict[str, Any]:
    """Everything that `Measures` holds, in scaled numbers."""
    now = expand(problem, x)
    zero = jnp.zeros(())
    c = now[0][problem.fields.index("c")] if "c" in problem.fields else jnp.zeros(1)
    strained = strained_terms(problem)

    def add(part, total):
        (energies, lithium, I), peaks = total
        for term, params in zip(part.terms, part.parameters(), strict=True):
            densities, stress = densities_and_stress(part, term, params, now)
            energies = with_energies(energies, term, params, densities)
            if len(strained) == 1 and stress is not None:
                peaks = jax.tree.map(jnp.maximum, peaks, _largest(stress, term.domain.weight > 0))  # not of padding
        return (energies, lithium + _content(part, now[0]), I + _current(part, now)), peaks

    least = (jnp.asarray(-jnp.inf), zero) if strained else (zero, zero)
    sums, peaks = over_chunks(problem, add, ((no_energy(problem), zero, zero), least))
    if len(strained) > 1:  # their parts of the stress add up before they are compared
        peaks = _largest(stress_at_points(problem, now), _covered(problem, strained))
    energies, lithium, I = across(problem, sums, "sum")
    principal, von_mises = across(problem, peaks, "max")
    return {
        "energies": energies, "content": lithium, "current": I, "principal": principal, "von_mises": von_mises,
        "c_min": jnp.min(c), "c_max": jnp.max(c),
    }  # fmt: skip


def smooth(problem: Problem, x: Float[Array, " N"]) -> dict[str, Float[Array, ""]]:
    """The differentiable part of a history's row, in SI: soc, voltage, current, energies, mu_mean; capacity [C]."""
    now, scales = expand(problem, x), problem.scales
    out = {f"{name}_energy": v * scales.of("J") for name, v in ledger(problem, now).items()}
    out["free_energy"] = sum(out.values(), jnp.zeros(()))
    if holds_lithium(problem):
        sites = content(problem, jnp.ones_like(now[0]))
        out |= {"soc": content(problem, now[0]) / sites, "capacity": sites * problem.host.faraday * scales.of("mol")}
    if "V" in problem.scalars:
        out["voltage"] = now[1][problem.scalars.index("V")] * scales.of("V")
        out["current"] = current(problem, x) * scales.of("A")
    if "mu_mean" in problem.scalars:
        out["mu_mean"] = now[1][problem.scalars.index("mu_mean")] * scales.of("J/mol")
    return out


def holds_lithium(problem: Problem) -> bool:
    """Whether there is lithium to count."""
    return any(isinstance(p, Storage | Amount) for p in problem.potentials)


def strained_terms(problem: Problem) -> list[Term]:
    """The terms that have a stress."""
    pairs = zip(problem.terms, problem.members, strict=True)
    return [term for term, member in pairs if has_stress(problem, term, [problem.potentials[k] for k in member])]


def _covered(problem: Problem, terms: list[Term]) -> Bool[Array, " cells"]:
    """Which of the cells at hand belong to one of the terms, and are no padding."""
    out = jnp.zeros(problem.pattern.node_pair.shape[2], bool)
    for term in terms:
        out = out.at[term.domain.cell].max(jnp.any(term.domain.weight > 0, axis=0))
    return out


def _content(part: Problem, Z: Float[Array, "fields n"]) -> Float[Array, ""]:
    if "c" not in part.fields:
        return jnp.zeros(())
    c = Z[part.fields.index("c")]
    held = (jnp.sum(weight * c_max * domain.at_points(c[None])[0][0]) for domain, weight, c_max in _volumes(part))
    return sum(held, jnp.zeros(()))


def _volumes(part: Problem) -> Iterator[tuple[Domain, Array, Array]]:
    """Domains that hold lithium, their volume weights and site densities; one term covers each cell once."""
    for term, member, params in zip(part.terms, part.members, part.parameters(), strict=True):
        if any(isinstance(part.potentials[k], Storage | Amount) for k in member):
            weight = term.domain.weight * params[2].weight(Vector(*term.domain.x))
            yield term.domain, weight, params[1].c_max


def _current(part: Problem, now: Packed) -> Float[Array, ""]:
    if "V" not in part.scalars:
        return jnp.zeros(())

    def potential(s):
        given = (part.terms, part.parameters(), (now[0], s), now, now, now)
        return assembly.potential(*given, jnp.zeros(()), jnp.ones(()))

    return jax.grad(potential)(now[1])[part.scalars.index("V")]


def _largest(stress, counted: Bool[Array, "..."]) -> tuple[Array, Array]:
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
