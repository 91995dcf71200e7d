"""One implicit step as one compiled function, for many parameter sets on one mesh side by side.

Newton's method of `solve/newton.py` with `UpdateTest`, the residual and tangent of `problem.py` and the field-split
GMRES, all inside one `vmap`; members that are not asked, or have ended, stand still and are not copied.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .coefficients import coefficients, groups, normals, places, relief_of, scalar_matrices, steady, varying
from .errors import ConfigError
from .evolution import Evolution, step_limit
from .fem.blocks import Blocks, build_blocks
from .problem import Drive, Problem, compiled, expand, residual
from .solve.border import Border
from .solve.compiled_gmres import gmres
from .solve.elastic_hierarchy import ElasticHierarchy
from .solve.fieldsplit import STRONG, Hierarchies, Memory, refresh, supported
from .solve.krylov import Krylov, Preconditioned, solve_bordered
from .solve.newton import STALLED, Newton, UpdateTest
from .solve.operators import on_device
from .solve.scalar_hierarchy import directions

AXIS = "members"
REASONS = (
    "converged",
    "no convergence in {iterations} iterations",
    "GMRES stagnated or met a number that is not finite. Try a smaller step.",
    "the iteration diverged",
    "the residual of the first guess is not finite",
)
CONVERGED, GOING, STAGNATED, DIVERGED, HOPELESS = range(5)


class Ask(NamedTuple):
    """A step wanted of each member; vectors are reduced and scaled."""

    asked: Bool[Array, " members"]
    known: Bool[Array, " members"]  # is what was learnt from the last tangent worth anything?
    prev: Float[Array, "members N"]
    rate: Float[Array, "members N"]
    guess: Float[Array, "members N"]
    t: Float[Array, " members"]
    dte: Float[Array, " members"]
    prescribed: Bool[Array, "members m"]
    value: Float[Array, "members m"]


class Answer(NamedTuple):
    """Where Newton ended, member by member."""

    x: Float[Array, "members N"]
    outcome: Int[Array, " members"]  # place among `REASONS`
    iterations: Int[Array, " members"]
    linear_iterations: Int[Array, " members"]
    known: Bool[Array, " members"]


class Body(NamedTuple):
    """What one member's parameters make of the mesh."""

    leaves: list[Any]  # of the problem
    border: Any  # constant parts of the border
    parts: dict[tuple[str, str], tuple[Any, Any]]  # constant parts of the blocks that change
    kept: dict[tuple[str, str], Any]
    scalars: tuple[Any, Any, Any]  # mass and gradient matrices, lumped mass
    steady: Any
    elastic: Any
    bounds: Float[Array, "2"]  # of c


class Frame(NamedTuple):
    """What all members share."""

    made: Hierarchies
    place: Int[Array, " pairs"]
    zero: Float[Array, " nnz"]
    groups: Any


class Rules(NamedTuple):
    """Numbers of the Newton iteration."""

    tol: float
    max_iterations: int
    gmres_iterations: int
    first_rtol: float
    tightest: float
    loosest: float

    @classmethod
    def of(cls, newton: Newton) -> Rules:
        """Those of a Newton solver.

        Raises:
            ConfigError: it has another test or linear solver.
        """
        if not isinstance(newton.test, UpdateTest) or not isinstance(newton.linear, Krylov):
            raise ConfigError("simulate_ensemble needs Newton with Krylov and an UpdateTest.")
        low, high = newton.linear.range_of_rtol
        first = newton.linear.first_rtol if newton.first_rtol is None else newton.first_rtol
        if newton.linear_rtol is not None:
            low = high = newton.linear_rtol
            first = max(first, low)
        return cls(newton.test.tol, newton.max_iterations, newton.linear.max_iterations, first, low, high)


