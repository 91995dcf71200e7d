"""Powder diffraction patterns of a composition field: what an operando measurement would show of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..errors import ConfigError
from ..thermo.lattice import Lattice
from ..units import parse

Cells = Callable[[np.ndarray], Lattice]  # composition [1] -> the cell there
CU_K_ALPHA1 = 1.540593e-10  # [m]


class Histogram(NamedTuple):
    """Compositions and how much of the volume has each."""

    c: Float[np.ndarray, " k"]  # mean of each bin that is not empty [1]
    fraction: Float[np.ndarray, " k"]


class Peaks(NamedTuple):
    """Reflections, one row a composition and one column a reflection."""

    two_theta: Float[np.ndarray, "k r"]  # [rad]; NaN where the spacing is below half the wavelength
    intensity: Float[np.ndarray, "k r"]


def histogram(c: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], bins: int = 200) -> Histogram:
    """Part of the volume by composition.

    Args:
        c: such as the values at the quadrature points.
        weights: such as their volumes.
        bins: number of equal intervals between the least and the largest composition.

    Raises:
        ConfigError: there are no bins, or no weight.
    """
    c, weights = np.asarray(c, float), np.asarray(weights, float)
    if bins < 1 or not (np.all(weights >= 0) and weights.sum() > 0):
        raise ConfigError("histogram needs a bin, and weights that are not negative and not all zero.")
    size = np.ptp(c)
    number = np.zeros(len(c), int) if size == 0 else np.minimum((bins * (c - c.min()) / size).astype(int), bins - 1)
    total = np.bincount(number, weights, minlength=bins)
    first = np.bincount(number, weights * c, minlength=bins)
    kept = total > 0
    return Histogram(first[kept] / total[kept], total[kept] / total.sum())


def vegard(empty: Lattice, full: Lattice) -> Cells:
    """Lengths and angles of the cell linear in composition, from c = 0 to c = 1."""
    return table([0.0, 1.0], [empty, full])


def table(c: Sequence[float], lattices: Sequence[Lattice]) -> Cells:
    """Lengths and angles of the cell linear between given compositions, and along the same lines beyond them.

    Raises:
        ConfigError: there are less than two, they do not ascend, or there is not one lattice for each.
    """
    knots = np.asarray(c, float)
    if len(knots) < 2 or len(knots) != len(lattices) or np.any(np.diff(knots) <= 0):
        raise ConfigError("A table of lattices needs two compositions or more, in ascending order, and one cell each.")
    rows = np.array([np.concatenate([lattice.lengths, lattice.angles]) for lattice in lattices])

    def cell(at: np.ndarray) -> Lattice:
        at = np.asarray(at, float)
        k = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
        share = ((at - knots[k]) / (knots[k + 1] - knots[k]))[..., None]
        found = (1.0 - share) * rows[k] + share * rows[k + 1]
        return Lattice(found[..., :3], found[..., 3:], lattices[0].centring)

    return cell


def spacing(lattice: Lattice, hkl: Sequence[Sequence[int]]) -> Float[np.ndarray, "*batch r"]:
    """Distances of the lattice planes, 1/d^2 = hkl . G^-1 . hkl with the metric G of the cell [m]."""
    inverse = np.linalg.inv(np.asarray(lattice.metric))
    planes = np.asarray(hkl, float)
    return 1.0 / np.sqrt(np.einsum("ri,...ij,rj->...r", planes, inverse, planes))


def bragg_angle(spacing: Any, wavelength: Any) -> Any:
    """2 theta of wavelength = 2 d sin(theta) [rad]; NaN where there is none."""
    sine = parse(wavelength, "m", name="wavelength") / (2.0 * np.asarray(parse(spacing, "m", name="spacing")))
    return 2.0 * np.arcsin(np.where(sine <= 1.0, sine, np.nan))


def peaks(
    phases: Histogram, cells: Cells, hkl: Sequence[Sequence[int]], wavelength: Any = CU_K_ALPHA1,
    intensity: Sequence[float] | None = None,
) -> Peaks:  # fmt: skip
    """Where each composition diffracts, and how strongly: its part of the volume times that of the reflection.

    No structure factor is computed, and neither absorption nor polarisation is counted.

    Args:
        phases: of `histogram`.
        cells: `vegard` or `table`.
        hkl: reflections.
        wavelength: [m]; default: Cu K-alpha1.
        intensity: of each reflection where all the volume diffracts; default: 1.

    Raises:
        ConfigError: there is not one intensity for each reflection.
    """
    strength = np.ones(len(hkl)) if intensity is None else np.asarray(intensity, float)
    if strength.shape != (len(hkl),):
        raise ConfigError(f"peaks: {strength.size} intensities for {len(hkl)} reflections. Give one for each.")
    angles = bragg_angle(spacing(cells(phases.c), hkl), wavelength)
    return Peaks(angles, phases.fraction[:, None] * strength)


def pattern(
    peaks: Peaks, two_theta: Float[np.ndarray, " n"], width: Any = "0.1 deg", lorentzian: float = 0.0
) -> Float[np.ndarray, " n"]:  # fmt: skip
    """Intensity per angle of pseudo-Voigt peaks, (1 - m) Gaussian + m Lorentzian of the same width [1/rad].

    Each peak's area is its intensity.

    Args:
        peaks: of `peaks`.
        two_theta: where [rad].
        width: full width at half maximum [rad].
        lorentzian: m, 0 to 1.

    Raises:
        ConfigError: the width is not positive, or m lies outside 0 to 1.
    """
    width = float(parse(width, "rad", name="width"))
    if not (width > 0 and 0 <= lorentzian <= 1):
        raise ConfigError(
            f"pattern needs a positive width, not {width:g} rad, and a share in 0 to 1, not {lorentzian:g}."
        )
    seen = np.isfinite(peaks.two_theta)
    places, areas = peaks.two_theta[seen], peaks.intensity[seen]
    out = np.zeros(np.shape(two_theta))
    for place, area in zip(places, areas, strict=True):
        t = (np.asarray(two_theta) - place) / width
        gaussian = 2.0 * np.sqrt(np.log(2.0) / np.pi) * np.exp(-4.0 * np.log(2.0) * t**2)
        out += area / width * ((1.0 - lorentzian) * gaussian + lorentzian * 2.0 / np.pi / (1.0 + 4.0 * t**2))
    return out
