"""Inverse design of lattices: the smallest change of their parameters that makes two phases compatible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..errors import ConfigError, SolveError
from .compatibility import Twin, cofactor_conditions, twin
from .correspondence import Transformation, transformation
from .lattice import RIGHT, Lattice
from .spectral import safe_denominator, safe_sqrt
from .symmetry import directions, twofold_axes

ITERATIONS = 200
STEP = 0.1  # the most by which a logarithm of a length, or an angle, changes at once
CONVERGED = 1e-13
GRAIN = 1e-15
MET = 1e-10  # largest residual of a target that is met
SHEARED = 1e-4  # a twin with less shear is none
VARIED = ("product", "parent", "both")
Target = Callable[[Transformation, Lattice], Float[Array, " m"]]


def middle_stretch(change: Transformation, parent: Lattice) -> Float[Array, "1"]:
    """lambda_2 - 1: an interface without twins."""
    return change.stretches[1:2] - 1.0


def kept_volume(change: Transformation, parent: Lattice) -> Float[Array, "1"]:
    """det U - 1: no change of volume."""
    return change.volume_ratio[None] - 1.0


class CofactorConditions(eqx.Module):
    """CC1 and CC2 of one twin: laminates of every fraction that fit, provided CC3 >= 0.

    Args:
        axis: twofold axis of the parent in terms of its cell's vectors, from `twofold_axes`.
        kind: 1 or 2, type of the twin.
    """

    axis: Float[Array, "3"]
    kind: Any = 1

    def twin(self, change: Transformation, parent: Lattice) -> Twin:
        """The twin of this axis and type."""
        both = twin(change.U, directions(parent, self.axis[None])[0])
        return jax.tree.map(lambda first, second: jnp.where(self.kind == 1, first, second), *both)

    def conditions(self, change: Transformation, parent: Lattice) -> Float[Array, "3"]:
        """CC1, CC2 and CC3."""
        t = self.twin(change, parent)
        return cofactor_conditions(change.U, t.a, t.n)

    def __call__(self, change: Transformation, parent: Lattice) -> Float[Array, "2"]:
        return self.conditions(change, parent)[:2]


class LatticeDesign(eqx.Module):
    """Lattices that meet a target, and how far they are from the given ones.

    changes: of ln a, ln b, ln c and of the angles [rad], parent first: (2, 6). size: their norm [1]. residual: what is
    left of the target.
    """

    parent: Lattice
    product: Lattice
    changes: Float[Array, "2 6"]
    size: Float[Array, ""]
    residual: Float[Array, " m"]
    converged: Bool[Array, ""]


def ties(lattice: Lattice, tolerance: float = 1e-6) -> Float[np.ndarray, "6 k"]:
    """Directions in (ln a, ln b, ln c, alpha, beta, gamma) that keep the symmetry which the numbers show.

    Equal lengths stay equal, angles of 90 and 120 degrees stay, other equal angles stay equal.

    Raises:
        ConfigError: of a batch, or of numbers that JAX traces: make the ties of the lattice before.
    """
    if isinstance(lattice.lengths, jax.core.Tracer) or lattice.lengths.ndim != 1:
        raise ConfigError("Ties are read off one lattice's numbers. Try: ties(lattice) before, given as `keep`.")
    lengths, angles = np.asarray(lattice.lengths), np.asarray(lattice.angles)
    fixed = [any(abs(a - special) < tolerance for special in (RIGHT, 2 * np.pi / 3)) for a in angles]
    columns = [np.append(group, np.zeros(3)) for group in _groups(lengths / lengths.max(), tolerance)]
    columns += [
        np.append(np.zeros(3), group) for group in _groups(angles, tolerance) if not fixed[int(np.argmax(group))]
    ]
    return np.stack(columns, axis=1)


def _groups(values: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """Which of three numbers are equal: one row of zeros and ones a group."""
    same = np.abs(values[:, None] - values[None, :]) < tolerance
    return [row for i, row in enumerate(same.astype(float)) if int(np.argmax(row)) == i]


def smallest_change(
    parent: Lattice,
    product: Lattice,
    matrix: Float[Array, "3 3"],
    target: Target = middle_stretch,
    *,
    vary: str = "product",
    keep: tuple[Any, Any] | None = None,
) -> LatticeDesign:
    """The nearest lattices that meet a target:  minimise 1/2 |x|^2 such that g(x) = 0

    with x the changes of the logarithms of lengths and of angles. Each step solves the problem with g made linear about
    the last; the solution is differentiable by the given lattices, by the implicit function theorem on
    x + J^T nu = 0, g(x) = 0. Its `converged` tells whether the target is met; `required` raises where it is not.

    Args:
        parent: lattice before.
        product: lattice after.
        matrix: from `correspondence`.
        target: what is to vanish: `middle_stretch`, `kept_volume`, `CofactorConditions` or one's own.
        vary: whose parameters change: product, parent or both.
        keep: directions (6, k) in which parent and product may change; None keeps their symmetry, by `ties`.

    Raises:
        ConfigError: `vary` is unknown.
    """
    return _design(parent, product, matrix, target, _directions(parent, product, vary, keep))


@eqx.filter_jit
def _design(parent, product, matrix, target: Target, move: np.ndarray) -> LatticeDesign:
    def changed(x):
        steps = (move @ x).reshape(2, 6)
        return _changed(parent, steps[0]), _changed(product, steps[1])

    def constraint(x):
        before, after = changed(x)
        return target(transformation(before, after, matrix), before)

    x = _nearest_root(constraint, move.shape[1])
    residual, steps = constraint(x), (move @ x).reshape(2, 6)
    met = jnp.max(jnp.abs(residual)) < MET
    before, after = changed(x)
    return LatticeDesign(before, after, steps, safe_sqrt(jnp.sum(steps**2)), residual, met)


def required(design: LatticeDesign) -> LatticeDesign:
    """The same design, if it meets its target.

    Raises:
        SolveError: it does not.
    """
    if not bool(jnp.all(design.converged)):
        left = float(jnp.max(jnp.abs(design.residual)))
        raise SolveError(
            f"No change of the lattice parameters that was tried meets the target: {left:.2g} is left. "
            "Try: fewer kept symmetries (keep=...), vary='both', or another twin."
        )
    return design


def _directions(parent, product, vary: str, keep) -> np.ndarray:
    """(12, k): how the twelve numbers of parent and product move with the unknowns, orthonormal columns."""
    if vary not in VARIED:
        raise ConfigError(f'vary is "{vary}". Try: one of {", ".join(VARIED)}.')
    free = (vary in ("parent", "both"), vary in ("product", "both"))
    given = keep or (None, None)
    blocks = []
    for which, lattice in enumerate((parent, product)):
        if free[which]:
            own = np.asarray(ties(lattice) if given[which] is None else given[which], dtype=float)
            blocks.append(np.concatenate([own, 0 * own] if which == 0 else [0 * own, own]))
    return np.linalg.qr(np.concatenate(blocks, axis=1))[0]


def _changed(lattice: Lattice, step: Float[Array, "6"]) -> Lattice:
    return Lattice(lattice.lengths * jnp.exp(step[:3]), lattice.angles + step[3:], lattice.centring)


def _nearest_root(g: Callable, size: int) -> Float[Array, " k"]:
    """x of least |x| with g(x) = 0, by steps to the nearest root of g made linear."""
    count = jax.eval_shape(g, jax.ShapeDtypeStruct((size,), jnp.result_type(float))).shape[0]

    def stationary(z):
        value, pull = jax.vjp(g, z[:size])
        return jnp.concatenate([z[:size] + pull(z[size:])[0], value])

    def multipliers(J, x, value):
        size = 1.0 / safe_denominator(safe_sqrt(jnp.sum(J**2, axis=1)))  # constraints of one scale
        J = J * size[:, None]
        return size * _eliminated(J @ J.T, size * value - J @ x)

    def with_value(x):
        value = g(x)
        return value, value

    def solve(_, z):
        def step(state):
            x, _, _, k = state
            J, value = jax.jacfwd(with_value, has_aux=True)(x)
            nu = multipliers(J, x, value)
            move = -J.T @ nu - x
            largest = jnp.max(jnp.abs(move))
            return x + move * (STEP / jnp.maximum(largest, STEP)), nu, largest, k + 1

        start = (z[:size], z[size:], jnp.full((), jnp.inf), 0)
        x, nu, _, _ = jax.lax.while_loop(lambda s: (s[2] > CONVERGED) & (s[3] < ITERATIONS), step, start)
        return jnp.concatenate([x, nu])

    def tangent(linear, y):
        return jnp.linalg.solve(jax.jacfwd(linear)(jnp.zeros_like(y)), y)

    return jax.lax.custom_root(stationary, jnp.zeros(size + count), solve, tangent)[:size]


def _eliminated(A: Float[Array, "m m"], b: Float[Array, " m"]) -> Float[Array, " m"]:
    """A^-1 b of a small symmetric positive matrix, of unit diagonal; a grain keeps it regular."""
    m = len(b)
    rows = jnp.concatenate([A + GRAIN * jnp.eye(m), b[:, None]], axis=1)
    for k in range(m):
        pivot = rows[k] / rows[k, k]
        rows = (rows - rows[:, k, None] * pivot).at[k].set(pivot)
    return rows[:, m]


def smallest_change_to_cofactor(
    parent: Lattice,
    product: Lattice,
    matrix: Float[Array, "3 3"],
    *,
    vary: str = "product",
    keep: tuple[Any, Any] | None = None,
) -> tuple[LatticeDesign, CofactorConditions]:
    """The nearest lattices that meet the cofactor conditions, over all twins of the parent's twofold axes.

    Args:
        parent: lattice before.
        product: lattice after.
        matrix: from `correspondence`.
        vary: see `smallest_change`.
        keep: see `smallest_change`.

    Raises:
        SolveError: no twin's conditions can be met but by no transformation at all, or by a twin without shear.
    """
    axes, found = twofold_axes(parent)
    count = int(jnp.sum(found))
    targets = CofactorConditions(jnp.repeat(axes[:count], 2, axis=0), jnp.tile(jnp.asarray([1, 2]), count))
    if count:
        designs, usable = _designs(parent, product, matrix, targets, _directions(parent, product, vary, keep))
        sizes = jnp.where(usable, designs.size, jnp.inf)
        best = int(jnp.argmin(sizes))
        if bool(usable[best]):
            return jax.tree.map(lambda leaf: leaf[best], (designs, targets))
    raise SolveError(
        "No twin of this transformation can meet the cofactor conditions by a change of the parameters that may vary. "
        "Try: fewer kept symmetries (keep=...), since variants of high symmetry meet them only where nothing "
        "transforms, or vary='both'."
    )


@eqx.filter_jit
def _designs(parent, product, matrix, targets: CofactorConditions, move) -> tuple[LatticeDesign, Bool[Array, " t"]]:
    """One design a twin, and which of them are of use."""

    def one(target):
        design = _design(parent, product, matrix, target, move)
        change = transformation(design.parent, design.product, matrix)
        third = target.conditions(change, design.parent)[2]
        return design, design.converged & (third > -1e-9) & (target.twin(change, design.parent).shear > SHEARED)

    return jax.vmap(one)(targets)
