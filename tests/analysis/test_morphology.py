"""Phases, domains, stripes and how a particle fills, on fields whose answers are known."""

import numpy as np
import pytest

from chemomech.analysis import morphology
from chemomech.errors import ChemomechError
from chemomech.fem.mesh import box, rectangle

SQUARE = rectangle(1.0, 1.0, 40, 40)
X, Y = SQUARE.points.T


def front(distance, width=0.02):
    """Rich at negative distance."""
    return 0.5 - 0.45 * np.tanh(distance / width)


def test_fractions_of_a_linear_field():
    c = 0.2 + 0.6 * X
    assert morphology.mean(SQUARE, c) == pytest.approx(0.5, rel=1e-12)
    assert morphology.fraction_above(SQUARE, c, 0.65) == pytest.approx(0.25, rel=1e-12)
    found = morphology.phase_fractions(SQUARE, c, (0.35, 0.5))
    np.testing.assert_allclose(found, [0.25, 0.25, 0.5], rtol=1e-12)
    with pytest.raises(ChemomechError, match="ascending"):
        morphology.phase_fractions(SQUARE, c, (0.5, 0.35))


def test_fractions_of_a_body_of_revolution():
    """The rich outer half of the radius is three quarters of a cylinder."""
    found = morphology.fraction_above(SQUARE, X, 0.5, weight=lambda x: x[:, 0])
    assert found == pytest.approx(0.75, rel=1e-12)


def test_perimeter_fraction_is_exact_between_nodes():
    c = X + 0.0131
    assert morphology.perimeter_fraction(SQUARE, c, "top") == pytest.approx(0.5131, rel=1e-12)
    assert morphology.perimeter_fraction(SQUARE, c) == pytest.approx((1 + 2 * 0.5131) / 4, rel=1e-12)
    cube = box(1.0, 1.0, 1.0, 3, 3, 3, "hexahedron")
    assert morphology.perimeter_fraction(cube, cube.points[:, 0] + 0.1) == pytest.approx((1 + 4 * 0.6) / 6, rel=1e-12)


def test_domains():
    c = front(np.minimum(np.hypot(X - 0.02, Y - 0.5), np.hypot(X - 0.98, Y - 0.5)) - 0.2)
    assert morphology.domains(SQUARE, c) == 2
    assert morphology.domains(SQUARE, c, periodic=["x"]) == 1
    assert morphology.domains(SQUARE, -c, -0.5) == 1
    speck = c.copy()
    speck[np.argmin(np.hypot(X - 0.5, Y - 0.5))] = 1.0
    assert (morphology.domains(SQUARE, speck), morphology.domains(SQUARE, speck, least=0.01)) == (3, 2)
    assert morphology.domains(SQUARE, np.zeros(len(X))) == 0


def test_stripes_along_an_edge():
    c = 0.5 + 0.4 * np.cos(6 * np.pi * X)
    assert morphology.stripes(SQUARE, c, "top") == 4  # two of them half ones, at the ends
    assert morphology.stripes(SQUARE, c, "left") == 1
    assert morphology.stripes(SQUARE, c, "boundary") == 6  # the left and right edges join the half ones
    cube = box(1.0, 1.0, 1.0, 8, 2, 2)
    assert morphology.stripes(cube, np.cos(4 * np.pi * cube.points[:, 0]), "ymax", 0.0) == 3


def test_segments_of_a_line():
    values = np.array([1, 0, 1, 1, 0, 1])
    assert (morphology.segments(values), morphology.segments(values, closed=True)) == (3, 2)
    assert [morphology.segments(v, closed=True) for v in ([1, 1], [0, 0], [], [0, 1])] == [1, 0, 0, 1]


@pytest.mark.parametrize("degrees", [0, 27, 90, 135])
def test_orientation_of_stripes(degrees):
    angle = np.radians(degrees)
    wave = np.cos(8 * (X * np.cos(angle) + Y * np.sin(angle)))
    found = morphology.orientation(SQUARE, wave)
    turned = (found.angle - angle + np.pi / 2) % np.pi - np.pi / 2
    assert abs(turned) < np.radians(1.0)
    assert found.coherence > 0.99
    assert -np.pi / 2 < found.angle <= np.pi / 2


def test_orientation_without_a_direction():
    both = np.cos(2 * np.pi * X) + np.cos(2 * np.pi * Y)
    assert morphology.orientation(SQUARE, both).coherence < 0.05
    with pytest.raises(ChemomechError, match="the same everywhere"):
        morphology.orientation(SQUARE, np.full(len(X), 0.3))


RIM = np.maximum(np.abs(X - 0.5), np.abs(Y - 0.5))
CORNERS = np.minimum(np.hypot(X, Y), np.hypot(X - 1, Y - 1))
FILLED = {
    "uniform": np.full(len(X), 0.5) + 0.05 * X,
    "core-shell": front(0.354 - RIM),
    "intercalation wave": front(np.hypot(X, Y) - np.sqrt(2 / np.pi)),
    "mixed": front(CORNERS - np.sqrt(1 / np.pi)),
}


@pytest.mark.parametrize("name", FILLED)
def test_classes(name):
    assert morphology.classify(SQUARE, FILLED[name]).name == name


def test_numbers_of_the_classes():
    """Half filled: a quarter circle from a corner leaves 2 sqrt(2/pi)/4 of the perimeter rich, a shell all of it."""
    wave = morphology.classify(SQUARE, FILLED["intercalation wave"])
    assert wave.perimeter == pytest.approx(np.sqrt(2 / np.pi) / 2, abs=2e-3)
    assert (wave.domains, wave.soc) == (1, pytest.approx(0.5, abs=2e-3))
    shell = morphology.classify(SQUARE, FILLED["core-shell"])
    assert (shell.perimeter, shell.core) == (1.0, pytest.approx(0.05, abs=1e-6))
    emptied = morphology.classify(SQUARE, 1 - FILLED["core-shell"])
    assert (emptied.name, emptied.perimeter) == ("core-shell", 0.0)
    assert morphology.classify(SQUARE, FILLED["mixed"]).domains == 2
