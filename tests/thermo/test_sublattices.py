"""Tables of integer matrices, and reduced bases."""

import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.thermo.sublattices import adjugate, changes_of_basis, pair_features, reduced, six, sublattices


@pytest.mark.parametrize(("index", "count"), [(1, 1), (2, 7), (3, 13), (4, 35), (5, 31), (6, 91)])
def test_number_of_sublattices(index, count):
    """The number of subgroups of index n in Z^3 is the sum over divisors d of n of d sigma(d)."""
    found = sublattices(index)
    assert (
        len(found)
        == count
        == sum(d * sum(k for k in range(1, d + 1) if d % k == 0) for d in range(1, index + 1) if index % d == 0)
    )
    np.testing.assert_allclose(np.linalg.det(found), index)
    for i, H in enumerate(found):  # no two are one lattice
        for other in found[:i]:
            change = np.linalg.solve(H, other)
            assert np.abs(change - np.rint(change)).max() > 1e-9


def test_changes_of_basis():
    table = changes_of_basis()
    assert len(table) == 3480
    np.testing.assert_allclose(np.linalg.det(table), 1)
    np.testing.assert_array_equal(table[0], np.eye(3))
    np.testing.assert_allclose(adjugate(table) @ table, np.broadcast_to(np.eye(3), table.shape), atol=1e-12)


def test_features_are_traces():
    rng = np.random.default_rng(0)
    M = changes_of_basis()[::300]
    P, Q = (a + a.T for a in rng.normal(size=(2, 3, 3)))
    expected = np.trace(np.swapaxes(M, 1, 2) @ P @ M @ Q, axis1=1, axis2=2)
    found = pair_features(M) @ np.outer(six(jnp.asarray(P)), six(jnp.asarray(Q))).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_reduced_bases_are_bases_of_shortest_vectors():
    rng = np.random.default_rng(1)
    start = rng.normal(size=(50, 3, 3))
    skewed = start @ changes_of_basis()[rng.integers(0, 3480, 50)] @ changes_of_basis()[rng.integers(0, 3480, 50)]
    G, T = reduced(jnp.asarray(np.swapaxes(skewed, 1, 2) @ skewed))
    np.testing.assert_array_equal(T, np.rint(T))
    np.testing.assert_allclose(np.linalg.det(T), 1)
    np.testing.assert_allclose(G, np.swapaxes(skewed @ T, 1, 2) @ (skewed @ T), atol=1e-9)
    whole = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    whole = whole[np.any(whole != 0, axis=1)]
    for one in np.asarray(G):
        order = np.sort(np.einsum("ni,ij,nj->n", whole, one, whole))
        lengths = np.sort(np.diagonal(one))
        np.testing.assert_allclose(lengths[0], order[0])
        assert np.all(lengths[1:] >= order[0])
        moves = whole[np.abs(whole).max(1) <= 1]
        for i in range(3):  # Minkowski's conditions
            assert np.all(
                np.einsum("ni,ij,nj->n", moves[moves[:, i] == 1], one, moves[moves[:, i] == 1])
                >= one[i, i] * (1 - 1e-8)
            )
