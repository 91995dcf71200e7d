"""A problem's arrays where they are computed with, and calls of compiled functions on them.

On several devices each holds the cells of its part of the mesh; nodal vectors and matrix values are the same on all.
A kernel is written for one device: what it adds up over its cells, `slices.across` adds up over the devices.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh as Devices
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Int

from .density import PerCell
from .errors import ChemomechError
from .fem.domain import Domain
from .fem.partition import partition
from .fem.slices import Slicing, chunks
from .problem import Problem, compiled

AXIS = "parts"


class Kernels:
    """Calls functions of (problem, *arguments), compiled once for all problems of the same structure.

    Args:
        problem: what they are functions of.
        budget: what one may hold at quadrature points and in element matrices, on each device; default:
            `slices.default_budget()` [byte].
        devices: default: the first one alone. All processes of `jax.distributed` make the same calls.

    Raises:
        ChemomechError: there are more devices than cells.
    """

    def __init__(self, problem: Problem, budget: float | None = None, devices: Sequence[Any] | None = None):
        self._devices: Devices | None = None
        if devices is None or len(devices) < 2:
            leaves, self._structure = jax.tree.flatten(problem.kernel(budget))
            self._leaves = [strong(leaf) for leaf in leaves]
            return
        if len(devices) > len(problem.mesh.cells):
            raise ChemomechError(f"{len(devices)} devices cannot share {len(problem.mesh.cells)} cells. Use fewer.")
        self._devices = Devices(np.array(devices), (AXIS,))
        part = partition(problem.mesh, len(devices))
        whole = problem.kernel(budget)
        parts = [share(whole, part == k, _room(whole, part)) for k in range(len(devices))]
        slicing = Slicing(chunks(parts[0].terms, budget), AXIS)
        leaves, self._structure = jax.tree.flatten(dataclasses.replace(parts[0], slicing=slicing))
        held = [jax.tree.leaves(p) for p in parts]
        self._split = tuple(a is not b for a, b in zip(leaves, jax.tree.leaves(whole), strict=True))
        self._leaves = [
            self._put(np.stack([np.asarray(own[k]) for own in held]) if split else np.asarray(leaf), split)
            for k, (leaf, split) in enumerate(zip(leaves, self._split, strict=True))
        ]

    def __call__(self, function: Callable, *args: Any) -> Any:
        """function(problem, *args)"""
        return self.compiled(function)(self._leaves, *jax.tree.map(strong, args))

    def compiled(self, function: Callable) -> Callable:
        """The compiled function of (leaves, *args)."""
        if self._devices is None:
            return compiled(function, self._structure)
        return _compiled_across(function, self._structure, self._devices, self._split)

    def memory(self, function: Callable, *args: Any) -> Any:
        """XLA's account of what the function needs on one device, `temp_size_in_bytes` and others."""
        return self.compiled(function).lower(self._leaves, *args).compile().memory_analysis()

    def _put(self, value: np.ndarray, split: bool) -> Any:
        sharding = NamedSharding(self._devices, PartitionSpec(AXIS) if split else PartitionSpec())
        return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def strong(value: Any) -> Any:
    """A number with a type of its own: a program is compiled again where some have one and others (weak) have not."""
    if type(value) is float:
        return np.float64(value)
    return jnp.asarray(value, value.dtype) if getattr(value, "weak_type", False) else value


@functools.lru_cache(maxsize=128)
def _compiled_across(function: Callable, structure: Any, devices: Devices, split: tuple[bool, ...]) -> Callable:
    """The same on several devices: each sees its own cells, all return the same result."""

    def local(leaves, args):
        own = [leaf[0] if s else leaf for leaf, s in zip(leaves, split, strict=True)]
        return function(jax.tree.unflatten(structure, own), *args)

    whole = PartitionSpec()
    specs = ([PartitionSpec(AXIS) if s else whole for s in split], whole)
    spread = jax.shard_map(local, mesh=devices, in_specs=specs, out_specs=whole, check_vma=False)
    return jax.jit(lambda leaves, *args: spread(leaves, args))


def share(problem: Problem, mine: np.ndarray, room: tuple[int, ...]) -> Problem:
    """The problem on some of its cells, padded with cells of weight zero to the sizes of the largest part.

    Args:
        problem: a kernel.
        mine: which cells.
        room: number of cells, then of each term's.
    """
    cells = np.flatnonzero(mine)
    number = np.zeros(len(mine), np.int32)
    number[cells] = np.arange(len(cells))
    padded = np.append(cells, np.full(room[0] - len(cells), cells[-1]))

    def own(leaf):
        return PerCell(leaf.values[padded]) if isinstance(leaf, PerCell) else leaf

    terms = tuple(
        eqx.tree_at(lambda t: t.domain, term, _shared(term.domain, mine, number, size))
        for term, size in zip(problem.terms, room[1:], strict=True)
    )
    materials = jax.tree.map(
        own, (problem.potentials, problem.host, problem.kinematics), is_leaf=lambda v: isinstance(v, PerCell)
    )
    return eqx.tree_at(
        lambda p: (p.terms, p.pattern.node_pair, p.potentials, p.host, p.kinematics), problem,
        (terms, problem.pattern.node_pair[:, :, padded], *materials),
    )  # fmt: skip


def _shared(domain: Domain, mine: np.ndarray, number: Int[np.ndarray, " cells"], size: int) -> Domain:
    cell = np.asarray(domain.cell)
    here = np.flatnonzero(mine[cell])
    padded = np.append(here, np.full(size - len(here), here[-1] if len(here) else 0))
    cut = jax.tree.map(lambda v: v[..., padded] if v.shape[-1] == len(cell) else v, domain)
    weight = jnp.where(jnp.arange(size) < len(here), cut.weight, 0.0)
    return eqx.tree_at(lambda d: (d.weight, d.cell), cut, (weight, jnp.asarray(number[cell[padded]])))


def _room(problem: Problem, part: Int[np.ndarray, " cells"]) -> tuple[int, ...]:
    owners = (part, *(part[np.asarray(term.domain.cell)] for term in problem.terms))
    return tuple(int(np.bincount(owner, minlength=1).max()) for owner in owners)
