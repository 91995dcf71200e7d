"""Axes of a sweep: how values are read, combined, and put into a config."""

import pytest

from chemomech.errors import ConfigError
from chemomech.sweep import Axis, combinations, parse_axis, placed, table_axes
from chemomech.sweep.axes import columns, short_names

TREE = {
    "mesh": "square.msh",
    "potentials": [
        {"kind": "Stored", "psi": [{"kind": "RegularSolution", "chi": 3.0}, {"kind": "GradientEnergy"}]},
        {"kind": "Diffusion", "D": "1e-14 m^2/s"},
    ],
    "protocol": [{"kind": "Discharge", "c_rate": 1.0}],
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=2.5,3,4.5", (2.5, 3, 4.5)),
        ("a.b=5 kJ/mol, 7 kJ/mol", ("5 kJ/mol", "7 kJ/mol")),
        ("a.b=LiFePO4,'a, b'", ("LiFePO4", "a, b")),
        ("a.b=[1, 2],[3]", ([1, 2], [3])),
        ('a.b={kind = "BazantExchange", k0 = "1 A/m^2"}', ({"kind": "BazantExchange", "k0": "1 A/m^2"},)),
        ("a.b=true,false", (True, False)),
        ("a.b=.5,1e-3", (0.5, 1e-3)),
        ("a.b=0.1:0.5:5", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("a.b=0.01:100:5:log", (0.01, 0.1, 1.0, 10.0, 100.0)),
        ("a.b=4:8:3", (4, 6, 8)),
        ("a.b=1:2:3", (1.0, 1.5, 2.0)),
        ("a.b=10:20:2 nm,1 um", ("10 nm", "20 nm", "1 um")),
        ("a.b=material:energy", ("material:energy",)),
    ],
)
def test_values_are_read(text, values):
    axis = parse_axis(text)
    assert axis == Axis("a.b", values)
    assert [type(v) for v in axis.values] == [type(v) for v in values]


@pytest.mark.parametrize("text", ["a.b", "=1", "a.b=", "a.b=1,,2", "a.b=[1", "a.b=0:1:1", "a.b=0:1:5:log"])
def test_what_is_no_axis_is_said_so(text):
    with pytest.raises(ConfigError, match="Write|Check"):
        parse_axis(text)


def test_sweep_table_with_and_without_quotes():
    import tomllib

    quoted = tomllib.loads('[sweep]\nmode = "zip"\n"protocol.0.c_rate" = [0.1, 1]\n"initial" = "0.1:0.2:2"')["sweep"]
    bare = tomllib.loads('[sweep]\nmode = "zip"\nprotocol.0.c_rate = [0.1, 1]\ninitial = "0.1:0.2:2"')["sweep"]
    wanted = [Axis("protocol.0.c_rate", (0.1, 1)), Axis("initial", (0.1, 0.2))], "zip"
    assert table_axes(quoted) == table_axes(bare) == wanted
    with pytest.raises(ConfigError, match="grid, zip"):
        table_axes({"mode": "random"})


def test_grid_and_zip():
    axes = [Axis("a", (1, 2)), Axis("b", ("x", "y"))]
    assert combinations(axes) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert combinations(axes, "zip") == [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("axes", "mode", "words"),
    [
        ([], "grid", "Nothing is swept"),
        ([Axis("a", (1,)), Axis("a", (2,))], "grid", "swept twice"),
        ([Axis("a", (1, 2)), Axis("b", (1, 2, 3))], "zip", "a has 2, b has 3"),
        ([Axis("a", (1, 2, 1))], "grid", "Cases 1 and 3 are the same"),
        ([Axis("a", ())], "grid", "no values"),
    ],
)
def test_what_cannot_be_combined_is_said_so(axes, mode, words):
    with pytest.raises(ConfigError, match=words):
        combinations(axes, mode)


def test_a_value_is_placed_in_a_copy():
    new = placed(TREE, "potentials.0.psi.0.chi", 4.5)
    assert new["potentials"][0]["psi"][0] == {"kind": "RegularSolution", "chi": 4.5}
    assert TREE["potentials"][0]["psi"][0]["chi"] == 3.0
    assert new["potentials"][1] is TREE["potentials"][1]
    assert placed(TREE, "control.tol", 1e-4)["control"] == {"tol": 1e-4}
    assert placed(TREE, "newton.linear.kind", "Krylov")["newton"] == {"linear": {"kind": "Krylov"}}
    assert placed(TREE, "protocol.0.until", {"soc": 0.5})["protocol"][0]["until"] == {"soc": 0.5}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("potential.0.D", ["no `potential` at the top", "potentials, constraints"]),
        ("potentials.D", ["no `D` in `potentials`", r"0 \(Stored\), 1 \(Diffusion\)"]),
        ("potentials.2.D", ["no `2`", r"1 \(Diffusion\)"]),
        ("potentials.0.psi.chi", ["in `potentials.0.psi`", r"0 \(RegularSolution\), 1 \(GradientEnergy\)"]),
        ("potentials.1.mobility.kind", ["no `mobility` in `potentials.1`", "kind, D"]),
        ("mesh.scale", ["'square.msh'", "no table"]),
    ],
)
def test_a_path_that_leads_nowhere_lists_what_is_there(path, words):
    for word in words:
        with pytest.raises(ConfigError, match=word):
            placed(TREE, path, 1.0)


def test_names_are_as_short_as_they_can_be():
    assert short_names(["potentials.0.psi.0.chi", "protocol.0.c_rate", "initial"]) == ["chi", "c_rate", "initial"]
    both = ["protocol.0.c_rate", "protocol.2.c_rate"]
    assert short_names(both) == both


def test_columns_carry_units():
    axes = [Axis("a.thickness", ()), Axis("a.chi", ()), Axis("material", ()), Axis("initial", ())]
    cases = [("20 nm", 2.5, "LiFePO4", 0.1), ("0.04 um", 3, "LiMn2O4", {"kind": "Noise", "c": 0.1})]
    assert columns(axes, cases) == {
        "thickness [nm]": [20.0, 40.0], "chi [-]": [2.5, 3], "material": ["LiFePO4", "LiMn2O4"],
        "initial": ["0.1", "Noise (c = 0.1)"],
    }  # fmt: skip
