"""Many parameter sets on one mesh at once: each member follows its own protocol with its own steps.

Every member runs the time loop of `simulate`, word for word. Where it would solve for a step it waits until all that
still run want one; then one compiled call solves for all of them. A rejected step, a located event or a member that
has ended costs the others nothing but the wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from .compiled_step import CONVERGED, REASONS, STAGNATED, Answer, Ask, CompiledStep
from .errors import ConfigError, SolveError
from .evolution import Evolution
from .problem import Drive, Problem, State
from .protocol import AbstractStep, Protocol
from .run import Run, Solution
from .solve.krylov import Krylov
from .solve.newton import Newton, Result
from .solve.step import AbstractStepper, ErrorControl, Formula


class Member(NamedTuple):
    """One parameter set: a problem on the common mesh, where it starts, and what is done to it.

    Variants of a problem are made by exchanging parameters, `eqx.tree_at(lambda p: p.potentials[1].D, problem, D)`.
    """

    problem: Problem
    state: State
    protocol: Protocol | AbstractStep


class Round(NamedTuple):
    """What one compiled call did; given to the `progress` of `simulate_ensemble`."""

    number: int
    asked: int  # members that wanted a step
    running: int  # members that have not ended
    iterations: int  # Newton iterations of the slowest
    failed: int  # steps without convergence


def simulate_ensemble(
    members: Sequence[Member], *, stepper: AbstractStepper | None = None, control: ErrorControl | None = None,
    newton: Newton | None = None, frames: int = 0, progress: Callable[[Round], None] | None = None,
) -> list[Solution]:  # fmt: skip
    """Run members side by side, each as `simulate` runs it alone.

    Args:
        members: parameter sets whose problems differ in numbers alone.
        stepper: default BDF2.
        control: default `ErrorControl()`; each member has its own step lengths.
        newton: default `Newton(linear=Krylov())`; its linear solver must be a `Krylov`.
        frames: how many times the fields of each member are saved.
        progress: called after every compiled call.

    Returns:
        one `Solution` a member, in their order; that of a member which failed ends with "failed: ..." and holds what
        it did until then.

    Raises:
        ConfigError: members differ in structure or mesh, or one cannot be run as it is described.
    """
    newton = newton or Newton(linear=Krylov())
    _check(members)
    evolutions = [Evolution(member.problem, newton) for member in members]
    starts = np.stack([e.start(member.state) for e, member in zip(evolutions, members, strict=True)])
    meeting = _Meeting(CompiledStep(evolutions, newton, starts), len(members), progress)
    seats = [_Seat(evolution, meeting, k) for k, evolution in enumerate(evolutions)]

    def follow(k: int) -> Solution:
        with meeting.turn:
            try:
                run = Run(seats[k], Protocol.of(members[k].protocol), stepper, control, frames)
                try:
                    run.follow(members[k].state)
                except SolveError as error:
                    run.endings.append(f"failed: {error}")
                return run.solution()
            except ConfigError as error:
                raise ConfigError(f"Member {k + 1} of the ensemble: {error}") from None
            finally:
                meeting.leave()

    with ThreadPoolExecutor(len(members)) as pool:
        futures = [pool.submit(follow, k) for k in range(len(members))]
    return [future.result() for future in futures]


class _Meeting:
    """Members wait here until all that still run have asked. `turn` is held by the one that computes."""

    def __init__(self, solve: CompiledStep, count: int, progress: Callable[[Round], None] | None):
        self.turn, self.solve, self.progress = threading.Condition(), solve, progress
        self.count, self.running, self.rounds = count, count, 0
        self.asked: dict[int, Any] = {}
        self.answers: dict[int, Any] = {}
        self.latest: list[Any] = [None] * count

    def ask(self, k: int, wanted: tuple) -> Any:
        """One member's answer; called with `turn` held."""
        self.asked[k] = self.latest[k] = wanted
        self._answer()
        while k not in self.answers:
            self.turn.wait()
        answer = self.answers.pop(k)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def leave(self) -> None:
        """A member has ended."""
        self.running -= 1
        self._answer()

    def _answer(self) -> None:
        if not self.asked or len(self.asked) < self.running:
            return
        try:
            some = next(iter(self.asked.values()))
            rows = [some if row is None else row for row in self.latest]
            asked = np.isin(np.arange(self.count), list(self.asked))
            found = self.solve(Ask(asked, *(np.stack(column) for column in zip(*rows, strict=True))))
            self.answers |= {k: Answer(*(v[k] for v in found)) for k in self.asked}
            self._tell(found, asked)
        except Exception as error:  # every member that waits must hear of it, or none would ever end
            self.answers |= dict.fromkeys(self.asked, error)
        self.asked = {}
        self.turn.notify_all()

    def _tell(self, found: Answer, asked) -> None:
        self.rounds += 1
        if self.progress is not None:
            failed = int(np.sum(found.outcome[asked] != CONVERGED))
            most = int(found.iterations[asked].max())
            self.progress(Round(self.rounds, int(asked.sum()), self.running, most, failed))


