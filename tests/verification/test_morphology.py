"""How a square particle fills from a corner: as a wave, or as a shell around a poor core.

Pi = j L/(c_max D_chem (c_s - c_b)), with D_chem that of the poor phase at its binodal c_b, tells by how much diffusion
lets the composition rise towards the spinodal c_s ahead of the surface: below one the front runs through, above it the
surface fills all around. chi = 3, sides of 20 interface lengths, the current of the exchange current's size. Morphology
as in Santos et al., Chem. Sci. 14 (2023) 458, figure 6A and B; numbers of an explicit finite-volume code with cells of
half an interface length, which leaves 0.03 of the perimeter uncertain.
"""

import functools

import numpy as np
import pytest

import chemomech as cm
from chemomech.analysis import morphology
from chemomech.fem.mesh import rectangle

CHI, BINODAL, SPINODAL = 3.0, 0.07072, 0.21132
SIDE = 20.0  # interface lengths
HOST = cm.Host.dimensionless()
LAWS = {"constant": cm.ConstantExchange(1.0), "activated": cm.BazantExchange(1.0)}


def diffusivity(group, side=SIDE, current=1.0):
    return current * side / (group * (SPINODAL - BINODAL) * (1 - 2 * CHI * BINODAL * (1 - BINODAL)))


def problem(D, law, side, where):
    return cm.Problem.build(
        rectangle(side, side, int(2 * side), int(2 * side), "quad"), host=HOST,
        scales=cm.Scales.natural(side, 1.0, HOST),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=CHI) + cm.GradientEnergy(1.0)), cm.Storage(), cm.Diffusion(D),
            *(cm.ButlerVolmer(LAWS[law], V0=0.0, on=name) for name in where),
        ],
    )  # fmt: skip


def phases(distance):
    """Rich where the distance is negative."""
    return BINODAL + (1 - 2 * BINODAL) * 0.5 * (1 - np.tanh(distance))


@functools.cache
def half_filled(group, law, side=SIDE, current=1.0):
    """From a quarter disk in a corner, in a matrix at its binodal: less would dissolve the seed."""
    made = problem(diffusivity(group, side, current), law, side, ["boundary"])
    start = made.state(c=lambda x: phases(np.hypot(*x.T) - 0.2 * side))
    run = cm.simulate(made, start, cm.Discharge(current=4 * side * current, until={"soc": 0.5}))
    return morphology.classify(made.mesh, np.asarray(run.final.c))


@pytest.mark.usefixtures("linear")
@pytest.mark.repetition("law")
@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("group", [0.1, 0.2])
def test_diffusion_keeps_up_with_a_wave(group, law):
    found = half_filled(group, law)
    assert found.name == "intercalation wave"
    assert found.domains == 1
    assert found.perimeter == pytest.approx(0.40, abs=0.03)


@pytest.mark.usefixtures("linear")
@pytest.mark.repetition("law")
@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_a_shell_closes_around_a_poor_core(law):
    found = half_filled(4.0, law)
    assert found.name == "core-shell"
    assert found.perimeter == pytest.approx(1.0, abs=1e-6)
    assert found.core == pytest.approx(BINODAL, abs=0.01)


@pytest.mark.usefixtures("linear")
@pytest.mark.repetition
@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_other_corners_fill_from_a_group_of_a_third_on(law):
    assert half_filled(0.3, law).perimeter < 0.7 < half_filled(1.0, law).perimeter


@pytest.mark.usefixtures("linear")
@pytest.mark.repetition
@pytest.mark.slow
def test_size_and_current_act_through_the_group():
    larger, faster = half_filled(1.0, "constant", 2 * SIDE), half_filled(1.0, "constant", SIDE, 2.0)
    assert larger.perimeter == pytest.approx(faster.perimeter, abs=0.05)


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
def test_layers_fill_by_a_front_along_them():
    """No diffusion across the layers, a reaction at their ends: the front moves by j t / (c_max dc), and flattens."""
    made = problem([diffusivity(0.1), 0.0, 0.0], "constant", SIDE, ["left", "right"])
    start = made.state(c=lambda x: phases(x[:, 0] - 0.2 * SIDE - 0.1 * (x[:, 1] - SIDE / 2)))
    run = cm.simulate(made, start, cm.Discharge(current=2 * SIDE, until={"soc": 0.6}))
    before, after = (front(made.mesh, c) for c in (start.c, run.final.c))
    assert np.std(after) < 0.92 * np.std(before)
    filled = 2 * run.time[-1] / (1 - 2 * BINODAL)
    assert np.mean(after) - np.mean(before) == pytest.approx(filled, rel=0.02)


def front(mesh, c):
    """Where each layer crosses 1/2; one place each."""
    n = int(round(np.sqrt(len(c))))
    order = np.lexsort(mesh.points.T)
    x, rows = mesh.points[order, 0].reshape(n, n), np.asarray(c)[order].reshape(n, n)
    crossed = (rows[:, :-1] > 0.5) != (rows[:, 1:] > 0.5)
    assert np.all(crossed.sum(axis=1) == 1)
    layer, k = np.nonzero(crossed)
    share = (rows[layer, k] - 0.5) / (rows[layer, k] - rows[layer, k + 1])
    return x[layer, k] + share * (x[layer, k + 1] - x[layer, k])
