"""Dirichlet, tied and periodic conditions as one affine lift: full = scatter(reduced) + offset."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.linalg import qr
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..courses import Course
from ..errors import ChemomechError
from ..units import FIELD_UNITS, parse
from .mesh import Mesh, periodic_pairs


class Links(eqx.Module):
    """What one constraint says: dofs with a prescribed value, and dofs equal to another dof."""

    fixed: Int[np.ndarray, " a"]
    values: Float[np.ndarray, " a"]
    slave: Int[np.ndarray, " b"]
    master: Int[np.ndarray, " b"]
    moves: bool = eqx.field(static=True, default=False)  # are the values factors of a course of time?


def _links(fixed=(), values=(), slave=(), master=()) -> Links:
    return Links(np.asarray(fixed, int), np.asarray(values, float), np.asarray(slave, int), np.asarray(master, int))


class AbstractConstraint(eqx.Module):
    """A linear condition between nodal values of one field."""

    @abc.abstractmethod
    def links(self, mesh: Mesh, rows: dict[str, int]) -> Links:
        """The condition on dofs numbered row * nodes + node, values in SI."""


def _plain(value: Any) -> Any:
    """An array as a list: constraints are read when a problem is built, and are no part of its gradient."""
    if isinstance(value, Course):
        return jax.tree.map(_plain, value)
    return (
        value.tolist()
        if isinstance(value, np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer)
        else value
    )


class Fixed(AbstractConstraint):
    """A field component has a given value on a set of nodes.

    Args:
        field: "c", "mu", "u.x", "u.y", "u.z", or "u" for all components.
        on: name of a facet or cell set, or None for every node.
        value: SI number, text with a unit, one value per node of the set, a function of the points [m], or a `Course`
            of one value for all nodes.
        course: `Course` of a factor [1] that the values are multiplied by.

    Raises:
        ChemomechError: there are more or fewer values than nodes, or two courses.
    """

    field: str
    on: str | None = None
    value: Any = eqx.field(default=0.0, converter=_plain)
    course: Course | None = eqx.field(default=None, converter=_plain)

    def __check_init__(self):
        if self.course is not None and isinstance(self.value, Course):
            raise ChemomechError(f"Fixed {self.field}: value and course are both a Course.")

    @property
    def moves(self) -> bool:
        """Whether the values change with time."""
        return self.course is not None or isinstance(self.value, Course)

    def motion(self) -> tuple[Course, str]:
        """The course that the values follow, in SI, and its unit."""
        unit = FIELD_UNITS[self.field.split(".")[0]] if self.course is None else "1"
        return (self.value if self.course is None else self.course).parsed(unit, "Fixed"), unit

    def links(self, mesh: Mesh, rows: dict[str, int]) -> Links:
        """Prescribed values on every node of the set."""
        nodes = np.arange(len(mesh.points)) if self.on is None else np.asarray(mesh.nodes_of(self.on))
        given = 1.0 if isinstance(self.value, Course) else self.value
        value = given(mesh.points[nodes]) if callable(given) else given
        names = components(self.field, rows)
        if isinstance(value, str):
            value = parse(value, FIELD_UNITS[names[0].split(".")[0]], name="Fixed.value")
        values = np.asarray(value, float)
        if values.ndim and values.shape != nodes.shape:
            raise ChemomechError(
                f"Fixed {self.field} on {self.on or 'every node'}: {values.size} values for {len(nodes)} nodes. "
                "Give one number, or one for each node of the set."
            )
        dofs = np.concatenate([rows[name] * len(mesh.points) + nodes for name in names])
        links = _links(dofs, np.concatenate([np.broadcast_to(values, nodes.shape) for _ in names]))
        return dataclasses.replace(links, moves=self.moves)


class Pinned(AbstractConstraint):
    """A field component has a given value at one node.

    Args:
        field: a component such as "u.x".
        node: node number.
        value: SI number.
    """

    field: str
    node: int
    value: float = 0.0

    def links(self, mesh: Mesh, rows: dict[str, int]) -> Links:
        """One prescribed value.

        Raises:
            ChemomechError: the mesh has no such node.
        """
        names = components(self.field, rows)
        if not 0 <= self.node < len(mesh.points):
            raise ChemomechError(
                f"Pinned: the mesh has no node {self.node}; its nodes are 0 to {len(mesh.points) - 1}. "
                "Try: Fixed on a named set."
            )
        return _links([rows[name] * len(mesh.points) + self.node for name in names], [self.value] * len(names))


class Tied(AbstractConstraint):
    """A field component has one common, unknown value on a set of nodes."""

    field: str
    on: str

    def links(self, mesh: Mesh, rows: dict[str, int]) -> Links:
        """Every node of the set follows the first one."""
        nodes = np.asarray(mesh.nodes_of(self.on))
        base = np.concatenate([rows[name] * len(mesh.points) + nodes for name in components(self.field, rows)])
        lead = np.repeat(base[:: len(nodes)], len(nodes) - 1)
        return _links(slave=np.delete(base, np.arange(0, len(base), len(nodes))), master=lead)


class Periodic(AbstractConstraint):
    """A field is periodic along an axis (the mean strain, where there is one, is added by the kinematics).

    Args:
        axis: "x", "y" or "z".
        field: a field or component; None: every nodal field.
    """

    axis: str
    field: str | None = None

    def links(self, mesh: Mesh, rows: dict[str, int]) -> Links:
        """Nodes of the far face follow those of the near face."""
        slave, master = (np.asarray(v) for v in periodic_pairs(mesh, "xyz".index(self.axis)))
        names = list(rows) if self.field is None else components(self.field, rows)
        n = len(mesh.points)
        return _links(
            slave=np.concatenate([rows[name] * n + slave for name in names]),
            master=np.concatenate([rows[name] * n + master for name in names]),
        )


def components(field: str, rows: dict[str, int]) -> list[str]:
    """The nodal components that a field name stands for.

    Raises:
        ChemomechError: the problem has no such field.
    """
    names = [name for name in rows if name == field or name.split(".")[0] == field]
    if not names:
        raise ChemomechError(f"A constraint names the field '{field}'; the problem has {', '.join(rows)}.")
    return names


class Lift(eqx.Module):
    """z = T y + b + M m: reduced unknowns to all nodal unknowns, each dof following at most one reduced unknown."""

    index: Int[Array, " full"]  # reduced number, or `size` for a prescribed dof
    offset: Float[Array, " full"]  # in the units that the caller scaled to
    size: int = eqx.field(static=True)
    moving: tuple[Float[Array, " full"], ...] = ()  # values of a unit of each motion

    def expand(self, y: Float[Array, " reduced"], motions: Any = ()) -> Float[Array, " full"]:
        """All nodal values from the reduced unknowns and how far each motion is."""
        z = jnp.append(y, 0.0)[self.index] + self.offset
        for shape, far in zip(self.moving, motions, strict=True):
            z = z + far * shape
        return z

    def increment(self, y: Float[Array, " reduced"]) -> Float[Array, " full"]:
        """T y, without the offset."""
        return jnp.append(y, 0.0)[self.index]

    def reduce(self, r: Float[Array, " full"]) -> Float[Array, " reduced"]:
        """T^T r: the residual of the reduced unknowns."""
        return jnp.zeros(self.size + 1).at[self.index].add(r)[:-1]

    def restrict(self, z: Float[Array, " full"]) -> Float[Array, " reduced"]:
        """The reduced unknowns of a nodal vector (the value at each leading dof)."""
        return jnp.zeros(self.size + 1).at[self.index].set(z - self.offset)[:-1]


def build_lift(
    mesh: Mesh, rows: dict[str, int], constraints: tuple[AbstractConstraint, ...], scales: Float[np.ndarray, " rows"],
    rigid: dict[str, Any] | None = None,
) -> tuple[Lift, list[str]]:  # fmt: skip
    """Combine constraints into one lift, and pin what rigid motion they leave free.

    Args:
        rows: component name -> row number.
        scales: SI size of one scaled unit of each row.
        rigid: {"modes": function of the mesh that returns rigid motions, (modes, dim, n)}; None: no displacement.

    Returns:
        the lift in scaled units, and a line for each pin that was added.

    Raises:
        ChemomechError: a dof is prescribed twice with different values.
    """
    n, links = len(mesh.points), [c.links(mesh, rows) for c in constraints]
    total = n * len(rows)
    root = _union(total, links)
    value = np.full(total, np.nan)
    for link in links:
        _prescribe(value, root, link, mesh, list(rows))
    moving = _moving(root, links, mesh, list(rows))
    notes: list[str] = []
    if rigid is not None:
        notes = _pin(value, root, mesh, rows, rigid)
    group_value = value[root]
    free = np.isnan(group_value)
    leaders = np.unique(root[free])
    index = np.full(total, len(leaders))
    index[free] = np.searchsorted(leaders, root[free])
    offset = np.where(free, 0.0, group_value) / np.repeat(scales, n)
    moving = tuple(jnp.asarray(shape) for shape in moving)  # over the scales of fields by the caller
    return Lift(jnp.asarray(index), jnp.asarray(offset), len(leaders), moving), notes


def _moving(root, links, mesh, names):
    """The values that each link with a course gives to all dofs, per unit of the course.

    Raises:
        ChemomechError: such a dof is prescribed by another constraint too.
    """
    out = []
    for link in links:
        if not link.moves:
            continue
        value, others = np.zeros(len(root)), [o.fixed for o in links if o is not link]
        value[root[link.fixed]] = link.values
        taken = np.isin(root[link.fixed], root[np.concatenate([np.zeros(0, int), *others])])
        if taken.any():
            row, node = divmod(int(link.fixed[np.argmax(taken)]), len(mesh.points))
            raise ChemomechError(
                f"{names[row]} at node {node} follows a Course and is prescribed by another constraint too. "
                "Make the two sets disjoint."
            )
        held = np.zeros(len(root), bool)
        held[root[link.fixed]] = True
        out.append(np.where(held[root], value[root], 0.0))
    return out


def values_taken(
    mesh: Mesh, rows: dict[str, int], constraints: tuple[AbstractConstraint, ...], which: int
) -> Int[np.ndarray, " full"]:
    """For each dof the number of the value that it takes from one of the constraints, or -1.

    Raises:
        ChemomechError: another constraint holds one of these dofs too.
    """
    links = [c.links(mesh, rows) for c in constraints]
    total = len(mesh.points) * len(rows)
    root, number = _union(total, links), np.full(total, -1)
    number[root[links[which].fixed]] = np.arange(len(links[which].fixed))
    for k, other in enumerate(links):
        if k != which and np.any(number[root[other.fixed]] >= 0):
            raise ChemomechError(
                f"Constraints {which} and {k} hold some of the same nodes: the value of one alone cannot be changed. "
                "Make their sets disjoint."
            )
    return number[root]


def _union(total, links):
    slave = np.concatenate([np.zeros(0, int)] + [link.slave for link in links])
    master = np.concatenate([np.zeros(0, int)] + [link.master for link in links])
    graph = coo_matrix((np.ones(len(slave)), (slave, master)), shape=(total, total))
    _, label = connected_components(graph, directed=False)
    first = np.full(label.max() + 1, total)
    np.minimum.at(first, label, np.arange(total))
    return first[label]


def _prescribe(value, root, link, mesh, names):
    if not np.all(np.isfinite(link.values)):
        raise ChemomechError("A Fixed constraint has a value that is not a finite number: check its `value`.")
    for dof, new in zip(link.fixed, 0.0 * link.values if link.moves else link.values, strict=True):
        old = value[root[dof]]
        if not np.isnan(old) and abs(old - new) > 1e-12 * max(1e-300, abs(old), abs(new)):
            row, node = divmod(int(dof), len(mesh.points))
            where = ", ".join(f"{v:.4g}" for v in mesh.points[node])
            raise ChemomechError(
                f"{names[row]} at node {node} ({where}) m is prescribed twice: {old:g} and {new:g}. "
                "Give the two sets the same value there, or make them disjoint."
            )
        value[root[dof]] = new


def _pin(value, root, mesh, rows, rigid):
    """Prescribe as many displacements as there are rigid motions left, where they move the body most."""
    names = [name for name in rows if name.startswith("u.")]
    base = np.array([rows[name] for name in names])
    n = len(mesh.points)
    notes = []
    lead_node = [root[row * n : (row + 1) * n] - row * n for row in base]
    for body, nodes in enumerate(_bodies(mesh, lead_node)):
        dofs = (base[:, None] * n + nodes).ravel()
        modes = rigid["modes"](mesh.points[nodes]).reshape(-1, len(dofs)).T
        held = ~np.isnan(value[root[dofs]])
        tied = root[dofs] != dofs
        position = {d: k for k, d in enumerate(dofs)}
        lead = np.array([position.get(r, -1) for r in root[dofs][tied]])
        conditions = np.concatenate([modes[held], modes[tied] - modes[lead]]) if lead.size else modes[held]
        free = modes @ _null_space(conditions, modes.shape[1])
        if free.shape[1] == 0:
            continue
        order = qr(free.T, pivoting=True, mode="r")[-1]
        for dof in dofs[order[: free.shape[1]]]:
            value[root[dof]] = 0.0
        notes.append(f"rigid motion of body {body + 1} removed by {free.shape[1]} point supports (no reaction)")
    return notes


def _null_space(conditions, size):
    if len(conditions) == 0:
        return np.eye(size)
    _, s, vt = np.linalg.svd(conditions.T @ conditions)
    return vt[s < 1e-10 * max(s.max(), 1e-300)].T if s.max() > 0 else np.eye(size)


def _bodies(mesh, lead_node):
    """Nodes of each body; bodies whose displacements are tied together count as one."""
    n = len(mesh.points)
    here = [np.repeat(mesh.cells[:, 0], mesh.cells.shape[1]), *([np.arange(n)] * len(lead_node))]
    there = [mesh.cells.ravel(), *(np.where((lead >= 0) & (lead < n), lead, np.arange(n)) for lead in lead_node)]
    rows, columns = np.concatenate(here), np.concatenate(there)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    count, label = connected_components(graph, directed=False)
    return [np.flatnonzero(label == k) for k in range(count)]
