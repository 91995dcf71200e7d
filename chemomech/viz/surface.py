"""What a mesh shows to the eye: linear pieces of its cells, and the triangles of its outside."""

import numpy as np

from chemomech.errors import ChemomechError
from chemomech.fem.pieces import SECOND_ORDER

# Straight-sided pieces of each cell, by local node number (VTK order).
PIECES = {
    "triangle": ("triangle", [[0, 1, 2]]),
    "triangle6": ("triangle", SECOND_ORDER["triangle6"]),
    "quad": ("triangle", [[0, 1, 2], [0, 2, 3]]),
    "tetra": ("tetra", [[0, 1, 2, 3]]),
    "tetra10": ("tetra", SECOND_ORDER["tetra10"]),
    "hexahedron": ("hexahedron", [list(range(8))]),
}
FACES = {
    "tetra": [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]],
    "hexahedron": [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]],
}


def linear_cells(cells: dict) -> dict[str, np.ndarray]:
    """The cells of highest dimension cut into triangles, or into tetrahedra and hexahedra."""
    pieces: dict[str, list] = {}
    for kind, nodes in cells.items():
        if kind in PIECES:
            name, table = PIECES[kind]
            pieces.setdefault(name, []).append(nodes[:, table].reshape(-1, len(table[0])))
    joined = {name: np.concatenate(parts) for name, parts in pieces.items()}
    if not joined:
        raise ChemomechError(f"No cell to draw among {sorted(cells)}. Cells that can be drawn: {sorted(PIECES)}.")
    solid = {name: nodes for name, nodes in joined.items() if name != "triangle"}
    return solid or joined


def outside(cells: dict) -> np.ndarray:
    """Triangles (m, 3) of the outer surface of linear cells; the triangles themselves in two dimensions."""
    if "triangle" in cells:
        return cells["triangle"]
    found = []
    for kind, nodes in cells.items():
        faces = nodes[:, FACES[kind]].reshape(-1, len(FACES[kind][0]))
        _, first, count = np.unique(np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True)
        faces = faces[first[count == 1]]
        found.append(faces if faces.shape[1] == 3 else faces[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3))
    return np.concatenate(found)
