"""Cells and their vectors: volumes, units, centring, cells that cannot exist."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.errors import ConfigError, UnitError
from chemomech.thermo.lattice import CENTRINGS, Lattice

A = 1e-10


def rotation(rng):
    """A random rotation."""
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return Q * np.sign(np.linalg.det(Q))


def test_vectors_have_the_lengths_and_angles_given():
    lattice = Lattice((3 * A, 4 * A, 5 * A), (1.4, 1.6, 1.8))
    basis = np.asarray(lattice.basis)
    np.testing.assert_allclose(np.linalg.norm(basis, axis=0), lattice.lengths, rtol=1e-15)
    for angle, (i, j) in zip(lattice.angles, ((1, 2), (0, 2), (0, 1)), strict=True):
        cos = basis[:, i] @ basis[:, j] / np.prod(np.linalg.norm(basis[:, [i, j]], axis=0))
        assert np.arccos(cos) == pytest.approx(float(angle), abs=1e-14)
    assert float(lattice.volume) == pytest.approx(np.linalg.det(basis), rel=1e-14)


def test_text_with_units():
    lattice = Lattice(("8.245 angstrom", "0.8245 nm", "824.5 pm"), ("90 deg", "90 deg", "90 deg"), "F")
    np.testing.assert_allclose(lattice.basis, np.eye(3) * 8.245e-10, atol=1e-25)
    assert float(Lattice.cubic("8.245 angstrom").volume) == pytest.approx(8.245e-10**3)
    with pytest.raises(UnitError, match=r"Lattice\.lengths"):
        Lattice.cubic("3 eV")


@pytest.mark.parametrize(("centring", "points"), [("P", 1), ("A", 2), ("B", 2), ("C", 2), ("I", 2), ("F", 4), ("R", 3)])
def test_primitive_cells_hold_one_point(centring, points):
    assert np.linalg.det(CENTRINGS[centring]) == pytest.approx(1 / points)
    whole = np.linalg.inv(CENTRINGS[centring])
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-14)  # the cell's vectors are lattice vectors


def test_systems():
    np.testing.assert_allclose(Lattice.tetragonal(3 * A, 5 * A).lengths, [3 * A, 3 * A, 5 * A])
    assert float(Lattice.hexagonal(3 * A, 5 * A).volume) == pytest.approx(45 * A**3 * np.sqrt(3) / 2)
    assert float(Lattice.monoclinic(3 * A, 4 * A, 5 * A, "110 deg").volume) == pytest.approx(
        60 * A**3 * np.sin(np.radians(110))
    )


def test_vectors_and_their_rotation_give_one_lattice():
    rng = np.random.default_rng(0)
    given = Lattice((3 * A, 4 * A, 5 * A), (1.4, 1.6, 1.8))
    found = Lattice.from_basis(rotation(rng) @ np.asarray(given.basis))
    np.testing.assert_allclose(found.lengths, given.lengths, rtol=1e-14)
    np.testing.assert_allclose(found.angles, given.angles, rtol=1e-14)


@pytest.mark.parametrize(
    ("lengths", "angles", "message"),
    [
        ((0.0, A, A), (1.5, 1.5, 1.5), "No cell"),
        ((-A, A, A), (1.5, 1.5, 1.5), "positive"),
        ((np.nan, A, A), (1.5, 1.5, 1.5), "No cell"),
        ((A, A, A), (0.5, 0.5, 2.0), "less than the other two"),
        ((A, A, A), (90, 90, 90), "radians"),
        ((A, A, A), (1.0, 1.0, 2.0), "No cell"),
        ((A, A), (1.5, 1.5), "three numbers"),
        (A, (1.5, 1.5, 1.5), "three numbers"),
    ],
)
def test_cells_that_cannot_exist_are_refused(lengths, angles, message):
    with pytest.raises(ConfigError, match=message):
        Lattice(lengths, angles)


def test_the_bad_row_of_a_batch_is_named():
    lengths = np.full((5, 3), A)
    lengths[3, 1] = -A
    with pytest.raises(ConfigError, match="row 3"):
        Lattice(lengths)


def test_vectors_in_a_plane_and_unknown_centrings_are_refused():
    with pytest.raises(ConfigError, match="No cell"):
        Lattice.from_basis(np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 0]]))
    with pytest.raises(ConfigError, match="No cell"):
        Lattice.from_basis(np.zeros((3, 3)))
    with pytest.raises(ConfigError, match="one of P"):
        Lattice.cubic(A, "X")


@pytest.mark.parametrize("angles", [(0.5, 0.5, 2.0), (1.0, 1.0, 0.0), (np.pi, 1.0, 1.0)])
def test_traced_cells_that_cannot_exist_are_marked_and_finite(angles):
    def volume(angles):
        lattice = Lattice((A, A, A), angles)
        return lattice.volume / A**3, lattice.valid

    (value, valid), slope = jax.jit(jax.value_and_grad(volume, has_aux=True))(jnp.asarray(angles))
    assert not valid
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
