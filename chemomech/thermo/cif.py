"""Lattices from CIF files, by the optional package gemmi."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ChemomechError, FileError
from .lattice import Lattice

ANGSTROM = 1e-10  # [m]
RHOMBOHEDRAL = 1e-3  # largest difference from 120 degrees of a hexagonal cell's gamma [rad]


def load_gemmi() -> Any:
    """The gemmi module.

    Raises:
        ChemomechError: it is not installed.
    """
    try:
        import gemmi
    except (ImportError, OSError) as error:
        raise ChemomechError(
            f'CIF files are read by gemmi, which cannot be loaded: {error}. Try: pip install "gemmi>=0.6", or give the '
            "cell as Lattice(lengths, angles, centring)."
        ) from error
    return gemmi


def read_cif(path: str | PathLike, block: str | None = None, centring: str | None = None) -> Lattice:
    """The lattice of a CIF file: cell lengths and angles, centring from the space group (P where none is given).

    Args:
        path: the file.
        block: name of its data block; None takes the first one with a cell.
        centring: instead of the space group's.

    Raises:
        ChemomechError: gemmi is not installed.
        FileError: the file cannot be read, or has no such block, no cell, or an unknown space group.
    """
    gemmi = load_gemmi()
    if not Path(path).is_file():
        raise FileError(f"There is no file {path}. Try: the path of a CIF file.")
    try:
        document = gemmi.cif.read(str(path))
    except (OSError, ValueError, RuntimeError) as error:
        raise FileError(f"Cannot read {path} as CIF: {str(error).splitlines()[0]}") from error
    structure = _structure(gemmi, document, path, block)
    cell = structure.cell
    angles = np.radians([cell.alpha, cell.beta, cell.gamma])
    centring = _centring(gemmi, structure, angles, path) if centring is None else centring
    return Lattice(np.array([cell.a, cell.b, cell.c]) * ANGSTROM, angles, centring)


def _structure(gemmi: Any, document: Any, path: str | PathLike, block: str | None) -> Any:
    names = [b.name for b in document]
    chosen = [b for b in document if block is None or b.name == block]
    if not chosen:
        raise FileError(f'{path} has no data block "{block}". Try: one of {", ".join(names)}.')
    for one in chosen:
        if one.find_value("_cell_length_a") or one.find_value("_cell.length_a"):
            return gemmi.make_small_structure_from_block(one)
    raise FileError(f"{path} has no cell (_cell_length_a and so on) in {', '.join(names) or 'any data block'}.")


def _centring(gemmi: Any, structure: Any, angles: np.ndarray, path: str | PathLike) -> str:
    """H and R groups alike: a cell of 120 degrees is hexagonal and centred, a rhombohedral cell is primitive."""
    group = structure.spacegroup or gemmi.find_spacegroup_by_name(structure.spacegroup_hm)
    number = structure.spacegroup_number
    if group is None and 1 <= number <= 230:
        group = gemmi.get_spacegroup_reference_setting(number)
    if group is None and (structure.spacegroup_hm or structure.spacegroup_hall or structure.symops or number):
        stated = structure.spacegroup_hm or structure.spacegroup_hall or number or "operations only"
        raise FileError(f'{path} has a space group that is not known: {stated}. Try: read_cif(..., centring="P").')
    letter = group.centring_type() if group else "P"
    if letter in ("H", "R"):
        return "R" if abs(angles[2] - 2 * np.pi / 3) < RHOMBOHEDRAL else "P"
    return letter