class CompiledStep:
    """Newton steps of all members at once.

    Args:
        evolutions: of each member: same structure, same mesh.
        newton: with `Krylov` and `UpdateTest`.
        x: a state of each member.
    """

    def __init__(self, evolutions: Sequence[Evolution], newton: Newton, x: Float[np.ndarray, "members N"]):
        self.rules, problem = Rules.of(newton), evolutions[0].problem
        blocks = build_blocks(problem.mesh, problem.fields, problem.lift, problem.pattern)
        dtype = "float64" if newton.linear.precision == "double" else "float32"
        now = evolutions[0].expand(x[0])
        first = Evolution(problem, newton).tangent(x[0], (now, now, 0.0, 1.0), problem.drive())
        made = Hierarchies.of(first, dtype)
        zero, place = jnp.zeros(len(blocks.indices)), places(problem, blocks)
        bodies, preferred = zip(*(_body(e, made, blocks, place, zero) for e in evolutions), strict=True)
        if not _alike(preferred):
            made = dataclasses.replace(made, directed=None)
        bodies = _with_elastic_cycles(list(bodies), made, blocks)
        strong = any(
            b.steady and relief_of(e.problem, b.steady) > STRONG for e, b in zip(evolutions, bodies, strict=True)
        )
        made = dataclasses.replace(made, strong=strong)
        memory, frame = on_device(
            (made.memory(), dataclasses.replace(made, kept={}, elastic=None, stiffness=None, source=None))
        )
        self.frame = Frame(frame, place, zero, groups(blocks))
        self.shared, self.own, self.layout = _sorted_out(bodies)
        self.memory = jax.tree.map(lambda v: jnp.broadcast_to(v, (len(x), *v.shape)), memory)
        self.structure = jax.tree.structure(problem.kernel())

    def __call__(self, ask: Ask) -> Answer:
        """Answer every member that asks."""
        step = _compiled_step(self.structure, self.layout, self.rules)
        answer, self.memory = step(self.shared, self.own, self.frame, ask, self.memory)
        return Answer(*(np.asarray(v) for v in answer))


# --- set-up ---------------------------------------------------------------------------------------------------------


def _body(evolution: Evolution, made: Hierarchies, blocks: Blocks, place, zero) -> tuple[Body, Any]:
    """A member's own, and the directions of its diffusion where the first member's has some."""
    problem = evolution.problem
    x = evolution.start(problem.uniform(0.5))  # the reference state of `FieldParts`
    now = evolution.expand(x)
    leaves, structure = jax.tree.flatten(problem.kernel())
    given = (now, now, 0.0)

    def call(function, *args):
        return compiled(function, structure)(leaves, *args)

    constants = [(np.append(np.asarray(data), 0.0), border) for data, border in evolution.constants]

    def part(pair, k):
        slot = blocks.slot.get(pair)
        return None if slot is None else constants[k][0][slot]

    space = made.space
    changing = [
        (i, j) for rows, columns in made.changing for i in space.components(rows) for j in space.components(columns)
    ]
    parts = {pair: (part(pair, 0), part(pair, 1)) for pair in changing if pair in blocks.slot}
    kept = {pair: space.block(lambda p: part(p, 0), pair) for pair in made.kept}
    bounds = np.array(problem.domain if problem.domain is not None else (-np.inf, np.inf))
    border = [b for _, b in constants]
    if made.scalar is None:
        return Body(leaves, border, parts, kept, (None, None, None), None, made.elastic, bounds), None
    mass, K, gradient, *diffusion = (np.asarray(v) for v in call(scalar_matrices, x, *given, place, zero))
    preferred = None if made.directed is None else directions(*map(space.pattern.scipy, (K, *diffusion))).data
    lumped = space.pattern.matrix(np.abs(mass)) @ np.ones(blocks.size)
    fixed = call(steady, x, *given, normals(problem))
    return Body(leaves, border, parts, kept, (mass, gradient, lumped), fixed, made.elastic, bounds), preferred


def _alike(preferred: Sequence[Any]) -> bool:
    """Whether diffusion prefers the same directions in all members: one set of aggregates then serves them."""
    first = preferred[0]
    return first is None or all(np.allclose(v, first, rtol=0, atol=0.01 * np.abs(first).max()) for v in preferred)


