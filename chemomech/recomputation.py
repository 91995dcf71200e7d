"""States computed again from some that are kept, in the fewest steps.

BDF2 goes on from two states, so a checkpoint is a pair. How many states can be had again, each with at most r steps of
recomputation, with room for f of them (Griewank and Walther 2000, doi 10.1145/347837.347846, for pairs):

    reach(f, 1) = f,      reach(f, r) = reach(f, r - 1) + 2 + reach(f - 2, r):

before a pair with one sweep less, the pair, and after it with less room. On the way forward the number of steps is not
known: checkpoints lie where they would for the largest number that r allows, all other room holds the newest states,
and as r grows the checkpoints that are not needed any more make room one after the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " N"]
Retake = Callable[[int, list[Vector]], Vector]  # number of the step, states before it from the newest on -> the result
WALKING, CURRENT = 3, 2  # states at hand while steps are taken again, and while one is reversed
LEAST = WALKING + CURRENT + 3  # room: the start and a pair


@functools.cache
def reach(room: int, sweeps: int) -> int:
    """The largest number of states that can be computed again, each in so many sweeps."""
    if sweeps < 2 or room < 2:
        return room if sweeps else 0
    return reach(room, sweeps - 1) + 2 + reach(room - 2, sweeps)


def sweeps_for(count: int, room: int) -> int:
    """How many sweeps so many states need."""
    sweeps = 1
    while reach(room, sweeps) < count:
        sweeps += 1
    return sweeps


def stretch(count: int, room: int) -> int:
    """After how many of the states to be computed again the first pair is kept; all of them where there is room."""
    if count <= room:
        return count
    sweeps = sweeps_for(count, room)
    least = max(2, count - reach(room - 2, sweeps))
    most = min(count, reach(room, sweeps - 1) + 2)
    return max(least, min(most, count - reach(room - 2, sweeps - 1)))


class Recomputed(Sequence):
    """The states of a run, few of which are kept; cheap from the last to the first, or from the first to the last.

    Args:
        start: the first of them.
        room: how many may be held at a time.
        retake: takes a step again.
    """

    def __init__(self, start: Vector, room: int, retake: Retake):
        self._held: dict[int, Vector] = {0: start}
        self._room, self._retake, self._count = room - WALKING, retake, 1
        self._marks, self._sweeps = [0], 1  # second states of the pairs, on the way forward
        self._walk: dict[int, Vector] = {}  # the last states computed again

    def __len__(self) -> int:
        return self._count

    def append(self, x: Vector) -> None:
        """The next one; an older one goes where there is no room."""
        n = self._count
        self._held[n], self._count = x, n + 1
        if n == self._marks[-1] + reach(self._free(self._marks), self._sweeps) + 2:
            self._marks.append(n)
            while self._free(self._marks) < 2:
                self._sweeps += 1
                self._marks = self._coarser()
        if len(self._held) > self._room:
            pairs = {0, *self._marks, *(k - 1 for k in self._marks)}
            del self._held[next(k for k in self._held if k not in pairs)]

    def __getitem__(self, k: Any) -> Vector:
        k = range(self._count)[k]
        if k not in self._held and k not in self._walk:
            self._compute(k)
        return self._held[k] if k in self._held else self._walk[k]

    def release(self, k: int) -> None:
        """Forget those after k."""
        for known in (self._held, self._walk):
            for later in [n for n in known if n > k]:
                del known[later]

    def _free(self, marks: list[int]) -> int:
        """Room for the states after the last of some pairs."""
        return self._room - CURRENT - 1 - 2 * (len(marks) - 1)

    def _coarser(self) -> list[int]:
        """The pairs that so many sweeps need."""
        kept = [0]
        for mark, later in zip(self._marks[1:], [*self._marks[2:], self._count], strict=True):
            if later > kept[-1] + reach(self._free(kept), self._sweeps) + 2:
                kept.append(mark)
        return kept

    def _compute(self, k: int) -> None:
        """A state, and on the way to it what makes those before it cheap."""
        at, known = self._nearest(k)
        while at < k:
            room = self._room - len(self._held)
            whole = room >= k - at
            until = at + stretch(k - at, room) if room >= 2 else k
            for n in range(at, until):
                known = {**known, n + 1: self._retake(n, [known[j] for j in sorted(known, reverse=True)])}
                known = {j: known[j] for j in sorted(known)[-WALKING:]}
                if whole or (room >= 2 and n + 2 >= until):
                    self._held[n + 1] = known[n + 1]
            at = until
        self._walk = known

    def _nearest(self, k: int) -> tuple[int, dict[int, Vector]]:
        """The last state before k from which steps can go on, with those at hand before it."""
        known = self._held | self._walk
        at = next(j for j in sorted(known, reverse=True) if j < k and (j == 0 or j - 1 in known))
        return at, {j: known[j] for j in range(at, max(at - WALKING, -1), -1) if all(i in known for i in range(j, at))}
