"""Minimisers of well-kept libraries under one call: SciPy's, optax' and NLopt's, between bounds and with constraints.

All work on numbers scaled to their bounds, and on values over their `units`. A design that cannot be evaluated
(an inverted cell, a step that fails) looks to them like a steep cone around the best design so far, so that they
come back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..errors import ChemomechError, ConfigError

CONE = 10.0  # slope around the best design, per width of the bounds and per first value
MISSED = 1e-4  # of a constraint's unit: what it may be missed by
FREE = ("L-BFGS-B", "adam", "lbfgs")  # methods without constraints
METHODS = (*FREE, "SLSQP", "trust-constr", "MMA")


class Constraint(NamedTuple):
    """lower <= value <= upper; equal bounds: an equation."""

    lower: float = -np.inf
    upper: float = np.inf

    def violation(self, value: float) -> float:
        """By how much it is missed."""
        return max(self.lower - value, value - self.upper, 0.0)


class Evaluation(NamedTuple):
    """A design and what is known of it."""

    x: Float[np.ndarray, " p"]
    values: Float[np.ndarray, " m"]  # objective, then constraints
    jacobian: Float[np.ndarray, "m p"]
    failure: str = ""  # why there are no values


class Optimum(NamedTuple):
    """The best design that was found."""

    x: Float[np.ndarray, " p"]
    value: float
    values: Float[np.ndarray, " m"]
    evaluations: tuple[Evaluation, ...]
    message: str


def units(values: Float[np.ndarray, " m"], constraints: Sequence[Constraint] = ()) -> Float[np.ndarray, " m"]:
    """What values are measured in: those of the first design, or bounds that are larger; 1 where all vanish."""
    bounds = [max((abs(bound) for bound in c if np.isfinite(bound)), default=0.0) for c in constraints]
    size = np.maximum(np.abs(values), [0.0, *bounds])
    return np.where(size > 0.0, size, 1.0)


def best(
    evaluations: Sequence[Evaluation], constraints: Sequence[Constraint] = (), *, maximise: bool = False
) -> Evaluation:
    """The least objective of those that meet the constraints, else the one that misses them least.

    Args:
        evaluations: the first of them succeeded.
        constraints: of the values after the first.
        maximise: the largest instead.
    """
    unit, sign = units(evaluations[0].values, constraints), -1.0 if maximise else 1.0

    def violation(e: Evaluation) -> float:
        rows = zip(constraints, e.values[1:], unit[1:], strict=True)
        return max((c.violation(value) / size for c, value, size in rows), default=0.0)

    good = [e for e in evaluations if not e.failure]
    met = [e for e in good if violation(e) <= MISSED]
    return min(met, key=lambda e: sign * e.values[0]) if met else min(good, key=violation)


Evaluate = Callable[[Float[np.ndarray, " p"]], tuple[Any, Any]]


def minimise(
    evaluate: Evaluate, start: Float[np.ndarray, " p"], lower: Float[np.ndarray, " p"],
    upper: Float[np.ndarray, " p"], *, constraints: Sequence[Constraint] = (), method: str | None = None,
    iterations: int = 50, tolerance: float = 1e-5, heard: Callable[[Evaluation], None] = lambda evaluation: None,
) -> Optimum:  # fmt: skip
    """Find the numbers of the least value.

    Args:
        evaluate: x -> values (objective, then constraints) and their Jacobian; raises `ChemomechError` where it cannot.
        start: first numbers.
        lower: bounds.
        upper: bounds.
        constraints: of the values after the first.
        method: "L-BFGS-B" (default), "SLSQP" (default with constraints), "trust-constr", "MMA" (inequalities; needs
            nlopt), "adam" or "lbfgs" (optax).
        iterations: at most.
        tolerance: relative change of the objective at which it ends.
        heard: hears every evaluation.

    Raises:
        ConfigError: the method is unknown, cannot take the constraints, or is not installed.
        ChemomechError: the first design cannot be evaluated.
    """
    method = method or ("SLSQP" if constraints else "L-BFGS-B")
    if method not in METHODS:
        raise ConfigError(f'method = "{method}" is unknown. Use one of {", ".join(METHODS)}.')
    if constraints and method in FREE:
        raise ConfigError(f"{method} takes no constraints. Use SLSQP, trust-constr or MMA, or leave the method out.")
    seen = _Seen(evaluate, np.asarray(lower, float), np.asarray(upper, float), tuple(constraints), heard)
    first = seen.at(seen.scaled(np.clip(start, lower, upper)))
    if first.failure:
        raise ChemomechError(f"The first design cannot be evaluated: {first.failure}")
    seen.units = units(first.values, constraints)
    message = _METHODS[method](seen, seen.scaled(first.x), iterations, tolerance)
    found = seen.best()
    return Optimum(found.x, float(found.values[0]), found.values, tuple(seen.evaluations), message)


@dataclasses.dataclass
class _Seen:
    """Evaluations so far, and the scaled problem that a minimiser sees: u in [0, 1], values of order one."""

    evaluate: Evaluate
    lower: np.ndarray
    upper: np.ndarray
    constraints: tuple[Constraint, ...]
    heard: Callable[[Evaluation], None]
    evaluations: list[Evaluation] = dataclasses.field(default_factory=list)
    units: Any = 1.0  # of values, once the first are known

    @property
    def width(self) -> np.ndarray:
        return self.upper - self.lower

    def scaled(self, x: Any) -> np.ndarray:
        return (np.asarray(x, float) - self.lower) / self.width

    def at(self, u: np.ndarray) -> Evaluation:
        """What is known of a design; each is evaluated once."""
        x = np.clip(self.lower + np.clip(u, 0.0, 1.0) * self.width, self.lower, self.upper)
        for known in reversed(self.evaluations):
            if np.array_equal(known.x, x):
                return known
        try:
            values, jacobian = (np.asarray(v, float) for v in self.evaluate(x))
            if not (np.all(np.isfinite(values)) and np.all(np.isfinite(jacobian))):
                raise ChemomechError("a value or a gradient is not finite")
            found = Evaluation(x, values, jacobian)
        except ChemomechError as error:
            count = 1 + len(self.constraints)
            found = Evaluation(x, np.full(count, np.nan), np.full((count, len(x)), np.nan), str(error))
        self.evaluations.append(found)
        self.heard(found)
        return found

    def of(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled values and Jacobian; of a design that failed, a cone around the best one."""
        found = self.at(u)
        if not found.failure:
            return found.values / self.units, found.jacobian * self.width / self.units[:, None]
        centre = self.best()
        away = self.scaled(found.x) - self.scaled(centre.x)
        distance = float(np.linalg.norm(away)) or 1.0
        values, slopes = centre.values / self.units, np.tile(0.0 * away, (len(centre.values), 1))
        values[0], slopes[0] = values[0] + CONE * distance, CONE * away / distance
        return values, slopes

    def best(self) -> Evaluation:
        """The best design so far."""
        return best(self.evaluations, self.constraints)

    def rows(self) -> list[tuple[int, float, float, bool]]:
        """Constraints as (row, sign, bound, equation): sign (value - bound) >= 0, scaled."""
        out = []
        for k, (low, high) in enumerate(self.constraints, 1):
            unit = self.units[k]
            if low == high:
                out.append((k, 1.0, low / unit, True))
                continue
            out += [(k, 1.0, low / unit, False)] if np.isfinite(low) else []
            out += [(k, -1.0, high / unit, False)] if np.isfinite(high) else []
        return out