def _with_elastic_cycles(bodies: list[Body], made: Hierarchies, blocks: Blocks) -> list[Body]:
    """A cycle for each member where their stiffnesses differ, on the first one's aggregates."""
    data = [body.kept.get(("u", "u")) for body in bodies]
    if made.elastic is None or data[0] is None or all(np.array_equal(v, data[0]) for v in data):
        return bodies
    matrices = [made.space.pattern.scipy(supported(made.space, v)).tocsr() for v in data]
    hierarchy = ElasticHierarchy(matrices[0], blocks.near_null, blocks.vertices, made.dtype)
    return [body._replace(elastic=hierarchy.refresh(A)) for body, A in zip(bodies, matrices, strict=True)]


def _sorted_out(bodies: list[Body]):
    """Arrays that all members share, stacks of those in which they differ, and how to put them together again."""
    flat = [jax.tree.flatten(on_device(body)) for body in bodies]
    leaves = list(zip(*(f[0] for f in flat), strict=True))
    arrays = [[np.asarray(v) for v in row] for row in leaves]
    differs = tuple(any(not np.array_equal(v, row[0], equal_nan=True) for v in row[1:]) for row in arrays)
    shared = [None if d else row[0] for d, row in zip(differs, leaves, strict=True)]
    own = [jnp.asarray(np.stack(row)) for d, row in zip(differs, arrays, strict=True) if d]
    return shared, own, (flat[0][1], differs)


# --- the step -------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=16)
def _compiled_step(structure, layout, rules: Rules):
    """The step of all members, compiled once for all ensembles of one structure."""
    body_structure, differs = layout

    def whole(shared, own, frame, ask, memory):
        def one(own, ask, memory):
            rest = iter(own)
            leaves = [next(rest) if d else v for d, v in zip(differs, shared, strict=True)]
            return _step(structure, jax.tree.unflatten(body_structure, leaves), frame, ask, memory, rules)

        return jax.vmap(one, axis_name=AXIS)(own, ask, memory)

    return jax.jit(whole, donate_argnums=4)


class _Iterate(NamedTuple):
    x: Any
    r: Any
    k: Any  # of the loop, the same for all members
    iterations: Any
    last: Any  # largest updates of the last two full steps; nan: none
    before: Any
    rtol: Any
    outcome: Any
    running: Any
    linear: Any
    slope: Any  # derivative of each global scalar's residual with respect to itself
    memory: Memory | None


