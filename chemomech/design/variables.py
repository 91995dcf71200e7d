"""What a design may change: numbers of an experiment, found by their path, and its shape."""

from __future__ import annotations

import dataclasses
import difflib
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import Sum
from ..errors import ConfigError, MeshError
from ..problem import Problem, State
from ..protocol import Protocol
from ..units import in_SI
from .shapes import AbstractShape, quality

FLAT = 0.02  # quality of a cell below which a shape is refused
ROOTS = ("host", "potentials", "kinematics", "protocol")


class Experiment(eqx.Module):
    """What a run is made of: what is solved, where it starts, and what is done to it.

    Without a protocol it is a stationary state, `solve_static` or `solve_equilibrium`, and `state` its first guess.
    """

    problem: Problem
    state: State
    protocol: Protocol | None = None


class AbstractVariable(eqx.Module):
    """Some numbers of an experiment, between bounds."""

    lower: eqx.AbstractVar[Float[np.ndarray, " p"]]
    upper: eqx.AbstractVar[Float[np.ndarray, " p"]]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Of the numbers."""

    @abstractmethod
    def initial(self, experiment: Experiment) -> Float[np.ndarray, " p"]:
        """Their values in an experiment as it stands."""

    @abstractmethod
    def put(self, experiment: Experiment, values: Float[Array, " p"]) -> Experiment:
        """The experiment with other values; differentiable."""


class Number(AbstractVariable):
    """A number that is found by its path, such as "potentials.0.psi.0.chi", "host.T" or "protocol.0.c_rate".

    Parts of a sum of energies and entries of an array are found by their number: "potentials.0.psi.1.strain.0".
    Further paths get the same value: the angle of a crystal, say, for its energy and for its mobility.

    Args:
        path: one path, or several.
        lower: least value, in SI or as text with a unit.
        upper: largest value.

    Raises:
        ConfigError: the bounds are no interval.
    """

    path: tuple[str, ...] = eqx.field(static=True)
    lower: Float[np.ndarray, "1"]
    upper: Float[np.ndarray, "1"]

    def __init__(self, path: str | Sequence[str], lower: float, upper: float):
        self.path = (path,) if isinstance(path, str) else tuple(path)
        self.lower, self.upper = bounds(self.path[0], lower, upper, 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The first path."""
        return (self.path[0],)

    def initial(self, experiment: Experiment) -> Float[np.ndarray, "1"]:
        """As the experiment has it.

        Raises:
            ConfigError: the path leads nowhere, or to no number.
        """
        return np.array([float(number_at(experiment, self.path[0]))])

    def put(self, experiment: Experiment, values: Float[Array, "1"]) -> Experiment:
        """At every path."""
        for path in self.path:
            experiment = with_number(experiment, path, values[0])
        return experiment


class Shape(AbstractVariable):
    """The parameters of a shape of the body.

    Args:
        shape: of the experiment's mesh.
        lower: least values, one for all or one each [as the shape says].
        upper: largest values.

    Raises:
        ConfigError: the bounds are no intervals.
    """

    shape: AbstractShape
    lower: Float[np.ndarray, " p"]
    upper: Float[np.ndarray, " p"]

    def __init__(self, shape: AbstractShape, lower: Any, upper: Any):
        self.shape = shape
        self.lower, self.upper = bounds(type(shape).__name__, lower, upper, len(shape.initial))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the shape's parameters; numbered where they have none."""
        return self.shape.names or tuple(f"node {k}" for k in range(len(self.shape.initial)))

    def initial(self, experiment: Experiment) -> Float[np.ndarray, " p"]:
        """The mesh as it is."""
        return np.asarray(self.shape.initial, float)

    def put(self, experiment: Experiment, values: Float[Array, " p"]) -> Experiment:
        """With all nodes moved.

        Raises:
            MeshError: a cell is turned inside out, or all but flat.
        """
        points = self.shape(values)
        found = quality(experiment.problem.mesh, np.asarray(jax.lax.stop_gradient(points)))
        if found < FLAT:
            raise MeshError(
                f"{type(self.shape).__name__}: a cell is {'turned inside out' if found <= 0 else 'all but flat'} "
                f"(quality {found:.2g}). Try: narrower bounds, or `design.optimise_with_remeshing`."
            )
        moved = experiment.problem.moved(points)
        return Experiment(moved, experiment.state, experiment.protocol)


