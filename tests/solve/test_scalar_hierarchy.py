"""Coarse levels refreshed without a triple product."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigs

from chemomech.fem.connectivity import graph
from chemomech.fem.mesh import rectangle
from chemomech.solve.multigrid import Multigrid
from chemomech.solve.operators import Pattern, replaced
from chemomech.solve.scalar_hierarchy import ScalarHierarchy, anisotropy, between, directions


def assembled(points, cells, tensor=((1.0, 0.0), (0.0, 1.0))):
    """Pattern, stiffness by a tensor and mass of linear triangles."""
    p = points[cells]
    edges = np.stack([p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]], 1)
    area = 0.5 * np.abs(np.linalg.det(edges))
    gradients = np.einsum("eij,jk->eki", np.linalg.inv(edges), np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]))
    stiffness = np.einsum("e,eai,ij,ebj->abe", area, gradients, np.array(tensor), gradients)
    mass = (np.ones((3, 3)) + np.eye(3))[:, :, None] * area / 12.0
    made = graph(cells.T, len(points))
    data = np.zeros((2, len(made.indices)))
    for k, local in enumerate((stiffness, mass)):
        np.add.at(data[k], made.entry, local)
    pattern = Pattern(made.indptr, made.indices, len(points))
    return pattern, pattern.scipy(data[0]), pattern.scipy(data[1])


@pytest.fixture(scope="module")
def matrices():
    """Of a square; at its sides aggregates are smaller than inside."""
    mesh = rectangle(1, 1, 60, 60)
    return assembled(mesh.points, mesh.cells)


def test_prolongations_keep_ones(matrices):
    for level in ScalarHierarchy.of(*matrices).levels:
        assert np.allclose(level.P @ np.ones(level.P.shape[1]), 1.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("a", "w"), [(1.0, 0.0), (1.0, 10.0), (0.0, 1.0), (0.3, 1e4)])
def test_constant_coefficients_give_galerkin_products(matrices, a, w):
    pattern, K, M = matrices
    made, ones = ScalarHierarchy.of(*matrices), np.ones(len(pattern.indptr) - 1)
    values = made.values(a * K.data + w * M.data, a * ones, w * ones)
    levels = made.cycle((*values[:-1], np.zeros(0))).levels
    assert len(levels) > 1
    for fine, coarse in zip(levels[:-1], levels[1:], strict=True):
        product = (fine.P.scipy.T @ fine.A.scipy @ fine.P.scipy).toarray()
        assert np.allclose(coarse.A.scipy.toarray(), product, rtol=0, atol=1e-12 * np.abs(product).max())


@pytest.mark.parametrize("w", [1e-3, 1.0, 1e4])
def test_a_cycle_stays_below_its_matrix(matrices, w):
    """The spectrum of cycle times matrix lies in (0, 1], up to the estimate of the largest eigenvalue."""
    _, K, M = matrices
    made, n = ScalarHierarchy.of(*matrices), K.shape[0]
    ones, A = np.ones(n), K + w * M
    cycle = made.cycle(made.values(K.data + w * M.data, ones, w * ones))
    assert furthest(lambda v: cycle(A @ v), n) < 1.01
    assert furthest(lambda v: v - cycle(A @ v), n) < 0.5


def furthest(operator, n):
    """The eigenvalue of largest modulus."""
    start = np.random.default_rng(0).normal(size=n)
    return eigs(LinearOperator((n, n), operator), 1, v0=start, tol=1e-3, return_eigenvectors=False)[0].real


@pytest.mark.parametrize(("degrees", "across", "most"), [(0, 0.0, 0.3), (90, 1e-2, 0.3), (30, 1e-2, 0.9)])
def test_a_directed_cycle_puts_nodes_together_where_the_stiffness_couples_them(degrees, across, most):
    """Along the grid its error falls by 4; on aggregates of all neighbours it stalls there, and grows elsewhere."""
    mesh, n = rectangle(1, 1, 60, 60), np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    pattern, K, M = assembled(mesh.points, mesh.cells, 2 * ((1 - across) * np.outer(n, n) + across * np.eye(2)))
    data, ones = K.data + 1e-3 * M.data, np.ones(K.shape[0])
    A = pattern.scipy(data)

    def left(stiffness, directed):
        made = ScalarHierarchy.of(pattern, stiffness, M, directed=directed)
        cycle = made.cycle(made.values(data, ones, 1e-3 * ones))
        return furthest(lambda v: v - cycle(A @ v), len(ones))

    assert left(K, directed=True) < most
    if across > 0.0:
        assert left(K, directed=False) > 0.9
    assert left(assembled(mesh.points, mesh.cells)[1], directed=False) > 0.95


def test_lines_that_nothing_couples():
    """More of them than the coarsest level has nodes: a faint stiffness across puts them together at last."""
    mesh = rectangle(1, 1, 20, 250)
    (pattern, D, M), K = assembled(mesh.points, mesh.cells, [[2, 0], [0, 0]]), assembled(mesh.points, mesh.cells)[1]
    made = ScalarHierarchy.of(pattern, D + 1e-6 * K, M, directed=True)
    sizes = [level.P.shape[1] for level in made.levels]
    assert sizes[-1] <= 200 < 251 < sizes[0]
    assert all(large >= 2 * small for large, small in zip(sizes, sizes[1:], strict=False))


def test_directions_of_a_tensor():
    """They do not know how large the tensor is; where it is zero they are those of the stiffness."""
    mesh = rectangle(1, 1, 8, 8)
    pattern, K, _ = assembled(mesh.points, mesh.cells)
    D = assembled(mesh.points, mesh.cells, [[2, 0], [0, 0]])[1]
    assert anisotropy(K, directions(K, 1e-20 * K, 1e-20 * K)) < 1e-12
    np.testing.assert_allclose(directions(K, 1e-14 * D, 1e-14 * K).data, D.data, atol=1e-12)
    np.testing.assert_allclose(directions(K, pattern.scipy(0.0 * D.data), 0.0 * K).data, K.data, atol=1e-12)
    assert anisotropy(K, D) > 0.9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_coarse_cycle_may_be_visited_twice(matrices, seed):
    """With uneven coefficients, coarse matrices are no Galerkin products; two visits still leave the cycle positive."""
    _, K, M = matrices
    made, n = ScalarHierarchy.of(*matrices), K.shape[0]
    a, w = np.exp(np.random.default_rng(seed).uniform(-7, 7, (2, n)))
    i, j = made.pattern.rows, made.pattern.indices
    stiffness = 0.5 * K.data * (a[i] + a[j])
    data = replaced(stiffness, made.pattern.diagonal, 0.0)
    data = replaced(data, made.pattern.diagonal, -(made.pattern.scipy(data) @ np.ones(n))) + M.data * between(w, i, j)
    cycle = made.cycle(made.values(data, a, w))
    below = Multigrid(cycle.levels[1:], cycle.coarsest)
    A, size = below.levels[0].A, below.levels[0].A.shape[0]
    spectrum = np.linalg.eigvals(np.stack([below(A @ e) for e in np.eye(size)], 1)).real
    assert 0.0 < spectrum.min()
    assert spectrum.max() < 1.5


@pytest.mark.parametrize("divisions", [1, 2, 3])
def test_parts_that_do_not_touch(divisions):
    """A small part shrinks to one node, in whose row the coarse stiffness is zero."""
    large, small = rectangle(1, 1, 40, 40), rectangle(0.1, 0.1, divisions, divisions)
    points = np.concatenate([large.points, small.points + 2.0])
    pattern, K, M = assembled(points, np.concatenate([large.cells, small.cells + len(large.points)]))
    made, ones, A = ScalarHierarchy.of(pattern, K, M), np.ones(len(points)), K + 10.0 * M
    cycle = made.cycle(made.values(K.data + 10.0 * M.data, ones, 10.0 * ones))
    b, x = np.random.default_rng(0).normal(size=len(points)), np.zeros(len(points))
    for _ in range(40):
        x = x + cycle(b - A @ x)
    assert np.linalg.norm(b - A @ x) < 1e-6 * np.linalg.norm(b)
