"""Twofold axes of the seven lattice systems."""

import numpy as np
import pytest

from chemomech.thermo import Lattice, directions, twofold_axes
from chemomech.thermo.compatibility import half_turn

A = 1e-10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lattice", "count"),
    [
        (Lattice.cubic(4 * A), 9),
        (Lattice.cubic(4 * A, "I"), 9),
        (Lattice.cubic(4 * A, "F"), 9),
        (Lattice.hexagonal(3 * A, 5 * A), 7),
        (Lattice.hexagonal(3 * A, 5 * A, "R"), 3),
        (Lattice.tetragonal(3 * A, 5 * A), 5),
        (Lattice.tetragonal(3 * A, 5 * A, "I"), 5),
        (Lattice.orthorhombic(3 * A, 4 * A, 5 * A), 3),
        (Lattice.orthorhombic(3 * A, 4 * A, 5 * A, "C"), 3),
        (Lattice.monoclinic(3 * A, 4 * A, 5 * A, 2.0), 1),
        (Lattice.monoclinic(3 * A, 4 * A, 5 * A, 2.0, "C"), 1),
        (Lattice((3 * A, 4 * A, 5 * A), (1.5, 1.6, 1.7)), 0),
    ],
)
def test_number_of_axes_and_each_keeps_the_lattice(lattice, count):
    axes, found = twofold_axes(lattice)
    assert int(found.sum()) == count
    np.testing.assert_array_equal(axes[count:], 0.0)
    basis = np.asarray(lattice.primitive)
    for e in np.asarray(directions(lattice, axes))[:count]:
        assert np.linalg.norm(e) == pytest.approx(1.0, abs=1e-14)
        turned = np.linalg.solve(basis, np.asarray(half_turn(e)) @ basis)
        np.testing.assert_allclose(turned, np.rint(turned), atol=1e-12)
    np.testing.assert_array_equal(np.asarray(directions(lattice, axes))[count:], 0.0)


def test_a_fcc_lattice_in_a_rhombohedral_cell_is_still_cubic():
    assert int(twofold_axes(Lattice((3 * A,) * 3, (np.pi / 3,) * 3))[1].sum()) == 9


def test_nearly_symmetric_within_the_tolerance():
    lattice = Lattice.orthorhombic(3 * A, 3.0002 * A, 5 * A)
    assert int(twofold_axes(lattice)[1].sum()) == 5
    assert int(twofold_axes(lattice, tolerance=1e-6)[1].sum()) == 3