def bounds(name: str, lower: Any, upper: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """One lower and one upper bound for each number, in SI or as text with a unit.

    Raises:
        ConfigError: there are not as many, or a lower one is not below the upper one.
        UnitError: a text is no quantity.
    """
    given = [in_SI(value, name=f"{name}: a bound") for value in (lower, upper)]
    try:
        pair = [np.array(np.broadcast_to(np.asarray(v, float), (count,))) for v in given]
    except ValueError:
        raise ConfigError(f"{name} has {count} numbers: give one bound for all, or {count} of them.") from None
    if not np.all(np.isfinite(pair)) or not np.all(pair[0] < pair[1]):
        raise ConfigError(f"{name}: each lower bound must be finite and below the upper one, but they are {pair}.")
    return pair[0], pair[1]


class Place(NamedTuple):
    """Where a number lies: attributes and positions that lead to a leaf, and an entry of it if it is an array."""

    way: tuple[str | int, ...]
    entry: tuple[int, ...]

    def leaf(self, experiment: Experiment) -> Any:
        """The leaf."""
        node: Any = experiment
        for part in self.way:
            node = node[part] if isinstance(part, int) else getattr(node, part)
        return node


def number_at(experiment: Experiment, path: str) -> Any:
    """The number at a path.

    Raises:
        ConfigError: the path leads nowhere, or to no number; the message says what is there.
    """
    place = place_of(experiment, path)
    return np.asarray(place.leaf(experiment), float)[place.entry]


def with_number(experiment: Experiment, path: str, value: Any) -> Experiment:
    """A copy with another number at a path."""
    place = place_of(experiment, path)
    new = jnp.asarray(place.leaf(experiment)).at[place.entry].set(value) if place.entry else value
    return eqx.tree_at(place.leaf, experiment, new)


def place_of(experiment: Experiment, path: str) -> Place:
    """Where a path leads to.

    Raises:
        ConfigError: nowhere, or to no number.
    """
    node: Any = experiment
    way, parts = [], path.split(".")
    for k, part in enumerate(parts):
        if eqx.is_array_like(node) and np.ndim(node):
            return Place(tuple(way), _entry(np.shape(node), parts[k:], path))
        steps = _steps(node, part, path, parts[:k])
        node, way = Place(steps, ()).leaf(node), [*way, *steps]
    if eqx.is_array_like(node) and not np.ndim(node):
        return Place(tuple(way), ())
    what = f"an array of shape {np.shape(node)}: add an entry" if eqx.is_array_like(node) else type(node).__name__
    raise ConfigError(f"`{path}` is no number, but {what}.")


def _entry(shape: tuple[int, ...], parts: list[str], path: str) -> tuple[int, ...]:
    if len(parts) != len(shape) or not all(p.isdigit() and int(p) < n for p, n in zip(parts, shape, strict=True)):
        raise ConfigError(f"`{path}`: `{'.'.join(parts)}` is no entry of an array of shape {shape}.")
    return tuple(int(part) for part in parts)


def _steps(node: Any, part: str, path: str, above: list[str]) -> tuple[str | int, ...]:
    """One part of a path further down."""
    if isinstance(node, Experiment):
        known: Any = {name: ("problem", name) for name in ROOTS[:-1]}
        known |= {"protocol": ("protocol", "steps")} if node.protocol is not None else {}
    elif isinstance(node, Sum):
        known = {"parts": ("parts",)} | {str(k): ("parts", k) for k in range(len(node.parts))}
    elif isinstance(node, tuple) and node and all(isinstance(v, tuple) for v in node):  # of stop events
        known = {name: (k, 1) for k, (name, _) in enumerate(node)}
    elif isinstance(node, tuple | list):
        known = {str(k): (k,) for k in range(len(node))}
    else:
        names = [field.name for field in dataclasses.fields(node)] if dataclasses.is_dataclass(node) else []
        known = {name: (name,) for name in names if getattr(node, name) is not None}
    if part not in known:
        near = difflib.get_close_matches(part, list(known), n=1, cutoff=0.5)
        place = f"in `{'.'.join(above)}`" if above else "in an experiment"
        mean = f' Did you mean "{near[0]}"?' if near else ""
        raise ConfigError(f"`{path}`: there is no `{part}` {place}.{mean} It has: {', '.join(known) or 'nothing'}.")
    return known[part]
