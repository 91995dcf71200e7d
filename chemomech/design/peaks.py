"""Smooth maxima: of the stress in a body, and of any values."""

from __future__ import annotations

from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..adjoint import placed
from ..errors import ChemomechError
from ..fem.slices import over_slices, summed
from ..measures import strained_terms
from ..problem import Packed, Problem, State, densities_and_stress, stress_at_points
from ..tensors import Vector
from .spectral import tensile_power

Kind = Literal["principal", "von_mises", "hydrostatic"]


class StressPeak(eqx.Module):
    """A p-norm of the stress over the volume: a differentiable stand-in for its maximum [Pa].

        ((1/V) integral sum_i max(sigma_i, 0)^p dV)^(1/p)      principal: tensile, over the principal stresses sigma_i
        ((1/V) integral sigma_vM^p dV)^(1/p)                   von_mises
        ((1/V) integral max(tr(sigma)/3, 0)^p dV)^(1/p)        hydrostatic: tensile

    It grows with p to the maximum. A stress that fills a share s of the volume alone counts s^(1/p) of it.

    Args:
        of: which measure of stress.
        p: an even number; larger is sharper, and stiffer for an optimiser.

    To be given to `simulate(..., observe={"peak": StressPeak()})`, or called with a problem and a state.
    """

    of: Kind = eqx.field(static=True, default="principal")
    p: int = eqx.field(static=True, default=16)

    def __check_init__(self):
        if self.of not in get_args(Kind):
            raise ChemomechError(f"StressPeak has no measure '{self.of}'; use one of: {', '.join(get_args(Kind))}.")
        if self.p < 2 or self.p % 2 != 0:
            raise ChemomechError(f"StressPeak needs an even p of at least 2, not {self.p}.")

    def __call__(self, problem: Problem, state: State) -> Float[Array, ""]:
        """Of one state [Pa].

        Raises:
            ChemomechError: the problem has no stress.
        """
        if not strained_terms(problem):
            raise ChemomechError("This problem has no stress: give it a LinearElastic energy.")
        problem = placed(problem)
        now = problem.pack(state)
        return root_of_mean(problem, now, self.of, self.p) * problem.scales.of("Pa")


def root_of_mean(problem: Problem, now: Packed, of: Kind, p: int) -> Float[Array, ""]:
    """The p-norm, scaled."""
    if len(strained_terms(problem)) > 1:  # their parts of the stress add up first
        stress, weight = stress_at_points(problem, now), _weights(problem)
        largest = _size(stress, weight, of)
        unit = _unit(largest)
        total, volume = jnp.sum(weight * _power(stress / unit, of, p)), jnp.sum(weight)
    else:
        start = jnp.zeros(())
        still = jax.lax.stop_gradient(now)
        largest = over_slices(problem, lambda part, m: jnp.maximum(m, _size(*_stress(part, still), of)), start, "max")
        unit = _unit(largest)
        total = summed(problem, lambda part: _sum(part, now, unit, of, p))
        volume = summed(problem, lambda part: jnp.sum(_stress(part, still)[1]))
    some = total > 0
    return jnp.where(some, unit * (jnp.where(some, total, 1.0) / volume) ** (1.0 / p), 0.0)


def _sum(part: Problem, now: Packed, unit, of: Kind, p: int) -> Float[Array, ""]:
    stress, weight = _stress(part, now)
    return jnp.sum(weight * _power(stress / unit, of, p))


def _stress(part: Problem, now: Packed) -> tuple[Float[Array, "6 q cells"], Float[Array, "q cells"]]:
    """Of the one term that has a stress, and its volume weights."""
    (kept,) = strained_terms(part)
    for term, params in zip(part.terms, part.parameters(), strict=True):
        if term is kept:
            weight = term.domain.weight * params[2].weight(Vector(*term.domain.x))
            stress = jnp.stack(densities_and_stress(part, term, params, now)[1])
            return jnp.where(weight > 0, stress, 0.0), weight
    raise AssertionError("the term is one of them")


def _weights(problem: Problem) -> Float[Array, "q cells"]:
    """Volume weights of the cells that have a stress."""
    kept, pairs = strained_terms(problem), zip(problem.terms, problem.parameters(), strict=True)
    out = None
    for term, params in pairs:
        if any(term is other for other in kept):
            weight = term.domain.weight * params[2].weight(Vector(*term.domain.x))
            out = jnp.zeros((len(weight), problem.pattern.node_pair.shape[2])) if out is None else out
            out = out.at[:, term.domain.cell].max(weight)
    assert out is not None
    return out


def _size(stress, weight, of: Kind) -> Float[Array, ""]:
    """A bound of what the powers are taken of."""
    counted = jnp.where(weight > 0, jnp.abs(stress), 0.0)
    return jax.lax.stop_gradient(3.0 * jnp.max(counted)) if of != "hydrostatic" else jnp.max(counted)


def _unit(largest):
    return jax.lax.stop_gradient(jnp.where(largest > 0, largest, 1.0))


def _power(stress: Float[Array, "6 q cells"], of: Kind, p: int) -> Float[Array, "q cells"]:
    xx, yy, zz, yz, xz, xy = stress
    if of == "von_mises":
        square = 0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * (yz**2 + xz**2 + xy**2)
        return square ** (p // 2)
    if of == "hydrostatic":
        return jnp.maximum((xx + yy + zz) / 3, 0.0) ** p
    rows = [jnp.stack(row, axis=-1) for row in ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))]
    return tensile_power(p, jnp.stack(rows, axis=-2))


def smooth_maximum(values: Float[Array, " n"], p: int = 16, weights: Float[Array, " n"] | None = None) -> Any:
    """(mean of max(values, 0)^p)^(1/p): a differentiable stand-in for the largest of positive values.

    Args:
        values: such as a column of the history.
        p: larger is sharper.
        weights: of the mean; default: equal ones.
    """
    values = jnp.asarray(values)
    weights = jnp.ones_like(values) if weights is None else jnp.asarray(weights)
    largest = jax.lax.stop_gradient(jnp.max(values))
    unit = jnp.where(largest > 0, largest, 1.0)
    total = jnp.sum(weights * jnp.maximum(values / unit, 0.0) ** p) / jnp.sum(weights)
    some = total > 0
    return jnp.where(some, unit * jnp.where(some, total, 1.0) ** (1.0 / p), 0.0)


def soft_maximum(values: Float[Array, " n"], width: float, weights: Float[Array, " n"] | None = None) -> Any:
    """width log(mean of exp(values/width)): a differentiable stand-in for the largest of values of any sign.

    It lies between their mean and their maximum, by at most width log(n) below that for equal weights.

    Args:
        values: such as a column of the history.
        width: values closer than this count together, in their unit; smaller is sharper.
        weights: of the mean; default: equal ones.

    Raises:
        ChemomechError: the width is not positive.
    """
    if not width > 0:
        raise ChemomechError(f"soft_maximum needs a positive width, not {width}.")
    values = jnp.asarray(values)
    weights = jnp.ones_like(values) if weights is None else jnp.asarray(weights)
    return width * jax.nn.logsumexp(values / width, b=weights / jnp.sum(weights))
