"""Restart files: a nested dictionary of arrays, numbers and words in HDF5."""

import os
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from chemomech.errors import FileError


def save_restart(path: str | PathLike, tree: Mapping[str, Any]) -> None:
    """Write a tree of arrays, numbers, strings and further trees; the file appears whole or not at all.

    Raises:
        FileError: a value has an unsuitable type or name, or the file cannot be written.
    """
    import h5py

    path = Path(path)
    partial = path.with_name(f".{path.name}.part")
    try:
        with h5py.File(partial, "w") as file:
            _store(file, tree, path)
        with open(partial, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # h5py raises either when the disk is full
        partial.unlink(missing_ok=True)
        full = re.search(r"error message = '([^']*)'", str(error))  # the system's words inside HDF5's
        reason = full[1] if full else error
        raise FileError(f"Cannot write {path}: {reason}. Try: free space or pass --out.") from error
    except FileError:
        partial.unlink(missing_ok=True)
        raise


def load_restart(path: str | PathLike) -> dict[str, Any]:
    """The tree of a restart file: arrays as numpy, numbers and strings as Python's own.

    Raises:
        FileError: the file is missing, damaged or no restart file.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise FileError(f"Restart file {path} does not exist. Try: check the path, or start a new run.")
    try:
        with h5py.File(path, "r") as file:
            return _restore(file)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise FileError(f"Cannot read restart file {path}: {error}. Try: an earlier restart, or a new run.") from error


def _store(group: Any, tree: Mapping[str, Any], path: Path) -> None:
    for name, value in tree.items():
        if not isinstance(name, str) or not name or "/" in name:
            raise FileError(f"Cannot write {path}: entry name {name!r}. Try: a non-empty string without '/'.")
        if isinstance(value, Mapping):
            _store(group.create_group(name), value, path)
        elif isinstance(value, (str, bool, int, float)):
            group.create_dataset(name, data=value).attrs["python"] = type(value).__name__
        elif np.asarray(value).dtype.kind in "biufc":
            group.create_dataset(name, data=np.asarray(value))
        else:
            raise FileError(
                f"Cannot write {path}: entry '{name}' is a {type(value).__name__}. "
                "Try: numerical arrays, numbers, strings or dictionaries of these."
            )


def _restore(group: Any) -> dict[str, Any]:
    import h5py

    tree: dict[str, Any] = {}
    for name, entry in group.items():
        if isinstance(entry, h5py.Group):
            tree[name] = _restore(entry)
        elif "python" not in entry.attrs:
            tree[name] = entry[()]
        elif entry.attrs["python"] == "str":
            tree[name] = entry.asstr()[()]
        else:
            tree[name] = {"bool": bool, "int": int, "float": float}[entry.attrs["python"]](entry[()])
    return tree
