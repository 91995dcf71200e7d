"""Films on substrates: curvature and film force by Stoney and by two elastic layers, and both of computed bodies.

A curvature counts as positive where the film's side turns concave, as a film in tension makes it.
"""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..errors import ChemomechError
from ..fem.domain import over_facets
from ..fem.mesh import Mesh
from ..measures import volumes
from ..problem import Problem, State
from ..units import parse
from . import points

Axis = Literal["x", "y", "z"]


def biaxial_modulus(E: Any, nu: float) -> Any:
    """M = E/(1 - nu) [Pa]"""
    return parse(E, "Pa", name="E") / (1.0 - nu)


def film_force(curvature: Any, E: Any, nu: float, thickness: Any) -> Any:
    """Stoney: sigma_f h_f = E_s h_s^2/(6 (1 - nu_s)) curvature [N/m]

    Of a film much thinner than its substrate; a few films add up. No property of the film is needed.

    Args:
        curvature: change of 1/R, one or many [1/m].
        E: Young's modulus of the substrate [Pa].
        nu: its Poisson's ratio [1].
        thickness: of the substrate [m].
    """
    return parse(curvature, "1/m", name="curvature") * _stoney(E, nu, thickness)


def stoney_curvature(force: Any, E: Any, nu: float, thickness: Any) -> Any:
    """Curvature of a substrate under a film force, the inverse of `film_force` [1/m].

    Args:
        force: stress of the film times its thickness, one or many [N/m].
        E: Young's modulus of the substrate [Pa].
        nu: its Poisson's ratio [1].
        thickness: of the substrate [m].
    """
    return parse(force, "N/m", name="force") / _stoney(E, nu, thickness)


def _stoney(E: Any, nu: float, thickness: Any) -> Any:
    return biaxial_modulus(E, nu) * parse(thickness, "m", name="thickness") ** 2 / 6.0


def two_layer_curvature(film: Any, substrate: Any, M_film: Any, M_substrate: Any, misfit: Any) -> Any:
    """Curvature of two bonded elastic layers of any thickness, free to bend alike in both directions [1/m].

        6 e m h (1 + h)/(h_s (1 + 4 m h + 6 m h^2 + 4 m h^3 + m^2 h^4)),   h = h_f/h_s, m = M_f/M_s

    It follows from no force and no moment over both thicknesses. Stoney's is its limit 6 e m h/h_s for h and m h small:
    the two differ by about h - 4 m h. A strip in plane strain bends like this with E/(1 - nu^2) for M and
    (1 + nu_f) e for e, a narrow one with E for M.

    Args:
        film: thickness h_f [m].
        substrate: thickness h_s [m].
        M_film: biaxial modulus E/(1 - nu) of the film [Pa].
        M_substrate: that of the substrate [Pa].
        misfit: e, how much the film is stretched if the substrate does not give: its stress is then M_f e [1].
    """
    lengths = {"film": film, "substrate": substrate}
    h_f, h_s = (parse(v, "m", name=name) for name, v in lengths.items())
    h, m = h_f / h_s, parse(M_film, "Pa", name="M_film") / parse(M_substrate, "Pa", name="M_substrate")
    whole = 1.0 + 4.0 * m * h + 6.0 * m * h**2 + 4.0 * m * h**3 + m**2 * h**4
    return 6.0 * misfit * m * h * (1.0 + h) / (h_s * whole)


def stress_thickness(
    problem: Problem, state: State, interface: str, film: str | None = None, along: Axis = "x"
) -> float:  # fmt: skip
    """Force of a computed film per width of its interface, integral of sigma_tt dV / area [N/m].

    Of each of `solution.frames`, against the charge, it is what a wafer's curvature shows (`film_force`), whatever
    pattern the film's phases make.

    Args:
        problem: that the state is of.
        state: with displacements.
        interface: facet set between film and substrate, or of the film's held face.
        film: cell set of the film; None: all cells.
        along: direction t in the film's plane.

    Raises:
        MeshError: there is no such set.
        ChemomechError: the problem has no stress.
    """
    inside = points.inside(problem, film)
    stress = points.stresses(problem, state)[inside, "xyz".index(along)]
    return float(stress @ points.volumes(problem)[inside]) / interface_area(problem, interface)


def interface_area(problem: Problem, interface: str) -> float:
    """Area of a facet set, with the thickness or revolution of a plane mesh [m^2].

    Raises:
        MeshError: there is no such set.
    """
    mesh, length = problem.mesh, problem.scales.length
    facets = over_facets(mesh, jnp.asarray(mesh.points / length), mesh.facets(interface), problem.degree)
    return float(jnp.sum(volumes(problem, facets))) * length**2


def face_curvature(
    mesh: Mesh, u: Float[np.ndarray, "n dim"], on: str, normal: Axis, within: tuple[float, float] | None = None
) -> Float[np.ndarray, "t t"]:  # fmt: skip
    """Curvatures of a face that was flat, by least squares over its nodes: u_n = a + b.x + x.K.x/2 [1/m].

    Args:
        mesh: the body.
        u: displacement of its nodes [m].
        on: facet set on the film's side, or any parallel one.
        normal: axis that points from the substrate to the film.
        within: only nodes whose first coordinate in the face lies between these are fitted, to leave out the ends [m].

    Returns:
        K by the axes of the face in order: one number for a plane mesh, 2 x 2 for a solid.

    Raises:
        MeshError: there is no such set, or the mesh has no such axis.
        ChemomechError: there are too few nodes for a curvature.
    """
    nodes, axis = mesh.nodes_of(on), "xyz".index(normal)
    if axis >= mesh.dim:
        raise ChemomechError(f"face_curvature: a {mesh.dim}-D mesh has no axis {normal}.")
    x = np.delete(mesh.points[nodes], axis, axis=1)
    if within is not None:
        kept = (x[:, 0] >= within[0]) & (x[:, 0] <= within[1])
        nodes, x = nodes[kept], x[kept]
    t = x.shape[1]
    i, j = np.triu_indices(t)
    if len(x) < 1 + t + len(i):
        raise ChemomechError(f"face_curvature: {len(x)} nodes of '{on}' tell no curvature. Try: a wider `within`.")
    x = x - x.mean(axis=0)
    size = np.abs(x).max()
    x = x / size
    basis = np.concatenate([np.ones((len(x), 1)), x, np.where(i == j, 0.5, 1.0) * x[:, i] * x[:, j]], axis=1)
    found, _, rank, _ = np.linalg.lstsq(basis, np.asarray(u)[nodes, axis], rcond=None)
    if rank < basis.shape[1]:
        raise ChemomechError(f"face_curvature: the nodes of '{on}' lie on too few lines to tell its curvatures.")
    K = np.zeros((t, t))
    K[i, j] = K[j, i] = found[1 + t :] / size**2
    return K
