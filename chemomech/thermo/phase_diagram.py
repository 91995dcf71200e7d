"""Phase diagram of one free energy of composition: spinodals, common tangents, the stable envelope, barriers.

Everything is a pure function of the energy's parameters under jit, vmap and grad. Where there is no gap the answer is
a gap of no width where the curvature is least on the grid, near where a gap would open, and `exists` is False.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..density import AbstractFreeEnergy, Host, Scalar
from ..errors import ConfigError
from ..physics import checks
from ..units import parse, quantities
from . import landscape, roots
from .landscape import Curve

COUNT = 401  # compositions on the grid: gaps narrower than two of its steps, 0.01, are taken for none
MOST = 4  # gaps that are kept
TURNS = 50  # in which an edge of a hull is found, at most: ends closer than round-off may take turns for ever
BEYOND = 18.0  # of ln(c/(1-c)): how far outside the grid a phase of an open domain is followed
Span = tuple[float, float] | None


class Spinodals(eqx.Module):
    """The unstable intervals, f'' < 0, from poor to rich.

    low, high: their ends [1]; exists: which entries are intervals; found: how many there are, kept or not.
    """

    low: Float[Array, " k"]
    high: Float[Array, " k"]
    exists: Bool[Array, " k"]
    found: Int[Array, ""]


class Gaps(eqx.Module):
    """The miscibility gaps: pairs of phases that share a tangent below which the energy never falls.

    low, high: compositions of the two phases [1]; mu: chemical potential of both [J/mol]; exists: which entries are
    gaps; found: how many there are, kept or not.
    """

    low: Float[Array, " k"]
    high: Float[Array, " k"]
    mu: Float[Array, " k"]
    exists: Bool[Array, " k"]
    found: Int[Array, ""]

    @property
    def width(self) -> Float[Array, " k"]:
        """high - low [1]"""
        return self.high - self.low


class Transition(eqx.Module):
    """One transformation at a given chemical potential of the reservoir: two wells and the saddle between them.

    low, saddle, high: compositions [1]; forward, backward: height of the saddle above the poor and above the rich well
    [J/m^3]; driving: how far the rich well lies below the poor one [J/m^3]. Beyond the spinodal a well is lost: its
    composition is the spinodal's, and its barrier 0.
    """

    low: Float[Array, ""]
    saddle: Float[Array, ""]
    high: Float[Array, ""]
    forward: Float[Array, ""]
    backward: Float[Array, ""]
    driving: Float[Array, ""]


def spinodals(
    psi: AbstractFreeEnergy, host: Host, span: Span = None, count: int = COUNT, most: int = MOST
) -> Spinodals:
    """The compositions at which a uniform state becomes unstable, f''(c) = 0.

    Args:
        psi: an energy of composition; one that reads strains needs `Free` or `Layer` around it.
        host: shared constants.
        span: first and last composition; None: the energy's domain or table, else (-0.5, 1.5) [1].
        count: compositions that are looked at.
        most: intervals that are kept.

    Raises:
        ConfigError: psi is no energy of composition alone.
    """
    return _spinodals(psi, host, _grid(psi, span, count), most)


def gaps(psi: AbstractFreeEnergy, host: Host, span: Span = None, count: int = COUNT, most: int = MOST) -> Gaps:
    """All common tangents of the stable envelope,  mu(low) = mu(high) = [f(high) - f(low)]/(high - low)

    The envelope is the lower convex hull of the energy on a grid, each of its chords then moved by Newton steps until
    it is tangent. A phase at the very end of an energy's span touches without being tangent there.

    Args:
        psi, host, span, count, most: as for `spinodals`.

    Raises:
        ConfigError: psi is no energy of composition alone.
    """
    return _gaps(psi, host, _grid(psi, span, count), most)


def stability_margin(psi: AbstractFreeEnergy, host: Host, span: Span = None, count: int = COUNT) -> Scalar:
    """The least f''/(R T c_max) over all compositions; below 0 there is a gap, at 0 it closes [1].

    A regular solution has 4 - 2 chi.
    """
    return _margin(psi, host, _grid(psi, span, count))


def critical_composition(psi: AbstractFreeEnergy, host: Host, span: Span = None, count: int = COUNT) -> Scalar:
    """The composition of least f'', where a gap closes last [1]."""
    return _critical_composition(psi, host, _grid(psi, span, count))


def closing(margin: Callable[[Scalar], Scalar], low: float, high: float) -> tuple[Scalar, Bool[Array, ""]]:
    """Where a gap closes: the root of a `stability_margin` that depends on one number, and whether there is one.

    Without a change of sign between low and high: the end at which the margin is nearer to 0, and False.

    Args:
        margin: such as  lambda T: stability_margin(psi, Host(c_max, T)).
        low, high: the interval that is searched.
    """
    ends = margin(jnp.asarray(low, dtype=float)) * margin(jnp.asarray(high, dtype=float))
    return roots.bracketed(margin, low, high), ends <= 0


@quantities(low="K", high="K")
def critical_temperature(
    psi: AbstractFreeEnergy, host: Host, low: float = 1.0, high: float = 5000.0, span: Span = None
) -> tuple[Scalar, Bool[Array, ""]]:
    """The temperature above which there is no gap [K], and whether it lies between low and high."""
    return _critical_temperature(psi, host, low, high, _grid(psi, span, COUNT))


def gaps_at(psi: AbstractFreeEnergy, host: Host, T: Float[Array, " n"], span: Span = None, most: int = MOST) -> Gaps:
    """The gaps at every temperature; each field has one more axis in front.

    Args:
        T: temperatures [K].

    Raises:
        ConfigError: T is no row of positive numbers.
    """
    T = parse(T, "K", name="T")
    if np.ndim(T) != 1:
        raise ConfigError(f"T has shape {np.shape(T)}: gaps_at takes a row of temperatures, such as [T].")
    if not isinstance(T, jax.core.Tracer):
        checks.positive(np.asarray(T), "T", "K")
    return _gaps_at(psi, host, jnp.asarray(T), _grid(psi, span, COUNT), most)


def at_temperature(host: Host, T: Scalar) -> Host:
    """The same material at T [K]."""
    return Host(host.c_max, T, host.gas_constant, host.faraday)


def envelope(psi: AbstractFreeEnergy, host: Host, known: Gaps, c: Scalar) -> Scalar:
    """The energy of the stable state at mean composition c: on a gap's tangent inside it, else psi [J/m^3].

    Args:
        known: from `gaps`.
        c: mean composition [1].
    """
    inside, k = _gap_around(known, c)
    touching = known.low[k]
    chord = landscape.energy(psi, host, touching) + host.c_max * known.mu[k] * (c - touching)
    return jnp.where(inside, chord, landscape.energy(psi, host, c))


def stable_potential(psi: AbstractFreeEnergy, host: Host, known: Gaps, c: Scalar) -> Scalar:
    """mu of the stable state at mean composition c, a staircase: constant inside a gap [J/mol]."""
    inside, k = _gap_around(known, c)
    return jnp.where(inside, known.mu[k], landscape.potential(psi, host, c))


@quantities(tilt="J/mol")
def transition(
    psi: AbstractFreeEnergy, host: Host, tilt: Scalar = 0.0, gap: int = 0, span: Span = None, count: int = COUNT
) -> Transition:
    """Wells, saddle, barriers and driving force of psi - c_max mu c at mu = mu(gap) + tilt.

    Args:
        tilt: chemical potential of the reservoir less that of coexistence, positive favours the rich phase [J/mol].
        gap: which gap, counted from the poor side.
        psi, host, span, count: as for `spinodals`.

    Raises:
        ConfigError: the tilt is NaN, or no such gap is kept.
    """
    landscape.require_number(tilt, "tilt", "J/mol")
    known = gaps(psi, host, span, count)
    return transition_of(psi, host, known, known.mu[_kept(gap, known)] + tilt, gap, span, count)


@quantities(mu="J/mol")
def transition_at(
    psi: AbstractFreeEnergy, host: Host, mu: Scalar, gap: int = 0, span: Span = None, count: int = COUNT
) -> Transition:
    """The same at a chemical potential of the reservoir [J/mol]."""
    return transition_of(psi, host, gaps(psi, host, span, count), mu, gap, span, count)


@quantities(mu="J/mol")
def transition_of(
    psi: AbstractFreeEnergy, host: Host, known: Gaps, mu: Scalar, gap: int = 0, span: Span = None, count: int = COUNT
) -> Transition:
    """The same where the gaps are known already, from `gaps`."""
    landscape.require_number(mu, "mu", "J/mol")
    return _transition(psi, host, known, jnp.asarray(mu, dtype=float), _kept(gap, known), _grid(psi, span, count))


def barrier(psi: AbstractFreeEnergy, host: Host, known: Gaps, gap: int = 0) -> Scalar:
    """Height of the saddle between two phases above the tangent that they share; 0 where there is no gap [J/m^3].

    The barrier of `transition` without tilt, whose spinodals and wells need not be found.

    Args:
        psi: an energy of composition.
        host: shared constants.
        known: from `gaps`.
        gap: which gap, counted from the poor side.

    Raises:
        ConfigError: no such gap is kept.
    """
    return _barrier(psi, host, known, _kept(gap, known))


def up_to(gap: int) -> int:
    """How many gaps must be kept for one of them, counted from the poor side: those beyond need not be found.

    Raises:
        ConfigError: it is negative.
    """
    if gap < 0:
        raise ConfigError(f"gap = {gap}: gaps are counted from 0, from the poor side.")
    return gap + 1


def _kept(gap: int, known: Gaps) -> int:
    if not 0 <= gap < len(known.low):
        raise ConfigError(f"gap = {gap}: gaps are counted from 0 to {len(known.low) - 1}, from the poor side.")
    return gap


# --- how they are found ---


def _grid(psi, span, count):
    return landscape.grid_of(psi, span, count)


@eqx.filter_jit
def _spinodals(psi, host, grid, most):
    c = jnp.asarray(grid.points)
    curvatures = landscape.on_grid(landscape.second, psi, host, c)
    return Spinodals(*intervals(landscape.second(landscape.scaled(psi, host)), c, curvatures, most))


def intervals(
    f: Curve, c: Float[Array, " n"], values: Float[Array, " n"], most: int
) -> tuple[Float[Array, " k"], Float[Array, " k"], Bool[Array, " k"], Int[Array, ""]]:
    """Where f < 0: lower and upper ends of the first intervals, which of them exist, and how many there are.

    Those that are missing have no width and lie where f is least on the grid; one that reaches an end of the grid ends
    there.

    Args:
        f: a function of one number.
        c, values: increasing numbers, and f at them.
        most: intervals that are kept.
    """
    negative = values < 0
    before = jnp.concatenate([jnp.zeros(1, bool), negative[:-1]])
    after = jnp.concatenate([negative[1:], jnp.zeros(1, bool)])
    starts, found = _first(negative & ~before, most)
    stops, _ = _first(negative & ~after, most)
    exists = jnp.arange(most) < found
    none = c[jnp.argmin(values)]

    def crossing(inner, outer):
        return roots.bracketed(f, c[jnp.minimum(inner, outer)], c[jnp.maximum(inner, outer)])

    inner = jnp.concatenate([starts, stops])
    outer = jnp.clip(inner + jnp.repeat(jnp.array([-1, 1]), most), 0, len(c) - 1)
    ends = jnp.where(jnp.tile(exists, 2), jax.vmap(crossing)(inner, outer), none)
    return ends[:most], ends[most:], exists, found


@eqx.filter_jit
def _gaps(psi, host, grid, most):
    f, c = landscape.scaled(psi, host), jnp.asarray(grid.points)
    values = landscape.on_grid(lambda f: f, psi, host, c)
    left, right, found = chords(c, values, most)
    none = _least_bent(grid.points, values)
    exists = jnp.arange(most) < found
    low, high = jax.vmap(lambda i, j: _tangent(f, c, i, j, grid.open))(left, right)
    low, high = jnp.where(exists, low, none), jnp.where(exists, high, none)
    return Gaps(low, high, coexistence(psi, host, low, high), exists, found)


def coexistence(
    psi: AbstractFreeEnergy, host: Host, low: Float[Array, " k"], high: Float[Array, " k"]
) -> Float[Array, " k"]:
    """mu of the chords between given phases [J/mol].

    Between those of a common tangent it is stationary: as psi changes, mu moves as if the phases stayed.
    """
    f = landscape.scaled(psi, host)
    return host.RT * jax.vmap(lambda a, b: _chord(f, a, b)[0])(low, high)


def _chord(f, a, b):
    """Slope of the chord from a to b, f' where it has no length, and f' at both."""
    values, slopes = jax.vmap(lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),)))(jnp.stack([a, b]))
    return jnp.where(b == a, slopes[0], roots.divide(values[1] - values[0], b - a)), slopes


def _least_bent(c: Float[np.ndarray, " n"], f: Float[Array, " n"]) -> Scalar:
    """The composition on the grid where the second divided difference is least."""
    step = np.diff(c)
    bend = jnp.diff(jnp.diff(f) / step) / (c[2:] - c[:-2])
    even = np.minimum(step[1:], step[:-1]) > 0.2 / len(c)  # closer points differ by round-off
    return jnp.asarray(c)[1 + jnp.argmin(jnp.where(even, bend, jnp.inf))]


def chords(
    c: Float[Array, " n"], f: Float[Array, " n"], most: int
) -> tuple[Int[Array, " k"], Int[Array, " k"], Int[Array, ""]]:
    """Edges of the lower convex hull that skip points of the grid: first and last point of each, and how many.

    Each passes below a point that lies above the chord of its neighbours. Its ends are found in turn: the lowest slope
    from one to a point beyond, the steepest from there back, until neither moves, in three or four turns.
    """
    n, at = len(c), jnp.arange(len(c), dtype=jnp.int32)
    noise = 4 * jnp.finfo(f.dtype).eps * jnp.max(jnp.abs(f))
    f = f - (f[0] + (f[-1] - f[0]) / (c[-1] - c[0]) * (c - c[0]))
    between = f[:-2] + (c[1:-1] - c[:-2]) / (c[2:] - c[:-2]) * (f[2:] - f[:-2])
    skipped = jnp.pad(f[1:-1] - between >= -noise, 1)  # by some edge

    def touching(k, side):
        """The point of one side that a line from point k under all of them touches; of several one that is far."""
        steepness = jnp.where(side, (f - f[k] + noise) / jnp.where(side, jnp.abs(c - c[k]), 1.0), jnp.inf)
        return jnp.argmin(steepness).astype(at.dtype)

    def edge(over):
        left, right = at < over, at > over

        def turn(state):
            i, j, _, k = state
            to = touching(i, right)
            back = touching(to, left)
            return back, to, (back != i) | (to != j), k + 1

        i, j, *_ = jax.lax.while_loop(lambda state: state[2] & (state[3] < TURNS), turn, (over - 1, over + 1, True, 0))
        on = f - f[i] - (f[j] - f[i]) / (c[j] - c[i]) * (c - c[i]) <= noise  # also beyond, where the energy is straight
        return jnp.min(jnp.where(on, at, n)), jnp.max(jnp.where(on, at, 0))

    def following(state):
        over, first, last, found = state
        i, j = edge(jnp.clip(over, 1, n - 2))
        here = jnp.arange(most) == found
        first, last = jnp.where(here, i, first), jnp.where(here, j, last)
        return jnp.min(jnp.where(skipped & (at > j), at, n)), first, last, found + 1

    none = jnp.zeros(most, at.dtype)
    start = jnp.min(jnp.where(skipped, at, n)), none, none + 1, jnp.int32(0)
    _, first, last, found = jax.lax.while_loop(lambda state: state[0] < n, following, start)
    return first, last, found


@eqx.filter_jit
def _gaps_at(psi, host, T, grid, most):
    return jax.vmap(lambda t: _gaps(psi, at_temperature(host, t), grid, most))(T)


@eqx.filter_jit
def _margin(psi, host, grid):
    f = landscape.scaled(psi, host)
    return landscape.second(f)(_softest(psi, host, jnp.asarray(grid.points)))


@eqx.filter_jit
def _critical_composition(psi, host, grid):
    return _softest(psi, host, jnp.asarray(grid.points))


@eqx.filter_jit
def _critical_temperature(psi, host, low, high, grid):
    return closing(lambda T: _margin(psi, at_temperature(host, T), grid), low, high)


def _first(flags: Bool[Array, " n"], most: int) -> tuple[Int[Array, " k"], Int[Array, ""]]:
    """Where the first `most` flags are, 0 for those that are missing, and how many there are.

    One smallest number after the other: a batch is read a few times, where `jnp.nonzero` would write it out.
    """
    n, last, places = len(flags), jnp.int32(-1), []
    at = jnp.arange(n, dtype=jnp.int32)
    for _ in range(most):
        last = jnp.min(jnp.where(flags & (at > last), at, n))
        places.append(jnp.where(last < n, last, 0))
    return jnp.stack(places), jnp.sum(flags)


def _tangent(f: Curve, c, i, j, logistic):
    """The common tangent next to the chord from grid point i to j; an end of the grid stays where it is."""
    last = len(c) - 1
    at_start, at_end = (False, False) if logistic else (i == 0, j == last)

    def composition(y):  # mu is nearly linear in y = ln(c/(1-c)) next to 0 and 1
        return jax.nn.sigmoid(y) if logistic else y

    def inverse(c):
        return jnp.log(c) - jnp.log1p(-c) if logistic else c

    def miss(y):
        a, b = composition(y[0]), composition(y[1])
        chord, (at_a, at_b) = _chord(f, a, b)
        first = jnp.where(at_start, y[0] - inverse(c[0]), at_a - chord)
        return jnp.stack([first, jnp.where(at_end, y[1] - inverse(c[-1]), at_b - chord)])

    around = jnp.stack([inverse(c[jnp.clip(k, 0, last)]) for k in (i - 1, i, i + 1, j - 1, j, j + 1)])
    lower, upper = around[jnp.array([0, 3])], around[jnp.array([2, 5])]
    if logistic:
        lower, upper = (
            lower.at[0].add(jnp.where(i == 0, -BEYOND, 0.0)),
            upper.at[1].add(jnp.where(j == last, BEYOND, 0.0)),
        )
    y = roots.newton(miss, around[jnp.array([1, 4])], lower, upper)
    return composition(y[0]), composition(y[1])


def _softest(psi, host, c) -> Scalar:
    """Where f'' is least: a root of f''' next to the least on the grid."""
    bend = landscape.second(landscape.scaled(psi, host))
    k = jnp.argmin(landscape.on_grid(landscape.second, psi, host, c))
    return roots.bracketed(landscape.slope(bend), c[jnp.maximum(k - 1, 0)], c[jnp.minimum(k + 1, len(c) - 1)])


def _gap_around(known, c):
    inside = known.exists & (known.low < c) & (c < known.high)
    return jnp.any(inside), jnp.argmax(inside)


@eqx.filter_jit
def _barrier(psi, host, known, gap):
    f, target = landscape.scaled(psi, host), known.mu[gap] / host.RT
    low, high = known.low[gap], known.high[gap]
    saddle = _saddle(f, target, low, high)
    above = f(saddle) - f(low) - target * (saddle - low)
    return jnp.where(known.exists[gap], host.RT * host.c_max * above, 0.0)


def _saddle(f: Curve, target, low, high):
    """Where f - target c is highest between two compositions."""
    between = jax.lax.stop_gradient(low + jnp.linspace(0.0, 1.0, 129) * (high - low))
    heights = jax.lax.stop_gradient(jax.vmap(f)(between) - target * between)
    k, slope = jnp.clip(jnp.argmax(heights), 1, 127), landscape.slope(f)
    return roots.bracketed(lambda x: slope(x) - target, between[k - 1], between[k + 1])


@eqx.filter_jit
def _transition(psi, host, known, mu, gap, grid):
    unstable = _spinodals(psi, host, grid, MOST)
    f, c = landscape.scaled(psi, host), grid.points
    slope, target = landscape.slope(f), mu / host.RT
    low, high = known.low[gap], known.high[gap]

    def well(a, b):
        return roots.bracketed(lambda x: slope(x) - target, a, b)

    inside = unstable.exists & (unstable.low >= low) & (unstable.high <= high)
    first, last = jnp.argmax(inside), len(inside) - 1 - jnp.argmax(inside[::-1])
    poor_end, rich_end = unstable.low[first], unstable.high[last]
    # the branch of each well ends at the spinodals of the gaps beside it
    beyond_left = jnp.max(jnp.where(unstable.exists & (unstable.high <= low), unstable.high, c[0]))
    beyond_right = jnp.min(jnp.where(unstable.exists & (unstable.low >= high), unstable.low, c[-1]))
    poor, rich = jax.vmap(well)(jnp.stack([beyond_left, rich_end]), jnp.stack([poor_end, beyond_right]))
    saddle = _saddle(f, target, poor, rich)
    saddle = jnp.where(poor == poor_end, poor_end, jnp.where(rich == rich_end, rich_end, saddle))
    there, volume = known.exists[gap], host.RT * host.c_max

    states = jnp.where(there, jnp.stack([poor, saddle, rich]), low)
    omega = volume * (jax.vmap(f)(states) - target * states)

    def above(x, y):
        return jnp.where(there, omega[x] - omega[y], 0.0)

    return Transition(states[0], states[1], states[2], above(1, 0), above(1, 2), above(0, 2))
