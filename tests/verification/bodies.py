"""Small meshes and quadrature-point values for the verification tests; no mesh generator is needed."""

import jax.numpy as jnp
import numpy as np

import chemomech as cm
from chemomech.analysis.stress import whole_mesh
from chemomech.fem.mesh import box, elevate, facet_nodes, rectangle
from chemomech.problem import ledger, stress_at_points


def quarter_disc(n):
    """Curved quadratic triangles of the quarter x, y >= 0 of the unit disc; point sets xmin and ymin, facet set rim."""
    grid = rectangle(1, 1, n, n)
    x, y = grid.points[grid.cells].mean(1).T
    return _rounded(grid, x > y, [[1, -1], [0, 1]])


def octant(n):
    """Curved quadratic tetrahedra of the octant of the unit ball; point sets xmin, ymin and zmin, facet set rim."""
    grid = box(1, 1, 1, n, n, n)
    x, y, z = grid.points[grid.cells].mean(1).T
    return _rounded(grid, (x > y) & (y > z), [[1, -1, 0], [0, 1, -1], [0, 0, 1]])


def _rounded(grid, kept, shear):
    """One of the Kuhn simplices of a grid, sheared to the unit corner and blown up to the unit sphere."""
    used, cells = np.unique(grid.cells[kept], return_inverse=True)
    points = grid.points[used] @ np.array(shear, float).T
    mesh = elevate(cm.Mesh.build(points, cells.reshape(-1, grid.dim + 1), grid.cell_type))
    points = mesh.points * (mesh.points.sum(1) / np.maximum(np.linalg.norm(mesh.points, axis=1), 1e-300))[:, None]
    planes = {f"{'xyz'[i]}min": np.flatnonzero(np.abs(points[:, i]) < 1e-12) for i in range(grid.dim)}
    facets = facet_nodes(mesh, mesh.boundary)[:, : grid.dim]
    rim = facets[np.all(np.isclose(np.linalg.norm(points, axis=1), 1.0)[facets], axis=1)]
    return cm.Mesh.build(points, mesh.cells, mesh.cell_type, point_sets=planes, facet_sets={"rim": rim})


def strip(length, n, height=None, cell_type="triangle6"):
    """One row of cells along x: a problem in one dimension."""
    height = length / n if height is None else height
    mesh = rectangle(length, height, n, 1, "quad" if cell_type == "quad" else "triangle")
    return elevate(mesh) if cell_type == "triangle6" else mesh


def stress_and_position(problem, state):
    """Cauchy stress (6, points) [Pa] and position (dim, points) [m] at all quadrature points."""
    stress = np.asarray(stress_at_points(problem, problem.pack(state))) * problem.scales.of("Pa")
    x = np.asarray(whole_mesh(problem).x) * problem.scales.length
    return stress.reshape(6, -1), np.broadcast_to(x, (len(x), *stress.shape[1:])).reshape(len(x), -1)


def at_points(problem, values):
    """Value and gradient of a nodal field at all quadrature points, (1 + dim, points)."""
    return np.array([np.ravel(v) for v in whole_mesh(problem).at_points(jnp.asarray(values)[None])[0]])


def energy(problem, state):
    """Stored energy, all parts [J]."""
    return float(sum(ledger(problem, problem.pack(state)).values())) * problem.scales.of("J")
