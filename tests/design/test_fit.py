"""Least squares with Laplace's uncertainty: a straight line, whose errors are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from chemomech import design
from chemomech.errors import ConfigError

T = np.linspace(0.0, 1.0, 50)
TRUE, NOISE = np.array([2.0, -30.0]), 0.1


def measured(seed):
    return TRUE[0] + TRUE[1] * T + NOISE * np.random.default_rng(seed).normal(size=T.size)


def fitted(data, **options):
    return design.fit(
        lambda x: x[0] + x[1] * jnp.asarray(T) - data, [0.5, -10.0], [0.0, -100.0], [10.0, 0.0], **options
    )


def test_a_line_and_its_errors():
    data = measured(0)
    found = fitted(data, noise=NOISE)
    np.testing.assert_allclose(found.x, np.polyfit(T, data, 1)[::-1], rtol=1e-6)
    S = np.sum((T - T.mean()) ** 2)
    exact = NOISE * np.sqrt([1 / T.size + T.mean() ** 2 / S, 1 / S])
    np.testing.assert_allclose(found.errors, exact, rtol=1e-6)
    np.testing.assert_allclose(np.diag(found.correlation), 1.0)
    assert found.correlation[0, 1] == pytest.approx(-T.mean() / np.sqrt(np.mean(T**2)), rel=1e-6)
    low, high = found.interval(0.95)
    np.testing.assert_allclose((high - low) / found.errors, 2 * 1.959964, rtol=1e-6)
    assert found.evaluations < 10


def test_what_cannot_be_fitted_says_so():
    def of(residual, start=(0.3, 0.3)):
        return design.fit(residual, np.asarray(start), np.zeros(2), np.ones(2))

    with pytest.raises(ConfigError, match="outside its bounds"):
        of(lambda x: x - 0.5, (0.3, 2.0))
    with pytest.raises(ConfigError, match="3 data do not tell the 2 numbers apart"):
        of(lambda x: (x[0] + x[1]) * jnp.arange(1.0, 4.0) - jnp.array([1.0, 2.0, 3.1]))
    with pytest.raises(ConfigError, match="2 data do not tell.*more data"):  # no datum is left for the noise
        of(lambda x: x - 0.5)


def test_noise_from_what_is_left():
    assert fitted(measured(1)).noise == pytest.approx(NOISE, rel=0.25)


def test_intervals_hold_the_truth_as_often_as_they_say():
    pairs = [fitted(measured(seed), noise=NOISE).interval(0.9) for seed in range(100)]
    share = np.mean([(low <= TRUE) & (high >= TRUE) for low, high in pairs], axis=0)
    assert np.all(np.abs(share - 0.9) < 0.09)  # three standard deviations of a count of 100
