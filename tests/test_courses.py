"""Courses of straight lines: values, texts, scales, derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.courses import Course, moments, value_at
from chemomech.errors import ConfigError, UnitError

jax.config.update("jax_enable_x64", True)


def test_values_are_those_of_numpy_interpolation():
    times, values = [1.0, 2.0, 5.0], [0.0, 3.0, -1.0]
    t = np.linspace(-1.0, 7.0, 41)
    np.testing.assert_allclose([Course(times, values)(v) for v in t], np.interp(t, times, values), atol=1e-14)
    vectors = Course(times, np.outer(values, [1.0, 2.0]))
    np.testing.assert_allclose(vectors(1.5), [1.5, 3.0], rtol=1e-14)
    assert float(Course(["1 h"], [2.0])(0.0)) == 2.0
    assert value_at(3.0, 1.0) == 3.0


def test_texts_have_the_unit_of_the_parameter():
    pull = cm.Pressure(Course(["0 s", "1 min"], ["0 Pa", "2 MPa"]), on="right")
    np.testing.assert_allclose(pull.p(30.0), 1e6)
    scales = cm.Scales(1e-9, 10.0, 1e3, 1.0, 1.0, 1.0)
    np.testing.assert_allclose(scales.apply(pull).p(3.0), 1e3)
    with pytest.raises(UnitError, match=r"values = \"1 s\""):
        cm.Pressure(Course(["0 s", "1 min"], ["0 Pa", "1 s"]), on="right")


def test_slope_by_values_is_their_share():
    slope = jax.grad(lambda v: Course([0.0, 2.0, 4.0], v)(0.5))(jnp.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(slope, [0.75, 0.25, 0.0])


def test_moments_of_all_courses_of_a_tree():
    tree = (cm.Pressure(Course([0.0, 3.0], [0.0, 1.0])), {"a": Course([1.0, 3.0], [0.0, 1.0])}, 2.0)
    np.testing.assert_array_equal(moments(tree), [0.0, 1.0, 3.0])


@pytest.mark.parametrize(("times", "values"), [([0.0, 0.0], [1.0, 2.0]), ([0.0, 1.0], [1.0]), ([], [])])
def test_what_is_no_course_is_refused(times, values):
    with pytest.raises(ConfigError, match="Course"):
        Course(times, values)
