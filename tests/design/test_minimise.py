"""Minimisers: a curved valley, bounds, constraints, designs that cannot be evaluated."""

import numpy as np
import pytest

from chemomech.design import METHODS, Constraint, Evaluation, minimise
from chemomech.design.minimise import best
from chemomech.errors import ChemomechError, ConfigError

LOWER, UPPER = np.array([-2.0, -2.0]), np.array([2.0, 2.0])
START = np.array([-0.5, 1.0])


def valley(x):
    """(1 - x)^2 + 5 (y - x^2)^2, and x + y."""
    a, b = x
    values = np.array([(1 - a) ** 2 + 5 * (b - a**2) ** 2 + 1.0, a + b])
    return values, np.array([[-2 * (1 - a) - 20 * a * (b - a**2), 10 * (b - a**2)], [1.0, 1.0]])


def alone(x):
    values, slopes = valley(x)
    return values[:1], slopes[:1]


def required(method):
    if method == "MMA":
        pytest.importorskip("nlopt")
    return {"iterations": 400, "tolerance": 1e-10, "method": method}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_bottom(method):
    found = minimise(alone, START, LOWER, UPPER, **required(method))
    assert found.value == pytest.approx(1.0, abs=2e-2 if method == "adam" else 1e-4), found.message
    np.testing.assert_allclose(found.x, 1.0, atol=0.15 if method == "adam" else 0.03)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_are_kept(method):
    heard = []
    upper = np.array([0.5, 2.0])
    found = minimise(alone, START, LOWER, upper, heard=heard.append, **required(method))
    np.testing.assert_allclose(found.x, [0.5, 0.25], atol=0.05)
    assert all(np.all((e.x >= LOWER) & (e.x <= upper)) for e in heard)
    assert len(heard) == len(found.evaluations)


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "MMA"])
def test_inequalities_are_met(method):
    found = minimise(valley, START, LOWER, UPPER, constraints=[Constraint(upper=1.0)], **required(method))
    assert found.values[1] == pytest.approx(1.0, abs=1e-3)
    a = found.x[0]
    slopes = valley(found.x)[1][0]
    assert slopes[0] == pytest.approx(slopes[1], abs=2e-2), a  # along (1, 1): Lagrange's condition


@pytest.mark.parametrize("first", [0.0, 1e-17])
@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "MMA"])
def test_a_limit_on_what_vanishes_at_first(method, first):
    """Its bound tells how large it is: x + y <= 1 from the origin."""

    def circles(x):
        away = x - np.ones(2)
        return np.array([away @ away, x.sum() + first]), np.stack([2 * away, np.ones(2)])

    found = minimise(circles, np.zeros(2), LOWER, UPPER, constraints=[Constraint(upper=1.0)], **required(method))
    np.testing.assert_allclose(found.x, 0.5, atol=1e-3, err_msg=found.message)


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_equations_are_met(method):
    found = minimise(valley, START, LOWER, UPPER, constraints=[Constraint(0.7, 0.7)], **required(method))
    assert found.values[1] == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_they_come_back_from_designs_that_fail(method):
    """No value where x > 0.8: the best is at that edge."""
    failed = []

    def broken(x):
        if x[0] > 0.8:
            failed.append(x)
            raise ChemomechError("inverted")
        return alone(x)

    found = minimise(broken, START, LOWER, UPPER, **required(method))
    assert found.x[0] <= 0.8
    assert found.value < 1.2
    assert all(e.failure == "inverted" for e in found.evaluations if e.x[0] > 0.8)


def test_what_cannot_be_done_says_so():
    with pytest.raises(ConfigError, match="newton.*is unknown"):
        minimise(alone, START, LOWER, UPPER, method="newton")
    with pytest.raises(ConfigError, match="adam takes no constraints"):
        minimise(valley, START, LOWER, UPPER, method="adam", constraints=[Constraint(upper=1.0)])

    def never(x):
        raise ChemomechError("no such body")

    with pytest.raises(ChemomechError, match="first design cannot be evaluated: no such body"):
        minimise(never, START, LOWER, UPPER)
    with pytest.raises(ChemomechError, match="not finite"):
        minimise(lambda x: (np.array([np.nan]), np.zeros((1, 2))), START, LOWER, UPPER)


def test_equations_are_refused_by_mma():
    pytest.importorskip("nlopt")
    with pytest.raises(ConfigError, match="inequalities alone"):
        minimise(valley, START, LOWER, UPPER, method="MMA", constraints=[Constraint(0.7, 0.7)])


def test_the_best_design_meets_the_limits_before_it_is_small():
    def of(*values, failure=""):
        return Evaluation(np.zeros(1), np.array(values), np.zeros((len(values), 1)), failure)

    first, small, met, lost = of(4.0, 2.0), of(1.0, 3.0), of(3.0, 0.9), of(np.nan, np.nan, failure="inverted")
    below = [Constraint(upper=1.0)]
    assert best([first, small, met, lost], below) is met
    assert best([first, small, lost], below) is first  # misses it least
    free = [of(4.0), of(1.0), of(np.nan, failure="inverted"), of(3.0)]
    assert best(free) is free[1]
    assert best(free, maximise=True) is free[0]
