"""Where the c, mu and u parts of the reduced tangent lie: for solvers that know the fields."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from ..errors import ChemomechError
from .assembly import Pattern
from .connectivity import graph, near
from .constraints import Lift
from .elements import EDGES
from .mesh import Mesh


class Blocks(eqx.Module):
    """Node groups (nodes tied together count once) and where their entries lie in the reduced tangent.

    Position `unknowns` or `nnz` stands for a prescribed value or an entry that is not there; groups number the rows of
    every nodal block, prescribed or not, neighbours close together.
    """

    c: Int[np.ndarray, " groups"]  # reduced number of each group's c
    mu: Int[np.ndarray, " groups"]
    u: Int[np.ndarray, "groups dim"]
    indptr: Int[np.ndarray, " rows"]  # pattern of a scalar on the groups
    indices: Int[np.ndarray, " nnz"]
    slot: dict[tuple[str, str], Int[np.ndarray, " nnz"]]  # of each pair of components, in the tangent's values
    near_null: Float[np.ndarray, "groups dim modes"]  # rigid motions
    vertices: csr_matrix | None  # interpolation from the vertex groups, second-order meshes only
    node: Int[np.ndarray, " n"]  # group of each node
    entry: Int[np.ndarray, "k k cells"]  # scalar entry of each pair of nodes of a cell

    @property
    def size(self) -> int:
        """Number of groups."""
        return len(self.c)


def build_blocks(mesh: Mesh, fields: tuple[str, ...], lift: Lift, pattern: Pattern) -> Blocks:
    """Find the blocks of a reduced tangent.

    Raises:
        ChemomechError: c, mu and u are not tied at the same nodes.
    """
    n, dim = len(mesh.points), mesh.dim
    index = np.asarray(lift.index).reshape(len(fields), n)
    node, lead = _groups(index, lift.size)
    order = near(node[mesh.cells.T], len(lead))
    node, lead = np.argsort(order)[node], lead[order]
    rows = {name: index[k, lead] for k, name in enumerate(fields)}
    absent = np.full(len(lead), lift.size)
    u = np.stack([rows.get(f"u.{a}", absent) for a in "xyz"[:dim]], axis=1)
    groups = graph(node[mesh.cells.T], len(lead))
    i, j = groups.rows, groups.indices
    known = {(a, b): pattern.slot.get((fields.index(a), fields.index(b))) for a in fields for b in fields}
    coupled = {pair: np.asarray(slot) for pair, slot in known.items() if slot is not None}
    if len(lead) == n:  # the pattern's own table is by pairs of nodes, in their order
        of_nodes = np.empty(len(i), np.int32)
        of_nodes[groups.entry] = np.asarray(pattern.node_pair)
        coupled = {pair: slot[of_nodes] for pair, slot in coupled.items()}
    else:
        keys = np.repeat(np.arange(pattern.size, dtype=np.int64), np.diff(pattern.indptr)) * pattern.size
        keys += pattern.indices
        coupled = {(a, b): _slots(keys, pattern.size, rows[a][i], rows[b][j]) for a, b in coupled}
    return Blocks(
        rows.get("c", absent), rows.get("mu", absent), u, groups.indptr, groups.indices, coupled,
        _rigid_motions(mesh.points[lead]), _interpolation(mesh, node, len(lead)), node, groups.entry,
    )  # fmt: skip


def _groups(index, size):
    """The group of each node, and one leading node of each group: nodes are tied where one of their values is."""
    n = index.shape[1]
    lead = np.arange(n)
    for row in index:
        free = row < size
        _, first, inverse = np.unique(row[free], return_index=True, return_inverse=True)
        tied = np.arange(n)
        tied[free] = np.flatnonzero(free)[first][inverse]
        lead = np.minimum(lead, tied)
    for row in index:
        together = lead != np.arange(n)
        if np.any(row[together] != row[lead[together]]):
            raise ChemomechError(
                "Some fields are tied at nodes where others are free; the field-block preconditioner needs all fields "
                'of a node tied alike. Use linear = {kind = "HostDirect"}.'
            )
    unique, node = np.unique(lead, return_inverse=True)
    return node, unique


def _slots(keys, size, rows, columns):
    """Position of (row, column) entries among the sorted keys row * size + column; their number where there is none."""
    inside = (rows < size) & (columns < size)
    wanted = rows[inside].astype(np.int64) * size + columns[inside]
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    out = np.full(len(rows), len(keys), np.int32)
    out[inside] = np.where(keys[place] == wanted, place, len(keys))
    return out


def _rigid_motions(points):
    """Translations and infinitesimal rotations, whatever the kinematics: they are nearly free locally."""
    n, dim = points.shape
    r = points - points.mean(0)
    r = r / max(np.abs(r).max(), 1e-300)
    pairs = [(0, 1)] if dim == 2 else [(0, 1), (2, 0), (1, 2)]
    modes = np.zeros((n, dim, dim + len(pairs)))
    modes[:, range(dim), range(dim)] = 1.0
    for k, (i, j) in enumerate(pairs, dim):
        modes[:, i, k], modes[:, j, k] = -r[:, j], r[:, i]
    return modes


def _interpolation(mesh: Mesh, node, size):
    """Values at the groups of a second-order mesh from those at its vertices."""
    if mesh.order == 1:
        return None
    corners = mesh.cells.shape[1] - len(EDGES[mesh.cell_type])
    vertex = np.unique(node[mesh.cells[:, :corners]])
    number = np.full(size, -1)
    number[vertex] = np.arange(len(vertex))
    middle = node[mesh.cells[:, corners:]].ravel()
    middle, first = np.unique(middle, return_index=True)
    ends = node[mesh.cells[:, np.array(EDGES[mesh.cell_type])].reshape(-1, 2)][first]
    rows = np.concatenate([vertex, middle, middle])
    columns = number[np.concatenate([vertex, ends[:, 0], ends[:, 1]])]
    values = np.concatenate([np.ones(len(vertex)), np.full(2 * len(middle), 0.5)])
    return csr_matrix((values, (rows, columns)), shape=(size, len(vertex)))
