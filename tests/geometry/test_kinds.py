"""Geometries by name: what each takes is read off its function."""

import functools
from collections.abc import Mapping, Sequence

import pytest

from chemomech import config, geometry
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


def text_for(parameter):
    """What the command line may give for an argument of each type."""
    hint = str(parameter.hint)
    number = f"5 {parameter.unit}" if parameter.unit else "5"
    if "Mapping" in hint:
        return f"010: {number}, 100: {number}"
    if "Sequence" in hint:
        return "5 nm, 6 nm, 7 nm" if "str" in hint else "3, 4, 5"
    if parameter.hint is bool:
        return "true"
    return number if parameter.unit else "5" if "int" in hint or "float" in hint else "disk"


@pytest.mark.parametrize("name", kinds.kinds())
def test_every_key_reaches_its_geometry(name, monkeypatch):
    """From the command line through the config, without meshing: no key is mistaken for an object of a config."""
    made = kinds.kinds()[name]
    seen = {}

    @functools.wraps(made)
    def noted(**given):
        seen.update(given)
        return "a mesh"

    monkeypatch.setattr(kinds, "kinds", lambda: {name: noted})
    wanted = {p.name: text_for(p) for p in kinds.parameters(made)}
    table = kinds.table(made, [f"{key}={text}" for key, text in wanted.items()])
    assert config.meshed(name, table) == "a mesh"
    assert seen.pop("save") is None
    assert set(seen) == set(wanted)
    for parameter in kinds.parameters(made):
        value = seen[parameter.name]
        if parameter.unit == "m" and "Mapping" not in str(parameter.hint):
            assert value == 5, parameter.name
        assert isinstance(value, str) == (wanted[parameter.name] == "disk"), parameter.name


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
