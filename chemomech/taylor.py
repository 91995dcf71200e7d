"""Taylor test: is a gradient that of a function?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from .derivatives import matching
from .errors import ChemomechError


class Taylor(eqx.Module):
    """What is left of a function along a line after its Taylor polynomials, and how fast that vanishes.

    Args:
        sizes: steps along the line, each half of the one before.
        remainders: |J(x + h d) - J(x)|, the same less h g.d, and with a Hessian less h^2/2 d.H.d as well.
        slope: g.d.
        difference: Richardson's central difference of the two largest steps.
    """

    sizes: Float[np.ndarray, " n"]
    remainders: Float[np.ndarray, "k n"]
    slope: float
    difference: float

    @property
    def orders(self) -> Float[np.ndarray, " k"]:
        """Of each remainder, over all steps: 1, 2 and 3 where value, gradient and Hessian are right."""
        first, last = self.remainders[:, 0], self.remainders[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(first / last) / np.log(self.sizes[0] / self.sizes[-1])

    @property
    def error(self) -> float:
        """Of the slope against the difference, relative."""
        return abs(self.slope - self.difference) / max(abs(self.difference), np.finfo(float).tiny)

    def __str__(self) -> str:
        head = f"slope {self.slope:.10g}, by differences {self.difference:.10g}, off by {self.error:.1e}"
        rows = [
            "  ".join(f"{v:.3e}" for v in (size, *rest))
            for size, rest in zip(self.sizes, self.remainders.T, strict=True)
        ]
        return "\n".join([head, *rows, "orders " + ", ".join(f"{order:.2f}" for order in self.orders)])


def taylor_test(
    function: Callable[[Any], Any], x: Any, gradient: Any, *, direction: Any = None, hessian: Any = None,
    size: float = 1e-4, levels: int = 3, seed: int = 0,
) -> Taylor:  # fmt: skip
    """Compare a gradient with a function along one line: |J(x + h d) - J(x) - h g.d| must fall as h^2.

    For a run, the function takes the steps of one solution again (`simulate(..., replay=solution.steps)`): under error
    control their lengths would follow the parameters, and the function would have jumps.

    Args:
        function: from x to a number.
        x: numbers and arrays, in any pytree; leaves that are not floating point stay as they are.
        gradient: of the function at x, with the structure of x (`eqx.filter_grad(function)(x)`).
        direction: d, with the structure of x; default: random, as large as each leaf.
        hessian: H d, with the structure of x, for the third order.
        size: h of the longest step.
        levels: how many steps, each half of the one before.
        seed: of the random direction.

    Raises:
        ChemomechError: the gradient or direction has another structure than x, or a value is not finite.
    """
    moving, fixed = eqx.partition(x, eqx.is_inexact_array_like)
    rng = np.random.default_rng(seed)
    if direction is None:
        direction = jax.tree.map(lambda v: rng.uniform(-1.0, 1.0, np.shape(v)) * np.asarray(v), moving)
    direction = matching(direction, moving, "direction")
    slope = _product(matching(gradient, moving, "gradient"), direction)

    def value(h: float) -> float:
        there = jax.tree.map(lambda v, d: v + h * d, moving, direction)
        found = float(function(eqx.combine(there, fixed)))
        if not np.isfinite(found):
            raise ChemomechError(
                f"The function is not finite a step of {h:g} along the direction: take a smaller size."
            )
        return found

    sizes = size * 0.5 ** np.arange(levels)
    start, ahead = value(0.0), np.array([value(h) for h in sizes])
    polynomials = [np.full(levels, start), start + sizes * slope]
    if hessian is not None:
        curvature = _product(matching(hessian, moving, "hessian"), direction)
        polynomials.append(polynomials[1] + 0.5 * sizes**2 * curvature)
    central = [(a - value(-h)) / (2 * h) for a, h in zip(ahead[:2], sizes[:2], strict=True)]
    difference = (4 * central[1] - central[0]) / 3
    return Taylor(sizes, np.abs(ahead - np.stack(polynomials)), slope, difference)


def _product(a: Any, b: Any) -> float:
    return float(sum(np.sum(np.asarray(v) * np.asarray(w)) for v, w in zip(*map(jax.tree.leaves, (a, b)), strict=True)))
