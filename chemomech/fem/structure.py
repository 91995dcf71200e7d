"""Which entries of a pointwise tangent are zero, constant, proportional to dt, or varying.

The answer comes from a walk over the jaxpr, where known numbers are folded and everything else carries two marks:
whether it depends on the state, and its degree in dt. Probing at random states would be fooled by thresholds, by
history, and by parameters that happen to be zero when the problem is built.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

import jax
import numpy as np


class Entry(Enum):
    """Class of one tangent entry."""

    ZERO = 0
    CONSTANT = 1
    DT = 2  # dt times a constant
    VARYING = 3


class Marks(NamedTuple):
    """What is known of an unknown number: does it depend on the state, and how does it scale with dt."""

    varying: bool
    degree: int


STATE, FIXED, STEP = Marks(True, 0), Marks(False, 0), Marks(False, 1)
_LINEAR = {
    "neg", "copy", "convert_element_type", "broadcast_in_dim", "reshape", "squeeze", "transpose", "slice",
    "reduce_sum", "expand_dims", "copy_p", "real", "dynamic_slice", "gather",
}  # fmt: skip

# what is met most, at a hundredth of the price of an operation of JAX
_FOLDS = {"add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "neg": np.negative}


def classify(function: Callable, arguments: tuple, marks: tuple) -> list[Entry]:
    """Class of every output of `function(*arguments)`.

    Args:
        function: of scalars, returns a flat list of scalars.
        arguments: example values, any pytrees.
        marks: for each argument, the `Marks` that all of its leaves carry.
    """
    return classify_columns(lambda _, *rest: function(*rest), 1, arguments, marks)[0]


def classify_columns(derivative: Callable, count: int, arguments: tuple, marks: tuple) -> list[list[Entry]]:
    """Class of every output of `derivative(direction, *arguments)` along each unit direction: [direction][output].

    It is traced once, whatever the number of directions.

    Args:
        derivative: of scalars, the first `count` of which are the direction; returns a flat list of scalars.
        count: number of directions.
        arguments: example values, any pytrees.
        marks: for each argument, the `Marks` that all of its leaves carry.
    """
    closed = jax.make_jaxpr(derivative)([0.5] * count, *arguments)
    leaves = [mark for arg, mark in zip(arguments, marks, strict=True) for _ in jax.tree.leaves(arg)]
    columns = (_walk(closed.jaxpr, closed.consts, [*direction, *leaves]) for direction in np.eye(count))
    return [[_entry(value) for value in column] for column in columns]


def _entry(value: Any) -> Entry:
    if not isinstance(value, Marks):
        return Entry.ZERO if np.all(np.asarray(value) == 0) else Entry.CONSTANT
    if value.varying or value.degree not in (0, 1):
        return Entry.VARYING
    return Entry.DT if value.degree == 1 else Entry.CONSTANT


def _walk(jaxpr, consts, arguments) -> list[Any]:
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, (np.asarray(c) for c in consts), strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom):
        return np.asarray(atom.val) if hasattr(atom, "val") else known[atom]

    for eqn in jaxpr.eqns:
        values = _propagate(eqn, [read(v) for v in eqn.invars])
        known.update(zip(eqn.outvars, values, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _propagate(eqn, inputs) -> list[Any]:
    inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr", eqn.params.get("fun_jaxpr")))
    if inner is not None and eqn.primitive.name not in ("scan", "while", "cond"):
        body, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
        if len(body.invars) == len(inputs):
            return _walk(body, consts, inputs)
    if not eqn.outvars:
        return []
    value = _rule(eqn, inputs)
    if value is not None:
        return [value] * len(eqn.outvars)
    return [FIXED] * len(eqn.outvars) if eqn.primitive.multiple_results else [_fold(eqn, inputs)]


def _is_zero(value) -> bool:
    return not isinstance(value, Marks) and bool(np.all(value == 0))


def _rule(eqn, inputs) -> Any:
    """The value of an operation's result, or None when every input is a known number."""
    name, marks = eqn.primitive.name, [v for v in inputs if isinstance(v, Marks)]
    zero = np.zeros(eqn.outvars[0].aval.shape)
    if name in ("mul", "dot_general") and any(_is_zero(v) for v in inputs):
        return zero
    if name == "div" and _is_zero(inputs[0]):
        return zero
    if name in ("add", "add_any", "sub") and len(marks) == 1:
        other = next(v for v in inputs if not isinstance(v, Marks))
        return marks[0] if _is_zero(other) else _join([*marks, FIXED])
    if name == "select_n" and all(_is_zero(v) for v in inputs[1:]):
        return zero
    if not marks:
        return zero if name in _LINEAR and _is_zero(inputs[0]) else None
    varying = any(m.varying for m in marks)
    degrees = [v.degree if isinstance(v, Marks) else 0 for v in inputs]
    if name in ("mul", "dot_general"):
        return Marks(varying, sum(degrees))
    if name == "div":
        return Marks(varying, degrees[0] - degrees[1])
    if name == "integer_pow":
        return Marks(varying, degrees[0] * eqn.params["y"])
    if name in _LINEAR:
        return Marks(varying, degrees[0]) if not any(degrees[1:]) else STATE
    if name in ("add", "add_any", "sub"):
        return _join(marks)
    if name == "select_n" and degrees[0] == 0:
        branches = [v if isinstance(v, Marks) else FIXED for v in inputs[1:] if not _is_zero(v)]
        predicate = [inputs[0]] if isinstance(inputs[0], Marks) else []
        return Marks(varying, _join(branches).degree) if branches and not _join(branches + predicate).varying else STATE
    return Marks(varying, 0) if not any(degrees) else STATE


def _join(marks) -> Marks:
    if len({m.degree for m in marks}) > 1:
        return STATE
    return Marks(any(m.varying for m in marks), marks[0].degree)


def _fold(eqn, inputs) -> Any:
    if (fold := _FOLDS.get(eqn.primitive.name)) is not None and not eqn.params:
        return fold(*inputs)
    try:
        return np.asarray(eqn.primitive.bind(*inputs, **eqn.params))
    except Exception:  # a primitive that does not evaluate eagerly: known to be constant, value unknown
        return FIXED


def colour(entries: dict[tuple[int, int], Entry], wanted: tuple[Entry, ...] = (Entry.VARYING,)) -> list[list[int]]:
    """Groups of columns that one forward derivative can serve, for the wanted entries.

    Two columns share a seed when no row with a wanted entry of either is touched by the other.
    """
    rows: dict[int, set[int]] = {}
    touched: dict[int, set[int]] = {}
    for (p, q), kind in entries.items():
        if kind in wanted:
            rows.setdefault(q, set()).add(p)
        if kind is not Entry.ZERO:
            touched.setdefault(q, set()).add(p)
    groups: list[list[int]] = []
    for q in sorted(rows):
        for group in groups:
            if all(not (rows[q] & touched[o]) and not (rows[o] & touched[q]) for o in group):
                group.append(q)
                break
        else:
            groups.append([q])
    return groups