def _lbfgsb(seen: _Seen, u: np.ndarray, iterations: int, tolerance: float) -> str:
    from scipy.optimize import minimize

    found = minimize(
        lambda u: (seen.of(u)[0][0], seen.of(u)[1][0]), u, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(u),
        options={"maxiter": iterations, "ftol": tolerance, "gtol": tolerance},
    )  # fmt: skip
    return str(found.message)


def _slsqp(seen: _Seen, u: np.ndarray, iterations: int, tolerance: float) -> str:
    from scipy.optimize import minimize

    constraints = [
        {
            "type": "eq" if equation else "ineq",
            "fun": lambda u, k=k, s=s, b=b: s * (seen.of(u)[0][k] - b), "jac": lambda u, k=k, s=s: s * seen.of(u)[1][k],
        }
        for k, s, b, equation in seen.rows()
    ]  # fmt: skip
    found = minimize(
        lambda u: (seen.of(u)[0][0], seen.of(u)[1][0]), u, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * len(u),
        constraints=constraints, options={"maxiter": iterations, "ftol": tolerance},
    )  # fmt: skip
    return str(found.message)


def _trust_constr(seen: _Seen, u: np.ndarray, iterations: int, tolerance: float) -> str:
    from scipy.optimize import BFGS, Bounds, NonlinearConstraint, minimize

    rows = list(range(1, 1 + len(seen.constraints)))
    low, high = (np.array([c[side] for c in seen.constraints]) / np.broadcast_to(seen.units, (len(rows) + 1,))[1:]
                 for side in (0, 1))  # fmt: skip
    within = [
        NonlinearConstraint(lambda u: seen.of(u)[0][rows], low, high, jac=lambda u: seen.of(u)[1][rows], hess=BFGS())
    ]
    found = minimize(
        lambda u: seen.of(u)[0][0], u, jac=lambda u: seen.of(u)[1][0], hess=BFGS(), method="trust-constr",
        bounds=Bounds(0.0, 1.0, keep_feasible=True), constraints=within if rows else (),
        options={"maxiter": iterations, "gtol": tolerance, "xtol": tolerance, "initial_tr_radius": 0.1},
    )  # fmt: skip
    return str(found.message)


