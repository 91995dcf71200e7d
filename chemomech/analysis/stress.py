"""Stress at the nodes, and its invariants. Components: xx, yy, zz, yz, xz, xy."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ChemomechError
from ..measures import volumes, whole_mesh
from ..problem import Problem, State, evaluated, stress_at_points


@eqx.filter_jit
def integrals(problem: Problem, values: Float[Array, " n"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Integral of a nodal field over the body, and the volume of the body, in scaled lengths."""
    cells = whole_mesh(problem)
    weight = volumes(problem, cells)
    return jnp.sum(weight * cells.at_points(values[None])[0][0]), jnp.sum(weight)


def nodal_stress(problem: Problem, state: State) -> Float[np.ndarray, "n 6"]:
    """Cauchy stress at the nodes [Pa]: averages of the quadrature points around, weighted by volume times N^2.

    The weights are those of a lumped mass matrix with diagonal scaling, so they are positive for quadratic cells too.

    Raises:
        ChemomechError: it is called under `jax.grad` and the like.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((problem, state))):
        raise ChemomechError("Stress at the nodes has no derivative here: differentiate `design.StressPeak` instead.")
    averaged = evaluated(problem, _averaged, problem.pack(state))
    return np.asarray(averaged).T * problem.scales.of("Pa")


def _averaged(problem: Problem, packed) -> Float[Array, "6 n"]:
    stress = stress_at_points(problem, packed)
    n = packed[0].shape[1]
    total, norm = jnp.zeros((6, n)), jnp.zeros(n)
    for term in problem.terms:
        cells = term.domain
        if cells.normal is None:
            weight = cells.N**2 * cells.weight[:, None, :]  # (q, k, e)
            norm = norm.at[cells.nodes].add(weight.sum(axis=0))
            total = total.at[:, cells.nodes].add(jnp.einsum("qke,cqe->cke", weight, stress[:, :, cells.cell]))
    return total / norm


def von_mises(stress: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, " n"]:
    """Equivalent stress sqrt(3/2 s:s), s the deviator."""
    xx, yy, zz, yz, xz, xy = np.asarray(stress).T
    return np.sqrt(0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * (yz**2 + xz**2 + xy**2))


def hydrostatic(stress: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, " n"]:
    """Mean stress tr(sigma)/3."""
    return np.asarray(stress)[:, :3].mean(axis=1)


def principal(stress: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, "n 3"]:
    """Principal stresses, largest first."""
    return np.linalg.eigvalsh(as_matrices(stress))[:, ::-1]


def as_matrices(stress: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, "n 3 3"]:
    """Full symmetric tensors from six components."""
    return np.asarray(stress)[:, [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
