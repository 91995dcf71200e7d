import numpy as np
import pytest

from chemomech.errors import ConfigError
from chemomech.fem.mesh import rectangle
from chemomech.fields import Cosine, Noise, RandomField, Seed, Uniform

POINTS = np.random.default_rng(0).uniform(0.0, 100e-9, (4000, 2))


def test_random_field_is_a_function_of_position():
    field = RandomField(2.0, 0.1, "5 nm", seed=3)
    assert np.array_equal(field(POINTS)[::7], field(POINTS[::7]))
    assert not np.array_equal(field(POINTS), RandomField(2.0, 0.1, "5 nm", seed=4)(POINTS))


def test_random_field_has_the_mean_and_the_variance_asked_for():
    values = np.concatenate([RandomField(2.0, 0.1, "5 nm", seed=k)(POINTS) for k in range(40)])
    assert values.mean() == pytest.approx(2.0, abs=0.01)
    assert values.std() == pytest.approx(0.2, rel=0.03)


def test_random_field_has_a_gaussian_covariance():
    length, distance = 5e-9, 6e-9
    a = np.concatenate([RandomField(1.0, 1.0, length, seed=k)(POINTS) - 1.0 for k in range(40)])
    b = np.concatenate([RandomField(1.0, 1.0, length, seed=k)(POINTS + [distance, 0.0]) - 1.0 for k in range(40)])
    assert np.mean(a * b) == pytest.approx(np.exp(-(distance**2) / (2 * length**2)), abs=0.04)


@pytest.mark.parametrize(("variation", "correlation"), [(0.1, 0.0), (-0.1, "5 nm")])
def test_random_field_refuses_what_makes_no_field(variation, correlation):
    with pytest.raises(ConfigError):
        RandomField(1.0, variation, correlation)


def test_initial_compositions():
    points = rectangle(2.0, 1.0, 8, 4).points
    assert np.all(Uniform(0.3)(points) == 0.3)
    noise = Noise(0.3, 0.01, seed=1)(points)
    assert noise.mean() == pytest.approx(0.3, abs=1e-14)
    assert 0.005 < noise.std() < 0.02
    wave = Cosine(0.5, 0.1)(points)
    assert wave == pytest.approx(0.5 + 0.1 * np.cos(np.pi * points[:, 0]))
    assert Cosine(0.5, 0.1, [0, 1])(points) == pytest.approx(0.5 + 0.1 * np.cos(2 * np.pi * points[:, 1]))


def test_a_seed_is_rich_around_its_centre():
    seed = Seed(0.9, 0.1, ["20 nm", 0.0], "10 nm", "1 nm")
    np.testing.assert_allclose(seed(np.array([[20e-9, 0.0], [30e-9, 0.0], [0.0, 0.0]])), [0.9, 0.5, 0.1], atol=1e-8)
    with pytest.raises(ConfigError, match="2 coordinates; the mesh has 3"):
        seed(np.zeros((1, 3)))
    with pytest.raises(ConfigError, match="must be positive"):
        Seed(0.9, 0.1, [0.0, 0.0], "0 nm", "1 nm")