class _Learnt(NamedTuple):
    """A member's word for its linear state, which lies on the device beside those of the others."""

    known: bool  # is what was learnt from the last tangent worth anything?

    def forgotten(self) -> None:
        """What follows depends on the next tangent alone."""


class _Seat(Evolution):
    """The evolution of one member: its steps are solved for together with those of the others."""

    def __init__(self, evolution: Evolution, meeting: _Meeting, number: int):
        self.__dict__.update(vars(evolution))
        self.meeting, self.number = meeting, number

    def step(self, formula: Formula, states, guess, t: float, drive: Drive, linear_state: Any = None) -> Result:
        """One step of a time formula from the newest states; alone where another solver is to help out."""
        if not self.newton.linear.knows_fields:
            return super().step(formula, states, guess, t, drive, linear_state)
        rate = formula.a * states[0] - formula.b * states[1] if formula.b else states[0]
        guess = self.with_given(guess, t, drive)
        known = linear_state is not None and linear_state.known
        times = (t / self.time_scale, formula.dte / self.time_scale)
        given = (known, states[0], rate, guess, *times, drive.prescribed, drive.value)
        found = self.meeting.ask(self.number, tuple(np.asarray(v) for v in given))
        reason = REASONS[found.outcome].format(iterations=found.iterations)
        learnt = _Learnt(bool(found.known))
        return Result(
            np.array(found.x), bool(found.outcome == CONVERGED), int(found.iterations), reason, {}, learnt,
            int(found.linear_iterations), 0, breakdown=bool(found.outcome == STAGNATED),
        )  # fmt: skip


def _check(members: Sequence[Member]) -> None:
    """The same mesh, unknowns and potentials; only numbers may differ.

    Raises:
        ConfigError: what differs, and in which member.
    """
    if not members:
        raise ConfigError("The ensemble has no members.")
    first = members[0].problem
    structure, shapes = _shape(first)
    for k, (problem, *_) in enumerate(members[1:], 2):
        where = f"Member {k} of the ensemble differs from the first in its"
        same = problem.mesh is first.mesh or (
            np.array_equal(problem.mesh.points, first.mesh.points)
            and np.array_equal(problem.mesh.cells, first.mesh.cells)
        )
        if not same:
            raise ConfigError(f"{where} mesh. Run a sweep, or one ensemble for each mesh.")
        if not np.array_equal(problem.lift.index, first.lift.index):
            raise ConfigError(f"{where} constraints: the same nodes must be held or tied; values may differ.")
        if _shape(problem) != (structure, shapes):
            raise ConfigError(
                f"{where} potentials, fields, kinematics or quadrature. Only numbers may differ: make variants by "
                "equinox.tree_at, or run a sweep."
            )


def _shape(problem: Problem):
    leaves, structure = jax.tree.flatten(problem.kernel())
    return structure, [v.shape for v in leaves]
