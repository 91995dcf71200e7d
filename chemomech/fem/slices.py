"""Sums over all cells, taken slice by slice so that what is held at the quadrature points stays small.

A slice of a problem is a problem: the same terms on fewer cells. There are two kinds, and a kernel sees neither:
chunks, which one device takes in turn, and parts, which several devices take at the same time (`partition.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from .assembly import Term

T = TypeVar("T")
ACROSS = {"sum": jax.lax.psum, "max": jax.lax.pmax, "min": jax.lax.pmin}


class Slicing(NamedTuple):
    """How the cells at hand are taken."""

    chunks: int = 1
    axis: str | None = None  # of the devices that hold the parts; None: a single one holds all cells


class Whole(Protocol):
    """What can be taken slice by slice."""

    slicing: Slicing

    def window(self, k: Int[Array, ""]) -> Any:
        """The k-th chunk."""
        ...


def over_chunks(whole: Whole, kernel: Callable[[Any, T], T], total: T) -> T:
    """kernel(chunk, total) for one chunk after the other; the kernel adds to the total, and is compiled once."""
    if whole.slicing.chunks == 1:
        return kernel(whole, total)
    total = jax.tree.map(jnp.asarray, total)
    return jax.lax.fori_loop(0, whole.slicing.chunks, lambda k, total: kernel(whole.window(k), total), total)


def summed(whole: Whole, function: Callable[[Any], Array]) -> Array:
    """Sum of function(chunk) over all cells; its reverse pass too holds one chunk at a time."""
    if whole.slicing.chunks == 1:
        return across(whole, function(whole))

    @jax.checkpoint
    def one(k, whole):
        return function(whole.window(k))

    numbers = jnp.arange(whole.slicing.chunks)
    zero = jnp.zeros(())
    return across(whole, jax.lax.scan(lambda total, k: (total + one(k, whole), None), zero, numbers)[0])


def across(whole: Whole, value: T, how: str = "sum") -> T:
    """The sum (or "max", "min") of what the devices found for their parts."""
    return value if whole.slicing.axis is None else ACROSS[how](value, whole.slicing.axis)


def over_slices(whole: Whole, kernel: Callable[[Any, T], T], start: T, how: str = "sum") -> T:
    """The same over all chunks of all parts; `start` is neutral: zero for sums."""
    return across(whole, over_chunks(whole, kernel, start), how)


def chunks(terms: tuple[Term, ...], budget: float | None) -> int:
    """Number of chunks for which what a kernel holds of the cells stays below a budget [byte]."""
    return max(1, int(-(-held(terms) // (default_budget() if budget is None else budget))))


def default_budget() -> float:
    """256 MB; half of that on the CPU [byte]

    With more, the C library there maps the memory of every call anew, and the residual of 91 k tetrahedra takes twice
    as long.
    """
    return 128e6 if jax.default_backend() == "cpu" else 256e6


def held(terms: tuple[Term, ...]) -> float:
    """What a kernel holds of all cells at once: slopes, varying entries, an element matrix for each pair [byte]."""
    numbers = 0
    for term in terms:
        points, cells = term.domain.weight.shape
        width = term.domain.dim + 1
        rows = 1 + max((max(key) for key, _ in term.entries), default=0)
        pairs = {(p // width, q // width) for (p, q), _ in term.entries}
        numbers += cells * (points * (2 * rows + len(term.varying)) + len(pairs) * term.domain.nodes.shape[0] ** 2)
    return 8.0 * numbers
