"""The field snapshots of a run: the time index `fields.pvd` and the VTU files it lists."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import unescape

import numpy as np

from chemomech.errors import FileError


@dataclass(frozen=True)
class Frame:
    """One snapshot: points (n, 3) [m], cells {meshio type: (m, k) node numbers}, fields {name: (n, ...)}."""

    points: np.ndarray
    cells: dict[str, np.ndarray]
    fields: dict[str, np.ndarray]


def read_frames(folder) -> list[tuple[float, Path]]:
    """The (time [s], VTU path) pairs that `fields.pvd` lists, in order of time; absent files are left out."""
    index = Path(folder) / "fields.pvd"
    if not index.is_file():
        raise FileError(f"No fields.pvd in {folder}. Ask for field output in the run, or name its results folder.")
    # A stopped run may leave the index without its closing tags, which an XML parser refuses.
    entries = re.findall(r"<DataSet\b[^>]*>", index.read_text(encoding="utf-8"))
    attributes = [dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', entry)) for entry in entries]
    frames = [(float(a.get("timestep", k)), index.parent / unescape(a["file"])) for k, a in enumerate(attributes)]
    return sorted(((time, path) for time, path in frames if path.is_file()), key=lambda frame: frame[0])


def load_frame(path) -> Frame:
    """The snapshot in one VTU file, read by meshio."""
    import meshio

    try:
        mesh = meshio.read(path)
    except (Exception, SystemExit) as error:  # meshio exits the interpreter on some damaged files
        raise FileError(f"Cannot read the fields in {path}: {error}. Remove the file or run again.") from error
    points = np.zeros((len(mesh.points), 3))
    points[:, : mesh.points.shape[1]] = mesh.points
    cells: dict[str, np.ndarray] = {}
    for block in mesh.cells:
        cells[block.type] = np.concatenate([cells[block.type], block.data]) if block.type in cells else block.data
    return Frame(points, cells, {name: np.asarray(values) for name, values in mesh.point_data.items()})
