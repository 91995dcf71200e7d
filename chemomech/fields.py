"""Functions of position: random parameter fields and initial compositions."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from .errors import ConfigError
from .units import parse

MODES = 256


class AbstractField(eqx.Module):
    """A function of the points [m]."""

    @abc.abstractmethod
    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """One value per point."""


class RandomField(AbstractField):
    """mean (1 + variation f(x)), f Gaussian with zero mean, unit variance and covariance exp(-r^2 / (2 l^2))

    f is a sum of 256 plane waves with random wave vectors and phases, so it does not depend on the mesh.

    Args:
        mean: mean value, in SI.
        variation: standard deviation over mean [1].
        correlation: correlation length l [m].
        seed: of the random numbers.
    """

    mean: float
    variation: float
    correlation: float = eqx.field(converter=lambda v: float(parse(v, "m", name="RandomField.correlation")))
    seed: int = 0

    def __check_init__(self):
        if not self.correlation > 0:
            raise ConfigError(f"RandomField.correlation = {self.correlation:g} m must be positive.")
        if self.variation < 0:
            raise ConfigError(f"RandomField.variation = {self.variation:g} must not be negative.")

    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """The field at the points [m]."""
        rng = np.random.default_rng(self.seed)
        waves = rng.standard_normal((MODES, 3))[:, : points.shape[1]] / self.correlation
        phases = rng.uniform(0.0, 2 * np.pi, MODES)
        f = np.sqrt(2.0 / MODES) * np.cos(points @ waves.T + phases).sum(axis=1)
        return self.mean * (1.0 + self.variation * f)


class Uniform(AbstractField):
    """The same composition everywhere.

    Args:
        c: composition [1].
    """

    c: float

    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """c at every point."""
        return np.full(len(points), float(self.c))


class Equilibrium(Uniform):
    """Equilibrium of a mean composition, found from a uniform one: wetted faces keep their layers, bulk stays uniform

    As a function of position it is the uniform first guess; a config's run replaces it by the equilibrium.

    Args:
        c: mean composition [1].
    """


class Noise(AbstractField):
    """c plus independent normal noise at every node, of zero mean over the nodes

    Args:
        c: mean composition [1].
        amplitude: standard deviation [1].
        seed: of the random numbers.
    """

    c: float
    amplitude: float
    seed: int = 0

    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """Noisy values at the points."""
        noise = np.random.default_rng(self.seed).standard_normal(len(points))
        return self.c + self.amplitude * (noise - noise.mean())


class Cosine(AbstractField):
    """c + amplitude prod_i cos(2 pi wave_i (x_i - min x_i) / size_i), over the bounding box of the points

    Args:
        c: mean composition [1].
        amplitude: [1].
        wave: number of waves along each axis; zero leaves an axis out.
    """

    c: float
    amplitude: float
    wave: Sequence[float] = (1, 0)

    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """The wave at the points [m]."""
        wave: Any = np.zeros(points.shape[1])
        wave[: len(self.wave)] = self.wave[: points.shape[1]]
        position = (points - points.min(axis=0)) / np.ptp(points, axis=0)
        return self.c + self.amplitude * np.cos(2 * np.pi * wave * position).prod(axis=1)


class Seed(AbstractField):
    """outside + (inside - outside)/2 [1 - tanh((r - radius)/width)], r the distance from a centre

    Args:
        inside: composition within [1].
        outside: composition without [1].
        centre: coordinates [m].
        radius: [m].
        width: half thickness of the interface [m].
    """

    inside: float
    outside: float
    centre: Any = eqx.field(converter=lambda v: parse(v, "m", name="Seed.centre"))
    radius: float = eqx.field(converter=lambda v: float(parse(v, "m", name="Seed.radius")))
    width: float = eqx.field(converter=lambda v: float(parse(v, "m", name="Seed.width")))

    def __check_init__(self):
        if not (self.radius > 0 and self.width > 0):
            raise ConfigError(f"Seed: radius = {self.radius:g} m and width = {self.width:g} m must be positive.")

    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """One rich or poor place [m]."""
        if np.shape(self.centre) != points.shape[1:]:
            raise ConfigError(f"Seed.centre has {np.size(self.centre)} coordinates; the mesh has {points.shape[1]}.")
        distance = np.linalg.norm(points - self.centre, axis=1)
        share = 0.5 * (1.0 - np.tanh((distance - self.radius) / self.width))
        return self.outside + (self.inside - self.outside) * share
