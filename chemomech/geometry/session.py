"""One gmsh model, from loading the library to the finished mesh."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from chemomech.errors import ChemomechError, FileError, MeshError
from chemomech.fem.mesh import LENGTHS, Mesh
from chemomech.units import parse

Length = float | str  # metres, or text with a unit such as "40 nm"

FLAT = 1e-4  # of the body: how far a face may be from the plane that it lies in
PADDING = 1e-6  # of the unit of a model: gmsh makes bounding boxes wider than the shapes, by about a tenth of this

OPTIONS = {
    "General.Terminal": 0,
    "General.NumThreads": 1,  # the same mesh on every machine
    "Mesh.Algorithm": 6,
    "Mesh.Smoothing": 10,
    "Mesh.MeshSizeExtendFromBoundary": 1,
    "Mesh.MeshSizeFromPoints": 0,
    "Mesh.MeshSizeMax": 1e22,
    "Mesh.MshFileVersion": 4.1,
    "Mesh.Binary": 1,
    "Mesh.SaveAll": 0,
}


def load_gmsh() -> Any:
    """The gmsh module.

    Raises:
        ChemomechError: gmsh or one of the system libraries it needs is missing.
    """
    try:
        import gmsh
    except (ImportError, OSError) as error:
        raise ChemomechError(
            f"The geometries need gmsh, which cannot be loaded: {error}. Try: pip install gmsh, and on Debian "
            "apt-get install --no-install-recommends libgl1 libglu1-mesa libxcursor1 libxft2 libxinerama1 libgomp1 "
            "libegl1; or read a finished mesh with Mesh.read."
        ) from error
    return gmsh


@contextmanager
def session(source: str = "gmsh") -> Iterator[Any]:
    """The gmsh module with an empty model, put away at the end; a session of the caller's is left open.

    Args:
        source: what draws the model; its failures are told in this name.

    Raises:
        ChemomechError: gmsh cannot be loaded.
    """
    gmsh = load_gmsh()
    guest = bool(gmsh.isInitialized())
    if not guest:
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    before = {name: gmsh.option.getNumber(name) for name in OPTIONS}
    current = gmsh.model.getCurrent() if guest else ""
    try:
        for name, value in OPTIONS.items():
            gmsh.option.setNumber(name, value)
        gmsh.model.add(source)
        yield gmsh
    finally:
        _close(gmsh, guest, before, current)


def _close(gmsh: Any, guest: bool, before: dict[str, float], current: str) -> None:
    if not guest:
        gmsh.finalize()
        return
    gmsh.model.remove()
    gmsh.model.setCurrent(current)
    for name, value in before.items():
        gmsh.option.setNumber(name, value)


def unit_of(size: float) -> str:
    """Unit in which a model of this size [m] is built and saved: its size lies well above gmsh's tolerance of 1e-8."""
    return next((unit for unit in ("m", "mm", "um") if size >= LENGTHS[unit]), "nm")


def lengths(source: str, **values: Length) -> list[float]:
    """Positive lengths [m], in the order given.

    Raises:
        UnitError: a text is no length.
        MeshError: a length is no single number, or not positive and finite.
    """
    found = []
    for name, given in values.items():
        hint = 'Try: a positive length, such as "60 nm" or 60e-9.'
        value = parse(given, "m", name=f"{source}: {name}")
        if value is None or np.ndim(value) != 0 or not hasattr(value, "__float__"):
            raise MeshError(f"{source}: {name} is {given!r}, not one length. {hint}")
        if not 0 < float(value) < inf:
            raise MeshError(f"{source}: {name} is {float(value):g} m. {hint}")
        found.append(float(value))
    return found


def require_one_of(source: str, known: Iterable[str], **given: str) -> None:
    """Accept names that are known.

    Raises:
        MeshError: one is not.
    """
    for name, value in given.items():
        if value not in known:
            raise MeshError(f"{source}: {name} is '{value}'. Try: {', '.join(known)}.")


def group(gmsh: Any, dim: int, name: str, tags: list[int]) -> None:
    """Name entities of one dimension.

    Raises:
        MeshError: there are none.
    """
    if not tags:
        raise MeshError(
            f"{gmsh.model.getCurrent()}: gmsh finds nothing of the set '{name}'. Try: lengths that differ less."
        )
    gmsh.model.addPhysicalGroup(dim, tags, name=name)


def on_plane(gmsh: Any, dim: int, axis: int, value: float, size: float) -> list[int]:
    """Entities of a body of this size that lie in the plane where coordinate `axis` equals `value`."""
    tolerance = max(FLAT * size, PADDING)
    tags = [tag for _, tag in gmsh.model.getEntities(dim)]
    boxes = {tag: gmsh.model.getBoundingBox(dim, tag) for tag in tags}
    return [t for t, b in boxes.items() if max(abs(b[axis] - value), abs(b[axis + 3] - value)) < tolerance]


def mesh_model(
    gmsh: Any,
    dim: int,
    size: float,
    unit: str,
    save: str | PathLike | None = None,
    outside: Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]] | None = None,
) -> Mesh:
    """Mesh the model, built in `unit`, with elements up to about `size`, and keep the .msh file if asked to.

    Args:
        gmsh: the module, within a session.
        dim: space dimension of the cells.
        size: size of the elements, in `unit`.
        unit: what the model is built in.
        save: file for the .msh.
        outside: where the nodes of the boundary go before the inside is filled, in `unit`; default: they stay.

    Raises:
        MeshError: gmsh fails or its mesh is broken.
        FileError: `save` cannot be written.
    """
    source = gmsh.model.getCurrent()
    gmsh.option.setNumber("Mesh.MeshSizeMax", size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.msh"
        try:
            gmsh.model.mesh.clear()
            if outside is not None:
                gmsh.model.mesh.generate(dim - 1)
                _move(gmsh, outside)
            gmsh.model.mesh.generate(dim)
            if not len(gmsh.model.mesh.getElements(dim)[0]):
                raise ValueError("it has found no cells")
            gmsh.write(str(path))
        except Exception as error:  # gmsh raises bare Exception
            raise MeshError(f"{source}: gmsh cannot mesh the geometry: {error}. Try: another element size.") from error
        try:
            mesh = Mesh.read(path, scale=unit)
        except MeshError as error:  # it names a file that nobody knows
            raise MeshError(str(error).replace(str(path), source)) from error
        if save is not None:
            keep(path, Path(save))
    return mesh


def _move(gmsh: Any, outside: Callable) -> None:
    tags, points, _ = gmsh.model.mesh.getNodes()
    for tag, point in zip(tags, outside(points.reshape(-1, 3))):
        gmsh.model.mesh.setNode(int(tag), point, [])


def keep(path: Path, save: Path) -> None:
    """Copy a file to where it is wanted.

    Raises:
        FileError: it cannot be written there.
    """
    try:
        save.write_bytes(path.read_bytes())
    except OSError as error:
        raise FileError(f"Cannot write {save}: {error.strerror or error}. Try: another folder.") from error
