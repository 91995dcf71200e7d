"""Whether a step is too long for the waves of its state: an eigenvalue test, by a direct solver."""

from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

import chemomech as cm
from chemomech.problem import Drive
from chemomech.solve.fields import FieldTangent

MUCH = 2.2  # times its size after a step: after half the growth time it is twice
SHORTER = 2.5  # from one step that is tried to the next


def outgrown(made: cm.Problem, x: np.ndarray, tangent: FieldTangent, dt: float, bound: float, drive: Drive) -> bool:
    """Whether some wave's rate s has dt s > 0.55, somewhat more than the half at which error control holds a step.

    A step tau takes a wave to 1/(1 - tau s) of it: to 2.2 times its size or more, of either sign, where tau s is
    between 0.55 and 1.45. Shorter and shorter steps look for faster and faster waves, without a gap.

    Args:
        made: the problem.
        x: the state, scaled.
        tangent: by fields, of any step from there.
        dt: the step.
        bound: above all s.
        drive: what is done to the electrode.
    """
    evolution = cm.Evolution(made, cm.Newton(linear=cm.HostDirect(reuse=0)))
    linear, tau = None, dt
    while tau * bound > 0.5:
        size, linear = _largest(evolution, x, tangent, tau, drive, linear)
        if size > MUCH:
            return True
        tau /= SHORTER
    return False


def _largest(evolution: cm.Evolution, x, tangent: FieldTangent, tau: float, drive: Drive, linear: Any):
    """Modulus of the largest eigenvalue of c_old -> c_new in a linearised step, by Arnoldi; it finds none too large."""
    now, solver, blocks = evolution.expand(x), evolution.newton.linear, tangent.blocks
    linear, mass = solver.init(evolution.tangent(x, (now, now, 0.0, tau), drive), linear), tangent.scalars().mass

    def stepped(wave):
        b = np.zeros(evolution.problem.unknowns)
        b[blocks.mu] = -(mass @ wave)
        return solver.solve(linear, b)[0][blocks.c]

    n, start = len(blocks.c), np.random.default_rng(2).normal(size=len(blocks.c))
    try:
        found = eigs(
            LinearOperator((n, n), stepped), k=1, ncv=20, tol=1e-2, maxiter=5, v0=start, return_eigenvectors=False
        )
    except ArpackNoConvergence as error:
        found = error.eigenvalues
    return np.max(np.abs(found), initial=0.0), linear
