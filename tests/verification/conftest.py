"""Both linear solvers for the tests that solve systems."""

import pytest

import chemomech as cm


@pytest.fixture(scope="module", params=["HostDirect", "Krylov"])
def linear(request):
    """The solver that `Auto`, Newton's default, takes in a test: once each.

    Not for equilibria of given lithium content: they have c without mu, which Krylov does not know.
    """
    solver = getattr(cm, request.param)()
    for value in vars(request.module).values():
        if hasattr(value, "cache_clear"):  # results of the other solver
            value.cache_clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cm.Auto, "chosen", lambda self, size: (solver, "chosen by the test"))
        yield request.param
