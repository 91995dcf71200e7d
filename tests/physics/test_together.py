"""Combinations that would be computed wrongly are refused by name."""

import pytest

import chemomech as cm
from chemomech.fem.mesh import rectangle

ELASTIC = cm.LinearElastic.isotropic("60 GPa", 0.3, cm.Vegard(0.01))
FINITE = cm.NeoHookean("60 GPa", 0.3)
LINES = ([[0.0, 0.0]], [[0.0, 0.0, 5e-10]], 1e-9)


def build(psi, *rest, **options):
    mesh = rectangle(1e-8, 1e-8, 2, 2)
    return cm.Problem.build(mesh, host=cm.Host(c_max=2e4), potentials=[cm.Stored(psi), *rest], **options)


@pytest.mark.parametrize(
    ("parts", "options", "match"),
    [
        ([cm.RegularSolution(chi=cm.Course([0.0, 1.0], [2.0, 3.0]))], {}, "do not know the time"),
        ([FINITE], {"kinematics": cm.PlaneStrain(bending=cm.Bending("1e5 1/m"))}, "bodies of small strain"),
        ([cm.Strained(ELASTIC, cm.Dislocations(*LINES))], {}, "along z"),
        (
            [ELASTIC, cm.Traction(["1 MPa", "0 Pa"], on="right")], {"kinematics": cm.PlaneStrain(mean_strain="xx")},
            "no work on the free mean strain xx",
        ),
        (
            [ELASTIC, cm.Storage(), cm.Diffusion("1e-14 m^2/s", mobility=cm.ActivatedMobility(by_strain="1 kJ/mol"))],
            {"kinematics": cm.PlaneStress()}, "PlaneStress leaves free",
        ),
    ],
)  # fmt: skip
def test_refusals(parts, options, match):
    with pytest.raises(cm.ConfigError, match=match):
        build(*parts, **options)


def test_what_goes_together_is_built():
    """Tractions in the plane beside a free strain across it, and a given mean strain."""
    load = cm.Traction(["1 MPa", "0 Pa"], on="right")
    build(ELASTIC, load, kinematics=cm.GeneralisedPlaneStrain())
    build(ELASTIC, load, kinematics=cm.PlaneStrain(mean_strain="xx", given={"xx": 0.01}))


def test_strains_of_finite_strain_do_not_add():
    with pytest.raises(cm.ConfigError, match="do not add"):
        cm.Strained(FINITE, 0.01)


def test_a_bend_and_a_mean_strain_along_it_are_one():
    with pytest.raises(cm.ConfigError, match="the same motion"):
        cm.PlaneStrain(mean_strain="xx", bending=cm.Bending("1e5 1/m"))
