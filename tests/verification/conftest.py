"""Both linear solvers for the tests that solve systems."""

import os

import pytest

import chemomech as cm


def pytest_collection_modifyitems(config, items):
    """Of long runs over a parameter, such as a seed, Krylov repeats the first or none, and all if CHEMOMECH_ALL=2."""
    if os.environ.get("CHEMOMECH_ALL") == "2":
        return
    first, again = {}, set()
    for item in items:
        if mark := item.get_closest_marker("repetition"):
            known = [item.callspec.params[name] for name in mark.args]
            repeated = not known or first.setdefault(item.originalname, known) != known
            if repeated and item.callspec.params["solver"] == "Krylov":
                again.add(item)
    config.hook.pytest_deselected(items=list(again))
    items[:] = [item for item in items if item not in again]


@pytest.fixture(scope="module", params=["HostDirect", "Krylov"])
def solver(request):
    """Once for a whole module, so that what its tests share is computed once for each solver."""
    for value in vars(request.module).values():
        if hasattr(value, "cache_clear"):  # results of the other solver
            value.cache_clear()
    return request.param


@pytest.fixture
def linear(solver, monkeypatch):
    """The solver that `Auto`, Newton's default, takes in this test: once each.

    Not for equilibria of given lithium content: they have c without mu, which Krylov does not know.
    """
    made = getattr(cm, solver)()
    monkeypatch.setattr(cm.Auto, "chosen", lambda self, size: (made, "chosen by the test"))
    return solver
