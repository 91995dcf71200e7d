"""What is done when a linear solver breaks down: new hierarchies, a smaller step, a direct solver, in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from .evolution import Evolution
from .problem import Drive
from .solve.direct import HostDirect
from .solve.memory import available_memory, factor_memory
from .solve.newton import Result
from .solve.step import Formula


class Ladder:
    """Takes implicit steps, keeps the linear solver's state between them, and meets its breakdowns.

    The first rung is in `step`, the second is the caller's, the third is `direct` where it `fits`. The next step
    starts from the bottom again.

    Args:
        evolution: takes the steps; its `step` has the arguments of the methods here, less the linear solver's state.
        say: hears what broke down and what is tried instead.
    """

    def __init__(self, evolution: Evolution, say: Callable[[str], None]):
        self.evolution, self._say = evolution, say
        self._state: Any = None

    @property
    def known(self) -> Any:
        """The linear solver's state after the last step; None: nothing."""
        return self._state

    def forget(self) -> None:
        """Let what follows depend on the next tangent alone."""
        self._state = self.evolution.newton.linear.forget(self._state)

    def step(self, *step: Any) -> Result:
        """A step; if it breaks down, the same again with all of the preconditioner made anew."""
        known, self._state = self._state, None
        result = self.evolution.step(*step, linear_state=known)
        if result.breakdown and known is not None:
            self._say(f"{result.reason}. Trying again with new hierarchies.")
            known = result = None  # their memory is needed
            result = self.evolution.step(*step, linear_state=None)
        self._state = None if result.breakdown else result.linear_state
        return result

    def fits(self, reason: str) -> bool:
        """Whether the factor of a direct solver fits into memory; says what broke down and what follows."""
        problem = self.evolution.problem
        need, room = factor_memory(problem.unknowns, problem.mesh.dim), available_memory()
        if need > room:
            self._say(f"{reason}. A direct solver would need about {_size(need)}; {_size(room)} are free.")
        else:
            self._say(f"{reason}. Trying HostDirect for this step, with about {_size(need)} of memory.")
        return need <= room

    def direct(self, *step: Any) -> Result:
        """A step by a direct solver, which keeps nothing of it."""
        self._state = None
        return self.evolution.assembled(HostDirect()).step(*step, linear_state=None)

    def climb(self, *step: Any) -> Result:
        """All rungs but the smaller step, for a step whose length is no choice."""
        result = self.step(*step)
        return self.direct(*step) if result.breakdown and self.fits(result.reason) else result

    def settle(self, x: Float[np.ndarray, " N"], dt: float, time: float, drive: Drive) -> Result:
        """One step of length dt [s] from x, with as many iterations as an exponential reaction far off needs."""
        formula, guess = Formula(1.0, 0.0, dt, 1), self.evolution.with_voltage(x)
        self.forget()
        for _ in range(9):
            result = self.climb(formula, (x,), guess, time, drive)
            self.forget()
            if result.converged or result.breakdown or "singular" in result.reason:
                break
            guess = result.x
        return result


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
