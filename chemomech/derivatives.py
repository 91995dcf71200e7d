"""Derivatives of any function of a run: along a direction, of second order, and gradients at many points.

What JAX's own functions do for arrays, these do for problems, states and whatever else holds numbers and other things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .errors import ChemomechError


def directional_derivative(function: Callable[[Any], Any], x: Any, direction: Any) -> tuple[Any, Any]:
    """The function at x and its derivative along a direction,  df/dx . d,  forwards: one tangent-linear run.

    The cheaper way to the derivatives of many results by one number, such as a Jacobian of few columns.

    Args:
        function: from x to numbers and arrays, in any pytree.
        x: numbers and arrays, in any pytree; leaves that are not floating point stay as they are.
        direction: with the structure of x.

    Raises:
        ChemomechError: the direction has another structure than x.
    """
    moving, of = _parted(function, x)
    return jax.jvp(of, (moving,), (_floats(matching(direction, moving, "direction")),))


def hessian_vector_product(function: Callable[[Any], Any], x: Any, direction: Any) -> tuple[Any, Any]:
    """The gradient at x and the Hessian times a direction,  (g, H d),  forward over reverse.

    What Newton's methods ask for (`hessp` of `scipy.optimize.minimize`), and a Laplace approximation.

    Args:
        function: from x to a number.
        x: numbers and arrays, in any pytree; leaves that are not floating point stay as they are.
        direction: with the structure of x.

    Raises:
        ChemomechError: the direction has another structure than x.
    """
    moving, of = _parted(function, x)
    return jax.jvp(jax.grad(of), (moving,), (_floats(matching(direction, moving, "direction")),))


def gradients(function: Callable[[Any], Any], points: Sequence[Any]) -> tuple[Any, Any]:
    """Values and gradients at several points, one after the other, each with one more axis in front.

    Args:
        function: from x to a number.
        points: several x of one structure; a row of an array is one too.

    Raises:
        ChemomechError: there is no point, or two have different structures.
    """
    if len(points) == 0:
        raise ChemomechError("`points` is empty. Give one x at least.")
    values, slopes = [], []
    for k, x in enumerate(points):
        moving, of = _parted(function, x)
        value, slope = jax.value_and_grad(of)(moving)
        values.append(value)
        slopes.append(matching(slope, slopes[0], f"point {k}") if slopes else slope)
    return jnp.stack(values), jax.tree.map(lambda *parts: jnp.stack(parts), *slopes)


def matching(tree: Any, moving: Any, name: str) -> Any:
    """The leaves of a tree where x has some.

    Raises:
        ChemomechError: they have another structure or other shapes.
    """
    wanted, structure = jax.tree.flatten(moving)
    try:
        given = structure.flatten_up_to(tree)
        if all(jnp.shape(a) == jnp.shape(b) for a, b in zip(given, wanted, strict=True)):
            return jax.tree.unflatten(structure, given)
    except (ValueError, TypeError):
        pass
    raise ChemomechError(f"The {name} must have the structure and shapes of x.")


def _parted(function: Callable[[Any], Any], x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The leaves of x that can move, and the function of them."""
    moving, fixed = eqx.partition(x, eqx.is_inexact_array_like)
    return _floats(moving), lambda moving: function(eqx.combine(moving, fixed))


def _floats(tree: Any) -> Any:
    return jax.tree.map(lambda v: jnp.asarray(v, float), tree)
