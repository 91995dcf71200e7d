"""Fields for ParaView: one .vtu file per frame and a .pvd collection over time."""

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from chemomech.errors import FileError
from chemomech.fem.mesh import Mesh


def write_vtu(
    path: str | PathLike,
    mesh: Mesh,
    point_data: Mapping[str, np.ndarray] | None = None,
    cell_data: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a mesh [m] with fields, compressed; the file appears whole or not at all.

    Args:
        path: the .vtu file.
        mesh: the mesh; a plane mesh lies in z = 0, and its plane vectors get a zero z component.
        point_data: fields with one row per node.
        cell_data: fields with one row per cell.

    Raises:
        FileError: a field has the wrong number of rows, or the file cannot be written.
    """
    import meshio

    path = Path(path)
    points = {name: _field(name, values, len(mesh.points), path) for name, values in (point_data or {}).items()}
    cells = {name: [_field(name, values, len(mesh.cells), path)] for name, values in (cell_data or {}).items()}
    whole = meshio.Mesh(_padded(mesh.points), [(mesh.cell_type, mesh.cells)], point_data=points, cell_data=cells)
    partial = path.with_name(f".{path.name}.part")
    try:
        meshio.vtu.write(str(partial), whole, binary=True, compression="zlib")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FileError(
            f"Cannot write {path}: {error.strerror or error}. Try: free space or another folder."
        ) from error


class Collection:
    """The .pvd file that lists frames over time; rewritten whole with every frame."""

    def __init__(self, path: str | PathLike):
        """Start a collection, or go on with the one in the file.

        Raises:
            FileError: the file exists but is no .pvd collection.
        """
        self.path = Path(path)
        self.frames: list[tuple[float, str]] = _read(self.path) if self.path.exists() else []

    def add(self, time: float, filename: str) -> None:
        """Append a frame: its time [s] and its file, relative to the collection.

        Raises:
            FileError: the file cannot be written.
        """
        self.frames.append((float(time), str(filename)))
        self._write()

    def truncate(self, time: float) -> None:
        """Drop the frames later than `time` [s], to resume from there.

        Raises:
            FileError: the file cannot be written.
        """
        self.frames = [frame for frame in self.frames if frame[0] <= time]
        self._write()

    def _write(self) -> None:
        root = ElementTree.Element("VTKFile", type="Collection", version="0.1", byte_order="LittleEndian")
        listing = ElementTree.SubElement(root, "Collection")
        for time, filename in self.frames:
            ElementTree.SubElement(listing, "DataSet", timestep=repr(time), group="", part="0", file=filename)
        ElementTree.indent(root)
        partial = self.path.with_name(f".{self.path.name}.part")
        try:
            ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)
            os.replace(partial, self.path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise FileError(
                f"Cannot write {self.path}: {error.strerror or error}. Try: free space or another folder."
            ) from error


def _read(path: Path) -> list[tuple[float, str]]:
    try:
        sets = ElementTree.parse(path).getroot().iter("DataSet")
        return [(float(entry.attrib["timestep"]), entry.attrib["file"]) for entry in sets]
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise FileError(
            f"Cannot read the collection {path}: {error}. Try: delete it, or start in a new folder."
        ) from error


def _field(name: str, values, rows: int, path: Path) -> np.ndarray:
    values = np.asarray(values)
    if values.shape[:1] != (rows,):
        raise FileError(
            f"Cannot write field '{name}' to {path}: it has shape {values.shape}. Try: {rows} rows, one per entity."
        )
    if values.dtype == bool:
        return values.astype(np.int8)
    if values.ndim < 2:
        return values
    rows_of = values.reshape(rows, -1)  # a tensor becomes a row of components
    return _padded(rows_of) if rows_of.shape[1] == 2 else rows_of


def _padded(vectors: np.ndarray) -> np.ndarray:
    """Vectors in space from vectors in the plane."""
    return np.pad(vectors, ((0, 0), (0, 3 - vectors.shape[1])))
