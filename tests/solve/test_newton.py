"""How accurately Newton's method wants its linear systems solved."""

import pytest

import chemomech as cm
from chemomech.solve.newton import STALLED, UpdateTest


@pytest.mark.parametrize(
    ("updates", "stalled"),
    [([1.0], False), ([1.0, 0.5], False), ([1.0, 1e-2], False), ([1.0, 0.5, 0.3], True), ([1.0, 1e-2, 5e-3], True),
     ([1.0, 0.5, 1e-2], False)],
)  # fmt: skip
def test_a_third_update_that_hardly_falls_asks_for_a_better_solve(updates, stalled):
    """The second may hardly fall, as the first is long where the problem is far from linear."""
    newton, tol, rtol = cm.Newton(linear=cm.Krylov(), test=UpdateTest(tol=1e-4)), 1e-4, 1e-2
    ratio = updates[-1] / updates[-2] if len(updates) > 1 else 1.0
    error = updates[-1] * max(min(1.0, 10.0 * ratio**2), rtol)
    enough = 0.1 * tol / max(error, tol)
    wanted = min(enough, STALLED**2 * rtol) if stalled else enough
    assert newton._rtol(updates, 1.0, 1.0, rtol) == pytest.approx(wanted)
    assert not stalled or wanted < 2e-4


def test_a_linear_tolerance_of_ones_own_is_kept():
    newton = cm.Newton(linear=cm.Krylov(), linear_rtol=1e-5)
    assert newton._rtol([1.0, 0.9, 0.8], 1.0, 1.0, 1e-2) == 1e-5
