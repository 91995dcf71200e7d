"""A run as an operation that JAX differentiates: forward, in reverse, and forward over reverse.

A run is a loop in Python that compiles its steps. JAX meets it as a primitive: its derivative is another one (the
tangent-linear loop), linear in the tangents, whose transpose is a third (the adjoint loop), whose derivative is the
fourth. All are evaluated at once, never compiled: `jax.jit` and `jax.vmap` of a run are refused, `jax.vmap` of its
derivatives (`jax.jacfwd`, `jax.jacrev`, `jax.hessian`) takes one direction after the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching
from jaxtyping import Array, Float

from .adjoint import NO_TRANSFORMATION, Inputs, Mask, Tape, is_traced, mask_of, reverse
from .errors import ChemomechError
from .problem import Problem
from .tangent_linear import Direction, linearised

try:
    from jax._src.util import weakref_cache_key_types
except ImportError:  # another JAX: what is differentiated stays in its cache until `jax.clear_caches()`
    weakref_cache_key_types: set[type] = set()


class Arguments(NamedTuple):
    """What a run may be differentiated with respect to."""

    problem: Problem
    start: Float[Array, " N"]  # reduced unknowns
    loads: Sequence[Float[Array, ""]] = ()  # current [A] or voltage [V] of each segment
    stops: Sequence[dict[str, Float[Array, ""]]] = ()  # values of the stop events of each segment, currents in [A]


def differentiated(run: Callable[[Problem, Any], Tape], arguments: Arguments) -> tuple[dict[str, Any], Tape]:
    """The outputs of a run, which derivatives go through, and its tape.

    Args:
        run: takes the steps, given a problem and a start without tracers.
        arguments: with tracers of `jax.grad`, `jax.jvp` and what is made of them.

    Raises:
        ChemomechError: another transformation is at work, or a leaf is traced that no derivative exists for.
    """
    leaves, structure = jax.tree.flatten(arguments)
    traced = tuple(k for k, leaf in enumerate(leaves) if isinstance(leaf, jax.core.Tracer))
    taken = Recorded(run, leaves, structure, traced, mask_of(structure, len(leaves), traced))
    found = _run.bind(*(leaves[k] for k in traced), of=taken)
    return jax.tree.unflatten(taken.outputs, found), taken.tape


@dataclasses.dataclass(eq=False)
class Recorded:
    """A run and, once it is taken, all that its derivatives are made of."""

    run: Callable[[Problem, Any], Tape]
    leaves: list[Any]
    structure: Any
    traced: tuple[int, ...]
    mask: Mask
    tape: Any = None
    outputs: Any = None  # their structure
    shapes: tuple[ShapedArray, ...] = ()

    def take(self, *values: Any) -> list[Any]:
        """Run, and return the outputs."""
        concrete = dict(zip(self.traced, values, strict=True))
        problem, start, _, _ = jax.tree.unflatten(
            self.structure, [jnp.asarray(concrete[k]) if k in concrete else leaf for k, leaf in enumerate(self.leaves)]
        )
        self.tape = self.run(problem, start)
        found, self.outputs = jax.tree.flatten(self.tape.outputs())
        self.shapes = tuple(ShapedArray(v.shape, v.dtype) for v in found)
        return found

    def ahead(self, tangents: Sequence[Any]) -> tuple[list[Any], Inputs, Inputs]:
        """What the outputs gain; the inputs of the adjoint, and what they do."""
        at = Inputs.of(self.tape, self.mask)
        found, moved = linearised(
            self.tape, self.mask, at, Direction.of(tangents, self.traced, self.mask, self.tape, at)
        )
        return jax.tree.leaves(found), at, moved

    def back(self, at: Inputs, cotangents: Sequence[Any]) -> list[Any]:
        """The gradient, in the order of the traced leaves."""
        found = reverse(self.tape, self.mask, at, jax.tree.unflatten(self.outputs, cotangents))
        return found.at(self.leaves, self.traced, self.mask)

    def bent(self, cotangents: Sequence[Any], tangents: Sequence[Any], more: Sequence[Any]) -> list[Any]:
        """What the gradient gains when the arguments and the cotangents move."""
        _, at, moved = self.ahead(tangents)
        at = at._replace(states=list(at.states))
        at, moved = (jax.tree.map(lambda v: jnp.asarray(v, float), v) for v in (at, moved))
        return jax.jvp(self.back, (at, list(cotangents)), (moved, list(more)))[1]


weakref_cache_key_types.add(Recorded)  # or JAX's cache of shapes keeps the states of every run ever differentiated


def underivable(values: Any, anchor: Any, message: str) -> Any:
    """The values, of which a gradient is an error with this message, and what they gain along a direction is NaN.

    Args:
        values: concrete.
        anchor: an output of the run.
        message: what to differentiate instead.
    """
    return _column.bind(jnp.asarray(values), anchor, message=message)


def _primitive(name: str, evaluate: Callable[..., list[Any]], shapes: Callable[[Recorded], Any]) -> Primitive:
    """An operation of concrete values that is linear in its last ones; a batch of them is taken one by one."""
    made = Primitive("chemomech_" + name)
    made.multiple_results = True

    def alone(*values, of: Recorded):
        if is_traced(values):
            raise ChemomechError(NO_TRANSFORMATION)
        return evaluate(of, *values)

    def each(values, axes, *, of: Recorded):
        if any(axis is not None for axis in axes[: len(of.traced)]):
            raise ChemomechError(NO_TRANSFORMATION)
        size = next(v.shape[a] for v, a in zip(values, axes, strict=True) if a is not None)
        taken = [
            made.bind(
                *(v if a is None else jnp.moveaxis(v, a, 0)[k] for v, a in zip(values, axes, strict=True)),
                of=of,
            )
            for k in range(size)
        ]
        found = [jnp.stack(parts) for parts in zip(*taken, strict=True)]
        return found, [0] * len(found)

    made.def_impl(alone)
    made.def_abstract_eval(lambda *values, of: shapes(of))
    batching.primitive_batchers[made] = each
    return made


def _refused(*_, **__):
    raise ChemomechError(NO_TRANSFORMATION)


def _arguments(of: Recorded) -> list[ShapedArray]:
    return [ShapedArray(jnp.shape(of.leaves[k]), jnp.result_type(of.leaves[k])) for k in of.traced]


_run = Primitive("chemomech_run")
_run.multiple_results = True
_run.def_impl(lambda *values, of: of.take(*values))
_run.def_abstract_eval(_refused)
batching.primitive_batchers[_run] = _refused

_push = _primitive("push", lambda of, *v: of.ahead(v[len(of.traced) :])[0], lambda of: list(of.shapes))
_pull = _primitive(
    "pull", lambda of, *v: of.back(Inputs.of(of.tape, of.mask), v[len(of.traced) :]), _arguments
)  # fmt: skip


def _bent(of: Recorded, *values: Any) -> list[Any]:
    n, m = len(of.traced), len(of.shapes)
    cotangents, tangents, more = values[n : n + m], values[n + m : 2 * n + m], values[2 * n + m :]
    return of.bent(cotangents, tangents, more)


_bend = _primitive("bend", _bent, _arguments)


def _filled(values: Sequence[Any]) -> list[Any]:
    return [ad.instantiate_zeros(v) for v in values]


def _run_ahead(primals, tangents, *, of: Recorded):
    return _run.bind(*primals, of=of), _push.bind(*primals, *_filled(tangents), of=of)


def _push_transposed(cotangents, *values, of: Recorded):
    n = len(of.traced)
    return [None] * n + _pull.bind(*values[:n], *_filled(cotangents), of=of)


def _pull_ahead(primals, tangents, *, of: Recorded):
    n, moved = len(of.traced), _filled(tangents)
    return _pull.bind(*primals, of=of), _bend.bind(*primals, *moved[:n], *moved[n:], of=of)


ad.primitive_jvps[_run] = _run_ahead
ad.primitive_transposes[_push] = _push_transposed
ad.primitive_jvps[_pull] = _pull_ahead
for _one in (_push, _bend):
    ad.primitive_jvps[_one] = _refused
for _one in (_pull, _bend):
    ad.primitive_transposes[_one] = _refused

_column = Primitive("chemomech_underivable")
_column.def_impl(lambda values, anchor, *, message: values)
_column.def_abstract_eval(lambda values, anchor, *, message: values)
_nothing = Primitive("chemomech_no_derivative")
_nothing.def_impl(lambda moved, *, shape, message: jnp.full(shape, jnp.nan))
_nothing.def_abstract_eval(lambda moved, *, shape, message: ShapedArray(shape, moved.dtype))


def _column_ahead(primals, tangents, *, message: str):
    values, anchor = primals
    moved = ad.instantiate_zeros(tangents[1])
    return _column.bind(values, anchor, message=message), _nothing.bind(moved, shape=values.shape, message=message)


def _nothing_transposed(cotangent, moved, *, shape, message: str):
    raise ChemomechError(message)


def _nothing_each(values, axes, *, shape, message: str):
    return _nothing.bind(values[0], shape=shape, message=message), None


ad.primitive_jvps[_column] = _column_ahead
ad.primitive_transposes[_nothing] = _nothing_transposed
batching.primitive_batchers[_nothing] = _nothing_each
