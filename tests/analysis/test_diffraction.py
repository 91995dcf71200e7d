"""Synthetic diffraction against Bragg's law and closed forms."""

import numpy as np
import pytest

from chemomech.analysis import diffraction
from chemomech.errors import ConfigError
from chemomech.thermo.lattice import Lattice

A, B, C = 10.3e-10, 6.0e-10, 4.7e-10
EMPTY = Lattice.orthorhombic(0.95 * A, 0.96 * B, 1.02 * C)
FULL = Lattice.orthorhombic(A, B, C)
HKL = [(2, 0, 0), (0, 2, 0), (3, 1, 1)]
WAVE = 1.540593e-10


def orthogonal(lengths, hkl):
    """1/d^2 = (h/a)^2 + (k/b)^2 + (l/c)^2"""
    return 1 / np.sqrt(np.sum((np.array(hkl) / np.array(lengths)) ** 2))


def test_peaks_are_at_braggs_angles_with_the_phases_weights():
    phases = diffraction.histogram(np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 1.0]))
    found = diffraction.peaks(phases, diffraction.vegard(EMPTY, FULL), HKL, intensity=[1.0, 0.5, 2.0])
    for row, lengths in zip(found.two_theta, ((0.95 * A, 0.96 * B, 1.02 * C), (A, B, C)), strict=True):
        for angle, hkl in zip(row, HKL, strict=True):
            assert 2 * orthogonal(lengths, hkl) * np.sin(angle / 2) == pytest.approx(WAVE, rel=1e-12)
    np.testing.assert_allclose(found.intensity, np.outer([0.75, 0.25], [1.0, 0.5, 2.0]), rtol=1e-14)


def test_hexagonal_spacing():
    """1/d^2 = 4/3 (h^2 + hk + k^2)/a^2 + l^2/c^2"""
    found = diffraction.spacing(Lattice.hexagonal(2.8e-10, 14e-10), [(0, 0, 3), (1, 1, 2)])
    np.testing.assert_allclose(found, [14e-10 / 3, 1 / np.sqrt(4 / (2.8e-10) ** 2 + 4 / (14e-10) ** 2)], rtol=1e-12)


def test_histogram_keeps_volume_and_lithium():
    rng = np.random.default_rng(1)
    c, volume = rng.uniform(0.1, 0.9, 1000), rng.uniform(1, 2, 1000)
    found = diffraction.histogram(c, volume, bins=7)
    assert len(found.c) == 7
    assert found.fraction.sum() == pytest.approx(1, rel=1e-14)
    assert found.fraction @ found.c == pytest.approx(np.average(c, weights=volume), rel=1e-14)
    assert diffraction.histogram(np.full(3, 0.4), np.ones(3)).c.tolist() == [pytest.approx(0.4)]


def test_table_goes_through_its_rows():
    middle = Lattice.orthorhombic(A, 0.9 * B, C)
    cells = diffraction.table([0.0, 0.5, 1.0], [EMPTY, middle, FULL])
    found = np.asarray(cells(np.array([0.25, 0.5, 1.2])).lengths)
    np.testing.assert_allclose(found[:, 1], [0.93 * B, 0.9 * B, 1.04 * B], rtol=1e-12)
    with pytest.raises(ConfigError, match="ascending"):
        diffraction.table([0.0, 0.0], [EMPTY, FULL])


@pytest.mark.parametrize("lorentzian", [0.0, 0.4, 1.0])
def test_pattern_of_one_peak(lorentzian):
    """Its area is the intensity, its width at half height the width."""
    peak = diffraction.Peaks(np.array([[0.5, np.nan]]), np.array([[3.0, 1.0]]))
    angles = np.linspace(0.5 - 20, 0.5 + 20, 400_001)
    found = diffraction.pattern(peak, angles, width=0.01, lorentzian=lorentzian)
    assert np.trapezoid(found, angles) == pytest.approx(3.0, rel=1e-3)
    half = np.interp([0.495, 0.505], angles, found) / found.max()
    np.testing.assert_allclose(half, 0.5, rtol=1e-3)


def test_what_cannot_be():
    assert np.isnan(diffraction.bragg_angle("1 angstrom", "3 angstrom"))
    assert diffraction.bragg_angle("2 angstrom", "2 angstrom") == pytest.approx(np.pi / 3)
    peak = diffraction.Peaks(np.array([[0.5]]), np.array([[1.0]]))
    with pytest.raises(ConfigError, match="positive width"):
        diffraction.pattern(peak, np.zeros(1), width=0.0)
    with pytest.raises(ConfigError, match="One for each|one for each"):
        diffraction.peaks(
            diffraction.histogram(np.ones(1), np.ones(1)), diffraction.vegard(EMPTY, FULL), HKL, WAVE, [1]
        )
