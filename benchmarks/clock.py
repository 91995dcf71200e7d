"""Time and memory of one process: what JAX spends tracing and compiling, apart from everything else."""

import resource
import sys
import time

import jax


class Clock:
    """Laps of wall time, without the seconds of tracing and compiling, which add up in `compile`."""

    def __init__(self):
        self.compile = 0.0
        self._counted: list[tuple[float, float]] = []  # (start, end) of what was traced or compiled
        self._start, self._before = time.perf_counter(), 0.0
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, seconds: float, **_) -> None:
        if event.startswith("/jax/core/compile/"):
            end = time.perf_counter()
            self.add(end - seconds, end)

    def add(self, start: float, end: float) -> None:
        """A stretch of time that has just ended; what was traced inside another trace is counted once."""
        while self._counted and self._counted[-1][1] > start:
            before = self._counted.pop()
            self.compile -= before[1] - before[0]
            start = min(start, before[0])
        self._counted.append((start, end))
        self.compile += end - start

    def lap(self) -> float:
        """Seconds since the last lap that were not compilation."""
        now = time.perf_counter()
        out = now - self._start - (self.compile - self._before)
        self._start, self._before = now, self.compile
        return max(out, 0.0)


def peak() -> int:
    """Largest resident memory of this process so far [bytes]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
