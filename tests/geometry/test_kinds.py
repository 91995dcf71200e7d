"""Geometries by name: what each takes is read off its function."""

from collections.abc import Mapping, Sequence

import pytest

from chemomech import geometry
from chemomech.errors import ConfigError
from chemomech.fem.mesh import Mesh
from chemomech.geometry import kinds


def test_every_function_that_makes_a_mesh_is_there():
    known = kinds.kinds()
    assert {"ball", "wulff", "nanowire", "strip"} <= set(known)
    assert not {"remeshed", "mirrored", "quality_of", "descriptors", "Quality"} & set(known)
    assert all(getattr(geometry, name) is made for name, made in known.items())


@pytest.mark.parametrize("name", kinds.kinds())
def test_every_argument_is_described(name):
    made = kinds.kinds()[name]
    assert kinds.summary(made).endswith((".", ":"))
    for parameter in kinds.parameters(made):
        assert parameter.text, f"{name}: {parameter.name} is not in the docstring"
        assert parameter.name != "save"


def sample(a: float, n: int, size: float | str, on: bool, list: Sequence[float | str], by: Mapping[str, float]) -> Mesh:
    """A geometry of all types.

    Args:
        a: a number.
        n, on: a count, and
            a flag.
        size: a length [m].
        list: lengths [m] and angles [rad].
        by: numbers by name.
    """
    raise NotImplementedError


def test_units_come_from_the_docstring():
    assert kinds.units(sample) == {"size": "m"}
    texts = {p.name: p.text for p in kinds.parameters(sample)}
    assert texts["on"] == texts["n"] == "a count, and a flag."
    assert all(p.needed for p in kinds.parameters(sample))


def test_texts_of_the_command_line():
    given = ["a=2", "n = 3", "size=5 nm", "on=true", "list=1 nm, 2,90 deg", "by=0-11: 1.5, 100:2", "other=x"]
    assert kinds.table(sample, given) == {
        "a": 2.0, "n": 3, "size": "5 nm", "on": True, "list": ["1 nm", 2.0, "90 deg"],
        "by": {"0-11": 1.5, "100": 2.0}, "other": "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a"], 'write key=value; sample takes a, n, size'),
        (["a="], "key=value"),
        (["a=1", "a=2"], "given twice"),
        (["a=x"], "must be a number"),
        (["n=1.5"], "must be a whole number"),
        (["on=yes"], "must be true or false"),
        (["by=1"], "is no table"),
    ],
)  # fmt: skip
def test_texts_that_are_no_values(given, words):
    with pytest.raises(ConfigError, match=f"(?i){words}"):
        kinds.table(sample, given)
