"""Where the states of a run wait for its reverse pass: in memory, in a file, or to be computed again."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import weakref
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float

from .errors import ConfigError, FileError
from .recomputation import LEAST, Recomputed, Retake
from .units import parse

DEFAULT = "128 MB"


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """How much memory the states of a run that is differentiated may take, and what is done with the others.

    On disk they cost next to no time; the file has no name and is gone with the run, whatever happens. Without a disk,
    steps are taken again from checkpoints: with room for S states, N steps about r times where N < (S - 4)^(r + 1) /
    (2^r (r + 1)!), so once for 200 steps with 34 states, twice with 21. Gradients are the same to Newton's tolerance.
    Second derivatives keep all states in memory all the same; forward mode keeps what each of them gains.

    Args:
        memory: for states, such as "1 GB" [byte].
        disk: True: a file in the system's folder for temporary ones; a folder: there; False: compute again.
    """

    memory: float | str = DEFAULT
    disk: bool | str | os.PathLike = True

    def states(self, start: Float[np.ndarray, " N"], retake: Retake) -> States:
        """An empty store for a run from a state.

        Raises:
            ConfigError: the memory does not suffice to compute states again.
        """
        room = int(float(parse(self.memory, "byte", name="memory")) // max(start.nbytes, 1))
        if self.disk is not False:
            return Stored(start, room, None if self.disk is True else os.fspath(self.disk))
        if room < LEAST:
            raise ConfigError(
                f"Checkpoints(memory={self.memory!r}) has room for {room} states of {start.nbytes / 1e6:.3g} MB; "
                f"computing the others again takes {LEAST}. Give it more memory, or disk=True."
            )
        return Recomputed(start, room, retake)


class Stored(Sequence):
    """All states: the first in memory, the others in a temporary file.

    Args:
        start: the first of them.
        room: how many are kept in memory.
        folder: of the file; default: the system's.
    """

    def __init__(self, start: Float[np.ndarray, " N"], room: int, folder: str | None = None):
        self._first, self._room, self._folder, self._count = [start], max(room, 1), folder, 1
        self._file: BinaryIO | None = None

    def append(self, x: Float[np.ndarray, " N"]) -> None:
        """The next one.

        Raises:
            FileError: the disk is full, or the folder not to be written to.
        """
        if self._count < self._room:
            self._first.append(x)
        else:
            self._write(np.ascontiguousarray(x, self._first[0].dtype))
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, k: Any) -> Float[np.ndarray, " N"]:
        k = range(self._count)[k]
        if self._file is None or k < self._room:
            return self._first[k]
        start = self._first[0]
        self._file.seek((k - self._room) * start.nbytes)
        return np.frombuffer(self._file.read(start.nbytes), start.dtype)

    def release(self, k: int) -> None:
        """Those after k will not be asked for soon: nothing follows from that here."""

    def _write(self, x: Float[np.ndarray, " N"]) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="chemomech-", dir=self._folder, buffering=0)
                weakref.finalize(self, self._file.close)
            self._file.seek((self._count - self._room) * x.nbytes)
            if self._file.write(x.data) != x.nbytes:
                raise OSError("the disk is full")
        except OSError as error:
            raise FileError(
                f"State {self._count} of the run cannot be kept for its gradient in "
                f"{self._folder or tempfile.gettempdir()}: {error}. Give another folder, Checkpoints(disk=folder), "
                "more memory, Checkpoints(memory=...), or disk=False, which computes states again."
            ) from None


States = Stored | Recomputed
