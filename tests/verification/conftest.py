"""Both linear solvers for the tests that solve systems."""

import pytest

import chemomech as cm


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