def _mma(seen: _Seen, u: np.ndarray, iterations: int, tolerance: float) -> str:
    try:
        import nlopt
    except ImportError:
        raise ConfigError('MMA needs nlopt: pip install "chemomech[opt]". Or use SLSQP.') from None
    if any(equation for *_, equation in seen.rows()):
        raise ConfigError("MMA takes inequalities alone. Give the constraint two bounds, or use SLSQP.")
    made = nlopt.opt(nlopt.LD_MMA, len(u))
    made.set_lower_bounds(np.zeros(len(u)))
    made.set_upper_bounds(np.ones(len(u)))
    made.set_ftol_rel(tolerance)
    made.set_maxeval(iterations)

    def row(k, sign, bound):
        def of(u, gradient):
            values, slopes = seen.of(np.array(u))
            if gradient.size:
                gradient[:] = sign * slopes[k]
            return float(sign * (values[k] - bound))

        return of

    made.set_min_objective(row(0, 1.0, 0.0))
    for k, sign, bound, _ in seen.rows():
        made.add_inequality_constraint(row(k, -sign, bound), 1e-6)
    try:
        made.optimize(u)
    except nlopt.RoundoffLimited:
        return "MMA: as far as round-off lets it go"
    return f"MMA: code {made.last_optimize_result()}, {made.get_numevals()} evaluations"


def _optax(rule: Callable[[], Any], length: float, search: bool) -> Callable[..., str]:
    """Projected steps of an optax rule; with `search` each is halved until the objective falls."""

    def run(seen: _Seen, u: np.ndarray, iterations: int, tolerance: float) -> str:
        made = rule()
        state, quiet, fresh = made.init(u), 0, True
        for _ in range(iterations):
            value, slope = seen.of(u)[0][0], seen.of(u)[1][0]
            slope = np.where(((u <= 0) & (slope > 0)) | ((u >= 1) & (slope < 0)), 0.0, slope)  # at its bounds
            step, state = made.update(slope, state, u)
            after, fall = _stepped(seen, u, np.where(slope == 0.0, 0.0, step), length, value, slope, search)
            if fall <= 0 and search:  # what is remembered of other bounds misleads: once more without
                if fresh:
                    return "no step along the gradient makes the objective smaller"
                state, fresh = made.init(u), True
                continue
            u, fresh = after, False
            quiet = quiet + 1 if abs(fall) <= tolerance else 0
            if quiet >= 3:
                return "the objective has stopped changing"
        return f"{iterations} iterations"

    return run


def _stepped(seen, u, step, length: float, value: float, slope, search: bool) -> tuple[np.ndarray, float]:
    """Where a step leads to within the bounds, and by how much the objective falls."""
    size = length
    while True:
        after = np.clip(u - size * np.asarray(step, float), 0.0, 1.0)
        fall = value - seen.of(after)[0][0]
        if not search or fall >= 1e-4 * slope @ (u - after) > 0.0:
            return after, fall
        size *= 0.5
        if size < 1e-4 * length:
            return u, 0.0


def _adam() -> Any:
    import optax

    return optax.scale_by_adam(b2=0.9)


def _lbfgs() -> Any:
    import optax

    return optax.scale_by_lbfgs(memory_size=10)


_METHODS: dict[str, Callable[..., str]] = {
    "L-BFGS-B": _lbfgsb, "SLSQP": _slsqp, "trust-constr": _trust_constr, "MMA": _mma,
    "adam": _optax(_adam, 0.05, search=False), "lbfgs": _optax(_lbfgs, 0.5, search=True),
}  # fmt: skip