def _step(structure, body: Body, frame: Frame, ask: Ask, memory, rules: Rules) -> tuple[Answer, Any]:
    """One member's step."""
    problem: Problem = jax.tree.unflatten(structure, body.leaves)
    drive = Drive(ask.prescribed, ask.value)
    given = (expand(problem, ask.rate), expand(problem, ask.prev), ask.t, ask.dte)
    mass, gradient, lumped = body.scalars
    made = dataclasses.replace(
        frame.made, kept=body.kept, mass=mass, gradient=gradient, lumped=lumped, elastic=body.elastic
    )
    method = functools.partial(gmres, members=AXIS, flexible=made.dtype == "float32")

    def residual_at(x):
        return residual(problem, x, *given, drive)

    def update(s: _Iterate):
        pairs, b, sums = varying(problem, body.border, frame.place, frame.zero, s.x, *given, ask.prescribed, ask.value)

        def values(pair):
            constant, rated = body.parts.get(pair, (None, None))
            terms = [constant, None if rated is None else ask.dte * rated, pairs.get(pair)]
            present = [v for v in terms if v is not None]
            return sum(present[1:], present[0]) if present else None

        blocks = {pair: made.space.block(values, pair) for pair in made.changing}
        k = None if made.scalar is None else coefficients(problem, sums, body.steady, frame.groups, ask.dte)
        new, learnt = refresh(made, blocks, k, s.memory)
        if made.strong:  # all members or none, else each would pay for both
            new = new._replace(again=jax.lax.pmax(new.again.astype(jnp.int32), AXIS) > 0)
        state = Preconditioned(made, new, Border(b.column, b.row, b.corner), learnt)
        wanted = jnp.where(s.running, -s.r, 0.0)  # the zero solution is found at once
        dx, its, reached = solve_bordered(
            state, wanted, s.rtol, transpose=False, max_iterations=rules.gmres_iterations, method=method
        )
        return dx, its, reached <= s.rtol, jnp.diag(b.corner), learnt

    def going(s: _Iterate):
        return (s.k < rules.max_iterations) & (jax.lax.pmax(s.running.astype(jnp.int32), AXIS) > 0)

    def iterate(s: _Iterate) -> _Iterate:
        dx, its, solved, slope, learnt = update(s)
        largest = jnp.maximum(jnp.max(jnp.abs(dx)), 0.0)
        finite = jnp.all(jnp.isfinite(dx))
        limit = step_limit(problem, s.x, dx, body.bounds) if "c" in problem.fields else jnp.ones(())
        x, r, step = _advanced(residual_at, s.x, dx, jnp.minimum(1.0, limit))
        full = step == 1.0
        before, last = jnp.where(full, s.last, jnp.nan), jnp.where(full, largest, jnp.nan)
        ratio = jnp.where(before > 0, last / before, 1.0)
        error = last * jnp.maximum(jnp.minimum(1.0, 10.0 * ratio**2), s.rtol)
        lost = ~(finite & jnp.all(jnp.isfinite(r)) & (largest <= 1e8))
        outcome = jnp.select([~solved, ~lost & (error < rules.tol), lost], [STAGNATED, CONVERGED, DIVERGED], GOING)
        wanted = jnp.where(full, 0.1 * rules.tol / jnp.maximum(error, rules.tol), 1.0)
        stalled = (last > STALLED * before) & jnp.isfinite(s.before)  # a third update or a later one
        wanted = jnp.where(stalled, jnp.minimum(wanted, STALLED**2 * s.rtol), wanted)
        rtol = jnp.clip(wanted, rules.tightest, rules.loosest)
        linear = s.linear + its
        new = _Iterate(
            x, r, s.k + 1, s.iterations + 1, last, before, rtol, outcome, outcome == GOING, linear, slope, learnt
        )
        kept = jax.tree.map(lambda a, b: jnp.where(s.running, a, b), new._replace(k=0), s._replace(k=0))
        return kept._replace(k=new.k)

    r = residual_at(ask.guess)
    hopeless = ~jnp.all(jnp.isfinite(r))
    memory = None if memory is None else memory._replace(known=ask.known)
    start = _Iterate(
        ask.guess, r, 0, 0, jnp.nan, jnp.nan, rules.first_rtol, jnp.where(hopeless, HOPELESS, GOING),
        ask.asked & ~hopeless, 0, jnp.zeros(len(ask.value)), memory,
    )  # fmt: skip
    start = jax.tree.map(jnp.asarray, start)
    s = jax.lax.while_loop(going, iterate, start)
    x = _with_exact_current(problem, residual_at, s.x, s.slope) if "V" in problem.scalars else s.x
    known = jnp.zeros((), bool) if s.memory is None else s.memory.known & (s.outcome <= GOING)
    x = jnp.where(s.outcome == CONVERGED, x, s.x)
    return Answer(x, s.outcome, s.iterations, s.linear, known), s.memory


def _advanced(residual_at, x, dx, step):
    """The new point, its residual, and the step taken: shorter where the residual would not be finite."""

    def unusable(carry):
        tries, _, r, _ = carry
        return (tries < 4) & ~jnp.all(jnp.isfinite(r))

    def halved(carry):
        tries, _, _, _ = carry
        taken = step * 0.5**tries
        return tries + 1, x + taken * dx, residual_at(x + taken * dx), taken

    start = (jnp.asarray(0), x, jnp.full_like(x, jnp.nan), step)
    tries, new, r, taken = jax.lax.while_loop(unusable, halved, start)
    return new, r, jnp.where(jnp.all(jnp.isfinite(r)), taken, 0.0)


def _with_exact_current(problem: Problem, residual_at, x, slope):
    """The voltage at which the reaction carries the given current to round-off, all else as it is."""
    k = problem.scalars.index("V")
    place, slope = problem.lift.size + k, slope[k]

    def corrected(_, x):
        change = residual_at(x)[place] / jnp.where(slope != 0.0, slope, 1.0)
        return x.at[place].add(-jnp.where(slope != 0.0, change, 0.0))

    return jax.lax.fori_loop(0, 2, corrected, x)
